import { expect, test } from 'vitest'
import { decimalOf, fromJson, kindOf, withNumbers } from '../../crdt/index.ts'

const kind = kindOf('model')
const doc = (json: object) => {
  const read = fromJson(json)
  if (!read.ok) throw new Error('expected a document')
  return read.value
}

test('texts in fields of decimals become numbers, and nothing else changes', () => {
  const before = doc({ name: '5', cost: { prompt: '0.00003', completion: 2, image: 'free', note: '7' }, version: '2' })
  const after = withNumbers(kind, before)
  expect(after).toEqual({ ...before, cost: { prompt: 0.00003, completion: 2, image: 'free', note: '7' } })
  expect(before).toMatchObject({ cost: { prompt: '0.00003' } })
})

test('a document without such texts is answered as it is', () => {
  for (const json of [{ name: 'x' }, { cost: { prompt: 1 } }, { cost: 'cheap' }, { cost: ['0.1'] }]) {
    const before = doc(json)
    expect(withNumbers(kind, before)).toBe(before)
  }
  expect(withNumbers(undefined, doc({ cost: { prompt: '1' } }))).toMatchObject({ cost: { prompt: '1' } })
})

test.each([
  ['3e-8', 3e-8],
  ['-1', -1],
  ['', undefined],
  [' ', undefined],
  ['free', undefined],
  ['1e999', undefined],
  [5, undefined],
])('%j is %j', (value, number) => {
  expect(decimalOf(value)).toBe(number)
})
