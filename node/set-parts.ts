/**
 * Parts of the op set, by name (sets.ts): made from all ids when somebody first asks, kept up to date from then on, and
 * forgotten when others are asked for more.
 */
import { IdSet, type OpId, type Sha256 } from '../crdt/index.ts'
import { syncSetsKeptMax } from './limits.ts'
import { ReconciledSet } from './reconciled-set.ts'
import { type Belonging, belongs } from './sets.ts'
import { turn } from './turn.ts'

export type SetPartsOptions = {
  readonly sha256: Sha256
  /** Gives every known op that belongs to a part; what arrives meanwhile comes by `add`, and may come both ways. */
  readonly fill: (name: string, add: (id: OpId) => void) => Promise<void>
  /** Resolves when where ops belong can be told. */
  readonly ready: () => Promise<void> | undefined
}

export class SetParts {
  readonly #options: SetPartsOptions
  /** The longest unused first. */
  readonly #parts = new Map<string, Promise<ReconciledSet>>()
  /** Made or being made. */
  readonly #growing = new Set<ReconciledSet>()

  constructor(options: SetPartsOptions) {
    this.#options = options
  }

  has(name: string): boolean {
    return this.#parts.has(name)
  }

  get(name: string): Promise<ReconciledSet> {
    const made = this.#parts.get(name) ?? this.#make(name)
    this.#parts.delete(name)
    this.#parts.set(name, made)
    for (const oldest of this.#parts.keys()) {
      if (this.#parts.size <= syncSetsKeptMax) break
      this.#parts
        .get(oldest)
        ?.then((set) => this.#growing.delete(set))
        .catch(() => {})
      this.#parts.delete(oldest)
    }
    return made
  }

  add(id: OpId, of: Belonging): void {
    for (const set of this.#growing) if (belongs(of, set.name)) set.add(id)
  }

  delete(id: OpId): void {
    for (const set of this.#growing) set.delete(id)
  }

  /** Where ops belong is to be asked anew: each is made again when it is next asked for. */
  clear(): void {
    this.#parts.clear()
    this.#growing.clear()
  }

  async #make(name: string): Promise<ReconciledSet> {
    const { sha256, fill, ready } = this.#options
    const waiting = ready()
    if (waiting !== undefined) await waiting
    const set = new ReconciledSet(name, new IdSet(sha256))
    // What is appended from now on goes in by itself; what was there before is read.
    this.#growing.add(set)
    try {
      await fill(name, (id) => set.add(id))
      await set.prepare(turn)
    } catch (error) {
      this.#growing.delete(set)
      this.#parts.delete(name)
      throw error
    }
    return set
  }
}
