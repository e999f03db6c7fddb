import { expect, test } from 'vitest'
import { Values } from '../../node/search-values.ts'
import { ValuesMaker } from '../../node/search-values-maker.ts'

test('a value has one code, the same at every moment while its table grows, and no other value has it', () => {
  const maker = new ValuesMaker(7)
  const leaf = (i: number) => (i % 3 === 0 ? i : `value ${i}`)
  const codes: number[] = []
  for (let i = 0; i < 12_000; i++) {
    expect(maker.values.find(leaf(i))).toBeUndefined()
    codes.push(maker.codeOf(leaf(i)))
    const before = (i * 7_919) % (i + 1)
    expect([maker.values.find(leaf(before)), maker.codeOf(leaf(before))]).toEqual([codes[before], codes[before]])
  }
  expect(new Set(codes).size).toBe(codes.length)
  expect(codes.map((code) => maker.values.leaf(code))).toEqual(codes.map((_, i) => leaf(i)))
})

test('what an older view leads to stays as it was while values are added, swept, and given codes of swept ones', () => {
  const maker = new ValuesMaker(7)
  const leaf = (i: number) => (i % 3 === 0 ? i : i % 3 === 1 ? `value ${i}` : `wert ü ${i} 漢`)
  const count = 60_000
  const codes = Array.from({ length: count }, (_, i) => maker.codeOf(leaf(i)))
  const older = new Values(maker.values.view, maker.values.size)
  const isKept = (i: number) => i % 50 === 0
  for (let i = 0; i < count; i++) if (isKept(i)) maker.use(codes[i] as number, 1)
  expect([...maker.sweep()].length).toBeGreaterThan(1)
  const others = Array.from({ length: count }, (_, i) => maker.codeOf(`other ${i}`))
  expect(others.filter((code) => code < older.size).length).toBe(count - count / 50)
  for (let i = 0; i < count; i += 7) {
    const code = codes[i] as number
    if (older.leaf(code) !== leaf(i) || older.find(leaf(i)) !== code) expect.fail(`${leaf(i)} is another`)
    const now = isKept(i) ? code : undefined
    if (maker.values.find(leaf(i)) !== now) expect.fail(`${leaf(i)} is not ${now}`)
  }
  expect(others.map((code) => maker.values.leaf(code))).toEqual(others.map((_, i) => `other ${i}`))
})
