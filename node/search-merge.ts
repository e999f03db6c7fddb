/**
 * Several segments become one, without the documents that have left them. In pauses of a millisecond or two, so that
 * searches come between; what leaves a segment meanwhile is for the caller to take out of the result.
 */
import { indexColumnsMax } from './limits.ts'
import { type Bits, hasBit } from './search-bits.ts'
import { type Column, type ColumnPart, mergeColumns } from './search-column.ts'
import { copied, Room } from './search-room.ts'
import { type Arrays, type Segment, segmentOf, type Texts } from './search-segment.ts'
import { textStart } from './search-texts.ts'
import type { Values } from './search-values.ts'
import { compareWords, readPostings, type Words, WordsMaker } from './search-words.ts'

/** Where merged texts go, in order. */
export interface TextSink {
  write(bytes: Uint8Array): void
  /** The texts as written. */
  end(): Texts
  /** Keeps the rest of the segment where the texts are, if that is a file. */
  finish(segment: Segment, values: Values): Generator<undefined, void>
  /** Instead of `end`: nothing of it is left. */
  abandon(): void
}

const WORDS_A_STEP = 400
const POSTINGS_A_STEP = 100_000
const DOCS_A_STEP = 20_000
const HINTS_A_STEP = 4_000
const TEXT_BYTES_A_STEP = 1 << 20

export type Merged = {
  readonly segment: Segment
  /** By source, the new number of each document; -1 for one that was left out. */
  readonly moved: readonly Int32Array[]
  /** By source, the documents that were not left out. */
  readonly lived: readonly Bits[]
}

export function* merge(segments: readonly Segment[], values: Values, sink: TextSink): Generator<undefined, Merged> {
  const lived = segments.map(({ live }) => live.slice())
  const { moved, size } = yield* move(segments, lived)
  const room = new Room()
  const textEnds = yield* mergeTexts(segments, moved, room.take(Uint32Array, size), sink)
  const arrays = yield* mergeArrays(segments, moved, size, textEnds, room)
  const columns = new Map<string, Column>()
  const scratch = new Uint32Array(values.size)
  for (const path of [...new Set(segments.flatMap(({ columns: own }) => [...own.keys()]))].slice(0, indexColumnsMax)) {
    const parts = segments.flatMap((segment, at): ColumnPart[] => {
      const column = segment.columns.get(path)
      return column ? [{ column, docs: segment.size, moved: moved[at] as Int32Array }] : []
    })
    const column = yield* mergeColumns(parts, size, scratch, values.seed, room)
    if (column.codes.length > 0) columns.set(path, column)
    yield
  }
  const words = yield* mergeWords(segments, moved, room)
  const segment = yield* segmentOf({ size, arrays, words, columns, texts: sink.end() }, room)
  return { segment, moved, lived }
}

/** Segments of about one size that are joined once there are so many. */
const JOINED = 8

/** What should be joined next; undefined when all is well. A segment that lost a third of its documents is rewritten. */
export function nextMerge(segments: readonly Segment[]): readonly Segment[] | undefined {
  const byLevel = new Map<number, Segment[]>()
  for (const segment of segments) {
    if (segment.liveCount * 3 < segment.size * 2) return [segment]
    const level = Math.floor(Math.log(Math.max(1, segment.liveCount)) / Math.log(JOINED))
    const same = byLevel.get(level)
    if (same) same.push(segment)
    else byLevel.set(level, [segment])
  }
  // Small ones first: they cost least and are most.
  for (const level of [...byLevel.keys()].sort((a, b) => a - b)) {
    const same = byLevel.get(level) as Segment[]
    if (same.length >= JOINED) return same
  }
  return undefined
}

/** The new number of each document, -1 for one that is gone. */
function* move(
  segments: readonly Segment[],
  lived: readonly Bits[],
): Generator<undefined, { moved: readonly Int32Array[]; size: number }> {
  let size = 0
  const moved: Int32Array[] = []
  for (const [at, segment] of segments.entries()) {
    const to = new Int32Array(segment.size)
    for (let from = 0; from < segment.size; from += DOCS_A_STEP) {
      size = number(to, lived[at] as Bits, size, from, Math.min(from + DOCS_A_STEP, segment.size))
      yield
    }
    moved.push(to)
  }
  return { moved, size }
}

