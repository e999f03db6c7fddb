/**
 * Frames as they lie on the disk, the ops in them, and what of that is damaged.
 *
 * A frame that does not read back as written is never served: its ops count as not held in a good copy until one is
 * appended again.
 */
import { type Op, type OpId, type ParsedFrame, parseFrame } from '../crdt/index.ts'
import { missingBodyRows } from './bodies.ts'
import { frameCacheBytesMax, frameRowBytesMax } from './limits.ts'
import { Lru } from './lru.ts'
import {
  frameKey,
  framesFrom,
  goneFrameRow,
  idOfKey,
  isGoneFrame,
  type Location,
  opKey,
  opRows,
  readFrameRow,
  readLocation,
  seqOfFrameKey,
  unsealed,
  unsealedUnchecked,
} from './rows.ts'
import type { Prepared, StoredFrame, StoreParts } from './store-types.ts'

export class StoreFrames {
  readonly #parts: StoreParts
  readonly #frames = new Lru<number, StoredFrame>(frameCacheBytesMax)
  /** Frames that are damaged or gone: the first arrival number, and the one behind it, or behind all that are gone. */
  readonly #damagedFrames = new Map<number, number>()
  readonly #damagedOps = new Set<OpId>()
  readonly #lackingBody = new Set<OpId>()
  /** Told when ops turn out to be damaged, and when they, or frames, are not any more. */
  onDamage: () => void = () => {}

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** Reads which bodies are missing. */
  async open(): Promise<void> {
    for await (const key of this.#parts.disk.keys(missingBodyRows)) this.#lackingBody.add(idOfKey(key))
  }

  /** What is on disk now. */
  committed({ frames, repaired, bodies }: Prepared): void {
    for (const frame of frames) this.#frames.set(frame.seq, frame, frame.frame.bytes.length)
    if (repaired.length > 0) this.noteGood(repaired)
    for (const { now, no } of bodies) {
      for (const id of no) this.#lackingBody.delete(id)
      for (const id of now) this.#lackingBody.add(id)
    }
  }

  /** Their rows were written anew. */
  forget(seqs: readonly number[]): void {
    for (const seq of seqs) this.#frames.delete(seq)
  }

  get damage(): { readonly frames: number; readonly ops: number } {
    return { frames: this.#damagedFrames.size, ops: this.#damagedOps.size + this.#lackingBody.size }
  }

  /** Ids of ops whose copy here is damaged, to be asked for. */
  damaged(limit: number): OpId[] {
    return [...this.#damagedOps.keys().take(limit), ...this.#lackingBody.keys().take(limit)].slice(0, limit)
  }

  /** Known to be unreadable: not served, and to be stored again from any good copy. */
  isDamaged(id: OpId): boolean {
    return this.#damagedOps.has(id) || this.#lackingBody.has(id)
  }

  /** Held without its body, although nothing in force erases it. */
  lacksBody(id: OpId): boolean {
    return this.#lackingBody.has(id)
  }

  /** These could not be had in a good copy. */
  noteDamaged(ids: readonly OpId[]): void {
    for (const id of ids) this.#damagedOps.add(id)
    if (ids.length > 0) this.onDamage()
  }

  /** These can be had again. When all can, what was lost is looked at once more, and nothing is lost with it. */
  noteGood(ids: readonly OpId[]): void {
    for (const id of ids) this.#damagedOps.delete(id)
    if (this.#damagedOps.size > 0) return
    this.onDamage()
    for (const [from, to] of this.#damagedFrames) this.#look(from, to)
  }

  /** No frame has these arrival numbers, from `from` to before `to`. */
  noteLost(from: number, to: number): void {
    this.#damagedAt(from, to)
  }

  /** Reads a row anew, past what is cached. */
  recheck(seq: number, row: Uint8Array): StoredFrame | undefined {
    if (isGoneFrame(row)) return undefined
    const read = readFrame(row, this.#parts)
    if (read !== undefined) {
      // What was read wrong once need not be wrong on the disk.
      if (this.#damagedFrames.delete(seq)) this.noteGood(read.frame.entries.map(({ op }) => op.id))
      return { seq, ...read }
    }
    this.#frames.delete(seq)
    this.#damagedAt(seq, seq + 1)
    return undefined
  }

  async locate(ids: readonly OpId[]): Promise<(Location | undefined)[]> {
    return (await this.#parts.disk.getMany(ids.map(opKey))).map((row) => row && readLocation(row))
  }

  /** The ops of these that are held, by the first number of their frame. */
  async byFrame(ids: readonly OpId[]): Promise<Map<number, OpId[]>> {
    const unique = [...new Set(ids)]
    const bySeq = new Map<number, OpId[]>()
    for (const [i, location] of (await this.locate(unique)).entries()) {
      if (location === undefined) continue
      const others = bySeq.get(location.seq)
      if (others === undefined) bySeq.set(location.seq, [unique[i]!])
      else others.push(unique[i]!)
    }
    return bySeq
  }

  /** A frame that is said to hold these ops, and those of them that it does hold. What it lacks is noted as damaged. */
  async frameWith(
    seq: number,
    ids: readonly OpId[],
  ): Promise<{ readonly stored: StoredFrame; readonly ids: readonly OpId[] } | undefined> {
    const stored = await this.frame(seq)
    const inside = new Set(stored?.frame.entries.map(({ op }) => op.id))
    const lost = ids.filter((id) => !inside.has(id))
    this.noteDamaged(lost)
    if (stored === undefined) return undefined
    // The op's row points to the wrong frame, so it is the row that is damaged; the op is as lost.
    if (lost.length > 0)
      this.#parts.log('error', 'a row on disk points to a frame that lacks its op', { seq, op: lost[0] })
    return { stored, ids: lost.length === 0 ? ids : ids.filter((id) => inside.has(id)) }
  }

  async ops(ids: readonly OpId[]): Promise<Map<OpId, Op>> {
    const ops = new Map<OpId, Op>()
    for (const [seq, some] of await this.byFrame(ids)) {
      const found = await this.frameWith(seq, some)
      const wanted = new Set(found?.ids)
      for (const { op } of found?.stored.frame.entries ?? []) if (wanted.has(op.id)) ops.set(op.id, op)
    }
    return ops
  }

  /** The frame whose first op has this arrival number; undefined when there is none, or it is damaged. */
  async frame(seq: number): Promise<StoredFrame | undefined> {
    const cached = this.#frames.get(seq)
    if (cached !== undefined) return cached
    const row = await this.#parts.disk.get(frameKey(seq))
    return row && this.#readFrame(seq, row)
  }

  /**
   * Frames in arrival order, from the one that holds `since` + 1, without those that came from `notFrom`. Damaged ones
   * are left out and counted.
   */
  async *framesSince(since: number, notFrom?: string): AsyncIterable<StoredFrame> {
    let first = since + 1
    for await (const key of this.#parts.disk.keys({
      gte: frameKey(0),
      lte: frameKey(since + 1),
      reverse: true,
      limit: 1,
    }))
      first = seqOfFrameKey(key)
    for await (const [key, row] of this.#parts.disk.entries(framesFrom(first))) {
      const seq = seqOfFrameKey(key)
      if (notFrom !== undefined && originOf(row) === notFrom) continue
      const stored = this.#frames.get(seq) ?? this.#readFrame(seq, row)
      if (stored !== undefined && stored.seq + stored.frame.entries.length > since + 1) yield stored
    }
  }

  /** Ids whose row points to a good frame that does not hold them: the key itself is damaged. Reads every frame. */
  async strays(): Promise<OpId[]> {
    const bySeq = new Map<number, OpId[]>()
    for await (const [key, row] of this.#parts.disk.entries(opRows)) {
      const seq = readLocation(row)?.seq ?? -1
      const others = bySeq.get(seq)
      if (others === undefined) bySeq.set(seq, [idOfKey(key)])
      else others.push(idOfKey(key))
    }
    const strays: OpId[] = []
    for (const [seq, ids] of bySeq) {
      const stored = await this.frame(seq)
      const inside = new Set(stored?.frame.entries.map(({ op }) => op.id))
      if (stored !== undefined) strays.push(...ids.filter((id) => !inside.has(id)))
    }
    return strays
  }

  #readFrame(seq: number, row: Uint8Array): StoredFrame | undefined {
    if (isGoneFrame(row)) return undefined
    const read = readFrame(row, this.#parts)
    if (read === undefined) {
      this.#damagedAt(seq)
      return undefined
    }
    const stored = { seq, ...read }
    this.#frames.set(seq, stored, stored.frame.bytes.length)
    return stored
  }

  #damagedAt(from: number, to = from + 1): void {
    if (this.#damagedFrames.has(from)) return
    this.#damagedFrames.set(from, to)
    this.#parts.log('error', 'a frame on disk is damaged; its ops are not served until a peer sends them again', {
      seq: from,
    })
    this.#look(from, to)
  }

  /** Which ops it held only their own rows can say. */
  #look(from: number, to: number): void {
    this.#findOpsOf(from, to).catch((error) =>
      this.#parts.log('warn', "couldn't list the ops of a damaged frame", { seq: from, error: String(error) }),
    )
  }

  /** Notes which ops are lost with a frame. Of one that no op points to any more only its numbers are kept. */
  async #findOpsOf(from: number, to: number): Promise<void> {
    const found: OpId[] = []
    for await (const [key, row] of this.#parts.disk.entries(opRows)) {
      const { seq = -1 } = readLocation(row) ?? {}
      if (seq >= from && seq < to) found.push(idOfKey(key))
    }
    // Some may have been stored again since their rows were read.
    const now = await this.locate(found)
    const lost = found.filter((_, at) => now[at] !== undefined && now[at].seq >= from && now[at].seq < to)
    if (lost.length > 0) return this.noteDamaged(lost)
    for await (const next of this.#parts.disk.keys({ ...framesFrom(from + 1), limit: 1 })) {
      const value = goneFrameRow(seqOfFrameKey(next) - from, this.#parts.sha256)
      // Synced, and so is what its ops are stored in by now: else a power cut could take that and leave this.
      await this.#parts.disk.batch([{ key: frameKey(from), value }], { sync: true })
      this.#damagedFrames.delete(from)
      this.onDamage()
    }
  }
}

/** A frame from its row; undefined when it is not what was written. */
export function readFrame(
  row: Uint8Array,
  { net, sha256, codec }: Pick<StoreParts, 'net' | 'sha256' | 'codec'>,
): { readonly frame: ParsedFrame; readonly origin?: string } | undefined {
  const value = unsealed(row, sha256)
  const read = value && readFrameRow(value)
  if (read === undefined) return undefined
  try {
    const bytes = read.packed ? codec.decompress(read.bytes, frameRowBytesMax) : read.bytes
    const parsed = parseFrame(bytes, net, sha256)
    return parsed.ok && parsed.frame.entries.length === read.count
      ? { frame: parsed.frame, origin: read.origin }
      : undefined
  } catch {
    // The codec throws on bytes that it did not write; that is damage like any other.
    return undefined
  }
}

/** Who sent it, without reading the frame; of a damaged row anything. */
function originOf(row: Uint8Array): string | undefined {
  return readFrameRow(unsealedUnchecked(row))?.origin
}
