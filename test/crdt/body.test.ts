import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Value, Verb, Write } from '../../crdt/index.ts'
import {
  type Body,
  decode,
  encode,
  encodeBody,
  encodeVerbs,
  fromHex,
  type Op,
  readBody,
  readWrites,
} from '../../crdt/index.ts'
import { fakeOp, TYPES } from '../support/dag-arbitrary.ts'
import { fromJson } from '../support/merge-vectors.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

type BodyVectors = {
  cases: { comment: string; type: number; body: string; effective: boolean; slug?: string; writes: Value[][] }[]
}
const vectors: BodyVectors = ownVectors('body')
const EPOCH = 'e'.repeat(64)

describe('vectors', () => {
  test.each(vectors.cases)('$comment', ({ type, body, effective, slug, writes }) => {
    const content = readBody(fakeOp('op', type, [], fromHex(body)))
    expect(content.effective).toBe(effective)
    expect(content.slug).toBe(slug)
    expect(content.writes.map(asVector)).toEqual(writes.map((write) => fromJson(write)))
  })
})

function asVector(write: Write): unknown[] {
  switch (write.says) {
    case 'absent':
      return ['absent', write.path]
    case 'value':
      return ['value', write.path, write.value]
    case 'text':
      return ['text', write.path, write.text]
    case 'splice':
      return ['splice', write.path, write.epoch, write.at, write.del, write.ins]
    default:
      return [write.says, write.path, write.member]
  }
}

test('reads back the entries of a body and the verbs of a patch, in order', () => {
  const body: Body = { slug: 'acme/x', f: [[['a'], 1]], s: [[['s'], ['m', null]]], t: [[['t'], 'words']] }
  const { slug, writes } = readBody(fakeOp('a', TYPES.genesis, [], encodeBody(body)))
  expect(slug).toBe('acme/x')
  expect(writes.map(({ says }) => says)).toEqual(['absent', 'value', 'member', 'member', 'text'])

  const verbs: Verb[] = [
    ['splice', ['t'], EPOCH, 1, 2, 'x'],
    ['rem', ['s'], ['m']],
    ['set', ['a'], { b: 1 }, 'reg'],
  ]
  const [splice, rem, set] = readWrites(fakeOp('b', TYPES.patch, [], encodeVerbs(verbs)))
  expect(splice).toEqual({ says: 'splice', path: ['t'], epoch: EPOCH, at: 1, del: 2, ins: 'x' })
  expect(rem).toEqual({ says: 'no-member', path: ['s'], member: 'm' })
  expect(set).toMatchObject({ says: 'value', path: ['a'] })
})

test('a body without a slug has no such key', () => {
  expect(decode(encodeBody({ f: [], s: [], t: [] }))).toEqual({ ok: true, value: { f: [], s: [], t: [] } })
})

test.each<[string, () => unknown]>([
  ['an entry that readers take for inert', () => encodeBody({ f: [[[], 1]], s: [], t: [] })],
  ['a path of 17 segments', () => encodeVerbs([['del', Array(17).fill('a')]])],
  ['a list of 4,097 items', () => encodeVerbs([['set', ['a'], Array(4097).fill(0)]])],
  ['a member that is too large', () => encodeVerbs([['add', ['s'], ['x'.repeat(1025)]]])],
  ['an epoch that is no op id', () => encodeVerbs([['splice', ['t'], 'EE'.repeat(32), 0, 0, 'x']])],
  ['a position that is none', () => encodeVerbs([['splice', ['t'], EPOCH, -1, 0, 'x']])],
])('refuses to write %s', (_, write) => {
  expect(write).toThrow(RangeError)
})

describe('strangers', () => {
  const read = (type: number, body: Uint8Array): readonly Write[] =>
    readWrites({ ...fakeOp('x', type, [], body) } as Op)
  const type = fc.integer({ min: 1, max: 20 })

  test('no bytes make reading throw', () =>
    seeded((parameters) => {
      fc.assert(
        fc.property(type, fc.uint8Array({ maxLength: 200 }), (type, body) => void read(type, body)),
        parameters,
      )
    }))

  test('no canonical value makes reading throw, nor do bits flipped in a good body', () =>
    seeded((parameters) => {
      const value = fc.letrec<{ value: Value }>((tie) => ({
        value: fc.oneof(
          { maxDepth: 4 },
          fc.constantFrom<Value>(
            'set',
            'del',
            'add',
            'rem',
            'text',
            'splice',
            'reg',
            'f',
            's',
            't',
            new Uint8Array(32),
          ),
          fc.constantFrom<Value>([], ['a'], ['a', 'b'], 0, 1, 0.5, null, true, 'slug'),
          fc.array(tie('value'), { maxLength: 6 }),
          fc.dictionary(fc.constantFrom('f', 's', 't', 'slug', '__proto__'), tie('value'), { noNullPrototype: false }),
        ),
      })).value
      fc.assert(
        fc.property(type, value, fc.nat(), (type, value, at) => {
          const bytes = encode(value)
          read(type, bytes)
          const flipped = bytes.slice()
          flipped[at % bytes.length] = (flipped[at % bytes.length] as number) ^ (1 << (at % 8))
          read(type, flipped)
        }),
        { ...parameters, numRuns: 1000 },
      )
    }))
})
