/**
 * The signing journal: a file that remembers what the custodial key has signed.
 *
 * The store alone cannot tell that it was set back: after a backup is restored it would sign a second history beside
 * the one its peers hold. The journal only grows, and is kept outside what a backup of the store restores.
 *
 *   record (69 bytes)   type 1; record id 32; op id 32 (zeros but in type 1); check 4
 *   type                1 = signed; 2 = what was signed since the last 2 or 3 is in the store; 3 = it never got there
 *
 * It begins with a 2, written before anything is signed: an empty one was only just made, perhaps for one that is gone.
 * The check is the first bytes of the SHA-256 of the 65 before it. What a crash left half written at the end is cut off
 * at open: nobody was told of those ops. Damage anywhere else is NodeError('key-journal').
 */
import { hash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { type FileHandle, open, rename, writeFile } from 'node:fs/promises'
import { fromHex, type OpId, type RecordId, toHex } from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { syncName } from './keys.ts'
import { nativeSuite } from './native.ts'
import type { Journal, JournalEntry } from './replica-types.ts'

export const journalRecordBytes = 69
const SIZE = journalRecordBytes
const SIGNED = 1
const SETTLED = 2
const ABANDONED = 3
/** Records read at once. */
const CHUNK = 4096

export class FileJournal implements Journal, AsyncDisposable {
  readonly #path: string
  readonly #file: FileHandle
  /** Bytes that no power cut can take. */
  #durable: number
  /** Bytes that count; a failed append leaves what it wrote beyond, to be written over. */
  #end: number
  /** Where the fate of what was signed is known up to. */
  #settled: number
  /** What never got into the store: from, to. */
  readonly #abandoned: (readonly [number, number])[]

  private constructor(
    path: string,
    file: FileHandle,
    end: number,
    settled: number,
    abandoned: (readonly [number, number])[],
  ) {
    this.#path = path
    this.#file = file
    this.#durable = end
    this.#end = end
    this.#settled = settled
    this.#abandoned = abandoned
  }

  /** Opens or makes the file (mode 0600). NodeError('key-journal') when it is damaged, 'store-failed' when unreadable. */
  static async open(path: string): Promise<FileJournal> {
    const file = await openFile(path)
    try {
      let end = 0
      let settled = 0
      let bad: number | undefined
      const abandoned: [number, number][] = []
      for await (const some of chunksOf(file, 0, (await file.stat()).size)) {
        for (const { at, type } of recordsIn(some)) {
          if (type === undefined) bad ??= at
          else if (bad !== undefined) throw damaged(path, bad)
          else end = at + SIZE
          if (type === ABANDONED) abandoned.push([settled, end])
          if (type === SETTLED || type === ABANDONED) settled = end
        }
      }
      await file.truncate(end)
      await file.datasync()
      return new FileJournal(path, file, end, settled, abandoned)
    } catch (cause) {
      await file.close()
      throw cause instanceof NodeError ? cause : failed(path, 'read', cause)
    }
  }

  /** Says what is wrong with it, and changes nothing; undefined when it is good or not there. */
  static async check(path: string): Promise<string | undefined> {
    const file = await open(path, 'r').catch(() => undefined)
    if (file === undefined) return undefined
    try {
      let bad: number | undefined
      for await (const { at, type } of recordsOf(file, 0, (await file.stat()).size)) {
        if (type === undefined) bad ??= at
        else if (bad !== undefined) return damaged(path, bad).message
      }
      return undefined
    } finally {
      await file.close()
    }
  }

  /**
   * Leaves of a damaged journal what is certain: ops that were signed and whose fate a mark tells, with no damage in
   * between. Answers where the damaged one lies now; undefined when it was good or not there.
   */
  static async repair(path: string, at: string): Promise<string | undefined> {
    if ((await FileJournal.check(path)) === undefined) return undefined
    const [certain, made, kept] = [[] as Uint8Array[], `${path}.repaired`, `${path}.damaged-${at}`]
    await using file = await openFile(path)
    let signed: Uint8Array[] = []
    let isCertain = true
    for await (const { type, bytes } of recordsOf(file, 0, (await file.stat()).size)) {
      if (type === undefined) isCertain = false
      else if (type === SIGNED) signed.push(bytes.slice())
      else {
        if (isCertain && type === SETTLED) certain.push(...signed, bytes.slice())
        signed = []
        isCertain = true
      }
    }
    await writeFile(made, Buffer.concat(certain), { mode: 0o600, flush: true })
    await rename(path, kept)
    await rename(made, path)
    return kept
  }

  get size(): number {
    return this.#durable
  }

  async *entries(): AsyncIterable<JournalEntry> {
    const settled = this.#settled
    for await (const { at, type, bytes } of recordsOf(this.#file, 0, this.#end)) {
      if (type === undefined) throw damaged(this.#path, at)
      if (type === SIGNED && !this.#abandoned.some(([from, to]) => from <= at && at < to)) {
        yield { record: toHex(bytes.subarray(1, 33)), op: toHex(bytes.subarray(33, 65)), settled: at < settled }
      }
    }
  }

  async begin(): Promise<void> {
    if (this.#end > 0) return
    try {
      this.#write(markOf(SETTLED))
      await this.#file.datasync()
    } catch (cause) {
      throw failed(this.#path, 'write', cause)
    }
    this.#end = SIZE
    this.#settled = SIZE
    this.#durable = SIZE
  }

  async append(entries: readonly { readonly record: RecordId; readonly op: OpId }[]): Promise<void> {
    const bytes = new Uint8Array(entries.length * SIZE)
    entries.forEach(({ record, op }, i) => {
      const at = i * SIZE
      bytes[at] = SIGNED
      bytes.set(fromHex(record), at + 1)
      bytes.set(fromHex(op), at + 33)
      seal(bytes.subarray(at, at + SIZE))
    })
    try {
      this.#write(bytes)
      await this.#file.datasync()
    } catch (cause) {
      throw failed(this.#path, 'write', cause)
    }
    this.#end += bytes.length
    this.#durable = this.#end
  }

  async settle(): Promise<void> {
    await this.#mark(SETTLED)
  }

  async abandon(): Promise<void> {
    const from = this.#settled
    await this.#mark(ABANDONED)
    this.#abandoned.push([from, this.#settled])
  }

  async #mark(type: number): Promise<void> {
    if (this.#settled === this.#end) return
    try {
      this.#write(markOf(type))
    } catch (cause) {
      throw failed(this.#path, 'write', cause)
    }
    this.#end += SIZE
    this.#settled = this.#end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  /** To the system, not the disk: microseconds, when handing it to another thread would hold up every write by more. */
  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#file.fd, bytes, done, bytes.length - done, this.#end + done)
    }
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Not 'a': on Linux that appends whatever the position says, and a failed append must be written over.
    const file = await open(path, 'r+').catch((error) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    })
    if (file !== undefined) return file
    const made = await open(path, 'wx+', 0o600)
    await syncName(path)
    return made
  } catch (cause) {
    throw failed(path, 'open', cause)
  }
}

type Rec = { readonly at: number; readonly type: number | undefined; readonly bytes: Uint8Array }

/** Whole records; `type` is undefined where the bytes are not one. */
async function* recordsOf(file: FileHandle, from: number, to: number): AsyncIterable<Rec> {
  for await (const some of chunksOf(file, from, to)) yield* recordsIn(some)
}

type Chunk = { readonly start: number; readonly bytes: Uint8Array }

function* recordsIn({ start, bytes }: Chunk): Iterable<Rec> {
  for (let at = 0; at + SIZE <= bytes.length; at += SIZE) {
    const record = bytes.subarray(at, at + SIZE)
    yield { at: start + at, type: isSealed(record) ? record[0] : undefined, bytes: record }
  }
}

/** Whole records in memory that the next chunk takes over. To wait for each record by itself would take a million turns. */
async function* chunksOf(file: FileHandle, from: number, to: number): AsyncIterable<Chunk> {
  const chunk = new Uint8Array(SIZE * CHUNK)
  for (let start = from; start < to; ) {
    let length = 0
    while (length < chunk.length && start + length < to) {
      const wanted = Math.min(chunk.length, to - start) - length
      const { bytesRead } = await file.read(chunk, length, wanted, start + length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    if (length < SIZE) return
    yield { start, bytes: chunk.subarray(0, length) }
    start += Math.floor(length / SIZE) * SIZE
  }
}

function markOf(type: number): Uint8Array {
  const record = new Uint8Array(SIZE)
  record[0] = type
  seal(record)
  return record
}

function seal(record: Uint8Array): void {
  record.set(checkOf(record), SIZE - 4)
}

function isSealed(record: Uint8Array): boolean {
  const type = record[0]
  if (type === undefined || type < SIGNED || type > ABANDONED) return false
  // As text of single bytes: twice as fast as an array of them, and a million are looked at before a start.
  const check = hash('sha256', record.subarray(0, SIZE - 4), 'binary')
  for (let i = 0; i < 4; i++) if (check.charCodeAt(i) !== record[SIZE - 4 + i]) return false
  return true
}

function checkOf(record: Uint8Array): Uint8Array {
  return nativeSuite.sha256(record.subarray(0, SIZE - 4)).subarray(0, 4)
}

function damaged(path: string, at: number): NodeError {
  return new NodeError(
    'key-journal',
    `the signing journal ${path} is damaged at byte ${at}; nothing is signed without it (\`peerage repair\` keeps what it says for certain)`,
  )
}

function failed(path: string, what: string, cause: unknown): NodeError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new NodeError('store-failed', `couldn't ${what} the signing journal ${path}: ${why}`, { cause })
}
