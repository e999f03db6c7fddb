import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  fromHex,
  pureSha256,
  readSymbols,
  type SipKey,
  Sketch,
  SketchSolver,
  shortOf,
  sipHash,
  sketchSymbolsFor,
  toHex,
  utf8,
  writeSymbols,
} from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

const vectors = ownVectors('sketch')

describe('vectors', () => {
  test.each(vectors.checksums as { comment: string; key: string; item: string; check: string }[])(
    '$comment',
    ({ key, item, check }) => {
      const answer = new Int32Array(2)
      const [low, high] = wordsOf(item)
      sipHash(low!, high!, wordsOf(key) as unknown as SipKey, answer)
      expect(toHex(new Uint8Array(answer.buffer))).toBe(check)
    },
  )

  test.each(vectors.walks as { comment: string; item: string; symbols: number[] }[])(
    '$comment',
    ({ item, symbols }) => {
      expect(naiveWalk(item, 65_536)).toEqual(symbols)
    },
  )

  test.each(vectors.sketches as { comment: string; from: number; to: number; bytes: string }[])(
    'symbols of $comment',
    ({ from, to, bytes }) => {
      const read = readSymbols(fromHex(bytes), 0, to - from)!
      expect(toHex(writeSymbols(sketchOf(numbered(from, to), read.count), 0, read.count, to - from))).toBe(bytes)
      expect([...read.words]).toEqual(naiveWords(numbered(from, to), read.count))
    },
  )

  test.each(vectors.refused as { comment: string; bytes: string }[])('refuses symbols: $comment', ({ bytes }) => {
    expect(readSymbols(fromHex(bytes), 0, 0)).toBeUndefined()
  })

  test.each(
    vectors.differences as {
      comment: string
      ours: [number, number]
      theirs: [number, number]
      symbols: number
      difference: { ours: string[]; theirs: string[] } | null
    }[],
  )('solves: $comment', ({ ours, theirs, symbols, difference }) => {
    const solver = new SketchSolver(sketchOf(numbered(...ours), symbols))
    solver.take(sent(sketchOf(numbered(...theirs), symbols), 0, symbols, theirs[1] - theirs[0]))
    expect(sorted(solver.difference)).toEqual(difference)
  })
})

test('is the sketch of what was added and not deleted, however it came to that', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(fc.array(fc.nat(80), { maxLength: 120 }), fc.integer({ min: 1, max: 2_000 }), (steps, symbols) => {
        const sketch = new Sketch(symbols)
        const held = new Set<number>()
        for (const n of steps) {
          const [id] = numbered(n, n + 1) as [Uint8Array]
          if (held.delete(n)) sketch.delete(id)
          else {
            held.add(n)
            sketch.add(id)
          }
        }
        expect([...sketch.words]).toEqual([
          ...sketchOf(
            [...held].map((n) => numbered(n, n + 1)[0]!),
            symbols,
          ).words,
        ])
      }),
      { ...parameters, numRuns: 60 },
    )
  }))

test('what a copy is told, the original does not see; bytes read back', () => {
  const sketch = sketchOf(numbered(0, 30), 64)
  const copy = sketch.copy()
  copy.add(numbered(40, 41)[0]!)
  expect([...sketch.words]).toEqual([...sketchOf(numbered(0, 30), 64).words])
  expect([...Sketch.fromBytes(copy.toBytes())!.words]).toEqual([...copy.words])
  expect(Sketch.fromBytes(new Uint8Array(19))).toBeUndefined()
})

