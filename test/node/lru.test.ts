import { expect, test } from 'vitest'
import { Lru } from '../../node/lru.ts'

test('what was used longest ago goes first, and the weight never passes the bound', () => {
  const lru = new Lru<string, number>(10)
  lru.set('a', 1, 4)
  lru.set('b', 2, 4)
  expect(lru.get('a')).toBe(1)
  lru.set('c', 3, 4)
  expect([lru.get('a'), lru.get('b'), lru.get('c'), lru.weight]).toEqual([1, undefined, 3, 8])
  lru.set('a', 5, 1)
  expect([lru.get('a'), lru.weight, lru.size]).toEqual([5, 5, 2])
  lru.delete('a')
  lru.delete('a')
  expect([lru.weight, lru.size]).toEqual([4, 1])
})

test('what is heavier than the whole cache replaces nothing but its own old value', () => {
  const lru = new Lru<string, number>(10)
  lru.set('a', 1, 4)
  lru.set('b', 2, 4)
  lru.set('a', 3, 11)
  expect([lru.get('a'), lru.get('b'), lru.weight]).toEqual([undefined, 2, 4])
})
