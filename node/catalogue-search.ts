/**
 * Finding records: the index says which and in what order, the replica says what they are now.
 */
import { decimalOf, type Kind, type Merged, type RecordId, type Value } from '../crdt/index.ts'
import { facetSearches } from './facets.ts'
import { type Mention, readFilter } from './filter.ts'
import { fieldsNamed, kindsMeant, nearestField } from './filter-fields.ts'
import { searchWaitMsMax } from './limits.ts'
import type { ReplicaFace } from './replica-types.ts'
import { type Matcher, matcherOf } from './saved-match.ts'
import type { FieldList, QueryProblem, SearchQuery, SearchResult } from './search.ts'
import type { Expression } from './search-expression.ts'
import type { Parts } from './search-rank.ts'

/** The part of the indexer that a search needs (node/indexer.ts). */
export interface SearchFace {
  /** Arrivals that the index has not reached. */
  readonly behind: number
  /** It has been behind by much for longer than a search waits. */
  readonly isOutrun: boolean
  /** Records that the index lacks, for they are damaged on disk. */
  readonly broken: ReadonlySet<RecordId>
  /** Resolves when the index has reached `seq`, or after `ms`. */
  waitFor(seq: number, ms: number): Promise<unknown>
  /** Rejects with NodeError('search-unavailable') while the index is being rebuilt. */
  search(query: SearchQuery): Promise<SearchResult | QueryProblem>
  /** What records of these kinds (undefined = all) have in which fields. Rejects as `search` does. */
  fields(kinds?: readonly string[]): Promise<FieldList>
}

export type ListQuery = SearchQuery & {
  /** In the filter language (filter.ts); what `filters` and `where` ask for counts as well. */
  readonly filter?: string
  /** Records that are damaged on disk are left out and counted; otherwise one among the hits is NodeError('store-corrupt'). */
  readonly countDamaged?: boolean
}

export type Listed = {
  readonly items: readonly {
    readonly record: Merged
    readonly score: number
    readonly highlights?: Readonly<Record<string, string>>
    /** With `collapse`: how many others that were found are copies of it. */
    readonly copies?: number
    /** With `explain` and words: what adds up to the score. */
    readonly parts?: Parts
  }[]
  readonly facets: Readonly<Record<string, readonly { readonly value: Value; readonly count: number }[]>>
  readonly total: number
  readonly totalCapped?: true
  /** The search was cut when it had cost too much: all that is here is right, and not all is here. */
  readonly partial?: true
  readonly nextCursor?: string
  /** Records that are damaged on disk: with `countDamaged` hits of this page, and those that the index lacks for that. */
  readonly damaged: number
  /** Arrivals that the answer does not know of; 0 as a rule. */
  readonly indexBehind: number
}

export async function find(replica: ReplicaFace, index: SearchFace, asked: ListQuery): Promise<Listed | QueryProblem> {
  const understood = understand(asked)
  if ('problem' in understood) return understood
  await waitForIndex(replica, index)
  const searches = [understood.query, ...understood.others]
  const answers: SearchResult[] = []
  for (const [at, answer] of (await Promise.all(searches.map((each) => index.search(each)))).entries()) {
    if ('problem' in answer) return understood.explain(answer, searches[at] as SearchQuery)
    answers.push(answer)
  }
  const found = answers[0] as SearchResult
  const ids = found.items.map((item) => item.id)
  const records = asked.countDamaged ? await replica.recordsOrBroken(ids) : await replica.records(ids)
  const items: Listed['items'][number][] = []
  for (const [at, { id: _id, ...hit }] of found.items.entries()) {
    const record = records[at]
    // Deleted since the index saw it.
    if (typeof record === 'object' && record.live) items.push({ record, ...hit })
  }
  return {
    items,
    facets: facetsOf(asked.facets, answers),
    total: found.total,
    ...(found.totalCapped && { totalCapped: true }),
    ...(answers.some(({ partial }) => partial) && { partial: true }),
    ...(found.nextCursor !== undefined && { nextCursor: found.nextCursor }),
    damaged: index.broken.union(new Set(ids.filter((_, at) => records[at] === 'broken'))).size,
    indexBehind: index.behind,
  }
}