test('any difference of any two sets is found, in one and a half symbols an id and a few', () =>
  seeded((parameters) => {
    // Few ids in common, or some thousands; few that differ, or some hundreds; on either side.
    const size = fc.oneof(fc.nat(4), fc.nat(60), fc.nat(600))
    fc.assert(
      fc.property(fc.nat(3_000), size, size, (common, onlyOurs, onlyTheirs) => {
        const d = onlyOurs + onlyTheirs
        const ours = numbered(0, common + onlyOurs)
        const theirs = [...numbered(0, common), ...numbered(10_000, 10_000 + onlyTheirs)]
        const symbols = 4_096
        const sketch = sketchOf(theirs, symbols)
        const solver = new SketchSolver(sketchOf(ours, symbols))
        let taken = 0
        while (solver.difference === undefined && taken < symbols) {
          const to = Math.min(symbols, taken === 0 ? 32 : Math.ceil(taken * 1.1))
          solver.take(sent(sketch, taken, to, theirs.length))
          taken = to
        }
        expect(sorted(solver.difference)).toEqual({
          ours: naiveDifference(ours, theirs),
          theirs: naiveDifference(theirs, ours),
        })
        expect(taken).toBeLessThanOrEqual(Math.max(40 + 4 * d, 2 * d))
      }),
      { ...parameters, numRuns: 40 },
    )
  }))

test('says about how many differ from the first 64 symbols', () => {
  for (const d of [50, 400, 3_000]) {
    const ours = numbered(0, 4_000)
    const theirs = numbered(d / 2, 4_000 + d / 2)
    const solver = new SketchSolver(sketchOf(ours, 64))
    solver.take(sent(sketchOf(theirs, 64), 0, 64, theirs.length))
    expect(solver.estimate).toBeGreaterThan(d * 0.5)
    expect(solver.estimate).toBeLessThan(d * 1.7)
  }
})

test('two ids that cannot be told apart are noticed early, and more symbols are not waited for', () => {
  // An author who sought long enough: as many bytes equal as a sketch knows of an id.
  const twin = numbered(0, 1)[0]!.slice()
  twin[31]! ^= 1
  const common = numbered(10, 500)
  const theirs = sketchOf([...common, numbered(0, 1)[0]!, twin], 1_024)
  const solver = new SketchSolver(sketchOf([...common, ...numbered(600, 610)], 1_024))
  solver.take(sent(theirs, 0, 256, common.length + 2))
  expect(solver.difference).toBeUndefined()
  expect(solver.isStuck).toBe(true)
})

test('of honest symbols that are too few it is not said that more would not help', () => {
  for (const symbols of [128, 200, 500, 900]) {
    const d = symbols
    const solver = new SketchSolver(sketchOf(numbered(0, 1_500), 1_024))
    solver.take(sent(sketchOf(numbered(d / 2, 1_500 + d / 2), 1_024), 0, symbols, 1_500))
    expect(solver.difference).toBeUndefined()
    expect(solver.isStuck).toBe(false)
  }
})

test('whatever symbols it is told, it ends, and finds no more ids than symbols', () =>
  seeded((parameters) => {
    const lie = fc.record({ at: fc.nat(4_000), byte: fc.nat(255) })
    fc.assert(
      fc.property(
        fc.array(lie, { maxLength: 60 }),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(500),
        (lies, symbols, n) => {
          const theirs = sketchOf(numbered(0, n), symbols)
          const bytes = writeSymbols(theirs, 0, symbols, n).slice()
          for (const { at, byte } of lies) bytes[at % bytes.length] = byte
          const read = readSymbols(bytes, 0, n)
          if (read === undefined || read.count > symbols) return
          const solver = new SketchSolver(sketchOf(numbered(100, 130), symbols))
          solver.take(read)
          const found = solver.difference
          expect((found?.ours.length ?? 0) + (found?.theirs.length ?? 0)).toBeLessThanOrEqual(symbols)
        },
      ),
      { ...parameters, numRuns: 300 },
    )
  }))

test('symbols that say the same id again and again end as bad', () => {
  // Every symbol is that of one id alone, in places where it does not belong and where it does.
  const one = sketchOf(numbered(0, 1), 1)
  const words = new Int32Array(5 * 500)
  for (let at = 0; at < 500; at++) words.set(one.words, 5 * at)
  const solver = new SketchSolver(new Sketch(500))
  solver.take({ words, count: 500 })
  expect(solver.difference).toBeUndefined()
  solver.take({ words, count: 0 })
  expect(solver.difference).toBeUndefined()
})

test('a solver takes no more symbols than its own sketch has', () => {
  const solver = new SketchSolver(new Sketch(4))
  expect(() => solver.take({ words: new Int32Array(25), count: 5 })).toThrow(RangeError)
})

