/** The MCP Registry's reads: every server once, by the name it has there, in the shape that its clients parse. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { valueToJson } from '../../../crdt/index.ts'
import { catalogueFiles, leftOut, readCatalogue } from '../../support/catalogue-files.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

const at = (path: string, init?: RequestInit) => fetch(`${http.url}/v0.1/servers${path}`, init)
const read = async (path: string) => jsonOf(await at(path))

async function put(...docs: Record<string, unknown>[]): Promise<string[]> {
  const items = docs.map((doc) => ({
    kind: 'tool',
    slug: `${doc['provider']}/${doc['name']}`,
    doc: { protocol: 'mcp', ...doc },
  }))
  const outcomes = await http.node.catalogue.batch(items)
  return outcomes.map((outcome) => outcome.id as string)
}

type Listed = { server: Record<string, string>; _meta: Record<string, Record<string, unknown>> }

async function all(query: string, url = http.url): Promise<Listed[]> {
  const found: Listed[] = []
  for (let cursor = ''; ; ) {
    const { servers, metadata } = await jsonOf(
      await fetch(`${url}/v0.1/servers?${query}&cursor=${encodeURIComponent(cursor)}`),
    )
    expect(metadata.count).toBe(servers.length)
    found.push(...servers)
    if (metadata.nextCursor === undefined) return found
    cursor = metadata.nextCursor
  }
}

test('a server made of fields is whole: name, version, packages and remotes as the schema has them', async () => {
  await put({
    name: 'say hello',
    provider: 'maker',
    display_name: 'Hello',
    description: 'Says hello. '.repeat(20),
    runtime: 'python',
    package: 'hello-mcp',
    version: '2.0.1',
    homepage: 'https://github.com/maker/hello',
    config: [{ name: 'TOKEN', description: 'Whose.', required: true }],
    endpoints: [
      { type: 'sse', url: 'https://hello.example/sse' },
      { type: 'rest', url: 'https://hello.example/' },
    ],
    status: 'deprecated',
  })
  const { server, _meta } = await read('/maker%2Fsay-hello/versions/latest')
  expect(server).toEqual({
    $schema: expect.stringContaining('server.schema.json'),
    name: 'maker/say-hello',
    title: 'Hello',
    description: expect.stringMatching(/^Says hello\. .*…$/),
    version: '2.0.1',
    repository: { url: 'https://github.com/maker/hello', source: 'github' },
    packages: [
      {
        registryType: 'pypi',
        identifier: 'hello-mcp',
        version: '2.0.1',
        transport: { type: 'stdio' },
        environmentVariables: [{ name: 'TOKEN', description: 'Whose.', isRequired: true }],
      },
    ],
    remotes: [{ type: 'sse', url: 'https://hello.example/sse' }],
  })
  expect(server['description'].length).toBe(100)
  const official = _meta['io.modelcontextprotocol.registry/official']
  expect(official).toMatchObject({ status: 'deprecated', isLatest: true })
  for (const time of ['statusChangedAt', 'publishedAt', 'updatedAt'])
    expect(official[time]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
})

test('of records with one name the oldest keeps it, and each is found by the name that it is listed under', async () => {
  const ids = await put(
    { name: 'a b', provider: 'clash' },
    { name: 'a-b', provider: 'clash' },
    { name: 'a@b', provider: 'clash' },
  )
  const names = (await all('limit=100'))
    .map(({ server }) => server['name'])
    .filter((name) => name?.startsWith('clash/'))
  const [oldest] = await Promise.all([jsonOf(await at('/clash%2Fa-b/versions/latest'))])
  const first = oldest?.['_meta']['peerage/record'].id
  expect(ids).toContain(first)
  expect(names.toSorted()).toEqual(
    ['clash/a-b', ...ids.filter((id) => id !== first).map((id) => `clash/a-b-${id.slice(0, 8)}`)].toSorted(),
  )
  for (const name of names) {
    const found = await read(`/${encodeURIComponent(name as string)}/versions`)
    expect(found['servers'].map(({ server }: { server: { name: string } }) => server.name)).toEqual([name])
  }
  await http.call('DELETE', `/v1/tools/${first}`)
  const heir = await read('/clash%2Fa-b/versions/latest')
  expect(ids).toContain(heir['_meta']['peerage/record'].id)
  expect(heir['_meta']['peerage/record'].id).not.toBe(first)
})

test('what is not there is 404 in the words of the registry, and what is asked wrongly a problem', async () => {
  for (const path of [
    '/maker%2Fnobody/versions',
    '/maker%2Fsay-hello/versions/9.9.9',
    '/%ff/versions',
    '/maker%2Fsay-hello/versions/',
  ]) {
    const answer = await at(path)
    expect(answer.status, path).toBe(404)
    if (!path.endsWith('/')) expect(await answer.json()).toEqual({ error: 'Server not found' })
  }
  for (const query of [
    '?limit=0',
    '?limit=x',
    '?cursor=nonsense',
    '?updated_since=yesterday',
    '?include_deleted=true&cursor=x',
  ])
    expect((await at(query)).status, query).toBe(400)
})

test('deleted servers are told to who asks for changes, and to nobody else', async () => {
  const before = new Date(Date.now() - 1).toISOString()
  const [id] = await put({ name: 'brief', provider: 'gone', description: 'Not for long.' })
  expect((await all(`updated_since=${before}`)).map(({ server }) => server['name'])).toContain('gone/brief')
  await http.call('DELETE', `/v1/tools/${id}`)
  const changed = await all(`updated_since=${before}&limit=1`)
  const gone = changed.find(({ server }) => server['name'] === 'gone/brief')
  expect(gone?._meta['io.modelcontextprotocol.registry/official']?.['status']).toBe('deleted')
  expect(gone?.server['description']).not.toBe('')
  expect((await all('limit=100')).map(({ server }) => server['name'])).not.toContain('gone/brief')
  expect((await all('include_deleted=true')).length).toBe((await all('limit=100')).length + 2)
  expect(await all(`updated_since=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([])
  expect((await at('/gone%2Fbrief/versions/latest')).status).toBe(404)
})

test('search, exact version, the same under v0, tags and other origins', async () => {
  await put({ name: 'weather', provider: 'sky', description: 'Rain and shine.', version: '3.1.0' })
  const names = async (query: string) => (await all(query)).map(({ server }) => server['name'])
  expect((await names('search=rain'))[0]).toBe('sky/weather')
  expect(await names('version=3.1.0')).toEqual(['sky/weather'])
  const v0 = await fetch(`${http.url}/v0/servers?search=rain`)
  expect(await v0.json()).toEqual(await read('?search=rain'))
  const answer = await at('/sky%2Fweather/versions/latest', { headers: { origin: 'https://elsewhere.example' } })
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  const etag = answer.headers.get('etag') as string
  expect((await at('/sky%2Fweather/versions/latest', { headers: { 'if-none-match': etag } })).status).toBe(304)
  const preflight = await at('', { method: 'OPTIONS', headers: { origin: 'https://elsewhere.example' } })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-methods')).toMatch(/GET.*OPTIONS/)
  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/Authorization.*Content-Type/)
})

describe.skipIf(catalogueFiles === undefined)(`the real catalogue${leftOut}`, () => {
  test('every MCP server is listed once, whole, and is read by its name', { timeout: 60_000 }, async () => {
    await using node = await startHttpNode({ seed: 3 })
    const { records } = await readCatalogue((catalogueFiles ?? []).filter((path) => path.includes('tools')))
    const items = records
      .filter((_, n) => n % 2 === 0)
      .map(({ kind, slug, doc }) => ({ kind, slug, doc: valueToJson(doc) }))
    for (let from = 0; from < items.length; from += 1000)
      await node.node.catalogue.batch(items.slice(from, from + 1000), { lenient: true })
    const names = new Set<string>()
    for (const { server } of await all('limit=1000', node.url)) {
      expect(server['name']).toMatch(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/)
      expect(server['description']?.length).toBeGreaterThan(0)
      expect(server['description']?.length).toBeLessThanOrEqual(100)
      expect(server['version']?.length).toBeGreaterThan(0)
      names.add(server['name'] as string)
    }
    expect(names.size).toBe(node.node.replica.counts().records['tool'])
    for (const name of [...names].filter((_, n) => n % 50 === 0)) {
      const answer = await jsonOf(await fetch(`${node.url}/v0.1/servers/${encodeURIComponent(name)}/versions/latest`))
      expect(answer['server'].name).toBe(name)
    }
  })
})
