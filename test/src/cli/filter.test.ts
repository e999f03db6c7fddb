import { expect, test } from 'vitest'
import { pointedAt } from '../../../src/cli/filter.ts'

test('the mark stands below its place, also in a long filter', () => {
  expect(pointedAt('a = 1 b', 6)).toBe('  a = 1 b\n        ^')
  expect(pointedAt('a = ', 4)).toBe('  a = \n      ^')
  expect(pointedAt('a\n= 1 b', 6)).toBe('  a = 1 b\n        ^')
  const long = `${'a = 1 and '.repeat(30)}! ${'and b = 1 '.repeat(30)}`
  const [text, mark] = pointedAt(long, 300).split('\n') as [string, string]
  expect(text.length).toBeLessThanOrEqual(80)
  expect(text[mark.indexOf('^')]).toBe('!')
})
