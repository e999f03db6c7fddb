import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applySplice, mergeText, type TextEdit, type TextSplice } from '../../crdt/text.ts'
import { naiveText } from '../support/naive-text.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

type Edit = { op: string; past: string[]; splices: [number, number, string][] }
const vectors: { cases: { comment: string; start: string; edits: Edit[]; text: string }[] } = ownVectors('text')

function naive(start: string, edits: readonly Edit[]): string {
  const seen = edits.map(({ op, past, splices }) => ({ op, past: new Set(past), splices: splices.map(asSplice) }))
  return naiveText(start, seen)
}

/** In the order given, which must have pasts first. */
function merged(start: string, edits: readonly Edit[]): string {
  const list = edits.map(({ op, splices }): TextEdit => ({ op, splices: splices.map(asSplice) }))
  return mergeText(start, list, (x, y) => (edits[y] as Edit).past.includes((edits[x] as Edit).op))
}

function asSplice([at, del, ins]: readonly [number, number, string]): TextSplice {
  return { at, del, ins }
}

describe('vectors', () => {
  test.each(vectors.cases)('$comment', ({ start, edits, text }) => {
    expect(merged(start, edits)).toBe(text)
    expect(naive(start, edits)).toBe(text)
  })
})

const splice = fc.tuple(
  fc.oneof({ weight: 9, arbitrary: fc.nat(12) }, { weight: 1, arbitrary: fc.constant(Number.MAX_SAFE_INTEGER) }),
  fc.nat(4),
  fc.constantFrom('', 'x', 'yz', '🎉', 'e\u0301', 'words'),
)
const start = fc.constantFrom('', 'abc', 'one 😀😀 two')

/** Edits with their pasts before them; `parents` says how far back each looks. */
function graph(parents: fc.Arbitrary<number[]>): fc.Arbitrary<Edit[]> {
  const one = fc.tuple(parents, fc.array(splice, { minLength: 1, maxLength: 3 }), fc.nat(1e9))
  return fc.array(one, { maxLength: 14 }).map((list) => {
    const edits: Edit[] = []
    for (const [i, [back, splices, salt]] of list.entries()) {
      const on = back.filter((n) => n < i).map((n) => edits[i - 1 - n] as Edit)
      const past = [...new Set(on.flatMap(({ op, past }) => [op, ...past]))]
      edits.push({ op: `${salt}.${i}`, past, splices })
    }
    return edits
  })
}

test('any graph of edits gives what the naive list gives', () =>
  seeded((parameters) => {
    const some = fc.array(fc.nat(3), { maxLength: 2 })
    fc.assert(
      fc.property(start, graph(some), (start, edits) => {
        const text = merged(start, edits)
        expect(text).toBe(naive(start, edits))
        expect(text.isWellFormed()).toBe(true)
      }),
      { ...parameters, numRuns: 400 },
    )
  }))

test('edits on a line are edits of a string, and Yjs gives the same', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(start, graph(fc.constant([0])), (start, edits) => {
        const splices = edits.flatMap((edit) => edit.splices.map(asSplice))
        const plain = splices.reduce(applySplice, start)
        expect(merged(start, edits)).toBe(plain)
        // An empty edit that nobody has seen makes it a graph, for which Yjs is asked.
        expect(merged(start, [...edits, { op: 'none', past: [], splices: [] }])).toBe(plain)
      }),
      { ...parameters, numRuns: 200 },
    )
  }))

test('no splice tears a surrogate pair', () => {
  const text = '😀a😀'
  for (let at = 0; at <= 6; at++) {
    for (let del = 0; del <= 6; del++) expect(applySplice(text, { at, del, ins: '🎉' }).isWellFormed()).toBe(true)
  }
})

test('the order of ids decides, not that of arrival', () => {
  const edits = ['c', 'a', 'b'].map((op): Edit => ({ op, past: [], splices: [[0, 0, op]] }))
  expect(merged('', edits)).toBe('abc')
  expect(merged('', edits.toReversed())).toBe('abc')
})

test('several hundred branches from one point, and again from where they meet', () => {
  const fan = Array.from({ length: 200 }, (_, i): Edit => ({ op: `a${1000 + i}`, past: [], splices: [[0, 0, '.']] }))
  const all = fan.map(({ op }) => op)
  const again = Array.from(
    { length: 50 },
    (_, i): Edit => ({ op: `b${1000 + i}`, past: all, splices: [[200, 0, '!']] }),
  )
  expect(merged('', [...fan, ...again])).toBe('.'.repeat(200) + '!'.repeat(50))
})
