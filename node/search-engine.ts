/**
 * The index itself: segments in memory, one query at a time and everything synchronous, for it lives in a thread of
 * its own (search-worker.ts). What takes long is cut into steps: changes are taken in record by record, and `upkeep`
 * joins small segments a piece at a time. Keeping it all on disk is for search-files.ts.
 */
import { looseBelow, pageItemsMax, queryBytesMax, queryTermsMax, searchWorkMs } from './limits.ts'
import type { FieldFacts, QueryProblem, SearchHit, SearchIndex, SearchQuery, SearchResult } from './search.ts'
import { type Bits, bitsOf, clearBit, countBits, hasBit, listBits } from './search-bits.ts'
import { SegmentBuilder } from './search-builder.ts'
import { codeAt, countUses, firstValue } from './search-column.ts'
import { collapse } from './search-copies.ts'
import { countValues, facetOfCodes } from './search-facets.ts'
import type { Tables } from './search-fields.ts'
import { isProblem, lastSegment, type Plan, planOf } from './search-filter.ts'
import type { Found } from './search-found.ts'
import { shortHash } from './search-hash.ts'
import { highlights } from './search-highlight.ts'
import { factsOf, listed } from './search-listing.ts'
import { lookUp, Matches } from './search-match.ts'
import { merge, nextMerge, type TextSink } from './search-merge.ts'
import { decodeCursor, encodeCursor, queryMark } from './search-order.ts'
import { byField, byId, byScore, byTime, type Order, pageOf } from './search-page.ts'
import { hasPhrases, phrasesOf } from './search-phrase.ts'
import { fameOf, partsOf, scoreOf, WEIGHTS, type Weights } from './search-rank.ts'
import { docOf, removeDoc, type Segment } from './search-segment.ts'
import { joined, type Term, termsOf } from './search-text.ts'
import { storedTexts } from './search-texts.ts'
import { Values } from './search-values.ts'
import { Filter } from './search-where.ts'
import { WorkBudget } from './search-work.ts'

export type Change = Parameters<SearchIndex['apply']>[0]

export class SearchEngine {
  readonly #tables: Tables
  readonly values: Values
  /** Oldest first. Replaced as a whole and never changed, so that a query's segments stay its own. */
  segments: readonly Segment[] = []
  /** Everything up to and with this arrival is in the segments. */
  seq = 0
  readonly #matches = new Matches()
  /** Records that could not be read, for the owner to take and report. */
  readonly leftOut: { id: string; why: string }[] = []
  #paths: ReadonlyMap<string, ReadonlySet<string>> | undefined
  /** Documents that came or went since `fame` was last reckoned. */
  #unreckoned = 0
  /** Values are being made codes that nobody is counted to use yet. */
  #isBuilding = false

  constructor(tables: Tables, seed: number) {
    this.#tables = tables
    this.values = new Values(seed)
  }

  get live(): number {
    return this.segments.reduce((sum, { liveCount }) => sum + liveCount, 0)
  }

  /**
   * Takes in entries and lets records go, in steps of one record; what was before is found until the last. When an id
   * comes twice, the later entry is meant.
   */
  *apply({ entries, removed, seq }: Change): Generator<undefined, void> {
    const latest = new Map(entries.map((entry) => [entry.id, entry]))
    const builder = new SegmentBuilder(this.values)
    const gone = [...removed]
    this.#isBuilding = true
    for (const entry of latest.values()) {
      gone.push(entry.id)
      try {
        builder.add(entry, this.#tables.get(entry.kind))
      } catch (error) {
        // A record that trips over a mistake of ours must not stop all the others.
        this.leftOut.push({ id: entry.id, why: String(error) })
      }
      yield
    }
    const segment = builder.size > 0 ? yield* builder.make() : undefined
    for (const id of gone) this.#remove(id)
    if (segment) {
      for (const column of segment.columns.values()) countUses(column, this.values, 1)
      this.#reckon(segment)
      this.#publish([...this.segments, segment])
    }
    this.#isBuilding = false
    this.seq = seq
    this.#unreckoned += gone.length
  }

  #remove(id: string): void {
    for (const segment of this.segments) {
      const doc = docOf(segment, id)
      if (doc < 0) continue
      removeDoc(segment, doc)
      return
    }
  }

