/**
 * Backups of data folders: which files of a folder belong into one, and how a folder is made of one again.
 *
 * A restored store begins a new epoch, for what arrives next takes numbers that followers may have seen with other
 * changes. And its key may have signed more since the backup was made: unless a journal that is newer than the backup
 * lies in the folder, the store is marked, and nothing is signed until it has met a peer (signing.ts).
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { toHex, utf8 } from '../crdt/index.ts'
import { type Backup, backupFiles, backupRows, checkBackup, filesOf, type ReadAt, rowsOf } from './backup.ts'
import { LevelDisk } from './disk-level.ts'
import { NodeError } from './errors.ts'
import { journalRecordBytes } from './journal.ts'
import { openFolder } from './keys.ts'
import { machineRandom, nativeSuite } from './native.ts'
import {
  countsKey,
  JOURNAL,
  type Meta,
  metaKey,
  metaRow,
  noteKey,
  RESTORED,
  readCounts,
  readMeta,
  sealed,
  unsealed,
} from './rows.ts'

/** What is made anew (search), tells of a running process, or is the store itself. */
const LEFT_OUT = new Set(['ops', 'search', 'node.json', '.restoring'])
/** So are stores beside the store: damaged ones that were kept, and those being made. */
const isLeftOut = (name: string) => LEFT_OUT.has(name) || name.startsWith('ops.')
const JOURNAL_FILE = 'journal'
/** Where files lie until they get their names. */
const ASIDE = '.restoring'

/** The files of a data folder as the first section of a backup. `more`: files from elsewhere, by their name in it. */
export function backupFilesOf(data: string, more: Readonly<Record<string, string>> = {}): AsyncGenerator<Uint8Array> {
  const all = async function* () {
    for (const path of await filesIn(data)) {
      const name = relative(data, path).split(sep).join('/')
      yield { name, pieces: createReadStream(path) }
    }
    for (const [name, path] of Object.entries(more)) yield { name, pieces: createReadStream(path) }
  }
  return backupFiles(all())
}

async function filesIn(data: string): Promise<string[]> {
  const entries = await readdir(data, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !isLeftOut(relative(data, path).split(sep)[0] ?? ''))
    .sort()
}

/** The rows of a store that no process has open. NodeError('store-locked') when one has. */
export async function* backupStoppedStore(data: string): AsyncGenerator<Uint8Array> {
  await using disk = await LevelDisk.open(join(data, 'ops'))
  yield* backupRows(disk)
}

export type Restored = {
  readonly ops: number
  readonly net: string
  /** Nothing is signed until a peer was met. */
  readonly waits: boolean
  /** Files that were there already and have been left as they are. */
  readonly kept: readonly string[]
}

export type RestoreOptions = {
  /** Nobody else holds what the key has signed since the backup: it may sign at once. */
  readonly alone?: boolean
}

/**
 * Makes the folder of a backup. The folder may be there, with its key and journal, but without a store. The store comes
 * to its name last and whole; what a crash leaves is done again.
 *
 * NodeError: 'store-corrupt' (the backup is damaged), 'store-locked' (there is a store), 'key-unsafe' (another key).
 */
export async function restoreFolder(file: string, data: string, options: RestoreOptions = {}): Promise<Restored> {
  await using handle = await open(file)
  const read = readerOf(handle)
  const backup = await checkBackup(read)
  if (typeof backup === 'string') throw new NodeError('store-corrupt', `${file} cannot be restored: ${backup}`)
  await openFolder(data)
  const ops = join(data, 'ops')
  if (await isThere(ops)) {
    throw new NodeError(
      'store-locked',
      `${data} has a store already; stop its node and move ${ops} away. Its journal stays`,
    )
  }
  const { kept, journal } = await restoreFiles(read, backup, data)
  const waits = journal !== 'newer' && options.alone !== true
  const facts = await restoreRows(read, backup, ops, waits)
  // Last: a journal that lies there before the store would pass for one that is newer, if this were done again.
  const aside = join(data, ASIDE)
  if (journal === 'restored' && (await isThere(join(aside, JOURNAL_FILE))))
    await rename(join(aside, JOURNAL_FILE), join(data, JOURNAL_FILE))
  await rm(aside, { recursive: true, force: true })
  return { ...facts, waits, kept }
}

/** Reads all of a backup file. Undefined when it is good, else what is wrong. */
export async function checkBackupFile(file: string): Promise<string | undefined> {
  await using handle = await open(file)
  const checked = await checkBackup(readerOf(handle))
  return typeof checked === 'string' ? checked : undefined
}

