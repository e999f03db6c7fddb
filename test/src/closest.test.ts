import { expect, test } from 'vitest'
import { closest } from '../../src/closest.ts'

test('finds the word that was meant through a slip of the fingers', () => {
  const words = ['publish', 'import', 'search', 'status', 'start']
  expect(['pubish', 'improt', 'serach', 'statsu', 'STRAT'].map((typed) => closest(typed, words))).toEqual([
    'publish',
    'import',
    'search',
    'status',
    'start',
  ])
})

test('finds nothing in what looks like none of them', () => {
  expect(closest('zebra', ['publish', 'import'])).toBeUndefined()
  expect(closest('x', [])).toBeUndefined()
})