  /**
   * One piece of upkeep, in steps: joins segments that are ready for it, or reckons anew how known records are. Yields
   * nothing when there is nothing to do. `sinkFor` says where the texts of so many documents go.
   */
  *upkeep(sinkFor: (documents: number) => TextSink): Generator<undefined, boolean> {
    const joining = nextMerge(this.segments)
    if (joining) {
      yield* this.#join(joining, sinkFor)
      return true
    }
    if (this.#unreckoned * RECKONED_SHARE > this.live) {
      this.#unreckoned = 0
      for (const segment of this.segments) {
        this.#reckon(segment)
        yield
      }
      return true
    }
    return false
  }

  *#join(joining: readonly Segment[], sinkFor: (documents: number) => TextSink): Generator<undefined, void> {
    const documents = joining.reduce((sum, { liveCount }) => sum + liveCount, 0)
    const sink = sinkFor(documents)
    const { segment, moved } = yield* merge(joining, this.values, sink)
    yield* sink.finish(segment, this.values)
    for (const column of segment.columns.values()) {
      countUses(column, this.values, 1)
      yield
    }
    this.#reckon(segment)
    yield
    // Without a pause from here on: what left meanwhile leaves the new segment too.
    for (const [at, old] of joining.entries()) {
      const to = moved[at] as Int32Array
      for (let doc = 0; doc < old.size; doc++) {
        if ((to[doc] as number) >= 0 && !hasBit(old.live, doc)) removeDoc(segment, to[doc] as number)
      }
    }
    const others = this.segments.filter((each) => !joining.includes(each))
    this.#publish(segment.liveCount === 0 ? others : [segment, ...others])
    for (const old of joining) {
      old.texts.close()
      for (const column of old.columns.values()) {
        countUses(column, this.values, -1)
        yield
      }
    }
    if (!this.#isBuilding) this.values.sweep()
  }

  /** Makes these, which came from a file, the index's segments, in steps. */
  *take(segments: readonly Segment[]): Generator<undefined, void> {
    for (const segment of segments) {
      for (const column of segment.columns.values()) {
        countUses(column, this.values, 1)
        yield
      }
    }
    for (const segment of segments) {
      this.#reckon(segment)
      yield
    }
    this.#publish(segments)
  }

