/**
 * Which documents match a query's words, and how well: term by term and segment by segment, into flat arrays with one
 * place a document. Terms are looked up first (`Lookup`), since what is rare and what is mistyped shows only when all
 * segments have been asked.
 */
import { corrections } from './limits.ts'
import { type Bits, hasBit, ones } from './search-bits.ts'
import { nameHint, wholeHint } from './search-hash.ts'
import { NAME_EXACT, QUALITY_CORRECTED, QUALITY_JOINED, QUALITY_PREFIX, rarityOf, WHOLE_EXACT } from './search-rank.ts'
import { bearersOf, type Segment } from './search-segment.ts'
import { editsAllowed, isCorrectable, nearest } from './search-spell.ts'
import type { Term } from './search-text.ts'
import {
  findWord,
  IN_NAMES,
  IN_TAGS,
  maskOf,
  PLACES_MASK,
  readPostings,
  WEIGHT_MASK,
  type Words,
  wordAt,
  wordNumber,
} from './search-words.ts'
import type { WorkBudget } from './search-work.ts'

/** Words of one segment that stand for a term there. */
type Reading = {
  /** All of them, in one place of a document; of a range, only the first. */
  readonly words: readonly number[]
  /** Any word from the first up to this one, which is not among them. */
  readonly to?: number
  readonly quality: number
  /** Only where the document has it in one of these places. */
  readonly places: number
}

export type LookedUp = {
  /** By segment. */
  readonly readings: readonly (readonly Reading[])[]
  readonly rarity: number
}

/** What a query's terms stand for, in every segment. `words` are those to mark in what is shown. */
export function lookUp(
  terms: readonly Term[],
  segments: readonly Segment[],
  budget: WorkBudget,
): { terms: readonly LookedUp[]; words: ReadonlySet<string> } {
  const live = segments.reduce((sum, segment) => sum + segment.liveCount, 0)
  const words = new Set<string>()
  const looked = terms.map((term, at) => {
    words.add(term.text)
    const pairs = [terms[at - 1], term, terms[at + 1]].flatMap((each, i, three) => {
      const before = three[i - 1]
      return each && before ? [before.text + each.text] : []
    })
    let readings = segments.map((segment) => readingsOf(segment.words, term, pairs))
    if (!term.fixed && isCorrectable(term.text) && !isAnywhere(segments, readings)) {
      const meant = nearestWords(term.text, segments, budget)
      for (const word of meant) words.add(word)
      readings = segments.map(({ words: own }) =>
        meant.flatMap((word) => readingOf(own, [word], QUALITY_CORRECTED, PLACES_MASK)),
      )
    }
    return { readings, rarity: rarityOf(countOf(segments, readings), live) }
  })
  return { terms: looked, words }
}

function readingsOf(words: Words, term: Term, pairs: readonly string[]): Reading[] {
  const found = term.ways.flatMap(({ anyOf, quality }) =>
    anyOf.flatMap((all) => readingOf(words, all, quality, PLACES_MASK)),
  )
  if (term.prefix) {
    const from = findWord(words, term.text)
    const to = findWord(words, term.text, true)
    if (from < to) found.push({ words: [from], to, quality: QUALITY_PREFIX, places: PLACES_MASK })
  }
  for (const pair of pairs) found.push(...readingOf(words, [pair], QUALITY_JOINED, IN_NAMES))
  return found
}

function readingOf(words: Words, all: readonly string[], quality: number, places: number): Reading[] {
  const numbers = all.map((word) => wordNumber(words, word))
  return numbers.every((number) => number >= 0) ? [{ words: numbers, quality, places }] : []
}

/** At least how many documents have the term, with those that have several of its words counted several times. */
function countOf(segments: readonly Segment[], readings: readonly (readonly Reading[])[]): number {
  let count = 0
  for (const [at, { words }] of segments.entries()) {
    for (const { words: all, to } of readings[at] ?? []) {
      if (to === undefined) count += Math.min(...all.map((word) => words.docs[word] as number))
      else for (let word = all[0] as number; word < to; word++) count += words.docs[word] as number
    }
  }
  return count
}

/** Room for the numbers of one list of documents, of which two are looked at together. */
const room = [new Uint32Array(1_024), new Uint32Array(1_024)]
function roomFor(size: number, which: 0 | 1): Uint32Array {
  if ((room[which] as Uint32Array).length < size) room[which] = new Uint32Array(size * 2)
  return room[which] as Uint32Array
}

