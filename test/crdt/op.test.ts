import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkHeader,
  concat,
  encode,
  encodeHeader,
  fromHex,
  type Header,
  opId,
  ownerOfKey,
  pureSha256,
  toHex,
  utf8,
  type Value,
} from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

const vectors: { ops: { comment: string; header: Header; bytes: string; id: string }[] } = ownVectors('op')

test.each(vectors.ops)('$comment', ({ header, bytes, id }) => {
  expect(toHex(encodeHeader(header))).toBe(bytes)
  expect(opId(header)).toBe(id)
  expect(toHex(pureSha256(concat(utf8('peerage/1/op\0'), fromHex(bytes))))).toBe(id)
  expect(checkHeader(header, bytes.length / 2)).toBeUndefined()
})

test('header bytes are the canonical bytes of the map that SPEC.md gives, for any header', () =>
  seeded((parameters) =>
    fc.assert(
      fc.property(anyHeader(), (header) => {
        expect(toHex(encodeHeader(header))).toBe(toHex(encode(asMap(header))))
      }),
      { ...parameters, numRuns: 300 },
    ),
  ))

describe('a header is refused', () => {
  const put = (vectors.ops[1] as { header: Header }).header
  const genesis = (vectors.ops[0] as { header: Header }).header
  const changed = (changes: Partial<Header>): Header => ({ ...put, ...changes })
  const born = (changes: Partial<NonNullable<Header['genesis']>>): Header => ({
    ...genesis,
    genesis: { ...(genesis.genesis as NonNullable<Header['genesis']>), ...changes },
  })
  const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)] as [string, string]

  test.each<[string, string | undefined, Header]>([
    ['type 0', 'malformed', changed({ type: 0 })],
    ['a broken type', 'malformed', changed({ type: 2.5 })],
    ['time below 0', 'malformed', changed({ w: -1 })],
    ['time of 2^43', 'malformed', changed({ w: 2 ** 43 })],
    ['a genesis without owner, kind and slug', 'malformed', changed({ type: 1 })],
    ['a put with them', 'malformed', { ...put, genesis: genesis.genesis as NonNullable<Header['genesis']> }],
    ['a kind that is none', 'malformed', born({ kind: 'No' })],
    ['an owner of an unknown form', 'malformed', born({ owner: `00${genesis.actor}` })],
    ['a genesis of an identity that relies on nothing', 'not-authorised', born({ owner: `02${genesis.actor}` })],
    ['the first reserved type', 'reserved', changed({ type: 11 })],
    ['an identity with a parent', 'bad-parents', changed({ type: 9 })],
    ['an identity that relies on an op', 'not-authorised', changed({ type: 9, parents: [], via: a })],
    ['an erase without parents', 'bad-parents', changed({ type: 5, parents: [] })],
    ['the last reserved type', 'reserved', changed({ type: 13 })],
    ['a genesis for another key', 'not-authorised', born({ owner: ownerOfKey(a) })],
    ['a genesis with a parent', 'bad-parents', { ...genesis, parents: [a] }],
    ['no parents', 'bad-parents', changed({ parents: [] })],
    ['17 parents', 'bad-parents', changed({ parents: Array.from({ length: 17 }, (_, i) => `${10 + i}`.repeat(32)) })],
    ['parents out of order', 'bad-parents', changed({ parents: [b, a] })],
    ['a parent twice', 'bad-parents', changed({ parents: [a, a] })],
    ['a body of 256 KiB and a byte', 'too-large', changed({ bodyLength: 262145 })],
  ])('%s: %s', (_, reason, header) => {
    expect(checkHeader(header, 200)).toBe(reason)
  })

  test('over 1 KiB', () => {
    expect(checkHeader(put, 1024)).toBeUndefined()
    expect(checkHeader(put, 1025)).toBe('too-large')
  })

  test('a grant may come without parents; a genesis for another owner needs an op to rely on', () => {
    expect(checkHeader(changed({ type: 6, parents: [] }), 200)).toBeUndefined()
    expect(checkHeader({ ...born({ owner: `02${genesis.actor}` }), via: a }, 200)).toBeUndefined()
  })

  test('never for a type that is not known yet', () => {
    expect(checkHeader(changed({ type: 14 }), 200)).toBeUndefined()
    expect(checkHeader(changed({ type: Number.MAX_SAFE_INTEGER }), 200)).toBeUndefined()
  })
})

function asMap(header: Header): Value {
  const { net, type, record, actor, parents, via, w, bodyLength, bodyHash, genesis } = header
  return {
    v: 1,
    n: fromHex(net),
    t: type,
    r: fromHex(record),
    k: fromHex(actor),
    p: parents.map(fromHex),
    w,
    l: bodyLength,
    h: fromHex(bodyHash),
    ...(via && { a: fromHex(via) }),
    ...(genesis && { o: fromHex(genesis.owner), kd: genesis.kind, sh: fromHex(genesis.slugHash) }),
  }
}

/** Of the right lengths, and otherwise saying anything at all. */
function anyHeader(): fc.Arbitrary<Header> {
  const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(toHex)
  const number = fc.oneof(
    fc.constantFrom(0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, -25, -257),
    fc.maxSafeInteger(),
  )
  return fc.record(
    {
      net: hex(16),
      type: number,
      record: hex(32),
      actor: hex(32),
      parents: fc.array(hex(32), { maxLength: 80 }),
      via: hex(32),
      w: number,
      bodyLength: fc.nat(),
      bodyHash: hex(32),
      genesis: fc.record({
        owner: hex(33),
        kind: fc.string({ unit: 'grapheme', maxLength: 3000 }),
        slugHash: hex(32),
      }),
    },
    { requiredKeys: ['net', 'type', 'record', 'actor', 'parents', 'w', 'bodyLength', 'bodyHash'] },
  )
}
