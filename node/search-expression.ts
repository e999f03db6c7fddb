/**
 * What a filter asks of a record, as a tree, and what each of its tests means: the form in which the filter language,
 * the object form of `filters` and saved searches reach an index.
 *
 * A field stands for all values that a record has there (search-fields.ts), and a test is met when one of them does:
 *
 *   =, in             the same value; text to the letter, in its case
 *   !=                not =: a record without the field meets it
 *   <, <=, >, >=      numbers with numbers, texts with texts by code unit, which puts dates in order; nothing else has one
 *   contains          a text with this text in it, whatever the case; never met by a text too long to be kept whole
 *   exists            any value but null
 *
 * `all` of nothing is met by everything, `any` of nothing by nothing.
 */
import { isShortened, type Leaf, leafOf } from './search-fields.ts'

export type Expression =
  | { all: Expression[] }
  | { any: Expression[] }
  | { not: Expression }
  | {
      field: string
      op: '=' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'contains' | 'exists'
      value?: string | number | boolean | null | (string | number | boolean | null)[]
    }

/** One test of one field. */
export type Test = Extract<Expression, { field: string }>

/** Does a record meet it? `leaves` gives the record's values in a field by the name that the expression uses. */
export function meets(expression: Expression, leaves: (field: string) => readonly Leaf[]): boolean {
  if ('all' in expression) return expression.all.every((each) => meets(each, leaves))
  if ('any' in expression) return expression.any.some((each) => meets(each, leaves))
  if ('not' in expression) return !meets(expression.not, leaves)
  if (expression.op === '!=') return !leaves(expression.field).some(testOf({ ...expression, op: '=' }))
  return leaves(expression.field).some(testOf(expression))
}

/** Every field that is asked for, once. */
export function fieldsIn(expression: Expression): string[] {
  const fields = new Set<string>()
  const walk = (each: Expression): void => {
    if ('all' in each) each.all.forEach(walk)
    else if ('any' in each) each.any.forEach(walk)
    else if ('not' in each) walk(each.not)
    else fields.add(each.field)
  }
  walk(expression)
  return [...fields]
}

/** The test of one value; of `!=` what `=` says. */
export function testOf({ op, value }: Test): (leaf: Leaf) => boolean {
  switch (op) {
    case '=':
    case '!=': {
      const wanted = Array.isArray(value) || value === undefined ? undefined : leafOf(value)
      return (leaf) => leaf === wanted
    }
    case 'in': {
      const wanted = new Set((Array.isArray(value) ? value : []).map(leafOf))
      return (leaf) => wanted.has(leaf)
    }
    case 'exists':
      return (leaf) => leaf !== null
    case 'contains': {
      if (typeof value !== 'string') return () => false
      const part = value.toLowerCase()
      return (leaf) => typeof leaf === 'string' && !isShortened(leaf) && leaf.toLowerCase().includes(part)
    }
  }
  if (typeof value !== 'number' && typeof value !== 'string') return () => false
  const order = ORDERS[op]
  // Of a long text its beginning is compared, as when it is sorted by.
  const comparable = (leaf: Leaf) => (isShortened(leaf) ? (leaf as string).slice(1) : leaf)
  return (leaf) => typeof leaf === typeof value && order(comparable(leaf) as number, value as number)
}

const ORDERS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
}
