/**
 * The one rule for signatures, SIG-1 (SPEC.md, "Signatures").
 *
 * Ed25519 libraries differ on crafted keys and signatures, and a network whose replicas differ on one signature is
 * split for good. So every replica refuses, byte by byte, what they differ on (`prefilter`), and what is left is
 * checked without the cofactor: here with points, in a node by the machine's own code behind the same filter.
 */
import { Point } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, fromHex, toHex } from './bytes.ts'

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
/** The order of the group, little-endian. */
const L = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
const ORDER = Point.CURVE().n
/**
 * The y of the 8 points of small order, little-endian: 0 (two points), 1, -1, and two more with two points each. With
 * either sign these are the 8 canonical encodings and the two forms of "x = 0 with the sign bit set".
 */
const SMALL_ORDER_Y = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(fromHex)

/** Whether `signature` by `key` over `message` holds; any bytes are answered, none throw. About a millisecond. */
export function verifySignature(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!prefilter(key, signature)) return false
  const r = signature.subarray(0, KEY_BYTES)
  const a = readPoint(key)
  if (a === undefined) return false
  const s = littleEndian(signature.subarray(KEY_BYTES))
  const k = littleEndian(sha512(concat(r, key, message))) % ORDER
  // [S]B - [k]A, encoded and compared as bytes: R itself is never decoded.
  const sum = Point.BASE.multiply(s, false).add(a.negate().multiply(k, false))
  return equalBytes(sum.toBytes(), r)
}

/** Steps 1 to 4 of SIG-1, on the bytes alone: what any further check must have behind it. Never throws. */
export function prefilter(key: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || !isPlainKey(key)) return false
  return isPlainPoint(signature, 0) && isBelowOrder(signature)
}

/** Whether a key passes steps 1, 3 and 4: 32 bytes, canonical, not of small order. */
export function isPlainKey(key: Uint8Array): boolean {
  return key.length === KEY_BYTES && isPlainPoint(key, 0)
}

/** Steps 3 and 4, for the point at `start`. */
function isPlainPoint(bytes: Uint8Array, start: number): boolean {
  const last = start + KEY_BYTES - 1
  const top = (bytes[last] as number) & 0x7f
  for (const y of SMALL_ORDER_Y) {
    let i = 0
    while (i < KEY_BYTES - 1 && bytes[start + i] === y[i]) i++
    if (i === KEY_BYTES - 1 && top === y[i]) return false
  }
  // y >= 2^255-19 iff every bit above the lowest byte is set and that byte is at least 0xed.
  if (top !== 0x7f || (bytes[start] as number) < 0xed) return true
  for (let i = start + 1; i < last; i++) if (bytes[i] !== 0xff) return true
  return false
}

/** Step 2: S < L. */
function isBelowOrder(signature: Uint8Array): boolean {
  for (let i = KEY_BYTES - 1; i >= 0; i--) {
    const difference = (signature[KEY_BYTES + i] as number) - (L[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

function readPoint(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes)
  } catch {
    return undefined // The library throws for a y that is on no point of the curve.
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`)
}
