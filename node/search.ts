/**
 * The search index as the node sees it: derived, rebuildable, and never in the way of an acknowledgement.
 *
 * Two implementations: search-index.ts (segments, in threads of their own) and search-scan.ts (a linear scan, the oracle).
 */
import type { Doc, Merged, Value } from '../crdt/index.ts'
import type { Expression } from './search-expression.ts'
import type { Parts, Weights } from './search-rank.ts'

export type IndexEntry = {
  readonly id: string
  readonly kind: string
  /** did:key text of the owner, for `owner` filters that give one. */
  readonly owner: string
  readonly slug: string
  /** Without the fields that do not fit their table. */
  readonly doc: Doc
  readonly registeredAt: number
  readonly changedAt: number
  /** Open conflicts of the record. */
  readonly conflicts?: number
  /** Its owner is this node's own key. */
  readonly isOwn?: boolean
  /** The record, when nobody has looked into it yet: `slug` and `doc` then look. */
  readonly unread?: Merged
}

/** A record that becomes an entry, as its row: what crdt encodeMerged writes. */
export type IndexRow = { readonly row: Uint8Array; readonly isOwn: boolean }

export type IndexChange<Entry = IndexEntry | IndexRow> = {
  readonly seq: number
  readonly entries: readonly Entry[]
  readonly removed: readonly string[]
}

export type SearchQuery = {
  /** Singular names; undefined = all. */
  readonly kinds?: readonly string[]
  readonly query?: string
  /** CONTRACT: field (or its last segment where unique), field_gte, field_lte; arrays ask for all. */
  readonly filters?: Readonly<Record<string, Value>>
  /** What else a record must meet. */
  readonly where?: Expression
  readonly facets?: readonly string[]
  /** `field` or `-field`; undefined = relevance with text, else newest registered first. */
  readonly sort?: string
  readonly limit: number
  readonly cursor?: string
  /** Copies of one thing under the one that is meant (search-copies.ts); total and cursor count those. */
  readonly collapse?: boolean
  /** Hits say what their score is made of. */
  readonly explain?: boolean
  /** What the parts of a score are worth; the others are as in search-rank.ts. */
  readonly weights?: Partial<Weights>
}

export type SearchHit = {
  readonly id: string
  readonly score: number
  /** With `collapse`: how many other records that were found are copies of it. */
  readonly copies?: number
  /** With `explain` and a text: what adds up to the score. */
  readonly parts?: Parts
  readonly highlights?: Readonly<Record<string, string>>
}

export type SearchResult = {
  readonly items: readonly SearchHit[]
  readonly facets: Readonly<Record<string, readonly { value: Value; count: number }[]>>
  readonly total: number
  readonly totalCapped?: true
  /** The query was cut when it had cost too much: all that is here is right, and not all is here. */
  readonly partial?: true
  readonly nextCursor?: string
}

/** A query that cannot be answered: the caller's words, with the place that is wrong. */
export type QueryProblem = {
  readonly problem: string
  readonly pointer?: string
  /** The field of `where` that it is about. */
  readonly field?: string
  /** Within a text in the filter language, in UTF-16 units. */
  readonly position?: number
  /** What may have been meant. */
  readonly hint?: string
}

/** What the indexed records have in one field. */
export type FieldFacts = {
  /** Dotted path. */
  readonly name: string
  /** Of its values; `other` for what no filter can equal, such as a list of maps. */
  readonly types: readonly ('string' | 'number' | 'boolean' | 'null' | 'other')[]
  /** That have it. */
  readonly records: number
  /** The commonest, as a facet gives them; at most `fieldValuesMax`. */
  readonly values: readonly { readonly value: Value; readonly count: number }[]
}

export type FieldList = {
  /** By name; of more than `fieldsMax` the commonest. */
  readonly fields: readonly FieldFacts[]
  /** Counting was cut when it had cost too much: fields may be missing, and values that others have more of. */
  readonly partial?: true
}

export interface SearchIndex extends AsyncDisposable {
  /** When this has resolved, `seq` and `epoch` are known; at once when left out. Never rejects. */
  readonly opened?: Promise<void>
  /** Everything up to and with this arrival sequence number is in the index. 0 = empty. Known after open without a search. */
  readonly seq: number
  /** The arrival log that `seq` counts in; '' = none yet: the index must be reset before it takes anything. */
  readonly epoch: string
  /**
   * Queues entries and removals; resolves when they are searchable. `seq` moves with them. After a kill it may be that
   * of some seconds before, with exactly the records of that time.
   * Rejects with NodeError('search-unavailable') when the index was lost: it is empty then, with epoch ''.
   */
  apply(change: IndexChange): Promise<void>
  /** Rejects with NodeError('search-unavailable') when the index is lost under it, 'busy' when too many wait. */
  search(query: SearchQuery): Promise<SearchResult | QueryProblem>
  /** Every field that records of these kinds (undefined = all) have. */
  fields(kinds?: readonly string[]): Promise<FieldList>
  /** Empties the index, to be filled from the log of this epoch. Also the way back after a loss. */
  reset(epoch: string): Promise<void>
  /** Calls when the index was found damaged and thrown away. Returns how to stop. */
  onLost(call: (reason: string) => void): () => void
}
