/**
 * The order of an answer and the place in it where the next page begins.
 *
 * A cursor is a position (sort key and id), not a count, so that records that come and go do not shift what follows;
 * it is good for the query it was made for and carries a check, so that a changed one is noticed.
 */
import type { QueryProblem, SearchQuery } from './search.ts'
import { isShortened, PRESENT } from './search-fields.ts'
import { shortHash } from './search-hash.ts'
import type { Values } from './search-values.ts'

/** Numbers come before strings; a missing key comes last in both directions. */
export type SortKey = number | string | undefined
export type Position = { readonly key: SortKey; readonly id: string }
/**
 * Where a page ends. `rarities`: how much each word said when the first page was made; the pages that follow go by the
 * same, or what others write meanwhile would shift every score and records would be shown twice or never.
 */
export type Place = Position & { readonly rarities?: readonly number[] }

/** Negative when `a` comes first. Equal keys are ordered by id, so that no two records tie. */
export function comparePositions(a: Position, b: Position, descending: boolean): number {
  const byKey = compareKeys(a.key, b.key, descending)
  if (byKey !== 0) return byKey
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function compareKeys(a: SortKey, b: SortKey, descending: boolean): number {
  if (a === b) return 0
  if (a === undefined) return 1
  if (b === undefined) return -1
  const before = typeof a === typeof b ? a < b : typeof a === 'number'
  return before === descending ? 1 : -1
}

/** A filterable value as a sort key: truth values as numbers, null as missing, long strings by their beginning. */
export function sortKeyOf(leaf: null | boolean | number | string | undefined): SortKey {
  if (leaf === null || leaf === undefined) return undefined
  if (typeof leaf === 'boolean') return leaf ? 1 : 0
  if (leaf === PRESENT) return undefined
  return isShortened(leaf) ? (leaf as string).slice(1) : leaf
}

/** All packed texts come after all packed numbers. */
const TEXTS_FROM = 2 ** 1023
const NUMBERS_TO = TEXTS_FROM * (1 - 2 ** -53)
const PACKED_CHARACTERS = 7

/** A number that comes in the order of the value's sort key, as far as seven letters tell; NaN for a missing key. */
export function packedOf(values: Values, code: number): number {
  if (!values.isText(code)) return packedKey(sortKeyOf(values.leaf(code)))
  const from = values.character(code, 0) === 0 ? 1 : 0
  if (from === 1 && values.character(code, 1) < 0) return Number.NaN
  return packedText((at) => values.character(code, from + at))
}

export function packedKey(key: SortKey): number {
  if (key === undefined) return Number.NaN
  if (typeof key === 'number') return Math.min(key, NUMBERS_TO)
  return packedText((at) => (at < key.length ? key.charCodeAt(at) : -1))
}

/** Do documents with one packed number have one key? */
export function isPackedWhole(key: SortKey): boolean {
  return key === undefined || (typeof key === 'number' && key < NUMBERS_TO)
}

/** Is `packed` certainly later than `other`? */
export function isPackedLater(packed: number, other: number, descending: boolean): boolean {
  if (Number.isNaN(packed)) return !Number.isNaN(other)
  return descending ? packed < other : packed > other
}

function packedText(character: (at: number) => number): number {
  let packed = 0
  for (let at = 0, open = true; at < PACKED_CHARACTERS; at++) {
    const char = open ? character(at) : -1
    packed = packed * 128 + Math.min(char + 1, 127)
    // What comes after an end, or after a letter that was not told apart from others, says nothing.
    if (char < 0 || char >= 126) open = false
  }
  return TEXTS_FROM * (1 + packed * 2 ** -52)
}

/**
 * The first `count` of many positions, without sorting the rest: a heap whose root is the last of those kept so far.
 */
export class FirstPositions<P extends Position> {
  readonly #count: number
  readonly #descending: boolean
  readonly #heap: P[] = []

  constructor(count: number, descending: boolean) {
    this.#count = count
    this.#descending = descending
  }

  /** The last of those kept, once there are as many as wanted. */
  get last(): P | undefined {
    return this.#heap.length < this.#count ? undefined : this.#heap[0]
  }

  add(position: P): void {
    const heap = this.#heap
    if (heap.length < this.#count) {
      heap.push(position)
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1
        if (!this.#isLater(at, parent)) break
        swap(heap, at, parent)
        at = parent
      }
    } else if (comparePositions(position, heap[0] as P, this.#descending) < 0) {
      heap[0] = position
      for (let at = 0; ; ) {
        let last = at
        for (const child of [2 * at + 1, 2 * at + 2])
          if (child < heap.length && this.#isLater(child, last)) last = child
        if (last === at) break
        swap(heap, at, last)
        at = last
      }
    }
  }

  /** In order. Ends the use of this. */
  sorted(): P[] {
    return this.#heap.sort((a, b) => comparePositions(a, b, this.#descending))
  }

  #isLater(a: number, b: number): boolean {
    return comparePositions(this.#heap[a] as P, this.#heap[b] as P, this.#descending) > 0
  }
}

function swap<T>(items: T[], a: number, b: number): void {
  const kept = items[a] as T
  items[a] = items[b] as T
  items[b] = kept
}

/** The query's part that a cursor belongs to: all of it but page size, facets and the cursor itself. */
export function queryMark(query: SearchQuery): string {
  const filters = Object.entries(query.filters ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return shortHash(
    JSON.stringify([
      query.kinds && [...query.kinds].sort(),
      query.query ?? '',
      filters,
      query.sort,
      query.where,
      ...(query.collapse ? ['collapse'] : []),
    ]),
  ).slice(0, 12)
}

export function encodeCursor(mark: string, { key, id, rarities }: Place): string {
  const body = JSON.stringify([mark, key ?? null, id, ...(rarities ? [rarities] : [])])
  return Buffer.from(shortHash(body).slice(0, 8) + body).toString('base64url')
}

export function decodeCursor(mark: string, cursor: string): Place | QueryProblem {
  const bad = { problem: 'not a cursor of this query: start again without it', pointer: '/cursor' }
  if (cursor.length > CURSOR_CHARS_MAX) return bad
  const text = Buffer.from(cursor, 'base64url').toString()
  const body = text.slice(8)
  if (shortHash(body).slice(0, 8) !== text.slice(0, 8)) return bad
  let parts: unknown
  try {
    parts = JSON.parse(body)
  } catch {
    return bad
  }
  if (!Array.isArray(parts) || parts[0] !== mark || typeof parts[2] !== 'string') return bad
  const [, key, id, rarities] = parts as [string, unknown, string, unknown]
  const more = Array.isArray(rarities) && rarities.every(Number.isFinite) ? { rarities: rarities as number[] } : {}
  if (key === null) return { key: undefined, id, ...more }
  return typeof key === 'number' || typeof key === 'string' ? { key, id, ...more } : bad
}

const CURSOR_CHARS_MAX = 4_096