function number(into: Int32Array, live: Bits, first: number, from: number, to: number): number {
  let next = first
  for (let doc = from; doc < to; doc++) into[doc] = hasBit(live, doc) ? next++ : -1
  return next
}

function* mergeTexts(
  segments: readonly Segment[],
  moved: readonly Int32Array[],
  textEnds: Uint32Array,
  sink: TextSink,
): Generator<undefined, Uint32Array> {
  let end = 0
  for (const [at, segment] of segments.entries()) {
    const to = moved[at] as Int32Array
    let from = 0
    const copy = (until: number) => {
      if (until > from) sink.write(segment.texts.read(from, until))
      from = until
    }
    for (let doc = 0; doc < segment.size; doc++) {
      const start = textStart(segment, doc)
      const docEnd = segment.arrays.textEnds[doc] as number
      if ((to[doc] as number) < 0) {
        copy(start)
        from = docEnd
        continue
      }
      end += docEnd - start
      textEnds[to[doc] as number] = end
      if (docEnd - from >= TEXT_BYTES_A_STEP) {
        copy(docEnd)
        yield
      }
    }
    copy(segment.size === 0 ? 0 : (segment.arrays.textEnds[segment.size - 1] as number))
    yield
  }
  return textEnds
}

function* mergeArrays(
  segments: readonly Segment[],
  moved: readonly Int32Array[],
  size: number,
  textEnds: Uint32Array,
  room: Room,
): Generator<undefined, Arrays> {
  const merged = {
    ids: room.take(Uint8Array, size * 32),
    registeredAt: room.take(Float64Array, size),
    changedAt: room.take(Float64Array, size),
    copyKeys: room.take(Float64Array, size),
    publishers: room.take(Uint32Array, size),
    originality: room.take(Uint8Array, size),
    nameWords: room.take(Uint8Array, size),
    popularity: room.take(Uint8Array, size),
    freshness: room.take(Uint8Array, size),
    completeness: room.take(Uint8Array, size),
    trust: room.take(Uint8Array, size),
  }
  const single = Object.keys(merged).filter((name) => name !== 'ids') as Exclude<keyof typeof merged, 'ids'>[]
  for (const [at, segment] of segments.entries()) {
    const to = moved[at] as Int32Array
    for (let from = 0; from < segment.size; from += DOCS_A_STEP) {
      moveIds(segment.arrays.ids, merged.ids, to, from, Math.min(from + DOCS_A_STEP, segment.size))
      yield
    }
    for (const name of single) {
      for (let from = 0; from < segment.size; from += DOCS_A_STEP) {
        moveNumbers(segment.arrays[name], merged[name], to, from, Math.min(from + DOCS_A_STEP, segment.size))
      }
      yield
    }
  }
  const { hints, hintDocs } = yield* mergeHints(segments, moved, room)
  return { ...merged, hints, hintDocs, textEnds }
}

// The engine never makes good code of long loops that pause: what is done for each document is in functions of its own.

function moveIds(ids: Uint8Array, into: Uint8Array, moved: Int32Array, from: number, to: number): void {
  for (let doc = from; doc < to; doc++) {
    const next = moved[doc] as number
    if (next >= 0) for (let i = 0; i < 32; i++) into[next * 32 + i] = ids[doc * 32 + i] as number
  }
}

type Numbers = Float64Array | Uint32Array | Uint8Array

function moveNumbers(numbers: Numbers, into: Numbers, moved: Int32Array, from: number, to: number): void {
  for (let doc = from; doc < to; doc++) {
    const next = moved[doc] as number
    if (next >= 0) into[next] = numbers[doc] as number
  }
}

function* mergeHints(
  segments: readonly Segment[],
  moved: readonly Int32Array[],
  room: Room,
): Generator<undefined, Pick<Arrays, 'hints' | 'hintDocs'>> {
  const hints = new HintMerge(segments, moved)
  while (hints.some(HINTS_A_STEP)) yield
  return hints.taken(room)
}

class HintMerge {
  readonly #from: readonly { readonly hints: Uint32Array; readonly docs: Uint32Array; readonly moved: Int32Array }[]
  readonly #next: number[]
  readonly #hints: Uint32Array
  readonly #docs: Uint32Array
  #count = 0

