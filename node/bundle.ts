/**
 * A bundle: ops in a file, for nodes that no network reaches (PROTOCOLS.md, "Bundles").
 *
 * The frames are those that peers exchange, so whoever reads them believes nothing but signatures. They stand in the
 * order in which they arrived here, every parent before its child, and what says who may write is always among them.
 * Written and read in parts, one at a time; a part that is damaged is named and costs its own ops only.
 */
import {
  concat,
  fromHex,
  type NetworkId,
  type OpId,
  type RecordId,
  type Sha256,
  toHex,
  u32be,
  utf8,
} from '../crdt/index.ts'
import { bundleDamageMax, bundlePartBytes, syncMessageBytesMax } from './limits.ts'
import { type PacketCodec, pack, unpack } from './packet.ts'
import type { ReplicaFace } from './replica-types.ts'
import { AUTHORITY, kindSet, ownerSet } from './sets.ts'

const MAGIC = utf8('peerage/1/bundle')
const PART = utf8('part')
const LAST = utf8('last')
const NET_BYTES = 16
/** Marker, length, seal. */
const HEAD_BYTES = 16
const SEAL_BYTES = 8

export const bundleHeadBytes = MAGIC.length + NET_BYTES

/** The network of a bundle, by its first bytes; undefined when it is none. */
export function bundleNet(head: Uint8Array): NetworkId | undefined {
  if (head.length < bundleHeadBytes || toHex(head.subarray(0, MAGIC.length)) !== toHex(MAGIC)) return undefined
  return toHex(head.subarray(MAGIC.length, bundleHeadBytes))
}

/** Of which records a bundle holds the ops: those that meet all that is named; of all when nothing is. */
export type BundleOf = {
  readonly kinds?: readonly string[]
  readonly owners?: readonly string[]
  readonly records?: ReadonlySet<RecordId>
}

/** A bundle of what this replica holds and serves, piece by piece. */
export async function* writeBundle(
  replica: ReplicaFace,
  of: BundleOf,
  { codec, sha256 }: { readonly codec: PacketCodec; readonly sha256: Sha256 },
): AsyncGenerator<Uint8Array> {
  yield concat(MAGIC, fromHex(replica.net))
  const wanted = await choice(replica, of)
  let frames: Uint8Array[] = []
  let bytes = 0
  let parts = 0
  const part = async () => {
    const packet = await pack(frames, codec)
    frames = []
    bytes = 0
    parts++
    return concat(PART, u32be(packet.length), sha256(packet).subarray(0, SEAL_BYTES), packet)
  }
  const upto = replica.counts().seq
  for await (const item of replica.log(0, wanted && { of: wanted })) {
    if (frames.length > 0 && bytes + item.bytes.length > bundlePartBytes) yield await part()
    frames.push(item.bytes)
    bytes += item.bytes.length
    if (item.seq >= upto) break
  }
  if (frames.length > 0) yield await part()
  yield concat(LAST, u32be(parts), lastSeal(replica.net, parts, sha256))
}

/** What of the log is wanted, by op and record; undefined for all of it. */
async function choice(
  replica: ReplicaFace,
  { kinds, owners, records }: BundleOf,
): Promise<{ has(id: OpId, record: RecordId): boolean } | undefined> {
  if (!kinds && !owners && !records) return undefined
  const some = async (names: readonly string[]) => {
    const sets = await Promise.all(names.map((name) => replica.reconciled(name)))
    return (id: OpId) => sets.some((set) => set?.has(id))
  }
  const isAuthority = await some([AUTHORITY])
  const isOfKind = kinds && (await some(kinds.map(kindSet)))
  const isOfOwner = owners && (await some(owners.map(ownerSet)))
  return {
    has: (id, record) =>
      isAuthority(id) || ((isOfKind?.(id) ?? true) && (isOfOwner?.(id) ?? true) && (records?.has(record) ?? true)),
  }
}

/**
 * What a bundle holds, in order: parts, and where it is damaged. The last says whether its end was there and all parts
 * were good.
 */
export type BundleItem =
  | { readonly is: 'part'; readonly at: number; readonly frames: readonly Uint8Array[] }
  /** `to`: where reading went on. */
  | { readonly is: 'damage'; readonly at: number; readonly to: number; readonly why: string }
  | { readonly is: 'end'; readonly at: number; readonly isWhole: boolean }

/**
 * Reads a bundle from behind its head. Holds one part in memory; never throws for what it reads. Behind damage it looks
 * for the next part that is whole, a bounded number of times.
 */
