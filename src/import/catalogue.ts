/**
 * Entries of a catalogue (one JSON map each: kind, name, owner, fields, `_source`) as records.
 *
 * An entry's record is `owner/name` of its kind, the name alone without an owner. Entries of one record merge: a field
 * keeps the value of the first entry that has it, and what another says differently stays in `provenance`, so nothing
 * of an entry is dropped. Nothing here reads a file or the network; a bad entry is told with its reason and never
 * stops the others.
 */
import {
  type Doc,
  equalValues,
  fromJson,
  isMap,
  isSlug,
  kindOf,
  kinds,
  RESERVED_FIELDS,
  type Value,
} from '../../crdt/index.ts'

/** Where an entry stands, for the person who has to mend it. */
export type EntryPlace = {
  readonly file?: string
  readonly line: number
  /** Where in the file, when that says more than the line: a JSON Pointer. */
  readonly at?: string
}
/** An entry as read, or why it could not be. */
export type Entry = EntryPlace &
  (
    | { readonly json: unknown /** What it is called, when that is not owner/name. */; readonly slug?: string }
    | { readonly unreadable: string }
  )
export type RefusedEntry = EntryPlace & { readonly reason: string; readonly kind?: string; readonly name?: string }

export type CatalogueRecord = {
  readonly kind: string
  readonly slug: string
  readonly doc: Doc
  /** The entries it is made of, in order. */
  readonly from: readonly EntryPlace[]
}
export type Catalogue = {
  readonly entries: number
  /** In the order of their first entries. */
  readonly records: readonly CatalogueRecord[]
  readonly refused: readonly RefusedEntry[]
}

/** Reads JSON Lines; blank lines are passed over. Never throws for what a line holds. */
export async function* readEntries(
  lines: AsyncIterable<string> | Iterable<string>,
  file?: string,
): AsyncGenerator<Entry> {
  let line = 0
  for await (const text of lines) {
    line++
    if (text.trim() === '') continue
    yield { ...(file === undefined ? {} : { file }), line, ...parse(text) }
  }
}

/** All records of these entries. They are held in memory together, for the last entry may belong to the first record. */
export async function groupEntries(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<Catalogue> {
  const grouping = new Grouping()
  for await (const entry of entries) grouping.add(entry)
  return grouping.catalogue()
}

/** Collects entries one at a time, for who counts or shows progress meanwhile. */
export class Grouping {
  readonly #records = new Map<string, Draft>()
  readonly #refused: RefusedEntry[] = []
  #entries = 0

  /** Takes one entry; the refusal when it is none. */
  add(entry: Entry): RefusedEntry | undefined {
    this.#entries++
    const read = readEntry(entry)
    if ('reason' in read) {
      this.#refused.push(read)
      return read
    }
    const key = `${read.kind} ${read.slug}`
    const draft = this.#records.get(key)
    if (draft === undefined) this.#records.set(key, draftOf(read))
    else merge(draft, read)
    return undefined
  }

  catalogue(): Catalogue {
    const records = [...this.#records.values()].map(({ kind, slug, fields, provenance, from }) => {
      const doc = fieldsOf(fields)
      if (provenance.length > 0) doc['provenance'] = provenance
      return { kind, slug, doc, from }
    })
    return { entries: this.#entries, records, refused: this.#refused }
  }
}

type Fields = Record<string, Value>
/** An entry with what it says of itself set apart from what it says of the record. */
type Read = {
  readonly kind: string
  readonly slug: string
  readonly fields: Fields
  /** Earlier provenance it brings along. */
  readonly earlier: readonly Value[]
  readonly source: Fields
  /** What a document cannot hold under its own name. */
  readonly other: Fields
  readonly place: EntryPlace
}
type Draft = { kind: string; slug: string; fields: Fields; provenance: Value[]; from: EntryPlace[] }

function parse(text: string): { json: unknown } | { unreadable: string } {
  try {
    return { json: JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text) }
  } catch (error) {
    return { unreadable: `not JSON: ${(error as Error).message}` }
  }
}

