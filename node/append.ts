/**
 * A group: ops on their way into the store, merged in memory and written as one batch.
 *
 * A group takes ops one by one; each sees the records as the ops before it have left them. Nothing of it shows outside
 * until the batch is on disk, so a group that fails is simply forgotten. Whether an op may go in was decided before
 * (admit.ts, write.ts).
 */
import {
  encodeMerged,
  extend,
  type Merged,
  merge,
  type Op,
  type OpId,
  type Owner,
  type ParsedFrame,
  type RecordId,
  selectFromFrame,
} from '../crdt/index.ts'
import type { Put } from './disk.ts'
import type { OpSet } from './op-set.ts'
import {
  type Counts,
  countsKey,
  countsRow,
  frameKey,
  frameRow,
  kindKey,
  locationRow,
  opKey,
  recordKey,
  sealed,
} from './rows.ts'
import type { Prepared, Store, StoredFrame } from './store.ts'

/** A frame that brings ops of a group. Only those taken from it are stored. */
export type Carrier = { readonly frame: ParsedFrame; readonly origin?: string; readonly taken: Set<OpId> }

export function carry(frame: ParsedFrame, origin?: string): Carrier {
  return { frame, origin, taken: new Set() }
}

type RecordState = {
  readonly before: Merged | undefined
  /** As merged with what was added; stale while `dirty`. */
  now: Merged | undefined
  dirty: boolean
  /** All ops of the record, once one had to be merged that could not be folded on top. */
  ops: Op[] | undefined
  readonly added: Op[]
}

export class Group {
  readonly #store: Store
  readonly #set: OpSet
  readonly #states = new Map<RecordId, RecordState>()
  /** Which ops were held when this group began: only the one writer changes that. */
  readonly #held = new Map<OpId, boolean>()
  readonly #taken = new Map<OpId, Op>()
  readonly #repaired = new Map<OpId, Op>()
  readonly #carriers = new Set<Carrier>()

  constructor(store: Store, set: OpSet) {
    this.#store = store
    this.#set = set
  }

  /** New ops so far. */
  get size(): number {
    return this.#taken.size
  }

  get hasChanges(): boolean {
    return this.#taken.size > 0 || this.#repaired.size > 0
  }