/** Does any live document have the term? */
function isAnywhere(segments: readonly Segment[], readings: readonly (readonly Reading[])[]): boolean {
  return segments.some((segment, at) =>
    (readings[at] ?? []).some((reading) => {
      const { words, to = (words[0] as number) + 1 } = reading
      for (let word = words[0] as number; word < to; word++) {
        const { docs, marks, from, count } = documentsOf(segment, words.length > 1 ? words : [word])
        for (let i = 0; i < count; i++) {
          if (((marks[from + i] as number) & reading.places) !== 0 && hasBit(segment.live, docs[i] as number))
            return true
        }
      }
      return false
    }),
  )
}

type Documents = {
  readonly docs: Uint32Array
  /** Of document i at from + i. */
  readonly marks: Uint8Array
  readonly from: number
  readonly count: number
}

/** Documents with all of the words in one place, with the places that they share and the least of the weights. */
function documentsOf({ words, size }: Segment, all: readonly number[]): Documents {
  const first = all[0] as number
  const docs = roomFor(size, 0)
  let from = readPostings(words, first, docs)
  let count = words.docs[first] as number
  let marks = words.postings
  for (const word of all.slice(1)) {
    const others = roomFor(size, 1)
    const otherAt = readPostings(words, word, others)
    const otherCount = words.docs[word] as number
    const shared = new Uint8Array(count)
    let kept = 0
    for (let i = 0, j = 0; i < count && j < otherCount; ) {
      const difference = (docs[i] as number) - (others[j] as number)
      if (difference === 0) {
        const [one, other] = [marks[from + i] as number, words.postings[otherAt + j] as number]
        const places = one & other & PLACES_MASK
        docs[kept] = docs[i] as number
        shared[kept] = places | Math.min(one & WEIGHT_MASK, other & WEIGHT_MASK)
        if (places !== 0) kept++
      }
      if (difference <= 0) i++
      if (difference >= 0) j++
    }
    marks = shared
    from = 0
    count = kept
  }
  return { docs, marks, from, count }
}

/** The words of live documents' names and tags that a mistyped one is nearest to. */
function nearestWords(text: string, segments: readonly Segment[], budget: WorkBudget): string[] {
  const allowed = editsAllowed(text)
  const mask = maskOf(
    Array.from(text, (_, i) => text.charCodeAt(i)),
    0,
    text.length,
  )
  const candidates = new Set<string>()
  for (const { words } of segments) {
    if (budget.isSpent()) break
    const { masks, starts } = words
    for (let word = 0; word < masks.length; word++) {
      const own = masks[word] as number
      // An edit changes two letters at most: one goes, another comes.
      if (own === 0 || ones(own ^ mask) > 2 * allowed) continue
      const length = (starts[word + 1] as number) - (starts[word] as number)
      if (Math.abs(length - text.length) <= allowed) candidates.add(wordAt(words, word))
    }
  }
  return nearest(text, candidates, (word) => isNamed(word, segments)).slice(0, corrections)
}

function isNamed(word: string, segments: readonly Segment[]): boolean {
  const places = IN_NAMES | IN_TAGS
  return isAnywhere(
    segments,
    segments.map(({ words }) => readingOf(words, [word], 1, places)),
  )
}

/** Words of a range between looks at the clock. */
const CHECKED_EVERY = 64

/** The matches of one query. Its arrays have a place for each document of all segments; they are used again. */
export class Matches {
  #size = 0
  #best = new Float32Array(0)
  #bestNamed = new Float32Array(0)
  gained = new Float32Array(0)
  named = new Float32Array(0)
  terms = new Uint8Array(0)
  exact = new Float32Array(0)
  /** Documents that match any term, in the order they were met. */
  #met = new Uint32Array(0)
  #count = 0
  #current = new Uint32Array(0)
  /** What a document that matches every term perfectly would gain. */
  possible = 0

