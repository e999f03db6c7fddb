/**
 * The operator's lists, changed while the node runs: what is blocked is not taken, served or shown from then on, and
 * what was refused meanwhile is asked of peers again once it is not. What is held stays on disk either way.
 */
import type { OpId, Owner, RecordId } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import type { Withheld } from './id-rows.ts'
import { policyReleaseOps } from './limits.ts'
import type { OpSet } from './op-set.ts'
import { BLOCKED, type Policy, type Target } from './policy.ts'
import type { Usage } from './quota.ts'
import type { Log } from './replica-types.ts'
import type { Store } from './store.ts'

export type BlockingOptions = {
  readonly policy: Policy
  readonly store: Store
  readonly set: OpSet
  readonly clock: Clock
  readonly log: Log
  /** Does this while no group is judged or written. */
  readonly alone: (work: () => Promise<void>) => Promise<void>
  /** Resolves when the op set is loaded. */
  readonly loaded: () => Promise<void>
}

export class Blocking {
  readonly #options: BlockingOptions

  constructor(options: BlockingOptions) {
    this.#options = options
  }

  async block(target: Target, reason?: string): Promise<void> {
    const { policy, clock, log, alone } = this.#options
    const at = clock.now()
    await alone(() => policy.add({ ...target, at, ...(reason !== undefined && { reason }) }))
    log('info', 'blocked', { target: target.name })
    policy.changed(target)
  }

  /** False when it was not blocked. */
  async unblock({ name }: Target): Promise<boolean> {
    const { policy, log, alone, loaded } = this.#options
    await loaded()
    const block = policy.block(name)
    if (block === undefined) return false
    let released = 0
    await alone(() =>
      policy.remove(block, async () => {
        released = await this.#releaseUnblocked()
      }),
    )
    log('info', 'not blocked any more', { target: name, ops_to_fetch: released })
    policy.changed(block)
    return true
  }

  async isBlocked(record: RecordId): Promise<boolean> {
    const { policy, store } = this.#options
    if (policy.isOpen) return false
    return policy.blocksRecord(record, (await store.record(record))?.owner)
  }

  /** Reads every record, for an owner. */
  async *recordsOf(target: Target): AsyncIterable<RecordId> {
    if (target.is === 'record') yield target.name
    if (target.is !== 'did') return
    for await (const { record, owner } of this.#options.store.recordsFrom(undefined, undefined, () => {})) {
      if (owner === target.owner) yield record
    }
  }

  /** What went in so far of an owner or actor. */
  async usage(owner: Owner): Promise<Usage> {
    return (await this.#options.store.usages([owner]))[0]!
  }

  async withhold(ops: readonly ({ readonly id: OpId } & Withheld)[]): Promise<void> {
    const { set, loaded } = this.#options
    await loaded()
    return set.withhold(ops)
  }

  async release(ids: readonly OpId[]): Promise<void> {
    const { set, loaded } = this.#options
    await loaded()
    return set.release(ids)
  }

  /** What no list refuses any more is not known any more, so that peers bring it. Answers how many. */
  async #releaseUnblocked(): Promise<number> {
    const { policy, set } = this.#options
    let ids: OpId[] = []
    let released = 0
    for await (const [id, { reason, of, record, actor }] of set.allWithheld()) {
      if (reason !== BLOCKED || of === undefined || record === undefined || actor === undefined) continue
      if (policy.blocksActor(actor) || policy.blocksRecord(record, of.owner)) continue
      ids.push(id)
      released++
      if (ids.length < policyReleaseOps) continue
      await set.release(ids)
      ids = []
    }
    await set.release(ids)
    return released
  }
}
