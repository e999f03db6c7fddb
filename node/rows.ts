/**
 * The rows of the store as bytes: keys, values, and the seal that shows damage (store.ts lists the rows).
 *
 * LevelDB gives back a flipped bit without a word, so values carry the first 8 bytes of their SHA-256 in front. An `o`
 * row has none: what it points to proves it. Readers answer undefined for bytes that are not what was written.
 */
import {
  compareBytes,
  concat,
  decode,
  encode,
  fromHex,
  hexInto,
  isMap,
  type NetworkId,
  type OpId,
  type Owner,
  type ParsedFrame,
  type RecordId,
  type Sha256,
  toHex,
  utf8,
} from '../crdt/index.ts'
import type { Put } from './disk.ts'
import type { Codec } from './replica-types.ts'

/** Of the rows, by number; migrate.ts says what each brought. */
export const FORMAT = 4

/** `from`: a migration from that format has begun and not ended. */
export type Meta = {
  readonly format: number
  readonly net: NetworkId
  readonly epoch: string
  readonly from?: number
}
/** seq: the last arrival number; ops: ops held; records: live ones by kind. */
export type Counts = { readonly seq: number; readonly ops: number; readonly records: Readonly<Record<string, number>> }
/** What a clean shutdown left. */
export type Marker = { readonly ops: number; readonly root: string; readonly seq: number }
/** Where an op is: its frame's first arrival number, its place among the frame's ops. Its own number is their sum. */
export type Location = { readonly seq: number; readonly place: number }
/** A frame's row without its frame: how many ops, and which peer it came from. */
export type FrameRow = {
  readonly count: number
  readonly origin?: string
  readonly packed: boolean
  readonly bytes: Uint8Array
}

export const metaKey = utf8('m')
export const countsKey = utf8('n')
export const markerKey = utf8('c')
export const frameKey = (seq: number) => concat(F, seqBytes(seq))
export const opKey = (id: OpId) => hexAfter(O, id)
export const recordKey = (id: RecordId) => hexAfter(R, id)
export const kindKey = (kind: string, id: RecordId) => hexAfter(kindPrefix(kind), id)
/** An op of an authority record. */
export const authorityKey = (record: RecordId, id: OpId) => concat(A, fromHex(record), fromHex(id))
export const authorityRows = (record: RecordId) => under(concat(A, fromHex(record)))
/** A frame that waits to be taken in again (aside.ts). */
export const asideKey = (place: number) => concat(Y, seqBytes(place))
/** There while frames are being set aside. */
export const asideMarkKey = utf8('y')
export const asideRows = { gt: asideMarkKey, lt: utf8('z') }
/** A record with an op that relies on another. */
export const viaKey = (via: OpId, record: RecordId) => concat(V, fromHex(via), fromHex(record))
export const viaRows = (via: OpId) => under(concat(V, fromHex(via)))
/** What lost or regained authority, while the records that rely on it are still to be merged again. */
export const waitingKey = (via: OpId) => concat(W, fromHex(via))
export const waitingRows = { gte: utf8('w'), lt: utf8('x') }
/** Note of a store that came from a backup: its key signs nothing until a peer was met. */
export const RESTORED = 'restored'
/** Note of how long the signing journal was (journal-note.ts). */
export const JOURNAL = 'journal'
/** Note that a record's row was damaged: whether it counted as live is not known any more. */
export const RECOUNT = 'recount'
export const noteKey = (name: string) => concat(G, utf8(name))
/** All whose names begin so. */
export const notesUnder = (prefix: string) => ({ gte: noteKey(prefix), lt: concat(noteKey(prefix), LAST) })
export const nameOfNote = (key: Uint8Array) => new TextDecoder().decode(key.subarray(G.length))
/** What went in of an owner or actor (quota.ts). */
export const usageKey = (owner: Owner) => concat(Q, fromHex(owner))
export const usageRows = { gte: utf8('q'), lt: utf8('r') }

export const framesFrom = (seq: number) => ({ gte: frameKey(seq), lt: after(F) })
export const opRows = { gte: utf8('o'), lt: utf8('p') }
export const recordsAfter = (id: RecordId | undefined) =>
  id === undefined ? { gte: R, lt: after(R) } : { gt: recordKey(id), lt: after(R) }
export const kindAfter = (kind: string, id: RecordId | undefined) => {
  const prefix = kindPrefix(kind)
  return { ...(id === undefined ? { gte: prefix } : { gt: kindKey(kind, id) }), lt: concat(K, utf8(kind), ONE) }
}

export const seqOfFrameKey = (key: Uint8Array) => readSeq(key, 1)
/** A key of this prefix and an id. */
function hexAfter(prefix: Uint8Array, id: string): Uint8Array {
  const key = new Uint8Array(prefix.length + ID_BYTES)
  key.set(prefix)
  hexInto(id, key, prefix.length)
  return key
}

export const idOfKey = (key: Uint8Array): string => toHex(key.subarray(key.length - ID_BYTES))

export function sealed(value: Uint8Array, sha256: Sha256): Uint8Array {
  // From the pool: rows live until their batch is on disk, and a buffer of its own for each is dear to make and to free.
  const { buffer, byteOffset, length } = Buffer.allocUnsafe(SEAL + value.length)
  const row = new Uint8Array(buffer, byteOffset, length)
  row.set(sha256(value).subarray(0, SEAL))
  row.set(value, SEAL)
  return row
}

export function unsealed(row: Uint8Array, sha256: Sha256): Uint8Array | undefined {
  if (row.length < SEAL) return undefined
  const value = row.subarray(SEAL)
  return compareBytes(sha256(value).subarray(0, SEAL), row.subarray(0, SEAL)) === 0 ? value : undefined
}

