import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  comparePositions,
  FirstPositions,
  isPackedLater,
  type Position,
  packedKey,
  packedOf,
  sortKeyOf,
} from '../../node/search-order.ts'
import { ValuesMaker } from '../../node/search-values-maker.ts'
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
          for (const each of all) first.add(each)
          const sorted = [...all].sort((a, b) => comparePositions(a, b, descending)).slice(0, count)
          expect(first.sorted()).toEqual(sorted)
        },
      ),
      { seed, numRuns: 300 },
    ),
  )
})

test('the numbers that stand for keys come in the order of the keys, and differ from them only in ties', async () => {
  const leaf = fc.oneof(
    fc.double({ noNaN: true }),
    fc.constantFrom(
      Number.MAX_VALUE,
      -Number.MAX_VALUE,
      0,
      1,
      true,
      false,
      null,
      '',
      'a',
      'a\0',
      '~',
      '\x7f',
      'é',
      '\0a',
      '\0',
    ),
    fc.string({ unit: 'binary', maxLength: 9 }),
    fc.string({ unit: fc.constantFrom('a', 'b', '~', '\x7f', 'é', '漢'), maxLength: 9 }),
  )
  await seeded(({ seed }) =>
    fc.assert(
      fc.property(leaf, leaf, fc.boolean(), (a, b, descending) => {
        const values = new ValuesMaker(seed)
        const codes = [a, b].map((each) => values.codeOf(each))
        const [packedA, packedB] = codes.map((code) => packedOf(values.values, code)) as [number, number]
        const [one, other] = [sortKeyOf(a), sortKeyOf(b)]
        expect([packedKey(one), packedKey(other)]).toEqual([packedA, packedB])
        const order = comparePositions({ key: one, id: '' }, { key: other, id: '' }, descending)
        if (isPackedLater(packedA, packedB, descending)) expect(order).toBeGreaterThan(0)
        if (isPackedLater(packedB, packedA, descending)) expect(order).toBeLessThan(0)
      }),
      { seed, numRuns: 2_000 },
    ),
  )
})
