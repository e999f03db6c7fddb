/**
 * A sketch of a set of op ids: coded symbols of which two replicas compare a prefix to learn which ids differ, in bytes
 * that grow with the difference and not with the set (SPEC.md, "Sketch"; rateless invertible Bloom lookup tables).
 *
 *   symbol      item 8: XOR of the ids' first eight bytes     check 8: XOR of their checksums     count
 *
 * One sketch serves every peer and every difference, so it is kept up to date with the set: a change costs about 22
 * symbols, whatever the size of either. Ids are added by their first eight bytes. It trusts whoever changes it: adding
 * twice what is there, or deleting what is not, makes it the sketch of no set.
 */
import { SHORT_BYTES, SKETCH_SYMBOLS_MAX } from './limits.ts'
import { NO_KEY, type SipKey } from './siphash.ts'
import { COUNT, toggle, Walk, WORDS, wordAt } from './sketch-walk.ts'

export class Sketch {
  readonly key: SipKey
  #words: Int32Array
  #symbols: number
  readonly #walk: Walk

  /** Of the empty set. The key is that of the checksums; replicas compare sketches under one key. */
  constructor(symbols: number, key: SipKey = NO_KEY) {
    checkSymbols(symbols)
    this.key = key
    this.#symbols = symbols
    this.#words = new Int32Array(symbols * WORDS)
    this.#walk = new Walk(key)
  }

  /** How many symbols are kept. */
  get symbols(): number {
    return this.#symbols
  }

  /** How many ids the set has. */
  get size(): number {
    return this.#words[COUNT] ?? 0
  }

  /** 20 bytes a symbol. Seen, not copied: to be read at once. */
  get words(): Int32Array {
    return this.#words
  }

  add(id: Uint8Array): void {
    this.#change(id, 1)
  }

  delete(id: Uint8Array): void {
    this.#change(id, -1)
  }

  /** As it is now, apart from what comes. */
  copy(): Sketch {
    const copy = new Sketch(0, this.key)
    copy.#symbols = this.#symbols
    copy.#words = this.#words.slice()
    return copy
  }

  /** All symbols as kept on disk: 20 little-endian bytes each. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#words.length * 4)
    const view = new DataView(bytes.buffer)
    for (let at = 0; at < this.#words.length; at++) view.setInt32(at * 4, this.#words[at] as number, true)
    return bytes
  }

  /** The other way; undefined when the bytes are no symbols. */
  static fromBytes(bytes: Uint8Array, key: SipKey = NO_KEY): Sketch | undefined {
    const symbols = bytes.length / (WORDS * 4)
    if (!Number.isInteger(symbols) || symbols > SKETCH_SYMBOLS_MAX) return undefined
    const sketch = new Sketch(symbols, key)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < sketch.#words.length; at++) sketch.#words[at] = view.getInt32(at * 4, true)
    return sketch
  }

  #change(id: Uint8Array, by: 1 | -1): void {
    const walk = this.#walk
    walk.start(wordAt(id, 0), wordAt(id, 4))
    const words = this.#words
    const symbols = this.#symbols
    for (let at = walk.seek(0); at < symbols; at = walk.next()) toggle(words, at, walk, by)
  }
}

/**
 * How many symbols a set of this size keeps: about as many as it has ids, so that a small set pays little, up to the
 * protocol's bound. Grows in steps of four, so that sketches made anew as a
 * set grows cost an id a third more than one.
 */
export function sketchSymbolsFor(ids: number): number {
  let symbols = SKETCH_SYMBOLS_MIN
  while (symbols < ids && symbols < SKETCH_SYMBOLS_MAX) symbols *= 4
  return Math.min(symbols, SKETCH_SYMBOLS_MAX)
}

const SKETCH_SYMBOLS_MIN = 1_024

/** The first eight bytes of an id: how it is named where a sketch has found it. 16 hex digits. */
export function shortOf(id: string): string {
  return id.slice(0, 2 * SHORT_BYTES)
}

function checkSymbols(symbols: number): void {
  if (!Number.isInteger(symbols) || symbols < 0 || symbols > SKETCH_SYMBOLS_MAX) {
    throw new RangeError(`expected 0 to ${SKETCH_SYMBOLS_MAX} symbols, got ${symbols}`)
  }
}
