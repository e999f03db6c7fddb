/**
 * LevelDB's files, checked by their own checksums, which LevelDB itself leaves unread: it answers from a damaged table,
 * steps over damage in a log and then deletes the log, and takes a folder without CURRENT for a new store and deletes
 * the rest. Nothing is written here.
 *
 *   *.log, MANIFEST-*   blocks of 32 KiB of records: crc u32, length u16, type, bytes
 *   *.ldb, *.sst        blocks, each with type and crc u32 behind it; at the end where the index of blocks is
 *
 * All numbers are little-endian; a crc is CRC-32C over type and bytes, masked as LevelDB does.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

export type DamagedFile = { readonly name: string; readonly what: string }

/** Whether it holds a store's files but not the one that says which of them count. LevelDB must not open it then. */
export async function lacksCurrent(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => [])
  return !names.includes('CURRENT') && names.some((name) => /\.(ldb|sst|log)$|^MANIFEST-/.test(name))
}

/** Logs with damage that is not a torn end, which any kill may leave. */
export async function damagedLogs(folder: string): Promise<DamagedFile[]> {
  return damagedOf(folder, (name) => name.endsWith('.log'))
}

/** Reads every file whole. Memory: the largest file, a few MiB. */
export async function damagedFiles(folder: string): Promise<DamagedFile[]> {
  return damagedOf(folder, () => true)
}

async function damagedOf(folder: string, wanted: (name: string) => boolean): Promise<DamagedFile[]> {
  const found: DamagedFile[] = []
  for (const name of (await readdir(folder)).filter(wanted).sort()) {
    const check = /\.log$|^MANIFEST-/.test(name) ? wrongInLog : /\.(ldb|sst)$/.test(name) ? wrongInTable : undefined
    if (check === undefined || !(await stat(join(folder, name))).isFile()) continue
    const what = check(await readFile(join(folder, name)))
    if (what !== undefined) found.push({ name, what })
  }
  return found
}

const LOG_BLOCK = 32 * 1024
const LOG_HEAD = 7

function wrongInLog(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + LOG_HEAD <= bytes.length; ) {
    const left = LOG_BLOCK - (at % LOG_BLOCK)
    const length = view.getUint16(Math.min(at + 4, bytes.length - 2), true)
    // The end of a block that no record fits into, or room that was never written.
    if (left < LOG_HEAD || (length === 0 && bytes[at + 6] === 0)) {
      at += left
      continue
    }
    const end = at + LOG_HEAD + length
    if (length > left - LOG_HEAD) return `the record at byte ${at} is longer than its block`
    if (end > bytes.length) return undefined
    if (unmasked(view.getUint32(at, true)) !== crc32c(bytes.subarray(at + 6, end)))
      return `the record at byte ${at} is not what was written`
    at = end
  }
  return undefined
}

const FOOTER = 48
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]

function wrongInTable(bytes: Uint8Array): string | undefined {
  const footer = bytes.subarray(-FOOTER)
  if (footer.length < FOOTER || MAGIC.some((byte, i) => footer[FOOTER - 8 + i] !== byte)) return 'its end is gone'
  const read = new Reader(footer)
  const [meta, index] = [read.handle(), read.handle()]
  for (const handle of [meta, index]) {
    const wrong = wrongInBlock(bytes, handle)
    if (wrong !== undefined) return wrong
  }
  const [data, filters] = [handlesIn(bytes, index), handlesIn(bytes, meta)]
  if (data === undefined || filters === undefined) return 'its index does not read back'
  for (const handle of [...data, ...filters]) {
    const wrong = wrongInBlock(bytes, handle)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

type Handle = { readonly at: number; readonly length: number }

function wrongInBlock(bytes: Uint8Array, { at, length }: Handle): string | undefined {
  const end = at + length + 1
  if (!(end + 4 <= bytes.length)) return `the block at byte ${at} is cut off`
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true)
  return unmasked(stored) === crc32c(bytes.subarray(at, end)) ? undefined : `the block at byte ${at} is damaged`
}

/** The places that a block of places names: entries (shared, unshared, length, key, handle), then restarts. */
function handlesIn(bytes: Uint8Array, { at, length }: Handle): Handle[] | undefined {
  const stored = bytes.subarray(at, at + length)
  const block = bytes[at + length] === 0 ? stored : inflated(stored)
  if (block === undefined || block.length < 4) return undefined
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4, 4).getUint32(0, true)
  const end = block.length - 4 - 4 * restarts
  const read = new Reader(block)
  const handles: Handle[] = []
  while (read.at < end) {
    const [, unshared, size] = [read.varint(), read.varint(), read.varint()]
    read.at += unshared
    const next = read.at + size
    handles.push(read.handle())
    read.at = next
  }
  return handles
}

class Reader {
  at = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80 || scale > 2 ** 42) return value
    }
  }

  handle(): Handle {
    return { at: this.varint(), length: this.varint() }
  }
}

/** Snappy, which LevelDB packs blocks with: a length, then literals and copies. */
function inflated(packed: Uint8Array): Uint8Array | undefined {
  const read = new Reader(packed)
  const size = read.varint()
  if (size > BLOCK_BYTES_MAX) return undefined
  const out = new Uint8Array(size)
  let done = 0
  while (read.at < packed.length) {
    const tag = packed[read.at++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >> 2) + 1
      if (length > 60) {
        const width = length - 60
        length = 1
        for (let i = 0; i < width; i++) length += (packed[read.at++] ?? 0) * 256 ** i
      }
      if (done + length > size || read.at + length > packed.length) return undefined
      out.set(packed.subarray(read.at, read.at + length), done)
      read.at += length
      done += length
      continue
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    let back = kind === 1 ? (tag >> 5) * 256 : 0
    const width = kind === 1 ? 1 : kind === 2 ? 2 : 4
    for (let i = 0; i < width; i++) back += (packed[read.at++] ?? 0) * 256 ** i
    if (back === 0 || back > done || done + length > size) return undefined
    for (let i = 0; i < length; i++, done++) out[done] = out[done - back]!
  }
  return done === size ? out : undefined
}

/** An index block of the largest table there is. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024

/** Eight tables, for eight bytes at once: five times as fast as one. */
const TABLES = makeTables()

function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, n) => {
    let crc = n
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    return crc
  })
  const tables = [first]
  for (let k = 1; k < 8; k++) tables.push(tables[k - 1]!.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!))
  return tables
}

function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  let crc = 0xffffffff
  let i = 0
  for (const end = bytes.length - 7; i < end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!
  }
  for (; i < bytes.length; i++) crc = t0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

function unmasked(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
