/**
 * The filter language: text in, an expression or the place that cannot be understood out. It is read here and nowhere
 * else (commands send it as it was typed), so that a node and those who ask it never read a text differently.
 *
 *   filter  = either ; either = both { "or" both } ; both = test { "and" test }
 *   test    = "not" test | "(" either ")"
 *           | field "=" item | field ( "!=" | "<" | "<=" | ">" | ">=" ) value
 *           | field [ "not" ] ( "in" ( "(" item { "," item } ")" | range ) | "contains" value | "exists" )
 *   item    = value | range ; range = value ".." [ value ] | ".." value    both ends belong to it
 *   field, value = a word, or a text in quotes (filter-tokens.ts); what values mean: filter-values.ts
 *
 * Words of the language may be written in capitals. Nothing but blanks asks for nothing. Never throws; the work is
 * bounded by `filterCharsMax`, what the index is asked for by `whereTestsMax`, `filterValuesMax` and `filterDepthMax`.
 */
import type { Field } from '../crdt/index.ts'
import { type Token, tokensOf } from './filter-tokens.ts'
import { isNumber, isSuffix, type Read, type Reading, readingOf, readLiteral } from './filter-values.ts'
import { filterCharsMax, filterDepthMax, filterValuesMax, whereTestsMax } from './limits.ts'
import type { Expression, Test } from './search-expression.ts'

/** A field where it is named. */
export type Mention = { readonly field: string; readonly position: number }
export type FilterProblem = {
  readonly problem: string
  /** In UTF-16 units from the start; the length of the text when something is missing at its end. */
  readonly position: number
  readonly hint?: string
}
export type ReadFilter = { readonly expression: Expression; readonly mentions: readonly Mention[] } | FilterProblem

/** `fieldsNamed` gives the definitions of a field, one for each kind that has it; none when no table knows it. */
export function readFilter(text: string, fieldsNamed: (name: string) => readonly Field[]): ReadFilter {
  if (text.length > filterCharsMax) {
    return { problem: `expected at most ${filterCharsMax} characters`, position: filterCharsMax }
  }
  if (!text.isWellFormed()) return { problem: 'half a surrogate pair', position: halfPairIn(text) }
  const cut = tokensOf(text)
  if ('unclosed' in cut) return { problem: 'the quote is never closed', position: cut.unclosed }
  return new Parser(cut.tokens, fieldsNamed).read()
}

class Refused extends Error {
  readonly at: FilterProblem
  constructor(at: FilterProblem) {
    super(at.problem)
    this.at = at
  }
}

const EQUALS = new Set(['=', '=='])
const COMPARISONS = new Set([...EQUALS, '!=', '<', '<=', '>', '>='])
const OLDER_BOUND = /^(.+)_(gte|lte)$/s
const OPERATORS = 'expected =, !=, <, <=, >, >=, in, contains or exists'
const RESERVED = new Set(['and', 'or', 'not', 'in', 'contains', 'exists'])
const SIGNS_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['&', 'and'],
  ['&&', 'and'],
  ['|', 'or'],
  ['||', 'or'],
])

class Parser {
  readonly #tokens: readonly Token[]
  readonly #fieldsNamed: (name: string) => readonly Field[]
  readonly #mentions: Mention[] = []
  #next = 0
  #depth = 0
  #tests = 0

  constructor(tokens: readonly Token[], fieldsNamed: (name: string) => readonly Field[]) {
    this.#tokens = tokens
    this.#fieldsNamed = fieldsNamed
  }

  read(): ReadFilter {
    try {
      if (this.#peek().is === 'end') return { expression: { all: [] }, mentions: [] }
      const expression = this.#either()
      if (this.#peek().is !== 'end') this.#refuseMore()
      return { expression, mentions: this.#mentions }
    } catch (error) {
      if (error instanceof Refused) return error.at
      throw error
    }
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token
  }

  #take(): Token {
    const token = this.#peek()
    if (token.is !== 'end') this.#next++
    return token
  }

  /** The word of the language that comes next, in small letters. */
  get #keyword(): string | undefined {
    const { is, text } = this.#peek()
    const word = text.toLowerCase()
    return is === 'word' && RESERVED.has(word) ? word : undefined
  }

  #takes(text: string): boolean {
    const found = this.#peek().is === 'sign' ? this.#peek().text === text : this.#keyword === text
    if (found) this.#next++
    return found
  }

