import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyMergePatch, type Doc, equalValues } from '../../crdt/index.ts'
import { mergePatchBetween, spliceBetween } from '../../src/edits.ts'
import { seeded } from '../support/seed.ts'

const text = fc
  .string({ unit: fc.constantFrom('a', 'b', '线', '👩', '🚀', '\ud83d'), maxLength: 8 })
  .map((value) => value.toWellFormed())
const key = fc.constantFrom('a', 'b', '__proto__')
const { doc } = fc.letrec<{ doc: Doc; value: unknown }>((tie) => ({
  doc: fc.dictionary(key, tie('value') as never, { maxKeys: 3, noNullPrototype: false }) as fc.Arbitrary<Doc>,
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, 1, 'x', true),
    fc.array(fc.constantFrom(1, null), { maxLength: 2 }),
    tie('doc'),
  ),
}))

test('a splice turns one text into the other and cuts no character in two', async () => {
  await seeded((seed) =>
    fc.assert(
      fc.property(text, text, (from, to) => {
        const { at, del, ins } = spliceBetween(from, to)
        expect(from.slice(0, at) + ins + from.slice(at + del)).toBe(to)
        for (const part of [from.slice(0, at), from.slice(at, at + del), ins]) expect(part.isWellFormed()).toBe(true)
      }),
      { ...seed, numRuns: 1000 },
    ),
  )
})

test('a merge patch turns one document into the other, or is none where it would have to say null', async () => {
  await seeded((seed) =>
    fc.assert(
      fc.property(doc, doc, (before, after) => {
        const patch = mergePatchBetween(before, after)
        if (patch !== undefined) expect(equalValues(applyMergePatch(before, patch), after)).toBe(true)
        else expect(JSON.stringify(after)).toContain('null')
      }),
      { ...seed, numRuns: 1000 },
    ),
  )
})
