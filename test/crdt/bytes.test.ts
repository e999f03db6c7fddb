import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, concat, equalBytes, fromHex, isHex, toHex, u32be, utf8, utf8Length } from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'

describe('hex', () => {
  test('reads back what it wrote, in lower case', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(fc.uint8Array(), (bytes) => {
          expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
          expect(fromHex(toHex(bytes))).toEqual(bytes)
        }),
        parameters,
      ),
    ))

  test.each(['a', 'AB', 'g0', '0g', ' 0', '0x', '٠٠'])('refuses %j, which is our bug', (text) => {
    expect(() => fromHex(text)).toThrow(RangeError)
  })

  test('tells ids from other text', () => {
    expect(isHex('00ff', 4)).toBe(true)
    expect(isHex('00FF', 4)).toBe(false)
    expect(isHex('00ff', 6)).toBe(false)
    expect(isHex('00f\n', 4)).toBe(false)
    expect(isHex('', 0)).toBe(true)
  })
})

describe('UTF-8', () => {
  const text = fc.string({ unit: 'binary', maxLength: 80 })

  test('is what the platform writes, and its length is known without writing it', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(text, (text) => {
          expect(utf8(text)).toEqual(new Uint8Array(Buffer.from(text)))
          expect(utf8Length(text)).toBe(Buffer.byteLength(text))
        }),
        parameters,
      ),
    ))

  test.each(['\ud800', 'a\udc00', '\ud800x'])('refuses the lone surrogate of %j instead of replacing it', (text) => {
    expect(() => utf8(text)).toThrow(RangeError)
  })
})

test('bytes order as their hex does', () =>
  seeded((parameters) =>
    fc.assert(
      fc.property(fc.uint8Array({ max: 3, maxLength: 4 }), fc.uint8Array({ max: 3, maxLength: 4 }), (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
        expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b))
      }),
      parameters,
    ),
  ))

test('joins in order', () => {
  expect(concat()).toEqual(new Uint8Array(0))
  expect(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
  expect(u32be(0xfffffffe)).toEqual(Uint8Array.of(255, 255, 255, 254))
})
