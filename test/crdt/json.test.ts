import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scalarKey } from '../../crdt/equal.ts'
import {
  type Doc,
  decode,
  encode,
  equalValues,
  fromJson,
  INVALID_FIELDS_MAX,
  type Json,
  pathOf,
  pointerOf,
  valueFromJson,
  valueToJson,
} from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'

const parsed = (text: string) => fromJson(JSON.parse(text))
const pointers = (json: unknown) => {
  const read = fromJson(json)
  return read.ok ? [] : read.errors.map(({ pointer }) => pointer)
}

describe('fromJson', () => {
  test('takes JSON as it is: nesting, Unicode of all sorts, fractions, keys of every name', () => {
    const text =
      '{"a":{"b":[1,2.5,3e-8,null,true,"\\u001e\\u200b e\\u0301 😀 "]},"":0,"__proto__":{"x":1},"toString":[]}'
    const read = parsed(text)
    expect(read.ok && JSON.stringify(valueToJson(read.value))).toBe(JSON.stringify(JSON.parse(text)))
    expect(read.ok && 'hasOwnProperty' in (read.value as object)).toBe(false)
  })

  test('what it takes can be encoded, and comes back the same', () =>
    seeded(({ seed }) => {
      fc.assert(
        fc.property(
          fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.jsonValue({ maxDepth: 6 })),
          (json) => {
            const read = fromJson(json)
            if (!read.ok) return
            const bytes = encode(read.value)
            const again = decode(bytes)
            expect(again.ok && equalValues(again.value, read.value)).toBe(true)
          },
        ),
        { seed, numRuns: 500 },
      )
    }))

  test('-0 becomes 0', () => {
    const read = parsed('{"a":-0,"b":[-0.0]}')
    expect(read.ok && Object.is(read.value['a'], 0)).toBe(true)
    expect(read.ok && encode(read.value)).toBeDefined()
  })

  test.each<[string, unknown, string, RegExp]>([
    ['a list', [1], '', /expected a map, got a list/],
    ['a text', 'x', '', /expected a map, got a string/],
    ['nothing', null, '', /expected a map, got null/],
    ['a whole number whose digits were lost', JSON.parse('{"a":{"b":9007199254740993}}'), '/a/b', /2\^53-1.*as a text/],
    ['a number beyond 64 bits', JSON.parse('{"a":1e999}'), '/a', /64 bits/],
    ['half a surrogate pair', JSON.parse('{"a":["\\ud800"]}'), '/a/0', /surrogate/],
    ['half a surrogate pair in a key', JSON.parse('{"\\ud800":1}'), '/\uFFFD', /key/],
    ['a key of 129 bytes', { [`${'é'.repeat(64)}x`]: 1 }, `/${'é'.repeat(40)}`, /128 bytes/],
    ['undefined', { a: undefined }, '/a', /expected JSON, got undefined/],
    ['an object of a class', { a: new Date(0) }, '/a', /got Date/],
    ['a list of more than 4,096', { a: Array.from({ length: 4097 }, () => 0) }, '/a', /4096 items/],
    ['more than 2,048 keys', { a: keys(1500), b: keys(1500) }, '/b', /2048 keys/],
    ['a text that fits into no body', { a: 'x'.repeat(256 * 1024 + 1) }, '/a', /262144 bytes/],
    ['25 containers within one another', nest(25), '/d'.repeat(24), /24 maps and lists/],
  ])('refuses %s, with its place', (_, json, pointer, message) => {
    const read = fromJson(json)
    expect(read).toMatchObject({ ok: false, errors: [{ pointer, message: expect.stringMatching(message) }] })
  })

  test('takes as much as it says', () => {
    expect(pointers({ a: Array.from({ length: 4096 }, () => 0), ...keys(2047, 'k') })).toEqual([])
    expect(pointers(nest(24))).toEqual([])
    expect(pointers({ ['é'.repeat(64)]: 'x'.repeat(256 * 1024) })).toEqual([])
    expect(pointers({ list: [keys(4096)] })).toEqual([])
  })

  test('tells every error at once, up to a bound', () => {
    expect(pointers({ a: Number.NaN, b: { 'c/d': [Infinity, 1, Number.NaN] } })).toEqual([
      '/a',
      '/b/c~1d/0',
      '/b/c~1d/2',
    ])
    expect(pointers({ a: Array.from({ length: 4096 }, () => Number.NaN) })).toHaveLength(INVALID_FIELDS_MAX)
  })

  test('very deep input does not reach the call stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(pointers({ deep })).toHaveLength(1)
  })

  test('bytes stand as {"/": {"bytes": base64}}, padded or not; other maps with a slash stay maps', () => {
    const read = fromJson({
      a: { '/': { bytes: 'AQI' } },
      b: { '/': { bytes: 'AQI=' } },
      c: { '/': { bytes: '*' } },
      d: { '/': 1 },
    })
    expect(read.ok && read.value['a']).toEqual(Uint8Array.of(1, 2))
    expect(read.ok && read.value['b']).toEqual(Uint8Array.of(1, 2))
    expect(read.ok && valueToJson(read.value)).toEqual({
      a: bytes('AQI'),
      b: bytes('AQI'),
      c: bytes('*'),
      d: { '/': 1 },
    })
  })

  test('one value is read as a document is', () => {
    expect(valueFromJson([1, 'a'])).toEqual({ ok: true, value: [1, 'a'] })
    expect(valueFromJson(Number.NaN, ['a', 'b'])).toMatchObject({ ok: false, errors: [{ pointer: '/a/b' }] })
  })
})

test('a pointer and a path are two forms of one place', () =>
  seeded(({ seed }) => {
    expect(pointerOf(['a/b', 'c~d', '', '~1'])).toBe('/a~1b/c~0d//~01')
    expect(pathOf('')).toEqual([])
    for (const none of ['a', 'a/b', '/~', '/~2', '/a~']) expect(pathOf(none)).toBeUndefined()
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', '/', '~', '0', '1') })), (path) => {
        expect(pathOf(pointerOf(path))).toEqual(path)
      }),
      { seed },
    )
  }))

test('two values are equal iff their canonical bytes are', () =>
  seeded(({ seed }) => {
    const scalar = fc.oneof(fc.constantFrom(null, true, 1, 'a', '', '1', 'true'), fc.constant(Uint8Array.of(97)))
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        scalar,
        fc.array(tie('value'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('value'), { maxKeys: 2 }),
      ),
    }))
    fc.assert(
      fc.property(value as fc.Arbitrary<Doc>, value as fc.Arbitrary<Doc>, (a, b) => {
        expect(equalValues(a, b)).toBe(String(encode(a)) === String(encode(b)))
        expect(equalValues(a, structuredClone(a))).toBe(true)
      }),
      { seed, numRuns: 2000 },
    )
    expect(equalValues(undefined, undefined)).toBe(true)
    expect(equalValues(undefined, null)).toBe(false)
    const keys = [null, true, 1, 'a', '1', 'true', 'null', 'bytes 97', Uint8Array.of(97)].map(scalarKey)
    expect(new Set(keys).size).toBe(keys.length)
  }))

function keys(n: number, prefix = 'k'): Record<string, number> {
  return Object.fromEntries(Array.from({ length: n }, (_, i) => [`${prefix}${i}`, i]))
}

function nest(containers: number): Record<string, unknown> {
  let json: Record<string, unknown> = {}
  for (let i = 1; i < containers; i++) json = { d: json }
  return json
}

function bytes(text: string): Json {
  return { '/': { bytes: text } }
}
