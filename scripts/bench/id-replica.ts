/**
 * A replica of ids without ops, for measuring what finding a difference costs: real sets, sessions, messages and
 * channels; an "op" is its id, its frame the ids it carries, and nothing is verified or stored.
 */
import { fromHex, IdSet, type OpId, toHex } from '../../crdt/index.ts'
import { sortIds } from '../../node/id-sort.ts'
import type { Admitted, ReplicaFace } from '../../node/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { ReconciledSet } from '../../node/reconciled-set.ts'
import { drained } from '../../node/search-work.ts'

const ID_BYTES = 32
const FRAME_IDS = 256

export class IdReplica {
  readonly net: string
  readonly epoch: string
  readonly actor = undefined
  readonly ready = Promise.resolve()
  readonly sets = ['all']
  readonly set: ReconciledSet
  /** New since `restore`. */
  readonly #gained: OpId[] = []
  readonly #notes = new Map<string, Uint8Array>()

  constructor(net: string, epoch: string, ids: Uint8Array) {
    this.net = net
    this.epoch = epoch
    this.set = new ReconciledSet('all', IdSet.ofSorted(drained(sortIds([ids])), nativeSuite.sha256))
    this.set.root()
  }

  /** As `ReplicaFace`, of which sessions use only what is here. */
  get face(): ReplicaFace {
    return this as unknown as ReplicaFace
  }

  counts() {
    return { ops: this.set.size, seq: this.set.size, records: {} }
  }

  root(): string {
    return this.set.root()
  }

  keeps(): boolean {
    return true
  }

  async reconciled(): Promise<ReconciledSet> {
    return this.set
  }

  async knows(ids: readonly OpId[]): Promise<readonly boolean[]> {
    return ids.map((id) => this.set.has(id))
  }

  async withholds(ids: readonly OpId[]): Promise<readonly boolean[]> {
    return ids.map(() => false)
  }

  damaged(): readonly OpId[] {
    return []
  }

  async changes(): Promise<readonly []> {
    return []
  }

  async admit(frames: readonly Uint8Array[]): Promise<Admitted> {
    const results: Admitted['results'][number][] = []
    for (const frame of frames) {
      for (let at = 0; at < frame.length; at += ID_BYTES) {
        const id = toHex(frame.subarray(at, at + ID_BYTES))
        const isNew = this.set.add(id)
        if (isNew) this.#gained.push(id)
        results.push({ op: id, verdict: isNew ? 'applied' : 'duplicate' })
      }
    }
    return { results, refusedFrames: [], missing: [], misbehaved: false, verified: true, mergedOps: 0 }
  }

  async frames(ids: readonly OpId[]): Promise<{ frames: Uint8Array[]; left: OpId[] }> {
    return { frames: framesOf(ids.filter((id) => this.set.has(id))), left: [] }
  }

  async *log(since: number) {
    let seq = 0
    let some: OpId[] = []
    for (const id of this.set.ids.ids()) {
      if (++seq <= since) continue
      some.push(id)
      if (some.length < FRAME_IDS) continue
      yield { seq, ids: some, bytes: framesOf(some)[0]! }
      some = []
    }
    if (some.length > 0) yield { seq, ids: some, bytes: framesOf(some)[0]! }
  }

  async note(name: string): Promise<Uint8Array | undefined> {
    return this.#notes.get(name)
  }

  async setNote(name: string, value: Uint8Array): Promise<void> {
    this.#notes.set(name, value)
  }

  /** Takes out what came by sessions. */
  restore(): void {
    for (const id of this.#gained.splice(0)) this.set.delete(id)
    this.#notes.clear()
  }
}

function framesOf(ids: readonly OpId[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let from = 0; from < ids.length; from += FRAME_IDS) {
    const some = ids.slice(from, from + FRAME_IDS)
    const frame = new Uint8Array(some.length * ID_BYTES)
    for (const [i, id] of some.entries()) frame.set(fromHex(id), i * ID_BYTES)
    frames.push(frame)
  }
  return frames
}
