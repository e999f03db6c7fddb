/** Rows of records on their way to the index's thread: many in one piece of memory, which changes hands uncopied. */
import type { IndexEntry, IndexRow } from './search.ts'

export type PackedRows = {
  /** One row after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly ends: Uint32Array
  /** 1 of a record of our own. */
  readonly own: Uint8Array
}

export function isRow(entry: IndexEntry | IndexRow): entry is IndexRow {
  return 'row' in entry
}

export function isEntry(entry: IndexEntry | IndexRow): entry is IndexEntry {
  return !isRow(entry)
}

export function packRows(rows: readonly IndexRow[]): PackedRows {
  const bytes = new Uint8Array(rows.reduce((sum, { row }) => sum + row.length, 0))
  const ends = new Uint32Array(rows.length)
  const own = new Uint8Array(rows.length)
  let at = 0
  for (const [i, { row, isOwn }] of rows.entries()) {
    bytes.set(row, at)
    at += row.length
    ends[i] = at
    own[i] = Number(isOwn)
  }
  return { bytes, ends, own }
}

/** The rows lie in the piece that they came in. */
export function unpackRows({ bytes, ends, own }: PackedRows): IndexRow[] {
  return Array.from(ends, (end, i) => ({ row: bytes.subarray(ends[i - 1] ?? 0, end), isOwn: own[i] === 1 }))
}
