/** Names and headers: networks, keys, kinds, slugs, record ids, op ids, and texts that are none of them. */
import {
  encodeHeader,
  type Header,
  keyToDid,
  networkId,
  opId,
  opIdToCid,
  ownerOfKey,
  ownerToDid,
  pureSha256,
  recordId,
  toHex,
  utf8,
} from '../../crdt/index.ts'
import { keyOf } from './keys.ts'

export function opVectors(): unknown {
  return {
    comment: 'SPEC.md sections 3 and 4. Hex throughout, but for names, DIDs and CIDs.',
    networks: networks.map(([comment, name]) => ({ comment, name, id: networkId(name) })),
    refusedNetworks: [
      { comment: 'no name', name: '' },
      { comment: 'upper case', name: 'Peerage' },
      { comment: 'a salt of 31 digits', name: `lab#${'0'.repeat(31)}` },
      { comment: 'a salt in upper case', name: `lab#${'A'.repeat(32)}` },
      { comment: 'two salts', name: `lab#${'0'.repeat(32)}#` },
      { comment: 'white space', name: 'lab ' },
      { comment: '65 characters', name: 'a'.repeat(65) },
    ],
    keys: [1, 2, 3].map((seed) => ({
      comment: `the key of a seed of bytes ${seed}`,
      key: keyOf(seed),
      did: keyToDid(keyOf(seed)),
    })),
    owners: [
      { comment: 'a key', owner: ownerOfKey(keyOf(1)), did: ownerToDid(ownerOfKey(keyOf(1))) },
      { comment: 'an identity', owner: `02${'ab'.repeat(32)}`, did: ownerToDid(`02${'ab'.repeat(32)}`) },
    ],
    refusedDids,
    kinds: [
      { comment: 'one of ours', kind: 'model', valid: true },
      { comment: 'one that no table knows', kind: 'x-2', valid: true },
      { comment: '32 characters', kind: 'a'.repeat(32), valid: true },
      { comment: 'none', kind: '', valid: false },
      { comment: '33 characters', kind: 'a'.repeat(33), valid: false },
      { comment: 'upper case', kind: 'Model', valid: false },
      { comment: 'a letter outside a-z', kind: 'modèle', valid: false },
      { comment: 'a line break at the end', kind: 'model\n', valid: false },
    ],
    slugs: [
      { comment: 'owner and name', slug: 'meta-llama/Llama-3-8B', valid: true },
      { comment: 'another script', slug: '通义千问', valid: true },
      { comment: 'white space around a letter', slug: ' x ', valid: true },
      { comment: '256 bytes', slug: 'é'.repeat(128), valid: true },
      { comment: 'none', slug: '', valid: false },
      { comment: 'a blank', slug: ' ', valid: false },
      { comment: 'only white space of other kinds', slug: '\t\u00a0\u2003\u3000\ufeff', valid: false },
      { comment: '257 bytes in 129 characters', slug: `${'é'.repeat(128)}x`, valid: false },
    ],
    records: records.map(({ comment, ...name }) => ({ comment, ...name, id: recordId(name) })),
    ops: headers.map(([comment, header]) => {
      const id = opId(header)
      return { comment, header, bytes: toHex(encodeHeader(header)), id, cid: opIdToCid(id) }
    }),
    refusedCids,
  }
}

const net = networkId('peerage')
const hash = (text: string): string => toHex(pureSha256(utf8(text)))

const networks: [string, string][] = [
  ['the one that a node joins by default: a salt of zeroes', 'peerage'],
  ['the same name with that salt written out', `peerage#${'0'.repeat(32)}`],
  ['a network of its own', 'peerage#00112233445566778899aabbccddeeff'],
  ['dots and dashes', 'lab-2.example'],
]

const records = [
  { comment: 'a model', net, owner: ownerOfKey(keyOf(1)), kind: 'model', slug: 'meta-llama/Llama-3-8B' },
  {
    comment: 'the same name by another owner',
    net,
    owner: ownerOfKey(keyOf(2)),
    kind: 'model',
    slug: 'meta-llama/Llama-3-8B',
  },
  { comment: 'another kind', net, owner: ownerOfKey(keyOf(1)), kind: 'agent', slug: 'meta-llama/Llama-3-8B' },
  {
    comment: 'another network',
    net: networkId('lab'),
    owner: ownerOfKey(keyOf(1)),
    kind: 'model',
    slug: 'meta-llama/Llama-3-8B',
  },
  { comment: 'an owner that is an identity', net, owner: `02${'ab'.repeat(32)}`, kind: 'model', slug: '通义千问' },
]

