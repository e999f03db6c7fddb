/** How many of the documents found have each value. */
import { facetValuesMax } from './limits.ts'
import type { SearchResult } from './search.ts'
import { type Bits, bitsOf, dropBits, fullBits, hasBit, setBit } from './search-bits.ts'
import { type Codes, type Column, codeAt, valuesOf } from './search-column.ts'
import { isShortened, type Leaf } from './search-fields.ts'
import { docsIn, type Found, type Part } from './search-found.ts'
import { mixed } from './search-hash.ts'
import { idAt } from './search-segment.ts'
import type { Values } from './search-values.ts'
import { drained, type WorkBudget } from './search-work.ts'

type Facet = SearchResult['facets'][string]

/** Room for counting by code of a value, all zero between counts. */
let counts = new Uint32Array(0)

/** Documents by value of any of the paths; one with a value in several of them counts once. */
export function countValues(found: Found, paths: readonly string[], values: Values, budget: WorkBudget): CodeCounts {
  if (counts.length < values.size) counts = new Uint32Array(values.size * 2)
  return drained(countSteps(found, paths, counts, values.seed, budget))
}

/**
 * The same in steps. `counts` has room for every value, all zero, and is so again at the end; `seed`: any number that
 * strangers do not know.
 */
export function* countSteps(
  found: Found,
  paths: readonly string[],
  counts: Uint32Array,
  seed: number,
  budget: WorkBudget,
): Generator<undefined, CodeCounts> {
  const counted = new CountedValues(counts, seed)
  for (const part of found.parts) {
    if (part.count === 0 || budget.isSpent()) continue
    const columns = paths.flatMap((path) => part.segment.columns.get(path) ?? [])
    const [column] = columns
    if (columns.length === 1 && column) yield* countColumn(column, part, counted)
    else if (columns.length > 1) yield* countTogether(columns, part, counted)
    for (const path of paths) yield* countOwnArray(path, part, counted, budget)
    yield
  }
  return counted.take()
}

class CountedValues {
  readonly #counts: Uint32Array
  #met = new Uint32Array(1_024)
  #metCount = 0
  readonly others: OtherCounts
  /** Documents with a value, where one path was asked for. */
  records = 0

  constructor(counts: Uint32Array, seed: number) {
    this.#counts = counts
    this.others = new OtherCounts(seed)
  }

  add(value: number, times: number): void {
    const counts = this.#counts
    if (counts[value] === 0) {
      if (this.#metCount === this.#met.length) this.#met = doubled(this.#met)
      this.#met[this.#metCount++] = value
    }
    counts[value] = (counts[value] as number) + times
  }

  take(): CodeCounts {
    const counts = this.#counts
    const codes = this.#met.subarray(0, this.#metCount)
    const times = new Uint32Array(codes.length)
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i] as number
      times[i] = counts[code] as number
      counts[code] = 0
    }
    return { codes, times, others: this.others, records: this.records }
  }
}

/** Counts of texts, and of numbers, of which a million may differ: those lie in a table of flat arrays. */
class OtherCounts {
  readonly #seed: number
  readonly #texts = new Map<string, number>()
  #numbers = new Float64Array(0)
  #times = new Uint32Array(0)
  #size = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  add(leaf: string | number): void {
    if (typeof leaf === 'string') {
      this.#texts.set(leaf, (this.#texts.get(leaf) ?? 0) + 1)
      return
    }
    if (this.#size * 2 >= this.#numbers.length) this.#grow()
    const slot = this.#slotOf(leaf)
    if (this.#times[slot] === 0) {
      this.#numbers[slot] = leaf
      this.#size++
    }
    this.#times[slot] = (this.#times[slot] as number) + 1
  }

