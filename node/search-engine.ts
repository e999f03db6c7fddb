/**
 * The index itself: rows in SQLite, columns in memory, one query at a time and everything synchronous, for it lives in
 * a thread of its own (search-worker.ts). Throws what SQLite throws; the columns are then of no use either.
 */
import {
  facetValuesMax,
  fieldsMax,
  fieldValuesMax,
  looseBelow,
  pageItemsMax,
  queryBytesMax,
  queryTermsMax,
  searchPostingsMax,
  searchShownCharsMax,
} from './limits.ts'
import type { FieldFacts, IndexEntry, QueryProblem, SearchHit, SearchQuery, SearchResult } from './search.ts'
import { type Column, Columns } from './search-columns.ts'
import { Docs } from './search-docs.ts'
import { type Expression, meets } from './search-expression.ts'
import { isShortened, type Leaf, leavesOf, type Tables, textsOf, wordsOf } from './search-fields.ts'
import { isProblem, planOf, type Sort, type Want } from './search-filter.ts'
import { hint, shortHash } from './search-hash.ts'
import { highlights } from './search-highlight.ts'
import {
  comparePositions,
  decodeCursor,
  encodeCursor,
  FirstPositions,
  type Position,
  queryMark,
  type SortKey,
  sortKeyOf,
} from './search-order.ts'
import { fame, Matches, QUALITY_CORRECTED, QUALITY_JOINED, QUALITY_PREFIX } from './search-rank.ts'
import { Spelling } from './search-spell.ts'
import { type Facts, IndexFile, type Place, type StoredEntry } from './search-store.ts'
import { joined, type Term, termsOf } from './search-text.ts'

const PLACES: readonly Place[] = ['names', 'tags', 'texts']
const NO_DOCS = new Uint32Array()

export class SearchEngine {
  readonly #tables: Tables
  readonly #file: IndexFile
  readonly #docs = new Docs()
  readonly #columns = new Columns()
  readonly #spelling = new Spelling()
  /** Records that could not be read, for the owner to take and report. */
  readonly leftOut: { id: string; why: string }[] = []
  #loadedTo = -1
  #loaded = false
  #learned = false

  constructor(path: string, tables: Tables) {
    this.#tables = tables
    this.#file = new IndexFile(path, madeBy(tables))
  }

  get seq(): number {
    return this.#file.seq
  }

  get epoch(): string {
    return this.#file.epoch
  }

  /** Reads the next `limit` stored entries into memory; false when there are no more. Nothing else works before. */
  load(limit: number): boolean {
    const rows = this.#file.entries(this.#loadedTo, limit)
    for (const { doc, id, facts } of rows) this.#remember(doc, id, facts)
    const last = rows.at(-1)
    if (last && rows.length === limit) {
      this.#loadedTo = last.doc
      return true
    }
    this.#docs.settle()
    this.#loaded = true
    return false
  }

  /** Reads the words for corrections, if that is still to be done: the first search by text does it otherwise. */
  learnWords(): void {
    if (this.#learned) return
    this.#learned = true
    for (const word of this.#file.vocabulary()) this.#spelling.add(word)
  }

  /** Undefined = sound. */
  damage(): string | undefined {
    return this.#file.damage()
  }

  /** One transaction. `seq` is given with the last slice of a change. */
  apply(entries: readonly IndexEntry[], removed: readonly string[], seq?: number): void {
    this.#file.begin()
    for (const id of removed) this.#remove(id)
    for (const entry of entries) this.#put(entry)
    this.#file.commit(seq)
  }

  close(): void {
    this.#file.close()
  }

  reset(epoch: string): void {
    this.#file.reset(epoch)
  }

  #put(entry: IndexEntry): void {
    let stored: StoredEntry
    try {
      stored = this.#storedOf(entry)
    } catch (error) {
      // A record that trips over a mistake of ours must not stop all the others.
      this.#remove(entry.id)
      this.leftOut.push({ id: entry.id, why: String(error) })
      return
    }
    for (const word of stored.words.names) this.#spelling.add(word)
    for (const word of stored.words.tags) this.#spelling.add(word)
    const known = this.#file.docOf(entry.id)
    const doc = known ?? this.#docs.next()
    this.#file.put(doc, stored, known !== undefined)
    this.#remember(doc, entry.id, stored.facts)
  }

  #remove(id: string): void {
    const doc = this.#file.docOf(id)
    if (doc === undefined) return
    this.#file.remove(doc)
    this.#columns.clear(doc)
    this.#docs.clear(doc)
  }