const common = { net, actor: keyOf(1), bodyLength: 3, bodyHash: hash('abc') }
const owner = ownerOfKey(keyOf(1))
const record = recordId({ net, owner, kind: 'model', slug: 'x' })
const headers: [string, Header][] = [
  [
    'a genesis',
    {
      ...common,
      type: 1,
      record,
      parents: [],
      w: 1700000000000,
      genesis: { owner, kind: 'model', slugHash: hash('x') },
    },
  ],
  ['a put with one parent', { ...common, type: 2, record, parents: [hash('a')], w: 1700000000001 }],
  ['a patch at the beginning of time', { ...common, type: 3, record, parents: [hash('a')], w: 0 }],
  ['at its last millisecond', { ...common, type: 3, record, parents: [hash('a')], w: 2 ** 43 - 1 }],
  [
    'a delete with 16 parents and no body',
    {
      ...common,
      type: 4,
      record,
      parents: Array.from({ length: 16 }, (_, i) => hash(`parent ${i}`)).sort(),
      w: 1700000000002,
      bodyLength: 0,
      bodyHash: hash(''),
    },
  ],
  ['a type that nobody knows yet', { ...common, type: 14, record, parents: [hash('a')], w: 1 }],
  ['a body of 256 KiB', { ...common, type: 3, record, parents: [hash('a')], w: 1, bodyLength: 262144 }],
]

const refusedDids = [
  { comment: 'another curve: P-256', did: 'did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169' },
  { comment: 'another curve: secp256k1', did: 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme' },
  { comment: 'another curve: X25519', did: 'did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc' },
  {
    comment: 'another curve: BLS12-381',
    did: 'did:key:zUC7K4ndUaGZgV7Cp2yJy6JtMoUHY6u7tkcSYUvPrEidqBmLCTLmi6d5WvwnUqejscAkERJ3bfjEiSYtdPkRSE8kSa11hFBr4sTgnbZ95SJj19PN2jdvJjyzpSZgxkyyxNnBNnY',
  },
  { comment: 'another base', did: `did:key:f${'ed01'}${keyOf(1)}` },
  { comment: 'another method', did: keyToDid(keyOf(1)).replace('did:key', 'did:web') },
  { comment: 'upper case', did: keyToDid(keyOf(1)).toUpperCase() },
  { comment: 'a fragment', did: `${keyToDid(keyOf(1))}#${keyToDid(keyOf(1)).slice(8)}` },
  { comment: 'a line break at the end', did: `${keyToDid(keyOf(1))}\n` },
  { comment: 'one character short', did: keyToDid(keyOf(1)).slice(0, -1) },
  { comment: 'a character that base58 lacks', did: `${keyToDid(keyOf(1)).slice(0, -1)}0` },
  { comment: 'the length and letters of a key, another codec', did: `did:key:z6Mk${'1'.repeat(44)}` },
  { comment: 'the length and letters of a key, one codec further', did: `did:key:z6Mk${'z'.repeat(44)}` },
  { comment: 'an identity in upper case', did: `did:peerage:${'AB'.repeat(32)}` },
  { comment: 'an identity of 63 digits', did: `did:peerage:${'a'.repeat(63)}` },
]

const cid = opIdToCid(hash('a'))
const refusedCids = [
  { comment: 'upper case', cid: cid.toUpperCase() },
  { comment: 'an upper-case base32', cid: `B${cid.slice(1).toUpperCase()}` },
  { comment: 'one character short', cid: cid.slice(0, -1) },
  { comment: 'stray bits in the last character', cid: `${cid.slice(0, -1)}${strayed(cid.at(-1) as string)}` },
  { comment: 'the older form', cid: 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG' },
  { comment: 'raw bytes, not dag-cbor', cid: 'bafkreiebzrnroamgos2adnbpgw5apo3z4iishhbdx77gldnbk57d4zdio4' },
  { comment: 'a record id', cid: hash('a') },
  { comment: 'no text', cid: '' },
]

/** Another character that stands for the same bits and some that belong to no byte. */
function strayed(last: string): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  return alphabet[alphabet.indexOf(last) | 1] as string
}
