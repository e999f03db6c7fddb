/**
 * What whoever builds the index tells whoever answers from it, in the order in which it came to pass. The flat arrays
 * are shared (search-room.ts); what changes of a segment, which documents live and how known they are, each side has
 * for itself, and hears of here. A publication is taken in one turn, so that a record is found as it was or as it is.
 */
import { type Segment, unasked } from './search-segment.ts'
import { textsIn } from './search-texts.ts'
import type { ValuesView } from './search-values.ts'

/** A segment as it is given away. */
export type Described = Pick<
  Segment,
  'number' | 'size' | 'arrays' | 'words' | 'columns' | 'table' | 'live' | 'liveCount' | 'fame'
> & { readonly texts: Segment['texts']['place'] }

/** What is not said stays as it was. */
export type SegmentChange = {
  readonly number: number
  /** Documents that have left it. */
  readonly gone?: readonly number[]
  readonly fame?: Uint8Array
  readonly texts?: Segment['texts']['place']
}

export type Publication = {
  /** All segments from now on, oldest first. */
  readonly segments: readonly number[]
  /** Those of them that are new. */
  readonly added: readonly Described[]
  readonly changed: readonly SegmentChange[]
  /** The segments that became the only one added, and where their documents went: -1 for those that left. */
  readonly joined: readonly { readonly number: number; readonly moved: Int32Array }[]
  /** When they are others than before. */
  readonly values: ValuesView | undefined
  readonly valuesSize: number
}

export function describe(segment: Segment): Described {
  const { number, size, arrays, words, columns, table, live, liveCount, fame, texts } = segment
  return { number, size, arrays, words, columns, table, live, liveCount, fame, texts: texts.place }
}

/** The segment, to be asked. */
export function segmentFrom({ texts, live, ...described }: Described): Segment {
  return { ...described, ...unasked(), live: live.slice(), texts: textsIn(texts), file: undefined }
}
