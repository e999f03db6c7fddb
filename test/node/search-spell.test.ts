import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance, editsAllowed, isCorrectable, mayBeNear } from '../../node/search-spell.ts'
import { maskOf } from '../../node/search-words.ts'
import { seeded } from '../support/seed.ts'

const codes = (word: string) => Array.from(word, (_, i) => word.charCodeAt(i))

test('the letters alone turn away no word that is near enough', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '3', 'ж'), minLength: 3, maxLength: 11 })
  await seeded(({ seed }) =>
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 60 }), word, (words, typed) => {
        const allowed = editsAllowed(typed)
        const mask = maskOf(codes(typed), 0, typed.length)
        expect(mask !== 0).toBe(isCorrectable(typed))
        for (const each of words) {
          const own = maskOf(codes(each), 0, each.length)
          expect(own !== 0).toBe(isCorrectable(each))
          if (own !== 0 && mask !== 0 && editDistance(typed, each, allowed) <= allowed) {
            expect(mayBeNear(own, mask, allowed)).toBe(true)
          }
        }
      }),
      { seed, numRuns: 300 },
    ),
  )
})

test('one edit is one edit, whichever it is, and more than asked for is only "more"', () => {
  for (const other of ['whispr', 'whisperr', 'whusper', 'whipser']) expect(editDistance('whisper', other, 2)).toBe(1)
  expect(editDistance('whisper', 'whisper', 1)).toBe(0)
  expect(editDistance('whisper', 'hamster', 2)).toBe(3)
  expect([editsAllowed('abc'), editsAllowed('abcd'), editsAllowed('abcdefgh')]).toEqual([0, 1, 2])
})
