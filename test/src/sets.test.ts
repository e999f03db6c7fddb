import { expect, test } from 'vitest'
import { keyToDid } from '../../crdt/index.ts'
import { ConfigError } from '../../src/config.ts'
import { setsOf } from '../../src/sets.ts'

const key = 'ab'.repeat(32)

test('kinds by singular or plural, owners by did', () => {
  expect(setsOf({ kinds: [], owners: [] })).toEqual([])
  expect(setsOf({ kinds: ['models', 'agent'], owners: [keyToDid(key)] })).toEqual([
    'kind:model',
    'kind:agent',
    `owner:01${key}`,
  ])
})

test('what is neither is refused with what there is', () => {
  expect(() => setsOf({ kinds: ['modles'], owners: [] })).toThrow(ConfigError)
  expect(() => setsOf({ kinds: ['modles'], owners: [] })).toThrow('did you mean models?')
  expect(() => setsOf({ kinds: [], owners: ['me'] })).toThrow('owners: expected a did:key')
})
