/**
 * The score of the documents that match a text, and rounds in which they are best looked at: those whose names have
 * all of the words first, then some, then none. A page is full after the first as a rule, and what the others can
 * reach at most says that they need no look at all.
 */
import { addBits, type Bits, dropBits, hasBit, keepBits, setBit } from './search-bits.ts'
import { nameHint, wholeHint } from './search-hash.ts'
import { gainOf, namedOf, type TermMatch } from './search-match.ts'
import type { Round } from './search-page.ts'
import { NAME_EXACT, partsOf, scoreOf, type Weights, WHOLE_EXACT } from './search-rank.ts'
import type { Scratch } from './search-scratch.ts'
import { bearersOf, type Segment } from './search-segment.ts'

export type Scoring = {
  /** By term: how much it says. */
  readonly rarities: readonly number[]
  readonly weights: Weights
  /** The query's letters and digits: the name, if it is one. */
  readonly letters: string
}

/** A difference that comes of adding in another order is none. */
const ROUNDING = 1e-9

/** Of one segment's documents. */
export class Scores {
  readonly #segment: Segment
  readonly #terms: readonly TermMatch[]
  /** By term: what a document gains that has it perfectly. They add up to 1. */
  readonly #shares: Float64Array
  readonly #weights: Weights
  readonly #scratch: Scratch
  /** No weight is below 0, so that more is never worth less. */
  readonly #isPlain: boolean
  /** What a document gets at most for all it can gain, and for what has nothing to do with the text. */
  readonly #perGain: number
  readonly #besides: number
  /** What is added for a name that is asked for to the letter, by document. */
  readonly #exact = new Map<number, number>()

  constructor(
    segment: Segment,
    terms: readonly TermMatch[],
    { rarities, weights, letters }: Scoring,
    scratch: Scratch,
  ) {
    this.#scratch = scratch
    this.#isPlain = Object.values(weights).every((weight) => weight >= 0)
    this.#perGain = weights.relevance + weights.name + weights.popularity
    this.#besides = weights.freshness + weights.completeness + weights.trust + ROUNDING
    const possible = rarities.reduce((sum, rarity) => sum + rarity, 0) || 1
    this.#segment = segment
    this.#terms = terms
    this.#shares = Float64Array.from(rarities, (rarity) => rarity / possible)
    this.#weights = weights
    if (letters === '') return
    for (const doc of bearersOf(segment, nameHint(letters))) this.#exact.set(doc, NAME_EXACT)
    for (const doc of bearersOf(segment, wholeHint(letters))) this.#exact.set(doc, WHOLE_EXACT)
  }

  /** Any number below `least` when the score is below it. */
  scoreOf(doc: number, least = 0): number {
    const weights = this.#weights
    let gained = 0
    let named = 0
    for (let at = 0; at < this.#terms.length; at++) {
      const term = this.#terms[at] as TermMatch
      gained += (this.#shares[at] as number) * gainOf(term, doc)
      named += namedOf(term, doc)
    }
    const exact = this.#exact.size === 0 ? 0 : (this.#exact.get(doc) ?? 0)
    if (this.#isPlain && exact === 0) {
      const most = gained * this.#perGain + this.#besides
      if (most < least) return most
    }
    return scoreOf(weights, this.#segment.arrays, this.#segment.fame, doc, gained, named, exact)
  }

  partsOf(doc: number): Weights {
    const gained = this.#terms.reduce((sum, term, at) => sum + (this.#shares[at] as number) * gainOf(term, doc), 0)
    const named = this.#terms.reduce((sum, term) => sum + namedOf(term, doc), 0)
    const exact = this.#exact.get(doc) ?? 0
    return partsOf(this.#weights, this.#segment.arrays, this.#segment.fame, doc, gained, named, exact)
  }

  /** Of what was found: the documents that have all terms in their names, those that have some there, and the others. */
  rounds(found: Bits): readonly Round[] {
    const terms = this.#terms
    if (!this.#isPlain || terms.length === 0) return [{ most: undefined, bits: () => found }]
    const scratch = this.#scratch
    const shares = this.#shares
    const all = scratch.copy(found)
    for (const { named } of terms) keepBits(all, named)
    for (const doc of this.#exact.keys()) if (hasBit(found, doc)) setBit(all, doc)
    const others = (): Bits => {
      const bits = scratch.copy(found)
      dropBits(bits, all)
      return bits
    }
    const most = terms.reduce((sum, term, at) => sum + term.most * (shares[at] as number), 0)
    const plainMost = terms.reduce((sum, term, at) => sum + term.plainMost * (shares[at] as number), 0)
    const missed = Math.min(...terms.map((term, at) => (term.most - term.plainMost) * (shares[at] as number)))
    const one: Round[] = []
    if (terms.length > 1) {
      one.push({
        most: (most - Math.max(0, missed)) * this.#perGain + this.#besides,
        bits: () => {
          const bits = scratch.bits(this.#segment.size)
          for (const { named } of terms) addBits(bits, named)
          keepBits(bits, others())
          return bits
        },
      })
    }
    const none: Round = {
      most: plainMost * (this.#perGain - this.#weights.name) + this.#besides,
      bits: () => {
        const bits = others()
        for (const { named } of terms) dropBits(bits, named)
        return bits
      },
    }
    return [{ most: undefined, bits: () => all }, ...one, none]
  }
}