export async function* readBundle(
  net: NetworkId,
  chunks: AsyncIterable<Uint8Array>,
  { codec, sha256 }: { readonly codec: PacketCodec; readonly sha256: Sha256 },
): AsyncGenerator<BundleItem> {
  const buffer = new Buffered(chunks, bundleHeadBytes)
  let parts = 0
  let damages = 0
  let lostFrom: number | undefined
  for (;;) {
    const at = buffer.at
    const read = await readPart(buffer, net, parts, codec, sha256)
    if (read.is === 'nothing') {
      if (lostFrom !== undefined) yield { is: 'damage', at: lostFrom, to: at, why: 'unreadable' }
      else yield { is: 'damage', at, to: at, why: 'the end is missing' }
      yield { is: 'end', at, isWhole: false }
      return
    }
    if (read.is === 'bad') {
      lostFrom ??= at
      if (++damages > bundleDamageMax) {
        yield { is: 'damage', at: lostFrom, to: at, why: 'too much of it is damaged' }
        yield { is: 'end', at, isWhole: false }
        return
      }
      await buffer.seek(read.skip)
      continue
    }
    if (lostFrom !== undefined) yield { is: 'damage', at: lostFrom, to: at, why: 'unreadable' }
    lostFrom = undefined
    if (read.is === 'last') {
      const isWhole = damages === 0 && read.parts === parts
      if (damages === 0 && !isWhole) yield { is: 'damage', at, to: at, why: `${read.parts - parts} parts are missing` }
      yield { is: 'end', at, isWhole }
      return
    }
    parts++
    yield { is: 'part', at, frames: read.frames }
  }
}

type PartRead =
  | { readonly is: 'part'; readonly frames: readonly Uint8Array[] }
  | { readonly is: 'last'; readonly parts: number }
  | { readonly is: 'nothing' }
  /** So many bytes cannot be the beginning of one. */
  | { readonly is: 'bad'; readonly skip: number }

async function readPart(
  buffer: Buffered,
  net: NetworkId,
  parts: number,
  codec: PacketCodec,
  sha256: Sha256,
): Promise<PartRead> {
  const head = await buffer.peek(HEAD_BYTES)
  if (head.length === 0) return { is: 'nothing' }
  const marker = toHex(head.subarray(0, 4))
  if (head.length < HEAD_BYTES || (marker !== toHex(PART) && marker !== toHex(LAST))) return { is: 'bad', skip: 1 }
  const number = new DataView(head.buffer, head.byteOffset).getUint32(4)
  const seal = toHex(head.subarray(8, HEAD_BYTES))
  if (marker === toHex(LAST)) {
    if (seal !== toHex(lastSeal(net, number, sha256)) || number < parts) return { is: 'bad', skip: 1 }
    buffer.drop(HEAD_BYTES)
    return { is: 'last', parts: number }
  }
  if (number === 0 || number > syncMessageBytesMax) return { is: 'bad', skip: 1 }
  const whole = await buffer.peek(HEAD_BYTES + number)
  const packet = whole.subarray(HEAD_BYTES)
  if (packet.length < number || toHex(sha256(packet).subarray(0, SEAL_BYTES)) !== seal) return { is: 'bad', skip: 1 }
  const unpacked = await unpack(packet.slice(), codec)
  if (!unpacked.ok) return { is: 'bad', skip: HEAD_BYTES + number }
  buffer.drop(HEAD_BYTES + number)
  return { is: 'part', frames: unpacked.frames }
}

function lastSeal(net: NetworkId, parts: number, sha256: Sha256): Uint8Array {
  return sha256(concat(MAGIC, fromHex(net), u32be(parts))).subarray(0, SEAL_BYTES)
}

/** Bytes of a stream that have come and are not yet dealt with, and their place in the file. */
class Buffered {
  readonly #chunks: AsyncIterator<Uint8Array>
  #bytes: Uint8Array = new Uint8Array(0)
  #from = 0
  #isOver = false
  at: number

  constructor(chunks: AsyncIterable<Uint8Array>, at: number) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.at = at
  }

  /** The next bytes, fewer at the end. Good until the next call. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.#bytes.length - this.#from < length && !this.#isOver) {
      const next = await this.#chunks.next()
      if (next.done) this.#isOver = true
      else {
        this.#bytes = concat(this.#bytes.subarray(this.#from), next.value)
        this.#from = 0
      }
    }
    return this.#bytes.subarray(this.#from, this.#from + length)
  }

  drop(length: number): void {
    this.#from += length
    this.at += length
  }

  /** To the next place, `skip` bytes on or further, where a part may begin. */
  async seek(skip: number): Promise<void> {
    this.drop(Math.min(skip, (await this.peek(skip)).length))
    for (;;) {
      const some = await this.peek(SEEK_BYTES)
      for (let i = 0; i + 4 <= some.length; i++) {
        // `part` and `last`.
        const isMarker = (some[i] === 0x70 && some[i + 1] === 0x61) || (some[i] === 0x6c && some[i + 1] === 0x61)
        if (!isMarker) continue
        const marker = toHex(some.subarray(i, i + 4))
        if (marker !== toHex(PART) && marker !== toHex(LAST)) continue
        this.drop(i)
        return
      }
      if (some.length < SEEK_BYTES) return this.drop(some.length)
      this.drop(some.length - 3)
    }
  }
}

const SEEK_BYTES = 64 * 1024
