import { expect, test } from 'vitest'
import { SEARCH_PARTS } from '../../node/index.ts'
import { resolveSettings } from '../../src/config.ts'
import { readWeights } from '../../src/search-weights.ts'

const weightsOf = (sources: Partial<Parameters<typeof resolveSettings>[0]>) =>
  readWeights(resolveSettings({ flags: {}, env: {}, file: {}, ...sources }).settings.search_weights, SEARCH_PARTS)

test('weights come from the file as a map or a list, and from the environment', () => {
  const wanted = { freshness: 0.1, trust: 0 }
  expect(weightsOf({ file: { search_weights: { freshness: 0.1, trust: 0 } } })).toEqual(wanted)
  expect(weightsOf({ file: { search_weights: ['freshness=0.1', 'trust=0'] } })).toEqual(wanted)
  expect(weightsOf({ env: { PEERAGE_SEARCH_WEIGHTS: 'freshness=0.1, trust=0' } })).toEqual(wanted)
  expect(weightsOf({})).toEqual({})
})

test.each([
  'luck=1',
  'freshness',
  'freshness=',
  'freshness=many',
  'freshness=-1',
  'freshness=1000',
  'freshness=Infinity',
])('refuses %s', (text) => {
  expect(() => readWeights([text], SEARCH_PARTS)).toThrow(expect.objectContaining({ name: 'ConfigError' }))
})
