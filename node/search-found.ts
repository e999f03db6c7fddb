/** The documents that a query found, segment by segment. */
import { type Bits, countBits, listBits } from './search-bits.ts'
import type { Segment } from './search-segment.ts'

export type Part = {
  readonly segment: Segment
  /** What makes the segment's numbers those of the whole index: all documents of the segments before it. */
  readonly base: number
  readonly bits: Bits
  readonly count: number
}

export type Found = { readonly parts: readonly Part[]; readonly total: number }

export function foundIn(segments: readonly Segment[], sets: readonly Bits[]): Found {
  let base = 0
  let total = 0
  const parts = segments.map((segment, at) => {
    const bits = sets[at] as Bits
    const part = { segment, base, bits, count: countBits(bits) }
    base += segment.size
    total += part.count
    return part
  })
  return { parts, total }
}

let room = new Uint32Array(1_024)

/** The numbers in a set of a segment, ascending. Good until the next call. */
export function docsIn(segment: Segment, bits: Bits): Uint32Array {
  if (room.length < segment.size) room = new Uint32Array(segment.size * 2)
  return room.subarray(0, listBits(bits, 0, room, 0))
}
