/** The two halves of the search index in one thread, without files: what one builds the other knows at once. */
import type { FieldList, IndexEntry, QueryProblem, SearchQuery, SearchResult } from '../../node/search.ts'
import { SearchEngine } from '../../node/search-engine.ts'
import type { Tables } from '../../node/search-fields.ts'
import { IndexMaker } from '../../node/search-maker.ts'
import type { TextSink } from '../../node/search-merge.ts'
import { Room } from '../../node/search-room.ts'
import { memoryTexts } from '../../node/search-texts.ts'
import { drained, type WorkBudget } from '../../node/search-work.ts'

export class LocalIndex {
  readonly maker: IndexMaker
  readonly engine: SearchEngine

  constructor(tables: Tables, seed = 1) {
    this.engine = new SearchEngine(tables, seed)
    this.maker = new IndexMaker(tables, seed, (publication) => drained(this.engine.take(publication)))
  }

  take(entries: readonly IndexEntry[], removed: readonly string[] = []): void {
    drained(this.maker.apply({ seq: 1, entries, count: entries.length, removed }))
  }

  search(query: SearchQuery, budget?: WorkBudget): SearchResult | QueryProblem {
    return this.engine.search(query, budget)
  }

  fields(budget: WorkBudget): FieldList {
    return drained(this.engine.fields(undefined, budget))
  }

  /** In steps; false when there was nothing to do. */
  upkeep(): Generator<undefined, boolean> {
    return this.maker.upkeep(memorySink)
  }
}

/** Where joined texts go. */
function memorySink(): TextSink {
  const pieces: Uint8Array[] = []
  return {
    write: (bytes) => pieces.push(bytes),
    end: () => memoryTexts(new Room().keep(new Uint8Array(Buffer.concat(pieces)))),
    *finish() {},
    abandon: () => {},
  }
}
