/** What an index says of its fields: types, and the commonest values. */
import { fieldsMax, fieldValuesMax } from './limits.ts'
import type { FieldFacts } from './search.ts'
import { type CodeCounts, facetSteps } from './search-facets.ts'
import { type Leaf, PRESENT } from './search-fields.ts'
import { docsIn, type Found } from './search-found.ts'
import { FirstPositions, type Position } from './search-order.ts'
import { idAt, idStart } from './search-segment.ts'
import type { Values } from './search-values.ts'
import type { WorkBudget } from './search-work.ts'

type Type = FieldFacts['types'][number]

export function typeOf(leaf: Leaf): Type {
  if (leaf === null) return 'null'
  return leaf === PRESENT ? 'other' : (typeof leaf as Type)
}

/** In steps. */
export function* factsOf(
  counted: CodeCounts,
  values: Values,
  budget: WorkBudget,
): Generator<undefined, Pick<FieldFacts, 'types' | 'values'>> {
  const types = new Set<Type>()
  let looked = 0
  for (const [leaf] of counted.others) {
    if (++looked % TYPES_A_STEP === 0) yield
    types.add(typeOf(leaf))
  }
  const { codes } = counted
  for (let from = 0; from < codes.length; from += TYPES_A_STEP) {
    addTypes(codes.subarray(from, from + TYPES_A_STEP), values, types)
    yield
  }
  const facet = yield* facetSteps(counted, values, budget)
  return { types: [...types].sort(), values: facet.slice(0, fieldValuesMax) }
}

const TYPES_A_STEP = 16_384

function addTypes(codes: Uint32Array, values: Values, types: Set<Type>): void {
  let before: Type | undefined
  for (const code of codes) {
    const type = values.typeOf(code) ?? typeOf(values.leaf(code))
    if (type !== before) types.add(type)
    before = type
  }
}

/** By name, of too many those that most records have. */
export function listed(found: readonly FieldFacts[]): readonly FieldFacts[] {
  return [...found]
    .sort((a, b) => b.records - a.records || (a.name < b.name ? -1 : 1))
    .slice(0, fieldsMax)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Of the ids, no two of which are equal: the first are the commonest. */
export function idFacts({ parts, total }: Found): FieldFacts {
  const first = new FirstPositions<Position & { readonly start: number }>(fieldValuesMax, false)
  for (const { segment, bits } of parts) {
    for (const doc of docsIn(segment, bits)) {
      const start = idStart(segment, doc)
      const { last } = first
      if (!last || start <= last.start) first.add({ key: undefined, id: idAt(segment, doc), start })
    }
  }
  const values = first.sorted().map(({ id }) => ({ value: id, count: 1 }))
  return { name: 'id', records: total, types: ['string'], values }
}
