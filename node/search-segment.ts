/**
 * A part of the index that never changes but for documents that leave it: the records that one batch brought, or what
 * several smaller segments became. Everything is in flat arrays by document number, so that a segment is the same in
 * memory and in a file (search-files.ts), two become one by copying (search-merge.ts), and what was built in one thread
 * is asked in another (search-publication.ts).
 */
import { type Bits, clearBit, fullBits, hasBit } from './search-bits.ts'
import type { Column } from './search-column.ts'
import type { Layout } from './search-postings.ts'
import type { Room } from './search-room.ts'
import type { Words } from './search-words.ts'

/** The flat arrays, by name as in the file. One entry a document unless it says otherwise. */
export type Arrays = {
  /** 32 bytes each. */
  readonly ids: Uint8Array
  readonly registeredAt: Float64Array
  readonly changedAt: Float64Array
  /** Equal for copies of one thing (search-copies.ts). */
  readonly copyKeys: Float64Array
  /** Marks of who publishes it: the namespace in its name, or else its provider. */
  readonly publishers: Uint32Array
  /** How likely it is the original of its copies. */
  readonly originality: Uint8Array
  readonly nameWords: Uint8Array
  /** 0..255: how known, how new, how full, how well vouched for. */
  readonly popularity: Uint8Array
  readonly freshness: Uint8Array
  readonly completeness: Uint8Array
  readonly trust: Uint8Array
  /** Ascending marks of exact names and the documents that bear them; several a document. */
  readonly hints: Uint32Array
  readonly hintDocs: Uint32Array
  /** Where each document's texts end. */
  readonly textEnds: Uint32Array
}

/** The names and texts of each document, for highlights and phrases. */
export interface Texts {
  /** The bytes, or the descriptor of an open file that begins with them. */
  readonly place: Uint8Array | number
  /** Throws when they cannot be read. */
  read(from: number, to: number): Uint8Array
  close(): void
}

export type Segment = {
  /** The same in both threads, and of no other segment. */
  readonly number: number
  readonly size: number
  readonly arrays: Arrays
  readonly words: Words
  /** By path. */
  readonly columns: ReadonlyMap<string, Column>
  /** Numbers by the first bytes of the ids. */
  readonly table: Uint32Array
  texts: Texts
  /** Its file's name; undefined while it is only in memory. */
  file: string | undefined
  readonly live: Uint32Array
  liveCount: number
  /** 0..255: popularity, and what others refer to by its slug. Replaced as a whole. */
  fame: Uint8Array
  // What queries have made of it, where it is asked:
  /** Orders by path that were asked for (search-page.ts). */
  readonly orders: Map<string, Float64Array>
  /** Common words and beginnings that were asked for, laid out by document (search-postings.ts). */
  readonly layouts: Map<string, Layout>
  /** Documents that meet tests of values that were asked for (search-where.ts). */
  readonly tested: Map<string, Bits>
}

let made = 0

/** In steps. The flat arrays among its parts are of the room. */
export function* segmentOf(
  { file, ...parts }: Pick<Segment, 'size' | 'arrays' | 'words' | 'columns' | 'texts'> & { file?: string },
  room: Room,
): Generator<undefined, Segment> {
  const { size, arrays } = parts
  return {
    ...parts,
    ...unasked(),
    number: ++made,
    file,
    table: yield* tableOf(arrays.ids, size, room),
    live: fullBits(size),
    liveCount: size,
    fame: arrays.popularity.slice(),
  }
}

/** What a segment has of queries before the first. */
export function unasked(): Pick<Segment, 'orders' | 'layouts' | 'tested'> {
  return { orders: new Map(), layouts: new Map(), tested: new Map() }
}

export function idAt({ arrays }: Segment, doc: number): string {
  return Buffer.from(arrays.ids.buffer, arrays.ids.byteOffset + doc * 32, 32).toString('hex')
}

/** The beginning of an id as a number; ids come in the order of their beginnings. */
export function idStart({ arrays: { ids } }: Segment, doc: number): number {
  const at = doc * 32
  return (
    (ids[at] as number) * 0x1000000 +
    (((ids[at + 1] as number) << 16) | ((ids[at + 2] as number) << 8) | (ids[at + 3] as number))
  )
}

/** The number of a live document, or -1. */
export function docOf(segment: Segment, wanted: Buffer): number {
  if (wanted.length !== 32) return -1
  const { table, arrays } = segment
  const mask = table.length - 1
  for (let slot = wanted.readUInt32LE(0) & mask; table[slot] !== 0; slot = (slot + 1) & mask) {
    const doc = (table[slot] as number) - 1
    if (!hasBit(segment.live, doc)) continue
    let same = 0
    while (same < 32 && arrays.ids[doc * 32 + same] === wanted[same]) same++
    if (same === 32) return doc
  }
  return -1
}

export function removeDoc(segment: Segment, doc: number): void {
  if (!hasBit(segment.live, doc)) return
  clearBit(segment.live, doc)
  segment.liveCount--
}

/** The documents that bear an exact name, by its mark. */
export function bearersOf({ arrays: { hints, hintDocs } }: Segment, hint: number): Uint32Array {
  let low = 0
  let high = hints.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((hints[middle] as number) < hint) low = middle + 1
    else high = middle
  }
  const from = low
  while (low < hints.length && hints[low] === hint) low++
  return hintDocs.subarray(from, low)
}

const DOCS_A_STEP = 8_192

function* tableOf(ids: Uint8Array, size: number, room: Room): Generator<undefined, Uint32Array> {
  const table = room.take(Uint32Array, 2 ** Math.ceil(Math.log2(Math.max(2, size * 1.5 + 1))))
  for (let from = 0; from < size; from += DOCS_A_STEP) {
    enter(table, ids, from, Math.min(from + DOCS_A_STEP, size))
    yield
  }
  return table
}

function enter(table: Uint32Array, ids: Uint8Array, from: number, to: number): void {
  const mask = table.length - 1
  const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength)
  for (let doc = from; doc < to; doc++) {
    let slot = view.getUint32(doc * 32, true) & mask
    while (table[slot] !== 0) slot = (slot + 1) & mask
    table[slot] = doc + 1
  }
}
