/**
 * The ids of all ops held, in memory: whether an op is held, and the root by which two sets are compared.
 *
 * Loaded from the `o` rows in the background after open. Until then `has` answers undefined and the store is asked;
 * what arrives meanwhile is kept aside, so that what was on disk can be compared with what the last shutdown counted.
 */
import type { OpId, Sha256 } from '../crdt/index.ts'
import type { Disk } from './disk.ts'
import { ReconciledSet } from './reconciled-set.ts'
import type { Log } from './replica-types.ts'
import { type Counts, idOfKey, type Marker, opRows, readLocation } from './rows.ts'
import { ALL } from './sets.ts'

export class OpSet {
  readonly #ids: ReconciledSet
  /** Arrived since open; undefined when all are in `#ids`. */
  #arrived: Set<OpId> | undefined = new Set()
  #state: 'loading' | 'good' | 'differs' = 'loading'

  constructor(sha256: Sha256) {
    this.#ids = new ReconciledSet(ALL, sha256)
  }

  get state(): 'loading' | 'good' | 'differs' {
    return this.#state
  }

  /** Of all ops; whole once loaded. */
  get all(): ReconciledSet {
    return this.#ids
  }

  /** Undefined while loading, when only the store can say. */
  has(id: OpId): boolean | undefined {
    if (this.#arrived === undefined) return this.#ids.has(id)
    return this.#arrived.has(id) ? true : undefined
  }

  add(id: OpId): void {
    if (this.#arrived === undefined) this.#ids.add(id)
    else this.#arrived.add(id)
  }

  get size(): number {
    return this.#ids.size + (this.#arrived?.size ?? 0)
  }

  /** Undefined while loading. */
  root(): string | undefined {
    return this.#arrived === undefined ? this.#ids.root() : undefined
  }

  /**
   * Reads the ids that were on disk at open and compares: with the root that a clean shutdown left, else with the
   * count of the last commit. A difference is logged and stays visible in `state`; the set is what the rows say.
   */
  async load(disk: Disk, counts: Counts, marker: Marker | undefined, log: Log, signal: AbortSignal): Promise<void> {
    for await (const [key, value] of disk.entries(opRows)) {
      if (signal.aborted) return
      const location = readLocation(value)
      // Later arrivals are in #arrived: a disk may show them here or not.
      if (location !== undefined && location.seq + location.place > counts.seq) continue
      this.#ids.add(idOfKey(key))
    }
    const ops = this.#ids.size
    const wanted = marker?.ops ?? counts.ops
    const root = this.#ids.root()
    this.#state = ops === wanted && (marker === undefined || marker.root === root) ? 'good' : 'differs'
    if (this.#state === 'differs') {
      log('error', 'the ops on disk are not those of the last shutdown; peers will be asked for what is missing', {
        ops,
        wanted,
        root,
        wantedRoot: marker?.root,
        lost: Math.max(0, wanted - ops),
      })
    }
    for (const id of this.#arrived ?? []) this.#ids.add(id)
    this.#arrived = undefined
  }
}