function readEntry(entry: Entry): Read | RefusedEntry {
  const place: EntryPlace = {
    ...(entry.file === undefined ? {} : { file: entry.file }),
    line: entry.line,
    ...(entry.at === undefined ? {} : { at: entry.at }),
  }
  if ('unreadable' in entry) return { ...place, reason: entry.unreadable }
  const read = fromJson(entry.json)
  if (!read.ok) {
    const [first] = read.errors
    return { ...place, ...named(entry.json), reason: [first?.pointer, first?.message].filter(Boolean).join(': ') }
  }
  const { kind, name, owner, _source: source, provenance, ...rest } = read.value as Record<string, Value | undefined>
  const refuse = (reason: string): RefusedEntry => ({ ...place, ...named(entry.json), reason })
  if (typeof kind !== 'string') return refuse('no kind')
  if (kindOf(kind) === undefined) {
    return refuse(`unknown kind ${JSON.stringify(kind)}: expected one of ${Object.keys(kinds).join(', ')}`)
  }
  if (name === undefined || name === null) return refuse('no name')
  if (typeof name !== 'string') return refuse('the name is not a text')
  if (name.trim() === '') return refuse('the name is blank')
  if (owner !== undefined && owner !== null && typeof owner !== 'string') return refuse('the owner is not a text')
  const hasOwner = typeof owner === 'string' && owner.trim() !== ''
  const slug = entry.slug ?? (hasOwner ? `${owner}/${name}` : name)
  if (!isSlug(slug)) return refuse('owner/name is longer than 256 bytes')

  const fields = fieldsOf({ name, ...(hasOwner ? { provider: owner } : {}) })
  const other = fieldsOf({})
  for (const [key, value] of Object.entries(rest) as [string, Value][]) {
    // A second name for the same field, or a name that the register keeps for itself.
    const isTaken = RESERVED_FIELDS.includes(key) || (Object.hasOwn(fields, key) && !equalValues(fields[key], value))
    ;(isTaken ? other : fields)[key] = value
  }
  if (provenance !== undefined && !Array.isArray(provenance)) other['provenance'] = provenance
  return {
    kind,
    slug,
    fields,
    earlier: Array.isArray(provenance) ? provenance : [],
    source: fieldsOf(isMap(source) ? source : source === undefined ? {} : { source }),
    other,
    place,
  }
}

function draftOf(read: Read): Draft {
  const draft: Draft = { kind: read.kind, slug: read.slug, fields: read.fields, provenance: [], from: [read.place] }
  note(draft, read, read.other)
  return draft
}

function merge(draft: Draft, read: Read): void {
  const other = fieldsOf(read.other)
  for (const [key, value] of Object.entries(read.fields)) {
    if (!Object.hasOwn(draft.fields, key)) draft.fields[key] = value
    else if (!equalValues(draft.fields[key], value)) other[key] = value
  }
  draft.from.push(read.place)
  note(draft, read, other)
}

/** Adds where the entry comes from and what it alone says, once. */
function note(draft: Draft, { earlier, source }: Read, other: Fields): void {
  const own = fieldsOf({ ...source, ...(Object.keys(other).length > 0 ? { other } : {}) })
  for (const origin of Object.keys(own).length > 0 ? [...earlier, own] : earlier) {
    if (!draft.provenance.some((known) => equalValues(known, origin))) draft.provenance.push(origin)
  }
}

/** A map of its own in which `__proto__` is a key like any other. */
function fieldsOf(fields: Readonly<Fields>): Fields {
  return Object.assign(Object.create(null), fields)
}

/** What a refused entry calls itself, as far as it does. */
function named(json: unknown): { kind?: string; name?: string } {
  if (typeof json !== 'object' || json === null) return {}
  const { kind, name } = json as Record<string, unknown>
  return { ...(typeof kind === 'string' ? { kind } : {}), ...(typeof name === 'string' ? { name } : {}) }
}
