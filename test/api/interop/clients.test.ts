/**
 * The clients that people have, as they come from npm, against a running node: over the real catalogue where
 * CATALOG_DATA names one, else over a few records of our own.
 */
import { DefaultAgentCardResolver } from '@a2a-js/sdk/client'
import { listModels, modelInfo } from '@huggingface/hub'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { valueToJson } from '../../../crdt/index.ts'
import { catalogueFiles, leftOut, readCatalogue } from '../../support/catalogue-files.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../../support/http-node.ts'

const CARD = {
  name: 'Night shift',
  description: 'Watches the pager.',
  version: '1.2.0',
  supportedInterfaces: [{ url: 'https://night.example/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: { streaming: true },
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [{ id: 'watch', name: 'Watch', description: 'Watches.', tags: ['ops'] }],
  signatures: [{ protected: 'eyJhbGciOiJFZERTQSJ9', signature: 'c2lnbmVk' }],
}
/** Written as its publisher wrote it: odd spaces are what makes it his. */
const CARD_TEXT = JSON.stringify(CARD, null, 3).replace('"name"', '"name" ')

const OWN = [
  ...Array.from({ length: 7 }, (_, n) => ({
    kind: 'model',
    slug: `maker/teenymade-${n}`,
    doc: {
      name: `teenymade-${n}`,
      provider: 'maker',
      model_type: 'LLM',
      tags: ['transformers', 'text-generation', 'small'],
      downloads: 100 - n,
      parameters: (n + 1) * 1e9,
      license: 'MIT',
    },
  })),
  { kind: 'model', slug: 'a/b/c', doc: { name: 'b/c', provider: 'a', model_type: { Other: 'fill-mask' }, likes: 3 } },
  {
    kind: 'tool',
    slug: 'maker/say hello',
    doc: {
      name: 'say hello',
      provider: 'maker',
      protocol: 'mcp',
      description: 'Says hello. '.repeat(20),
      runtime: 'node',
      package: '@maker/hello',
      config: [{ name: 'TOKEN', description: 'Where from.', required: true }],
      endpoints: [{ type: 'streamable-http', url: 'https://hello.example/mcp' }],
    },
  },
  { kind: 'tool', slug: 'maker/say-hello', doc: { name: 'say-hello', provider: 'maker', protocol: 'mcp' } },
  { kind: 'tool', slug: 'maker/hammer', doc: { name: 'hammer', provider: 'maker', protocol: 'rest' } },
  { kind: 'agent', slug: 'idle', doc: { name: 'idle', description: 'Cannot be called.' } },
  {
    kind: 'agent',
    slug: 'caller',
    doc: {
      name: 'caller',
      description: 'Calls.',
      tags: ['phone'],
      endpoints: [{ type: 'a2a', url: 'https://caller.example/a2a' }],
    },
  },
  {
    kind: 'agent',
    slug: 'night-shift',
    doc: { name: 'night-shift', display_name: CARD.name, description: 'Another text.', originals: { a2a: CARD_TEXT } },
  },
]

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
  const outcomes = await http.node.catalogue.batch(OWN)
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(OWN.map(() => 'created'))
  if (catalogueFiles === undefined) return
  const wanted = catalogueFiles.filter((path) => /(models|tools|agents)\.jsonl/.test(path))
  const { records } = await readCatalogue(wanted)
  // Every fourth is as good for what is asked here, and four times as quick.
  const items = records
    .filter((_, at) => at % 4 === 0)
    .map(({ kind, slug, doc }) => ({ kind, slug, doc: valueToJson(doc) }))
  for (let at = 0; at < items.length; at += 1000) {
    await http.node.catalogue.batch(items.slice(at, at + 1000), { lenient: true })
  }
}, 60_000)
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

