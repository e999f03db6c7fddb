/**
 * Records whose ops lost or regained authority, merged again a few at a time.
 *
 * Whoever reads such a record is answered rightly at once (store.ts judges on reading); this walk brings the rows, the
 * counts and the search index after. What is still to be walked is on disk, so a kill only delays it.
 */
import { encodeMerged, type Merged, type OpId, type RecordId } from '../crdt/index.ts'
import { countsAfter } from './append.ts'
import { bodyChanges } from './bodies.ts'
import type { Del, Put } from './disk.ts'
import { eraseGraceMs, rejudgeRecords } from './limits.ts'
import { countsKey, countsRow, recordKey, sealed, waitingKey } from './rows.ts'
import type { Store } from './store.ts'
import type { ChangedRecord, Prepared } from './store-types.ts'
import { turn } from './turn.ts'

/** The next records that rely on `via`, after `after`; `next`: go on from there, undefined: that were all. */
export async function rejudge(
  store: Store,
  via: OpId,
  after: RecordId | undefined,
): Promise<{ readonly prepared: Prepared; readonly next: RecordId | undefined }> {
  const ids = await store.relying(via, after, rejudgeRecords)
  const next = ids.length < rejudgeRecords ? undefined : ids.at(-1)
  const pairs: { before: Merged; after: Merged }[] = []
  for (const before of await store.storedRecords(ids)) {
    const now = await store.record(before.record)
    // Its ops may lie in frames of hundreds, which are read whole.
    await turn()
    if (now !== undefined && now.judged?.stamp !== before.judged?.stamp) pairs.push({ before, after: now })
  }
  const counts = countsAfter(store.counts, 0, pairs)
  const changes: (Put | Del)[] = []
  const records: ChangedRecord[] = []
  for (const { after: merged } of pairs) {
    const row = encodeMerged(merged)
    changes.push({ key: recordKey(merged.record), value: sealed(row, store.sha256) })
    records.push({ merged, row })
  }
  const due = store.now() + eraseGraceMs
  const bodies = pairs.map(({ before, after: now }) => bodyChanges(before, now, due))
  for (const { rows } of bodies) changes.push(...rows)
  if (pairs.length > 0) changes.push({ key: countsKey, value: sealed(countsRow(counts), store.sha256) })
  if (next === undefined) changes.push({ key: waitingKey(via) })
  const prepared = {
    changes,
    counts,
    frames: [],
    remote: 0,
    records,
    authorities: [],
    waiting: [],
    usages: [],
    repaired: [],
    bodies,
  }
  return { prepared, next }
}