test('a small set keeps few symbols, and none keeps more than the protocol has', () => {
  expect(sketchSymbolsFor(0)).toBe(1_024)
  expect(sketchSymbolsFor(5_000)).toBe(16_384)
  expect(sketchSymbolsFor(10_000_000)).toBe(65_536)
  expect(() => new Sketch(65_537)).toThrow(RangeError)
})

test('another key is another sketch of the same set', () => {
  const [id] = numbered(0, 1) as [Uint8Array]
  const [open, keyed] = [new Sketch(64), new Sketch(64, [1, 2, 3, 4])]
  open.add(id)
  keyed.add(id)
  expect([...keyed.words]).not.toEqual([...open.words])
})

test('ids spread over the symbols as they should', () => {
  const sketch = sketchOf(numbered(0, 20_000), 256)
  for (const at of [1, 2, 5, 20, 100, 255]) {
    const expected = (20_000 * 2) / (at + 2)
    expect(Math.abs(sketch.words[5 * at + 4]! - expected)).toBeLessThan(5 * Math.sqrt(expected) + 0.02 * expected)
  }
})

function sent(sketch: Sketch, from: number, to: number, ids: number) {
  return readSymbols(writeSymbols(sketch, from, to, ids), from, ids)!
}

function sketchOf(ids: readonly Uint8Array[], symbols: number): Sketch {
  const sketch = new Sketch(symbols)
  for (const id of ids) sketch.add(id)
  return sketch
}

function sorted(found: { ours: readonly string[]; theirs: readonly string[] } | undefined) {
  return found === undefined ? null : { ours: [...found.ours].sort(), theirs: [...found.theirs].sort() }
}

function naiveDifference(of: readonly Uint8Array[], others: readonly Uint8Array[]): string[] {
  const known = new Set(others.map(toHex))
  return of
    .map(toHex)
    .filter((id) => !known.has(id))
    .map(shortOf)
    .sort()
}

/** SPEC.md, section 10.1, word by word, with big integers. */
function naiveWalk(item: string, symbols: number): number[] {
  const answer = new Int32Array(2)
  const [low, high] = wordsOf(item) as [number, number]
  sipHash(low, high, [0, 0, 0, 0], answer)
  const state = [low, high, answer[0]!, answer[1]!].map((word) => BigInt.asUintN(32, BigInt(word)))
  const places: number[] = []
  for (let at = 0; at < symbols; ) {
    places.push(at)
    const [x, y, z, w] = state as [bigint, bigint, bigint, bigint]
    const t = BigInt.asUintN(32, x ^ (x << 11n))
    const r = w ^ (w >> 19n) ^ t ^ (t >> 8n)
    state.splice(0, 4, y, z, w, r)
    at += 1 + Math.floor((at + 1.5) * (65536 / Math.sqrt(Number(r) + 1) - 1))
  }
  return places
}

function naiveWords(ids: readonly Uint8Array[], symbols: number): number[] {
  const words = Array<number>(5 * symbols).fill(0)
  for (const id of ids) {
    const item = toHex(id.subarray(0, 8))
    const answer = new Int32Array(2)
    const [low, high] = wordsOf(item) as [number, number]
    sipHash(low, high, [0, 0, 0, 0], answer)
    for (const at of naiveWalk(item, symbols)) {
      for (const [part, word] of [low, high, answer[0]!, answer[1]!].entries()) words[5 * at + part]! ^= word
      words[5 * at + 4]! += 1
    }
  }
  return words
}

function wordsOf(hex: string): number[] {
  const view = new DataView(fromHex(hex).buffer)
  return Array.from({ length: hex.length / 8 }, (_, i) => view.getInt32(4 * i, true))
}

function numbered(from: number, to: number): Uint8Array[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => idOf(from + i))
}

const made = new Map<number, Uint8Array>()
function idOf(n: number): Uint8Array {
  const known = made.get(n) ?? pureSha256(utf8(`id ${n}`))
  made.set(n, known)
  return known
}
