import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeBody,
  encodeMerged,
  encodeVerbs,
  extend,
  type Merged,
  merge,
  mergeByRules,
  type Op,
  toHex,
  type Verb,
} from '../../crdt/index.ts'
import { dags, fakeOp, lines, TYPES } from '../support/dag-arbitrary.ts'
import { naiveMerge } from '../support/naive-merge.ts'
import { seeded } from '../support/seed.ts'

const EMPTY = { f: [], s: [], t: [] }

function hex(merged: Merged): string {
  // Who forked has a test of its own (authority.test.ts).
  return toHex(encodeMerged({ ...merged, equivocations: undefined }))
}

test('on a straight line folding, merging by the full rules and the naive merge give the same at every step', () =>
  seeded((parameters) => {
    let folded = 0
    fc.assert(
      fc.property(lines({ min: 1, max: 20 }), (ops) => {
        let merged: Merged | undefined
        for (const [i, op] of ops.entries()) {
          const soFar = ops.slice(0, i + 1)
          const full = mergeByRules(soFar)
          const extended = extend(merged, op)
          if (extended !== undefined) {
            folded++
            expect(hex(extended)).toBe(hex(full))
          }
          expect(hex(merge(soFar))).toBe(hex(full))
          merged = full
        }
        expect(hex(naiveMerge(ops))).toBe(hex(merged as Merged))
      }),
      { ...parameters, numRuns: 150 },
    )
    expect(folded).toBeGreaterThan(500)
  }))

test('whatever it is given, it gives what merging gives or says that it cannot', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(dags({ min: 2, max: 12 }), (ops) => {
        const last = ops.at(-1) as Op
        const before = merge(ops.slice(0, -1))
        const bytes = hex(before)
        const extended = extend(before, last)
        if (extended !== undefined) expect(hex(extended)).toBe(hex(merge(ops)))
        expect(hex(before), 'what was given is left as it is').toBe(bytes)
      }),
      { ...parameters, numRuns: 400 },
    )
  }))

describe('says that merging has to decide', () => {
  const genesis = fakeOp('a', TYPES.genesis, [], encodeBody({ ...EMPTY, t: [[['t'], 'words']] }))
  const before = extend(undefined, genesis) as Merged
  const patch = (name: string, on: readonly Op[], verbs: Verb[]) =>
    fakeOp(
      name,
      TYPES.patch,
      on.map(({ id }) => id),
      encodeVerbs(verbs),
    )
  const b = patch('b', [genesis], [['text', ['t'], 'fresh']])
  const after = extend(before, b) as Merged

  const deletion = fakeOp('deletion', TYPES.delete, [genesis.id], new Uint8Array())
  const deleted = extend(before, deletion)
  const inert = fakeOp('inert', TYPES.genesis, [], new Uint8Array(), 9)

  test.each<[string, Merged | undefined, Op]>([
    ['a patch of a record that is not held', undefined, b],
    ['an op beside the head', after, patch('c', [genesis], [])],
    ['a second genesis', before, fakeOp('g', TYPES.genesis, [], encodeBody(EMPTY))],
    ['a splice of a text that is no longer shown', after, patch('c', [b], [['splice', ['t'], genesis.id, 0, 0, 'x']])],
    ['an op on two heads', merge([genesis, b, patch('c', [genesis], [])]), patch('d', [b], [])],
    ['an op above a delete', deleted, patch('d', [deletion], [['set', ['a'], 1]])],
    ['an op above nothing but inert ones', merge([inert]), patch('d', [inert], [['set', ['a'], 1]])],
  ])('%s', (_, merged, op) => {
    expect(extend(merged, op)).toBeUndefined()
  })

  test('and goes on with redundant parents, and with what is inert', () => {
    expect(extend(after, patch('c', [b, genesis], [['set', ['a'], 1]]))?.doc).toEqual({ t: 'fresh', a: 1 })
    const unknown = fakeOp('u', TYPES.unknown, [b.id], new Uint8Array())
    expect(extend(after, unknown)).toMatchObject({ doc: { t: 'fresh' }, heads: [unknown.id], opCount: 3 })
  })
})

test('shares what did not change and copies what did', () => {
  const body = encodeBody({
    ...EMPTY,
    f: [
      [['a', 'x'], 1],
      [['b', 'x'], 1],
    ],
  })
  const before = extend(undefined, fakeOp('a', TYPES.genesis, [], body)) as Merged
  const op = fakeOp('b', TYPES.patch, before.heads, encodeVerbs([['set', ['a', 'x'], 2]]))
  const after = extend(before, op) as Merged
  expect(after.doc['b']).toBe(before.doc['b'])
  expect(before.doc).toEqual({ a: { x: 1 }, b: { x: 1 } })
  expect(after.doc).toEqual({ a: { x: 2 }, b: { x: 1 } })
})

test('a splice beyond 512 is inert', () => {
  const genesis = fakeOp('a', TYPES.genesis, [], encodeBody({ ...EMPTY, t: [[['t'], '']] }))
  const ops = [genesis]
  let merged = extend(undefined, genesis) as Merged
  for (let i = 1; i <= 6; i++) {
    const verbs = Array.from({ length: 100 }, (): Verb => ['splice', ['t'], genesis.id, 0, 0, `${i}`])
    const op = fakeOp(`${i}`, TYPES.patch, merged.heads, encodeVerbs(verbs))
    ops.push(op)
    merged = extend(merged, op) as Merged
  }
  expect(merged.doc['t']).toHaveLength(512)
  expect(merged.texts).toEqual([{ path: ['t'], epoch: genesis.id, splices: 512 }])
  expect(hex(mergeByRules(ops))).toBe(hex(merged))
})
