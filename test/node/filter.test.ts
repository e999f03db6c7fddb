import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Field } from '../../crdt/index.ts'
import { readFilter } from '../../node/filter.ts'
import { printFilter } from '../../node/filter-print.ts'
import { filterCharsMax, filterDepthMax, filterValuesMax, whereTestsMax } from '../../node/limits.ts'
import type { Expression } from '../../node/search-expression.ts'
import { seeded } from '../support/seed.ts'

const register = { merge: 'register', note: '' } as const
const FIELDS = new Map<string, readonly Field[]>(
  Object.entries({
    licence: [{ ...register, type: 'string' }],
    tags: [{ ...register, type: 'list', items: 'string' }],
    open: [{ ...register, type: 'boolean' }],
    size: [{ ...register, type: 'number', unit: 'GB' }],
    memory: [{ ...register, type: 'number', unit: 'MB' }],
    count: [{ ...register, type: 'integer', unit: 'tokens' }],
    day: [{ ...register, type: 'string', format: 'date' }],
    seconds: [{ ...register, type: 'integer', format: 'time', unit: 's' }],
    either: [
      { ...register, type: 'string' },
      { ...register, type: 'integer' },
    ],
  }),
)
const read = (text: string) => readFilter(text, (name) => FIELDS.get(name) ?? [])
const expressionOf = (text: string) => {
  const answer = read(text)
  if ('problem' in answer) throw new Error(`${answer.problem} at ${answer.position}`)
  return answer.expression
}

test.each<[string, Expression]>([
  ['', { all: [] }],
  ['licence = mit', { field: 'licence', op: '=', value: 'mit' }],
  ['licence != \'a "b"\'', { field: 'licence', op: '!=', value: 'a "b"' }],
  ['licence="a\\"b\\\\"', { field: 'licence', op: '=', value: 'a"b\\' }],
  ['licence == 8k', { field: 'licence', op: '=', value: '8k' }],
  ['licence in (mit, "bsd 3", null)', { field: 'licence', op: 'in', value: ['mit', 'bsd 3', null] }],
  ['licence not in (mit)', { not: { field: 'licence', op: 'in', value: ['mit'] } }],
  ['licence = 1..2', { field: 'licence', op: '=', value: '1..2' }],
  ['tags contains Chat', { field: 'tags', op: 'contains', value: 'Chat' }],
  ['tags EXISTS', { field: 'tags', op: 'exists' }],
  ['not tags exists', { not: { field: 'tags', op: 'exists' } }],
  ['"odd name" = 5', { field: 'odd name', op: '=', value: 5 }],
  ['/a/b = x', { field: '/a/b', op: '=', value: 'x' }],
  ['odd = "5"', { field: 'odd', op: '=', value: '5' }],
  ['odd = 7B', { field: 'odd', op: '=', value: '7B' }],
  ['odd > 7B', { field: 'odd', op: '>', value: 7e9 }],
  ['odd = true', { field: 'odd', op: '=', value: true }],
  ['odd = 2026-01-31', { field: 'odd', op: '=', value: '2026-01-31' }],
  ['either = 5', { field: 'either', op: '=', value: 5 }],
  ['open = false', { field: 'open', op: '=', value: false }],
  ['count >= 128k', { field: 'count', op: '>=', value: 128_000 }],
  ['count >= 128Ki', { field: 'count', op: '>=', value: 131_072 }],
  ['count >= 1.1 M', { field: 'count', op: '>=', value: 1_100_000 }],
  ['count < 7b', { field: 'count', op: '<', value: 7e9 }],
  ['count < -.5e3', { field: 'count', op: '<', value: -500 }],
  ['size <= 24GB', { field: 'size', op: '<=', value: 24 }],
  ['size <= 24', { field: 'size', op: '<=', value: 24 }],
  ['size <= 512 MB', { field: 'size', op: '<=', value: 0.512 }],
  ['memory <= 16GB', { field: 'memory', op: '<=', value: 16_000 }],
  ['memory <= 16GiB', { field: 'memory', op: '<=', value: 17_179.869184 }],
  ['memory = 5B', { field: 'memory', op: '=', value: 0.000005 }],
  [
    'count = 8..70',
    {
      all: [
        { field: 'count', op: '>=', value: 8 },
        { field: 'count', op: '<=', value: 70 },
      ],
    },
  ],
  ['count in 8k..', { field: 'count', op: '>=', value: 8_000 }],
  ['count in ..8k', { field: 'count', op: '<=', value: 8_000 }],
  ['count in (1, 2)', { field: 'count', op: 'in', value: [1, 2] }],
  [
    'count in (..1, 5)',
    {
      any: [
        { field: 'count', op: '<=', value: 1 },
        { field: 'count', op: '=', value: 5 },
      ],
    },
  ],
  ['count_gte = 5', { field: 'count', op: '>=', value: 5 }],
  [
    'day = 2026-01-31',
    {
      all: [
        { field: 'day', op: '>=', value: '2026-01-31' },
        { field: 'day', op: '<', value: '2026-02-01' },
      ],
    },
  ],
  ['day > 2026-01', { field: 'day', op: '>=', value: '2026-02' }],
  ['day <= 2025', { field: 'day', op: '<', value: '2026' }],
  ['day < 2024-02-29', { field: 'day', op: '<', value: '2024-02-29' }],
  ['day >= 2026-01-31T10:00:00+02:00', { field: 'day', op: '>=', value: '2026-01-31T08:00:00Z' }],
  ['day = soon', { field: 'day', op: '=', value: 'soon' }],
  [
    'day = 2025..2026-06',
    {
      all: [
        { field: 'day', op: '>=', value: '2025' },
        { field: 'day', op: '<', value: '2026-07' },
      ],
    },
  ],
  ['seconds > 2026-01-31', { field: 'seconds', op: '>=', value: Date.UTC(2026, 1, 1) / 1000 }],
  ['seconds != 1970', { field: 'seconds', op: '!=', value: 1970 }],
  ['seconds < "2026-01-31T00:00:00.5Z"', { field: 'seconds', op: '<', value: Date.UTC(2026, 0, 31) / 1000 + 0.5 }],
  ['owner = meta', { field: 'owner', op: '=', value: 'meta' }],
  ['owner = did:key:z6', { field: 'owner_id', op: '=', value: 'did:key:z6' }],
  [
    'licence = a and licence = b or not (licence = c or open = true)',
    {
      any: [
        {
          all: [
            { field: 'licence', op: '=', value: 'a' },
            { field: 'licence', op: '=', value: 'b' },
          ],
        },
        {
          not: {
            any: [
              { field: 'licence', op: '=', value: 'c' },
              { field: 'open', op: '=', value: true },
            ],
          },
        },
      ],
    },
  ],
])('reads %s', (text, expression) => {
  expect(expressionOf(text)).toEqual(expression)
})

