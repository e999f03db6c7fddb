/**
 * What the operator's lists leave to be seen: which held records are shown, and which held ops peers get.
 *
 * An op of a blocked actor in somebody else's record is served as long as one builds on it that is: whoever takes an op
 * has to have its parents. A node that blocks nobody pays nothing for this.
 */
import { isAuthorityType, type Merged, type Op, type OpId, type ParsedFrame, type RecordId } from '../crdt/index.ts'
import { builtOnRecordsMax } from './limits.ts'
import { Lru } from './lru.ts'
import type { Policy } from './policy.ts'
import type { Store } from './store.ts'

export class PolicyView {
  readonly #policy: Policy
  readonly #store: Store
  /** Ops of blocked actors that others build on, of a record as it was merged then. */
  readonly #builtOn = new Lru<RecordId, { readonly of: Merged; readonly ids: ReadonlySet<OpId> }>(builtOnRecordsMax)

  constructor(policy: Policy, store: Store) {
    this.#policy = policy
    this.#store = store
    policy.onChange(() => this.#builtOn.clear())
  }

  /** The record, or undefined when it is not to be seen. */
  shown(record: Merged | undefined): Merged | undefined {
    if (record === undefined || this.#policy.isOpen) return record
    return this.#policy.blocksRecord(record.record, record.owner) ? undefined : record
  }

  /** Of each, in order. */
  allShown(records: (Merged | undefined)[]): (Merged | undefined)[] {
    return this.#policy.isOpen ? records : records.map((record) => this.shown(record))
  }

  /** Of these ops of a frame, those that peers get. */
  async served(frame: ParsedFrame, ids: Set<OpId>): Promise<Set<OpId>> {
    if (this.#policy.isOpen) return ids
    const kept = await this.keptBack(frame.entries.flatMap(({ op }) => (ids.has(op.id) ? [op] : [])))
    return ids.difference(kept)
  }

  /** Of these held ops, those that peers do not get. */
  async keptBack(ops: readonly Op[]): Promise<Set<OpId>> {
    const kept = new Set<OpId>()
    if (this.#policy.isOpen) return kept
    const records = await this.#recordsOf(ops)
    for (const { id, header } of ops) {
      if (isAuthorityType(header.type)) continue
      const record = records.get(header.record)
      if (this.#policy.blocksRecord(header.record, record?.owner)) kept.add(id)
      else if (record !== undefined && this.#policy.blocksActor(header.actor)) {
        if ((await this.#whatOthersBuildOn(record))?.has(id) === false) kept.add(id)
      }
    }
    return kept
  }

  /** Whether an op of this frame is of a record that is to be seen. */
  async areShown(frame: ParsedFrame): Promise<(op: Op) => boolean> {
    if (this.#policy.isOpen) return () => true
    const records = await this.#recordsOf(frame.entries.map(({ op }) => op))
    return ({ header }) => !this.#policy.blocksRecord(header.record, records.get(header.record)?.owner)
  }

  async #recordsOf(ops: readonly Op[]): Promise<Map<RecordId, Merged>> {
    const ids = [...new Set(ops.map(({ header }) => header.record))]
    const found = await this.#store.records(ids)
    return new Map(found.flatMap((merged) => (merged === undefined ? [] : [[merged.record, merged]])))
  }

  /** Undefined for a record with damaged ops, of which nobody can tell. */
  async #whatOthersBuildOn(record: Merged): Promise<ReadonlySet<OpId> | undefined> {
    const known = this.#builtOn.get(record.record)
    if (known?.of === record) return known.ids
    const loaded = await this.#store.opsOf(record)
    if ('damaged' in loaded) return undefined
    const byId = new Map(loaded.ops.map((op) => [op.id, op]))
    const ids = new Set<OpId>()
    const wanted = loaded.ops.filter(({ header }) => !this.#policy.blocksActor(header.actor))
    // `wanted` grows while it is read.
    for (const { header } of wanted) {
      for (const parent of header.parents) {
        const op = byId.get(parent)
        if (op === undefined || ids.has(parent)) continue
        ids.add(parent)
        wanted.push(op)
      }
    }
    this.#builtOn.set(record.record, { of: record, ids })
    return ids
  }
}
