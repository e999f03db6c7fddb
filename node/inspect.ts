/**
 * A look at a store whose node does not run: its files by their checksums, then what its rows say, compared with each
 * other. Nothing is changed, migrated or repaired; LevelDB itself finishes what a kill left, as at any open, and does not
 * open files that are damaged, for it would step over the damage and delete them.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IdSet } from '../crdt/index.ts'
import { LevelDisk } from './disk-level.ts'
import { NodeError } from './errors.ts'
import { withheldRows } from './id-rows.ts'
import { FileJournal } from './journal.ts'
import { readJournalNote } from './journal-note.ts'
import { damagedFiles, lacksCurrent } from './level-files.ts'
import { formatOf } from './migrate.ts'
import { nativeSuite } from './native.ts'
import {
  asideRows,
  countsKey,
  FORMAT,
  framesFrom,
  idOfKey,
  JOURNAL,
  markerKey,
  metaKey,
  noteKey,
  opRows,
  RESTORED,
  readCounts,
  readMarker,
  readMeta,
  recordsAfter,
  unsealed,
} from './rows.ts'
import { tallyFile } from './tally.ts'

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
  readonly damagedRecords: number
  /** Ops that were there when it was last noted beside the store, and are gone. */
  readonly lostOps: number
  /** Frames whose ops build on others that are lost. */
  readonly waitingFrames: number
  /** Folders with damaged logs that a start has kept. */
  readonly logsKept: readonly string[]
  /** What is wrong with the signing journal. */
  readonly journal: string | undefined
  /** It is shorter than it was: the next start signs nothing until a peer was met. */
  readonly journalLost: boolean
  readonly restored: boolean
}

/**
 * Reads every file and every row of the store once. NodeError: 'store-locked' when a process has it, 'store-corrupt' with
 * the damaged files by name, 'store-failed'.
 */
export async function inspectStore(data: string): Promise<StoreReport> {
  const { sha256 } = nativeSuite
  const folder = join(data, 'ops')
  await LevelDisk.checkUnlocked(folder)
  if (await lacksCurrent(folder)) throw new NodeError('store-corrupt', `the file CURRENT of ${folder} is gone`)
  const [first, ...others] = await damagedFiles(folder)
  if (first !== undefined) {
    const more =
      others.length > 0 ? `; ${others.length} more are damaged: ${others.map(({ name }) => name).join(', ')}` : ''
    throw new NodeError('store-corrupt', `${join(folder, first.name)}: ${first.what}${more}`)
  }
  await using disk = await LevelDisk.open(folder)
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
  let damagedRecords = 0
  for await (const [, row] of disk.entries(recordsAfter(undefined))) {
    if (unsealed(row, sha256) === undefined) damagedRecords++
  }
  let waitingFrames = 0
  for await (const _ of disk.keys(asideRows)) waitingFrames++
  const counts = countsValue && readCounts(countsValue)
  const tally = await tallyFile(join(data, 'tally')).read()
  const journalBytes = (await stat(join(data, 'journal')).catch(() => undefined))?.size ?? 0
  const isShort =
    typeof tally === 'object' && tally.epoch === meta?.epoch && counts !== undefined && tally.seq > counts.seq
  return {
    format: meta && formatOf(meta),
    formatKnown: FORMAT,
    net: meta?.net,
    counted: counts?.ops,
    ops,
    root: ids.root(),
    rootLeft: markerValue && readMarker(markerValue)?.root,
    frames,
    damagedFrames,
    damagedRecords,
    lostOps: isShort ? Math.max(1, tally.ops - counts.ops) : 0,
    waitingFrames,
    logsKept: (await readdir(data)).filter((name) => /^ops\.logs-[0-9a-f]+$/.test(name)),
    journal: await FileJournal.check(join(data, 'journal')),
    journalLost: journalBytes < readJournalNote(await value(noteKey(JOURNAL))),
    restored: (await value(noteKey(RESTORED))) !== undefined,
  }
}
