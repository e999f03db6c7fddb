/**
 * The index that has no index: every query looks at every record. Slow and plain, so that the other implementation
 * has something to be compared with, and tests that need no speed something to search.
 *
 * It answers the same records, totals, facets and field orders; of two records that match a text, it says only that
 * the one with more of the words comes first.
 */
import { kinds } from '../crdt/index.ts'
import { fieldValuesMax, pageItemsMax, searchShownCharsMax } from './limits.ts'
import type {
  FieldList,
  IndexChange,
  IndexEntry,
  QueryProblem,
  SearchIndex,
  SearchQuery,
  SearchResult,
} from './search.ts'
import { readText, relaxed } from './search-engine.ts'
import { receivedOf } from './search-entry.ts'
import * as expression from './search-expression.ts'
import { facetOf } from './search-facets.ts'
import { type Leaf, leavesOf, tablesOf, textsOf, wordsOf } from './search-fields.ts'
import { isProblem, lastSegment, planOf, type Want } from './search-filter.ts'
import { listed, typeOf } from './search-listing.ts'
import { comparePositions, decodeCursor, encodeCursor, queryMark, type SortKey, sortKeyOf } from './search-order.ts'
import { hasPhrases, phrasesOf } from './search-phrase.ts'
import { isRow } from './search-rows.ts'
import { isCorrectable, nearest } from './search-spell.ts'
import type { Term } from './search-text.ts'
import type { Stored } from './search-texts.ts'

type Leaves = ReadonlyMap<string, readonly Leaf[]>
type Row = {
  readonly entry: IndexEntry
  readonly leaves: Leaves
  readonly names: ReadonlySet<string>
  readonly tags: ReadonlySet<string>
  readonly texts: ReadonlySet<string>
  readonly stored: Stored
}

export class ScanIndex implements SearchIndex {
  readonly #tables = tablesOf(kinds)
  readonly #rows = new Map<string, Row>()
  seq = 0
  epoch = ''

  async apply(change: IndexChange): Promise<void> {
    for (const each of change.entries) {
      const entry = isRow(each) ? receivedOf(each) : each
      this.#rows.set(entry.id, this.#rowOf(entry))
    }
    for (const id of change.removed) this.#rows.delete(id)
    this.seq = change.seq
  }

  async reset(epoch: string): Promise<void> {
    this.#rows.clear()
    this.seq = 0
    this.epoch = epoch
  }

  onLost(): () => void {
    return () => {}
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async search(query: SearchQuery): Promise<SearchResult | QueryProblem> {
    const text = query.query ?? ''
    const terms = readText(text)
    if (isProblem(terms)) return terms
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > pageItemsMax) {
      return { problem: `expected a number from 1 to ${pageItemsMax}`, pointer: '/limit' }
    }
    const ofKinds = [...this.#rows.values()].filter(({ entry }) => query.kinds?.includes(entry.kind) ?? true)
    const plan = planOf(query, this.#tables, {
      has: (path) => ofKinds.some(({ leaves }) => leaves.has(path)),
      endingWith: (segment) => pathsEndingWith(segment, ofKinds),
    })
    if (isProblem(plan)) return plan
    const mark = queryMark(query)
    const after = query.cursor === undefined ? undefined : decodeCursor(mark, query.cursor)
    if (after && isProblem(after)) return after

    const { where } = query
    const phrases = phrasesOf(text)
    const fitting = ofKinds.filter(({ leaves, stored }) => {
      const valuesOf = (field: string) => (plan.where.get(field) ?? []).flatMap((path) => leaves.get(path) ?? [])
      return (
        plan.wants.every((want) => meets(leaves, want)) &&
        (where === undefined || expression.meets(where, valuesOf)) &&
        hasPhrases(stored, phrases)
      )
    })
    const found = text.trim() === '' ? fitting.map((row) => ({ row, score: 0 })) : this.#matching(terms, fitting)
    const { sort } = plan
    const keyOf = ({ row, score }: { row: Row; score: number }): SortKey => {
      if (!sort) return text.trim() === '' ? row.entry.registeredAt : score
      return sort.paths.map((path) => sortKeyOf(row.leaves.get(path)?.[0])).find((key) => key !== undefined)
    }
    const descending = sort?.descending ?? true
    const ordered = found
      .map((each) => ({ id: each.row.entry.id, score: each.score, key: keyOf(each) }))
      .sort((a, b) => comparePositions(a, b, descending))
      .filter((each) => !after || comparePositions(each, after, descending) > 0)
    const page = ordered.slice(0, query.limit)
    const last = page.at(-1)
    return {
      items: page.map(({ id, score }) => ({ id, score })),
      facets: Object.fromEntries([...plan.facets].map(([name, paths]) => [name, facet(paths, found)])),
      total: found.length,
      ...(last && ordered.length > page.length && { nextCursor: encodeCursor(mark, last) }),
    }
  }

