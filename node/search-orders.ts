/**
 * The sort keys of a segment's documents as numbers (search-order.ts), by document: what makes sorting by a field a look
 * at one number each. Made when a field is first sorted by, in steps, kept with the segment, and carried over when
 * segments are joined: of a million documents they take a tenth of a second.
 */
import { type Column, firstValue } from './search-column.ts'
import { packedOf } from './search-order.ts'
import type { Segment } from './search-segment.ts'
import type { Values } from './search-values.ts'

/** Orders kept of each segment, 8 bytes a document. */
const ORDERS_KEPT = 6
const CODES_A_STEP = 4_096
const DOCS_A_STEP = 32_768

/** By the first value of the first of the paths that gives a key. */
export function orderName(paths: readonly string[]): string {
  return paths.join('\0')
}

export function keptOrder(segment: Segment, paths: readonly string[]): Float64Array | undefined {
  const name = orderName(paths)
  const kept = segment.orders.get(name)
  if (!kept) return undefined
  // The one used last is the last to go.
  segment.orders.delete(name)
  segment.orders.set(name, kept)
  return kept
}

/** Makes an order and keeps it, in steps. */
export function* makeOrder(
  segment: Segment,
  paths: readonly string[],
  values: Values,
): Generator<undefined, Float64Array> {
  const at = new Float64Array(segment.size).fill(Number.NaN)
  for (const path of paths) {
    const column = segment.columns.get(path)
    if (!column) continue
    const byCode = new Float64Array(1 + column.dict.length + column.listEnds.length).fill(Number.NaN)
    for (let from = 1; from < byCode.length; from += CODES_A_STEP) {
      packCodes(column, values, byCode, from, Math.min(from + CODES_A_STEP, byCode.length))
      yield
    }
    for (let from = 0; from < column.codes.length; from += DOCS_A_STEP) {
      spread(column, byCode, at, from, Math.min(from + DOCS_A_STEP, column.codes.length))
      yield
    }
  }
  keep(segment, orderName(paths), at)
  return at
}

/** Gives what several segments became the orders that any of them had, in steps. `moved`: by segment, where its documents went. */
export function* carryOrders(
  segments: readonly Segment[],
  moved: readonly Int32Array[],
  values: Values,
  into: Segment,
): Generator<undefined, void> {
  for (const name of new Set(segments.flatMap(({ orders }) => [...orders.keys()]))) {
    const order = new Float64Array(into.size)
    for (const [at, segment] of segments.entries()) {
      const own = segment.orders.get(name) ?? (yield* makeOrder(segment, name.split('\0'), values))
      for (let from = 0; from < segment.size; from += DOCS_A_STEP) {
        carry(own, moved[at] as Int32Array, order, from, Math.min(from + DOCS_A_STEP, segment.size))
        yield
      }
    }
    keep(into, name, order)
  }
}

function keep({ orders }: Segment, name: string, at: Float64Array): void {
  const [oldest] = orders.keys()
  if (orders.size >= ORDERS_KEPT && oldest !== undefined && !orders.has(name)) orders.delete(oldest)
  orders.set(name, at)
}

// The engine never makes good code of long loops that pause: what is done for each is in functions of its own.

function packCodes(column: Column, values: Values, byCode: Float64Array, from: number, to: number): void {
  for (let code = from; code < to; code++) byCode[code] = packedOf(values, firstValue(column, code))
}

function spread({ docs, codes }: Column, byCode: Float64Array, at: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const doc = docs ? (docs[i] as number) : i
    if (Number.isNaN(at[doc])) at[doc] = byCode[codes[i] as number] as number
  }
}

function carry(own: Float64Array, moved: Int32Array, into: Float64Array, from: number, to: number): void {
  for (let doc = from; doc < to; doc++) {
    const next = moved[doc] as number
    if (next >= 0) into[next] = own[doc] as number
  }
}