  #remember(doc: number, id: string, facts: Facts): void {
    this.#docs.set(doc, id, facts)
    this.#columns.set(
      doc,
      facts.leaves.filter(([path]) => path !== 'registered_at' && path !== 'changed_at'),
    )
  }

  #storedOf(entry: IndexEntry): StoredEntry {
    const texts = textsOf(this.#tables.get(entry.kind), entry)
    const words = wordsOf(texts)
    const leaves = leavesOf(entry)
    leaves.delete('id')
    const provider = leaves.get('provider')?.[0]
    const name = leaves.get('name')?.[0] ?? entry.slug
    return {
      id: entry.id,
      facts: {
        leaves: [...leaves],
        words: [words.names.size, words.tags.size, words.texts.size],
        names: [...new Set(texts.names.map((text) => hint(joined(text))))].slice(0, 4),
        whole: [...new Set([hint(joined(entry.slug)), hint(joined(`${provider ?? ''}/${name}`))])],
      },
      words,
      shown: [...texts.shown].map(([path, text]) => [path, text.slice(0, searchShownCharsMax)] as const),
    }
  }

  search(query: SearchQuery): SearchResult | QueryProblem {
    if (!this.#loaded) throw new Error('searched before it was loaded')
    const text = query.query ?? ''
    const terms = readText(text)
    if (isProblem(terms)) return terms
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > pageItemsMax) {
      return { problem: `expected a number from 1 to ${pageItemsMax}`, pointer: '/limit' }
    }
    const plan = planOf(query, this.#tables, {
      has: (path) => this.#hasPath(path, query.kinds),
      endingWith: (segment) =>
        [...this.#columns.endingWith(segment)].filter((path) => this.#hasPath(path, query.kinds)),
    })
    if (isProblem(plan)) return plan
    const mark = queryMark(query)
    const after = query.cursor === undefined ? undefined : decodeCursor(mark, query.cursor)
    if (after && isProblem(after)) return after

    const fits = this.#testOf(query.kinds, plan.wants, query.where && this.#testOfWhere(query.where, plan.where))
    const matched = text.trim() === '' ? undefined : this.#matchesOf(terms, fits)
    const found = matched ? matched.docs : this.#scan(fits)

    const facets: Record<string, SearchResult['facets'][string]> = {}
    for (const [name, paths] of plan.facets) {
      Object.defineProperty(facets, name, { value: this.#facet(paths, found), enumerable: true })
    }
    const hash = hint(joined(text))
    const scoreOf = matched && ((doc: number) => matched.matches.score(doc, hash, this.#fame(doc)))
    const keyOf = this.#keyOf(plan.sort, scoreOf)
    const descending = plan.sort?.descending ?? true
    const { page, more } = this.#page(found, keyOf, descending, after, query.limit)
    const last = page.at(-1)
    const items = page.map(({ doc, id }): SearchHit => {
      const score = scoreOf?.(doc) ?? 0
      const shown = matched ? highlights(this.#file.shown(doc), matched) : undefined
      return shown ? { id, score, highlights: shown } : { id, score }
    })
    return {
      items,
      facets,
      total: found.length,
      ...(matched?.capped && { totalCapped: true as const }),
      ...(more && last && { nextCursor: encodeCursor(mark, last) }),
    }
  }

  #fame(doc: number): number {
    const slug = this.#columns.column('slug')
    return fame(this.#docs.popularity[doc] as number, slug ? this.#columns.references(slug, doc) : 0)
  }

  #page(
    found: readonly number[],
    keyOf: (doc: number) => SortKey,
    descending: boolean,
    after: Position | undefined,
    limit: number,
  ): { page: (Position & { doc: number })[]; more: boolean } {
    const ids = this.#docs
    const first = new FirstPositions<Position & { doc: number }>(limit + 1, descending)
    // From the end: numbers grow with time, and the newest are wanted first as a rule.
    for (let at = found.length - 1; at >= 0; at--) {
      const doc = found[at] as number
      const key = keyOf(doc)
      if (first.isTooLate(key)) continue
      const position = { doc, key, id: ids.id(doc) as string }
      if (!after || comparePositions(position, after, descending) > 0) first.add(position)
    }
    const page = first.sorted()
    return { page: page.slice(0, limit), more: page.length > limit }
  }

  #keyOf(sort: Sort | undefined, score: ((doc: number) => number) | undefined): (doc: number) => SortKey {
    const docs = this.#docs
    if (!sort) return score ?? ((doc) => docs.registeredAt[doc])
    if (sort.path === 'registered_at') return (doc) => docs.registeredAt[doc]
    if (sort.path === 'changed_at') return (doc) => docs.changedAt[doc]
    if (sort.path === 'id') return (doc) => docs.id(doc)
    const columns = sort.paths.flatMap((path) => this.#columns.column(path) ?? [])
    return (doc) => {
      for (const column of columns) {
        const key = sortKeyOf(this.#columns.first(column, doc))
        if (key !== undefined) return key
      }
      return undefined
    }
  }

  #scan(fits: (doc: number) => boolean): number[] {
    const found: number[] = []
    for (let doc = 0; doc < this.#docs.size; doc++) {
      if (this.#docs.id(doc) !== undefined && fits(doc)) found.push(doc)
    }
    return found
  }

  #testOf(
    kinds: readonly string[] | undefined,
    wants: readonly Want[],
    where?: (doc: number) => boolean,
  ): (doc: number) => boolean {
    const tests = wants.map((want) => any(want.paths.flatMap((path) => this.#testOfPath(path, want) ?? [])))
    if (where) tests.push(where)
    if (kinds !== undefined) {
      const column = this.#columns.column('kind')
      tests.unshift(any(column ? kinds.flatMap((kind) => this.#columns.equals(column, kind) ?? []) : []))
    }
    if (tests.length === 1) return tests[0] as (doc: number) => boolean
    return (doc) => tests.every((test) => test(doc))
  }

  #testOfWhere(where: Expression, fields: ReadonlyMap<string, readonly string[]>): (doc: number) => boolean {
    return (doc) => meets(where, (field) => (fields.get(field) ?? []).flatMap((path) => this.#valuesOf(path, doc)))
  }

  #valuesOf(path: string, doc: number): readonly Leaf[] {
    if (path === 'id') return [this.#docs.id(doc) as string]
    if (path === 'registered_at') return [this.#docs.registeredAt[doc] as number]
    if (path === 'changed_at') return [this.#docs.changedAt[doc] as number]
    const column = this.#columns.column(path)
    return column ? this.#columns.values(column, doc) : []
  }

  fields(kinds: readonly string[] | undefined): readonly FieldFacts[] {
    const docs = this.#scan(this.#testOf(kinds, []))
    const found = [...this.#columns.paths()].map((path) => {
      const column = this.#columns.column(path) as Column
      const having = docs.filter((doc) => column.get(doc) !== 0)
      return { name: path, records: having.length, ...factsOf(this.#columns.count([column], having)) }
    })
    for (const path of ['id', 'registered_at', 'changed_at']) {
      const counts = new Map<Leaf, number>()
      for (const doc of docs)
        for (const leaf of this.#valuesOf(path, doc)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1)
      found.push({ name: path, records: docs.length, ...factsOf(counts) })
    }
    return listed(found)
  }

  #testOfPath(path: string, want: Want): ((doc: number) => boolean) | undefined {
    if (path === 'id') return want.is === 'equal' ? (doc) => this.#docs.id(doc) === want.leaf : undefined
    const times =
      path === 'registered_at' ? this.#docs.registeredAt : path === 'changed_at' ? this.#docs.changedAt : undefined
    if (times) {
      if (want.is === 'equal') return (doc) => times[doc] === want.leaf
      if (want.is === 'at-least') return (doc) => (times[doc] as number) >= want.number
      return (doc) => (times[doc] as number) <= want.number
    }
    const column = this.#columns.column(path)
    if (!column) return undefined
    if (want.is === 'equal') return this.#columns.equals(column, want.leaf)
    if (want.is === 'at-least') return this.#columns.within(column, want.number, Number.POSITIVE_INFINITY)
    return this.#columns.within(column, Number.NEGATIVE_INFINITY, want.number)
  }

  #facet(paths: readonly string[], docs: readonly number[]): SearchResult['facets'][string] {
    const columns = paths.flatMap((path) => this.#columns.column(path) ?? [])
    return facetOf(this.#columns.count(columns, docs))
  }

  #hasPath(path: string, kinds: readonly string[] | undefined): boolean {
    const column = this.#columns.column(path)
    if (!column || kinds === undefined) return column !== undefined
    const fits = this.#testOf(kinds, [])
    for (const doc of column.docs()) if (fits(doc)) return true
    return false
  }

  #matchesOf(terms: readonly Term[], fits: (doc: number) => boolean): Found {
    this.learnWords()
    const matches = new Matches(this.#docs)
    const words = new Set<string>()
    let capped = false
    const add = (place: Place, anyOf: Postings, prefix: boolean, quality: number): void => {
      const docs = this.#file.postings(place, anyOf, prefix, searchPostingsMax)
      if (docs.length >= searchPostingsMax) capped = true
      matches.add(place, docs, quality)
    }
    const pairs = terms.map((term, i) => this.#pair(term, terms[i + 1]))
    for (const [i, term] of terms.entries()) {
      words.add(term.text)
      for (const place of PLACES) {
        for (const way of term.ways) add(place, way.anyOf, false, way.quality)
        if (term.prefix) add(place, [[term.text]], true, QUALITY_PREFIX)
      }
      for (const pair of [pairs[i - 1], pairs[i]]) matches.add('names', pair ?? NO_DOCS, QUALITY_JOINED)
      if (matches.found === 0 && !term.fixed) {
        for (const word of this.#spelling.near(term.text, (each) => this.#isUsed(each))) {
          words.add(word)
          for (const place of PLACES) add(place, [[word]], false, QUALITY_CORRECTED)
        }
      }
      matches.endTerm()
    }
    const strict = matches.docs(terms.length, fits)
    let docs = strict
    for (const need of relaxed(terms.length, strict.length)) {
      docs = matches.docs(need, fits)
      if (docs.length > 0) break
    }
    const last = terms.at(-1)
    return { matches, docs, capped, words, beginning: last?.prefix ? last.text : undefined }
  }

  #isUsed(word: string): boolean {
    return PLACES.slice(0, 2).some((place) => this.#file.postings(place, [[word]], false, 1).length > 0)
  }

  /** Records whose names write two terms as one word. */
  #pair(term: Term, next: Term | undefined): Uint32Array {
    if (!next || !this.#spelling.has(term.text + next.text)) return NO_DOCS
    return this.#file.postings('names', [[term.text + next.text]], false, searchPostingsMax)
  }
}

type Postings = readonly (readonly string[])[]

type Found = {
  readonly matches: Matches
  readonly docs: readonly number[]
  readonly capped: boolean
  readonly words: ReadonlySet<string>
  readonly beginning: string | undefined
}

function any(tests: readonly ((doc: number) => boolean)[]): (doc: number) => boolean {
  if (tests.length === 1) return tests[0] as (doc: number) => boolean
  return (doc) => tests.some((test) => test(doc))
}

/**
 * How many of a query's terms are enough when `strict` records have all of them: tried in turn, until one gives a
 * record. None when there are enough that have all.
 */
export function relaxed(terms: number, strict: number): number[] {
  if (strict >= looseBelow || terms < 2) return []
  const most = Math.ceil(terms * 0.6)
  return (strict === 0 ? [most, 1] : [most]).filter((need) => need < terms)
}

/** The terms of a query's text, or why it has none that can be looked up. */
export function readText(text: string): readonly Term[] | QueryProblem {
  if (Buffer.byteLength(text) > queryBytesMax) {
    return { problem: `expected at most ${queryBytesMax} bytes`, pointer: '/query' }
  }
  return termsOf(text) ?? { problem: `expected at most ${queryTermsMax} words`, pointer: '/query' }
}

/** The commonest values first, ties by their text; values too long to show are left out. */
export function facetOf(counts: ReadonlyMap<Leaf, number>): SearchResult['facets'][string] {
  const shown = [...counts].filter(([leaf]) => !isShortened(leaf))
  // Of the thousands of values that some fields have, nearly all are too rare to be shown: they are not put in order.
  const least = Float64Array.from(shown, ([, count]) => -count).sort()[facetValuesMax - 1] ?? 0
  const first = shown.filter(([, count]) => count >= -least)
  first.sort((a, b) => b[1] - a[1] || compareText(order(a[0]), order(b[0])))
  return first.slice(0, facetValuesMax).map(([value, count]) => ({ value, count }))
}

/** What the values of one field are, from how many records have each. */
export function factsOf(counts: ReadonlyMap<Leaf, number>): Pick<FieldFacts, 'types' | 'values'> {
  const types = new Set<FieldFacts['types'][number]>()
  for (const leaf of counts.keys()) types.add(leaf === null ? 'null' : (typeof leaf as 'string' | 'number' | 'boolean'))
  return { types: [...types].sort(), values: facetOf(counts).slice(0, fieldValuesMax) }
}

/** By name, of too many those that most records have. */
export function listed(found: readonly FieldFacts[]): readonly FieldFacts[] {
  return found
    .filter(({ records }) => records > 0)
    .sort((a, b) => b.records - a.records || compareText(a.name, b.name))
    .slice(0, fieldsMax)
    .sort((a, b) => compareText(a.name, b.name))
}

function order(leaf: Leaf): string {
  return `${leaf} ${typeof leaf}`
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Changes when the tables give other words or fields, so that an index made by older tables is built anew. */
function madeBy(tables: Tables): string {
  const read = [...tables].map(([kind, table]) => [
    kind,
    [...table].map(([path, { search, words }]) => [path, search, words]),
  ])
  return shortHash(JSON.stringify(read))
}
