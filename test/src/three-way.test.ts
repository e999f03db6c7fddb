import { expect, test } from 'vitest'
import type { Doc } from '../../crdt/index.ts'
import { threeWay } from '../../src/three-way.ts'

const none = () => false
const merge = (base: Doc, local: Doc, remote: Doc, sets: readonly string[] = []) =>
  threeWay(base, local, remote, (path) => sets.includes(path.join('.')))

test('edits of different places come together, at every depth', () => {
  const { value, overlaps } = merge(
    { a: 1, b: { c: 1, d: 1 }, e: 1 },
    { a: 2, b: { c: 2, d: 1 }, e: 1 },
    { a: 1, b: { c: 1, d: 2 }, f: 1 },
  )
  expect(value).toEqual({ a: 2, b: { c: 2, d: 2 }, f: 1 })
  expect(overlaps).toEqual([])
})

test('one place changed on both sides keeps the local value and is named', () => {
  expect(merge({ a: 1 }, { a: 2 }, { a: 3 })).toEqual({ value: { a: 2 }, overlaps: [['a']] })
  expect(merge({ a: 1 }, {}, { a: 3 })).toEqual({ value: {}, overlaps: [['a']] })
  expect(merge({ a: { b: 1 } }, { a: { b: 2 } }, {})).toEqual({ value: { a: { b: 2 } }, overlaps: [['a']] })
  expect(merge({ a: 1 }, { a: 2 }, { a: 2 })).toEqual({ value: { a: 2 }, overlaps: [] })
})

test('sets come together member by member, other lists do not', () => {
  const sides = [{ a: ['x', 'y'] }, { a: ['y', 'z'] }, { a: ['w', 'x', 'y'] }] as const
  expect(merge(...sides, ['a'])).toEqual({ value: { a: ['w', 'y', 'z'] }, overlaps: [] })
  expect(merge(...sides)).toEqual({ value: { a: ['y', 'z'] }, overlaps: [['a']] })
})

test('keys such as __proto__ are merged like others', () => {
  const doc = (text: string) => JSON.parse(text) as Doc
  const { value } = threeWay(doc('{}'), doc('{"__proto__": 1}'), doc('{"a": 1}'), none)
  expect(Object.keys(value as Doc).sort()).toEqual(['__proto__', 'a'])
})
