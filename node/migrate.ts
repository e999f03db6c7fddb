/**
 * Bringing a store of an older format up to the present one, before anything else reads it.
 *
 *   format   what is new in it
 *        1   version 0.1.0
 *        2   rows a, v, w (who may write), i, s, u (ids in order of arrival); records name equivocations, what was
 *            voided and what was erased
 *        3   rows q (what went in of each owner and actor)
 *        4   the row of a record of one op may be that op (crdt encodeMerged); rows as before are read as before
 *
 * The meta row says the new format first, with `from` beside it, then the rows are rewritten, then `from` goes. So an
 * older program refuses the store by name from the first changed row on, and a migration that was cut off anywhere is
 * done again from its start: every step writes what follows from the ops, however often. Ops are never touched.
 */
import { encodeMerged, type Merged, type Op, type Owner, type RecordId, type Sha256 } from '../crdt/index.ts'
import type { Disk, Put } from './disk.ts'
import { migrateBatchRows } from './limits.ts'
import { costOf, countedFor, readUsage, usageRow } from './quota.ts'
import type { Log } from './replica-types.ts'
import { FORMAT, type Meta, metaKey, metaRow, recordKey, sealed, usageKey, usageRows } from './rows.ts'

/** What a migration reads by: the store over the rows as they are. */
export type MigrateStore = {
  recordsFrom(kind: undefined, from: undefined): AsyncIterable<Merged>
  mergeAgain(merged: Merged): Promise<Merged>
  framesSince(since: number): AsyncIterable<{ readonly frame: { readonly entries: readonly { readonly op: Op }[] } }>
  records(ids: readonly RecordId[]): Promise<readonly (Merged | undefined)[]>
  ownerOfAuthority(record: RecordId): Promise<Owner | undefined>
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
  if (from < 3) await countUsage(store, disk, sha256)
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

/** 2 to 3. The rows are added to part by part, so what an attempt that was cut off has left goes first. */
async function countUsage(store: MigrateStore, disk: Disk, sha256: Sha256): Promise<void> {
  const old: Uint8Array[] = []
  for await (const key of disk.keys(usageRows)) old.push(key)
  if (old.length > 0) await disk.batch(old.map((key) => ({ key })))
  const added = new Map<Owner, { records: number; bytes: number }>()
  const flush = async () => {
    const owners = [...added.keys()]
    const rows = await disk.getMany(owners.map(usageKey))
    const puts = owners.map((owner, at) => {
      const { records, bytes } = added.get(owner)!
      const before = readUsage(rows[at], sha256)
      const sum = { ...before, records: before.records + records, bytes: before.bytes + bytes }
      return { key: usageKey(owner), value: usageRow(sum, sha256) }
    })
    if (puts.length > 0) await disk.batch(puts)
    added.clear()
  }
  for await (const { frame } of store.framesSince(0)) {
    const ops = frame.entries.map(({ op }) => op)
    const records = await store.records(ops.map(({ header }) => header.record))
    for (const [at, op] of ops.entries()) {
      const owner = records[at]?.owner ?? (await store.ownerOfAuthority(op.header.record))
      if (owner === undefined) continue
      const cost = costOf(op)
      for (const each of countedFor(op, owner)) {
        const sum = added.get(each) ?? { records: 0, bytes: 0 }
        added.set(each, { records: sum.records + cost.records, bytes: sum.bytes + cost.bytes })
      }
    }
    if (added.size >= migrateBatchRows) await flush()
  }
  await flush()
}
