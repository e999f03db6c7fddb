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
import { NO_KEY, type SipKey, sipHash } from './siphash.ts'

/** Item, checksum (two words each, little-endian) and count. */
const WORDS = 5
const COUNT = 4

/** The words of a symbol or an item: of an item its count is left alone. */
export type Symbols = { readonly words: Int32Array; readonly count: number }

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
    this.#change(id, 1, 0)
  }

  delete(id: Uint8Array): void {
    this.#change(id, -1, 0)
  }

  /** Keeps more symbols from now on; `each` must call with every id of the set. */
  grow(symbols: number, each: (add: (id: Uint8Array) => void) => void): void {
    checkSymbols(symbols)
    const before = this.#symbols
    if (symbols <= before) return
    const words = new Int32Array(symbols * WORDS)
    words.set(this.#words)
    this.#words = words
    this.#symbols = symbols
    each((id) => this.#change(id, 1, before))
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

  #change(id: Uint8Array, by: 1 | -1, from: number): void {
    const walk = this.#walk
    walk.start(wordAt(id, 0), wordAt(id, 4))
    const words = this.#words
    const symbols = this.#symbols
    for (let at = walk.seek(from); at < symbols; at = walk.next()) toggle(words, at, walk, by)
  }
}

/**
 * How many symbols a set of this size keeps: about as many as it has ids, so that a small set pays little, up to the
 * protocol's bound. Grows in steps of four, so that growing costs an id a third more than adding it once.
 */
export function sketchSymbolsFor(ids: number): number {
  let symbols = SKETCH_SYMBOLS_MIN
  while (symbols < ids && symbols < SKETCH_SYMBOLS_MAX) symbols *= 4
  return Math.min(symbols, SKETCH_SYMBOLS_MAX)
}

const SKETCH_SYMBOLS_MIN = 1_024

export type Difference = {
  /** The first eight bytes, as 16 hex digits, of the ids that only they, and only we, have. */
  readonly theirs: readonly string[]
  readonly ours: readonly string[]
}

/**
 * What two sets differ in, as far as the symbols received tell.
 *
 * The symbols are a stranger's: whatever they say, `take` ends within work that their number bounds, and the answer is
 * a claim that nothing rests on. Ids that authors have sought out can keep a sketch from being solved (SPEC.md).
 */
export class SketchSolver {
  readonly #ours: Sketch
  readonly #walk: Walk
  /** Theirs without ours and without what was solved. */
  #words: Int32Array = new Int32Array(0)
  #symbols = 0
  /** Solved items: state of the walk (x, y, z, w), its place, and whose it is (1 = theirs, -1 = ours). */
  readonly #items: { readonly state: Int32Array; next: number; readonly whose: 1 | -1 }[] = []
  readonly #theirs: string[] = []
  readonly #mine: string[] = []
  #spread = 0
  #first = 0
  #bad = false

  /** `ours` must not change while it is compared. */
  constructor(ours: Sketch) {
    this.#ours = ours
    this.#walk = new Walk(ours.key)
  }

  get symbols(): number {
    return this.#symbols
  }

  /** They follow from no two sets. */
  get isBad(): boolean {
    return this.#bad
  }

  /** All symbols so far are explained by the items found. */
  get difference(): Difference | undefined {
    if (this.#symbols === 0 || this.#bad || this.#words.some((word) => word !== 0)) return undefined
    return { theirs: this.#theirs, ours: this.#mine }
  }

  /**
   * About how many ids differ, from how far the counts of the symbols are from what the sizes of the sets say; at least
   * the difference of the sizes. Two thirds of the answers to 64 symbols are within a fifth.
   */
  get estimate(): number {
    const spread = this.#symbols > 1 ? this.#spread / (this.#symbols - 1) : 0
    return Math.max(Math.abs(this.#first), Math.round(spread))
  }

  /**
   * Symbols that cannot be solved though far more came than the difference needs: more of them would not help. From the
   * later half, where a symbol that is not zero holds hardly more than one unsolved id.
   */
  get isStuck(): boolean {
    const from = this.#symbols >> 1
    let left = 0
    for (let at = from; at < this.#symbols; at++) {
      const word = at * WORDS
      if (this.#words.subarray(word, word + WORDS).some((part) => part !== 0)) left++
    }
    return this.#symbols >= STUCK_SYMBOLS_MIN && left * STUCK_RATIO < this.#symbols
  }

  /** Takes the next symbols of theirs, as many as we keep at most. */
  take(theirs: Symbols): void {
    const from = this.#symbols
    const to = from + theirs.count
    if (to > this.#ours.symbols) throw new RangeError(`expected up to ${this.#ours.symbols} symbols, got ${to}`)
    const words = new Int32Array(to * WORDS)
    words.set(this.#words)
    words.set(theirs.words.subarray(0, theirs.count * WORDS), from * WORDS)
    const ours = this.#ours.words
    for (let at = from; at < to; at++) {
      const word = at * WORDS
      for (let part = 0; part < COUNT; part++)
        words[word + part] = (words[word + part] as number) ^ (ours[word + part] as number)
      const count = (words[word + COUNT] as number) - (ours[word + COUNT] as number)
      words[word + COUNT] = count
      if (at === 0) this.#first = count
      else this.#spread += spreadOf(count - this.#first * shareOf(at), at)
    }
    this.#words = words
    this.#symbols = to
    for (const item of this.#items) this.#remove(item)
    this.#solve(from)
  }

  /** Takes apart every symbol that one id is left in, as long as there is one. */
  #solve(from: number): void {
    const waiting: number[] = []
    for (let at = this.#symbols - 1; at >= from; at--) waiting.push(at)
    while (waiting.length > 0 && !this.#bad) {
      const at = waiting.pop() as number
      const whose = this.#words[at * WORDS + COUNT] as number
      if ((whose !== 1 && whose !== -1) || !this.#isSingle(at)) continue
      // An honest sketch gives one item a symbol, and each once.
      if (this.#items.length >= this.#symbols) this.#bad = true
      const low = this.#words[at * WORDS] as number
      const high = this.#words[at * WORDS + 1] as number
      this.#walk.start(low, high)
      const item = { state: this.#walk.save(), next: 0, whose } as const
      this.#items.push(item)
      ;(whose === 1 ? this.#theirs : this.#mine).push(wordHex(low) + wordHex(high))
      this.#remove(item, waiting)
    }
  }

  /** Whether the symbol holds one id: its checksum fits, and so does its place. */
  #isSingle(at: number): boolean {
    const words = this.#words
    const word = at * WORDS
    const walk = this.#walk
    walk.start(words[word] as number, words[word + 1] as number)
    if (walk.check[0] !== words[word + 2] || walk.check[1] !== words[word + 3]) return false
    return walk.seek(at) === at
  }

  /** Takes an item out of the symbols where it was not yet, and notes which. */
  #remove(item: { readonly state: Int32Array; next: number; readonly whose: 1 | -1 }, changed?: number[]): void {
    const walk = this.#walk
    walk.restore(item.state, item.next)
    const by = item.whose === 1 ? -1 : 1
    let at = item.next
    for (; at < this.#symbols; at = walk.next()) {
      toggle(this.#words, at, walk, by)
      changed?.push(at)
    }
    item.state.set(walk.save())
    item.next = at
  }
}

/** Fewer symbols than this are asked for again whatever they look like. */
const STUCK_SYMBOLS_MIN = 128
/** Of symbols that are about to be solved, more than one in eight of the later half is left. */
const STUCK_RATIO = 16

/** In how large a part of the ids symbol `at` is expected to count. */
function shareOf(at: number): number {
  return 2 / (at + 2)
}

function spreadOf(distance: number, at: number): number {
  const share = shareOf(at)
  return (distance * distance) / (share * (1 - share))
}

/**
 * The symbols that an id is part of: 0, and from each the next by a random step that grows with the place, so that it
 * is in symbol i with a chance of about 2/(i+2). Chance comes from the id itself (xorshift of 128 bits over its first
 * eight bytes and their checksum), so all replicas take the same steps.
 */
class Walk {
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

function toggle(words: Int32Array, at: number, { low, high, check }: Walk, by: number): void {
  const word = at * WORDS
  words[word] = (words[word] as number) ^ low
  words[word + 1] = (words[word + 1] as number) ^ high
  words[word + 2] = (words[word + 2] as number) ^ (check[0] as number)
  words[word + 3] = (words[word + 3] as number) ^ (check[1] as number)
  words[word + COUNT] = (words[word + COUNT] as number) + by
}

/**
 * Symbols from `from` until before `to` as they travel: item 8, checksum 8, and the count as its distance from what a
 * set of `ids` ids makes expected, zigzag and in 7 bits a byte, the lowest first.
 */
export function writeSymbols(sketch: Sketch, from: number, to: number, ids: number): Uint8Array {
  const end = Math.min(to, sketch.symbols)
  const bytes = new Uint8Array(Math.max(0, end - from) * SYMBOL_BYTES_MAX)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let symbol = from; symbol < end; symbol++) {
    const word = symbol * WORDS
    for (let part = 0; part < COUNT; part++) view.setInt32(at + 4 * part, sketch.words[word + part] as number, true)
    at += 16
    const distance = (sketch.words[word + COUNT] as number) - expected(symbol, ids)
    let rest = distance < 0 ? -2 * distance - 1 : 2 * distance
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
    bytes[at++] = rest
  }
  return bytes.subarray(0, at)
}

/** A stranger's symbols from `from` on; undefined when they are none. */
export function readSymbols(bytes: Uint8Array, from: number, ids: number): Symbols | undefined {
  if (ids > SKETCH_IDS_MAX) return undefined
  const words = new Int32Array(Math.floor(bytes.length / SYMBOL_BYTES_MIN) * WORDS)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < SYMBOL_BYTES_MIN) return undefined
    const word = count * WORDS
    for (let part = 0; part < COUNT; part++) words[word + part] = view.getInt32(at + 4 * part, true)
    at += 16
    let rest = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]
      if (byte === undefined || scale > COUNT_SCALE_MAX || (byte === 0 && scale > 1)) return undefined
      rest += (byte & 127) * scale
      if (byte < 128) break
    }
    const distance = rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2
    const value = distance + expected(from + count, ids)
    if (Math.abs(value) > SKETCH_IDS_MAX) return undefined
    words[word + COUNT] = value
    count++
  }
  return { words, count }
}

/** What travels of one symbol: at most, at least. */
const SYMBOL_BYTES_MAX = 21
const SYMBOL_BYTES_MIN = 17
/** Counts are signed words. */
const SKETCH_IDS_MAX = 2 ** 31 - 1
/** A count has five bytes of seven bits at most. */
const COUNT_SCALE_MAX = 128 ** 4

function expected(symbol: number, ids: number): number {
  return Math.floor((2 * ids) / (symbol + 2))
}

/** The first eight bytes of an id: how it is named where a sketch has found it. 16 hex digits. */
export function shortOf(id: string): string {
  return id.slice(0, 2 * SHORT_BYTES)
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

function wordHex(word: number): string {
  let text = ''
  for (let shift = 0; shift < 32; shift += 8) text += ((word >>> shift) & 255).toString(16).padStart(2, '0')
  return text
}

function checkSymbols(symbols: number): void {
  if (!Number.isInteger(symbols) || symbols < 0 || symbols > SKETCH_SYMBOLS_MAX) {
    throw new RangeError(`expected 0 to ${SKETCH_SYMBOLS_MAX} symbols, got ${symbols}`)
  }
}
