/**
 * Where an id stands in a sketch: the symbols it is part of, and how it goes in and out of one (SPEC.md, "Sketch").
 */
import { type SipKey, sipHash } from './siphash.ts'

/** Item, checksum (two words each, little-endian) and count. */
export const WORDS = 5
export const COUNT = 4

/**
 * The symbols that an id is part of: 0, and from each the next by a random step that grows with the place, so that it
 * is in symbol i with a chance of about 2/(i+2). Chance comes from the id itself (xorshift of 128 bits over its first
 * eight bytes and their checksum), so all replicas take the same steps.
 */
export class Walk {
  /** Item and checksum, as words: also what a symbol is made of. */
  low = 0
  high = 0
  readonly check = new Int32Array(2)
  readonly #key: SipKey
  #x = 0
  #y = 0
  #z = 0
  #w = 0
  #at = 0

  constructor(key: SipKey) {
    this.#key = key
  }

  /** At symbol 0. */
  start(low: number, high: number): void {
    sipHash(low, high, this.#key, this.check)
    this.low = low
    this.high = high
    this.#x = low
    this.#y = high
    this.#z = this.check[0] as number
    this.#w = this.check[1] as number
    this.#at = 0
  }

  next(): number {
    const x = this.#x ^ (this.#x << 11)
    const w = this.#w
    this.#x = this.#y
    this.#y = this.#z
    this.#z = w
    this.#w = w ^ (w >>> 19) ^ x ^ (x >>> 8)
    const step = (this.#at + 1.5) * (65_536 / Math.sqrt((this.#w >>> 0) + 1) - 1)
    this.#at += 1 + Math.floor(step)
    return this.#at
  }

  /** The first symbol from `from` on; the walk stands there. */
  seek(from: number): number {
    while (this.#at < from) this.next()
    return this.#at
  }

  save(): Int32Array {
    return Int32Array.of(
      this.low,
      this.high,
      this.check[0] as number,
      this.check[1] as number,
      this.#x,
      this.#y,
      this.#z,
      this.#w,
    )
  }

  restore(state: Int32Array, at: number): void {
    ;[this.low, this.high, this.check[0], this.check[1], this.#x, this.#y, this.#z, this.#w] = state as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    this.#at = at
  }
}

/** Puts the item of a walk into symbol `at` of `words`, or takes it out. */
export function toggle(words: Int32Array, at: number, { low, high, check }: Walk, by: number): void {
  const word = at * WORDS
  words[word] = (words[word] as number) ^ low
  words[word + 1] = (words[word + 1] as number) ^ high
  words[word + 2] = (words[word + 2] as number) ^ (check[0] as number)
  words[word + 3] = (words[word + 3] as number) ^ (check[1] as number)
  words[word + COUNT] = (words[word + COUNT] as number) + by
}

/** Four bytes of an id, little-endian. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}
