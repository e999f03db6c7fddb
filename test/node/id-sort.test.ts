/** Sorting ids held against the language's own sort. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes, concat } from '../../crdt/index.ts'
import { sortIds } from '../../node/id-sort.ts'
import { drained } from '../../node/search-work.ts'
import { seeded } from '../support/seed.ts'

function plainly(parts: readonly Uint8Array[]): Uint8Array {
  const ids = parts.flatMap((part) =>
    Array.from({ length: part.length / 32 }, (_, i) => part.subarray(32 * i, 32 * i + 32)),
  )
  ids.sort(compareBytes)
  return concat(...ids.filter((id, i) => i === 0 || compareBytes(ids[i - 1] as Uint8Array, id) !== 0))
}

test('any ids in any parts come out as the plain sort has them, each once', () =>
  seeded((parameters) => {
    const id = fc.tuple(fc.constantFrom(0, 0, 7, 255), fc.uint8Array({ minLength: 31, maxLength: 31 }))
    const parts = fc.array(fc.array(id, { maxLength: 40 }), { maxLength: 5 })
    fc.assert(
      fc.property(parts, (drawn) => {
        const given = drawn.map((ids) => concat(...ids.map(([first, rest]) => concat(Uint8Array.of(first), rest))))
        const twice = [...given, ...given.slice(1)]
        expect(drained(sortIds(twice))).toEqual(plainly(twice))
      }),
      { ...parameters, numRuns: 200 },
    )
  }))

test('hundreds that begin alike, as somebody may have sought them, are sorted too', () => {
  const alike = Array.from({ length: 400 }, (_, i) => {
    const id = new Uint8Array(32)
    id[30] = (i * 7) >> 8
    id[31] = i * 7
    return id
  })
  expect(drained(sortIds([concat(...alike.toReversed())]))).toEqual(concat(...alike))
})
