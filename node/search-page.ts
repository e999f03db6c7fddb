/**
 * The page of an answer: the first of the documents found, in the order asked for, after a cursor. Most are turned
 * away by one number each; a name is read, and an id made, only of those that may be on the page.
 */

import type { Bits } from './search-bits.ts'
import { codeAt, firstValue } from './search-column.ts'
import type { Sort } from './search-filter.ts'
import { docsIn, type Found } from './search-found.ts'
import {
  comparePositions,
  FirstPositions,
  isPackedLater,
  isPackedWhole,
  type Position,
  packedKey,
  packedOf,
  type SortKey,
  sortKeyOf,
} from './search-order.ts'
import { keptOrder, makeOrder } from './search-orders.ts'
import type { Scores } from './search-score.ts'
import { idAt, idStart, type Segment } from './search-segment.ts'
import type { Values } from './search-values.ts'
import { drained, type WorkBudget } from './search-work.ts'

export type Placed = Position & { readonly segment: Segment; readonly doc: number; readonly base: number }

/** Of fewer of a segment's documents keys are made one by one. */
const ORDERED_SHARE = 8
/** Segments of more documents get an order in steps, before the query that wants it is asked again. */
const ORDERED_AT_ONCE = 8_192

/** Documents to be looked at after those of the rounds before. */
export type Round = {
  bits(): Bits
  /** No key of theirs is greater; undefined when that is not known. Only where the greatest come first. */
  readonly most: number | undefined
}

/** By what a query orders: how a document of a segment gets its key, and numbers that come in the same order. */
export type Order = {
  readonly descending: boolean
  /**
   * By document, in the order of the keys as far as a number can say; equal ones are told apart by the keys.
   * What comes after `worst` may be given as any other number that does.
   */
  packed(
    segment: Segment,
    found: number,
  ): { readonly at: Float64Array | undefined; of(doc: number, worst?: number): number }
  key(segment: Segment, doc: number): SortKey
  /** Of the documents found in a segment; one round of all of them when this is missing. */
  rounds?(segment: Segment, found: Bits): readonly Round[]
}

export function byTime(time: (segment: Segment) => Float64Array, descending: boolean): Order {
  return {
    descending,
    packed: (segment) => {
      const at = time(segment)
      return { at, of: (doc) => at[doc] as number }
    },
    key: (segment, doc) => time(segment)[doc] as number,
  }
}

export function byScore(scores: (segment: Segment) => Scores): Order {
  return {
    descending: true,
    packed: (segment) => {
      const own = scores(segment)
      return { at: undefined, of: (doc, worst) => own.scoreOf(doc, worst) }
    },
    key: (segment, doc) => scores(segment).scoreOf(doc),
    rounds: (segment, found) => scores(segment).rounds(found),
  }
}

export function byId(descending: boolean): Order {
  return {
    descending,
    packed: () => ({ at: undefined, of: () => 0 }),
    key: (segment, doc) => idAt(segment, doc),
  }
}

/** Told of a segment that has no order by these paths. */
export type OrderMissing = (segment: Segment, paths: readonly string[]) => void

/**
 * By the first value of the first of the paths that gives a key. `missing` is told of large segments that have no such
 * order yet; what is answered is of no use then.
 */
export function byField({ paths, descending }: Sort, values: Values, missing?: OrderMissing): Order {
  const key = (segment: Segment, doc: number): SortKey => {
    for (const path of paths) {
      const column = segment.columns.get(path)
      const code = column ? codeAt(column, doc) : 0
      if (!column || code === 0) continue
      const found = sortKeyOf(values.leaf(firstValue(column, code)))
      if (found !== undefined) return found
    }
    return undefined
  }
  const of = (segment: Segment, doc: number): number => {
    for (const path of paths) {
      const column = segment.columns.get(path)
      const code = column ? codeAt(column, doc) : 0
      if (!column || code === 0) continue
      const packed = packedOf(values, firstValue(column, code))
      if (!Number.isNaN(packed)) return packed
    }
    return Number.NaN
  }
  return {
    descending,
    key,
    packed: (segment, found) => {
      let at = keptOrder(segment, paths)
      if (!at && found * ORDERED_SHARE > segment.size) {
        if (missing && segment.size > ORDERED_AT_ONCE) {
          missing(segment, paths)
          return { at: undefined, of: () => Number.NaN }
        }
        at = drained(makeOrder(segment, paths, values))
      }
      const numbers = at
      return { at: numbers, of: numbers ? (doc) => numbers[doc] as number : (doc) => of(segment, doc) }
    },
  }
}

const CHECKED_EVERY = 16_384

export function pageOf(
  found: Found,
  order: Order,
  after: Position | undefined,
  limit: number,
  budget: WorkBudget,
): { page: Placed[]; more: boolean } {
  const { descending } = order
  const first = new FirstPositions<Placed>(limit + 1, descending)
  const start = after && packedKey(after.key)
  // Of the last of those kept: its key, and where keys tell documents apart no further, the beginning of its id.
  let worst: number | undefined
  let worstId = Number.POSITIVE_INFINITY
  let looked = 0
  // From the end: numbers grow with time, and the newest are wanted first as a rule.
  const parts = found.parts.filter(({ count }) => count > 0).reverse()
  const rounds = parts.map(
    ({ segment, bits }) => order.rounds?.(segment, bits) ?? [{ bits: () => bits, most: undefined }],
  )
  for (let round = 0; round < (rounds[0]?.length ?? 0); round++) {
    for (const [part, { segment, base, count }] of parts.entries()) {
      const { bits, most } = (rounds[part] as readonly Round[])[round] as Round
      if (worst !== undefined && most !== undefined && isPackedLater(most, worst, descending)) continue
      const { at, of } = order.packed(segment, count)
      const docs = docsIn(segment, bits())
      for (let i = docs.length - 1; i >= 0; i--) {
        if (++looked % CHECKED_EVERY === 0 && budget.isSpent()) break
        const doc = docs[i] as number
        const packed = at ? (at[doc] as number) : of(doc, worst)
        if (worst !== undefined) {
          if (isPackedLater(packed, worst, descending)) continue
          if (!isPackedLater(worst, packed, descending) && idStart(segment, doc) > worstId) continue
        }
        if (start !== undefined && isPackedLater(start, packed, descending)) continue
        const position = { key: order.key(segment, doc), id: idAt(segment, doc), segment, doc, base }
        if (after && comparePositions(position, after, descending) <= 0) continue
        first.add(position)
        const last = first.last
        if (!last) continue
        worst = packedKey(last.key)
        worstId = isPackedWhole(last.key) ? idStart(last.segment, last.doc) : Number.POSITIVE_INFINITY
      }
    }
  }
  const page = first.sorted()
  return { page: page.slice(0, limit), more: page.length > limit }
}
