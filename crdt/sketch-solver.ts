/** What two sketches differ in, from the symbols of theirs that came so far (SPEC.md, "Sketch"). */
import type { Sketch } from './sketch.ts'
import { COUNT, toggle, Walk, WORDS } from './sketch-walk.ts'
import type { Symbols } from './sketch-wire.ts'

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

function wordHex(word: number): string {
  let text = ''
  for (let shift = 0; shift < 32; shift += 8) text += ((word >>> shift) & 255).toString(16).padStart(2, '0')
  return text
}
