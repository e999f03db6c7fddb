/** Signed batches of plain records, for tests of the wire. */
import { hashes, sign } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import {
  type Draft,
  encode,
  fromHex,
  networkId,
  ownerOfKey,
  type ParsedFrame,
  type SignOptions,
  signBatch,
} from '../../crdt/index.ts'

hashes.sha512 = sha512
const SEED = new Uint8Array(32).fill(1)
/** The public key of a seed of bytes 1. */
export const KEY = '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c'
export const NET = networkId('peerage')
export const options: SignOptions = { net: NET, key: KEY, sign: (message) => sign(message, SEED) }

export function genesis(slug: string, more = ''): Draft {
  const body = encode({ f: [[['name'], slug + more]], slug })
  return { type: 'genesis', owner: ownerOfKey(KEY), kind: 'model', slug, w: 1_700_000_000_000, body }
}

/** One frame of so many geneses. */
export function batchOf(count: number): ParsedFrame {
  const [first] = signBatch(
    Array.from({ length: count }, (_, i) => genesis(`model ${i}`)),
    options,
  )
  if (first === undefined || fromHex(first.frame.actor).length !== 32) throw new Error('expected a frame')
  return first.frame
}
