/**
 * Searches that are kept by name, to be followed: their words, kinds and filter as they were given, and the place of
 * the log from which on their matches are told.
 *
 * One small row for all of them, on the disk before a change of it is answered.
 */
import { decode, encode, isMap, type Value } from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { savedSearchesMax } from './limits.ts'
import type { ReplicaFace } from './replica-types.ts'

export type SavedSearch = {
  readonly name: string
  /** Singular names; missing = all. */
  readonly kinds?: readonly string[]
  readonly query?: string
  /** In the filter language. */
  readonly filter?: string
  readonly filters?: Readonly<Record<string, Value>>
  /** The last arrival number when it was saved. */
  readonly since: number
}

const NOTE = 'searches'

export function isSearchName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name)
}

export class SavedSearches {
  readonly #replica: ReplicaFace
  #searches: Promise<Map<string, SavedSearch>> | undefined
  #changes: Promise<unknown> = Promise.resolve()

  constructor(replica: ReplicaFace) {
    this.#replica = replica
  }

  /** By name. */
  async list(): Promise<readonly SavedSearch[]> {
    return [...(await this.#read()).values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async get(name: string): Promise<SavedSearch | undefined> {
    return (await this.#read()).get(name)
  }

  /**
   * Keeps it, from the log's present end on. `exists` when another search has the name; saving the same again changes
   * nothing. NodeError('busy') when there are `savedSearchesMax`.
   */
  save(
    wanted: Omit<SavedSearch, 'since'>,
  ): Promise<{ outcome: 'created' | 'unchanged' | 'exists'; search: SavedSearch }> {
    return this.#change(async (searches) => {
      const known = searches.get(wanted.name)
      const search = { ...wanted, since: known?.since ?? this.#replica.counts().seq }
      if (known) return { outcome: isSame(known, search) ? 'unchanged' : 'exists', search: known }
      if (searches.size >= savedSearchesMax) {
        throw new NodeError('busy', `${savedSearchesMax} searches are saved already`)
      }
      await this.#write(new Map(searches).set(search.name, search))
      return { outcome: 'created', search }
    })
  }

  /** False when there is none. */
  remove(name: string): Promise<boolean> {
    return this.#change(async (searches) => {
      const left = new Map(searches)
      if (!left.delete(name)) return false
      await this.#write(left)
      return true
    })
  }

  /** One after the other. */
  #change<T>(change: (searches: Map<string, SavedSearch>) => Promise<T>): Promise<T> {
    const changed = this.#changes.then(async () => change(await this.#read()))
    this.#changes = changed.catch(() => {})
    return changed
  }

  #read(): Promise<Map<string, SavedSearch>> {
    this.#searches ??= this.#replica.note(NOTE).then(readSearches)
    this.#searches.catch(() => {
      this.#searches = undefined
    })
    return this.#searches
  }

  async #write(searches: Map<string, SavedSearch>): Promise<void> {
    await this.#replica.setNote(NOTE, encode([...searches.values()]), { sync: true })
    this.#searches = Promise.resolve(searches)
  }
}

function isSame(a: SavedSearch, b: SavedSearch): boolean {
  return Buffer.compare(encode(a), encode(b)) === 0
}

/** A row that does not read back holds no searches. */
function readSearches(bytes: Uint8Array | undefined): Map<string, SavedSearch> {
  const row = bytes && decode(bytes)
  const searches = new Map<string, SavedSearch>()
  if (!row?.ok || !Array.isArray(row.value)) return searches
  for (const each of row.value as Value[]) {
    if (isMap(each) && typeof each['name'] === 'string') searches.set(each['name'], each as unknown as SavedSearch)
  }
  return searches
}
