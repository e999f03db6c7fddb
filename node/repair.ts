/**
 * A good folder from a damaged one whose node is stopped: every frame that reads is taken in anew, with its signature
 * checked, and what follows from frames is made from them. What could not be read is what peers are asked for later.
 *
 * The store as it was lies beside the new one afterwards, byte for byte; nothing here deletes it. The new store gets its
 * name last and whole. A repair that was cut off is done again.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type NetworkId, type OpId, utf8 } from '../crdt/index.ts'
import { emptyStore, rowsOf } from './aside.ts'
import type { Disk, Put } from './disk.ts'
import { LevelDisk } from './disk-level.ts'
import { NodeError } from './errors.ts'
import { withheldRows } from './id-rows.ts'
import { FileJournal } from './journal.ts'
import { type DamagedFile, damagedFiles, lacksCurrent } from './level-files.ts'
import { readmitBytes } from './limits.ts'
import { machineEnvironment, machineRandom, nativeSuite, zstdCodec } from './native.ts'
import { Replica } from './replica.ts'
import type { Log } from './replica-types.ts'
import {
  asideKey,
  asideRows,
  countsKey,
  FORMAT,
  framesFrom,
  isGoneFrame,
  JOURNAL,
  metaKey,
  nameOfNote,
  noteKey,
  notesUnder,
  RESTORED,
  readCounts,
  readMeta,
  sealed,
  unsealed,
} from './rows.ts'
import { readFrame } from './store-frames.ts'
import { tallyFile } from './tally.ts'
import { Verifier } from './verifier.ts'

export type Repaired = {
  /** Files whose checksums did not hold. */
  readonly damagedFiles: readonly DamagedFile[]
  /** Rows that did not read back as written. */
  readonly damagedRows: number
  /** Ops held now. */
  readonly ops: number
  /** Ops that the store had counted and that are not held; undefined when that count could not be read. */
  readonly lost: number | undefined
  /** Frames kept whose ops wait for others that are lost. */
  readonly waiting: number
  /** The signing journal was damaged: nothing is signed until a peer was met, unless `alone`. */
  readonly journal: 'good' | 'repaired'
  /** Where what was there before lies now. */
  readonly kept: readonly string[]
}

const { sha256 } = nativeSuite
/** Frames. */
const THREADS_FROM = 2_000

/** What keeps the key from signing. */
const SIGNING_NOTES = new Set([RESTORED, JOURNAL])
/** Where the new store is made; a folder of this name without a store beside it is one whose last step was cut off. */
const REPAIRED = 'ops.repaired'

/** Gives a repaired store its name, when the repair was cut off just before. */
export async function finishRepair(data: string): Promise<void> {
  if (!existsSync(join(data, 'ops')) && existsSync(join(data, REPAIRED)))
    await rename(join(data, REPAIRED), join(data, 'ops'))
}

/**
 * Repairs a folder; `net` is the network it belongs to should its own note of that be damaged. Needs room for the store
 * twice. `alone`: no other node holds what the key has signed, so it may sign at once. NodeError: 'store-locked' when a
 * process has it, 'store-format', 'wrong-network', 'store-failed' (no room).
 */
export async function repairFolder(
  data: string,
  net: NetworkId,
  options: { readonly log?: Log; readonly now?: number; readonly alone?: boolean } = {},
): Promise<Repaired> {
  const { log = () => {}, now = Date.now(), alone = false } = options
  await finishRepair(data)
  const ops = join(data, 'ops')
  if (!existsSync(ops)) throw new NodeError('store-failed', `there is no store in ${data}`)
  await LevelDisk.checkUnlocked(ops)
  const at = new Date(now).toISOString().replace(/[-:.]/g, '')
  const kept = join(data, `ops.damaged-${at}`)
  const found = await damagedFiles(ops)
  if (await lacksCurrent(ops)) found.push({ name: 'CURRENT', what: 'it is gone' })
  await copyWhole(ops, kept)
  // Logs that a start has kept before LevelDB stepped over their damage hold what it left out.
  for (const name of await readdir(data)) {
    if (!/^ops\.logs-[0-9a-f]+$/.test(name)) continue
    for (const file of await readdir(join(data, name)))
      await cp(join(data, name, file), join(ops, file), { force: false })
  }
  await LevelDisk.repair(ops)
  const made = join(data, REPAIRED)
  await rm(made, { recursive: true, force: true })
  const journal = await FileJournal.repair(join(data, 'journal'), at)
  // One that is gone is begun anew.
  if (alone) await beginJournal(join(data, 'journal'))
  const read = await copyRows(ops, made, net, alone ? 'signs' : journal !== undefined ? 'waits' : 'as before')
  const { held, waiting } = await takeIn(made, net, read.frames, log)
  await rm(ops, { recursive: true })
  await rename(made, ops)
  const synced = await open(data)
  await synced.sync().finally(() => synced.close())
  return {
    damagedFiles: found,
    damagedRows: read.damaged,
    ops: held,
    lost: read.counted === undefined ? undefined : Math.max(0, read.counted - held),
    waiting,
    journal: journal === undefined ? 'good' : 'repaired',
    kept: [kept, ...(journal === undefined ? [] : [journal])],
  }
}

