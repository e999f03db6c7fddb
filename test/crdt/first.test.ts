/** Records of one op that are read when somebody looks, held against merging that op. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  begin,
  decodeMerged,
  encode,
  encodeBody,
  encodeMerged,
  extend,
  firstOf,
  type Merged,
  merge,
  type Op,
  type Value,
} from '../../crdt/index.ts'
import { fakeOp, lines, SLUG, TYPES } from '../support/dag-arbitrary.ts'
import { seeded } from '../support/seed.ts'

const EMPTY = { f: [], s: [], t: [] }
const genesis = (body: Value) => fakeOp('g', TYPES.genesis, [], encode(body), 7)

test('it says what merging the op says, before and after it was a row, and takes the next op as any record does', () =>
  seeded((parameters) => {
    let begun = 0
    fc.assert(
      fc.property(lines({ min: 2, max: 3 }), ([first, next]) => {
        const op = first as Op
        const whole = merge([op])
        const record = begin(op)
        if (record === undefined) expect(whole.live).toBe(false)
        else {
          begun++
          expect(firstOf(record)).toMatchObject({ id: op.id, body: op.body })
          const row = encodeMerged(record)
          expect(firstOf(decodeMerged(row)), 'nobody has looked yet').toBeDefined()
          if (next !== undefined) expect(extend(decodeMerged(row), next)).toEqual(extend(whole, next))
          expect(decodeMerged(row)).toEqual(whole)
          expect(record).toEqual(whole)
          expect({ ...record }).toEqual(whole)
          expect(decodeMerged(encodeMerged(record)), 'as a row once it was looked into').toEqual(whole)
        }
      }),
      { ...parameters, numRuns: 200 },
    )
    expect(begun).toBeGreaterThan(100)
  }))

test.each<[string, Value, Partial<Merged>]>([
  ['with its slug', { ...EMPTY, slug: SLUG, f: [[['a'], 1]] }, { slug: SLUG, doc: { a: 1 } }],
  ['with a slug that its header does not name', { ...EMPTY, slug: 'other' }, { doc: {} }],
  ['that writes nothing', EMPTY, { live: true, doc: {} }],
  ['with entries that are inert', { f: [1, [['a'], 2]], s: [[]], t: [] }, { live: true, doc: { a: 2 } }],
])('a genesis %s', (_, body, expected) => {
  const record = begin(genesis(body)) as Merged
  expect(record).toMatchObject(expected)
  expect(record).toEqual(merge([genesis(body)]))
})

test.each<[string, Op]>([
  ['a body of another shape', genesis({ f: [], s: [] })],
  ['a body with one part more', genesis({ ...EMPTY, x: 1 })],
  ['a slug that is no text', genesis({ ...EMPTY, slug: 1 })],
  ['a part that is no list', genesis({ ...EMPTY, t: {} })],
  ['a list for a body', genesis([])],
  ['bytes that are not canonical', fakeOp('g', TYPES.genesis, [], Uint8Array.of(0xa3))],
  ['no body', fakeOp('g', TYPES.genesis, [], new Uint8Array())],
])('%s begins nothing that could be read later', (_, op) => {
  expect(begin(op)).toBeUndefined()
  expect(merge([op]).live).toBe(false)
})

test('neither does an op that is no genesis, that relies on another, or whose body was freed', () => {
  const op = fakeOp('g', TYPES.genesis, [], encodeBody(EMPTY))
  expect(begin(op)).toBeDefined()
  expect(begin({ ...op, freed: true })).toBeUndefined()
  expect(begin({ ...op, header: { ...op.header, via: op.id } })).toBeUndefined()
  expect(begin(fakeOp('p', TYPES.put, [op.id], encodeBody(EMPTY)))).toBeUndefined()
})
