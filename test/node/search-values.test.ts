import { expect, test } from 'vitest'
import { Values } from '../../node/search-values.ts'

test('a value has one code, the same at every moment while its table grows, and no other value has it', () => {
  const values = new Values(7)
  const leaf = (i: number) => (i % 3 === 0 ? i : `value ${i}`)
  const codes: number[] = []
  for (let i = 0; i < 12_000; i++) {
    expect(values.find(leaf(i))).toBeUndefined()
    codes.push(values.codeOf(leaf(i)))
    const before = (i * 7_919) % (i + 1)
    expect([values.find(leaf(before)), values.codeOf(leaf(before))]).toEqual([codes[before], codes[before]])
  }
  expect(new Set(codes).size).toBe(codes.length)
  expect(codes.map((code) => values.leaf(code))).toEqual(codes.map((_, i) => leaf(i)))
})
