/**
 * The index as it is asked: segments in memory, one query at a time and everything synchronous, for it lives in a thread
 * of its own (search-answers.ts). It is built elsewhere (search-maker.ts) and hears of what changes by `take`. What queries
 * make is kept here: orders, layouts, tested sets. What takes long is cut into steps.
 */
import { looseBelow, pageItemsMax, queryBytesMax, queryTermsMax, searchWorkMs } from './limits.ts'
import type { FieldFacts, FieldList, QueryProblem, SearchHit, SearchQuery, SearchResult } from './search.ts'
import { type Bits, clearBit, hasBit, keepBits } from './search-bits.ts'
import { collapse } from './search-copies.ts'
import { countSteps, countValues, facetOfCodes } from './search-facets.ts'
import type { Tables } from './search-fields.ts'
import { isProblem, lastSegment, type Plan, planOf } from './search-filter.ts'
import { docsIn, type Found, foundIn } from './search-found.ts'
import { highlights } from './search-highlight.ts'
import { factsOf, idFacts, listed } from './search-listing.ts'
import { inAtLeast, lookUp, matchTerm, type TermMatch } from './search-match.ts'
import { decodeCursor, encodeCursor, queryMark } from './search-order.ts'
import { carryOrders, keptOrder, makeOrder } from './search-orders.ts'
import { byField, byId, byScore, byTime, type Order, type OrderMissing, pageOf } from './search-page.ts'
import { hasPhrases, phrasesOf } from './search-phrase.ts'
import { type Publication, segmentFrom } from './search-publication.ts'
import { WEIGHTS, type Weights } from './search-rank.ts'
import { Scores } from './search-score.ts'
import { Scratch } from './search-scratch.ts'
import { removeDoc, type Segment } from './search-segment.ts'
import { joined, type Term, termsOf } from './search-text.ts'
import { storedTexts, textsIn } from './search-texts.ts'
import { emptyView, Values } from './search-values.ts'
import { Filter } from './search-where.ts'
import { drained, WorkBudget } from './search-work.ts'

export class SearchEngine {
  readonly #tables: Tables
  readonly #seed: number
  /** Oldest first. Replaced as a whole and never changed, as the values are, so that a query's stay its own. */
  segments: readonly Segment[] = []
  /** Documents of segments that are here no more; for the caller to begin anew. */
  dropped = 0
  #values: Values
  readonly #scratch = new Scratch()
  #paths: ReadonlyMap<string, ReadonlySet<string>> | undefined

  constructor(tables: Tables, seed: number) {
    this.#tables = tables
    this.#seed = seed
    this.#values = new Values(emptyView(seed, 0, 1), 0)
  }

  /**
   * Takes what the building side tells. What queries have made of segments that were joined is carried over first, in
   * steps; then all of it is so from one moment on.
   */
  *take(publication: Publication): Generator<undefined, void> {
    const { added, joined, values } = publication
    const before = this.segments
    const known = new Map(before.map((segment) => [segment.number, segment]))
    const fresh = added.map(segmentFrom)
    const [into] = fresh
    if (into && joined.length > 0) {
      const from = joined.map(({ number }) => known.get(number) as Segment)
      const moved = joined.map((each) => each.moved)
      yield* carryOrders(from, moved, this.#values, into)
    }
    if (values) this.#values = new Values(values, 0)
    this.#values.size = publication.valuesSize
    for (const segment of fresh) known.set(segment.number, segment)
    for (const { number, gone = [], fame, texts } of publication.changed) {
      const segment = known.get(number) as Segment
      for (const doc of gone) removeDoc(segment, doc)
      if (fame) segment.fame = fame
      if (texts !== undefined) segment.texts = textsIn(texts)
    }
    this.segments = publication.segments.map((number) => known.get(number) as Segment)
    for (const { number, size } of before) if (!publication.segments.includes(number)) this.dropped += size
    this.#paths = undefined
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
      const values = this.#values
      for (const { segment, paths } of missing) if (!keptOrder(segment, paths)) yield* makeOrder(segment, paths, values)
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

    const filter = new Filter(this.#values, query.kinds, plan, query.where)
    const weights = { ...WEIGHTS, ...query.weights }
    const matched = text.trim() === '' ? undefined : this.#match(text, terms, filter, weights, budget, after?.rarities)
    const fits = () => this.segments.map((segment) => filter.match(segment, budget))
    const all = matched ? matched.found : foundIn(this.segments, fits())
    const collapsed = query.collapse === true ? collapse(all, this.#seed, budget) : undefined
    const found = collapsed?.found ?? all

    const facets: Record<string, SearchResult['facets'][string]> = {}
    for (const [name, paths] of plan.facets) {
      const value = facetOfCodes(countValues(all, paths, this.#values, budget), this.#values, budget)
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

  /** In steps of a field. */
  *fields(kinds: readonly string[] | undefined, budget: WorkBudget): Generator<undefined, FieldList> {
    const { segments } = this
    const values = this.#values
    const filter = new Filter(values, kinds)
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
  }

  #orderOf({ sort }: Plan, matched: Matched | undefined, missing?: OrderMissing): Order {
    if (!sort) return matched ? byScore(matched.scores) : byTime(({ arrays }) => arrays.registeredAt, true)
    if (sort.path === 'registered_at') return byTime(({ arrays }) => arrays.registeredAt, sort.descending)
    if (sort.path === 'changed_at') return byTime(({ arrays }) => arrays.changedAt, sort.descending)
    return sort.path === 'id' ? byId(sort.descending) : byField(sort, this.#values, missing)
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
    const fits = kinds === undefined ? undefined : new Filter(this.#values, kinds)
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
