/**
 * The disk of a real node: LevelDB in one folder, held by one process.
 *
 * Every failure becomes a NodeError whose message says what happened to which folder. LevelDB does not check what it
 * reads (a flipped bit can come back as a wrong value without an error): that is for the rows' own checks, store.ts.
 *
 * After a write that failed LevelDB takes no more, or worse, writes on behind half a record, which the next start cannot
 * read past. So nothing more is written until the folder was opened anew: by the next start, or, when the disk was full
 * or read-only, by the first write that finds room again. Reads go on meanwhile.
 */

import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { cp, link, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Level } from 'level'
import type { Del, Disk, Put, Range } from './disk.ts'
import { NodeError } from './errors.ts'
import { type DamagedFile, damagedLogs, lacksCurrent } from './level-files.ts'
import { diskCacheBytes, diskReadsHereMax, diskReopenFreeBytes, diskWriteBufferBytes } from './limits.ts'
import { freeBytes } from './storage.ts'

const bytes = { keyEncoding: 'view', valueEncoding: 'view' } as const

/** The part of LevelDB's iterators that is read by. */
type Rows<T> = { nextv(size: number): Promise<T[]>; close(): Promise<void> }

export class LevelDisk implements Disk {
  readonly folder: string
  /** Logs that were damaged when it was opened, and where they are kept: LevelDB has left out what it could not read. */
  readonly damaged: { readonly logs: readonly DamagedFile[]; readonly kept: string } | undefined
  readonly #level: Level<Uint8Array, Uint8Array>
  /** Writes that failed, and why the first of them did; undefined as long as all went well. */
  #stuck: { readonly error: NodeError; readonly batches: (readonly (Put | Del)[])[] } | undefined
  #reopening: Promise<void> | undefined
  /** Reads on other threads, and iterators that are open. */
  #reading = 0

  private constructor(folder: string, level: Level<Uint8Array, Uint8Array>, damaged: LevelDisk['damaged']) {
    this.folder = folder
    this.damaged = damaged
    this.#level = level
  }

  /**
   * Opens the folder, or makes it. NodeError('store-locked') when another process has it open, with that process'
   * id when it can be told; the caller decides whether to wait. NodeError('store-corrupt') when LevelDB's own files
   * are damaged. A damaged log does not keep it from opening: it is copied first.
   */
  static async open(folder: string): Promise<LevelDisk> {
    if (await lacksCurrent(folder)) throw corrupt(folder, 'the file CURRENT is gone')
    const damaged = await keepDamagedLogs(folder)
    const level = new Level<Uint8Array, Uint8Array>(folder, {
      ...bytes,
      cacheSize: diskCacheBytes,
      writeBufferSize: diskWriteBufferBytes,
    })
    try {
      await level.open()
    } catch (error) {
      throw await openingFailed(folder, error)
    }
    // Only for the message to a second process: losing it costs a number in a sentence.
    await writeFile(holderFile(folder), `${process.pid}\n`).catch(() => {})
    return new LevelDisk(folder, level, damaged)
  }

  /** Puts together what can be read of a damaged folder, so that it opens: that takes the damaged files away. */
  static async repair(folder: string): Promise<void> {
    // In Node `level` is classic-level, whose types say more.
    await (Level as unknown as { repair(folder: string): Promise<void> }).repair(folder)
  }

