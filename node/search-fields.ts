/**
 * What a record offers to search: its filterable values by dotted path, and its texts by the weight they carry. Read
 * from the kinds' tables and the document alone; both implementations of SearchIndex see a record through this file.
 */
import type { Field, Kind, Value, ValueMap } from '../crdt/index.ts'
import {
  filterStringCharsMax,
  searchLeavesMax,
  searchNameWordsMax,
  searchTagWordsMax,
  searchTextCharsMax,
  searchTextWordsMax,
} from './limits.ts'
import type { IndexEntry } from './search.ts'
import { shortHash } from './search-hash.ts'
import { addWords, type WordSink } from './search-text.ts'

/** A value as filters compare it. Long strings are a mark, their beginning and their hash. */
export type Leaf = null | boolean | number | string

/** Stands for a value that no filter can equal, such as a list of maps. No text of a record is this. */
export const PRESENT: Leaf = '\0'

/** The register's own fields; a document's fields of these names only repeat them. */
export const REGISTER_PATHS: readonly string[] = ['id', 'kind', 'owner_id', 'slug', 'registered_at', 'changed_at']

export function isRegisterPath(path: string): boolean {
  return REGISTER_PATHS.includes(path)
}

/** A kind's table with dotted paths. */
export type Table = ReadonlyMap<string, Field>
/** By kind. */
export type Tables = ReadonlyMap<string, Table>

export function tablesOf(kinds: Readonly<Record<string, Kind>>): Tables {
  return new Map(Object.values(kinds).map((kind) => [kind.name, tableOf(kind)]))
}

function tableOf(kind: Kind): Table {
  const table = new Map<string, Field>()
  const add = (prefix: string, fields: Readonly<Record<string, Field>>): void => {
    for (const [name, field] of Object.entries(fields)) {
      table.set(prefix + name, field)
      if (field.fields) add(`${prefix}${name}.`, field.fields)
    }
  }
  add('', kind.fields)
  return table
}

/**
 * Filterable values by dotted path; lists give their scalars, without repeats. Maps inside lists and bytes only show
 * that something is there. At most `searchLeavesMax` values, those of lists last: what comes after them cannot be
 * filtered by.
 */
export function leavesOf(entry: IndexEntry): Map<string, Leaf[]> {
  const leaves = new Map<string, Leaf[]>([
    ['id', [entry.id]],
    ['kind', [entry.kind]],
    ['owner_id', [entry.owner]],
    ['slug', [leafOf(entry.slug) as Leaf]],
    ['registered_at', [entry.registeredAt]],
    ['changed_at', [entry.changedAt]],
  ])
  let left = searchLeavesMax
  const add = (path: string, value: Value): void => {
    const leaf = leafOf(value)
    if (leaf === undefined || left === 0) return
    const known = leaves.get(path)
    if (known?.includes(leaf)) return
    left--
    if (known) known.push(leaf)
    else leaves.set(path, [leaf])
  }
  const markPresent = (path: string): void => {
    if (left === 0 || leaves.has(path)) return
    left--
    leaves.set(path, [PRESENT])
  }
  const plain: (readonly [string, Value])[] = []
  const lists: (readonly [string, readonly Value[]])[] = []
  const walk = (path: string, value: Value): void => {
    if (Array.isArray(value)) lists.push([path, value])
    else if (!isMap(value) || leafOf(value) !== undefined) plain.push([path, value])
    else for (const [key, inner] of Object.entries(value)) walk(`${path}.${key}`, inner)
  }
  for (const [key, value] of Object.entries(entry.doc)) {
    if (!isRegisterPath(key)) walk(key, value)
  }
  // Which values are left out must not depend on the order in which a document happens to be held.
  if (lists.reduce((sum, [, items]) => sum + items.length + 1, plain.length) > searchLeavesMax) {
    for (const some of [plain, lists]) some.sort(([a], [b]) => (a < b ? -1 : 1))
  }
  for (const [path, value] of plain) {
    add(path, value)
    if (value instanceof Uint8Array) markPresent(path)
  }
  for (const [path, items] of lists) {
    for (const item of items) add(path, item)
    if (items.length > 0) markPresent(path)
  }
  // A record without a name goes by its slug.
  if (!leaves.has('name')) leaves.set('name', [leafOf(entry.slug) as Leaf])
  return leaves
}

