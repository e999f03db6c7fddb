/**
 * What ranking and order need of every record, in flat arrays by document number: ids, times, how long its names and
 * texts are, and how popular it is.
 */

import type { Leaf } from './search-fields.ts'
import type { Facts } from './search-store.ts'

const NAMES = 4
const WHOLES = 2

export class Docs {
  /** One more than the largest number in use. */
  size = 0
  live = 0
  readonly #ids: (string | undefined)[] = []
  readonly #free: number[] = []
  registeredAt = new Float64Array(0)
  changedAt = new Float64Array(0)
  popularity = new Float32Array(0)
  /** Words in names, tags, texts: three a document. */
  words = new Uint16Array(0)
  #names = new Uint32Array(0)
  #wholes = new Uint32Array(0)

  id(doc: number): string | undefined {
    return this.#ids[doc]
  }

  /** A number for a new record: the smallest never used, or one that a removed record left. */
  next(): number {
    return this.#free.pop() ?? this.size
  }

  set(doc: number, id: string, facts: Facts): void {
    this.#reserve(doc)
    if (this.#ids[doc] === undefined) this.live++
    this.#ids[doc] = id
    this.registeredAt[doc] = numberIn(facts, 'registered_at')
    this.changedAt[doc] = numberIn(facts, 'changed_at')
    this.popularity[doc] = popularityOf(facts)
    for (let i = 0; i < 3; i++) this.words[doc * 3 + i] = facts.words[i as 0 | 1 | 2]
    for (let i = 0; i < NAMES; i++) this.#names[doc * NAMES + i] = facts.names[i] ?? 0
    for (let i = 0; i < WHOLES; i++) this.#wholes[doc * WHOLES + i] = facts.whole[i] ?? 0
  }

  clear(doc: number): void {
    if (this.#ids[doc] === undefined) return
    this.#ids[doc] = undefined
    this.live--
    this.#free.push(doc)
  }

  /** Numbers below `size` that no record has are free again; called once after all stored records are set. */
  settle(): void {
    this.#free.length = 0
    for (let doc = this.size - 1; doc >= 0; doc--) if (this.#ids[doc] === undefined) this.#free.push(doc)
  }

  isNamed(doc: number, hint: number): boolean {
    for (let i = 0; i < NAMES; i++) if (this.#names[doc * NAMES + i] === hint) return true
    return false
  }

  isWhole(doc: number, hint: number): boolean {
    for (let i = 0; i < WHOLES; i++) if (this.#wholes[doc * WHOLES + i] === hint) return true
    return false
  }

  #reserve(doc: number): void {
    if (doc >= this.size) this.size = doc + 1
    if (doc < this.registeredAt.length) return
    const room = Math.max(1_024, (doc + 1) * 2)
    this.registeredAt = copied(new Float64Array(room), this.registeredAt)
    this.changedAt = copied(new Float64Array(room), this.changedAt)
    this.popularity = copied(new Float32Array(room), this.popularity)
    this.words = copied(new Uint16Array(room * 3), this.words)
    this.#names = copied(new Uint32Array(room * NAMES), this.#names)
    this.#wholes = copied(new Uint32Array(room * WHOLES), this.#wholes)
  }
}

function copied<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from)
  return to
}

function numberIn(facts: Facts, path: string): number {
  const leaf: Leaf | undefined = facts.leaves.find(([each]) => each === path)?.[1][0]
  return typeof leaf === 'number' ? leaf : 0
}

/** Counts that sources publish, and the power of ten at which each says "everybody knows it". */
const POPULARITY = [
  ['downloads', 7.5],
  ['likes', 5],
] as const

/** 0..1, by the logarithm of the best count. */
function popularityOf(facts: Facts): number {
  let best = 0
  for (const [path, full] of POPULARITY) {
    const count = numberIn(facts, path)
    if (count > 0) best = Math.max(best, Math.min(1, Math.log10(1 + count) / full))
  }
  return best
}
