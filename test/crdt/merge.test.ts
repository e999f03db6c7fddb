import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeBody,
  encodeMerged,
  encodeVerbs,
  type Merged,
  merge,
  type Op,
  stateBytes,
  toHex,
  type Verb,
} from '../../crdt/index.ts'
import { conflictJson } from '../../scripts/vectors/merge.ts'
import { type Arrived, arrive, extendOrMerge, NOTHING_ARRIVED, type Take } from '../support/arrival.ts'
import { dags, fakeOp, SLUG, TYPES } from '../support/dag-arbitrary.ts'
import { fromJson, type MergeVectors, opsOf } from '../support/merge-vectors.ts'
import { naiveMerge } from '../support/naive-merge.ts'
import { chosenSeed, seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

/** Everything that is merged, as bytes. */
function hex(merged: Merged): string {
  // Who forked has a test of its own (authority.test.ts).
  return toHex(encodeMerged({ ...merged, equivocations: undefined }))
}

function* permutations<Item>(items: readonly Item[]): Generator<Item[]> {
  if (items.length === 0) yield []
  for (const [i, item] of items.entries()) {
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)])) yield [item, ...rest]
  }
}

function arriveAll(ops: readonly Op[]): Arrived {
  return ops.reduce((before, op) => arrive(before, op), NOTHING_ARRIVED)
}

describe('vectors', () => {
  const vectors: MergeVectors = ownVectors('merge')
  test.each(vectors.cases)('$comment', (one) => {
    const ops = opsOf(vectors, one.ops)
    const merged = merge(ops)
    expect(merged.live).toBe(one.live)
    expect(merged.heads).toEqual(one.heads)
    expect(merged.doc).toEqual(fromJson(one.document))
    expect(merged.conflicts.map(conflictJson)).toEqual(one.conflicts)
    expect(toHex(stateBytes(merged))).toBe(one.state)
    // The naive list takes a splice's cost again for each one before it.
    if (ops.every(({ body }) => body.length < 10_000)) expect(hex(naiveMerge(ops))).toBe(hex(merged))
    for (const order of permutations(ops)) {
      expect(hex(merge(order))).toBe(hex(merged))
      expect(hex(arriveAll(order).merged as Merged)).toBe(hex(merged))
    }
  })
})

describe('the order in which ops come says nothing', () => {
  test('random records of up to 200 ops, in any order, once or twice, at once or one by one', () =>
    seeded((parameters) => {
      const shuffled = dags({ min: 1, max: 200 }).chain((ops) =>
        fc.tuple(
          fc.constant(ops),
          fc.shuffledSubarray([...ops, ...ops.slice(0, 5)], { minLength: ops.length + Math.min(5, ops.length) }),
        ),
      )
      fc.assert(
        fc.property(shuffled, ([ops, order]) => {
          const merged = hex(merge(ops))
          expect(hex(merge(order))).toBe(merged)
          if (ops.length > 40) return
          const once = [...new Set(order)]
          expect(hex(arriveAll(once).merged as Merged)).toBe(merged)
        }),
        { ...parameters, numRuns: 40 },
      )
    }))

  test('all 5,040 orders of arrival of each of 20 records of 7 ops, over every op type', () => {
    const seed = chosenSeed()
    const records = sevens(seed)
    const types = new Set(records.flat().map(({ header }) => header.type))
    expect(
      [...types].sort((a, b) => a - b),
      `SEED=${seed}`,
    ).toEqual(Object.values(TYPES))
    for (const ops of records) {
      const expected = hex(naiveMerge(ops))
      let orders = 0
      // Orders share their beginnings: a record after the same ops in the same order is worked out once.
      const known = new Map<string, Merged>()
      const take: Take = (merged, held, op) => {
        const key = [...held, op].map(({ id }) => id).join()
        const before = known.get(key)
        if (before !== undefined) return before
        const after = extendOrMerge(merged, held, op)
        known.set(key, after)
        return after
      }
      const walk = (before: Arrived, left: readonly Op[]): void => {
        for (const op of left)
          walk(
            arrive(before, op, take),
            left.filter((other) => other !== op),
          )
        if (left.length > 0) return
        orders++
        if (before.waiting.length > 0 || before.held.length !== 7) throw new Error(`SEED=${seed}: ops are left waiting`)
      }
      walk(NOTHING_ARRIVED, ops)
      expect(orders).toBe(5040)
      const ends = [...known].filter(([key]) => key.split(',').length === 7).map(([, merged]) => hex(merged))
      expect(new Set(ends), `SEED=${seed}`).toEqual(new Set([expected]))
    }
  })

  test('all 5,040 orders of one array', () => {
    const seed = chosenSeed()
    const [ops] = sevens(seed) as [Op[]]
    const expected = hex(merge(ops))
    for (const order of permutations(ops)) if (hex(merge(order)) !== expected) throw new Error(`SEED=${seed}`)
  })
})

/** 20 records of 7 ops, none of them a line, each with ops of four types at least. */
function sevens(seed: number): Op[][] {
  const found: Op[][] = []
  for (let more = 0; found.length < 20; more++) {
    for (const ops of fc.sample(dags({ min: 7, max: 7 }), { seed: seed + more, numRuns: 200 })) {
      if (new Set(ops.map(({ header }) => header.type)).size < 4 || merge(ops).line) continue
      if (found.length < 20) found.push(ops)
    }
  }
  return found
}