test('says which fields are asked for, and where', () => {
  const answer = read('(licence = mit or count_lte=5) and "odd one" exists')
  expect(answer).toMatchObject({
    mentions: [
      { field: 'licence', position: 1 },
      { field: 'count', position: 18 },
      { field: 'odd one', position: 35 },
    ],
  })
})

test.each<[string, number, string, string?]>([
  ['licence', 7, 'expected =, !=, <, <=, >, >=, in, contains or exists after "licence", got the end'],
  ['licence =', 9, 'expected a value, got the end'],
  ['licence = = mit', 10, 'expected a value, got "="'],
  ['licence = a b', 12, 'expected and, or, or the end, got "b"', 'a value of several words goes in quotes: "a b"'],
  ['open = true && open = true', 12, 'expected and, or, or the end, got "&&"', 'write and'],
  ['open = maybe', 7, 'expected true or false, got "maybe"'],
  ['licence = or', 10, 'expected a value, got "or"', 'in quotes it is one: "or"'],
  ['= mit', 0, 'expected the name of a field, got "="'],
  ['licence = mit and', 17, 'expected the name of a field, got the end'],
  ['(licence = mit', 14, 'expected ) for the ( at 0, got the end'],
  ['licence = mit)', 13, 'expected and, or, or the end, got ")"'],
  ['()', 1, 'expected the name of a field, got ")"'],
  ['licence = "mit', 10, 'the quote is never closed'],
  ['licence in mit', 11, 'expected ( or a range, got "mit"', 'such as licence in (this, that) or in 8..70'],
  ['licence in (mit', 15, 'expected , or ), got the end'],
  ['licence in ()', 12, 'expected a value, got ")"'],
  ['count = many', 8, 'expected a number, got "many"', 'such as 5 or 128k'],
  ['count = 24GB', 8, 'this field does not count bytes', 'it counts tokens'],
  ['count = 1e999', 8, 'expected a number, got "1e999"'],
  ['count = ..', 8, 'expected a range with a beginning or an end, got ".."'],
  ['count = 5..x', 8, 'expected a number, got "5..x"'],
  ['day > 2026-02-30', 6, 'expected a date, got "2026-02-30"', 'such as 2026, 2026-01-31 or 2026-01-31T10:00:00Z'],
  ['day > 2026-01-31T25:00Z', 6, 'expected a date, got "2026-01-31T25:00Z"'],
  ['seconds > 2026-13', 10, 'expected a number, got "2026-13"', 'such as 2026-01-31'],
  ['licence = "\ud800"', 11, 'half a surrogate pair'],
])('refuses %j', (text, position, problem, hint) => {
  expect(read(text)).toMatchObject({ position, problem, ...(hint !== undefined && { hint }) })
})

