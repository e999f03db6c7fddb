/**
 * Does one record meet a search? The plain answer, by looking at the record alone: what saved searches are followed
 * by, so that nothing is missed however far the index is behind.
 *
 * Words are asked for more strictly than a search does, which also shows what it thinks was meant: a record has to
 * have every word, as a beginning in the case of the last, and spelling is not corrected.
 */
import { kinds, type Merged } from '../crdt/index.ts'
import { queryTermsMax, searchShownCharsMax } from './limits.ts'
import type { IndexEntry, QueryProblem, SearchQuery } from './search.ts'
import { entryOf } from './search-entry.ts'
import { meets } from './search-expression.ts'
import { type Leaf, leavesOf, tablesOf, textsOf, wordsOf } from './search-fields.ts'
import { isProblem, planOf, type Want } from './search-filter.ts'
import { hasPhrases, phrasesOf } from './search-phrase.ts'
import { type Term, termsOf } from './search-text.ts'

export type Watched = Pick<SearchQuery, 'kinds' | 'query' | 'filters' | 'where'>
/** Of a record as merged; a deleted one and none meet nothing. */
export type Matcher = (record: Merged | undefined) => boolean

const TABLES = tablesOf(kinds)
/** Whether anybody has a field is asked when a search is saved; later it may come and go. */
const ANY_PATH = { has: () => true, endingWith: () => [] }

export function matcherOf(watched: Watched): Matcher | QueryProblem {
  const matches = entryMatcher(watched)
  if ('problem' in matches) return matches
  return (record) => record?.live === true && matches(entryOf(record))
}

/** The same for a record as an index takes it. */
export function entryMatcher(watched: Watched): ((entry: IndexEntry) => boolean) | QueryProblem {
  const plan = planOf({ ...watched, limit: 1 }, TABLES, ANY_PATH)
  if (isProblem(plan)) return plan
  const terms = termsOf(watched.query ?? '')
  if (terms === undefined) return { problem: `expected at most ${queryTermsMax} words`, pointer: '/query' }
  const { where, kinds: only, query = '' } = watched
  const phrases = phrasesOf(query)
  const isNothing = terms.length === 0 && query.trim() !== ''
  return (entry) => {
    if (isNothing || !(only?.includes(entry.kind) ?? true)) return false
    const leaves = leavesOf(entry)
    const valuesAt = (path: string) => leaves.get(path) ?? valuesEndingWith(path, leaves)
    const valuesOf = (field: string) => (plan.where.get(field) ?? []).flatMap(valuesAt)
    if (!plan.wants.every((want) => meetsWant(valuesAt, want))) return false
    if (where !== undefined && !meets(where, valuesOf)) return false
    if (terms.length === 0) return true
    const found = textsOf(TABLES.get(entry.kind), entry)
    if (!hasPhrases([[...found.shown].map(shortened), found.tags], phrases)) return false
    const { names, tags, texts } = wordsOf(found)
    return terms.every((term, at) => hasTerm(term, [names, tags, texts], pairsOf(terms, at)))
  }
}

/** As much of a text as an index keeps for phrases. */
function shortened([path, text]: readonly [string, string]): readonly [string, string] {
  return [path, text.slice(0, searchShownCharsMax)]
}

function meetsWant(valuesAt: (path: string) => readonly Leaf[], want: Want): boolean {
  return want.paths.flatMap(valuesAt).some((leaf) => {
    if (want.is === 'equal') return leaf === want.leaf
    if (typeof leaf !== 'number') return false
    return want.is === 'at-least' ? leaf >= want.number : leaf <= want.number
  })
}

const KNOWN_PATHS = new Set([...TABLES.values()].flatMap((table) => [...table.keys()]))

/** A name that no table knows may be the last segment of a path: an index asks all records, and here there is one. */
function valuesEndingWith(name: string, leaves: ReadonlyMap<string, readonly Leaf[]>): readonly Leaf[] {
  if (name.includes('.') || KNOWN_PATHS.has(name)) return []
  return [...leaves].flatMap(([path, values]) => (path.endsWith(`.${name}`) ? values : []))
}

/** A term and its neighbour, as names may write them in one word. */
function pairsOf(terms: readonly Term[], at: number): string[] {
  const [before, term, after] = [terms[at - 1], terms[at] as Term, terms[at + 1]]
  return [...(before ? [before.text + term.text] : []), ...(after ? [term.text + after.text] : [])]
}

function hasTerm(term: Term, places: readonly ReadonlySet<string>[], pairs: readonly string[]): boolean {
  const [names] = places
  return (
    pairs.some((pair) => names?.has(pair)) ||
    places.some(
      (words) =>
        term.ways.some(({ anyOf }) => anyOf.some((all) => all.every((word) => words.has(word)))) ||
        (term.prefix && [...words].some((word) => word.startsWith(term.text))),
    )
  )
}