  async fields(only?: readonly string[]): Promise<FieldList> {
    const rows = [...this.#rows.values()].filter(({ entry }) => only?.includes(entry.kind) ?? true)
    const paths = new Set(rows.flatMap(({ leaves }) => [...leaves.keys()]))
    const fields = listed(
      [...paths].map((path) => {
        const having = rows.filter(({ leaves }) => leaves.has(path))
        const counts = facetCounts(
          [path],
          having.map((row) => ({ row })),
        )
        const types = [...new Set([...counts.keys()].map(typeOf))].sort()
        return { name: path, records: having.length, types, values: facetOf(counts, fieldValuesMax) }
      }),
    )
    return { fields }
  }

  #matching(terms: readonly Term[], fitting: readonly Row[]): { row: Row; score: number }[] {
    const understood = terms.map((term, i) => this.#understand(term, terms[i - 1], terms[i + 1]))
    const scored = fitting.map((row) => ({ row, score: understood.filter((has) => has(row)).length }))
    const strict = terms.length === 0 ? [] : scored.filter(({ score }) => score === terms.length)
    for (const need of relaxed(terms.length, strict.length)) {
      const found = scored.filter(({ score }) => score >= need)
      if (found.length > 0) return found
    }
    return strict
  }

  /** Does a row have the term? When no row at all has it, the words that it may be a slip for are meant. */
  #understand(term: Term, before: Term | undefined, after: Term | undefined): (row: Row) => boolean {
    const places = (row: Row) => [row.names, row.tags, row.texts]
    const pairs = [before && before.text + term.text, after && term.text + after.text]
    const has = (row: Row): boolean =>
      places(row).some(
        (words) =>
          term.ways.some((way) => way.anyOf.some((all) => all.every((word) => words.has(word)))) ||
          (term.prefix && [...words].some((word) => word.startsWith(term.text))),
      ) || pairs.some((pair) => pair !== undefined && row.names.has(pair))
    const rows = [...this.#rows.values()]
    if (term.fixed || !isCorrectable(term.text) || rows.some(has)) return has
    const vocabulary = new Set(rows.flatMap((row) => [...row.names, ...row.tags]).filter(isCorrectable))
    const meant = nearest(term.text, vocabulary, () => true)
    return (row) => meant.some((word) => places(row).some((words) => words.has(word)))
  }

  #rowOf(entry: IndexEntry): Row {
    const texts = textsOf(this.#tables.get(entry.kind), entry)
    const shown = [...texts.shown].map(([path, text]) => [path, text.slice(0, searchShownCharsMax)] as const)
    return {
      entry,
      leaves: leavesOf(entry),
      ...wordsOf(texts),
      stored: [shown, texts.tags],
    }
  }
}

function meets(leaves: Leaves, want: Want): boolean {
  return want.paths.some((path) =>
    (leaves.get(path) ?? []).some((leaf) => {
      if (want.is === 'equal') return leaf === want.leaf
      if (typeof leaf !== 'number') return false
      return want.is === 'at-least' ? leaf >= want.number : leaf <= want.number
    }),
  )
}

function pathsEndingWith(segment: string, rows: readonly Row[]): string[] {
  const paths = new Set<string>()
  for (const { leaves } of rows) {
    for (const path of leaves.keys()) if (path.includes('.') && lastSegment(path) === segment) paths.add(path)
  }
  return [...paths]
}

function facet(paths: readonly string[], found: readonly { row: Row }[]): SearchResult['facets'][string] {
  return facetOf(facetCounts(paths, found))
}

function facetCounts(paths: readonly string[], found: readonly { row: Row }[]): Map<Leaf, number> {
  const counts = new Map<Leaf, number>()
  for (const { row } of found) {
    for (const leaf of new Set(paths.flatMap((path) => row.leaves.get(path) ?? []))) {
      counts.set(leaf, (counts.get(leaf) ?? 0) + 1)
    }
  }
  return counts
}