function readerOf(handle: FileHandle): ReadAt {
  return async (at, length) => {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, at + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  }
}

async function restoreFiles(
  read: ReadAt,
  backup: Backup,
  data: string,
): Promise<{ kept: readonly string[]; journal: 'newer' | 'restored' }> {
  const aside = join(data, ASIDE)
  await rm(aside, { recursive: true, force: true })
  const names = new Set<string>()
  for await (const { name, bytes } of filesOf(read, backup.files)) {
    if (!isOwnName(name))
      throw new NodeError('store-corrupt', 'the backup names a file that belongs into no data folder')
    const path = join(aside, name)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await using file = await open(path, names.has(name) ? 'a' : 'wx', 0o600)
    await file.writeFile(bytes)
    await file.sync()
    names.add(name)
  }
  const key = await sameKey(join(aside, 'key'), join(data, 'key'))
  if (!key) {
    throw new NodeError('key-unsafe', `${data} has another key than the backup; restore into an empty folder`)
  }
  const journal = await continues(join(data, JOURNAL_FILE), join(aside, JOURNAL_FILE))
  const kept: string[] = []
  for (const name of names) {
    const to = join(data, name)
    if (name === JOURNAL_FILE && journal === 'restored') continue
    if (await isThere(to)) {
      kept.push(name)
      continue
    }
    await mkdir(dirname(to), { recursive: true, mode: 0o700 })
    await rename(join(aside, name), to)
  }
  return { kept, journal }
}

/** Below the folder, and none of what a backup leaves out. */
function isOwnName(name: string): boolean {
  const parts = name.split('/')
  return !isLeftOut(parts[0] ?? '') && parts.every((part) => /^[^\\:\0]+$/.test(part) && part !== '.' && part !== '..')
}

async function sameKey(backup: string, present: string): Promise<boolean> {
  if (!(await isThere(present)) || !(await isThere(backup))) return true
  return (await readFile(backup, 'utf8')).trim() === (await readFile(present, 'utf8')).trim()
}

/** Whether the journal that lies in the folder is that of the backup, grown since: then it knows all that was signed. */
async function continues(present: string, backup: string): Promise<'newer' | 'restored'> {
  if (!(await isThere(present))) return 'restored'
  const [mine, copied] = await Promise.all([readFile(present), readFile(backup).catch(() => Buffer.alloc(0))])
  // What was being written when it was copied may have come to nothing.
  const old = copied.subarray(0, copied.length - (copied.length % journalRecordBytes))
  if (mine.length >= old.length && mine.subarray(0, old.length).equals(old)) return 'newer'
  // Shorter: that of an older backup. Otherwise two histories of one key, of which neither may be dropped.
  if (mine.length < old.length && old.subarray(0, mine.length).equals(mine)) return 'restored'
  throw new NodeError(
    'key-journal',
    `${present} is the journal of another history than the backup's; keep it, and restore elsewhere`,
  )
}

async function restoreRows(
  read: ReadAt,
  backup: Backup,
  ops: string,
  waits: boolean,
): Promise<{ readonly ops: number; readonly net: string }> {
  const { sha256 } = nativeSuite
  const aside = `${ops}.restoring`
  await rm(aside, { recursive: true, force: true })
  let meta: Meta | undefined
  let counted = 0
  {
    await using disk = await LevelDisk.open(aside)
    for await (const rows of rowsOf(read, backup.rows)) {
      await disk.batch(rows)
      for (const { key, value } of rows) {
        const plain = key.length === 1 ? unsealed(value, sha256) : undefined
        if (plain && toHex(key) === toHex(metaKey)) meta = readMeta(plain)
        if (plain && toHex(key) === toHex(countsKey)) counted = readCounts(plain)?.ops ?? 0
      }
    }
    if (meta === undefined) throw new NodeError('store-corrupt', 'the backup holds no store')
    const begun = { ...meta, epoch: toHex(machineRandom.bytes(16)) }
    // What the journal beside it was like, the backup does not tell.
    const journal = { key: noteKey(JOURNAL) }
    const mark = waits ? [{ key: noteKey(RESTORED), value: sealed(utf8('1'), sha256) }] : [{ key: noteKey(RESTORED) }]
    await disk.batch([{ key: metaKey, value: sealed(metaRow(begun), sha256) }, journal, ...mark], { sync: true })
  }
  await rename(aside, ops)
  return { ops: counted, net: meta.net }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
