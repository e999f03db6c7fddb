/**
 * The index itself: segments in memory, one query at a time and everything synchronous, for it lives in a thread of
 * its own (search-worker.ts). What takes long is cut into steps: changes are taken in record by record, and `upkeep`
 * joins small segments a piece at a time. Keeping it all on disk is for search-files.ts.
 */
import { looseBelow, pageItemsMax, queryBytesMax, queryTermsMax, searchWorkMs, vocabularyKept } from './limits.ts'
import type {
  FieldFacts,
  FieldList,
  IndexChange,
  IndexEntry,
  QueryProblem,
  SearchHit,
  SearchQuery,
  SearchResult,
} from './search.ts'
import { type Bits, clearBit, dropBits, hasBit, keepBits } from './search-bits.ts'
import { SegmentBuilder, Vocabulary } from './search-builder.ts'
import { codeAt, countUses, firstValue } from './search-column.ts'
import { collapse } from './search-copies.ts'
import { countSteps, countValues, facetOfCodes } from './search-facets.ts'
import type { Tables } from './search-fields.ts'
import { isProblem, lastSegment, type Plan, planOf } from './search-filter.ts'
import { docsIn, type Found, foundIn } from './search-found.ts'
import { shortHash } from './search-hash.ts'
import { highlights } from './search-highlight.ts'
import { factsOf, idFacts, listed } from './search-listing.ts'
import { inAtLeast, lookUp, matchTerm, type TermMatch } from './search-match.ts'
import { merge, nextMerge, type TextSink } from './search-merge.ts'
import { decodeCursor, encodeCursor, queryMark } from './search-order.ts'
import { keptOrder, makeOrder } from './search-orders.ts'
import { byField, byId, byScore, byTime, type Order, type OrderMissing, pageOf } from './search-page.ts'
import { hasPhrases, phrasesOf } from './search-phrase.ts'
import { fameOf, WEIGHTS, type Weights } from './search-rank.ts'
import { Scores } from './search-score.ts'
import { Scratch } from './search-scratch.ts'
import { docOf, removeDoc, type Segment } from './search-segment.ts'
import { joined, type Term, termsOf } from './search-text.ts'
import { storedTexts } from './search-texts.ts'
import { Values } from './search-values.ts'
import { Filter } from './search-where.ts'
import { drained, WorkBudget } from './search-work.ts'

/** A change whose entries are made one after the other. */
export type Change = Omit<IndexChange, 'entries'> & {
  readonly entries: Iterable<IndexEntry>
  readonly count: number
}

export class SearchEngine {
  readonly #tables: Tables
  readonly #seed: number
  readonly values: Values
  /** Oldest first. Replaced as a whole and never changed, so that a query's segments stay its own. */
  segments: readonly Segment[] = []
  /** Everything up to and with this arrival is in the segments. */
  seq = 0
  readonly #scratch = new Scratch()
  #vocabulary = new Vocabulary()
  /** Records that could not be read, for the owner to take and report. */
  readonly leftOut: { id: string; why: string }[] = []
  #paths: ReadonlyMap<string, ReadonlySet<string>> | undefined
  /** Documents that came or went since `fame` was last reckoned. */
  #unreckoned = 0
  /** Who goes on looking at codes after a pause. */
  #readers = 0
  /** Values are being made codes that nobody is counted to use yet. */
  #isBuilding = false

  constructor(tables: Tables, seed: number) {
    this.#tables = tables
    this.#seed = seed
    this.values = new Values(seed)
  }

  get live(): number {
    return this.segments.reduce((sum, { liveCount }) => sum + liveCount, 0)
  }

