import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance, editsAllowed, isCorrectable, nearest, Spelling } from '../../node/search-spell.ts'
import { seeded } from '../support/seed.ts'

test('the letter pairs lose no word that is near enough', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), minLength: 3, maxLength: 11 })
  await seeded(({ seed }) =>
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 60 }), word, (words, typed) => {
        const spelling = new Spelling()
        for (const each of words) spelling.add(each)
        const used = (each: string) => !each.startsWith('b')
        expect(spelling.near(typed, used)).toEqual(
          isCorrectable(typed) ? nearest(typed, words.filter(isCorrectable), used) : [],
        )
      }),
      { seed, numRuns: 500 },
    ),
  )
})

test('one edit is one edit, whichever it is, and more than asked for is only "more"', () => {
  for (const other of ['whispr', 'whisperr', 'whusper', 'whipser']) expect(editDistance('whisper', other, 2)).toBe(1)
  expect(editDistance('whisper', 'whisper', 1)).toBe(0)
  expect(editDistance('whisper', 'hamster', 2)).toBe(3)
  expect([editsAllowed('abc'), editsAllowed('abcd'), editsAllowed('abcdefgh')]).toEqual([0, 1, 2])
})
