/** An expression in the filter language: read back, it is the same expression. */
import { isFieldWord } from './filter.ts'
import type { Expression } from './search-expression.ts'

/**
 * Texts are always in quotes. RangeError for what has no form in the language: `all` and `any` of fewer than two (but
 * `all` of nothing is the empty text), an empty list, a number that is not finite.
 */
export function printFilter(expression: Expression): string {
  return 'all' in expression && expression.all.length === 0 ? '' : print(expression, 'nothing')
}

function print(expression: Expression, within: 'nothing' | 'any' | 'all' | 'not'): string {
  if ('all' in expression) return joined(expression.all, 'all', within === 'all' || within === 'not')
  if ('any' in expression) return joined(expression.any, 'any', within !== 'nothing')
  if ('not' in expression) return `not ${print(expression.not, 'not')}`
  const { field, op, value } = expression
  const name = isFieldWord(field) ? field : quoted(field)
  if (op === 'exists') return `${name} exists`
  if (op === 'in') return `${name} in (${joinedValues(value)})`
  if (Array.isArray(value) || value === undefined) throw new RangeError(`expected one value behind ${op}`)
  return `${name} ${op} ${printValue(value)}`
}

function joined(parts: readonly Expression[], kind: 'all' | 'any', inParentheses: boolean): string {
  if (parts.length < 2) throw new RangeError(`expected at least two parts of ${kind}, got ${parts.length}`)
  const text = parts.map((part) => print(part, kind)).join(kind === 'all' ? ' and ' : ' or ')
  return inParentheses ? `(${text})` : text
}

type Value = string | number | boolean | null

function joinedValues(values: Value | Value[] | undefined): string {
  if (!Array.isArray(values) || values.length === 0) throw new RangeError('expected a list with a value in it')
  return values.map(printValue).join(', ')
}

function printValue(value: Value): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`expected a number, got ${value}`)
  return String(value)
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
