import { expect, test } from 'vitest'
import { inOrder } from '../../node/search-alphabet.ts'

function ordered(words: readonly string[]): { order: string[]; steps: number } {
  const steps = inOrder(words)
  for (let count = 1; ; count++) {
    const step = steps.next()
    if (step.done) return { order: Array.from(step.value, (at) => words[at] as string), steps: count }
  }
}

test('words come in the order of comparing them, in steps, whatever they begin with', () => {
  const words = new Set(['', 'a', '\u00b7a', '王', '王阳', '\ud83d\udc4d'])
  for (let i = 0; i < 9_000; i++) {
    words.add(((i * 7919) % 104_729).toString(36))
    words.add(`model${i}`)
    words.add(String.fromCharCode(0x4e00 + (i % 90), 0x4e00 + Math.floor(i / 90)))
  }
  const mixed = [...words].reverse()
  const { order, steps } = ordered(mixed)
  expect(order).toEqual(mixed.toSorted((a, b) => (a < b ? -1 : 1)))
  expect(steps).toBeGreaterThan(4)
  expect(ordered([]).order).toEqual([])
})