/** The search as a test of one record. */
export function matcher(asked: Omit<ListQuery, 'limit'>): Matcher | QueryProblem {
  const understood = understand({ ...asked, limit: 1 })
  if ('problem' in understood) return understood
  const made = matcherOf(understood.query)
  return 'problem' in made ? understood.explain(made, understood.query) : made
}

/** Until the index has reached the last op, up to a second; not at all when that would be in vain. */
export async function waitForIndex(
  replica: Pick<ReplicaFace, 'counts'>,
  index: Pick<SearchFace, 'behind' | 'isOutrun' | 'waitFor'>,
): Promise<void> {
  if (index.behind > 0 && !index.isOutrun) await index.waitFor(replica.counts().seq, searchWaitMsMax)
}

type Understood = {
  readonly query: SearchQuery
  /** What counts the facets that `query` does not. */
  readonly others: readonly SearchQuery[]
  /** A problem of the index with one of these, in the words of who asked. */
  explain(problem: QueryProblem, search: SearchQuery): QueryProblem
}

function understand({ filter, sort, filters, countDamaged: _, ...others }: ListQuery): Understood | QueryProblem {
  const order = SORTS.has(sort) ? SORTS.get(sort) : sort
  const meant = kindsMeant(others.kinds)
  const rest = { ...others, ...(filters && { filters: decimalsRead(filters, meant) }) }
  const read = filter === undefined ? undefined : readFilter(filter, (name) => fieldsNamed(meant, name))
  if (read && 'problem' in read) return { ...read, pointer: '/filter' }
  const parts = [read?.expression, rest.where].filter((part) => part !== undefined)
  const searches = facetSearches(
    {
      ...rest,
      ...(parts.length > 0 && { where: parts.length === 1 ? (parts[0] as Expression) : { all: parts } }),
      ...(order !== undefined && { sort: order }),
    },
    meant,
  )
  if ('problem' in searches) return searches
  return {
    ...searches,
    explain: (problem, { facets = [] }) => {
      const facet = /^\/facets\/(\d+)$/.exec(problem.pointer ?? '')?.[1]
      if (facet === undefined) return explained(problem, read?.mentions ?? [], meant)
      return { ...problem, pointer: `/facets/${rest.facets?.indexOf(facets[Number(facet)] as string)}` }
    },
  }
}

/** A price may be asked for as the text that a record shows. */
function decimalsRead(filters: NonNullable<SearchQuery['filters']>, meant: readonly Kind[]): SearchQuery['filters'] {
  const read: Record<string, Value> = Object.create(null)
  for (const [name, value] of Object.entries(filters)) {
    const isDecimal = typeof value === 'string' && fieldsNamed(meant, name).some(({ type }) => type === 'decimal')
    read[name] = (isDecimal ? decimalOf(value) : undefined) ?? value
  }
  return read
}

/** Orders by other names. */
const SORTS: ReadonlyMap<string | undefined, string | undefined> = new Map([
  ['relevance', undefined],
  ['updated', 'changed_at'],
  ['-updated', '-changed_at'],
])

function explained(problem: QueryProblem, mentions: readonly Mention[], meant: readonly Kind[]): QueryProblem {
  const mention = mentions.find(({ field }) => field === problem.field)
  if (mention === undefined) return problem
  const near = nearestField(meant, mention.field)
  const hint = near === undefined || near === mention.field ? {} : { hint: `did you mean ${near}?` }
  return { problem: problem.problem, pointer: '/filter', position: mention.position, ...hint }
}

/** In the order asked for, each from the search that counted it. */
function facetsOf(names: readonly string[] = [], answers: readonly SearchResult[]): Listed['facets'] {
  const facets: Record<string, Listed['facets'][string]> = Object.create(null)
  for (const name of names) {
    for (const answer of answers) if (Object.hasOwn(answer.facets, name)) facets[name] = answer.facets[name] ?? []
  }
  return facets
}