  /**
   * Takes in `count` entries at most and lets records go, in steps of one record; what was before is found until the
   * last. When an id comes twice, the later entry is meant. Each entry is asked for when it is due, and not held.
   */
  *apply(change: Change): Generator<undefined, void> {
    const { entries, count, removed, seq } = change
    if (this.#vocabulary.words.length > vocabularyKept) this.#vocabulary = new Vocabulary()
    const builder = new SegmentBuilder(this.values, this.#vocabulary, count)
    const gone = [...removed]
    const docs = new Map<string, number>()
    const replaced: number[] = []
    this.#isBuilding = true
    for (const entry of entries) {
      const { id } = entry
      const before = docs.get(id)
      if (before === undefined) gone.push(id)
      else replaced.push(before)
      docs.set(id, builder.size)
      try {
        builder.add(entry, this.#tables.get(entry.kind))
      } catch (error) {
        // A record that trips over a mistake of ours must not stop all the others.
        this.leftOut.push({ id, why: String(error) })
        docs.delete(id)
      }
      yield
    }
    const segment = builder.size > 0 ? yield* builder.make() : undefined
    for (const { segment: old, doc, id } of yield* this.#placesOf(gone)) {
      if (this.segments.includes(old)) removeDoc(old, doc)
      else this.#remove(id)
    }
    if (segment) {
      for (const doc of replaced) removeDoc(segment, doc)
      // Without a pause since the first was removed: a record is found as it was or as it is. One batch is small.
      for (const column of segment.columns.values()) drained(countUses(column, this.values, 1))
      drained(this.#reckon(segment))
      this.#publish([...this.segments, segment])
    }
    this.#isBuilding = false
    this.seq = seq
    this.#unreckoned += gone.length
  }

  /** Where these are now, in steps. Segments may be joined meanwhile. */
  *#placesOf(ids: readonly string[]): Generator<undefined, { segment: Segment; doc: number; id: string }[]> {
    const places: { segment: Segment; doc: number; id: string }[] = []
    for (const [at, id] of ids.entries()) {
      const place = this.#placeOf(id)
      if (place) places.push({ ...place, id })
      if (at % IDS_A_STEP === IDS_A_STEP - 1) yield
    }
    return places
  }

  #placeOf(id: string): { segment: Segment; doc: number } | undefined {
    const wanted = Buffer.from(id, 'hex')
    for (const segment of this.segments) {
      const doc = docOf(segment, wanted)
      if (doc >= 0) return { segment, doc }
    }
    return undefined
  }

  #remove(id: string): void {
    const place = this.#placeOf(id)
    if (place) removeDoc(place.segment, place.doc)
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
      for (const segment of this.segments) yield* this.#reckon(segment)
      return true
    }
    return false
  }

  *#join(joining: readonly Segment[], sinkFor: (documents: number) => TextSink): Generator<undefined, void> {
    const documents = joining.reduce((sum, { liveCount }) => sum + liveCount, 0)
    const sink = sinkFor(documents)
    const { segment, moved, lived } = yield* merge(joining, this.values, sink)
    yield* sink.finish(segment, this.values)
    for (const column of segment.columns.values()) yield* countUses(column, this.values, 1)
    yield* this.#reckon(segment)
    // Without a pause from here on: what left meanwhile leaves the new segment too.
    for (const [at, old] of joining.entries()) {
      const left = lived[at] as Bits
      dropBits(left, old.live)
      for (const doc of docsIn(old, left)) removeDoc(segment, (moved[at] as Int32Array)[doc] as number)
    }
    const others = this.segments.filter((each) => !joining.includes(each))
    this.#publish(segment.liveCount === 0 ? others : [segment, ...others])
    for (const old of joining) {
      old.texts.close()
      for (const column of old.columns.values()) yield* countUses(column, this.values, -1)
    }
    if (!this.#isBuilding && this.#readers === 0) this.values.sweep()
  }

  /** Makes these, which came from a file, the index's segments, in steps. */
  *take(segments: readonly Segment[]): Generator<undefined, void> {
    for (const segment of segments) {
      for (const column of segment.columns.values()) yield* countUses(column, this.values, 1)
    }
    for (const segment of segments) yield* this.#reckon(segment)
    this.#publish(segments)
  }

