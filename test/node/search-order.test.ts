import fc from 'fast-check'
import { expect, test } from 'vitest'
import { comparePositions, FirstPositions, type Position } from '../../node/search-order.ts'
import { seeded } from '../support/seed.ts'

test('the first positions are those that sorting everything gives', async () => {
  const position = fc.record({
    key: fc.oneof(fc.constantFrom(1, 2, -1, 0.5, 'a', 'b', ''), fc.constant(undefined)),
    id: fc.string({ minLength: 2, maxLength: 2 }),
  }) as fc.Arbitrary<Position>
  await seeded(({ seed }) =>
    fc.assert(
      fc.property(
        fc.array(position, { maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (all, count, descending) => {
          const first = new FirstPositions(count, descending)
          for (const each of all) if (!first.isTooLate(each.key)) first.add(each)
          const sorted = [...all].sort((a, b) => comparePositions(a, b, descending)).slice(0, count)
          expect(first.sorted()).toEqual(sorted)
        },
      ),
      { seed, numRuns: 300 },
    ),
  )
})