  /** Reads, in one go, what judging these ops needs: their records, and whether they and their parents are held. */
  async prefetch(ops: readonly Op[]): Promise<void> {
    const unknown = new Set<OpId>()
    const records = new Set<RecordId>()
    for (const { id, header } of ops) {
      if (!this.#states.has(header.record)) records.add(header.record)
      for (const wanted of [id, ...header.parents]) {
        if (this.#held.has(wanted)) continue
        const held = this.#set.has(wanted)
        if (held === undefined) unknown.add(wanted)
        else this.#held.set(wanted, held)
      }
    }
    const ids = [...unknown]
    const locations = await this.#store.locate(ids)
    for (const [i, id] of ids.entries()) this.#held.set(id, locations[i] !== undefined)
    await this.prefetchRecords([...records])
  }

  async prefetchRecords(ids: readonly RecordId[]): Promise<void> {
    const records = ids.filter((id) => !this.#states.has(id))
    if (records.length === 0) return
    const merged = await this.#store.records(records)
    for (const [i, id] of records.entries()) {
      this.#states.set(id, { before: merged[i], now: merged[i], dirty: false, ops: undefined, added: [] })
    }
  }

  /** False when something `prefetch` would read is not there yet. */
  isPrefetched({ id, header }: Op): boolean {
    return (
      this.#states.has(header.record) && this.#held.has(id) && header.parents.every((parent) => this.#held.has(parent))
    )
  }

  /** Held, or taken into this group. Of prefetched ids only. */
  has(id: OpId): boolean {
    return this.#taken.has(id) || this.#held.get(id) === true
  }

  /** Has a good copy, here or on disk. */
  hasGood(id: OpId): boolean {
    return this.has(id) && (!this.#store.isDamaged(id) || this.#repaired.has(id))
  }

  ownerOf(record: RecordId): Owner | undefined {
    return this.#states.get(record)?.now?.owner
  }

  /** The record of an op that is held; undefined when its frame is damaged. */
  async recordOf(id: OpId, guess: RecordId): Promise<RecordId | undefined> {
    const taken = this.#taken.get(id) ?? this.#repaired.get(id)
    if (taken !== undefined) return taken.header.record
    const state = this.#states.get(guess)
    if (state?.before?.heads.includes(id)) return guess
    return (await this.#store.ops([id])).get(id)?.header.record
  }

  /** The record as all ops taken so far make it. */
  current(record: RecordId): Merged | undefined {
    const state = this.#states.get(record)!
    if (state.dirty) {
      state.now = merge(state.ops!, this.#store.sha256)
      state.dirty = false
    }
    return state.now
  }

  /**
   * Takes a valid op that is not held, whose parents are. Answers the ids of damaged ops when its record cannot be
   * merged without them; the op is not taken then.
   */
  async take(op: Op, carrier?: Carrier): Promise<readonly OpId[] | undefined> {
    const state = this.#states.get(op.header.record)!
    const folded = state.dirty ? undefined : extend(state.now, op, this.#store.sha256)
    if (folded !== undefined) {
      state.now = folded
      state.ops?.push(op)
    } else {
      if (state.ops === undefined) {
        const loaded = await this.#store.opsOf(state.before, this.#repaired)
        if ('damaged' in loaded) return loaded.damaged
        state.ops = [...loaded.ops, ...state.added]
      }
      state.ops.push(op)
      state.dirty = true
    }
    state.added.push(op)
    this.#taken.set(op.id, op)
    this.#bring(op.id, carrier)
    return undefined
  }

  /** Takes a good copy of an op that is held, but whose row is damaged. It changes no record. */
  takeAgain(op: Op, carrier: Carrier): void {
    this.#repaired.set(op.id, op)
    this.#bring(op.id, carrier)
  }

  /** Everything this group changes; `own` are the frames of the ops that were taken without a carrier. */
  async finish(own: readonly ParsedFrame[]): Promise<Prepared> {
    const { sha256 } = this.#store
    const changes: Put[] = []
    const changed = [...this.#states].filter(([, { added }]) => added.length > 0)
    const pairs = changed.map(([id, { before, ops }]) => ({ before, after: this.current(id)!, ops }))
    const counts = countsAfter(this.#store.counts, this.#taken.size, pairs)
    const frames: StoredFrame[] = []
    let seq = this.#store.counts.seq
    for (const carrier of [...this.#carriers, ...own.map(whole)]) {
      const frame = narrowed(carrier, sha256)
      frames.push({ seq: seq + 1, frame, origin: carrier.origin })
      for (const [place, { op }] of frame.entries.entries()) {
        changes.push({ key: opKey(op.id), value: locationRow({ seq: seq + 1, place }) })
      }
      seq += frame.entries.length
    }
    changes.push(...(await Promise.all(frames.map((stored) => this.#frameRow(stored)))))
    const records: { merged: Merged; bytes: number; ops: readonly Op[] | undefined }[] = []
    for (const { before, after, ops } of pairs) {
      const value = sealed(encodeMerged(after), sha256)
      changes.push({ key: recordKey(after.record), value })
      if (before === undefined) changes.push({ key: kindKey(after.kind, after.record), value: NOTHING })
      records.push({ merged: after, bytes: value.length, ops })
    }
    const after = { ...counts, seq }
    changes.push({ key: countsKey, value: sealed(countsRow(after), sha256) })
    return {
      changes,
      counts: after,
      frames,
      records,
      repaired: [...this.#repaired.keys()],
      remote: this.#carriers.size,
    }
  }

  async #frameRow({ seq, frame, origin }: StoredFrame): Promise<Put> {
    const { codec, sha256 } = this.#store
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

  #bring(id: OpId, carrier: Carrier | undefined): void {
    if (carrier === undefined) return
    carrier.taken.add(id)
    this.#carriers.add(carrier)
  }
}

const NOTHING = new Uint8Array(0)
/** Below this, packing saves less than a block of the disk's own compression does. */
const PACK_MIN = 512

function whole(frame: ParsedFrame): Carrier {
  return { frame, taken: new Set(frame.entries.map(({ op }) => op.id)) }
}

/** The frame with only the ops that were taken from it; itself when they are all. */
function narrowed({ frame, taken }: Carrier, sha256: Store['sha256']): ParsedFrame {
  if (taken.size === frame.entries.length && frame.refused.length === 0) return frame
  const entries = frame.entries.filter(({ op }) => taken.has(op.id))
  return { ...frame, entries, refused: [], bytes: selectFromFrame(frame, taken, sha256) }
}

function countsAfter(
  counts: Counts,
  ops: number,
  records: readonly { before: Merged | undefined; after: Merged }[],
): Counts {
  // Without a prototype: `constructor` is a kind like any other.
  const live: Record<string, number> = Object.assign(Object.create(null), counts.records)
  for (const { before, after } of records) {
    const change = Number(after.live) - Number(before?.live ?? false)
    if (change === 0) continue
    const left = (live[after.kind] ?? 0) + change
    if (left > 0) live[after.kind] = left
    else delete live[after.kind]
  }
  return { seq: counts.seq, ops: counts.ops + ops, records: live }
}
