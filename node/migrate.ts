/**
 * Bringing a store of an older format up to the present one, before anything else reads it.
 *
 *   format   what is new in it
 *        1   version 0.1.0
 *        2   rows a, v, w (who may write), i, s, u (ids in order of arrival); records name equivocations, what was
 *            voided and what was erased
 *
 * The meta row says the new format first, with `from` beside it, then the rows are rewritten, then `from` goes. So an
 * older program refuses the store by name from the first changed row on, and a migration that was cut off anywhere is
 * done again from its start: every step writes what follows from the ops, however often. Ops are never touched.
 */
import { encodeMerged, type Merged, type Sha256 } from '../crdt/index.ts'
import type { Disk, Put } from './disk.ts'
import { migrateBatchRows } from './limits.ts'
import type { Log } from './replica-types.ts'
import { FORMAT, type Meta, metaKey, metaRow, recordKey, sealed } from './rows.ts'

/** What a migration reads by: the store over the rows as they are. */
export type MigrateStore = {
  recordsFrom(kind: undefined, from: undefined): AsyncIterable<Merged>
  mergeAgain(merged: Merged): Promise<Merged>
}

export type MigrateOptions = {
  readonly disk: Disk
  readonly sha256: Sha256
  readonly log: Log
  readonly meta: Meta
}

/** The format whose rows these are: what was there before a migration that did not end. */
export function formatOf(meta: Meta): number {
  return meta.from ?? meta.format
}

/** Idempotent. Answers the meta row as it is now. */
export async function migrate(store: MigrateStore, { disk, sha256, log, meta }: MigrateOptions): Promise<Meta> {
  const from = formatOf(meta)
  const put = (now: Meta) => disk.batch([{ key: metaKey, value: sealed(metaRow(now), sha256) }], { sync: true })
  const { net, epoch } = meta
  log('info', 'bringing the store to a newer format', { from, to: FORMAT })
  await put({ format: FORMAT, net, epoch, from })
  const records = from < 2 ? await nameEquivocations(store, disk, sha256) : 0
  const done = { format: FORMAT, net, epoch }
  await put(done)
  log('info', 'the store has the newer format', { format: FORMAT, records })
  return done
}

/**
 * 1 to 2. No op of format 1 relies on a grant, so rows a, v and w have nothing to say; i, s and u are written by
 * whoever misses them (id-log.ts). What differs are records with branches: they name what one key signed twice.
 */
async function nameEquivocations(store: MigrateStore, disk: Disk, sha256: Sha256): Promise<number> {
  let rows: Put[] = []
  let count = 0
  for await (const merged of store.recordsFrom(undefined, undefined)) {
    if (merged.line) continue
    rows.push({ key: recordKey(merged.record), value: sealed(encodeMerged(await store.mergeAgain(merged)), sha256) })
    count++
    if (rows.length < migrateBatchRows) continue
    await disk.batch(rows)
    rows = []
  }
  if (rows.length > 0) await disk.batch(rows)
  return count
}
