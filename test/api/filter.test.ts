/** The filter language as clients use it: in lists, in searches, and when it cannot be understood. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SegmentIndex } from '../../node/search-index.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
let folder: string
let index: SegmentIndex
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-filter-'))
  index = await SegmentIndex.open(join(folder, 'search'))
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
  for (const answer of [await jsonOf<Found>(list), await jsonOf<Found>(search)]) {
    expect(answer).not.toHaveProperty('partial')
    expect(names(answer)).toEqual(expected)
  }
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

type Fields = { fields: { name: string; type?: string; types: string[]; records: number; values: unknown[] }[] }
test('fields are listed with their types, units and values, for one kind and for all', async () => {
  const { fields } = await jsonOf<Fields>(await http.call('GET', '/v1/models/fields'))
  const named = (name: string) => fields.find((field) => field.name === name)
  expect(named('license')).toMatchObject({
    type: 'string',
    types: ['string'],
    records: 3,
    values: [
      { value: 'mit', count: 2 },
      { value: 'apache-2.0', count: 1 },
    ],
  })
  expect(named('resource_requirements.min_vram_gb')).toMatchObject({ type: 'number', unit: 'GB', records: 1 })
  expect(named('odd')).toMatchObject({ types: ['number'], records: 1 })
  expect(named('odd')).not.toHaveProperty('type')
  expect(named('registered_at')).toMatchObject({ type: 'integer', unit: 'ms', records: 4 })
  expect(named('homepage')).toMatchObject({ records: 0, values: [] })
  expect(named('steps')).toBeUndefined()
  const all = await jsonOf<Fields>(await http.call('GET', '/v1/fields'))
  expect(all.fields.find(({ name }) => name === 'kind')?.values).toContainEqual({ value: 'model', count: 4 })
  expect(all.fields.find(({ name }) => name === 'steps')?.records).toBe(1)
  expect((await http.call('GET', '/models/fields')).status).toBe(200)
  expect((await http.call('GET', '/fields')).status).toBe(404)
})

test('fields know what was just written', async () => {
  const made = await jsonOf(await http.call('POST', '/v1/tools', { name: 'hammer', weight: 3 }))
  const list = async () => (await jsonOf<Fields>(await http.call('GET', '/v1/tools/fields'))).fields
  await expect
    .poll(async () => (await list()).find(({ name }) => name === 'weight')?.records, { timeout: 15_000 })
    .toBe(1)
  await http.call('DELETE', `/v1/tools/${made['id']}`)
  await expect.poll(async () => (await list()).some(({ name }) => name === 'weight'), { timeout: 15_000 }).toBe(false)
})

type Facets = { facets: Record<string, { value: unknown; count: number }[]>; total: number }
test.each<[string, unknown]>([
  ['text', 'license = mit and context_length exists'],
  ['an object', { license: 'mit', context_length_gte: 0 }],
])('facets count without the conditions on their own field, given as %s', async (_form, filters) => {
  const facets = ['license', 'name', 'context_length']
  const { facets: found, total } = await jsonOf<Facets>(
    await http.call('POST', '/v1/models/search', { filters, facets }),
  )
  expect(total).toBe(1)
  expect(Object.keys(found)).toEqual(facets)
  // Of those with a context length, whatever their licence.
  expect(found['license']).toEqual([
    { value: 'apache-2.0', count: 1 },
    { value: 'mit', count: 1 },
  ])
  // Of those with this licence, whatever their context length.
  expect(found['context_length']).toEqual([{ value: 8192, count: 1 }])
  expect(found['name']).toEqual([{ value: 'small', count: 1 }])
})

test('a facet of a list counts under its own conditions too, and lists have facets and words as searches have', async () => {
  const answer = await jsonOf<Facets>(
    await http.call('GET', '/v1/models?filter=tags%3Dcode&facets=tags,license&query=large'),
  )
  expect(answer).toMatchObject({
    total: 1,
    facets: {
      tags: [
        { value: 'chat', count: 1 },
        { value: 'code', count: 1 },
      ],
      license: [{ value: 'apache-2.0', count: 1 }],
    },
  })
})

test('too many facets of filtered fields, and a facet of two fields, are refused with their place', async () => {
  const fields = ['license', 'name', 'provider', 'version', 'category', 'status', 'locale', 'access', 'family']
  const filters = fields.map((name) => `${name} != x`).join(' and ')
  const answer = await http.call('POST', '/v1/models/search', { filters, facets: fields })
  expect([answer.status, (await jsonOf(answer))['errors'][0].pointer]).toEqual([400, '/facets'])
  const two = await http.call('POST', '/v1/models/search', { filters: 'license = mit', facets: ['license', 'input'] })
  expect([two.status, (await jsonOf(two))['errors'][0].pointer]).toEqual([400, '/facets/1'])
})

test.each<[string, string[]]>([
  ['name', ['large', 'old', 'small', 'vision']],
  ['-name', ['vision', 'small', 'old', 'large']],
  ['-parameters', ['large', 'small']],
  ['context_length', ['small', 'large']],
  ['updated', ['small', 'large', 'vision', 'old']],
  ['-updated', ['old', 'vision', 'large', 'small']],
  ['relevance', []],
])('sort=%s is the same in a list and in a search', async (sort, expected) => {
  const list = await jsonOf<Found>(await http.call('GET', `/v1/models?sort=${sort}`))
  const search = await jsonOf<Found>(await http.call('POST', '/v1/models/search', { sort }))
  const listed = list.items.map((item) => item.name as string)
  expect(search.items.map((item) => item.record?.name)).toEqual(listed)
  // All were registered in one batch: which of them is the newest is for their ids to say.
  if (!sort.endsWith('updated')) expect(listed.slice(0, expected.length)).toEqual(expected)
})

test('a price that is written as a text is compared, sorted and counted by size', async () => {
  const prices = ['0.00003', '3e-8', 2]
  for (const [at, prompt] of prices.entries())
    await http.call('POST', '/v1/models', { name: `priced-${at}`, cost: { prompt } })
  const named = async (query: string) => names(await jsonOf<Found>(await http.call('GET', `/v1/models?${query}`)))
  expect(await named('filter=cost.prompt+%3C+0.001')).toEqual(['priced-0', 'priced-1'])
  expect(await named('filter=cost.prompt+%3D+0.00003')).toEqual(['priced-0'])
  expect(await named('cost.prompt=0.00003')).toEqual(['priced-0'])
  const sorted = await jsonOf<Found>(await http.call('GET', '/v1/models?sort=cost.prompt&filter=cost.prompt+exists'))
  expect(sorted.items.map(({ name }) => name)).toEqual(['priced-1', 'priced-0', 'priced-2'])
  const asText = await http.call('POST', '/v1/models/search', { filters: { 'cost.prompt': '0.00003' } })
  expect(names(await jsonOf<Found>(asText))).toEqual(['priced-0'])
})

test('scores say what they are made of, by the weights of the node, and copies are counted under one', async () => {
  await using segments = await SegmentIndex.open(join(folder, 'weighed'))
  await using own = await startHttpNode({ seed: 5, index: segments, searchWeights: { name: 0, completeness: 3 } })
  for (const provider of ['maker', 'reseller', 'mirror'])
    await own.call('POST', '/v1/models', { slug: `${provider}/orca-7b`, name: 'orca-7b', provider, parameters: 7e9 })
  const explained = await jsonOf(await own.call('POST', '/v1/models/search', { query: 'orca', explain: true }))
  expect(explained['total']).toBe(3)
  for (const { score, parts } of explained['items']) {
    expect(Object.values<number>(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(score, 9)
    expect(parts.name).toBe(0)
    expect(parts.completeness).toBeGreaterThan(0.5)
  }
  const collapsed = await jsonOf(await own.call('POST', '/v1/models/search', { query: 'orca', collapse: true }))
  expect(collapsed).toMatchObject({ total: 1, items: [{ copies: 2 }] })
  for (const name of ['collapse', 'explain']) {
    const wrong = await own.call('POST', '/v1/search', { [name]: 'yes' })
    expect([wrong.status, (await jsonOf(wrong))['errors'][0].pointer]).toEqual([400, `/${name}`])
  }
})
