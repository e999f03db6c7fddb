import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, fromHex, IdSet, pureSha256, toHex, utf8 } from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

type Case = { comment: string; root: string } & (
  | { count: number; ids?: undefined }
  | { ids: string[]; count?: undefined }
)
const { cases }: { cases: Case[] } = ownVectors('set')

test.each(cases)('$comment', ({ count, ids, root }) => {
  const set = new IdSet()
  for (const id of ids ?? numbered(count)) expect(set.add(id)).toBe(true)
  expect(set.root()).toBe(root)
  expect(set.size).toBe(ids?.length ?? count)
})

describe('after any adding and deleting', () => {
  // Few first digits and few last ones, so that leaves fill up, split, empty and fold at several depths.
  const id = fc
    .tuple(fc.constantFrom('00', '0f', 'f0'), fc.integer({ min: 0, max: 90 }))
    .map(([start, n]) => start.padEnd(62, start) + n.toString(16).padStart(2, '0'))
  const step = fc.record({ id, add: fc.boolean() })

  test('holds what was added and not deleted, and has its root', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(fc.array(id, { maxLength: 150 }), fc.array(step, { maxLength: 150 }), (start, steps) => {
          const set = new IdSet()
          const held = new Set<string>()
          for (const { id, add } of [...start.map((id) => ({ id, add: true })), ...steps]) {
            const changes = add ? !held.has(id) : held.has(id)
            expect(add ? set.add(id) : set.delete(id)).toBe(changes)
            if (add) held.add(id)
            else held.delete(id)
            if (held.size % 40 === 33) expect(set.root()).toBe(naiveRoot([...held]))
          }
          expect(set.size).toBe(held.size)
          expect([...set.ids()]).toEqual([...held].sort())
          expect(set.root()).toBe(naiveRoot([...held]))
          for (const id of start) expect(set.has(id)).toBe(held.has(id))
        }),
        { ...parameters, numRuns: 60 },
      ),
    ))

  test('has the right root after each step up and down, at any depth', () => {
    // Two groups that each share 20 digits, so that there is a long way to the leaves, and some ids beside them.
    const ids = ['a', 'b'].flatMap((digit) =>
      Array.from({ length: 40 }, (_, i) => digit.repeat(20) + i.toString(16).padStart(3, '0').padEnd(44, '0')),
    )
    ids.push(...numbered(20))
    const set = new IdSet()
    for (let count = 1; count <= ids.length; count++) {
      set.add(ids[count - 1] as string)
      expect(set.root(), `${count} ids`).toBe(naiveRoot(ids.slice(0, count)))
    }
    for (let count = ids.length - 1; count >= 0; count--) {
      set.delete(ids[count] as string)
      expect(set.root(), `${count} ids left`).toBe(naiveRoot(ids.slice(0, count)))
    }
  })

  test('the order of adding leaves no trace', () => {
    const ids = numbered(500)
    const forth = new IdSet()
    const back = new IdSet()
    for (const id of ids) forth.add(id)
    for (const id of ids.toReversed()) back.add(id)
    for (const id of numbered(700).slice(500)) {
      back.add(id)
      back.root()
    }
    for (const id of numbered(700).slice(500)) back.delete(id)
    expect(back.root()).toBe(forth.root())
  })
})

test('one id more or less, or another one, is another root', () => {
  const ids = numbered(100)
  const set = new IdSet()
  for (const id of ids) set.add(id)
  const roots = new Set([set.root()])
  for (const id of ids) {
    set.delete(id)
    roots.add(set.root())
    set.add(toHex(pureSha256(fromHex(id))))
    roots.add(set.root())
  }
  expect(roots.size).toBe(201)
})