async function idOf(kind: string, slug: string): Promise<string> {
  const { items } = await jsonOf(await fetch(`${http.url}/v1/${kind}?slug=${encodeURIComponent(slug)}`))
  return items[0].id
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe(`@huggingface/hub${leftOut}`, () => {
  test('lists every model, page by page, by publisher, task, tag and words', async () => {
    const hubUrl = http.url
    const mine = await all(listModels({ hubUrl, search: { owner: 'maker' } }))
    expect(mine.map(({ name }) => name)).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `maker/teenymade-${n}`))
    expect(mine[0]).toMatchObject({ task: 'text-generation', downloads: 100, private: false, gated: false })
    const { records } = await jsonOf(await fetch(`${http.url}/v1/status`))
    const names = (await all(listModels({ hubUrl }))).map(({ id }) => id)
    expect(names.length).toBe(records.model)
    expect(new Set(names).size).toBe(names.length)
    const small = await all(
      listModels({ hubUrl, search: { tags: ['small', 'transformers'], task: 'text-generation' } }),
    )
    expect(small.length).toBeGreaterThanOrEqual(7)
    const found = await all(
      listModels({ hubUrl, search: { query: 'teenymade-3' }, limit: 1, additionalFields: ['author', 'tags'] }),
    )
    expect(found).toMatchObject([{ name: 'maker/teenymade-3', author: 'maker' }])
    expect(found[0]?.tags).toContain('license:mit')
    expect(await all(listModels({ hubUrl, search: { owner: 'nobody at all' } }))).toEqual([])
  }, 30_000)

  test('pages are joined by Link, each model on one of them', async () => {
    const names: string[] = []
    let url: string | undefined = `${http.url}/api/models?author=maker&limit=3`
    while (url !== undefined) {
      const answer: Response = await fetch(url)
      names.push(...(await jsonOf<{ id: string }[]>(answer)).map(({ id }) => id))
      url = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
    }
    expect(names).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `maker/teenymade-${n}`))
    for (const query of ['limit=0', 'cursor=x', 'sort=taste', 'num_parameters=6B'])
      expect((await fetch(`${http.url}/api/models?${query}`)).status, query).toBe(400)
  })

  test('of two models with one id the older registration answers', async () => {
    for (const [n, slug] of ['first', 'second', 'third'].entries()) {
      const doc = { name: 'twin', provider: 'pair', downloads: n }
      await http.node.catalogue.batch([{ kind: 'model', slug: `pair/${slug}`, doc }])
    }
    expect(await modelInfo({ hubUrl: http.url, name: 'pair/twin' })).toMatchObject({ downloads: 0 })
    await http.call('DELETE', `/v1/models/${await idOf('models', 'pair/first')}`)
    expect(await modelInfo({ hubUrl: http.url, name: 'pair/twin' })).toMatchObject({ downloads: 1 })
  })

  test('reads a model by its id, however many slashes, at the revisions there are', async () => {
    const hubUrl = http.url
    expect(await modelInfo({ hubUrl, name: 'a/b/c' })).toMatchObject({ name: 'a/b/c', task: 'fill-mask', likes: 3 })
    const one = await modelInfo({ hubUrl, name: 'maker/teenymade-0', additionalFields: ['safetensors', 'cardData'] })
    expect(one).toMatchObject({ safetensors: { total: 1e9 }, cardData: { license: 'MIT' } })
    await expect(modelInfo({ hubUrl, name: 'maker/teenymade-0', revision: 'v9' })).rejects.toMatchObject({
      statusCode: 404,
    })
    await expect(modelInfo({ hubUrl, name: 'maker/none' })).rejects.toMatchObject({ statusCode: 404 })
    for (const path of ['a/b/c', 'a%2Fb%2Fc', 'a/b/c/revision/HEAD'])
      expect((await fetch(`${http.url}/api/models/${path}`)).status).toBe(200)
    const sized = await jsonOf<{ id: string }[]>(
      await fetch(`${hubUrl}/api/models?author=maker&num_parameters=min:2B,max:3B`),
    )
    expect(sized.map(({ id }) => id).sort()).toEqual(['maker/teenymade-1', 'maker/teenymade-2'])
  })

  test('every model of the catalogue is read by the id that the list gives it', async () => {
    const listed = await jsonOf<{ id: string }[]>(await fetch(`${http.url}/api/models?limit=1000&sort=createdAt`))
    for (const { id } of listed.filter((_, at) => at % 40 === 0)) {
      const path = id.split('/').map(encodeURIComponent).join('/')
      const answer = await fetch(`${http.url}/api/models/${path}`)
      expect((await jsonOf(answer))['id'], id).toBe(id)
    }
  })
})

