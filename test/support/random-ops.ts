/** Random ops of one publisher over a few records, parents first: what a replica may meet, valid all of it. */
import fc from 'fast-check'
import type { Op, Verb } from '../../crdt/index.ts'
import type { Publisher } from './publisher.ts'

const path = fc.constantFrom(['a'], ['b'], ['a', 'x'], ['tags'])
const verb: fc.Arbitrary<Verb> = fc.oneof(
  fc.tuple(fc.constant('set' as const), path, fc.oneof(fc.nat(3), fc.constantFrom('u', 'v'))),
  fc.tuple(fc.constant('del' as const), path),
  fc.tuple(
    fc.constantFrom('add' as const, 'rem' as const),
    fc.constant(['tags']),
    fc.array(fc.constantFrom('t1', 't2'), { maxLength: 2 }),
  ),
  fc.tuple(fc.constant('text' as const), fc.constant(['note']), fc.constantFrom('hello', 'world')),
)
const step = fc.record({
  record: fc.nat(2),
  type: fc.constantFrom('genesis', 'put', 'patch', 'patch', 'patch', 'patch', 'delete'),
  parents: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
  /** How far back parents lie: 1 makes lines, more makes branches. */
  reach: fc.constantFrom(1, 1, 2, 6),
  verbs: fc.array(verb, { maxLength: 3 }),
  w: fc.nat(5),
})

export function randomOps(p: Publisher, length: { minLength?: number; maxLength: number }): fc.Arbitrary<Op[]> {
  return fc.array(step, length).map((steps) => {
    const records = new Map<string, Op[]>()
    const ops = steps.map(({ record: n, type, parents, reach, verbs, w }) => {
      const slug = `record ${n}`
      const record = p.recordOf(slug)
      const before = records.get(record) ?? []
      const ids = [
        ...new Set(parents.map((at) => before.at(-1 - (at % Math.min(reach, before.length)))?.id ?? '')),
      ].sort()
      const op =
        before.length === 0 || type === 'genesis'
          ? p.genesis(slug, `name ${w}`, w)
          : type === 'put'
            ? p.put(record, ids, `put ${w}`, w)
            : type === 'delete'
              ? p.delete(record, ids, w)
              : p.patch(record, ids, verbs, w)
      records.set(record, [...before, op])
      return op
    })
    return [...new Map(ops.map((op) => [op.id, op])).values()]
  })
}