  #publish(segments: readonly Segment[]): void {
    this.segments = segments
    this.#paths = undefined
  }

  /** How known the documents are by now, in steps. */
  *#reckon(segment: Segment): Generator<undefined, void> {
    for (let from = 0; from < segment.size; from += DOCS_A_STEP) {
      this.#reckonSome(segment, from, Math.min(from + DOCS_A_STEP, segment.size))
      yield
    }
  }

  #reckonSome({ arrays, columns, fame }: Segment, from: number, to: number): void {
    const slugs = columns.get('slug')
    for (let doc = from; doc < to; doc++) {
      const code = slugs ? codeAt(slugs, doc) : 0
      const references = slugs && code !== 0 ? (this.values.uses[firstValue(slugs, code)] as number) - 1 : 0
      const popularity = arrays.popularity[doc] as number
      fame[doc] = references > 0 ? fameOf(popularity, references) : popularity
    }
  }

  /** Without a pause, whatever it takes to prepare. */
  search(query: SearchQuery, budget?: WorkBudget): SearchResult | QueryProblem {
    return drained(this.answer(query, () => budget ?? new WorkBudget(searchWorkMs)))
  }

  /** In one step as a rule. What it wants of large segments and they lack is made in steps, and then it is asked again. */
  *answer(
    query: SearchQuery,
    budget = () => new WorkBudget(searchWorkMs),
  ): Generator<undefined, SearchResult | QueryProblem> {
    for (let round = 1; ; round++) {
      const missing: Missing[] = []
      const note: OrderMissing = (segment, paths) => missing.push({ segment, paths })
      const answer = this.#search(query, budget(), round < ROUNDS_MAX ? note : undefined)
      if (missing.length === 0) return answer
      this.#readers++
      try {
        for (const { segment, paths } of missing)
          if (!keptOrder(segment, paths)) yield* makeOrder(segment, paths, this.values)
      } finally {
        this.#readers--
      }
    }
  }

  #search(query: SearchQuery, budget: WorkBudget, missing?: OrderMissing): SearchResult | QueryProblem {
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
    this.#scratch.begin()
    const mark = queryMark(query)
    const after = query.cursor === undefined ? undefined : decodeCursor(mark, query.cursor)
    if (after && isProblem(after)) return after

    const filter = new Filter(this.values, query.kinds, plan, query.where)
    const weights = { ...WEIGHTS, ...query.weights }
    const matched = text.trim() === '' ? undefined : this.#match(text, terms, filter, weights, budget, after?.rarities)
    const fits = () => this.segments.map((segment) => filter.match(segment, budget))
    const all = matched ? matched.found : foundIn(this.segments, fits())
    const collapsed = query.collapse === true ? collapse(all, this.#seed, budget) : undefined
    const found = collapsed?.found ?? all

    const facets: Record<string, SearchResult['facets'][string]> = {}
    for (const [name, paths] of plan.facets) {
      const value = facetOfCodes(countValues(all, paths, this.values, budget), this.values, budget)
      Object.defineProperty(facets, name, { value, enumerable: true })
    }
    const order = this.#orderOf(plan, matched, missing)
    const { page, more } = pageOf(found, order, after, query.limit, budget)
    const last = page.at(-1)
    const items = page.map(({ id, segment, doc, base }): SearchHit => {
      const copies = collapsed?.copies.get(base + doc)
      const shown = matched ? highlights(storedTexts(segment, doc)[0], matched) : undefined
      return {
        id,
        score: matched ? matched.scores(segment).scoreOf(doc) : 0,
        ...(shown && { highlights: shown }),
        ...(copies !== undefined && { copies }),
        ...(query.explain === true && matched && { parts: matched.scores(segment).partsOf(doc) }),
      }
    })
    return {
      items,
      facets,
      total: found.total,
      ...(budget.wasSpent && { totalCapped: true as const, partial: true as const }),
      ...(more &&
        last && {
          nextCursor: encodeCursor(mark, plan.sort || !matched ? last : { ...last, rarities: matched.rarities }),
        }),
    }
  }

  /** In steps of a field. Codes stay what they are until it has ended. */
  *fields(kinds: readonly string[] | undefined, budget: WorkBudget): Generator<undefined, FieldList> {
    const { segments, values } = this
    const filter = new Filter(values, kinds)
    this.#readers++
    try {
      const sets = segments.map((segment) => filter.match(segment, budget))
      const found = foundIn(segments, sets)
      const fields: FieldFacts[] = []
      // Its own, since others count meanwhile. Values that come later are of no segment that is looked at.
      const counts = new Uint32Array(values.size)
      const own = found.total === 0 ? [] : [idFacts(found)]
      for (const path of new Set([...OWN_TIMES, ...segments.flatMap(({ columns }) => [...columns.keys()])])) {
        if (budget.isSpent()) break
        const counted = yield* countSteps(found, [path], counts, values.seed, budget)
        if (counted.records === 0) continue
        fields.push({ name: path, records: counted.records, ...(yield* factsOf(counted, values, budget)) })
      }
      return { fields: listed([...own, ...fields]), ...(budget.wasSpent && { partial: true }) }
    } finally {
      this.#readers--
    }
  }

  #orderOf({ sort }: Plan, matched: Matched | undefined, missing?: OrderMissing): Order {
    if (!sort) return matched ? byScore(matched.scores) : byTime(({ arrays }) => arrays.registeredAt, true)
    if (sort.path === 'registered_at') return byTime(({ arrays }) => arrays.registeredAt, sort.descending)
    if (sort.path === 'changed_at') return byTime(({ arrays }) => arrays.changedAt, sort.descending)
    return sort.path === 'id' ? byId(sort.descending) : byField(sort, this.values, missing)
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
    const scratch = this.#scratch
    const { terms: looked, words } = lookUp(terms, segments, budget)
    const scoring = { rarities: looked.map(({ rarity }, at) => rarities[at] ?? rarity), weights, letters: joined(text) }
    const matches = segments.map((segment, at) =>
      looked.map(({ readings }) => matchTerm(segment, readings[at] ?? [], scratch, budget)),
    )
    const fits = segments.map((segment) => filter.match(segment, budget))
    const phrases = phrasesOf(text)
    const having = (need: number): Found => {
      const sets = segments.map((segment, at) => {
        const bits = inAtLeast(
          need,
          (matches[at] as readonly TermMatch[]).map((term) => term.bits),
          segment.size,
          scratch,
        )
        keepBits(bits, fits[at] as Bits)
        if (phrases.length > 0) keepPhrases(segment, bits, phrases, budget)
        return bits
      })
      return foundIn(segments, sets)
    }
    let found = having(Math.max(1, terms.length))
    for (const need of relaxed(terms.length, found.total)) {
      found = having(need)
      if (found.total > 0) break
    }
    const scores = new Map<Segment, Scores>()
    const last = terms.at(-1)
    return {
      found,
      rarities: scoring.rarities,
      words,
      beginning: last?.prefix ? last.text : undefined,
      scores: (segment) => {
        let own = scores.get(segment)
        if (!own) {
          own = new Scores(segment, matches[segments.indexOf(segment)] ?? [], scoring, scratch)
          scores.set(segment, own)
        }
        return own
      },
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

/** An order that a query wants of a segment. */
type Missing = { readonly segment: Segment; readonly paths: readonly string[] }
/** What others made meanwhile may have cost a query what was made for it: then it makes the rest at once. */
const ROUNDS_MAX = 4

const IDS_A_STEP = 64
const DOCS_A_STEP = 16_384
/** Fame is reckoned anew once one in this many records came or went. */
const RECKONED_SHARE = 16
const OWN_TIMES = ['registered_at', 'changed_at']

type Matched = {
  readonly found: Found
  /** By term: how much it says. */
  readonly rarities: readonly number[]
  readonly words: ReadonlySet<string>
  readonly beginning: string | undefined
  readonly scores: (segment: Segment) => Scores
}

function keepPhrases(segment: Segment, bits: Bits, phrases: readonly (readonly string[])[], budget: WorkBudget): void {
  for (const doc of docsIn(segment, bits)) {
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
