/** The filter language as clients use it: in lists, in searches, and when it cannot be understood. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FtsIndex } from '../../node/search-fts.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
let folder: string
let index: FtsIndex
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-filter-'))
  index = await FtsIndex.open(join(folder, 'search.db'))
  http = await startHttpNode({ index })
  const models = [
    {
      name: 'small',
      parameters: 7e9,
      context_length: 8192,
      license: 'mit',
      tags: ['chat'],
      release_date: '2026-01-15',
    },
    { name: 'large', parameters: 70e9, context_length: 131_072, license: 'apache-2.0', tags: ['chat', 'code'] },
    { name: 'vision', license: 'mit', resource_requirements: { min_vram_gb: 24 }, release_date: '2026-02-01', odd: 5 },
    { name: 'old', created_at: Date.UTC(2019, 5, 1) / 1000, provider: 'Home Lab', open_weights: false },
  ].map((doc) => ({ kind: 'model', doc }))
  const lines = [...models, { kind: 'workflow', doc: { name: 'flow', steps: 7, license: 'mit' } }]
  await http.call('POST', '/v1/batch', lines.map((line) => JSON.stringify(line)).join('\n'), {
    'content-type': 'application/x-ndjson',
  })
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
  await index[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

type Found = { items: { name?: string; record?: { name: string } }[]; total: number }
const names = ({ items }: Found) => items.map((item) => item.record?.name ?? item.name).toSorted()

test.each<[string, string[]]>([
  ['license = mit', ['small', 'vision']],
  ['license != mit', ['large', 'old']],
  ['license in (mit, apache-2.0) and not tags = code', ['small', 'vision']],
  ['parameters >= 7B and parameters < 70B', ['small']],
  ['parameters = 7B..70B', ['large', 'small']],
  ['context_length >= 128k', ['large']],
  ['min_vram_gb <= 24GB', ['vision']],
  ['resource_requirements exists', ['vision']],
  ['release_date = 2026-01', ['small']],
  ['release_date > 2026-01-15', ['vision']],
  ['created_at < 2020', []],
  ['created_at < 2020-01-01', ['old']],
  ['changed_at >= 2020-01-01 and registered_at < 2200-01-01T00:00:00Z', ['large', 'old', 'small', 'vision']],
  ['provider = "Home Lab"', ['old']],
  ['owner contains home', ['old']],
  ['open_weights = false or odd = 5', ['old', 'vision']],
  ['odd exists', ['vision']],
  ['', ['large', 'old', 'small', 'vision']],
])('%s means the same in a list and in a search', async (filter, expected) => {
  const list = await http.call('GET', `/v1/models?filter=${encodeURIComponent(filter)}`)
  const search = await http.call('POST', '/v1/models/search', { filters: filter })
  expect([list.status, search.status]).toEqual([200, 200])
  expect(names(await jsonOf<Found>(list))).toEqual(expected)
  expect(names(await jsonOf<Found>(search))).toEqual(expected)
})

test('narrows what other parameters and words ask for, over all kinds too', async () => {
  expect(names(await jsonOf<Found>(await http.call('GET', '/v1/models?license=mit&filter=tags+exists')))).toEqual([
    'small',
  ])
  const all = await jsonOf<Found>(await http.call('POST', '/v1/search', { filters: 'license = mit' }))
  expect(names(all)).toEqual(['flow', 'small', 'vision'])
  const words = await jsonOf<Found>(await http.call('POST', '/v1/search', { query: 'flow', filters: 'steps in 5..10' }))
  expect(names(words)).toEqual(['flow'])
  const kinds = await jsonOf<Found>(await http.call('POST', '/v1/search', { filters: 'kind != model' }))
  expect(names(kinds)).toEqual(['flow'])
})

test.each<[string, number, string | undefined]>([
  ['license = ', 10, undefined],
  ['license = mit and (tags = chat', 30, undefined],
  ['license = mit and lisence = mit', 18, 'did you mean license?'],
  ['context_lenght > 8k', 0, 'did you mean context_length?'],
  ['provider = Home Lab', 16, 'a value of several words goes in quotes: "Home Lab"'],
  ['parameters > many', 13, 'such as 5 or 128k'],
  ['zzzzzzzz = 1', 0, undefined],
  ['tags = chat and input exists', 16, undefined],
])('%s is answered with its position and a hint', async (filter, position, hint) => {
  const list = await http.call('GET', `/v1/models?filter=${encodeURIComponent(filter)}`)
  const search = await http.call('POST', '/v1/models/search', { filters: filter })
  for (const [answer, pointer] of [
    [list, '/filter'],
    [search, '/filters'],
  ] as const) {
    expect(answer.status).toBe(400)
    const problem = await jsonOf(answer)
    expect(problem).toMatchObject({ code: 'bad-query', position, errors: [{ pointer }] })
    expect(problem['hint']).toBe(hint)
    expect(problem['detail']).toContain(`(at character ${position})`)
  }
})

test('a field counts as known when a table has it or a record does', async () => {
  expect((await http.call('GET', '/v1/models?filter=homepage+exists')).status).toBe(200)
  expect((await http.call('GET', '/v1/models?filter=steps+exists')).status).toBe(400)
  expect((await http.call('GET', '/v1/models?filter=later+exists')).status).toBe(400)
  const made = await jsonOf(await http.call('POST', '/v1/models', { name: 'newer', later: 'x' }))
  expect(names(await jsonOf<Found>(await http.call('GET', '/v1/models?filter=later+exists')))).toEqual(['newer'])
  await http.call('DELETE', `/v1/models/${made['id']}`)
})

test('two filters, a long one and half a surrogate pair are refused', async () => {
  for (const query of ['filter=a=1&filter=b=1', `filter=${'x'.repeat(5000)}`]) {
    expect((await http.call('GET', `/v1/models?${query}`)).status, query.slice(0, 20)).toBe(400)
  }
  const half = await http.call('POST', '/v1/search', '{"filters":"name = \\"\\ud800\\""}')
  expect([half.status, (await jsonOf(half))['position']]).toEqual([400, 8])
})