describe(`@a2a-js/sdk${leftOut}`, () => {
  const resolver = new DefaultAgentCardResolver()

  test("reads the node's own card, which names the skills that the node has", async () => {
    const card = await resolver.resolve(http.url)
    expect(card.skills.map(({ id }) => id)).toEqual(['search', 'get', 'publish'])
    expect(card.supportedInterfaces[0]?.url).toBe(`${http.url}/mcp`)
    expectWhole(card)
  })

  test('reads the card of an agent that can be called; without an address there is none, and it says why', async () => {
    const card = await resolver.resolve(`${http.url}/a2a/${await idOf('agents', 'caller')}/`)
    expectWhole(card)
    expect(card.supportedInterfaces[0]).toMatchObject({ url: 'https://caller.example/a2a', protocolBinding: 'JSONRPC' })
    const none = await fetch(`${http.url}/a2a/${await idOf('agents', 'idle')}/.well-known/agent-card.json`)
    expect(none.status).toBe(404)
    expect((await jsonOf(none))['detail']).toMatch(/no card.*no endpoint/)
  })

  test("hands over a publisher's signed card byte for byte, with a tag and an age", async () => {
    const url = `${http.url}/a2a/${await idOf('agents', 'night-shift')}/.well-known/agent-card.json`
    const answer = await fetch(url)
    const etag = answer.headers.get('etag') as string
    expect(await answer.text()).toBe(CARD_TEXT)
    expect(answer.headers.get('cache-control')).toMatch(/max-age=\d+/)
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304)
  })

  test('every agent of the catalogue has a card once it has an address', async () => {
    const { items } = await jsonOf(await fetch(`${http.url}/v1/agents?limit=20`))
    for (const agent of items) {
      const before = await fetch(`${http.url}/a2a/${agent.id}/.well-known/agent-card.json`)
      await before.body?.cancel()
      if (before.status === 200) continue
      const endpoints = [{ type: 'JSONRPC', url: `https://example.org/${agent.id}` }]
      const patched = await http.call(
        'PATCH',
        `/v1/agents/${agent.id}`,
        { endpoints },
        { 'content-type': 'application/merge-patch+json' },
      )
      expect(patched.status).toBe(200)
      expectWhole(await resolver.resolve(`${http.url}/a2a/${agent.id}/`))
    }
  })
})

// biome-ignore lint/suspicious/noExplicitAny: what came over the wire
function expectWhole(card: any) {
  for (const name of ['name', 'description', 'version']) expect(card[name], name).toEqual(expect.any(String))
  for (const name of ['supportedInterfaces', 'defaultInputModes', 'defaultOutputModes', 'skills']) {
    expect(card[name].length, name).toBeGreaterThan(0)
  }
  expect(card.capabilities).toEqual(expect.any(Object))
  for (const one of card.supportedInterfaces)
    expect(Object.keys(one)).toEqual(expect.arrayContaining(['url', 'protocolBinding', 'protocolVersion']))
  for (const skill of card.skills)
    expect(skill).toMatchObject({
      id: expect.any(String),
      name: expect.any(String),
      description: expect.any(String),
      tags: expect.any(Array),
    })
}

describe(`@modelcontextprotocol/sdk over HTTP${leftOut}`, () => {
  test('searches and gets; publishing is not offered there', async () => {
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${http.url}/mcp`)) as never)
    expect(client.getServerVersion()?.name).toBe('peerage')
    expect(client.getInstructions()).toMatch(/never as instructions/)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['search', 'get'])
    const found = await client.callTool({
      name: 'search',
      arguments: { query: 'teenymade-2', kind: 'model', filters: { license: 'MIT' } },
    })
    // biome-ignore lint/suspicious/noExplicitAny: what came over the wire
    const { items } = found.structuredContent as any
    expect(items[0]).toMatchObject({ name: 'teenymade-2', provider: 'maker' })
    const got = await client.callTool({ name: 'get', arguments: { id: items[0].id } })
    expect(got.structuredContent).toMatchObject({ id: items[0].id, parameters: 3e9, heads: [expect.any(String)] })
    expect(await client.callTool({ name: 'get', arguments: { id: 'no' } })).toMatchObject({ isError: true })
    expect(await client.callTool({ name: 'publish', arguments: { kind: 'model', doc: { name: 'x' } } })).toMatchObject({
      isError: true,
    })
    expect(await client.callTool({ name: 'search', arguments: { limit: 1e9 } })).toMatchObject({ isError: true })
    await client.close()
  })
})
