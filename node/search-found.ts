/** The documents that a query found, segment by segment, in one ascending list. */
import type { Bits } from './search-bits.ts'
import type { Segment } from './search-segment.ts'

export type Part = {
  readonly segment: Segment
  /** What is added to the segment's numbers to make them the list's. */
  readonly base: number
  /** The segment's documents in the list. */
  readonly from: number
  readonly to: number
  /** The documents found in the segment, of copies that were collapsed all. */
  readonly bits: Bits
}

export type Found = {
  readonly docs: Uint32Array
  readonly parts: readonly Part[]
}
