/**
 * Which documents match a query's words, and how well, term by term and segment by segment. Terms are looked up first
 * (`lookUp`), since what is rare and what is mistyped shows only when all segments have been asked.
 */
import { corrections } from './limits.ts'
import { addBits, type Bits, hasBit, keepBits } from './search-bits.ts'
import { layoutOfAll, layoutOfRange, someDocument } from './search-postings.ts'
import { QUALITY_CORRECTED, QUALITY_JOINED, QUALITY_PREFIX, rarityOf } from './search-rank.ts'
import type { Scratch } from './search-scratch.ts'
import type { Segment } from './search-segment.ts'
import { editsAllowed, isCorrectable, mayBeNear, nearest } from './search-spell.ts'
import type { Term } from './search-text.ts'
import {
  findWord,
  IN_NAMES,
  IN_TAGS,
  maskOf,
  PLACES_MASK,
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

/** Does any live document have the term? */
function isAnywhere(segments: readonly Segment[], readings: readonly (readonly Reading[])[]): boolean {
  return segments.some((segment, at) =>
    (readings[at] ?? []).some(({ words, to = (words[0] as number) + 1, places }) => {
      const isLive = (doc: number) => hasBit(segment.live, doc)
      if (words.length > 1) return someDocument(segment, words, places, isLive)
      for (let word = words[0] as number; word < to; word++) {
        if (someDocument(segment, [word], places, isLive)) return true
      }
      return false
    }),
  )
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
      if (word % 65_536 === 65_535 && budget.isSpent()) break
      const own = masks[word] as number
      if (own === 0 || !mayBeNear(own, mask, allowed)) continue
      const length = (starts[word + 1] as number) - (starts[word] as number)
      if (Math.abs(length - text.length) <= allowed) candidates.add(wordAt(words, word))
    }
  }
  return nearest(text, within(candidates, budget), (word) => isNamed(word, segments)).slice(0, corrections)
}

function* within<T>(all: Iterable<T>, budget: WorkBudget): Generator<T> {
  let at = 0
  for (const each of all) {
    if (++at % 512 === 0 && budget.isSpent()) return
    yield each
  }
}

function isNamed(word: string, segments: readonly Segment[]): boolean {
  const places = IN_NAMES | IN_TAGS
  return isAnywhere(
    segments,
    segments.map(({ words }) => readingOf(words, [word], 1, places)),
  )
}

/** A term in one segment. */
export type TermMatch = {
  readonly ways: readonly Way[]
  readonly bits: Bits
  /** Documents that have it in their names. */
  readonly named: Bits
  /** What it gives at most to a document, and to one that does not have it in its names. */
  readonly most: number
  readonly plainMost: number
}
/** One of a term's readings: what a document's mark gives to it, as a match and as a part of its name. */
type Way = { readonly marks: Uint8Array; readonly gains: Float64Array; readonly names: Float64Array }

/** Its sets are not to be changed. */
export function matchTerm(
  segment: Segment,
  readings: readonly Reading[],
  scratch: Scratch,
  budget: WorkBudget,
): TermMatch {
  const ways: Way[] = []
  const sets: Bits[] = []
  const namedSets: Bits[] = []
  let most = 0
  let plainMost = 0
  for (const { words, to, quality, places } of readings) {
    if (budget.isSpent()) break
    const first = words[0] as number
    const layout =
      words.length > 1
        ? layoutOfAll(segment, words, scratch)
        : layoutOfRange(segment, first, to === undefined ? first + 1 : to, scratch, budget)
    sets.push(places === PLACES_MASK ? layout.bits : layout.named)
    namedSets.push(layout.named)
    ways.push({ marks: layout.marks, ...tablesOf(quality, places) })
    most = Math.max(most, (layout.most * quality) / WEIGHT_MASK)
    if (places !== IN_NAMES) plainMost = Math.max(plainMost, (layout.plainMost * quality) / WEIGHT_MASK)
  }
  const { size } = segment
  return { ways, bits: together(sets, size, scratch), named: together(namedSets, size, scratch), most, plainMost }
}

function together(sets: readonly Bits[], size: number, scratch: Scratch): Bits {
  if (sets.length === 1) return sets[0] as Bits
  const all = scratch.bits(size)
  for (const bits of sets) addBits(all, bits)
  return all
}

/** What a term gives to a document: 0..1. */
export function gainOf({ ways }: TermMatch, doc: number): number {
  let gain = 0
  for (let i = 0; i < ways.length; i++) {
    const { marks, gains } = ways[i] as Way
    const own = gains[marks[doc] as number] as number
    if (own > gain) gain = own
  }
  return gain
}

/** How well the term is met in the document's name: 0..1. */
export function namedOf({ ways }: TermMatch, doc: number): number {
  let most = 0
  for (let i = 0; i < ways.length; i++) {
    const { marks, names } = ways[i] as Way
    const own = names[marks[doc] as number] as number
    if (own > most) most = own
  }
  return most
}

type Tables = Pick<Way, 'gains' | 'names'>
const tables = new Map<string, Tables>()

/** By mark, for the few qualities that there are. */
function tablesOf(quality: number, places: number): Tables {
  const name = `${quality} ${places}`
  const known = tables.get(name)
  if (known) return known
  const gains = new Float64Array(256)
  const names = new Float64Array(256)
  for (let mark = 0; mark < 256; mark++) {
    if ((mark & places) === 0) continue
    gains[mark] = ((mark & WEIGHT_MASK) * quality) / WEIGHT_MASK
    if (mark >= IN_NAMES) names[mark] = quality
  }
  tables.set(name, { gains, names })
  return { gains, names }
}

/** Documents in at least `need` of the sets, which is at least one. */
export function inAtLeast(need: number, sets: readonly Bits[], size: number, scratch: Scratch): Bits {
  const [first] = sets
  if (!first || need > sets.length) return scratch.bits(size)
  if (need === sets.length) {
    const all = scratch.copy(first)
    for (let at = 1; at < sets.length; at++) keepBits(all, sets[at] as Bits)
    return all
  }
  const found = scratch.bits(size)
  // In at least so many of the sets looked at so far, for 32 documents at a time.
  const counts = new Uint32Array(need + 1)
  for (let at = 0; at < found.length; at++) {
    counts.fill(0)
    counts[0] = 0xffffffff
    for (const bits of sets) {
      const word = bits[at] as number
      for (let count = need; word !== 0 && count > 0; count--) {
        counts[count] = (counts[count] as number) | ((counts[count - 1] as number) & word)
      }
    }
    found[at] = counts[need] as number
  }
  return found
}
