/**
 * Packets: frames on their way between nodes, several in one message and compressed (PROTOCOLS.md, "Packets").
 *
 *   offset  size  field
 *        0     1  0 = what follows is plain, 1 = it is one zstd frame
 *        1     …  for each frame: u32be length, bytes
 *
 * A packet is a stranger's bytes: it inflates to at most syncInflatedBytesMax, into memory that is bounded before it is
 * taken, and what is wrong with it is a verdict. The frames in it are not looked at here.
 */
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { FRAME_BYTES_MAX } from '../crdt/index.ts'
import { codecInlineBytesMax, packetFramesMax, syncInflatedBytesMax } from './limits.ts'

export type BadPacket = 'malformed' | 'too-large'
export type Unpacked =
  | { readonly ok: true; readonly frames: readonly Uint8Array[] }
  | { readonly ok: false; readonly reason: BadPacket }

/** How packets shrink. An argument: a simulation compresses nothing and waits for no thread. */
export interface PacketCodec {
  /** Undefined when it does not pay. */
  compress(raw: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>
  /** At most `bytesMax` of output, or the reason why there is none. Never throws for what it is given. */
  inflate(bytes: Uint8Array, bytesMax: number): Uint8Array | BadPacket | Promise<Uint8Array | BadPacket>
}

const PLAIN = 0
const ZSTD = 1
/** What fits one packet of the network below is not sooner there for being smaller, and later for having been packed. */
const WORTH_BYTES = 1_200
/** A window of 8 MiB is twice what a packet may inflate to; a stranger's header could ask for 128 MiB. */
const INFLATE = { params: { [constants.ZSTD_d_windowLogMax]: 23 } }
/** How much is inflated at a time: for each piece another thread is asked once more. */
const INFLATED_BYTES = 256 * 1024
const COMPRESS = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }

const compressAside = promisify(zstdCompress)
const inflateAside = promisify(zstdDecompress)

/** zstd; small inputs at once, larger ones on another thread so that the event loop goes on. */
export const zstdPackets: PacketCodec = {
  compress(raw) {
    if (raw.length < WORTH_BYTES) return undefined
    const pays = (packed: Uint8Array) => (packed.length < raw.length ? packed : undefined)
    if (raw.length <= codecInlineBytesMax) return pays(zstdCompressSync(raw, COMPRESS))
    return compressAside(raw, COMPRESS).then(pays)
  },
  inflate(bytes, bytesMax) {
    const options = { ...INFLATE, maxOutputLength: bytesMax }
    if (bytes.length > codecInlineBytesMax / 4) {
      return inflateAside(bytes, { ...options, chunkSize: INFLATED_BYTES }).catch(whyNot)
    }
    try {
      return zstdDecompressSync(bytes, options)
    } catch (error) {
      return whyNot(error)
    }
  },
}

/** Nothing is compressed, and what is compressed is refused. */
export const plainPackets: PacketCodec = { compress: () => undefined, inflate: () => 'malformed' }

/** What zlib says of more output than was asked for, and of a header that wants more memory than is given. */
const TOO_LARGE = ['ERR_BUFFER_TOO_LARGE', 'ZSTD_error_frameParameter_windowTooLarge']

function whyNot(error: unknown): BadPacket {
  return TOO_LARGE.includes((error as { code?: string }).code ?? '') ? 'too-large' : 'malformed'
}

/** What `frames` take in a packet before it is compressed. */
export function packetBytes(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, frame) => sum + 4 + frame.length, 1)
}

/** One packet of these frames. The caller keeps within what the receiver takes. */
export async function pack(frames: readonly Uint8Array[], codec: PacketCodec): Promise<Uint8Array> {
  const plain = new Uint8Array(packetBytes(frames))
  const view = new DataView(plain.buffer)
  let at = 1
  for (const frame of frames) {
    view.setUint32(at, frame.length)
    plain.set(frame, at + 4)
    at += 4 + frame.length
  }
  const small = await codec.compress(plain.subarray(1))
  if (small === undefined) return plain
  const packet = new Uint8Array(1 + small.length)
  packet[0] = ZSTD
  packet.set(small, 1)
  return packet
}

/** The frames of a stranger's packet, each in memory of its own so that keeping one does not keep all. */
export async function unpack(packet: Uint8Array, codec: PacketCodec): Promise<Unpacked> {
  const kind = packet[0]
  if (kind === PLAIN) return split(packet.subarray(1))
  if (kind !== ZSTD) return { ok: false, reason: 'malformed' }
  const raw = await codec.inflate(packet.subarray(1), syncInflatedBytesMax)
  return typeof raw === 'string' ? { ok: false, reason: raw } : split(raw)
}

function split(raw: Uint8Array): Unpacked {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const frames: Uint8Array[] = []
  let at = 0
  while (at < raw.length) {
    if (frames.length === packetFramesMax) return { ok: false, reason: 'too-large' }
    if (raw.length - at < 4) return { ok: false, reason: 'malformed' }
    const length = view.getUint32(at)
    if (length === 0 || length > raw.length - at - 4) return { ok: false, reason: 'malformed' }
    if (length > FRAME_BYTES_MAX) return { ok: false, reason: 'too-large' }
    frames.push(new Uint8Array(raw.buffer, raw.byteOffset + at + 4, length).slice())
    at += 4 + length
  }
  return { ok: true, frames }
}
