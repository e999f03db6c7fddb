import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareText } from '../../crdt/bytes.ts'
import { compareBytes, encode, type Path, type Scalar, type Value } from '../../crdt/index.ts'
import { compareMembers, comparePaths, isPath, pathKey } from '../../crdt/place.ts'
import { seeded } from '../support/seed.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\uff5e', '\ue000', '\ud7ff', '😀', '\u{10ffff}'), maxLength: 4 }),
)
const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  text,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.constantFrom(null, true, false, 23, 24, 255, 256, -24, -25),
  fc.uint8Array({ maxLength: 3 }),
)

function sign(number: number): number {
  return Math.sign(number)
}

function byBytes(a: Value, b: Value): number {
  return sign(compareBytes(encode(a), encode(b)))
}

test('keys, paths and members are compared as their canonical bytes are', () =>
  seeded((parameters) => {
    fc.assert(
      fc.property(text, text, (a, b) => void expect(sign(compareText(a, b))).toBe(byBytes(a, b))),
      { ...parameters, numRuns: 2000 },
    )
    const path: fc.Arbitrary<Path> = fc.array(text, { maxLength: 3 })
    fc.assert(
      fc.property(path, path, (a, b) => {
        expect(sign(comparePaths(a, b))).toBe(byBytes(a, b))
        expect(pathKey(a) === pathKey(b)).toBe(byBytes(a, b) === 0)
      }),
      parameters,
    )
    fc.assert(
      fc.property(scalar, scalar, (a, b) => void expect(sign(compareMembers(a, b))).toBe(byBytes(a, b))),
      { ...parameters, numRuns: 1000 },
    )
  }))

test('what stands for characters above U+FFFF comes after all others of as many bytes', () => {
  expect(compareText('😀', '\uff5ea')).toBeGreaterThan(0)
  expect(compareText('😀', '\ue000a')).toBeGreaterThan(0)
  expect(compareText('😀', '\u{10ffff}')).toBeLessThan(0)
})

test('a path is at most 16 texts of at most 128 bytes', () => {
  expect(isPath([])).toBe(true)
  expect(isPath(['', 'é'.repeat(64)])).toBe(true)
  expect(isPath(['é'.repeat(65)])).toBe(false)
  expect(isPath(Array(16).fill('a'))).toBe(true)
  expect(isPath(Array(17).fill('a'))).toBe(false)
  for (const other of [undefined, null, 'a', ['a', 1], [null], { length: 0 }])
    expect(isPath(other as Value)).toBe(false)
})
