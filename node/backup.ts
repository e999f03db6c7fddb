/**
 * A backup: the files of a data folder and the rows of its store, in one file that says whether it is whole.
 *
 *   section   "peerage/1/backup", parts, an end; a backup is a section of files and then one of rows
 *   part      type 1, length u32be, payload
 *   f         a piece of a file: length of its name u16be, name, bytes; pieces of one file in order
 *   r         rows: zstd of (length u32be, key, length u32be, value) again and again
 *   e         the end: SHA-256 of everything before it in its section
 *
 * The rows are those of one moment, whatever is written meanwhile: LevelDB's iterator reads from a snapshot. The files
 * come first, so that the journal never tells of an op that the rows lack. Rows hold no secrets; the files do.
 *
 * What reads it is its own node, but a disk lies between: nothing is taken from a section before its end was checked.
 */
import { createHash, type Hash } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { concat, toHex, u32be, utf8 } from '../crdt/index.ts'
import type { Disk, Put } from './disk.ts'
import { backupPartBytes, backupPartBytesMax } from './limits.ts'

const MAGIC = utf8('peerage/1/backup')
const HEAD_BYTES = 5
const [FILE, ROWS, END] = [0x66, 0x72, 0x65]

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** The store of one moment as a section. */
export async function* backupRows(disk: Disk): AsyncGenerator<Uint8Array> {
  const section = new SectionWriter()
  yield section.begin()
  let some: Uint8Array[] = []
  let bytes = 0
  for await (const [key, value] of disk.entries({})) {
    some.push(u32be(key.length), key, u32be(value.length), value)
    bytes += 8 + key.length + value.length
    if (bytes < backupPartBytes) continue
    yield section.part(ROWS, await compress(concat(...some)))
    some = []
    bytes = 0
  }
  if (bytes > 0) yield section.part(ROWS, await compress(concat(...some)))
  yield section.end()
}

/** Files by name as a section; each is read as it is when its turn comes. */
export async function* backupFiles(
  files: AsyncIterable<{ readonly name: string; readonly pieces: AsyncIterable<Uint8Array> }>,
): AsyncGenerator<Uint8Array> {
  const section = new SectionWriter()
  yield section.begin()
  for await (const { name, pieces } of files) {
    const named = utf8(name)
    const head = concat(Uint8Array.of(named.length >> 8, named.length), named)
    // An empty file is one empty piece.
    yield section.part(FILE, head)
    for await (const piece of pieces) yield section.part(FILE, concat(head, piece))
  }
  yield section.end()
}

class SectionWriter {
  readonly #hash: Hash = createHash('sha256')

  begin(): Uint8Array {
    return this.#hashed(MAGIC)
  }

  part(type: number, payload: Uint8Array): Uint8Array {
    return this.#hashed(concat(Uint8Array.of(type), u32be(payload.length), payload))
  }

  end(): Uint8Array {
    return this.part(END, this.#hash.copy().digest())
  }

  #hashed(bytes: Uint8Array): Uint8Array {
    this.#hash.update(bytes)
    return bytes
  }
}

/** Reads `length` bytes from a place of the file; fewer at its end. */
export type ReadAt = (at: number, length: number) => Promise<Uint8Array>
/** Where the parts of a backup's sections lie; both ends have been checked. */
export type Backup = { readonly files: Section; readonly rows: Section }
export type Section = { readonly parts: number; readonly from: number; readonly to: number }

/**
 * Reads all of a backup and checks it: its sections, or what is wrong with it and where. Holds one part in memory.
 */
export async function checkBackup(read: ReadAt): Promise<Backup | string> {
  const files = await checkSection(read, 0)
  if (typeof files === 'string') return files
  const rows = await checkSection(read, files.to)
  if (typeof rows === 'string') return rows
  if ((await read(rows.to, 1)).length > 0) return `something follows the end at byte ${rows.to}`
  return { files, rows }
}

async function checkSection(read: ReadAt, from: number): Promise<Section | string> {
  const magic = await read(from, MAGIC.length)
  if (toHex(magic) !== toHex(MAGIC))
    return magic.length === 0 ? `it ends at byte ${from}` : `no backup begins at byte ${from}`
  const hash = createHash('sha256').update(magic)
  let parts = 0
  for (let at = from + MAGIC.length; ; parts++) {
    const part = await readPart(read, at)
    if (typeof part === 'string') return part
    if (part.type === END) {
      if (toHex(hash.digest()) !== toHex(part.payload)) return `what lies before byte ${at} is damaged`
      return { parts, from, to: part.to }
    }
    hash.update(part.head).update(part.payload)
    at = part.to
  }
}

type Part = { readonly type: number; readonly head: Uint8Array; readonly payload: Uint8Array; readonly to: number }

async function readPart(read: ReadAt, at: number): Promise<Part | string> {
  const head = await read(at, HEAD_BYTES)
  if (head.length < HEAD_BYTES) return `it is cut off at byte ${at + head.length}`
  const length = new DataView(head.buffer, head.byteOffset).getUint32(1)
  const type = head[0]!
  if (![FILE, ROWS, END].includes(type) || length > backupPartBytesMax) return `it is damaged at byte ${at}`
  const payload = await read(at + HEAD_BYTES, length)
  if (payload.length < length) return `it is cut off at byte ${at + HEAD_BYTES + payload.length}`
  return { type, head, payload, to: at + HEAD_BYTES + length }
}

/** The pieces of the files of a section that was checked, in order. */
export async function* filesOf(
  read: ReadAt,
  section: Section,
): AsyncGenerator<{ readonly name: string; readonly bytes: Uint8Array }> {
  for await (const payload of payloadsOf(read, section, FILE)) {
    const length = (payload[0]! << 8) | payload[1]!
    yield { name: new TextDecoder().decode(payload.subarray(2, 2 + length)), bytes: payload.subarray(2 + length) }
  }
}

/** The rows of a section that was checked, part by part. */
export async function* rowsOf(read: ReadAt, section: Section): AsyncGenerator<readonly Put[]> {
  for await (const payload of payloadsOf(read, section, ROWS)) {
    const raw = await decompress(payload, { maxOutputLength: backupPartBytesMax })
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
    const rows: Put[] = []
    for (let at = 0; at < raw.length; ) {
      const take = () => {
        const length = view.getUint32(at)
        at += 4 + length
        return new Uint8Array(raw.buffer, raw.byteOffset + at - length, length)
      }
      rows.push({ key: take(), value: take() })
    }
    yield rows
  }
}

async function* payloadsOf(read: ReadAt, section: Section, type: number): AsyncGenerator<Uint8Array> {
  let at = section.from + MAGIC.length
  for (let n = 0; n < section.parts; n++) {
    const part = await readPart(read, at)
    // It was good a moment ago: the disk under it fails.
    if (typeof part === 'string') throw new Error(`the backup changed while it was read: ${part}`)
    if (part.type === type) yield part.payload
    at = part.to
  }
}