  #publish(segments: readonly Segment[]): void {
    this.segments = segments
    this.#paths = undefined
  }

  #reckon({ size, arrays, columns, fame }: Segment): void {
    const slugs = columns.get('slug')
    for (let doc = 0; doc < size; doc++) {
      const code = slugs ? codeAt(slugs, doc) : 0
      const references = slugs && code !== 0 ? (this.values.uses[firstValue(slugs, code)] as number) - 1 : 0
      const popularity = arrays.popularity[doc] as number
      fame[doc] = references > 0 ? fameOf(popularity, references) : popularity
    }
  }

  search(query: SearchQuery, budget: WorkBudget = new WorkBudget(searchWorkMs)): SearchResult | QueryProblem {
    const text = query.query ?? ''
    const terms = readText(text)
    if (isProblem(terms)) return terms
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > pageItemsMax) {
      return { problem: `expected a number from 1 to ${pageItemsMax}`, pointer: '/limit' }
    }
    const plan = planOf(query, this.#tables, {
      has: (path) => this.#hasPath(path, query.kinds),
      endingWith: (segment) => this.#endingWith(segment).filter((path) => this.#hasPath(path, query.kinds)),
    })
    if (isProblem(plan)) return plan
    const mark = queryMark(query)
    const after = query.cursor === undefined ? undefined : decodeCursor(mark, query.cursor)
    if (after && isProblem(after)) return after

    const filter = new Filter(this.values, query.kinds, plan, query.where)
    const weights = { ...WEIGHTS, ...query.weights }
    const matched = text.trim() === '' ? undefined : this.#match(text, terms, filter, weights, budget, after?.rarities)
    const all = matched ? matched.found : this.#list(this.segments.map((segment) => filter.match(segment, budget)))
    const collapsed = query.collapse === true ? collapse(all) : undefined
    const found = collapsed?.found ?? all

    const facets: Record<string, SearchResult['facets'][string]> = {}
    for (const [name, paths] of plan.facets) {
      const value = facetOfCodes(countValues(all, paths, this.values, budget), this.values, budget)
      Object.defineProperty(facets, name, { value, enumerable: true })
    }
    const order = this.#orderOf(plan, matched)
    const { page, more } = pageOf(found, order, after, query.limit, budget)
    const last = page.at(-1)
    const items = page.map(({ id, segment, doc, base }): SearchHit => {
      const copies = collapsed?.copies.get(base + doc)
      const shown = matched ? highlights(storedTexts(segment, doc)[0], matched) : undefined
      return {
        id,
        score: matched ? matched.scorer(segment, base)(doc) : 0,
        ...(shown && { highlights: shown }),
        ...(copies !== undefined && { copies }),
        ...(query.explain === true && matched && { parts: matched.parts(segment, base, doc) }),
      }
    })
    return {
      items,
      facets,
      total: found.docs.length,
      ...(budget.wasSpent && { totalCapped: true as const, partial: true as const }),
      ...(more &&
        last && {
          nextCursor: encodeCursor(mark, plan.sort || !matched ? last : { ...last, rarities: matched.rarities }),
        }),
    }
  }

  fields(kinds: readonly string[] | undefined, budget: WorkBudget): readonly FieldFacts[] {
    const filter = new Filter(this.values, kinds)
    const found = this.#list(this.segments.map((segment) => filter.match(segment, budget)))
    const paths = new Set([...OWN_PATHS, ...this.segments.flatMap(({ columns }) => [...columns.keys()])])
    return listed(
      [...paths].flatMap((path) => {
        if (budget.isSpent()) return []
        const counted = countValues(found, [path], this.values, budget)
        if (counted.records === 0) return []
        return [{ name: path, records: counted.records, ...factsOf(counted, this.values, budget) }]
      }),
    )
  }

  #orderOf({ sort }: Plan, matched: Matched | undefined): Order {
    if (!sort) return matched ? byScore(matched.scorer) : byTime(({ arrays }) => arrays.registeredAt, true)
    if (sort.path === 'registered_at') return byTime(({ arrays }) => arrays.registeredAt, sort.descending)
    if (sort.path === 'changed_at') return byTime(({ arrays }) => arrays.changedAt, sort.descending)
    return sort.path === 'id' ? byId(sort.descending) : byField(sort, this.values)
  }

  #list(sets: readonly Bits[]): Found {
    const docs = new Uint32Array(sets.reduce((sum, bits) => sum + countBits(bits), 0))
    let base = 0
    let from = 0
    const parts = this.segments.map((segment, at) => {
      const bits = sets[at] as Bits
      const to = listBits(bits, base, docs, from)
      const part = { segment, base, from, to, bits }
      base += segment.size
      from = to
      return part
    })
    return { docs, parts }
  }

  /** `rarities`: of the first page, for those that follow it. */
  #match(
    text: string,
    terms: readonly Term[],
    filter: Filter,
    weights: Weights,
    budget: WorkBudget,
    rarities: readonly number[] = [],
  ): Matched {
    const { segments } = this
    const { terms: now, words } = lookUp(terms, segments, budget)
    const looked = now.map((term, at) => ({ ...term, rarity: rarities[at] ?? term.rarity }))
    const matches = this.#matches
    const bases: number[] = []
    let base = 0
    for (const { size } of segments) {
      bases.push(base)
      base += size
    }
    matches.begin(base)
    const letters = joined(text)
    const fits: Bits[] = []
    for (const [at, segment] of segments.entries()) {
      fits.push(filter.match(segment, budget))
      if (!budget.isSpent()) matches.addSegment(segment, at, bases[at] ?? 0, looked, letters, budget)
    }
    const phrases = phrasesOf(text)
    const least = (need: number): Bits[] => {
      const sets = terms.length === 0 ? segments.map(({ size }) => bitsOf(size)) : matches.fitting(need, bases, fits)
      if (phrases.length > 0)
        for (const [at, segment] of segments.entries()) keepPhrases(segment, sets[at] as Bits, phrases, budget)
      return sets
    }
    let sets = least(terms.length)
    const strict = sets.reduce((sum, bits) => sum + countBits(bits), 0)
    for (const need of relaxed(terms.length, strict)) {
      sets = least(need)
      if (sets.some((bits) => countBits(bits) > 0)) break
    }
    const possible = looked.reduce((sum, { rarity }) => sum + rarity, 0) || 1
    const last = terms.at(-1)
    const facts = (base: number, doc: number) =>
      [
        (matches.gained[base + doc] as number) / possible,
        matches.named[base + doc] as number,
        matches.exact[base + doc] as number,
      ] as const
    return {
      found: this.#list(sets),
      rarities: looked.map(({ rarity }) => rarity),
      words,
      beginning: last?.prefix ? last.text : undefined,
      scorer: ({ arrays, fame }, base) => {
        const { gained, named, exact } = matches
        return (doc) => {
          const at = base + doc
          const share = (gained[at] as number) / possible
          return scoreOf(weights, arrays, fame, doc, share, named[at] as number, exact[at] as number)
        }
      },
      parts: ({ arrays, fame }, base, doc) => partsOf(weights, arrays, fame, doc, ...facts(base, doc)),
    }
  }

  /** Has a live record of these kinds the path? */
  #hasPath(path: string, kinds: readonly string[] | undefined): boolean {
    const fits = kinds === undefined ? undefined : new Filter(this.values, kinds)
    const budget = new WorkBudget(searchWorkMs)
    return this.segments.some((segment) => {
      const column = segment.columns.get(path)
      if (!column) return false
      const bits = fits ? fits.match(segment, budget) : segment.live
      for (let i = 0; i < column.codes.length; i++) {
        if (column.codes[i] !== 0 && hasBit(bits, column.docs ? (column.docs[i] as number) : i)) return true
      }
      return false
    })
  }

  #endingWith(segment: string): readonly string[] {
    if (!this.#paths) {
      const paths = new Map<string, Set<string>>()
      for (const { columns } of this.segments) {
        for (const path of columns.keys()) {
          if (!path.includes('.')) continue
          const last = lastSegment(path)
          const same = paths.get(last)
          if (same) same.add(path)
          else paths.set(last, new Set([path]))
        }
      }
      this.#paths = paths
    }
    return [...(this.#paths.get(segment) ?? [])]
  }
}

