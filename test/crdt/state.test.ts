import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decode,
  decodeMerged,
  encodeBody,
  encodeMerged,
  merge,
  recordStateHash,
  STATE_LIMITS,
  stateBytes,
  stateHash,
  toHex,
  type Value,
} from '../../crdt/index.ts'
import { dags, fakeOp, TYPES } from '../support/dag-arbitrary.ts'
import { seeded } from '../support/seed.ts'

test('a merged record comes back as it was', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(dags({ min: 1, max: 20 }), (ops) => {
        const merged = merge(ops)
        expect(decodeMerged(encodeMerged(merged))).toEqual(merged)
      }),
      { ...parameters, numRuns: 300 },
    )
  }))

test('state bytes are the canonical bytes of record, live, heads, document and conflicts', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(dags({ min: 1, max: 12 }), (ops) => {
        const merged = merge(ops)
        const read = decode(stateBytes(merged), STATE_LIMITS)
        if (!read.ok || !Array.isArray(read.value)) throw new Error('expected an array')
        const [record, live, heads, doc, conflicts] = read.value as [Uint8Array, boolean, Uint8Array[], Value, Value[]]
        expect([toHex(record), live, heads.map(toHex)]).toEqual([merged.record, merged.live, merged.heads])
        expect(doc).toEqual(merged.doc)
        expect(conflicts).toHaveLength(merged.conflicts.length)
      }),
      parameters,
    )
  }))

test('the deepest document that ops can make has state bytes', () => {
  let deep: Value = 1
  for (let i = 0; i < 29; i++) deep = [deep]
  const body = encodeBody({ f: [[Array(16).fill('p'), deep]], s: [], t: [] })
  const [a, b] = [
    fakeOp('a', TYPES.genesis, [], body),
    fakeOp('b', TYPES.genesis, [], encodeBody({ f: [[['p'], deep]], s: [], t: [] })),
  ]
  const merged = merge([a, b])
  expect(merged.conflicts).toHaveLength(1)
  expect(decodeMerged(encodeMerged(merged))).toEqual(merged)
  expect(stateBytes(merged).length).toBeGreaterThan(100)
})

test('the hash of a set is over the number of the rules and the records’ hashes', () => {
  const merged = merge([fakeOp('a', TYPES.genesis, [], encodeBody({ f: [], s: [], t: [] }))])
  const hash = recordStateHash(merged)
  const expected = createHash('sha256')
    .update('peerage/1/state\0')
    .update(Uint8Array.of(0, 0, 0, 2))
    .update(hash)
    .update(hash)
  expect(stateHash([hash, hash])).toBe(expected.digest('hex'))
  expect(stateHash([hash, hash], 3)).not.toBe(stateHash([hash, hash], 1))
})

test('bytes that are no merged record are refused', () => {
  expect(() => decodeMerged(new Uint8Array())).toThrow(RangeError)
  expect(() => decodeMerged(Uint8Array.of(0x80))).toThrow(RangeError)
})