test.each<[string, string, number, string]>([
  ['long text', 'x'.repeat(filterCharsMax + 1), filterCharsMax, `expected at most ${filterCharsMax} characters`],
  ['parentheses', `${'('.repeat(500)}a=1${')'.repeat(500)}`, filterDepthMax, `more than ${filterDepthMax} levels deep`],
  ['not', `${'not '.repeat(500)}a=1`, 4 * filterDepthMax, `more than ${filterDepthMax} levels deep`],
  [
    'tests',
    Array.from({ length: whereTestsMax + 1 }, () => 'a exists').join(' and '),
    13 * whereTestsMax,
    `more than ${whereTestsMax} tests`,
  ],
  [
    'tests that days become',
    Array.from({ length: whereTestsMax }, () => 'day = 2026').join(' and '),
    15 * (whereTestsMax / 2),
    `more than ${whereTestsMax} tests`,
  ],
  ['values', `a in (${'1,'.repeat(300)}1)`, 6 + 2 * filterValuesMax, `more than ${filterValuesMax} values`],
])('refuses too much of %s', (_what, text, position, problem) => {
  expect(read(text)).toMatchObject({ position, problem })
})

/** Canonical: the parser's own form of what can be asked. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('and', '8..70', '24GB', '2026-01-31', '"', '\\', "'"),
)
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
)
const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null))
const unknown = fc
  .oneof(
    fc.constantFrom('odd', 'or', 'a b', 'x_gte', '"q"', "it's", 'a!b', '/a/b', 'été'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
  )
  .filter((name) => !FIELDS.has(name) && name !== 'owner')
const valued = (value: fc.Arbitrary<string | number | boolean | null>, field: fc.Arbitrary<string>) =>
  fc.oneof(
    fc.record({ field, op: fc.constantFrom('=' as const, '!=' as const), value }),
    fc.record({ field, op: fc.constant('in' as const), value: fc.array(value, { minLength: 1, maxLength: 4 }) }),
  )
const ordered = (value: fc.Arbitrary<string | number>, field: fc.Arbitrary<string>) =>
  fc.record({ field, op: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const), value })
const day = fc
  .date({ min: new Date('1000-01-01'), max: new Date('9000-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10))
const leaf: fc.Arbitrary<Expression> = fc.oneof(
  valued(scalar, unknown),
  ordered(fc.oneof(text, number), unknown),
  valued(text, fc.constantFrom('licence', 'tags', 'owner_id')),
  valued(fc.oneof(number, fc.constant(null)), fc.constantFrom('size', 'count', 'seconds')),
  ordered(number, fc.constantFrom('size', 'memory', 'count', 'seconds')),
  fc.record({ field: fc.constant('day'), op: fc.constantFrom('<' as const, '>=' as const), value: day }),
  fc.record({
    field: fc.oneof(unknown, fc.constantFrom('count', 'tags')),
    op: fc.constant('contains' as const),
    value: text,
  }),
  fc.record({ field: fc.oneof(unknown, fc.constantFrom('count', 'tags')), op: fc.constant('exists' as const) }),
)
const expression = fc.letrec<{ any: Expression }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', maxDepth: 5 },
    leaf,
    fc.array(tie('any'), { minLength: 2, maxLength: 4 }).map((all) => ({ all })),
    fc.array(tie('any'), { minLength: 2, maxLength: 4 }).map((any) => ({ any })),
    tie('any').map((not) => ({ not })),
  ),
})).any

describe('at random', () => {
  test('what is printed is read back as the same expression', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(expression, (wanted) => {
          const printed = printFilter(wanted)
          fc.pre(printed.length <= filterCharsMax)
          const answer = read(printed)
          if ('problem' in answer && answer.problem.startsWith('more than')) return
          expect(answer).toMatchObject({ expression: wanted })
        }),
        { ...parameters, numRuns: 2_000 },
      ),
    ))

  const piece = fc.constantFrom(
    'licence',
    'count',
    'day',
    'and',
    'or',
    'not',
    'in',
    'exists',
    '(',
    ')',
    ',',
    '=',
    '<=',
    '"',
    '..',
    '8k',
    '24GB',
    '2026-01',
    ' ',
    '\\',
    '!',
  )
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ maxLength: 60 }),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(' ')),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    fc.constantFrom('valueOf = 1', 'a = b constructor', 'a > __proto__', '__proto__ = 24GB'),
    fc.array(fc.nat(0xffff), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  )
  test('any text is an expression, or a problem with a place in it; an expression can be printed and read again', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(garbage, (text) => {
          const answer = read(text)
          if ('problem' in answer) {
            expect(answer.position).toBeGreaterThanOrEqual(0)
            expect(answer.position).toBeLessThanOrEqual(text.length)
          } else {
            expect(expressionOf(printFilter(answer.expression))).toEqual(answer.expression)
          }
        }),
        { ...parameters, numRuns: 5_000 },
      ),
    ))
})
