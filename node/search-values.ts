/**
 * Every filterable value of the index, once, and the number (code) that stands for it in all columns: how they are
 * looked at. They are made in search-values-maker.ts.
 *
 * Strings lie in blocks of bytes and not on the heap: a million records have five million of them, and nothing here is
 * ever walked by the garbage collector. The arrays are shared memory, to which another thread adds values while this
 * one looks at others. What belongs to a code is written before the code is given to anybody, and stays as it is as
 * long as the view does; the table may lead to codes that are just being written, which are of no column yet.
 */
import type { Leaf } from './search-fields.ts'
import { Room } from './search-room.ts'

const BLOCK_BITS = 20
export const BLOCK_BYTES = 1 << BLOCK_BITS
export const WIDE = 0x8000
export const NUMBER = 0x7fff

export const NULL_CODE = 1
export const FALSE_CODE = 2
export const TRUE_CODE = 3
export const FIRST_CODE = 4

/** What can be given to another thread. */
export type ValuesView = {
  readonly seed: number
  /** Where a value's bytes begin, and how long it is: characters with WIDE for two-byte ones, or NUMBER. */
  readonly starts: Uint32Array
  readonly lengths: Uint16Array
  readonly hashes: Uint32Array
  readonly blocks: readonly Uint8Array[]
  /** Codes by the hash of their values, two thirds full at most. */
  readonly table: Uint32Array
  /** The one before, as long as not all that was in it has moved. */
  readonly outgrown: Uint32Array | undefined
}

/** With room for so many codes, and a table of so many slots: a power of two. */
export function emptyView(seed: number, codes: number, slots: number): ValuesView {
  const room = new Room()
  return {
    seed,
    starts: room.take(Uint32Array, codes),
    lengths: room.take(Uint16Array, codes),
    hashes: room.take(Uint32Array, codes),
    blocks: [],
    table: room.take(Uint32Array, slots),
    outgrown: undefined,
  }
}

export class Values {
  readonly view: ValuesView
  /** One more than the largest code. */
  size: number
  readonly #starts: Uint32Array
  readonly #lengths: Uint16Array
  readonly #hashes: Uint32Array
  readonly #blocks: readonly Buffer[]

  constructor(view: ValuesView, size: number) {
    this.view = view
    this.size = size
    this.#starts = view.starts
    this.#lengths = view.lengths
    this.#hashes = view.hashes
    this.#blocks = view.blocks.map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length))
  }

  /** Any number that strangers do not know. */
  get seed(): number {
    return this.view.seed
  }

  /** The code of a value that some record has had; undefined for all others. */
  find(leaf: Leaf): number | undefined {
    if (leaf === null) return NULL_CODE
    if (typeof leaf === 'boolean') return leaf ? TRUE_CODE : FALSE_CODE
    return this.known(leaf, hashOf(leaf, this.seed)) || undefined
  }

  /** The same by its hash, 0 for none. What the table has outgrown is looked at until all of it has moved. */
  known(leaf: string | number, hash: number): number {
    const { table, outgrown } = this.view
    return this.#codeIn(table, leaf, hash) || (outgrown ? this.#codeIn(outgrown, leaf, hash) : 0)
  }

  leaf(code: number): Leaf {
    if (code < FIRST_CODE) return code === NULL_CODE ? null : code === TRUE_CODE
    const length = this.#lengths[code] as number
    const block = this.#block(code) as Buffer
    const at = (this.#starts[code] as number) & (BLOCK_BYTES - 1)
    if (length === NUMBER) return block.readDoubleLE(at)
    if (length & WIDE) return block.toString('utf16le', at, at + (length & ~WIDE) * 2)
    return block.toString('latin1', at, at + length)
  }

  /** NaN for what is no number. */
  number(code: number): number {
    if (code < FIRST_CODE || this.#lengths[code] !== NUMBER) return Number.NaN
    return (this.#block(code) as Buffer).readDoubleLE((this.#starts[code] as number) & (BLOCK_BYTES - 1))
  }

  /** Undefined for what only a look at the value tells. */
  typeOf(code: number): 'boolean' | 'null' | 'number' | 'string' | undefined {
    if (code < FIRST_CODE) return code === NULL_CODE ? 'null' : 'boolean'
    if (this.#lengths[code] === NUMBER) return 'number'
    return this.#lengths[code] === 1 ? undefined : 'string'
  }

  /** The first characters of a text, `most` of them; -1 ends them. For orders that look at little of each. */
  character(code: number, at: number): number {
    const length = this.#lengths[code] as number
    if (code < FIRST_CODE || length === NUMBER || at >= (length & ~WIDE)) return -1
    const start = (this.#starts[code] as number) & (BLOCK_BYTES - 1)
    const block = this.#block(code) as Buffer
    return length & WIDE ? block.readUInt16LE(start + at * 2) : (block[start + at] as number)
  }

  /** False when it certainly comes after `text`, or is a mark of a longer one. Only a look at the value tells the rest. */
  mayComeBefore(code: number, text: string): boolean {
    const length = this.#lengths[code] as number
    if (code < FIRST_CODE || length === NUMBER) return true
    if (this.character(code, 0) === 0) return false
    for (let at = 0; at < text.length; at++) {
      const character = this.character(code, at)
      if (character < 0) return true
      const difference = character - text.charCodeAt(at)
      if (difference !== 0) return difference < 0
    }
    return true
  }

  /** Is it a value with an order of its own: a text or a number? */
  isText(code: number): boolean {
    return code >= FIRST_CODE && this.#lengths[code] !== NUMBER
  }

  #block(code: number): Buffer | undefined {
    return this.#blocks[(this.#starts[code] as number) >>> BLOCK_BITS]
  }

  #codeIn(table: Uint32Array, leaf: string | number, hash: number): number {
    const mask = table.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const code = table[slot] as number
      if (code === 0 || (this.#hashes[code] === hash && this.#is(code, leaf))) return code
    }
  }

  #is(code: number, leaf: string | number): boolean {
    const block = this.#block(code)
    // Another thread has just begun it.
    if (!block) return false
    const length = this.#lengths[code] as number
    const start = (this.#starts[code] as number) & (BLOCK_BYTES - 1)
    if (typeof leaf === 'number') return length === NUMBER && block.readDoubleLE(start) === leaf
    if (length === NUMBER || (length & ~WIDE) !== leaf.length) return false
    if (length & WIDE) {
      for (let i = 0; i < leaf.length; i++) if (block.readUInt16LE(start + 2 * i) !== leaf.charCodeAt(i)) return false
    } else {
      for (let i = 0; i < leaf.length; i++) if (block[start + i] !== leaf.charCodeAt(i)) return false
    }
    return true
  }
}

const floats = new Float64Array(1)
const halves = new Uint32Array(floats.buffer)

export function hashOf(leaf: string | number, seed: number): number {
  let hash = seed
  if (typeof leaf === 'number') {
    // The same for both zeros, which are equal.
    floats[0] = leaf + 0
    hash = Math.imul(hash ^ (halves[0] as number), 0x01000193)
    hash = Math.imul(hash ^ (halves[1] as number), 0x01000193)
  } else {
    for (let i = 0; i < leaf.length; i++) hash = Math.imul(hash ^ leaf.charCodeAt(i), 0x01000193)
  }
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
