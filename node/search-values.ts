/**
 * Every filterable value of the index, once, and the number (code) that stands for it in all columns.
 *
 * Strings lie in blocks of bytes and not on the heap: a million records have five million of them, and nothing here is
 * ever walked by the garbage collector. `uses` counts the documents and columns that have a value; values without any
 * are swept away when they are most of all, and their codes given to others.
 */
import type { Leaf } from './search-fields.ts'

const BLOCK_BITS = 20
const BLOCK_BYTES = 1 << BLOCK_BITS
const WIDE = 0x8000
const NUMBER = 0x7fff
/** Sweeping fewer is not worth the time. */
const SWEPT_LEAST = 50_000
/** Slots that a new value moves: all have moved long before the next table is outgrown. */
const MOVED_AT_ONCE = 16

export const NULL_CODE = 1
const FALSE_CODE = 2
const TRUE_CODE = 3
const FIRST_CODE = 4

export class Values {
  /** Documents and columns that have the value, by code. */
  uses = new Uint32Array(1_024)
  #size = FIRST_CODE
  #unused = 0
  /** Where a value's bytes begin, and how long it is: characters with WIDE for two-byte ones, or NUMBER. */
  #starts = new Uint32Array(1_024)
  #lengths = new Uint16Array(1_024)
  #hashes = new Uint32Array(1_024)
  #blocks: Buffer[] = []
  #end = 0
  /** Codes by the hash of their values, two thirds full at most. */
  #table = new Uint32Array(2_048)
  /** The one before, of which the first so many slots have moved. */
  #outgrown: Uint32Array | undefined
  #moved = 0
  #tabled = 0
  #free: number[] = []
  /** Makes collisions that strangers could look for ours alone. */
  readonly seed: number

  constructor(seed: number) {
    this.seed = seed
  }

  /** One more than the largest code. */
  get size(): number {
    return this.#size
  }

  /** The code of a value that some record has had; undefined for all others. */
  find(leaf: Leaf): number | undefined {
    if (leaf === null) return NULL_CODE
    if (typeof leaf === 'boolean') return leaf ? TRUE_CODE : FALSE_CODE
    return this.#known(leaf, hashOf(leaf, this.seed)) || undefined
  }

