/**
 * Finding records: the index says which and in what order, the replica says what they are now.
 */
import type { Merged, Value } from '../crdt/index.ts'
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

export type ListQuery = SearchQuery

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

export async function find(replica: ReplicaFace, index: SearchFace, query: ListQuery): Promise<Listed | QueryProblem> {
  if (index.behind > 0) await index.waitFor(replica.counts().seq, searchWaitMsMax)
  const found = await index.search(query)
  if ('problem' in found) return found
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