/** The form in which values are compared: `{"Other": x}` is x. `undefined` for what no filter can equal. */
export function leafOf(value: Value): Leaf | undefined {
  if (typeof value === 'string') {
    if (value.length <= filterStringCharsMax && !value.startsWith('\0')) return value
    return `\0${value.slice(0, 64)}\0${shortHash(value)}`
  }
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (!isMap(value)) return undefined
  const keys = Object.keys(value)
  const other = value['Other']
  if (keys.length !== 1 || other === undefined || (typeof other === 'object' && other !== null)) return undefined
  return leafOf(other)
}

/** A leaf that stands for a longer string. */
export function isShortened(leaf: Leaf): boolean {
  return typeof leaf === 'string' && leaf.startsWith('\0')
}

export type Texts = {
  /** What people type first: names, and the slug's last part. */
  readonly names: readonly string[]
  /** Values worth a word (publisher, tags, category), and the slug's beginning. */
  readonly tags: readonly string[]
  readonly texts: readonly string[]
  /** Names and texts by field, for highlights. */
  readonly shown: ReadonlyMap<string, string>
}

/**
 * The words of a record by weight. A field that its table does not know counts as text when it is short; one that
 * the table gives no words is left out. At most `searchTextCharsMax` characters, names first.
 */
export function textsOf(table: Table | undefined, entry: IndexEntry): Texts {
  const slash = entry.slug.lastIndexOf('/')
  const by: Record<Role, string[]> = {
    names: [entry.slug.slice(slash + 1)],
    tags: slash > 0 ? [entry.slug.slice(0, slash)] : [],
    texts: [],
  }
  const shown = new Map<string, string>()
  let left = searchTextCharsMax
  const walk = (path: string, value: Value, inherited: Role | undefined): void => {
    const known = table?.get(path)
    const role = known ? (roleOf(known) ?? inherited) : inherited
    if (typeof value === 'string') {
      if (role === undefined || left <= 0) return
      const text = value.slice(0, left)
      left -= text.length
      by[role].push(text)
      const before = shown.get(path)
      if (role !== 'tags') shown.set(path, before === undefined ? text : `${before}\n${text}`)
    } else if (Array.isArray(value)) {
      for (const item of value) walk(path, item, role)
    } else if (isMap(value)) {
      for (const [key, inner] of Object.entries(value)) walk(`${path}.${key}`, inner, role)
    }
  }
  const fields: Record<Role | 'others', [string, Value][]> = { names: [], tags: [], texts: [], others: [] }
  for (const [key, value] of Object.entries(entry.doc)) {
    if (isRegisterPath(key)) continue
    const known = table?.get(key)
    fields[(known ? roleOf(known) : unknownRole(key, value)) ?? 'others'].push([key, value])
  }
  for (const role of ['names', 'tags', 'texts'] as const)
    for (const [key, value] of fields[role]) walk(key, value, role)
  for (const [key, value] of fields.others) walk(key, value, undefined)
  return { names: by.names, tags: by.tags, texts: by.texts, shown }
}

type Role = 'names' | 'tags' | 'texts'

/** The distinct words of one weight. Names and tags give the sums of neighbours too (search-text.ts). */
export function addWordsOf(texts: Texts, role: Role, into: WordSink): void {
  for (const text of texts[role]) addWords(text, into, WORDS_MAX[role], role !== 'texts')
}

/** The distinct words of each weight. */
export function wordsOf(texts: Texts): Readonly<Record<Role, ReadonlySet<string>>> {
  const words = { names: new Set<string>(), tags: new Set<string>(), texts: new Set<string>() }
  for (const role of ['names', 'tags', 'texts'] as const) addWordsOf(texts, role, words[role])
  return words
}

const WORDS_MAX: Readonly<Record<Role, number>> = {
  names: searchNameWordsMax,
  tags: searchTagWordsMax,
  texts: searchTextWordsMax,
}

function roleOf(field: Field): Role | undefined {
  if (field.search === 'name') return 'names'
  if (field.search === 'words') return 'texts'
  return field.words ? 'tags' : undefined
}

const UNKNOWN_TEXT_CHARS_MAX = 1_000

function unknownRole(key: string, value: Value): Role | undefined {
  if (key === 'name') return 'names'
  return typeof value === 'string' && value.length <= UNKNOWN_TEXT_CHARS_MAX ? 'texts' : undefined
}

/** As crdt's own: the search thread loads nothing but types from there, and so starts in a tenth of the time. */
function isMap(value: Value): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}
