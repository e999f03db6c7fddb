/**
 * SipHash-2-4 of eight bytes: a short hash under a key of 128 bits, in halves of 32 bits as JavaScript computes them.
 *
 * Words are little-endian. The answer is left in `answer`, the caller's two words: it is asked for each id and symbol,
 * where an object of its own for each would cost as much as the hash.
 */

/** Four words: the two halves of k0, then of k1, the lower first. */
export type SipKey = readonly [number, number, number, number]
export const NO_KEY: SipKey = [0, 0, 0, 0]

const LENGTH = 8
const ROUNDS = 8

/** Puts the hash of the eight bytes whose words are `low` and `high` into `answer`, the lower word first. */
export function sipHash(low: number, high: number, key: SipKey, answer: Int32Array): void {
  let a0 = 0x70736575 ^ key[0]
  let b0 = 0x736f6d65 ^ key[1]
  let a1 = 0x6e646f6d ^ key[2]
  let b1 = 0x646f7261 ^ key[3]
  let a2 = 0x6e657261 ^ key[0]
  let b2 = 0x6c796765 ^ key[1]
  let a3 = 0x79746573 ^ key[2] ^ low
  let b3 = 0x74656462 ^ key[3] ^ high
  let t = 0
  // v0..v3 are a (lower) and b (upper halves). Two rounds for the message, two for its length, four to finish.
  for (let round = 1; round <= ROUNDS; round++) {
    t = (a0 + a1) | 0
    b0 = (b0 + b1 + (t >>> 0 < a1 >>> 0 ? 1 : 0)) | 0
    a0 = b0
    b0 = t
    t = (a1 << 13) | (b1 >>> 19)
    b1 = ((b1 << 13) | (a1 >>> 19)) ^ a0
    a1 = t ^ b0
    t = (a2 + a3) | 0
    b2 = (b2 + b3 + (t >>> 0 < a3 >>> 0 ? 1 : 0)) | 0
    a2 = t
    t = (a3 << 16) | (b3 >>> 16)
    b3 = ((b3 << 16) | (a3 >>> 16)) ^ b2
    a3 = t ^ a2
    t = (a0 + a3) | 0
    b0 = (b0 + b3 + (t >>> 0 < a3 >>> 0 ? 1 : 0)) | 0
    a0 = t
    t = (a3 << 21) | (b3 >>> 11)
    b3 = ((b3 << 21) | (a3 >>> 11)) ^ b0
    a3 = t ^ a0
    t = (a2 + a1) | 0
    b2 = (b2 + b1 + (t >>> 0 < a1 >>> 0 ? 1 : 0)) | 0
    a2 = b2
    b2 = t
    t = (a1 << 17) | (b1 >>> 15)
    b1 = ((b1 << 17) | (a1 >>> 15)) ^ a2
    a1 = t ^ b2
    if (round === 2) {
      a0 ^= low
      b0 ^= high
      b3 ^= LENGTH << 24
    } else if (round === 4) {
      b0 ^= LENGTH << 24
      a2 ^= 0xff
    }
  }
  answer[0] = a0 ^ a1 ^ a2 ^ a3
  answer[1] = b0 ^ b1 ^ b2 ^ b3
}
