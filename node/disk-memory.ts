/**
 * A disk in memory, for tests and simulations: the same promises as LevelDB, and it can crash.
 *
 * What was written without `sync` is kept undoable until the next synced batch, so that `crash` can lose any tail of
 * it, as a power cut does. Batches stay whole: LevelDB never shows half of one.
 */
import type { Del, Disk, Put, Range } from './disk.ts'

type Row = { readonly key: Uint8Array; readonly value: Uint8Array }
/** What the rows of one batch held before it. */
type Undo = readonly (readonly [name: string, before: Row | undefined])[]

export class MemoryDisk implements Disk {
  // Named by the key's bytes as characters, so that the order of names is the order of keys.
  readonly #rows = new Map<string, Row>()
  /** The names in order; rebuilt from `#rows` when a scan needs it after a row came or went. */
  #order: string[] | undefined = []
  #unsynced: Undo[] = []

  /** Batches that a crash may lose. */
  get unsynced(): number {
    return this.#unsynced.length
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#rows.get(nameOf(key))?.value
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.#rows.get(nameOf(key))?.value)
  }

  async batch(changes: readonly (Put | Del)[], options?: { readonly sync?: boolean }): Promise<void> {
    const undo: (readonly [string, Row | undefined])[] = []
    for (const { key, value } of changes) {
      const name = nameOf(key)
      undo.push([name, this.#rows.get(name)])
      // Copies: the caller may use its buffers again, and often they are views of something much larger.
      this.#set(name, value === undefined ? undefined : { key: key.slice(), value: value.slice() })
    }
    if (options?.sync === true) this.#unsynced = []
    else this.#unsynced.push(undo)
  }

  async *entries(range: Range): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    for (const row of this.#scan(range)) yield [row.key, row.value]
  }

  async *keys(range: Range): AsyncIterable<Uint8Array> {
    for (const row of this.#scan(range)) yield row.key
  }

  /** Loses all un-synced batches but the first `keep`. The disk may be opened again at once. */
  crash(keep = 0): void {
    while (this.#unsynced.length > keep) {
      for (const [name, before] of this.#unsynced.pop()!.toReversed()) this.#set(name, before)
    }
    this.#unsynced = []
  }

  /** Nothing to let go of: the rows stay, as files would. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #set(name: string, row: Row | undefined): void {
    if (this.#rows.has(name) !== (row !== undefined)) this.#order = undefined
    if (row === undefined) this.#rows.delete(name)
    else this.#rows.set(name, row)
  }

  /** The rows of the range as they are now; later changes do not show. */
  #scan(range: Range): Row[] {
    this.#order ??= [...this.#rows.keys()].sort()
    return namesWithin(this.#order, range).map((name) => this.#rows.get(name)!)
  }
}

/** A key as text that sorts as its bytes do. */
export function nameOf(key: Uint8Array): string {
  let name = ''
  for (const byte of key) name += String.fromCharCode(byte)
  return name
}

/** Of names in ascending order, those in a range, in its direction and not more than its limit. */
export function namesWithin(order: readonly string[], range: Range): string[] {
  let from = 0
  let to = order.length
  if (range.gte !== undefined) from = Math.max(from, firstFrom(order, nameOf(range.gte)))
  if (range.gt !== undefined) from = Math.max(from, firstFrom(order, `${nameOf(range.gt)}\0`))
  if (range.lt !== undefined) to = Math.min(to, firstFrom(order, nameOf(range.lt)))
  if (range.lte !== undefined) to = Math.min(to, firstFrom(order, `${nameOf(range.lte)}\0`))
  const limit = range.limit === undefined || range.limit < 0 ? Number.POSITIVE_INFINITY : range.limit
  const count = Math.max(0, Math.min(to - from, limit))
  return range.reverse === true ? order.slice(to - count, to).reverse() : order.slice(from, from + count)
}

/** Where the first name that is not below `bound` stands. */
export function firstFrom(order: readonly string[], bound: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order[middle]! < bound) low = middle + 1
    else high = middle
  }
  return low
}
