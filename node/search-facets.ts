/** How many of the documents found have each value. */
import { facetValuesMax } from './limits.ts'
import type { SearchResult } from './search.ts'
import { hasBit } from './search-bits.ts'
import { type Column, codeAt, valuesOf } from './search-column.ts'
import { isShortened, type Leaf } from './search-fields.ts'
import type { Found, Part } from './search-found.ts'
import { idAt, type Segment } from './search-segment.ts'
import type { Values } from './search-values.ts'
import type { WorkBudget } from './search-work.ts'

type Facet = SearchResult['facets'][string]

/** Room for counting by code of a value, all zero between counts. */
let counts = new Uint32Array(0)

/** Documents by value of any of the paths; one with a value in several of them counts once. */
export function countValues(found: Found, paths: readonly string[], values: Values, budget: WorkBudget) {
  const counted = new CountedValues(values)
  for (const part of found.parts) {
    const { segment, from, to, base } = part
    if (from === to || budget.isSpent()) continue
    const columns = paths.flatMap((path) => segment.columns.get(path) ?? [])
    const [column] = columns
    if (columns.length === 1 && column) countColumn(column, found.docs, part, counted)
    else if (columns.length > 1) countTogether(columns, found.docs, from, to, base, counted)
    for (const path of paths) countOwnArray(segment, path, found.docs, from, to, base, counted)
  }
  return counted.take()
}

class CountedValues {
  readonly values: Values
  readonly #met: number[] = []
  readonly others = new Map<Leaf, number>()
  /** Documents with a value, where one path was asked for. */
  records = 0

  constructor(values: Values) {
    this.values = values
    if (counts.length < values.size) counts = new Uint32Array(values.size * 2)
  }

  add(value: number, times: number): void {
    if (counts[value] === 0) this.#met.push(value)
    counts[value] = (counts[value] as number) + times
  }

  take(): CodeCounts {
    const codes = Uint32Array.from(this.#met)
    const times = codes.map((code) => counts[code] as number)
    for (const code of codes) counts[code] = 0
    return { codes, times, others: this.others, records: this.records }
  }
}

export type CodeCounts = {
  readonly codes: Uint32Array
  readonly times: Uint32Array
  /** Of values that are in no column. */
  readonly others: ReadonlyMap<Leaf, number>
  readonly records: number
}

function countColumn(column: Column, docs: Uint32Array, { base, from, to, bits }: Part, counted: CountedValues): void {
  const perCode = new Uint32Array(1 + column.dict.length + column.listEnds.length)
  const { codes, docs: having } = column
  if (!having) {
    for (let i = from; i < to; i++) {
      const code = codes[(docs[i] as number) - base] as number
      perCode[code] = (perCode[code] as number) + 1
    }
    counted.records += to - from - (perCode[0] as number)
  } else {
    for (let i = 0; i < having.length; i++) {
      if (!hasBit(bits, having[i] as number)) continue
      const code = codes[i] as number
      perCode[code] = (perCode[code] as number) + 1
      counted.records++
    }
  }
  for (let code = 1; code <= column.dict.length; code++) {
    if (perCode[code] !== 0) counted.add(column.dict[code - 1] as number, perCode[code] as number)
  }
  for (let code = column.dict.length + 1; code < perCode.length; code++) {
    const times = perCode[code] as number
    if (times !== 0) for (const value of valuesOf(column, code)) counted.add(value, times)
  }
}

function countTogether(
  columns: readonly Column[],
  docs: Uint32Array,
  from: number,
  to: number,
  base: number,
  counted: CountedValues,
): void {
  const seen = new Set<number>()
  for (let i = from; i < to; i++) {
    const doc = (docs[i] as number) - base
    seen.clear()
    for (const column of columns) for (const value of valuesOf(column, codeAt(column, doc))) seen.add(value)
    for (const value of seen) counted.add(value, 1)
  }
}

function countOwnArray(
  segment: Segment,
  path: string,
  docs: Uint32Array,
  from: number,
  to: number,
  base: number,
  counted: CountedValues,
): void {
  const { others } = counted
  const { registeredAt, changedAt } = segment.arrays
  const numbers = path === 'registered_at' ? registeredAt : path === 'changed_at' ? changedAt : undefined
  if (!numbers && path !== 'id') return
  counted.records += to - from
  for (let i = from; i < to; i++) {
    const doc = (docs[i] as number) - base
    const leaf = numbers ? (numbers[doc] as number) : idAt(segment, doc)
    others.set(leaf, (others.get(leaf) ?? 0) + 1)
  }
}

/** The commonest values first, ties by their text; values too long to show are left out. */
export function facetOf(counted: ReadonlyMap<Leaf, number>, most: number = facetValuesMax): Facet {
  const shown = [...counted].filter(([leaf]) => !isShortened(leaf))
  shown.sort((a, b) => b[1] - a[1] || compareText(order(a[0]), order(b[0])))
  return shown.slice(0, most).map(([value, count]) => ({ value, count }))
}

/** The same of counts by code, without making a text of each value: only those that may be among the first. */
export function facetOfCodes({ codes, times, others }: CodeCounts, values: Values, budget: WorkBudget): Facet {
  const withAtLeast = (least: number): Facet => {
    const leaves = new Map<Leaf, number>(others)
    for (let i = 0; i < codes.length; i++) {
      if ((times[i] as number) < least) continue
      if (i % 512 === 511 && leaves.size > facetValuesMax && budget.isSpent()) break
      leaves.set(values.leaf(codes[i] as number), times[i] as number)
    }
    return facetOf(leaves)
  }
  const least = leastAmongFirst(times, facetValuesMax)
  const facet = withAtLeast(least)
  // Values that are too long to show may have taken the places of others.
  return facet.length < facetValuesMax && least > 0 ? withAtLeast(0) : facet
}

/** A count that at least `first` of the values have, as great as a look by powers of two tells. Spares long ones. */
function leastAmongFirst(times: Uint32Array, first: number): number {
  const byPower = new Uint32Array(33)
  for (let i = 0; i < times.length; i++) {
    const power = 32 - Math.clz32(times[i] as number)
    byPower[power] = (byPower[power] as number) + 1
  }
  let more = 0
  for (let power = 32; power > 0; power--) {
    more += byPower[power] as number
    if (more >= first) return 2 ** (power - 1)
  }
  return 0
}

function order(leaf: Leaf): string {
  return `${leaf} ${typeof leaf}`
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