async function beginJournal(path: string): Promise<void> {
  await using journal = await FileJournal.open(path)
  await journal.begin()
}

/** Whole or not there. */
async function copyWhole(from: string, to: string): Promise<void> {
  const part = `${to}.part`
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { mode: 0o700 })
  await cp(from, part, { recursive: true, filter: (path) => !path.endsWith('/LOCK') })
  await rename(part, to)
}

/** Frames and what does not follow from them, of a store that LevelDB has made readable, into a new one. */
async function copyRows(from: string, to: string, named: NetworkId, key: 'signs' | 'waits' | 'as before') {
  await using source = await LevelDisk.open(from)
  await using target = await LevelDisk.open(to)
  const value = async (key: Uint8Array) => {
    const row = await source.get(key)
    return row && unsealed(row, sha256)
  }
  const [metaValue, countsValue] = [await value(metaKey), await value(countsKey)]
  const meta = metaValue && readMeta(metaValue)
  if (meta !== undefined && meta.format > FORMAT)
    throw new NodeError('store-format', `the store has format ${meta.format}, this program knows ${FORMAT}`)
  if (meta !== undefined && meta.net !== named)
    throw new NodeError('wrong-network', `the store belongs to network ${meta.net}, not to ${named}`)
  const parts = { net: named, sha256, codec: zstdCodec }
  let damaged = 0
  let rows: Put[] = []
  let bytes = 0
  const put = async (key: Uint8Array, row: Uint8Array) => {
    rows.push({ key, value: row })
    bytes += row.length
    if (bytes < readmitBytes) return
    await target.batch(rows)
    rows = []
    bytes = 0
  }
  let place = 0
  const seen = new Set<OpId>()
  for (const range of [asideRows, framesFrom(0)]) {
    for await (const [, row] of source.entries(range)) {
      if (isGoneFrame(row)) continue
      const read = readFrame(row, parts)
      if (read === undefined) damaged++
      else {
        for (const { op } of read.frame.entries) seen.add(op.id)
        await put(asideKey(++place), row)
      }
    }
  }
  for (const range of [notesUnder(''), withheldRows]) {
    for await (const [name, row] of source.entries(range)) {
      if (unsealed(row, sha256) === undefined) damaged++
      else if (key !== 'signs' || !SIGNING_NOTES.has(nameOfNote(name))) await put(name, row)
    }
  }
  if (key === 'waits') await put(noteKey(RESTORED), sealed(utf8('1'), sha256))
  await target.batch([...rows, ...rowsOf(emptyStore(named, machineRandom), sha256)], { sync: true })
  // The end of a log that is gone took the newest counts with it; the tally lies outside.
  const tally = await tallyFile(join(dirname(from), 'tally')).read()
  const counted = countsValue && readCounts(countsValue)?.ops
  const isOurs = typeof tally === 'object' && tally.epoch === meta?.epoch
  return { frames: place, damaged, counted: isOurs ? Math.max(counted ?? 0, tally.ops) : counted }
}

async function takeIn(folder: string, net: NetworkId, frames: number, log: Log) {
  await using disk: Disk = await LevelDisk.open(folder)
  // Threads take longer to start than few signatures to check.
  await using checker = new Verifier(frames < THREADS_FROM ? { threads: 0 } : {})
  await using replica = await Replica.open({
    disk,
    environment: machineEnvironment,
    suite: nativeSuite,
    checker,
    net,
    codec: zstdCodec,
    log,
  })
  await replica.ready
  return { held: replica.counts().ops, waiting: replica.health().waitingFrames }
}
