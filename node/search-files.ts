/**
 * The index on disk: a folder that can be deleted at any time.
 *
 *   manifest      a checksum, and as JSON: what made the index, epoch and seq, and its segments with the documents that left them
 *   segment-N     texts | arrays | values | what is where (JSON, with checksums) | its length, its checksum, a mark
 *
 * The manifest is replaced when all segments it names are on the disk, so a kill or a power cut leaves the state before
 * or the state after. Everything is checked when it is opened; what is found wrong throws, and the owner then begins
 * anew. Reading and writing go in steps.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { clearBit } from './search-bits.ts'
import type { Column } from './search-column.ts'
import type { TextSink } from './search-merge.ts'
import { type Flat, Room } from './search-room.ts'
import { type Arrays, type Segment, segmentOf, type Texts } from './search-segment.ts'
import { fileTexts, IndexDamage, memoryTexts } from './search-texts.ts'
import type { Values } from './search-values.ts'
import type { ValuesMaker } from './search-values-maker.ts'
import type { Words } from './search-words.ts'

/** Raised when files written before would be read wrongly. */
const FORMAT = 1
const MARK = Buffer.from('peersrch')
const TAIL_BYTES = 16
const READ_BYTES = 4 << 20
const VALUES_A_CHUNK = 2_000
const CODES_A_STEP = 16_384
/** A segment of so many documents is written while it is made. */
const FILED_DOCUMENTS = 8_192

type Manifest = {
  readonly format: number
  /** What the words and values were read by: other tables give others. */
  readonly made: string
  readonly epoch: string
  readonly seq: number
  readonly segments: readonly { readonly file: string; readonly size: number; readonly gone: readonly number[] }[]
}

const FLAT = { Uint8Array, Uint16Array, Uint32Array, Float64Array }
type FlatIn = new (memory: ArrayBufferLike, at: number, length: number) => Flat
type Placed = readonly [name: string, type: keyof typeof FLAT, at: number, length: number]
type Contents = {
  readonly size: number
  readonly texts: { readonly bytes: number; readonly crc: number }
  readonly arrays: { readonly bytes: number; readonly crc: number; readonly placed: readonly Placed[] }
  readonly columns: readonly { readonly path: string; readonly isSparse: boolean }[]
  readonly values: readonly { readonly bytes: number; readonly crc: number }[]
}

export class IndexFolder {
  readonly #path: string
  readonly #made: string
  #next = 1
  /** On the disk for good. */
  readonly #synced = new Set<string>()

  /** Makes the folder when there is none. */
  constructor(path: string, made: string) {
    this.#path = path
    this.#made = made
    mkdirSync(path, { recursive: true })
    for (const name of readdirSync(path)) {
      const number = Number(/^segment-(\d+)$/.exec(name)?.[1] ?? 0)
      this.#next = Math.max(this.#next, number + 1)
    }
  }

