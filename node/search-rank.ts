/**
 * How good a match is: one formula for all kinds, a sum of parts that can be named (`explain`) and weighed (`weights`).
 *
 *   relevance     how rare the words are that match, and how much they say where they stand: 1 = all of them, perfectly
 *   name          how much of the name is asked for
 *   exactness     the name is meant to the letter, or owner and name are
 *   popularity    how many use it (counts that sources publish), or refer to it by its slug; worth more the better it fits
 *   freshness     how new it is. It grows with the date itself and not with the distance from today, so that the order
 *                 of two records never changes by waiting
 *   completeness  how many of its table's fields it fills
 *   trust         what it carries besides its owner's signature, which all have: digests, no open conflicts, our own key
 */
import type { Doc } from '../crdt/index.ts'
import type { IndexEntry } from './search.ts'
import type { Leaf, Table } from './search-fields.ts'
import type { Arrays } from './search-segment.ts'

export type Weights = {
  readonly relevance: number
  readonly name: number
  readonly exactness: number
  readonly popularity: number
  readonly freshness: number
  readonly completeness: number
  readonly trust: number
}
/** The parts of a score; they add up to it. */
export type Parts = Weights

export const WEIGHTS: Weights = {
  relevance: 1,
  name: 0.35,
  exactness: 1,
  popularity: 0.25,
  freshness: 0.02,
  completeness: 0.02,
  trust: 0.02,
}

/** The names of the parts. */
export const SEARCH_PARTS = Object.keys(WEIGHTS) as (keyof Weights)[]

export const QUALITY_PREFIX = 0.7
export const QUALITY_JOINED = 0.9
export const QUALITY_CORRECTED = 0.6

/** What an exact match is worth. */
export const NAME_EXACT = 0.8
export const WHOLE_EXACT = 1.2

/** Of a document's facts, with the weights of a query. `gained` 0..1; `named` counts the words met in the name. */
export function partsOf(
  weights: Weights,
  { nameWords, freshness, completeness, trust }: Arrays,
  fame: Uint8Array,
  doc: number,
  gained: number,
  named: number,
  exact: number,
): Parts {
  const share = Math.min(1, named / Math.max(1, nameWords[doc] as number))
  return {
    relevance: weights.relevance * gained,
    name: weights.name * share * gained,
    exactness: weights.exactness * exact,
    popularity: (weights.popularity * gained * (fame[doc] as number)) / 255,
    freshness: (weights.freshness * (freshness[doc] as number)) / 255,
    completeness: (weights.completeness * (completeness[doc] as number)) / 255,
    trust: (weights.trust * (trust[doc] as number)) / 255,
  }
}

/** The sum of `partsOf` to the last bit, without making them. */
export function scoreOf(
  weights: Weights,
  { nameWords, freshness, completeness, trust }: Arrays,
  fame: Uint8Array,
  doc: number,
  gained: number,
  named: number,
  exact: number,
): number {
  const share = Math.min(1, named / Math.max(1, nameWords[doc] as number))
  return (
    weights.relevance * gained +
    weights.name * share * gained +
    weights.exactness * exact +
    (weights.popularity * gained * (fame[doc] as number)) / 255 +
    (weights.freshness * (freshness[doc] as number)) / 255 +
    (weights.completeness * (completeness[doc] as number)) / 255 +
    (weights.trust * (trust[doc] as number)) / 255
  )
}

/** How much a term says that `count` of `live` documents have. */
export function rarityOf(count: number, live: number): number {
  const among = Math.min(count, live)
  return Math.log(1 + (live - among + 0.5) / (among + 0.5))
}

type First = (path: string) => Leaf | undefined

/** Counts that sources publish, and the power of ten at which each says "everybody knows it". */
const POPULARITY = [
  ['downloads', 7.5],
  ['likes', 5],
] as const

/** 0..255, by the logarithm of the best count. */
export function popularityOf(first: First): number {
  let best = 0
  for (const [path, full] of POPULARITY) {
    const count = first(path)
    if (typeof count === 'number' && count > 0) best = Math.max(best, Math.min(1, Math.log10(1 + count) / full))
  }
  return Math.round(255 * best)
}

/** References at which everybody knows a record. */
const REFERENCES_FULL = 300

/** 0..255. What other records refer to by its slug is the original, and its copies are not. */
export function fameOf(popularity: number, references: number): number {
  const known = Math.min(1, Math.log(1 + references) / Math.log(REFERENCES_FULL))
  return Math.max(popularity, Math.round(255 * known))
}

const FRESH_FROM_MS = Date.UTC(2015, 0)
const FRESH_TO_MS = Date.UTC(2035, 0)

/** 0..255 over twenty years, by the record's own dates or else by when it was registered. */
export function freshnessOf(first: First): number {
  const times = ['updated_at', 'release_date', 'created_at', 'registered_at'].map((path) => msOf(first(path)))
  const ms = times.find((time) => time !== undefined) ?? 0
  return Math.round(255 * Math.min(1, Math.max(0, (ms - FRESH_FROM_MS) / (FRESH_TO_MS - FRESH_FROM_MS))))
}

/** Beyond this a number is of milliseconds: as seconds it would be in the year 5138. */
const SECONDS_MAX = 1e11

function msOf(leaf: Leaf | undefined): number | undefined {
  if (typeof leaf === 'number') return leaf < SECONDS_MAX ? leaf * 1_000 : leaf
  const ms = typeof leaf === 'string' ? Date.parse(leaf) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

const FIELDS_FULL = 12

/** 0..255: the share of twelve of its table's fields that it has. */
export function completenessOf(doc: Doc, table: Table | undefined): number {
  let have = 0
  for (const key of Object.keys(doc)) if (table?.has(key)) have++
  return Math.round((255 * Math.min(have, FIELDS_FULL)) / FIELDS_FULL)
}

/** 0..255. */
export function trustOf({ conflicts = 0, isOwn = false }: IndexEntry, first: First): number {
  const hasDigest = first('integrity.sha256') !== undefined || first('integrity.git_sha1') !== undefined
  return 100 + (hasDigest ? 55 : 0) + (isOwn ? 100 : 0) - (conflicts > 0 ? 60 : 0)
}
