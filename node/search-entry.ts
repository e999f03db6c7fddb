/**
 * A record as the index takes it, and on its way to the index's thread.
 *
 * In a bulk, a record that nobody has looked into travels as its row and is read on the other side: taking in a catalogue
 * then builds no document on the main thread. Both sides make the same entry of it.
 */
import {
  decodeMerged,
  encodeMerged,
  firstOf,
  fitting,
  kindOf,
  type Merged,
  ownerToDid,
  withNumbers,
} from '../crdt/index.ts'
import { indexBulkRecords } from './limits.ts'
import { nativeSuite } from './native.ts'
import type { IndexEntry, IndexRow } from './search.ts'

/** Without the fields that do not fit the kind's table, and with decimals as numbers. */
export function entryOf(merged: Merged, isOwn = false): IndexEntry {
  const { record, owner, registeredAt, changedAt, conflicts } = merged
  const common = {
    id: record,
    kind: merged.kind,
    owner: ownerToDid(owner),
    registeredAt,
    changedAt,
    conflicts: conflicts.length,
    isOwn,
  }
  if (firstOf(merged) === undefined) return { ...common, slug: merged.slug ?? '', doc: docOf(merged) }
  return {
    ...common,
    unread: merged,
    get slug() {
      return merged.slug ?? ''
    },
    get doc() {
      return docOf(merged)
    },
  }
}

/**
 * What is handed to the thread of these. Rows only when they are many: it takes the thread a while to load what reads
 * them, and a single write is to be found at once.
 */
export function sentOf(entries: readonly IndexEntry[]): (IndexEntry | IndexRow)[] {
  const areMany = entries.length >= indexBulkRecords
  return entries.map((entry) => {
    const { unread, isOwn = false } = entry
    if (unread === undefined) return entry
    if (areMany && firstOf(unread) !== undefined) return { row: encodeMerged(unread), isOwn }
    void unread.doc
    return entryOf(unread, isOwn)
  })
}

/** What is made of a row on the other side. */
export function receivedOf({ row, isOwn }: IndexRow): IndexEntry {
  const merged = decodeMerged(row, nativeSuite.sha256)
  // Looked into, so that the entry has its document and no more than that.
  void merged.doc
  return entryOf(merged, isOwn)
}

function docOf(merged: Merged) {
  const kind = kindOf(merged.kind)
  return withNumbers(kind, fitting(kind, merged.doc))
}
