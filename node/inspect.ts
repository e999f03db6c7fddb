/**
 * A look at a store whose node does not run: what its rows say, compared with each other. Nothing is changed, migrated
 * or repaired; LevelDB itself finishes what a kill left, as at any open.
 */
import { join } from 'node:path'
import { IdSet } from '../crdt/index.ts'
import { LevelDisk } from './disk-level.ts'
import { withheldRows } from './id-rows.ts'
import { formatOf } from './migrate.ts'
import { nativeSuite } from './native.ts'
import {
  countsKey,
  FORMAT,
  framesFrom,
  idOfKey,
  markerKey,
  metaKey,
  noteKey,
  opRows,
  RESTORED,
  readCounts,
  readMarker,
  readMeta,
  unsealed,
} from './rows.ts'

export type StoreReport = {
  /** Undefined: the row is damaged or missing. */
  readonly format: number | undefined
  /** What this program writes; an older format is brought up to it at the next start. */
  readonly formatKnown: number
  readonly net: string | undefined
  /** By the last commit; undefined when the row is damaged. */
  readonly counted: number | undefined
  /** Rows of ops that are there. */
  readonly ops: number
  /** Of all ids known, held or refused. */
  readonly root: string
  /** What the last clean shutdown left; undefined after a kill. */
  readonly rootLeft: string | undefined
  readonly frames: number
  readonly damagedFrames: number
  readonly restored: boolean
}

/** Reads every row of the store once. NodeError: 'store-locked' when a process has it, 'store-corrupt', 'store-failed'. */
export async function inspectStore(data: string): Promise<StoreReport> {
  const { sha256 } = nativeSuite
  await using disk = await LevelDisk.open(join(data, 'ops'))
  const value = async (key: Uint8Array) => {
    const row = await disk.get(key)
    return row && unsealed(row, sha256)
  }
  const [metaValue, countsValue, markerValue] = [await value(metaKey), await value(countsKey), await value(markerKey)]
  const meta = metaValue && readMeta(metaValue)
  const ids = new IdSet(sha256)
  let ops = 0
  for await (const key of disk.keys(opRows)) {
    ids.add(idOfKey(key))
    ops++
  }
  for await (const key of disk.keys(withheldRows)) ids.add(idOfKey(key))
  let [frames, damagedFrames] = [0, 0]
  for await (const [, row] of disk.entries(framesFrom(0))) {
    frames++
    if (unsealed(row, sha256) === undefined) damagedFrames++
  }
  return {
    format: meta && formatOf(meta),
    formatKnown: FORMAT,
    net: meta?.net,
    counted: countsValue && readCounts(countsValue)?.ops,
    ops,
    root: ids.root(),
    rootLeft: markerValue && readMarker(markerValue)?.root,
    frames,
    damagedFrames,
    restored: (await value(noteKey(RESTORED))) !== undefined,
  }
}