test('the naive merge gives the same, on small records and large', () =>
  seeded((parameters) => {
    const same = (ops: Op[]): void => {
      expect(hex(merge(ops))).toBe(hex(naiveMerge(ops)))
    }
    fc.assert(fc.property(dags({ min: 1, max: 9 }), same), { ...parameters, numRuns: 500 })
    fc.assert(fc.property(dags({ min: 10, max: 40 }), same), { ...parameters, numRuns: 100 })
    fc.assert(fc.property(dags({ min: 40, max: 200 }), same), { ...parameters, numRuns: 15 })
  }))

describe('what a record is called and when it changed', () => {
  const empty = { f: [], s: [], t: [] }
  const genesis = fakeOp('a', TYPES.genesis, [], encodeBody({ slug: SLUG, ...empty }), 50)

  test('the slug of a body counts when its hash is in the header of the genesis', () => {
    expect(merge([genesis]).slug).toBe(SLUG)
    const other = fakeOp('a', TYPES.genesis, [], encodeBody({ slug: 'acme/other', ...empty }))
    expect(merge([other]).slug).toBeUndefined()
    const nameless = fakeOp('a', TYPES.genesis, [], encodeBody(empty))
    const named = fakeOp('b', TYPES.put, [nameless.id], encodeBody({ slug: SLUG, ...empty }))
    expect(merge([nameless, named]).slug).toBe(SLUG)
    expect(arriveAll([nameless, named]).merged?.slug).toBe(SLUG)
  })

  test('registered with the first genesis, changed with the latest op that contributes', () => {
    const patch = fakeOp('b', TYPES.patch, [genesis.id], encodeVerbs([]), 70)
    const unknown = fakeOp('c', 20, [genesis.id], new Uint8Array(), 90)
    const earlier = fakeOp('d', TYPES.genesis, [], encodeBody(empty), 40)
    expect(merge([genesis, patch, unknown, earlier])).toMatchObject({ registeredAt: 40, changedAt: 70, opCount: 4 })
    const deletion = fakeOp('e', TYPES.delete, [genesis.id], new Uint8Array(), 10)
    expect(merge([genesis, patch, deletion])).toMatchObject({ live: false, registeredAt: 50, changedAt: 10 })
    const inert = fakeOp('f', TYPES.genesis, [], new Uint8Array(), 30)
    expect(merge([inert, fakeOp('g', 20, [inert.id], new Uint8Array(), 60)])).toMatchObject({
      live: false,
      changedAt: 60,
    })
  })
})

describe('size', () => {
  const body = encodeBody({
    f: [
      [['a'], 1],
      [['b'], 'x'],
    ],
    s: [[['tags'], ['p', 'q']]],
    t: [[['text'], 'words']],
  })
  const genesis = fakeOp('a', TYPES.genesis, [], body)
  const ids = (i: number) => i.toString(16).padStart(64, '0')
  const patch = (id: string, parents: string[], verbs: Verb[], w: number): Op => {
    const op = fakeOp('', TYPES.patch, parents, encodeVerbs(verbs), w)
    return { ...op, id }
  }

  test('256 concurrent heads: one value shown, the others behind it, every splice in the text', () => {
    const heads = Array.from({ length: 256 }, (_, i) =>
      patch(
        ids(i),
        [genesis.id],
        [
          ['set', ['a'], i],
          ['add', ['tags'], [i]],
          ['splice', ['text'], genesis.id, 5, 0, '.'],
        ],
        i,
      ),
    )
    const merged = merge([...heads, genesis])
    expect(merged.heads).toHaveLength(256)
    expect(merged.doc['a']).toBe(255)
    expect(merged.doc['tags']).toHaveLength(258)
    expect(merged.doc['text']).toBe(`words${'.'.repeat(256)}`)
    expect(merged.conflicts.map(({ alternatives }) => alternatives.length)).toEqual([256])
    const settled = patch(
      'f'.repeat(64),
      heads.slice(0, 16).map(({ id }) => id),
      [['set', ['a'], -1]],
      999,
    )
    expect(merge([...heads, genesis, settled]).conflicts[0]?.alternatives).toHaveLength(256 - 16 + 1)
  })

  test('a line of 100,000 patches, and the same with a branch', () => {
    const ops = [genesis]
    for (let i = 1; i <= 100_000; i++) ops.push({ ...patchOf(i % 100), id: ids(i), header: headerOn(ops[i - 1] as Op) })
    const line = merge(ops)
    expect(line).toMatchObject({ line: true, opCount: 100_001, doc: { n: 0, b: 'x' }, heads: [ids(100_000)] })
    const branch = patch('f'.repeat(64), [ids(50_000)], [['set', ['n'], 'branch']], 5)
    const { doc, conflicts, line: isLine } = merge([branch, ...ops])
    expect([doc['n'], conflicts.length, isLine]).toEqual(['branch', 1, false])
  })

  const patches = Array.from({ length: 100 }, (_, i) => patch('', [], [['set', ['n'], i]], 0))
  function patchOf(i: number): Op {
    return patches[i] as Op
  }
  function headerOn(op: Op): Op['header'] {
    return { ...patchOf(0).header, parents: [op.id] }
  }
})

test('refuses what is not a record whose pasts are held', () => {
  const a = fakeOp('a', TYPES.genesis, [], new Uint8Array())
  const b = fakeOp('b', TYPES.patch, [a.id], new Uint8Array())
  expect(() => merge([])).toThrow(RangeError)
  expect(() => merge([b])).toThrow(RangeError)
  expect(() => merge([{ ...b, header: { ...b.header, parents: [] } }])).toThrow(/expected a genesis/)
})