  *[Symbol.iterator](): Generator<[leaf: string | number, times: number]> {
    yield* this.#texts
    for (let slot = 0; slot < this.#times.length; slot++) {
      const times = this.#times[slot] as number
      if (times > 0) yield [this.#numbers[slot] as number, times]
    }
  }

  #slotOf(number: number): number {
    const mask = this.#numbers.length - 1
    for (let slot = mixed(number, this.#seed) & mask; ; slot = (slot + 1) & mask) {
      if (this.#times[slot] === 0 || this.#numbers[slot] === number) return slot
    }
  }

  #grow(): void {
    const [numbers, times] = [this.#numbers, this.#times]
    this.#numbers = new Float64Array(Math.max(1_024, numbers.length * 2))
    this.#times = new Uint32Array(this.#numbers.length)
    for (let i = 0; i < numbers.length; i++) {
      if (times[i] === 0) continue
      const slot = this.#slotOf(numbers[i] as number)
      this.#numbers[slot] = numbers[i] as number
      this.#times[slot] = times[i] as number
    }
  }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2)
  to.set(from)
  return to
}

export type CodeCounts = {
  readonly codes: Uint32Array
  readonly times: Uint32Array
  /** Of values that are in no column. */
  readonly others: Iterable<readonly [leaf: Leaf, times: number]>
  readonly records: number
}

function* countColumn(column: Column, part: Part, counted: CountedValues): Generator<undefined, void> {
  const perCode = countCodes(column, part)
  for (let from = 1; from < perCode.length; from += VALUES_A_STEP) {
    countSome(column, perCode, counted, from, Math.min(from + VALUES_A_STEP, perCode.length))
    yield
  }
}

function countSome(column: Column, perCode: Uint32Array, counted: CountedValues, from: number, to: number): void {
  const { dict } = column
  let having = 0
  for (let code = from; code < to; code++) {
    const times = perCode[code] as number
    if (times === 0) continue
    having += times
    if (code <= dict.length) counted.add(dict[code - 1] as number, times)
    else for (const value of valuesOf(column, code)) counted.add(value, times)
  }
  counted.records += having
}

/** By code, how many of the documents found have it; of code 0, which is none, it may say anything. */
function countCodes(column: Column, { segment, bits, count }: Part): Uint32Array {
  const { codes, docs: having, dict, listEnds } = column
  const size = 1 + dict.length + listEnds.length
  if (having) {
    const perCode = new Uint32Array(size)
    for (let i = 0; i < having.length; i++) {
      if (hasBit(bits, having[i] as number)) perCode[codes[i] as number] = (perCode[codes[i] as number] as number) + 1
    }
    return perCode
  }
  if (count * 2 <= segment.size) return countInto(new Uint32Array(size), codes, docsIn(segment, bits), 1)
  // Those that were not found are fewer.
  const others = fullBits(segment.size)
  dropBits(others, bits)
  return countInto(allCodes(column).slice(), codes, docsIn(segment, others), -1)
}

function countInto(perCode: Uint32Array, codes: Codes, docs: Uint32Array, each: 1 | -1): Uint32Array {
  for (let i = 0; i < docs.length; i++) {
    const code = codes[docs[i] as number] as number
    perCode[code] = (perCode[code] as number) + each
  }
  return perCode
}

/** By code, how many documents of the segment have it, gone ones too. Columns never change. */
const allCounted = new WeakMap<Column, Uint32Array>()
function allCodes(column: Column): Uint32Array {
  let counted = allCounted.get(column)
  if (!counted) {
    const { codes, dict, listEnds } = column
    counted = new Uint32Array(1 + dict.length + listEnds.length)
    for (let i = 0; i < codes.length; i++) counted[codes[i] as number] = (counted[codes[i] as number] as number) + 1
    allCounted.set(column, counted)
  }
  return counted
}

/** Each column by itself, and then without what documents that are in several of them have twice. */
function* countTogether(columns: readonly Column[], part: Part, counted: CountedValues): Generator<undefined, void> {
  for (const column of columns) yield* countColumn(column, part, counted)
  const { segment, bits } = part
  const once = bitsOf(segment.size)
  const twice = bitsOf(segment.size)
  for (const column of columns) {
    const having = havingOf(column, segment.size)
    for (let i = 0; i < bits.length; i++) {
      const some = (having[i] as number) & (bits[i] as number)
      twice[i] = (twice[i] as number) | ((once[i] as number) & some)
      once[i] = (once[i] as number) | some
    }
  }
  const seen = new Set<number>()
  for (const doc of docsIn(segment, twice)) {
    seen.clear()
    for (const column of columns) {
      for (const value of valuesOf(column, codeAt(column, doc))) {
        if (seen.has(value)) counted.add(value, -1)
        seen.add(value)
      }
    }
  }
}

/** The documents that have a value. */
const havingKept = new WeakMap<Column, Bits>()
function havingOf(column: Column, size: number): Bits {
  let having = havingKept.get(column)
  if (!having) {
    having = bitsOf(size)
    const { docs, codes } = column
    for (let i = 0; i < codes.length; i++) if (codes[i] !== 0) setBit(having, docs ? (docs[i] as number) : i)
    havingKept.set(column, having)
  }
  return having
}

function* countOwnArray(
  path: string,
  { segment, bits, count }: Part,
  counted: CountedValues,
  budget: WorkBudget,
): Generator<undefined, void> {
  const { registeredAt, changedAt } = segment.arrays
  const numbers = path === 'registered_at' ? registeredAt : path === 'changed_at' ? changedAt : undefined
  if (!numbers && path !== 'id') return
  counted.records += count
  for (let from = 0; from < segment.size && !budget.isSpent(); from += OWN_A_STEP) {
    const to = Math.min(from + OWN_A_STEP, segment.size)
    for (let doc = from; doc < to; doc++) {
      if (hasBit(bits, doc)) counted.others.add(numbers ? (numbers[doc] as number) : idAt(segment, doc))
    }
    yield
  }
}

const OWN_A_STEP = 2_048

/** The commonest values first, ties by their text; values too long to show are left out. */
export function facetOf(counted: ReadonlyMap<Leaf, number>, most: number = facetValuesMax): Facet {
  const shown = [...counted].filter(([leaf]) => !isShortened(leaf))
  shown.sort((a, b) => b[1] - a[1] || compareText(order(a[0]), order(b[0])))
  return shown.slice(0, most).map(([value, count]) => ({ value, count }))
}

/** The same of counts by code, without making a text of each value: only of those that may be among the first. */
export function facetOfCodes(counted: CodeCounts, values: Values, budget: WorkBudget): Facet {
  return drained(facetSteps(counted, values, budget))
}

/** In steps of some thousand values. */
export function* facetSteps(
  { codes, times, others }: CodeCounts,
  values: Values,
  budget: WorkBudget,
): Generator<undefined, Facet> {
  const first = new FirstValues(facetValuesMax)
  let looked = 0
  for (const [leaf, count] of others) {
    if (++looked % VALUES_A_STEP === 0) yield
    if (looked % 512 === 511 && first.isFull && budget.isSpent()) break
    if (count >= first.least) first.add(leaf, count)
  }
  for (let i = 0; i < codes.length; i++) {
    const count = times[i] as number
    if (i % VALUES_A_STEP === VALUES_A_STEP - 1) yield
    if (count < first.least) continue
    if (i % 512 === 511 && first.isFull && budget.isSpent()) break
    const code = codes[i] as number
    if (count > first.least || values.mayComeBefore(code, first.last)) first.add(values.leaf(code), count)
  }
  return first.facet()
}

const VALUES_A_STEP = 8_192

/** The first of many values in the order of a facet. */
class FirstValues {
  readonly #most: number
  readonly #first: { readonly value: Leaf; readonly count: number; readonly order: string }[] = []
  /** Of a value that is to be added: at least so many, and if no more, before this in the order of texts. */
  least = 0
  last = ''

  constructor(most: number) {
    this.#most = most
  }

  get isFull(): boolean {
    return this.#first.length === this.#most
  }

  add(value: Leaf, count: number): void {
    if (isShortened(value)) return
    const first = this.#first
    const each = { value, count, order: order(value) }
    let low = 0
    let high = first.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = first[middle] as typeof each
      if ((other.count - count || compareText(each.order, other.order)) > 0) low = middle + 1
      else high = middle
    }
    if (low === this.#most) return
    if (this.isFull) first.pop()
    first.splice(low, 0, each)
    const last = first.at(-1) as typeof each
    if (!this.isFull) return
    this.least = last.count
    this.last = last.order
  }

  facet(): Facet {
    return this.#first.map(({ value, count }) => ({ value, count }))
  }
}

function order(leaf: Leaf): string {
  return `${leaf} ${typeof leaf}`
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
