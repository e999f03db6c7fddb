import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Dag, headsOf, type Op, topological } from '../../crdt/index.ts'
import { dags, fakeOp, TYPES } from '../support/dag-arbitrary.ts'
import { seeded } from '../support/seed.ts'

const NO_BODY = new Uint8Array()

function chain(length: number): Op[] {
  const ops = [fakeOp('0', TYPES.genesis, [], NO_BODY)]
  const { header, body } = fakeOp('1', TYPES.patch, [], NO_BODY)
  for (let i = 1; i < length; i++) {
    const parents = [(ops[i - 1] as Op).id]
    ops.push({ id: i.toString(16).padStart(64, '0'), header: { ...header, parents }, body })
  }
  return ops
}

test('heads are what no op builds on, ascending', () => {
  const [a, b] = chain(2) as [Op, Op]
  const c = fakeOp('c', TYPES.patch, [a.id], NO_BODY)
  expect(headsOf([c, a, b])).toEqual([b.id, c.id].sort())
  expect(headsOf([])).toEqual([])
})

test('the order has parents first and does not depend on how ops came', () =>
  seeded((parameters) => {
    const both = dags({ min: 1, max: 40 }).chain((ops) =>
      fc.tuple(fc.constant(ops), fc.shuffledSubarray(ops, { minLength: ops.length })),
    )
    fc.assert(
      fc.property(both, ([ops, shuffled]) => {
        const order = topological([...shuffled, ...ops])
        expect(order.map(({ id }) => id)).toEqual(topological(ops).map(({ id }) => id))
        const seen = new Set<string>()
        for (const { id, header } of order) {
          for (const parent of header.parents) expect(seen).toContain(parent)
          seen.add(id)
        }
      }),
      parameters,
    )
  }))

test('knows of every two ops whether one is in the past of the other', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(dags({ min: 1, max: 40 }), (ops) => {
        const dag = new Dag(ops)
        const pasts = new Map<string, Set<string>>()
        for (const { id, header } of dag.ops) {
          pasts.set(id, new Set(header.parents.flatMap((parent) => [parent, ...(pasts.get(parent) as Set<string>)])))
        }
        for (const [y, { id }] of dag.ops.entries()) {
          const past = dag.ops.filter((_, x) => dag.isPast(x, y))
          expect(new Set(past.map((op) => op.id))).toEqual(pasts.get(id))
        }
      }),
      parameters,
    )
  }))

test('only one line from one genesis is a line', () => {
  const [a, b, c] = chain(3) as [Op, Op, Op]
  expect(new Dag([c, a, b]).isLine).toBe(true)
  expect(new Dag([a, b, { ...c, header: { ...c.header, parents: [a.id, b.id].sort() } }]).isLine).toBe(true)
  expect(new Dag([a, b, fakeOp('d', TYPES.patch, [a.id], NO_BODY)]).isLine).toBe(false)
  expect(new Dag([a, fakeOp('e', TYPES.genesis, [], NO_BODY)]).isLine).toBe(false)
})

test('refuses ops whose parents are missing, and circles', () => {
  const [a, b, c] = chain(3) as [Op, Op, Op]
  expect(() => topological([a, c])).toThrow(RangeError)
  expect(() => topological([a, { ...b, header: { ...b.header, parents: [c.id] } }, c])).toThrow(RangeError)
})

test('a line of 100,000 ops with a branch at each end', () => {
  const ops = chain(100_000)
  const early = fakeOp('early', TYPES.patch, [(ops[0] as Op).id], NO_BODY)
  const late = fakeOp('late', TYPES.patch, [(ops[99_998] as Op).id, early.id], NO_BODY)
  const dag = new Dag([late, early, ...ops])
  const at = new Map(dag.ops.map(({ id }, i) => [id, i]))
  const index = (op: Op) => at.get(op.id) as number
  expect(dag.heads).toHaveLength(2)
  expect(dag.isPast(index(ops[50_000] as Op), index(late))).toBe(true)
  expect(dag.isPast(index(ops[99_999] as Op), index(late))).toBe(false)
  expect(dag.isPast(index(early), index(ops[99_999] as Op))).toBe(false)
  expect(dag.isPast(index(ops[1] as Op), index(early))).toBe(false)
})