/** Fame is reckoned anew once one in this many records came or went. */
const RECKONED_SHARE = 16
const OWN_PATHS: ReadonlySet<string> = new Set(['id', 'registered_at', 'changed_at'])

type Matched = {
  readonly found: Found
  /** By term: how much it says. */
  readonly rarities: readonly number[]
  readonly words: ReadonlySet<string>
  readonly beginning: string | undefined
  /** For the documents of one segment. */
  readonly scorer: (segment: Segment, base: number) => (doc: number) => number
  readonly parts: (segment: Segment, base: number, doc: number) => Weights
}

function keepPhrases(segment: Segment, bits: Bits, phrases: readonly (readonly string[])[], budget: WorkBudget): void {
  const docs = new Uint32Array(countBits(bits))
  listBits(bits, 0, docs, 0)
  for (const doc of docs) {
    if (budget.isSpent() || !hasPhrases(storedTexts(segment, doc), phrases)) clearBit(bits, doc)
  }
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

/** Changes when the tables give other words or fields, so that an index made by older tables is built anew. */
export function madeBy(tables: Tables): string {
  const read = [...tables].map(([kind, table]) => [
    kind,
    [...table].map(([path, { search, words }]) => [path, search, words]),
  ])
  return shortHash(JSON.stringify(read))
}
