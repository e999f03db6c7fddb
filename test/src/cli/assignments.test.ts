import { expect, test } from 'vitest'
import { mergePatch, readPath } from '../../../src/cli/assignments.ts'

test('a value is JSON where it reads as JSON, else text', () => {
  expect(mergePatch(['a=1', 'b=[1,2]', 'c=null', 'd=hello world', 'e="1"', 'f=', 'g=a=b', 'h=1.0.0'], [])).toEqual({
    a: 1,
    b: [1, 2],
    c: null,
    d: 'hello world',
    e: '1',
    f: '',
    g: 'a=b',
    h: '1.0.0',
  })
})

test('a path goes down by dots, or by slashes where names hold dots', () => {
  expect(readPath('a.b')).toEqual(['a', 'b'])
  expect(readPath('/a.b/c~1d')).toEqual(['a.b', 'c/d'])
  expect(mergePatch(['a.b=1', 'a.c=2', '/x.y/z=3'], ['q', 'a.d'])).toEqual({
    a: { b: 1, c: 2, d: null },
    'x.y': { z: 3 },
    q: null,
  })
  expect(Object.keys(mergePatch(['__proto__=1'], []))).toEqual(['__proto__'])
})

test('refuses what cannot be meant', () => {
  for (const [sets, unset] of [
    [['novalue'], []],
    [['=x'], []],
    [[], []],
    [['a=1', 'a=2'], []],
    [['a=1', 'a.b=2'], []],
    [['a=1'], ['a']],
  ] as const) {
    expect(() => mergePatch(sets, unset), String(sets)).toThrow(expect.objectContaining({ exit: 2 }))
  }
})