  constructor(segments: readonly Segment[], moved: readonly Int32Array[]) {
    this.#from = segments.map(({ arrays }, at) => ({
      hints: arrays.hints,
      docs: arrays.hintDocs,
      moved: moved[at] as Int32Array,
    }))
    this.#next = segments.map(() => 0)
    const most = segments.reduce((sum, { arrays }) => sum + arrays.hints.length, 0)
    this.#hints = new Uint32Array(most)
    this.#docs = new Uint32Array(most)
  }

  /** So many more; false when those were the last. */
  some(steps: number): boolean {
    const from = this.#from
    const next = this.#next
    for (let step = 0; step < steps; step++) {
      let least = -1
      let leastHint = Number.POSITIVE_INFINITY
      for (let i = 0; i < from.length; i++) {
        const { hints } = from[i] as (typeof from)[number]
        const at = next[i] as number
        if (at < hints.length && (hints[at] as number) < leastHint) {
          least = i
          leastHint = hints[at] as number
        }
      }
      if (least < 0) return false
      const { docs, moved } = from[least] as (typeof from)[number]
      const at = next[least] as number
      next[least] = at + 1
      const doc = moved[docs[at] as number] as number
      if (doc < 0) continue
      this.#hints[this.#count] = leastHint
      this.#docs[this.#count++] = doc
    }
    return true
  }

  taken(room: Room): Pick<Arrays, 'hints' | 'hintDocs'> {
    const [hints, docs] = [this.#hints.subarray(0, this.#count), this.#docs.subarray(0, this.#count)]
    return { hints: room.keep(hints), hintDocs: room.keep(docs) }
  }
}

function* mergeWords(
  segments: readonly Segment[],
  moved: readonly Int32Array[],
  room: Room,
): Generator<undefined, Words> {
  // The first document of a word has a greater number than before, of four bytes more at most, and before a word is
  // added there is to be room for six bytes a document of it.
  const bytes = segments.reduce(
    (sum, { words, size }) => sum + words.postings.length + words.docs.length * 4 + size * 6,
    0,
  )
  const most = segments.reduce((sum, { words }) => sum + words.docs.length, 0)
  const chars = segments.reduce((sum, { words }) => sum + words.chars.length, 0)
  const maker = new WordsMaker(room, bytes, most, chars)
  const next = segments.map(() => 0)
  const largest = Math.max(1, ...segments.map(({ size }) => size))
  const read = new Uint32Array(largest)
  let docs = new Uint32Array(1_024)
  let marks = new Uint8Array(1_024)
  let done = 0
  let postings = 0
  for (;;) {
    let least = -1
    for (let i = 0; i < segments.length; i++) {
      const { words } = segments[i] as Segment
      if ((next[i] as number) >= words.docs.length) continue
      if (
        least < 0 ||
        compareWords(words, next[i] as number, (segments[least] as Segment).words, next[least] as number) < 0
      ) {
        least = i
      }
    }
    if (least < 0) return maker.make()
    const from = (segments[least] as Segment).words
    const word = next[least] as number
    let count = 0
    for (let i = least; i < segments.length; i++) {
      const { words } = segments[i] as Segment
      const number = next[i] as number
      if (number >= words.docs.length || (i !== least && compareWords(words, number, from, word) !== 0)) continue
      next[i] = number + 1
      const size = words.docs[number] as number
      if (count + size > docs.length) {
        const more = (count + size) * 2
        docs = copied(new Uint32Array(more), docs)
        marks = copied(new Uint8Array(more), marks)
      }
      const markAt = readPostings(words, number, read)
      const to = moved[i] as Int32Array
      for (let j = 0; j < size; j++) {
        const doc = to[read[j] as number] as number
        if (doc < 0) continue
        docs[count] = doc
        marks[count++] = words.postings[markAt + j] as number
      }
      postings += size
      if (postings > POSTINGS_A_STEP) {
        postings = 0
        yield
      }
    }
    if (count > 0) {
      maker.addWord(from, word)
      maker.addPostings(docs, marks, 0, count)
    }
    if (++done % WORDS_A_STEP === 0 || postings > POSTINGS_A_STEP) {
      postings = 0
      yield
    }
  }
}