  /** Undefined when there is no index, or one that was made by something else. */
  manifest(): Manifest | undefined {
    let text: string
    try {
      text = readFileSync(join(this.#path, 'manifest'), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const body = text.slice(text.indexOf('\n') + 1)
    if (Number.parseInt(text, 16) !== crc32(body)) throw new IndexDamage('the manifest is not what was written')
    const manifest: Manifest = JSON.parse(body)
    return manifest.format === FORMAT && manifest.made === this.#made ? manifest : undefined
  }

  *load({ segments }: Manifest, values: ValuesMaker): Generator<undefined, Segment[]> {
    const loaded: Segment[] = []
    try {
      for (const { file, size, gone } of segments) {
        const segment = yield* readSegment(join(this.#path, file), file, values)
        loaded.push(segment)
        if (segment.size !== size) throw new IndexDamage(`${file} is of another index`)
        for (const doc of gone) clearBit(segment.live, doc)
        segment.liveCount -= gone.length
        this.#synced.add(file)
      }
      return loaded
    } catch (error) {
      for (const { texts } of loaded) texts.close()
      throw error
    }
  }

  /** Where the texts of a segment of so many documents go: into a file if they are many. */
  sink(documents: number): TextSink {
    return documents < FILED_DOCUMENTS ? new MemorySink() : this.#writer()
  }

  /** Files for segments that have none yet, in steps. */
  *file(segments: readonly Segment[], values: Values): Generator<undefined, void> {
    for (const segment of segments) {
      if (segment.file !== undefined) continue
      const writer = this.#writer()
      const { textEnds } = segment.arrays
      try {
        writer.write(segment.texts.read(0, segment.size === 0 ? 0 : (textEnds[segment.size - 1] as number)))
        yield* writer.finish(segment, values)
      } catch (error) {
        writer.abandon()
        throw error
      }
      // Not before: a segment that is joined meanwhile closes its texts.
      segment.texts = writer.end()
    }
  }

  /** Makes the filed segments, with the documents that live in them now, what is opened next time. */
  async keep(segments: readonly Segment[], seq: number, epoch: string): Promise<void> {
    const manifest: Manifest = {
      format: FORMAT,
      made: this.#made,
      epoch,
      seq,
      segments: segments.map((segment) => ({
        file: segment.file as string,
        size: segment.size,
        gone: goneOf(segment),
      })),
    }
    const files = new Set(manifest.segments.map(({ file }) => file))
    for (const file of files) {
      if (this.#synced.has(file)) continue
      await sync(join(this.#path, file))
      this.#synced.add(file)
    }
    const body = JSON.stringify(manifest)
    const temporary = join(this.#path, 'manifest.new')
    const handle = await open(temporary, 'w')
    try {
      await handle.writeFile(`${crc32(body).toString(16)}\n${body}`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, join(this.#path, 'manifest'))
  }

  /** Deletes the files of segments that are neither kept nor in use. */
  clean(used: ReadonlySet<string>): void {
    for (const name of readdirSync(this.#path)) {
      if (!name.startsWith('segment-') || used.has(name)) continue
      rmSync(join(this.#path, name), { force: true })
      this.#synced.delete(name)
    }
  }

  #writer(): SegmentWriter {
    const file = `segment-${this.#next++}`
    return new SegmentWriter(join(this.#path, file), file)
  }
}

/** Deletes the index. */
export function deleteIndex(path: string): void {
  rmSync(path, { recursive: true, force: true })
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function goneOf({ size, live, liveCount }: Segment): number[] {
  const gone: number[] = []
  if (liveCount === size) return gone
  for (let doc = 0; doc < size; doc++) if ((((live[doc >>> 5] as number) >>> (doc & 31)) & 1) === 0) gone.push(doc)
  return gone
}

class MemorySink implements TextSink {
  readonly #pieces: Uint8Array[] = []

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
  }

  end(): Texts {
    const texts = new Room().take(
      Uint8Array,
      this.#pieces.reduce((sum, { length }) => sum + length, 0),
    )
    let at = 0
    for (const piece of this.#pieces) {
      texts.set(piece, at)
      at += piece.length
    }
    return memoryTexts(texts)
  }

  abandon(): void {}

  *finish(): Generator<undefined, void> {}
}

/** Writes one segment: texts first, then `finish`. Its file stays open for reading the texts. */
class SegmentWriter implements TextSink {
  readonly #file: number
  readonly #path: string
  readonly #name: string
  #end = 0
  #crc = 0

  constructor(path: string, name: string) {
    this.#file = openSync(path, 'w+')
    this.#path = path
    this.#name = name
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at, bytes.length - at, this.#end + at)
    this.#end += bytes.length
    this.#crc = crc32(bytes, this.#crc)
  }

  end(): Texts {
    return fileTexts(this.#file)
  }

  abandon(): void {
    closeSync(this.#file)
    rmSync(this.#path, { force: true })
  }

  *finish(segment: Segment, values: Values): Generator<undefined, void> {
    const texts = this.#part()
    const { dicts, codes } = yield* localDicts(segment, values)
    const placed: Placed[] = []
    const begin = this.#end
    for (const [name, array] of arraysOf(segment, dicts)) {
      placed.push([name, typeOf(array), this.#end - begin, array.length])
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
      for (let at = 0; at < bytes.length; at += READ_BYTES / 4) {
        this.write(bytes.subarray(at, at + READ_BYTES / 4))
        yield
      }
      this.write(new Uint8Array((8 - (bytes.length % 8)) % 8))
    }
    const arrays = { ...this.#part(), placed }
    const chunks: { bytes: number; crc: number }[] = []
    for (let at = 0; at < codes.length; at += VALUES_A_CHUNK) {
      const some = Array.from(codes.subarray(at, at + VALUES_A_CHUNK), (code) => values.leaf(code))
      this.write(Buffer.from(JSON.stringify(some)))
      chunks.push(this.#part())
      yield
    }
    const columns = [...segment.columns].map(([path, { docs }]) => ({ path, isSparse: docs !== undefined }))
    const contents: Contents = { size: segment.size, texts, arrays, columns, values: chunks }
    const told = Buffer.from(JSON.stringify(contents))
    const tail = Buffer.alloc(TAIL_BYTES)
    tail.writeUInt32LE(told.length, 0)
    tail.writeUInt32LE(crc32(told), 4)
    MARK.copy(tail, 8)
    this.write(told)
    this.write(tail)
    segment.file = this.#name
  }

  #partFrom = 0
  #part(): { bytes: number; crc: number } {
    const part = { bytes: this.#end - this.#partFrom, crc: this.#crc }
    this.#partFrom = this.#end
    this.#crc = 0
    return part
  }
}

/** The columns' values numbered anew, 0 1 2 ..., and the codes they have in the index. In steps. */
function* localDicts(
  { columns }: Segment,
  values: Values,
): Generator<undefined, { dicts: Map<string, Uint32Array>; codes: Uint32Array }> {
  const numbers = new Uint32Array(values.size)
  const codes = new Uint32Array([...columns.values()].reduce((sum, { dict }) => sum + dict.length, 0))
  let count = 0
  const dicts = new Map<string, Uint32Array>()
  for (const [path, { dict }] of columns) {
    const local = new Uint32Array(dict.length)
    for (let from = 0; from < dict.length; from += CODES_A_STEP) {
      count = renumber(dict, local, numbers, codes, count, from, Math.min(from + CODES_A_STEP, dict.length))
      yield
    }
    dicts.set(path, local)
  }
  return { dicts, codes: codes.subarray(0, count) }
}

/** A function of its own: the engine never makes good code of long loops that pause. */
function renumber(
  dict: Uint32Array,
  local: Uint32Array,
  numbers: Uint32Array,
  codes: Uint32Array,
  known: number,
  from: number,
  to: number,
): number {
  let count = known
  for (let i = from; i < to; i++) {
    const code = dict[i] as number
    if (numbers[code] === 0) {
      codes[count] = code
      numbers[code] = ++count
    }
    local[i] = (numbers[code] as number) - 1
  }
  return count
}

function* arraysOf({ arrays, words, columns }: Segment, dicts: Map<string, Uint32Array>): Generator<[string, Flat]> {
  for (const [name, array] of Object.entries(arrays)) yield [`arrays.${name}`, array]
  for (const [name, array] of Object.entries(words)) yield [`words.${name}`, array]
  let number = 0
  for (const [path, { docs, codes, listEnds, items }] of columns) {
    if (docs) yield [`${number}.docs`, docs]
    yield [`${number}.codes`, codes]
    yield [`${number}.dict`, dicts.get(path) as Uint32Array]
    yield [`${number}.listEnds`, listEnds]
    yield [`${number}.items`, items]
    number++
  }
}

function typeOf(array: Flat): keyof typeof FLAT {
  return array.constructor.name as keyof typeof FLAT
}

function* readSegment(path: string, name: string, values: ValuesMaker): Generator<undefined, Segment> {
  const file = openSync(path, 'r')
  try {
    const contents = readContents(file, name)
    const { size, texts, arrays, columns } = contents
    let crc = 0
    for (let at = 0; at < texts.bytes; at += READ_BYTES) {
      crc = crc32(readAt(file, at, Math.min(READ_BYTES, texts.bytes - at), name), crc)
      yield
    }
    if (crc !== texts.crc) throw new IndexDamage(`${name}: its texts are not what was written`)
    const memory = new SharedArrayBuffer(arrays.bytes)
    const bytes = Buffer.from(memory)
    crc = 0
    for (let at = 0; at < bytes.length; at += READ_BYTES) {
      const piece = bytes.subarray(at, at + READ_BYTES)
      readInto(file, piece, texts.bytes + at, name)
      crc = crc32(piece, crc)
      yield
    }
    if (crc !== arrays.crc) throw new IndexDamage(`${name}: its arrays are not what was written`)
    const codes: number[] = []
    let at = texts.bytes + arrays.bytes
    for (const chunk of contents.values) {
      const text = readAt(file, at, chunk.bytes, name)
      if (crc32(text) !== chunk.crc) throw new IndexDamage(`${name}: its values are not what was written`)
      for (const leaf of JSON.parse(text.toString())) codes.push(values.codeOf(leaf))
      at += chunk.bytes
      yield
    }
    const flat = new Map<string, Flat>()
    for (const [array, type, begin, length] of arrays.placed)
      flat.set(array, new (FLAT[type] as FlatIn)(memory, begin, length))
    const group = (prefix: string) =>
      Object.fromEntries(
        [...flat].flatMap(([key, array]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), array]] : [])),
      )
    const read = new Map<string, Column>()
    for (const [number, { path: column, isSparse }] of columns.entries()) {
      const own = (part: string) => flat.get(`${number}.${part}`) as Uint32Array
      const dict = own('dict')
      for (let i = 0; i < dict.length; i++) dict[i] = codes[dict[i] as number] as number
      read.set(column, {
        docs: isSparse ? own('docs') : undefined,
        codes: own('codes'),
        dict,
        listEnds: own('listEnds'),
        items: own('items'),
      })
    }
    const parts = {
      size,
      arrays: group('arrays.') as unknown as Arrays,
      words: group('words.') as unknown as Words,
      columns: read,
      texts: fileTexts(file),
      file: name,
    }
    return yield* segmentOf(parts, new Room())
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function readContents(file: number, name: string): Contents {
  const { size } = fstatSync(file)
  if (size < TAIL_BYTES) throw new IndexDamage(`${name} is cut short`)
  const tail = readAt(file, size - TAIL_BYTES, TAIL_BYTES, name)
  const length = tail.readUInt32LE(0)
  if (!tail.subarray(8).equals(MARK) || length > size - TAIL_BYTES) throw new IndexDamage(`${name} is no segment`)
  const told = readAt(file, size - TAIL_BYTES - length, length, name)
  if (crc32(told) !== tail.readUInt32LE(4)) throw new IndexDamage(`${name}: its end is not what was written`)
  return JSON.parse(told.toString())
}

function readAt(file: number, at: number, length: number, name: string): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  readInto(file, bytes, at, name)
  return bytes
}

function readInto(file: number, bytes: Buffer, at: number, name: string): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, bytes, done, bytes.length - done, at + done)
    if (read === 0) throw new IndexDamage(`${name} is cut short`)
    done += read
  }
}