test('made of sorted ids it is the same set, and goes on as such', () =>
  seeded((parameters) =>
    fc.assert(
      fc.property(fc.nat(700), fc.nat(50), (count, close) => {
        const ids = numbered(count)
        for (let i = 0; i < close; i++) ids.push(i.toString(16).padStart(64, 'a'))
        const sorted = [...ids].sort()
        const set = IdSet.ofSorted(concat(...sorted.map(fromHex)))
        expect(set.root()).toBe(naiveRoot(ids))
        expect([...set.ids()]).toEqual(sorted)
        expect(set.add('f'.repeat(64))).toBe(true)
        for (const id of sorted.slice(0, 400)) expect(set.delete(id)).toBe(true)
        expect(set.root()).toBe(naiveRoot([...sorted.slice(400), 'f'.repeat(64)]))
      }),
      { ...parameters, numRuns: 20 },
    ),
  ))

test('sorted ids that are not, are refused', () => {
  const [a, b] = numbered(2).map(fromHex) as [Uint8Array, Uint8Array]
  expect(() => IdSet.ofSorted(concat(a, b, a))).toThrow(RangeError)
  expect(() => IdSet.ofSorted(concat(a, a))).toThrow(RangeError)
  expect(() => IdSet.ofSorted(a.subarray(1))).toThrow(RangeError)
})

test('names the ids that begin with eight bytes or more', () => {
  const ids = numbered(300)
  const twins = ['0', '1'].map((end) => `${'ab'.repeat(31)}0${end}`)
  const set = new IdSet()
  for (const id of [...ids, ...twins]) set.add(id)
  for (const id of ids) expect(set.startingWith(fromHex(id.slice(0, 16)))).toEqual([id])
  expect(set.startingWith(fromHex('ab'.repeat(8)))).toEqual(twins)
  expect(set.startingWith(fromHex(twins[1]!))).toEqual([twins[1]])
  expect(set.startingWith(new Uint8Array(8))).toEqual([])
  expect(() => set.startingWith(new Uint8Array(7))).toThrow(RangeError)
})

test('tells hash, count and ids below any digits, as far down as there are', () => {
  const ids = numbered(300)
  const set = new IdSet()
  for (const id of ids) set.add(fromHex(id))
  for (const prefix of ['', '0', '0a', 'ab1', ids[0] as string, 'f'.repeat(64)]) {
    const below = ids.filter((id) => id.startsWith(prefix)).sort()
    expect([...set.ids(prefix)]).toEqual(below)
    expect(set.countAt(prefix)).toBe(below.length)
    expect(set.hashAt(prefix)).toBe(naiveRoot(below, prefix.length))
  }
  expect(() => set.hashAt('G')).toThrow(RangeError)
  expect(() => set.hashAt('0'.repeat(65))).toThrow(RangeError)
})

test('copies the bytes it is given', () => {
  const set = new IdSet()
  const id = fromHex(numbered(1)[0] as string)
  set.add(id)
  id.fill(0)
  expect([...set.ids()]).toEqual(numbered(1))
})

test.each([[''], ['ab'], ['A'.repeat(64)], ['0'.repeat(66)], [new Uint8Array(31)]])(
  'refuses %s, which is no id',
  (id) => {
    expect(() => new IdSet().add(id)).toThrow(RangeError)
  },
)

test('holds 20,000 sorted ids', () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => i.toString(16).padStart(8, '0').padEnd(64, '0'))
  const set = new IdSet()
  for (const id of ids) set.add(id)
  expect(set.size).toBe(20_000)
  expect(set.root()).toBe(naiveRoot(ids))
})

/** SPEC.md, section 8, word by word. */
function naiveRoot(ids: readonly string[], depth = 0): string {
  const node = (part: readonly string[], at: number): Uint8Array => {
    if (part.length <= 32) return pureSha256(concat(Uint8Array.of(0), ...part.toSorted().map(fromHex))).subarray(0, 16)
    const children = [...'0123456789abcdef'].map((digit) =>
      node(
        part.filter((id) => id[at] === digit),
        at + 1,
      ),
    )
    return pureSha256(concat(Uint8Array.of(1), ...children)).subarray(0, 16)
  }
  return toHex(node(ids, depth))
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => toHex(pureSha256(utf8(`id ${i}`))))
}
