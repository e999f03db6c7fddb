/**
 * Which ops this replica holds. The op set answers from memory, the store until that is loaded.
 *
 * An op whose copy on disk is damaged counts as not held: it is to be fetched again.
 */
import type { OpId } from '../crdt/index.ts'
import type { OpSet } from './op-set.ts'
import type { Store } from './store.ts'

export class HeldOps {
  readonly #store: Store
  readonly #set: OpSet

  constructor(store: Store, set: OpSet) {
    this.#store = store
    this.#set = set
  }

  async has(ids: readonly OpId[]): Promise<readonly boolean[]> {
    const known = ids.map((id) => (this.#store.isDamaged(id) ? false : this.#set.has(id)))
    const unknown = ids.filter((_, i) => known[i] === undefined)
    if (unknown.length === 0) return known as boolean[]
    const locations = (await this.#store.locate(unknown)).values()
    return known.map((held) => held ?? locations.next().value !== undefined)
  }

  /** Held, or refused by this node's policy. */
  async hasOrRefuses(ids: readonly OpId[]): Promise<readonly boolean[]> {
    return (await this.has(ids)).map((isHeld, at) => isHeld || this.#set.isWithheld(ids[at]!))
  }

  /** Held, refused by this node's policy, or put off by its clock. */
  async knows(ids: readonly OpId[]): Promise<readonly boolean[]> {
    const held = await this.has(ids)
    return ids.map((id, i) => held[i] || (this.#set.knows(id) === true && !this.#store.isDamaged(id)))
  }
}
