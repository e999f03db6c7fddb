import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyToDid } from '../../crdt/index.ts'
import { SegmentIndex } from '../../node/search-index.ts'
import { ScanIndex } from '../../node/search-scan.ts'
import { type HttpNode, jsonOf, signerOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
let folder: string
let index: SegmentIndex
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-search-'))
  index = await SegmentIndex.open(join(folder, 'index.sqlite'))
  http = await startHttpNode({ index })
  const models = Array.from({ length: 12 }, (_, n) => ({
    kind: 'model',
    slug: `maker/model-${n}`,
    doc: {
      name: `model-${n}`,
      provider: n % 2 ? 'odd' : 'even',
      context_length: 1024 * n,
      capabilities: n % 3 ? ['chat'] : ['chat', 'vision'],
      open_weights: n < 6,
      quantization: 'GGUF',
      description: 'a small whale',
    },
  }))
  const lines = [...models, { kind: 'tool', doc: { name: 'whale-watcher', description: 'sees every whale' } }]
  await http.call('POST', '/v1/batch', lines.map((line) => JSON.stringify(line)).join('\n'), {
    'content-type': 'application/x-ndjson',
  })
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
  await index[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const list = async (query: string) => jsonOf(await http.call('GET', `/v1/models?${query}`))
const names = (answer: Awaited<ReturnType<typeof list>>) =>
  answer['items'].map((item: { name: string }) => item.name).toSorted()

test('lists a page at a time, each record once, with a link to the next', async () => {
  const seen: string[] = []
  let pages = 0
  for (let next: string | undefined = '/v1/models?limit=5&sort=name'; next !== undefined; pages++) {
    const answer = await http.call('GET', next)
    expect(answer.status).toBe(200)
    const page = await jsonOf(answer)
    expect(page['total']).toBe(12)
    seen.push(...page['items'].map((item: { name: string }) => item.name))
    next = answer.headers.get('link')?.match(/^<(.+)>; rel="next"$/)?.[1]
    expect(next === undefined).toBe(page['next_cursor'] === undefined)
  }
  expect(pages).toBe(3)
  expect(seen).toHaveLength(12)
  expect(new Set(seen).size).toBe(12)
})

test('filters by equality, bounds, membership and several at once', async () => {
  expect(await list('provider=odd')).toMatchObject({ total: 6 })
  expect(await list('owner=odd')).toMatchObject({ total: 6 })
  expect(await list('context_length=2048')).toMatchObject({ total: 1 })
  expect(names(await list('context_length_gte=9216&context_length_lte=10240'))).toEqual(['model-10', 'model-9'])
  expect(await list('capabilities=vision')).toMatchObject({ total: 4 })
  expect(await list('capabilities=vision&capabilities=chat&provider=odd')).toMatchObject({ total: 2 })
  expect(await list('open_weights=true')).toMatchObject({ total: 6 })
  expect(await list('provider=Odd')).toMatchObject({ total: 0 })
})

test.each([
  'limit=0',
  'limit=-1',
  'limit=1001',
  'limit=1000000000',
  'limit=1.5',
  'limit=x',
  'cursor=nonsense',
  'cursor=',
  `cursor=${'x'.repeat(5000)}`,
  'context_length_gte=many',
  Array.from({ length: 40 }, (_, n) => `f${n}=1`).join('&'),
])('refuses ?%s with 400', async (query) => {
  const answer = await http.call('GET', `/v1/models?${query}`)
  expect(answer.status).toBe(400)
  expect(await jsonOf(answer)).toMatchObject({ status: 400, code: expect.stringMatching(/^bad-/) })
})

test('searches one kind and all kinds, with facets and filters', async () => {
  const one = await jsonOf(
    await http.call('POST', '/v1/models/search', { query: 'whale', facets: ['provider'], limit: 3 }),
  )
  expect(one['items']).toHaveLength(3)
  expect(one['items'][0]).toMatchObject({ record: { kind: 'model' }, score: expect.any(Number) })
  expect(one['facets']['provider']).toEqual(
    expect.arrayContaining([
      { value: 'odd', count: 6 },
      { value: 'even', count: 6 },
    ]),
  )
  const all = await jsonOf(await http.call('POST', '/v1/search', { query: 'whale', limit: 50 }))
  expect(new Set(all['items'].map((item: { record: { kind: string } }) => item.record.kind))).toEqual(
    new Set(['model', 'tool']),
  )
  const chosen = await jsonOf(await http.call('POST', '/v1/search', { query: 'whale', kinds: ['tool'] }))
  expect(chosen['items']).toHaveLength(1)
  const filtered = await jsonOf(
    await http.call('POST', '/models/search', { filters: { context_length_gte: 10240, provider: 'odd' } }),
  )
  expect(filtered).toMatchObject({ total: 1, items: [{ record: { name: 'model-11' } }] })
})

test.each(['owner', 'owner_id'])('names are counted of the records of the key that %s gives', async (field) => {
  const namesOf = async (did: string) => {
    const filters = { [field]: did }
    return (await jsonOf(await http.call('POST', '/v1/search', { filters, facets: ['provider'] })))['facets'][
      'provider'
    ]
  }
  expect(await namesOf(keyToDid(signerOf(99).key))).toEqual([])
  expect(await namesOf(keyToDid(http.signer.key))).not.toEqual([])
})

test('finds at once what was just acknowledged', async () => {
  for (let n = 0; n < 20; n++) {
    await http.call('POST', '/v1/personas', { name: `persona-${n}` })
    expect(await jsonOf(await http.call('GET', '/v1/personas'))).toMatchObject({ total: n + 1 })
  }
})

/** An index that takes no record in until it is let. */
class HeldIndex extends ScanIndex {
  readonly #gate = Promise.withResolvers<void>()

  override async apply(change: Parameters<ScanIndex['apply']>[0]): Promise<void> {
    if (change.entries.length > 0) await this.#gate.promise
    return super.apply(change)
  }

  letGo(): void {
    this.#gate.resolve()
  }
}

test('waits for the index, and says how far behind it is when that takes too long', async () => {
  const held = new HeldIndex()
  await using own = await startHttpNode({ seed: 2, index: held })
  // Or a failure here would wait for it for ever.
  using _letGo = { [Symbol.dispose]: () => held.letGo() }
  await own.call('POST', '/v1/models', { name: 'late' })
  const late = await jsonOf(await own.call('POST', '/v1/search', { query: 'late' }))
  expect(late).toMatchObject({ items: [], index_behind: 1 })
  const waiting = own.call('GET', '/v1/models')
  setTimeout(() => held.letGo(), 20)
  const found = await jsonOf(await waiting)
  expect(found).toMatchObject({ total: 1, items: [{ name: 'late' }] })
  expect(found).not.toHaveProperty('index_behind')
})

test('does not show what was deleted', async () => {
  const { id } = await jsonOf(await http.call('POST', '/v1/services', { name: 'gone' }))
  await http.call('DELETE', `/v1/services/${id}`)
  expect(await jsonOf(await http.call('GET', '/v1/services'))).toMatchObject({ total: 0, items: [] })
})

test.each([
  ['a list', [], ''],
  ['an unknown member', { quarry: 'x' }, '/quarry'],
  ['a number as text', { query: 5 }, '/query'],
  ['half a surrogate pair', '{"query":"\\udc00"}', '/query'],
  ['filters that are no object', { filters: ['x'] }, '/filters'],
  ['facets that are no names', { facets: [1] }, '/facets'],
  ['a limit beyond the page', { limit: 5000 }, '/limit'],
  ['a limit as text', { limit: '5' }, '/limit'],
  ['a kind there is none of', { kinds: ['spaceship'] }, '/kinds'],
  ['a cursor that is none', { cursor: 5 }, '/cursor'],
])('refuses %s with 400 and its pointer', async (_what, body, pointer) => {
  const answer = await http.call('POST', '/v1/search', body)
  expect(answer.status).toBe(400)
  expect((await jsonOf(answer))['errors'][0].pointer).toBe(pointer)
})

test.each([
  '"',
  '*',
  'NEAR(',
  'a OR b AND NOT',
  'name:x',
  '^',
  '((((',
  'x'.repeat(600),
  "'; DROP TABLE",
  '%',
  '🤗',
  '\u0000',
  'a'.repeat(40).split('').join(' '),
])('takes %j as words, or says what is too much', async (query) => {
  const answer = await http.call('POST', '/v1/search', { query })
  expect([200, 400]).toContain(answer.status)
})
