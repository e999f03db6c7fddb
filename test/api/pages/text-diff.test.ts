import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diffTexts, type Piece } from '../../../api/pages/text-diff.ts'
import { diffEditsMax, diffWordsMax } from '../../../node/index.ts'
import { chosenSeed } from '../../support/seed.ts'

function side(pieces: readonly Piece[], without: Piece['says']): string {
  return pieces
    .filter(({ says }) => says !== without)
    .map(({ text }) => text)
    .join('')
}

test('what is the same and gone makes the first text, what is the same and new the second', () => {
  const word = fc.constantFrom('a', 'b', 'c', ' ', '\n', 'é', '🏳️‍🌈', '-')
  const text = fc.array(word, { maxLength: 60 }).map((words) => words.join(''))
  fc.assert(
    fc.property(text, text, (before, after) => {
      const pieces = diffTexts(before, after)
      expect(side(pieces, 'new')).toBe(before)
      expect(side(pieces, 'gone')).toBe(after)
      for (const [at, piece] of pieces.entries()) expect(piece.says).not.toBe(pieces[at + 1]?.says)
    }),
    { seed: chosenSeed() },
  )
})

test('as few words as can be are said to have changed', () => {
  const changed = (before: string, after: string) =>
    diffTexts(before, after)
      .filter(({ says }) => says !== 'same')
      .map(({ says, text }) => `${says} ${text}`)
  expect(changed('it has one eye', 'it has two eyes')).toEqual(['gone one', 'new two', 'gone eye', 'new eyes'])
  expect(changed('same', 'same')).toEqual([])
  expect(changed('', 'all')).toEqual(['new all'])
  expect(changed('a b c d', 'b c d e')).toEqual(['gone a ', 'new  e'])
})

test('texts that have nothing in common, and very long ones, are still answered at once', () => {
  const many = Array.from({ length: diffWordsMax }, (_, n) => `left${n}`).join('\n')
  const others = Array.from({ length: diffWordsMax }, (_, n) => `right${n}`).join('\n')
  expect(diffTexts(many, others).map(({ says }) => says)).toEqual(['gone', 'new'])
  const longer = `${many}\nand one line more`
  expect(side(diffTexts(many, longer), 'gone')).toBe(longer)
  const far = Array.from({ length: diffEditsMax + 1 }, (_, n) => `x${n} same`).join(' ')
  expect(side(diffTexts(far, far.replaceAll('x', 'y')), 'new')).toBe(far)
})
