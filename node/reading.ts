/**
 * Records and their ops as they are read: from what is on disk, without those that the operator's lists hide. No read
 * waits for the writer.
 *
 * Where ops of a record are damaged, what needs them all throws NodeError('store-corrupt').
 */
import {
  type Merged,
  OP_TYPES,
  type Op,
  type OpId,
  type RecordId,
  recordStateHash,
  SEM,
  stateHash,
} from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { historyOf } from './history.ts'
import { rejudgeRecords } from './limits.ts'
import type { PolicyView } from './policy-view.ts'
import type { Change, ListOptions } from './replica-types.ts'
import { statesAt } from './states-at.ts'
import type { Store } from './store.ts'

export class Reading {
  readonly #store: Store
  readonly #view: PolicyView

  constructor(store: Store, view: PolicyView) {
    this.#store = store
    this.#view = view
  }

  /** The record if it is in memory, at once. */
  peek(id: RecordId): Merged | undefined {
    return this.#view.shown(this.#store.peek(id))
  }

  async record(id: RecordId): Promise<Merged | undefined> {
    return this.#view.shown(await this.#store.record(id))
  }

  async records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]> {
    return this.#view.allShown(await this.#store.records(ids))
  }

  /** The same; 'broken' in place of one that is damaged and cannot be merged again yet. */
  async recordsOrBroken(ids: readonly RecordId[]): Promise<(Merged | undefined | 'broken')[]> {
    const records = await this.#store.recordsOrBroken(ids)
    return records.map((record) => (record === 'broken' ? record : this.#view.shown(record)))
  }

  async list(options: ListOptions): Promise<readonly Merged[]> {
    const { kind, after, limit, live, broken } = options
    const found: Merged[] = []
    if (limit <= 0) return found
    for await (const merged of this.#store.recordsFrom(kind, after, broken)) {
      if (live !== undefined && merged.live !== live) continue
      if (this.#view.shown(merged) === undefined) continue
      found.push(merged)
      if (found.length >= limit) break
    }
    return found
  }

  async op(id: OpId): Promise<Op | undefined> {
    return (await this.#store.ops([id])).get(id)
  }

  /** The record's ops, newest first. */
  async history(
    record: RecordId,
    options: { limit: number; after?: OpId },
  ): Promise<{ items: readonly Op[]; next?: OpId }> {
    const merged = await this.record(record)
    if (merged === undefined) return { items: [] }
    return historyOf(await this.#allOps(merged), options)
  }

  /** Ops in order of arrival after `since`. */
  async changes(since: number, limit: number): Promise<readonly Change[]> {
    const found: { seq: number; op: Op }[] = []
    if (limit <= 0) return []
    for await (const { seq, frame } of this.#store.framesSince(since)) {
      const isShown = await this.#view.areShown(frame)
      for (const [place, { op }] of frame.entries.entries()) {
        if (seq + place > since && found.length < limit && isShown(op)) found.push({ seq: seq + place, op })
      }
      if (found.length >= limit) break
    }
    const ids = [...new Set(found.map(({ op }) => op.header.record))]
    const records = await this.#store.recordsOrBroken(ids)
    const kinds = new Map<RecordId, string>()
    for (const [i, record] of records.entries())
      kinds.set(ids[i]!, record === 'broken' ? await this.#store.listedKind(ids[i]!) : (record?.kind ?? ''))
    return found.map(({ seq, op: { id, header } }) => ({
      seq,
      op: id,
      kind: kinds.get(header.record)!,
      record: header.record,
      type: OP_TYPES[header.type - 1] ?? String(header.type),
      actor: header.actor,
      w: header.w,
    }))
  }

  /** When each of these ops arrived: its number; undefined when it is not held. */
  async arrivals(ids: readonly OpId[]): Promise<readonly (number | undefined)[]> {
    return (await this.#store.locate(ids)).map((location) => location && location.seq + location.place)
  }

  async statesAt(record: RecordId, seqs: readonly number[]): Promise<readonly (Merged | undefined)[] | undefined> {
    if ((await this.record(record)) === undefined) return undefined
    return statesAt(this.#store, record, seqs)
  }

  /** Each record, shown or not, that has an op that relies on `via`. */
  async *relying(via: OpId): AsyncIterable<{ readonly record: Merged; readonly ops: () => Promise<readonly Op[]> }> {
    let after: RecordId | undefined
    do {
      const ids = await this.#store.relying(via, after, rejudgeRecords)
      after = ids.length < rejudgeRecords ? undefined : ids.at(-1)
      for (const record of await this.#store.records(ids)) {
        if (record === undefined) continue
        yield { record, ops: () => this.#allOps(record) }
      }
    } while (after !== undefined)
  }

  /** Of all records, shown or not. */
  async stateHash(): Promise<string> {
    const hashes: Uint8Array[] = []
    for await (const merged of this.#store.recordsFrom(undefined, undefined)) {
      hashes.push(recordStateHash(merged, this.#store.sha256))
    }
    return stateHash(hashes, SEM, this.#store.sha256)
  }

  async #allOps(record: Merged): Promise<readonly Op[]> {
    const loaded = await this.#store.opsOf(record)
    if (!('damaged' in loaded)) return loaded.ops
    throw new NodeError('store-corrupt', `${loaded.damaged.length} ops of ${record.record} are damaged`)
  }
}
