import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readJson, readJsonText } from '../../api/json.ts'
import { seeded } from '../support/seed.ts'

test('reads what JSON.parse reads', async () => {
  await seeded(({ seed }) => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(readJsonText(text)).toEqual({ ok: true, value: JSON.parse(text) })
      }),
      { seed, numRuns: 300 },
    )
  })
})

test.each([
  '{"a":1,"a":2}',
  '{"a":{"b":1,"c":[{"d":1,"\\u0064":2}]}}',
  '{"":1,"":1}',
  '{"__proto__":1,"__proto__":2}',
  '{"a":[1,{"x":1}],"a":1}',
  '{"a\\"":1,"a\\"":2}',
])('refuses the duplicate key in %s', (text) => {
  expect(readJsonText(text)).toMatchObject({ ok: false, message: expect.stringContaining('appears twice') })
})

test.each([
  '{"a":{"a":{"a":1}}}',
  '[{"a":1},{"a":1}]',
  '{"a":"a","b":"a"}',
  '{"a":["a","a"],"b":{"a":"a"}}',
  '{"x":"\\"x\\":1,\\"x\\":2"}',
  '{"\\\\":1,"\\\\\\\\":2}',
])('finds no duplicate in %s', (text) => {
  expect(readJsonText(text)).toEqual({ ok: true, value: JSON.parse(text) })
})

test('takes 32 levels and refuses 33, at once at any depth', () => {
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  expect(readJsonText(deep(32)).ok).toBe(true)
  expect(readJsonText(deep(33))).toMatchObject({ ok: false, message: expect.stringContaining('levels deep') })
  expect(readJsonText('{"a":'.repeat(1_000_000)).ok).toBe(false)
})

test('refuses bytes that are not UTF-8, and a byte-order mark', () => {
  expect(readJson(Uint8Array.of(0x22, 0xff, 0x22)).ok).toBe(false)
  expect(readJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)).ok).toBe(false)
  expect(readJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)).ok).toBe(false)
})

test('never throws, whatever the text', async () => {
  await seeded(({ seed }) => {
    const piece = fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'a', '\\u00', '1', '-', 'e', ' ')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => void readJsonText(pieces.join(''))),
      { seed, numRuns: 2_000 },
    )
  })
})
