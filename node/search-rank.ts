/**
 * How good a match is. One formula for all kinds, made of parts that can be named: which words match and where, how
 * rare they are, how much of the name they cover, whether the name is meant exactly, and how many people use it.
 */
import type { Docs } from './search-docs.ts'
import type { Place } from './search-store.ts'

const PLACES: readonly Place[] = ['names', 'tags', 'texts']
const WEIGHTS: Readonly<Record<Place, number>> = { names: 1, tags: 0.6, texts: 0.5 }
/** How many words a place has before a match in it counts half. */
const HALF_AT: Readonly<Record<Place, number>> = { names: 60, tags: 90, texts: 500 }

export const QUALITY_PREFIX = 0.7
export const QUALITY_JOINED = 0.9
export const QUALITY_CORRECTED = 0.6

const SHARE_OF_NAME = 0.35
const NAME_EXACT = 0.8
const WHOLE_EXACT = 1.2
const POPULARITY = 0.25

/** The matches of a query, gathered term by term. */
export class Matches {
  readonly #docs: Docs
  readonly #best: Float32Array
  readonly #gained: Float32Array
  readonly #named: Float32Array
  readonly #terms: Uint8Array
  /** Documents of the term at hand. */
  #current: number[] = []
  #currentNamed: Float32Array
  /** What a record that matches every term perfectly would gain; 0 = no term yet. */
  #possible = 0

  constructor(docs: Docs) {
    this.#docs = docs
    this.#best = new Float32Array(docs.size)
    this.#currentNamed = new Float32Array(docs.size)
    this.#gained = new Float32Array(docs.size)
    this.#named = new Float32Array(docs.size)
    this.#terms = new Uint8Array(docs.size)
  }

  /** The term at hand matches these documents in this place, this well. */
  add(place: Place, found: Uint32Array, quality: number): void {
    const at = PLACES.indexOf(place)
    const { words, size } = this.#docs
    for (const doc of found) {
      if (doc >= size) continue
      const length = words[doc * 3 + at] as number
      const gain = (quality * WEIGHTS[place] * HALF_AT[place]) / (HALF_AT[place] + length)
      if (this.#best[doc] === 0) this.#current.push(doc)
      if (gain > (this.#best[doc] as number)) this.#best[doc] = gain
      if (at === 0 && quality > (this.#currentNamed[doc] as number)) this.#currentNamed[doc] = quality
    }
  }

  /** Documents that the term at hand matches so far. */
  get found(): number {
    return this.#current.length
  }

  /** Ends the term at hand: rare terms say more. */
  endTerm(): void {
    const rarity = Math.log(1 + (this.#docs.live - this.#current.length + 0.5) / (this.#current.length + 0.5))
    this.#possible += rarity
    for (const doc of this.#current) {
      this.#terms[doc] = (this.#terms[doc] as number) + 1
      this.#gained[doc] = (this.#gained[doc] as number) + rarity * (this.#best[doc] as number)
      this.#named[doc] = (this.#named[doc] as number) + (this.#currentNamed[doc] as number)
      this.#best[doc] = 0
      this.#currentNamed[doc] = 0
    }
    this.#current = []
  }

  /** Documents that match at least so many terms and fit, ascending. */
  docs(terms: number, fits: (doc: number) => boolean): number[] {
    const found: number[] = []
    if (this.#possible === 0) return found
    for (let doc = 0; doc < this.#terms.length; doc++) {
      if ((this.#terms[doc] as number) >= terms && fits(doc)) found.push(doc)
    }
    return found
  }

  /** Higher is better; finite, above 0. `hint` is of the query's letters; `popularity` 0..1. */
  score(doc: number, hint: number, popularity: number): number {
    const gained = (this.#gained[doc] as number) / (this.#possible || 1)
    const nameWords = Math.max(1, this.#docs.words[doc * 3] as number)
    const share = Math.min(1, (this.#named[doc] as number) / nameWords)
    const exact = this.#docs.isWhole(doc, hint) ? WHOLE_EXACT : this.#docs.isNamed(doc, hint) ? NAME_EXACT : 0
    return gained * (1 + POPULARITY * popularity) + SHARE_OF_NAME * share * gained + exact
  }
}

/** References at which everybody knows a record. */
const REFERENCES_FULL = 300

/** 0..1. What other records refer to by its slug is the original, and its copies are not. */
export function fame(popularity: number, references: number): number {
  return Math.max(popularity, Math.min(1, Math.log(1 + references) / Math.log(REFERENCES_FULL)))
}
