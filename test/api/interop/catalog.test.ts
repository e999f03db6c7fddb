/** AI Catalog and Agentic Resource Discovery: every record once, found, counted, and read where its entry says. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kinds } from '../../../crdt/index.ts'
import { madeItems } from '../../support/catalogue-items.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../../support/http-node.ts'

const MADE = 1_300
let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
  const made = madeItems(MADE)
  await http.node.catalogue.batch(made.slice(0, 1000))
  await http.node.catalogue.batch(made.slice(1000))
  await http.node.catalogue.batch([
    {
      kind: 'tool',
      slug: 'sky/weather',
      doc: { name: 'weather', provider: 'sky', protocol: 'mcp', tags: ['rain'], description: 'Rain and shine.' },
    },
    { kind: 'tool', slug: 'sky/hammer', doc: { name: 'hammer', provider: 'sky', tags: ['nails'] } },
    {
      kind: 'agent',
      slug: 'sky/pilot',
      doc: {
        name: 'pilot',
        provider: 'sky',
        tags: ['rain'],
        endpoints: [{ type: 'a2a', url: 'https://sky.example/a2a' }],
      },
    },
    { kind: 'agent', slug: 'sky/sleeper', doc: { name: 'sleeper', provider: 'sky' } },
  ])
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

type Entry = { identifier: string; type: string; url: string; displayName: string }
const NESTED = 'application/ai-catalog+json'

async function crawl(url: string, depth: number, pages: string[]): Promise<Entry[]> {
  expect(depth).toBeLessThanOrEqual(4)
  const answer = await fetch(url)
  expect(answer.headers.get('content-type')).toBe(NESTED)
  expect(answer.headers.get('link')).toContain('rel="ai-catalog"')
  pages.push(url)
  const { specVersion, host, entries } = await jsonOf<{
    specVersion: string
    host: { identifier: string }
    entries: Entry[]
  }>(answer)
  expect([specVersion, host.identifier]).toEqual(['1.0', http.node.did])
  expect(entries.length).toBeLessThanOrEqual(1000)
  const found: Entry[] = []
  for (const entry of entries) {
    if (entry.type === NESTED) found.push(...(await crawl(entry.url, depth + 1, pages)))
    else found.push(entry)
  }
  return found
}

test('a crawler that follows the nested catalogues meets every record once, on pages of at most 1,000', async () => {
  const pages: string[] = []
  const found = await crawl(`${http.url}/.well-known/ai-catalog.json`, 1, pages)
  expect(new Set(found.map(({ identifier }) => identifier)).size).toBe(MADE + 4)
  expect(found.length).toBe(MADE + 4)
  expect(pages.length).toBe(1 + Object.keys(kinds).length + 2)
  for (const entry of found) expect(entry.identifier.startsWith(`${http.node.did}/`)).toBe(true)
})

test('an entry says what is read at its address', async () => {
  const { entries } = await jsonOf(await fetch(`${http.url}/ard/catalog/tools`))
  const { entries: agents } = await jsonOf(await fetch(`${http.url}/ard/catalog/agents`))
  const typeOf = (name: string) => [...entries, ...agents].find(({ displayName }: Entry) => displayName === name)
  expect(typeOf('weather').type).toBe('application/mcp-server-card+json')
  expect(await jsonOf(await fetch(typeOf('weather').url))).toMatchObject({ name: 'sky/weather', version: '0.0.0' })
  expect(typeOf('pilot').type).toBe('application/a2a-agent-card+json')
  expect(await jsonOf(await fetch(typeOf('pilot').url))).toMatchObject({ name: 'pilot', skills: [{ tags: ['rain'] }] })
  for (const name of ['hammer', 'sleeper']) {
    expect(typeOf(name).type).toMatch(/^application\/vnd\.peerage\.\w+\+json$/)
    expect(await jsonOf(await fetch(typeOf(name).url))).toMatchObject({ name })
  }
  expect((await fetch(`${http.url}/ard/catalog/nothings`)).status).toBe(404)
  expect((await fetch(`${http.url}/ard/catalog/tools?from=zz`)).status).toBe(400)
})

const post = (path: string, body: unknown) => http.call('POST', path, body)

test('search: words and filters, scores to 100, pages by token; the same under /ard', async () => {
  const rain = await jsonOf(await post('/search', { query: { text: 'rain', filter: { publisher: 'sky' } } }))
  expect(rain['results'].map(({ displayName }: Entry) => displayName).sort()).toEqual(['pilot', 'weather'])
  expect(Math.max(...rain['results'].map(({ score }: { score: number }) => score))).toBe(100)
  expect(rain['results'][0].source).toBe(http.url)
  const type = ['application/a2a-agent-card+json']
  const agents = await jsonOf(await post('/ard/search', { query: { text: 'rain', filter: { type } } }))
  expect(agents['results'].map(({ displayName }: Entry) => displayName)).toEqual(['pilot'])
  const seen: string[] = []
  let pageToken: string | undefined
  do {
    const page = await jsonOf(
      await post('/search', { query: { filter: { publisher: 'maker-1' } }, pageSize: 30, pageToken }),
    )
    seen.push(...page['results'].map(({ identifier }: Entry) => identifier))
    pageToken = page['pageToken']
  } while (pageToken !== undefined)
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen.length).toBe(Math.ceil((MADE - 1) / 17))
  for (const body of [
    {},
    { query: 'rain' },
    { query: {}, pageSize: 0 },
    { query: {}, pageToken: 'x' },
    { query: { filter: { type: 'x' } } },
    { query: { text: 7 } },
    [],
  ])
    expect((await post('/search', body)).status, JSON.stringify(body)).toBe(400)
})

test('explore: counts by field, with what is beyond the limit', async () => {
  const body = {
    query: { filter: { type: Object.keys(kinds)[0] } },
    resultType: { facets: [{ field: 'publisher', limit: 3 }, { field: 'tags', minCount: 2 }, { field: 'type' }] },
  }
  const { resultType, facets } = await jsonOf(await post('/explore', body))
  expect(resultType).toBe('facets')
  expect(facets.publisher.buckets.length).toBe(3)
  const sum = facets.publisher.buckets.reduce((n: number, { count }: { count: number }) => n + count, 0)
  expect(sum + facets.publisher.otherCount).toBe(MADE)
  expect(facets.tags.buckets[0]).toEqual({ value: 'made', count: MADE })
  expect(facets.type.buckets).toEqual([{ value: `application/vnd.peerage.${Object.keys(kinds)[0]}+json`, count: MADE }])
  for (const wrong of [{}, { resultType: { facets: [] } }, { resultType: { facets: [{ field: 'tags', limit: 0 }] } }])
    expect((await post('/explore', wrong)).status).toBe(400)
})

test('the list of entries is under /ard; GET /agents lists agents as ever', async () => {
  const { items, total } = await jsonOf(
    await fetch(`${http.url}/ard/agents?filter=publisher=sky&orderBy=name%20desc&pageSize=2`),
  )
  expect([items.map(({ displayName }: Entry) => displayName), total]).toEqual([['weather', 'sleeper'], 4])
  const plain = await jsonOf(await fetch(`${http.url}/agents`))
  expect(plain['items'].map(({ kind }: { kind: string }) => kind)).toEqual(['agent', 'agent'])
  for (const query of ['pageSize=101', 'pageSize=x', 'filter=x', 'pageToken=x', 'orderBy=;'])
    expect((await fetch(`${http.url}/ard/agents?${query}`)).status, query).toBe(400)
})
