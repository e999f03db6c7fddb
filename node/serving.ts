/**
 * What peers get of the ops held: all but what the operator's lists and this node's policy keep back. Frames are cut
 * down to the ops asked for and hashed again, so that their proofs still hold.
 */
import { type OpId, type RecordId, selectFromFrame } from '../crdt/index.ts'
import { framesAnswerBytesMax } from './limits.ts'
import type { OpSet } from './op-set.ts'
import type { Pending } from './pending.ts'
import type { Policy } from './policy.ts'
import type { PolicyView } from './policy-view.ts'
import type { Store } from './store.ts'

export type ServingOptions = {
  readonly store: Store
  readonly set: OpSet
  readonly policy: Policy
  readonly view: PolicyView
  readonly pending: Pending
}
export type LogOptions = { notFrom?: string; of?: { has(id: OpId, record: RecordId): boolean } }

export class Serving {
  readonly #options: ServingOptions

  constructor(options: ServingOptions) {
    this.#options = options
  }

  /** Which of these nobody gets when they ask for them, though we know them. */
  async withholds(ids: readonly OpId[]): Promise<readonly boolean[]> {
    const { store, set, policy, view } = this.#options
    const known = ids.map((id) => set.isWithheld(id) || store.isDamaged(id))
    if (policy.isOpen) return known
    const ops = await store.ops(ids.filter((_, at) => !known[at]))
    const kept = await view.keptBack([...ops.values()])
    return ids.map((id, at) => known[at] || kept.has(id))
  }

  /** Frames that carry exactly these ops, those of them that are served; at most `bytesMax` in all, the rest in `left`. */
  async frames(ids: readonly OpId[], bytesMax = framesAnswerBytesMax): Promise<{ frames: Uint8Array[]; left: OpId[] }> {
    const { store, set, view, pending } = this.#options
    const frames: Uint8Array[] = []
    const left: OpId[] = []
    let bytes = 0
    for (const [seq, some] of await store.byFrame(ids.filter((id) => !set.isWithheld(id)))) {
      const found = left.length > 0 ? undefined : await store.frameWith(seq, some)
      if (left.length > 0) left.push(...some)
      if (found === undefined) continue
      const wanted = await view.served(found.stored.frame, new Set(found.ids))
      if (wanted.size === 0) continue
      const part = selectFromFrame(found.stored.frame, wanted, store.sha256)
      // The first goes whatever its size, or one that is larger than the bound would never go.
      if (frames.length > 0 && bytes + part.length > bytesMax) {
        left.push(...wanted)
        continue
      }
      frames.push(part)
      bytes += part.length
    }
    for (const id of ids) {
      // Put off here by the clock, and for whoever asks to judge by his own.
      const parked = pending.get(id)
      if (parked?.due === undefined || set.isWithheld(id)) continue
      if (left.length > 0 || bytes > bytesMax) left.push(id)
      else {
        const part = selectFromFrame(parked.parcel.frame, new Set([id]), store.sha256)
        frames.push(part)
        bytes += part.length
      }
    }
    return { frames, left }
  }

  /** The arrival log as frames; `seq` is the last arrival number covered so far, also by what was left out. */
  async *log(
    since: number,
    { notFrom, of }: LogOptions = {},
  ): AsyncIterable<{ readonly seq: number; readonly bytes: Uint8Array; readonly ids: readonly OpId[] }> {
    const { store, set, view } = this.#options
    for await (const { seq, frame } of store.framesSince(since, notFrom)) {
      const wanted = frame.entries.flatMap(({ op }, place) =>
        seq + place > since && !set.isWithheld(op.id) && of?.has(op.id, op.header.record) !== false ? [op.id] : [],
      )
      if (wanted.length === 0) continue
      const served = await view.served(frame, new Set(wanted))
      if (served.size === 0) continue
      const ids = [...served]
      const bytes = selectFromFrame(frame, served, store.sha256)
      yield { seq: seq + frame.entries.length - 1, bytes, ids }
    }
  }
}