/** The value whatever the seal says: for what need not be right. */
export function unsealedUnchecked(row: Uint8Array): Uint8Array {
  return row.subarray(SEAL)
}

export function locationRow({ seq, place }: Location): Uint8Array {
  const row = new Uint8Array(8)
  writeSeq(row, 0, seq)
  row[6] = place >> 8
  row[7] = place
  return row
}

export function readLocation(row: Uint8Array): Location | undefined {
  return row.length === 8 ? { seq: readSeq(row, 0), place: (row[6]! << 8) | row[7]! } : undefined
}

/** flags 1 (1 = packed), ops 2, length of the origin 1, origin, frame. */
export function frameRow({ count, origin, packed, bytes }: FrameRow): Uint8Array {
  const from = utf8(origin ?? '')
  return concat(Uint8Array.of(packed ? 1 : 0, count >> 8, count, from.length), from, bytes)
}

export function readFrameRow(value: Uint8Array): FrameRow | undefined {
  const [flags, high, low, length] = value
  if (length === undefined || flags! > 1 || value.length < 4 + length) return undefined
  const origin = length === 0 ? undefined : new TextDecoder().decode(value.subarray(4, 4 + length))
  return { count: (high! << 8) | low!, origin, packed: flags === 1, bytes: value.subarray(4 + length) }
}

/** In place of a frame that was damaged and whose ops are stored elsewhere by now: its arrival numbers stay taken. */
export function goneFrameRow(count: number, sha256: Sha256): Uint8Array {
  return sealed(frameRow({ count, packed: false, bytes: new Uint8Array(0) }), sha256)
}

/** How many ops a frame's row says it has; undefined of a damaged one. */
export function frameCount(row: Uint8Array, sha256: Sha256): number | undefined {
  const value = unsealed(row, sha256)
  return value && readFrameRow(value)?.count
}

export function isGoneFrame(row: Uint8Array): boolean {
  return row.length === SEAL + 4
}

export function metaRow({ format, net, epoch, from }: Meta): Uint8Array {
  return encode({ format, net, epoch, ...(from !== undefined && { from }) })
}

export function readMeta(value: Uint8Array): Meta | undefined {
  const map = readMap(value)
  if (typeof map?.['format'] !== 'number') return undefined
  const { format, net, epoch, from } = map
  return { format, net: String(net), epoch: String(epoch), ...(typeof from === 'number' && { from }) }
}

export function countsRow({ seq, ops, records }: Counts): Uint8Array {
  return encode({ seq, ops, records })
}

export function readCounts(value: Uint8Array): Counts | undefined {
  const map = readMap(value)
  const { seq, ops, records } = map ?? {}
  if (typeof seq !== 'number' || typeof ops !== 'number' || !isMap(records)) return undefined
  return { seq, ops, records: records as Counts['records'] }
}

export function markerRow({ ops, root, seq }: Marker): Uint8Array {
  return encode({ ops, root, seq })
}

export function readMarker(value: Uint8Array): Marker | undefined {
  const { ops, root, seq } = readMap(value) ?? {}
  if (typeof ops !== 'number' || typeof root !== 'string' || typeof seq !== 'number') return undefined
  return { ops, root, seq }
}

const SEAL = 8
const F = utf8('f')
const O = utf8('o')
const R = utf8('r')
const K = utf8('k')
const G = utf8('g')
const A = utf8('a')
const V = utf8('v')
const W = utf8('w')
const Q = utf8('q')
const Y = utf8('y')
/** No UTF-8 has it. */
const LAST = Uint8Array.of(0xff)
const ID_BYTES = 32
const ZERO = Uint8Array.of(0)
const kindPrefix = (kind: string) => concat(K, utf8(kind), ZERO)
const LAST_ID = new Uint8Array(32).fill(0xff)
const ONE = Uint8Array.of(1)

function readMap(value: Uint8Array) {
  const read = decode(value)
  return read.ok && isMap(read.value) ? read.value : undefined
}

/** All keys that begin so and go on with an id. */
function under(prefix: Uint8Array) {
  return { gte: prefix, lte: concat(prefix, LAST_ID) }
}

function after(prefix: Uint8Array): Uint8Array {
  return Uint8Array.of(prefix[0]! + 1)
}

/** ms since 1970, so that rows lie in order of time. */
export function timeBytes(ms: number): Uint8Array {
  return seqBytes(Math.max(0, Math.floor(ms)))
}

/** 48 bits, big-endian, so that rows lie in arrival order. */
function seqBytes(seq: number): Uint8Array {
  const bytes = new Uint8Array(6)
  writeSeq(bytes, 0, seq)
  return bytes
}

function writeSeq(into: Uint8Array, at: number, seq: number): void {
  let rest = seq
  for (let i = 5; i >= 0; i--) {
    into[at + i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

function readSeq(bytes: Uint8Array, at: number): number {
  let seq = 0
  for (let i = 0; i < 6; i++) seq = seq * 256 + bytes[at + i]!
  return seq
}

/** The row of a frame, packed where that makes it smaller. */
export async function storedFrameRow(
  { seq, frame, origin }: { readonly seq: number; readonly frame: ParsedFrame; readonly origin?: string },
  codec: Codec,
  sha256: Sha256,
): Promise<Put> {
  const packed = frame.bytes.length < PACK_MIN ? frame.bytes : await codec.compress(frame.bytes)
  const smaller = packed.length < frame.bytes.length
  const row = frameRow({
    count: frame.entries.length,
    origin,
    packed: smaller,
    bytes: smaller ? packed : frame.bytes,
  })
  return { key: frameKey(seq), value: sealed(row, sha256) }
}

/** Below this, packing saves less than a block of the disk's own compression does. */
const PACK_MIN = 512
