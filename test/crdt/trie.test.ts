import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compareNodes,
  concat,
  describeNodes,
  fromHex,
  IdSet,
  type IdWidth,
  pureSha256,
  readPrefixes,
  toHex,
  u32be,
  utf8,
  writePrefixes,
} from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

const vectors = ownVectors('trie')

test.each(vectors.prefixes as { comment: string; prefixes: string[]; bytes: string }[])(
  'nodes asked for: $comment',
  ({ prefixes, bytes }) => {
    expect(toHex(writePrefixes(prefixes))).toBe(bytes)
    expect(readPrefixes(fromHex(bytes))).toEqual(prefixes)
  },
)

test.each(vectors.refusedPrefixes as { comment: string; bytes: string }[])('refuses nodes: $comment', ({ bytes }) => {
  expect(readPrefixes(fromHex(bytes))).toBeUndefined()
})

type SetOf = { numbers?: [number, number]; neighbours?: [number, number] }
test.each(
  vectors.descents as {
    comment: string
    ours: SetOf
    theirs: SetOf
    prefixes: string[]
    width: IdWidth
    answer: string
    found: unknown
  }[],
)('an answer: $comment', ({ ours, theirs, prefixes, width, answer, found }) => {
  expect(toHex(describeNodes(setOf(theirs), prefixes, width))).toBe(answer)
  expect(compareNodes(setOf(ours), prefixes, fromHex(answer), width)).toEqual(found)
})

test.each(vectors.refusedAnswers as { comment: string; prefixes: string[]; width: IdWidth; answer: string }[])(
  'refuses an answer: $comment',
  ({ prefixes, width, answer }) => {
    expect(compareNodes(setOf({ numbers: [0, 50] }), prefixes, fromHex(answer), width)).toBeUndefined()
  },
)

test('a descent finds what differs in any two sets, and ends', () =>
  seeded((parameters) => {
    const range = fc
      .tuple(fc.nat(1_500), fc.nat(1_500))
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as [number, number])
    const some = fc.record({ numbers: range, neighbours: fc.tuple(fc.nat(3), fc.nat(40)) })
    fc.assert(
      fc.property(some, some, (a, b) => {
        const [ours, theirs] = [setOf(a), setOf(b)]
        const found = descend(ours, theirs)
        const [mine, others] = [new Set(ours.ids()), new Set(theirs.ids())]
        const only = (of: Set<string>, not: Set<string>) => [...of].filter((id) => !not.has(id))
        expect(isCoveredBy(only(others, mine), found.theirs)).toBe(true)
        expect(isCoveredBy(only(mine, others), found.ours)).toBe(true)
        expect(found.theirs.every((id) => only(others, mine).some((other) => other.startsWith(id)))).toBe(true)
        expect(found.ours.every((id) => only(mine, others).some((other) => other.startsWith(id)))).toBe(true)
      }),
      { ...parameters, numRuns: 15 },
    )
  }))

test('an answer has at most 1,025 bytes a node', () => {
  const set = setOf({ numbers: [0, 3_000] })
  for (const prefix of ['', 'a', 'ab', 'abc']) {
    expect(describeNodes(set, [prefix], 32).length).toBeLessThanOrEqual(1_025)
  }
})

test('any bytes are an answer or none, and never an exception', () =>
  seeded((parameters) =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.constantFrom<IdWidth>(8, 32), (bytes, width) => {
        readPrefixes(bytes)
        compareNodes(setOf({ numbers: [0, 100] }), ['', '3'], bytes, width)
      }),
      parameters,
    ),
  ))

/** Each id was told: as a whole, or by its beginning. */
function isCoveredBy(ids: readonly string[], told: readonly string[]): boolean {
  return ids.every((id) => told.some((text) => id.startsWith(text)))
}

function descend(ours: IdSet, theirs: IdSet) {
  const found = { theirs: [] as string[], ours: [] as string[] }
  const turns: { prefixes: string[]; width: IdWidth }[] = [{ prefixes: [''], width: 8 }]
  for (let turn = turns.pop(), left = 5_000; turn !== undefined; turn = turns.pop()) {
    if (left-- === 0) throw new Error('expected an end')
    const descent = compareNodes(ours, turn.prefixes, describeNodes(theirs, turn.prefixes, turn.width), turn.width)!
    found.theirs.push(...descent.theirs)
    found.ours.push(...descent.ours)
    if (descent.deeper.length > 0) turns.push({ prefixes: descent.deeper, width: 8 })
    if (descent.whole.length > 0) turns.push({ prefixes: descent.whole, width: 32 })
  }
  return found
}

function setOf({ numbers = [0, 0], neighbours = [0, 0] }: SetOf): IdSet {
  const set = new IdSet()
  for (let n = numbers[0]; n < numbers[1]; n++) set.add(idOf(n))
  for (let n = neighbours[0]; n < neighbours[1]; n++) set.add(concat(new Uint8Array(28).fill(0xab), u32be(n)))
  return set
}

const made = new Map<number, Uint8Array>()
function idOf(n: number): Uint8Array {
  const known = made.get(n) ?? pureSha256(utf8(`id ${n}`))
  made.set(n, known)
  return known
}
