import { expect, test } from 'vitest'
import { searchLeavesMax } from '../../node/limits.ts'
import { leavesOf } from '../../node/search-fields.ts'
import { entry } from '../support/index-entries.ts'

test('of a record with very many values the same are kept, in whatever order it is held, and lists give way', () => {
  const fields: [string, unknown][] = [
    ['tags', Array.from({ length: 2 * searchLeavesMax }, (_, n) => `tag-${n}`)],
    ['capabilities', ['chat']],
    ['license', 'mit'],
    ['cost', { input: 1, output: 2 }],
  ]
  const [one, other] = [fields, fields.toReversed()].map((some) =>
    leavesOf(entry('model', 'a/many', Object.fromEntries(some) as Parameters<typeof entry>[2])),
  )
  expect(new Map([...(one ?? [])].sort())).toEqual(new Map([...(other ?? [])].sort()))
  expect(one?.get('license')).toEqual(['mit'])
  expect(one?.get('cost.output')).toEqual([2])
  expect(one?.get('capabilities')).toEqual(['chat'])
  expect(one?.get('tags')?.length).toBeGreaterThan(searchLeavesMax - 10)
})