  /** The code of a value, new if need be. Its uses are for the caller to count (`use`). */
  codeOf(leaf: Leaf): number {
    if (leaf === null) return NULL_CODE
    if (typeof leaf === 'boolean') return leaf ? TRUE_CODE : FALSE_CODE
    const hash = hashOf(leaf, this.seed)
    const known = this.#known(leaf, hash)
    if (known !== 0) return known
    const code = this.#free.pop() ?? this.#size++
    if (code >= this.#starts.length) this.#grow()
    this.#write(code, leaf)
    this.#hashes[code] = hash
    this.#unused++
    if (++this.#tabled * 3 > this.#table.length * 2) this.#outgrow()
    enter(this.#table, code, hash)
    this.#moveSome(MOVED_AT_ONCE)
    return code
  }

  use(code: number, times: number): void {
    const before = this.uses[code] as number
    if (before === 0 && times > 0) this.#unused--
    this.uses[code] = before + times
    if (before > 0 && before + times === 0) this.#unused++
  }

  leaf(code: number): Leaf {
    if (code < FIRST_CODE) return code === NULL_CODE ? null : code === TRUE_CODE
    const length = this.#lengths[code] as number
    const block = this.#block(code)
    const at = (this.#starts[code] as number) & (BLOCK_BYTES - 1)
    if (length === NUMBER) return block.readDoubleLE(at)
    if (length & WIDE) return block.toString('utf16le', at, at + (length & ~WIDE) * 2)
    return block.toString('latin1', at, at + length)
  }

  /** NaN for what is no number. */
  number(code: number): number {
    if (code < FIRST_CODE || this.#lengths[code] !== NUMBER) return Number.NaN
    return this.#block(code).readDoubleLE((this.#starts[code] as number) & (BLOCK_BYTES - 1))
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
    const block = this.#block(code)
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

  /** Frees what nobody uses, once that is most of all. Codes in use stay as they are. */
  sweep(): void {
    if (this.#unused < SWEPT_LEAST || this.#unused * 2 < this.#size) return
    const kept: [number, Leaf][] = []
    this.#free = []
    for (let code = FIRST_CODE; code < this.#size; code++) {
      if ((this.uses[code] as number) > 0) kept.push([code, this.leaf(code)])
      else this.#free.push(code)
    }
    this.#blocks = []
    this.#end = 0
    this.#tabled = kept.length
    for (const [code, leaf] of kept) this.#write(code, leaf)
    this.#unused = 0
    this.#outgrown = undefined
    this.#table.fill(0)
    for (const [code] of kept) enter(this.#table, code, this.#hashes[code] as number)
  }

  #block(code: number): Buffer {
    return this.#blocks[(this.#starts[code] as number) >>> BLOCK_BITS] as Buffer
  }

  #write(code: number, leaf: string | number | Leaf): void {
    const isWide = typeof leaf === 'string' && !isLatin1(leaf)
    const bytes = typeof leaf === 'string' ? leaf.length * (isWide ? 2 : 1) : 8
    if ((this.#end & (BLOCK_BYTES - 1)) + bytes > BLOCK_BYTES) this.#end = this.#blocks.length << BLOCK_BITS
    if (this.#end >>> BLOCK_BITS >= this.#blocks.length) this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES))
    this.#starts[code] = this.#end
    const block = this.#block(code)
    const at = this.#end & (BLOCK_BYTES - 1)
    if (typeof leaf !== 'string') {
      block.writeDoubleLE(leaf as number, at)
      this.#lengths[code] = NUMBER
    } else {
      block.write(leaf, at, isWide ? 'utf16le' : 'latin1')
      this.#lengths[code] = leaf.length | (isWide ? WIDE : 0)
    }
    this.#end += bytes
  }

  /** The code of a value, 0 for none. What the table has outgrown is looked at until all of it has moved. */
  #known(leaf: string | number, hash: number): number {
    return this.#codeIn(this.#table, leaf, hash) || (this.#outgrown ? this.#codeIn(this.#outgrown, leaf, hash) : 0)
  }

  #codeIn(table: Uint32Array, leaf: string | number, hash: number): number {
    const mask = table.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const code = table[slot] as number
      if (code === 0 || (this.#hashes[code] === hash && this.#is(code, leaf))) return code
    }
  }

  /** Twice the room. Millions of codes to move at once would take a tenth of a second: each new value moves some. */
  #outgrow(): void {
    this.#moveSome(Number.POSITIVE_INFINITY)
    this.#outgrown = this.#table
    this.#moved = 0
    this.#table = new Uint32Array(this.#table.length * 2)
  }

  #moveSome(slots: number): void {
    const from = this.#outgrown
    if (!from) return
    const end = Math.min(this.#moved + slots, from.length)
    for (let slot = this.#moved; slot < end; slot++) {
      const code = from[slot] as number
      if (code !== 0) enter(this.#table, code, this.#hashes[code] as number)
    }
    this.#moved = end
    if (end === from.length) this.#outgrown = undefined
  }

  #is(code: number, leaf: string | number): boolean {
    const length = this.#lengths[code] as number
    if (typeof leaf === 'number') return length === NUMBER && this.number(code) === leaf
    if (length === NUMBER || (length & ~WIDE) !== leaf.length) return false
    const block = this.#block(code)
    const start = (this.#starts[code] as number) & (BLOCK_BYTES - 1)
    if (length & WIDE) {
      for (let i = 0; i < leaf.length; i++) if (block.readUInt16LE(start + 2 * i) !== leaf.charCodeAt(i)) return false
    } else {
      for (let i = 0; i < leaf.length; i++) if (block[start + i] !== leaf.charCodeAt(i)) return false
    }
    return true
  }

  #grow(): void {
    const size = this.#starts.length * 2
    this.#starts = copied(new Uint32Array(size), this.#starts)
    this.#lengths = copied(new Uint16Array(size), this.#lengths)
    this.#hashes = copied(new Uint32Array(size), this.#hashes)
    this.uses = copied(new Uint32Array(size), this.uses)
  }
}

/** Puts a code that is not in the table into it. */
function enter(table: Uint32Array, code: number, hash: number): void {
  const mask = table.length - 1
  let slot = hash & mask
  while (table[slot] !== 0) slot = (slot + 1) & mask
  table[slot] = code
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false
  return true
}

const floats = new Float64Array(1)
const halves = new Uint32Array(floats.buffer)

function hashOf(leaf: string | number, seed: number): number {
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

function copied<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from)
  return to
}
