/**
 * Finding records: the index says which and in what order, the replica says what they are now.
 */
import type { Merged, Value } from '../crdt/index.ts'
import { readFilter } from './filter.ts'
import { fieldsNamed, kindsMeant, nearestField } from './filter-fields.ts'
import { searchWaitMsMax } from './limits.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { FieldFacts, QueryProblem, SearchQuery, SearchResult } from './search.ts'

/** The part of the indexer that a search needs (node/indexer.ts). */
export interface SearchFace {
  /** Arrivals that the index has not reached. */
  readonly behind: number
  /** Resolves when the index has reached `seq`, or after `ms`. */
  waitFor(seq: number, ms: number): Promise<unknown>
  /** Rejects with NodeError('search-unavailable') while the index is being rebuilt. */
  search(query: SearchQuery): Promise<SearchResult | QueryProblem>
  /** What records of these kinds (undefined = all) have in which fields. Rejects as `search` does. */
  fields(kinds?: readonly string[]): Promise<readonly FieldFacts[]>
}

export type ListQuery = SearchQuery & {
  /** In the filter language (filter.ts); what `filters` and `where` ask for counts as well. */
  readonly filter?: string
}

export type Listed = {
  readonly items: readonly {
    readonly record: Merged
    readonly score: number
    readonly highlights?: Readonly<Record<string, string>>
  }[]
  readonly facets: Readonly<Record<string, readonly { readonly value: Value; readonly count: number }[]>>
  readonly total: number
  readonly totalCapped?: true
  readonly nextCursor?: string
  /** Arrivals that the answer does not know of; 0 as a rule. */
  readonly indexBehind: number
}

export async function find(replica: ReplicaFace, index: SearchFace, asked: ListQuery): Promise<Listed | QueryProblem> {
  const understood = understand(asked)
  if ('problem' in understood) return understood
  if (index.behind > 0) await index.waitFor(replica.counts().seq, searchWaitMsMax)
  const found = await index.search(understood.query)
  if ('problem' in found) return understood.explain(found)
  const records = await replica.records(found.items.map((item) => item.id))
  const items: Listed['items'][number][] = []
  for (const [at, { score, highlights }] of found.items.entries()) {
    const record = records[at]
    // Deleted since the index saw it.
    if (record?.live) items.push(highlights === undefined ? { record, score } : { record, score, highlights })
  }
  return {
    items,
    facets: found.facets,
    total: found.total,
    ...(found.totalCapped && { totalCapped: true }),
    ...(found.nextCursor !== undefined && { nextCursor: found.nextCursor }),
    indexBehind: index.behind,
  }
}

type Understood = {
  readonly query: SearchQuery
  /** A problem of the index in the words of who asked. */
  explain(problem: QueryProblem): QueryProblem
}

/** Reads the filter's text. */
function understand({ filter, ...query }: ListQuery): Understood | QueryProblem {
  if (filter === undefined) return { query, explain: (problem) => problem }
  const meant = kindsMeant(query.kinds)
  const read = readFilter(filter, (name) => fieldsNamed(meant, name))
  if ('problem' in read) return { ...read, pointer: '/filter' }
  const where = query.where === undefined ? read.expression : { all: [read.expression, query.where] }
  return {
    query: { ...query, where },
    explain: (problem) => {
      const mention = read.mentions.find(({ field }) => field === problem.field)
      if (mention === undefined) return problem
      const near = nearestField(meant, mention.field)
      const hint = near === undefined || near === mention.field ? {} : { hint: `did you mean ${near}?` }
      return { problem: problem.problem, pointer: '/filter', position: mention.position, ...hint }
    },
  }
}