  /** Ready for a query over so many documents. */
  begin(size: number): void {
    if (size > this.#best.length) {
      const most = size + (size >> 2)
      this.#best = new Float32Array(most)
      this.#bestNamed = new Float32Array(most)
      this.gained = new Float32Array(most)
      this.named = new Float32Array(most)
      this.exact = new Float32Array(most)
      this.terms = new Uint8Array(most)
      this.#met = new Uint32Array(most)
      this.#current = new Uint32Array(most)
    } else {
      for (let i = 0; i < this.#count; i++) {
        const doc = this.#met[i] as number
        this.gained[doc] = 0
        this.named[doc] = 0
        this.exact[doc] = 0
        this.terms[doc] = 0
      }
    }
    this.#size = size
    this.#count = 0
    this.possible = 0
  }

  /** All terms in one segment, whose documents are numbered from `base` on. `letters`: the query's own, for exact names. */
  addSegment(
    segment: Segment,
    at: number,
    base: number,
    terms: readonly LookedUp[],
    letters: string,
    budget: WorkBudget,
  ) {
    for (const { readings, rarity } of terms) {
      let current = 0
      for (const reading of readings[at] ?? []) {
        current = this.#addReading(segment, base, reading, current, budget)
        if (budget.isSpent()) break
      }
      for (let i = 0; i < current; i++) {
        const doc = this.#current[i] as number
        if (this.terms[doc] === 0) this.#met[this.#count++] = doc
        this.terms[doc] = (this.terms[doc] as number) + 1
        this.gained[doc] = (this.gained[doc] as number) + rarity * (this.#best[doc] as number)
        this.named[doc] = (this.named[doc] as number) + (this.#bestNamed[doc] as number)
        this.#best[doc] = 0
        this.#bestNamed[doc] = 0
      }
    }
    if (letters === '') return
    for (const doc of bearersOf(segment, nameHint(letters))) this.exact[base + doc] = NAME_EXACT
    for (const doc of bearersOf(segment, wholeHint(letters))) this.exact[base + doc] = WHOLE_EXACT
    // Those that bear the name but match no term are forgotten again.
    for (const hint of [nameHint(letters), wholeHint(letters)]) {
      for (const doc of bearersOf(segment, hint)) if (this.terms[base + doc] === 0) this.exact[base + doc] = 0
    }
  }

  #addReading(segment: Segment, base: number, reading: Reading, current: number, budget: WorkBudget): number {
    const { words, to, quality, places } = reading
    if (to === undefined) {
      const { docs, marks, from, count } = documentsOf(segment, words)
      return this.#addDocs(docs, marks, from, count, base, quality, places, current)
    }
    const docs = roomFor(segment.size, 0)
    const { postings, docs: counts } = segment.words
    for (let word = words[0] as number; word < to; word++) {
      const from = readPostings(segment.words, word, docs)
      current = this.#addDocs(docs, postings, from, counts[word] as number, base, quality, places, current)
      if (word % CHECKED_EVERY === 0 && budget.isSpent()) break
    }
    return current
  }

  #addDocs(
    docs: Uint32Array,
    marks: Uint8Array,
    from: number,
    count: number,
    base: number,
    quality: number,
    places: number,
    current: number,
  ): number {
    const best = this.#best
    const named = this.#bestNamed
    const scale = quality / WEIGHT_MASK
    let end = current
    for (let i = 0; i < count; i++) {
      const mark = marks[from + i] as number
      if ((mark & places) === 0) continue
      const doc = base + (docs[i] as number)
      const gain = (mark & WEIGHT_MASK) * scale
      const before = best[doc] as number
      if (before === 0) this.#current[end++] = doc
      if (gain > before) best[doc] = gain
      if (mark >= IN_NAMES && quality > (named[doc] as number)) named[doc] = quality
    }
    return end
  }

  /** Documents with at least so many terms that fit, marked in sets by segment. */
  fitting(terms: number, bases: readonly number[], fits: readonly Bits[]): Bits[] {
    const found = fits.map((bits) => new Uint32Array(bits.length))
    let part = 0
    for (let i = 0; i < this.#count; i++) {
      const doc = this.#met[i] as number
      if ((this.terms[doc] as number) < terms) continue
      // Documents of one segment come together.
      while (doc < (bases[part] as number) || doc >= (bases[part + 1] ?? this.#size)) part = (part + 1) % bases.length
      const own = doc - (bases[part] as number)
      if (!hasBit(fits[part] as Bits, own)) continue
      const bits = found[part] as Bits
      bits[own >>> 5] = (bits[own >>> 5] as number) | (1 << (own & 31))
    }
    return found
  }
}
