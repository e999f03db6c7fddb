/**
 * The page of an answer: the first of the documents found, in the order asked for, after a cursor. Most are turned
 * away by one number each; a name is read, and an id made, only of those that may be on the page.
 */
import { codeAt, firstValue } from './search-column.ts'
import type { Sort } from './search-filter.ts'
import type { Found } from './search-found.ts'
import {
  comparePositions,
  FirstPositions,
  isPackedLater,
  type Position,
  packedKey,
  packedOf,
  type SortKey,
  sortKeyOf,
} from './search-order.ts'
import { idAt, type Segment } from './search-segment.ts'
import type { Values } from './search-values.ts'
import type { WorkBudget } from './search-work.ts'

export type Placed = Position & { readonly segment: Segment; readonly doc: number; readonly base: number }

/** Orders kept of each segment, 8 bytes a document. */
const ORDERS_KEPT = 6
/** Of fewer of a segment's documents keys are made one by one. */
const ORDERED_SHARE = 8

/** By what a query orders: how a document of a segment gets its key, and numbers that come in the same order. */
export type Order = {
  readonly descending: boolean
  /** By document, in the order of the keys as far as a number can say; equal ones are told apart by the keys. */
  packed(
    segment: Segment,
    base: number,
    found: number,
  ): { readonly at: Float64Array | undefined; of(doc: number): number }
  key(segment: Segment, base: number, doc: number): SortKey
}

export function byTime(time: (segment: Segment) => Float64Array, descending: boolean): Order {
  return {
    descending,
    packed: (segment) => {
      const at = time(segment)
      return { at, of: (doc) => at[doc] as number }
    },
    key: (segment, _base, doc) => time(segment)[doc] as number,
  }
}

export function byScore(scorer: (segment: Segment, base: number) => (doc: number) => number): Order {
  return {
    descending: true,
    packed: (segment, base) => ({ at: undefined, of: scorer(segment, base) }),
    key: (segment, base, doc) => scorer(segment, base)(doc),
  }
}

export function byId(descending: boolean): Order {
  return {
    descending,
    packed: () => ({ at: undefined, of: () => 0 }),
    key: (segment, _base, doc) => idAt(segment, doc),
  }
}

/** By the first value of the first of the paths that gives a key. */
export function byField({ paths, descending }: Sort, values: Values): Order {
  const key = (segment: Segment, _base: number, doc: number): SortKey => {
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
    packed: (segment, _base, found) => {
      const name = paths.join('\0')
      let at = segment.orders.get(name)
      if (!at && found * ORDERED_SHARE > segment.size) {
        at = orderOf(segment, paths, values)
        const [oldest] = segment.orders.keys()
        if (segment.orders.size >= ORDERS_KEPT && oldest !== undefined) segment.orders.delete(oldest)
        segment.orders.set(name, at)
      }
      const numbers = at
      return { at: numbers, of: numbers ? (doc) => numbers[doc] as number : (doc) => of(segment, doc) }
    },
  }
}

function orderOf(segment: Segment, paths: readonly string[], values: Values): Float64Array {
  const at = new Float64Array(segment.size).fill(Number.NaN)
  for (const path of paths) {
    const column = segment.columns.get(path)
    if (!column) continue
    const byCode = new Float64Array(1 + column.dict.length + column.listEnds.length).fill(Number.NaN)
    for (let code = 1; code < byCode.length; code++) byCode[code] = packedOf(values, firstValue(column, code))
    for (let i = 0; i < column.codes.length; i++) {
      const doc = column.docs ? (column.docs[i] as number) : i
      if (Number.isNaN(at[doc])) at[doc] = byCode[column.codes[i] as number] as number
    }
  }
  return at
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
  let worst: number | undefined
  // From the end: numbers grow with time, and the newest are wanted first as a rule.
  for (let part = found.parts.length - 1; part >= 0; part--) {
    const { segment, base, from, to } = found.parts[part] as Found['parts'][number]
    if (from === to) continue
    const { at, of } = order.packed(segment, base, to - from)
    for (let i = to - 1; i >= from; i--) {
      if (i % CHECKED_EVERY === 0 && budget.isSpent()) break
      const doc = (found.docs[i] as number) - base
      const packed = at ? (at[doc] as number) : of(doc)
      if (worst !== undefined && isPackedLater(packed, worst, descending)) continue
      if (start !== undefined && isPackedLater(start, packed, descending)) continue
      const position = { key: order.key(segment, base, doc), id: idAt(segment, doc), segment, doc, base }
      if (after && comparePositions(position, after, descending) <= 0) continue
      first.add(position)
      const last = first.last
      if (last) worst = packedKey(last.key)
    }
  }
  const page = first.sorted()
  return { page: page.slice(0, limit), more: page.length > limit }
}