  #refuse(problem: string, at: Token = this.#peek(), hint?: string): never {
    const came = at.is === 'end' ? 'the end' : JSON.stringify(shortened(at.text))
    throw new Refused({
      problem: problem.startsWith('expected') ? `${problem}, got ${came}` : problem,
      position: at.at,
      ...(hint !== undefined && { hint }),
    })
  }

  #either(): Expression {
    const any = [this.#both()]
    while (this.#takes('or')) any.push(this.#both())
    return any.length === 1 ? (any[0] as Expression) : { any }
  }

  #both(): Expression {
    const all = [this.#test()]
    while (this.#takes('and')) all.push(this.#test())
    return all.length === 1 ? (all[0] as Expression) : { all }
  }

  #test(): Expression {
    const start = this.#peek()
    if (this.#takes('not')) return this.#deeper(start, () => ({ not: this.#test() }))
    if (!this.#takes('(')) return this.#fieldTest()
    const inner = this.#deeper(start, () => this.#either())
    if (this.#takes(')')) return inner
    return this.#peek().is === 'end' ? this.#refuse(`expected ) for the ( at ${start.at}`) : this.#refuseMore()
  }

  #deeper(start: Token, read: () => Expression): Expression {
    if (++this.#depth > filterDepthMax) this.#refuse(`more than ${filterDepthMax} levels deep`, start)
    const inner = read()
    this.#depth--
    return inner
  }

  #fieldTest(): Expression {
    const token = this.#peek()
    if (this.#keyword !== undefined || token.is === 'sign' || token.text === '') {
      this.#refuse('expected the name of a field', token, 'a name that is a word of the language goes in quotes')
    }
    const tested = this.#tested(this.#take())
    this.#tests += testsIn(tested)
    return this.#tests > whereTestsMax ? this.#refuse(`more than ${whereTestsMax} tests`, token) : tested
  }

  #tested(name: Token): Expression {
    const { field, reading, bound } = this.#named(name)
    const operator = this.#peek()
    if (operator.is === 'sign' && COMPARISONS.has(operator.text)) {
      this.#take()
      if (bound !== undefined) return test(field, bound, this.#value(reading, true))
      if (EQUALS.has(operator.text)) return this.#item(field, reading)
      const op = operator.text as Comparison
      return test(field, op, this.#value(reading, op !== '!='))
    }
    const isNegated = this.#takes('not')
    const tested = this.#wordTest(field, reading)
    return isNegated ? { not: tested } : tested
  }

  /** `downloads_gte` in front of `=` is the older way to write `downloads >=`. */
  #named(token: Token): { field: string; reading: Reading; bound?: '>=' | '<=' } {
    const suffix = OLDER_BOUND.exec(token.text)
    const isWord = token.is === 'word'
    const isOlder =
      isWord && suffix !== null && EQUALS.has(this.#peek().text) && this.#fieldsNamed(token.text).length === 0
    const field = isOlder ? (suffix[1] as string) : token.text
    this.#mentions.push({ field, position: token.at })
    const reading = readingOf(this.#fieldsNamed(field))
    return { field, reading, ...(isOlder && { bound: suffix[2] === 'gte' ? '>=' : '<=' }) }
  }

  #wordTest(field: string, reading: Reading): Expression {
    if (this.#takes('exists')) return { field, op: 'exists' }
    if (this.#takes('contains')) return { field, op: 'contains', value: this.#literal().text }
    if (this.#takes('in')) return this.#in(field, reading)
    return this.#refuse(`${OPERATORS} after ${JSON.stringify(shortened(field))}`)
  }

  #in(field: string, reading: Reading): Expression {
    const first = this.#peek()
    if (!this.#takes('(')) {
      if (first.is === 'word' && first.text.includes('..') && reading.as !== 'text') return this.#item(field, reading)
      return this.#refuse('expected ( or a range', first, `such as ${shortened(field)} in (this, that) or in 8..70`)
    }
    const items: Expression[] = []
    do {
      if (items.length === filterValuesMax) this.#refuse(`more than ${filterValuesMax} values`)
      items.push(this.#item(field, reading))
    } while (this.#takes(','))
    if (!this.#takes(')')) this.#refuse('expected , or )')
    return anyOf(items)
  }

  /** What makes the field equal to the value or part of the range that comes next. */
  #item(field: string, reading: Reading): Expression {
    const token = this.#peek()
    const cut = token.is === 'word' && reading.as !== 'text' ? token.text.indexOf('..') : -1
    if (cut < 0) return test(field, '=', this.#value(reading, false))
    this.#literal()
    const [from, to] = [token.text.slice(0, cut), token.text.slice(cut + 2)]
    const ends: Expression[] = []
    if (from !== '') ends.push(test(field, '>=', this.#read(token, from, reading, true)))
    if (to !== '') ends.push(test(field, '<=', this.#read(token, to, reading, true)))
    if (ends.length === 0) this.#refuse('expected a range with a beginning or an end', token)
    return ends.length === 1 ? (ends[0] as Expression) : { all: ends }
  }

  #value(reading: Reading, ordered: boolean): Value {
    const token = this.#peek()
    const { text } = this.#literal()
    const next = this.#peek()
    const isSplit = token.is === 'word' && reading.as !== 'text' && isNumber(text)
    if (!isSplit || next.is !== 'word' || !isSuffix(next.text)) return this.#read(token, text, reading, ordered)
    this.#take()
    return this.#read(token, text + next.text, reading, ordered)
  }

  #read(token: Token, text: string, reading: Reading, ordered: boolean): Value {
    const read = readLiteral({ text, quoted: token.is === 'quoted' }, reading, ordered)
    return 'problem' in read ? this.#refuse(read.problem, token, read.hint) : read
  }

  #literal(): Token {
    const token = this.#peek()
    if (token.is === 'sign' || token.is === 'end') this.#refuse('expected a value')
    if (this.#keyword !== undefined) this.#refuse('expected a value', token, `in quotes it is one: "${token.text}"`)
    return this.#take()
  }

  /** Something follows a test that is complete. */
  #refuseMore(): never {
    const { is, text } = this.#peek()
    const meant = SIGNS_ELSEWHERE.get(text)
    const before = this.#tokens[this.#next - 1] as Token
    const hint =
      meant !== undefined
        ? `write ${meant}`
        : is === 'word' && before.is === 'word'
          ? `a value of several words goes in quotes: "${shortened(`${before.text} ${text}`)}"`
          : undefined
    return this.#refuse('expected and, or, or the end', this.#peek(), hint)
  }
}

type Comparison = Exclude<Test['op'], 'in' | 'contains' | 'exists'>
type Value = Exclude<Read, { readonly problem: string }>

/** A test of one value, or of a period: a day is over when the next one begins. */
function test(name: string, op: Comparison, { value, before }: Value): Expression {
  const field = name === 'owner' && typeof value === 'string' && value.startsWith('did:') ? 'owner_id' : name
  if (before === undefined) return { field, op, value }
  switch (op) {
    case '<':
    case '>=':
      return { field, op, value }
    case '<=':
      return { field, op: '<', value: before }
    case '>':
      return { field, op: '>=', value: before }
  }
  const within: Expression = {
    all: [
      { field, op: '>=', value },
      { field, op: '<', value: before },
    ],
  }
  return op === '=' ? within : { not: within }
}

/** One `in` where every item is a value of the same field. */
function anyOf(items: Expression[]): Expression {
  const [first] = items as [Expression]
  const values: Value['value'][] = []
  for (const item of items) {
    if ('op' in item && item.op === '=' && 'field' in first && item.field === first.field)
      values.push(item.value as Value['value'])
  }
  if ('field' in first && values.length === items.length) return { field: first.field, op: 'in', value: values }
  return items.length === 1 ? first : { any: items }
}

function testsIn(expression: Expression): number {
  if ('not' in expression) return testsIn(expression.not)
  const parts = 'all' in expression ? expression.all : 'any' in expression ? expression.any : undefined
  return parts === undefined ? 1 : parts.reduce((sum, part) => sum + testsIn(part), 0)
}

const SHOWN_CHARS = 60

function shortened(text: string): string {
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS)}…`
}

function halfPairIn(text: string): number {
  return /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.exec(text)?.index ?? 0
}

/** A name that needs no quotes to be read as the field of a test. */
export function isFieldWord(name: string): boolean {
  return /^(?!["'])[^\s=<>(),!]+$/.test(name) && !RESERVED.has(name.toLowerCase()) && !OLDER_BOUND.test(name)
}