  /** NodeError('store-locked') when another process has the folder open. Nothing in it is touched. */
  static async checkUnlocked(folder: string): Promise<void> {
    const aside = await mkdtemp(join(dirname(folder), '.lock-'))
    try {
      // The same lock by another name: opening the folder itself would have LevelDB step over its damage.
      await link(join(folder, 'LOCK'), join(aside, 'LOCK'))
      const level = new Level(aside)
      await level.open()
      await level.close()
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      if (codeOf(cause) === 'LEVEL_LOCKED') throw await openingFailed(folder, error)
      if (codeOf(cause) !== 'ENOENT') throw error
    } finally {
      await rm(aside, { recursive: true, force: true })
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#reopening !== undefined) await this.#reopening
    return this.#run('read', async () => this.#level.getSync(key))
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return []
    if (this.#reopening !== undefined) await this.#reopening
    if (keys.length <= diskReadsHereMax)
      return this.#run('read', async () => keys.map((key) => this.#level.getSync(key)))
    return this.#whileOpen(() => this.#run('read', () => this.#level.getMany(keys as Uint8Array[])))
  }

  async batch(changes: readonly (Put | Del)[], options?: { readonly sync?: boolean }): Promise<void> {
    if (this.#stuck !== undefined) await this.#unstick(this.#stuck)
    const operations = changes.map(({ key, value }) =>
      value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value },
    )
    try {
      await this.#run('write', () => this.#level.batch(operations, { ...bytes, sync: options?.sync === true }))
    } catch (error) {
      if (!(error instanceof NodeError) || error.code === 'closed') throw error
      this.#stuck ??= { error, batches: [] }
    }
    if (this.#stuck === undefined) return
    // One that succeeded may stand behind half a record of another.
    this.#stuck.batches.push(changes)
    throw this.#stuck.error
  }

  entries(range: Range): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#all(() => this.#level.iterator(given(range)))
  }

  keys(range: Range): AsyncIterable<Uint8Array> {
    return this.#all(() => this.#level.keys(given(range)))
  }

  async compact({ gte, lte }: { gte: Uint8Array; lte: Uint8Array }): Promise<void> {
    // In Node `level` is classic-level, whose types say more.
    const level = this.#level as unknown as { compactRange(from: Uint8Array, to: Uint8Array): Promise<void> }
    await this.#run('compact', () => level.compactRange(gte, lte))
  }

  async *#all<T>(open: () => Rows<T>): AsyncIterable<T> {
    if (this.#reopening !== undefined) await this.#reopening
    // LevelDB's iterator reads from a snapshot taken here, so what is written meanwhile is not seen.
    const iterator = this.#begin(open)
    this.#reading++
    try {
      for (;;) {
        const some = await this.#run('read', () => iterator.nextv(iteratorRows))
        if (some.length === 0) return
        yield* some
      }
    } finally {
      await iterator.close()
      this.#reading--
    }
  }

  async #whileOpen<T>(call: () => Promise<T>): Promise<T> {
    this.#reading++
    try {
      return await call()
    } finally {
      this.#reading--
    }
  }

  /** Opens the folder anew where that may help; throws while it does not. */
  async #unstick(stuck: { readonly error: NodeError; readonly batches: readonly (readonly (Put | Del)[])[] }) {
    if (this.#reopening === undefined) {
      if (!mayPass(stuck.error) || this.#reading > 0 || !hasRoom(this.folder)) throw stuck.error
      this.#reopening = this.#run('open', async () => {
        await this.#level.close()
        await this.#level.open()
      }).finally(() => {
        this.#reopening = undefined
      })
    }
    await this.#reopening
    if (this.#stuck !== stuck) return
    // Said to have failed and written all the same: only a start reads what follows from it.
    if (stuck.batches.some((batch) => this.#holds(batch))) throw stuck.error
    this.#stuck = undefined
  }

  #holds(batch: readonly (Put | Del)[]): boolean {
    return (
      batch.length > 0 &&
      batch.every(({ key, value }) => {
        const held = this.#level.getSync(key)
        return value === undefined ? held === undefined : held !== undefined && Buffer.compare(held, value) === 0
      })
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run('close', () => this.#level.close())
  }

  #begin<T>(call: () => T): T {
    try {
      return call()
    } catch (cause) {
      throw this.#failed('read', cause)
    }
  }

  async #run<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (cause) {
      throw this.#failed(what, cause)
    }
  }

  #failed(what: string, cause: unknown): NodeError {
    const code = codeOf(cause)
    if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') {
      return new NodeError('closed', `the store ${this.folder} is closed`, { cause })
    }
    if (isDamage(cause)) return corrupt(this.folder, textOf(cause), cause)
    return new NodeError('store-failed', `couldn't ${what} the store ${this.folder}: ${textOf(cause)}`, { cause })
  }
}

/** Whether the system says that writing fails for a reason that may pass: no room, or a file system that is read-only. */
function mayPass({ message }: NodeError): boolean {
  return /no space left|quota exceeded|read-only file system/i.test(message)
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
  } catch {
    return false
  }
  return (freeBytes(folder) ?? 0) >= diskReopenFreeBytes
}

/** Rows fetched from LevelDB at once; a full scan of small rows is ten times faster than one by one. */
const iteratorRows = 512

/** Without bounds that are undefined: LevelDB would take those for the end of everything. */
function given(range: Range): Range {
  return Object.fromEntries(Object.entries(range).filter(([, value]) => value !== undefined))
}

function holderFile(folder: string): string {
  return join(folder, 'HOLDER')
}

async function openingFailed(folder: string, error: unknown): Promise<NodeError> {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = codeOf(cause)
  if (code === 'LEVEL_LOCKED') {
    const holder = Number.parseInt(await readFile(holderFile(folder), 'utf8').catch(() => ''), 10)
    const who = holder > 0 ? `process ${holder}` : 'another process'
    return new NodeError('store-locked', `${who} has the store ${folder} open; only one process may`, { cause })
  }
  if (isDamage(cause)) return corrupt(folder, textOf(cause), cause)
  return new NodeError('store-failed', `couldn't open the store ${folder}: ${textOf(cause)}`, { cause })
}

/** To LevelDB a file that is missing or cut is an error of the system's, as are a full disk and a folder that cannot be written. */
function isDamage(cause: unknown): boolean {
  return codeOf(cause) === 'LEVEL_CORRUPTION' || /No such file|Invalid argument/.test(textOf(cause))
}

function corrupt(folder: string, why: string, cause?: unknown): NodeError {
  const message = `the files of the store ${folder} are damaged (${why}); \`peerage repair\` makes a good store of what can be read`
  return new NodeError('store-corrupt', message, { cause })
}

/** Copies, beside the store, of logs whose damage LevelDB would step over before it deletes them. */
async function keepDamagedLogs(folder: string): Promise<LevelDisk['damaged']> {
  const logs = await damagedLogs(folder).catch((): DamagedFile[] => [])
  if (logs.length === 0) return undefined
  await LevelDisk.checkUnlocked(folder)
  const hash = createHash('sha256')
  for (const { name } of logs) hash.update(await readFile(join(folder, name)))
  // Named by what it holds: a start that fails and is tried again and again keeps it once.
  const kept = `${folder}.logs-${hash.digest('hex').slice(0, 12)}`
  const part = `${kept}.part`
  if (existsSync(kept)) return { logs, kept }
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { mode: 0o700 })
  for (const { name } of logs) await cp(join(folder, name), join(part, name))
  await rename(part, kept)
  return { logs, kept }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
