/** `peerage mcp serve` as an IDE starts it: the client of the MCP SDK on its standard input and output. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Running, startNode } from '../support/start-node.ts'

let folder: string
let node: Running
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-mcp-'))
  node = await startNode({ data: join(folder, 'data'), offline: true })
}, 30_000)
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function connect(...where: readonly string[]): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const args = [resolve(import.meta.dirname, '../../src/bin.js'), 'mcp', 'serve', ...where]
  const env = { PATH: process.env['PATH'] as string, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }))
  return client
}

// biome-ignore lint/suspicious/noExplicitAny: what came over the wire
type Said = any

test('publishes, finds and reads a record; what is wrong with a document is said in words', async () => {
  const client = await connect('--data', join(folder, 'data'))
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['search', 'get', 'publish'])
  const doc = { name: 'night-shift', description: `Watches the pager. ${'Long. '.repeat(100)}`, tags: ['ops'] }
  const published: Said = await client.callTool({ name: 'publish', arguments: { kind: 'agent', doc } })
  expect(published.structuredContent).toEqual({ id: expect.stringMatching(/^[0-9a-f]{64}$/), outcome: 'created' })
  const { id } = published.structuredContent
  const again: Said = await client.callTool({ name: 'publish', arguments: { kind: 'agent', doc } })
  expect(again.structuredContent).toEqual({ id, outcome: 'unchanged' })
  const found: Said = await client.callTool({ name: 'search', arguments: { query: 'pager', facets: ['tags'] } })
  expect(found.structuredContent.items).toMatchObject([{ id, kind: 'agent', name: 'night-shift' }])
  expect(found.structuredContent.items[0].description.length).toBeLessThanOrEqual(300)
  expect(found.structuredContent.facets.tags).toEqual([{ value: 'ops', count: 1 }])
  const got: Said = await client.callTool({ name: 'get', arguments: { id } })
  expect(got.structuredContent).toMatchObject({ id, ...doc })
  expect(JSON.parse(got.content[0].text)).toEqual(got.structuredContent)
  const named: Said = await client.callTool({ name: 'get', arguments: { id: 'agent/night-shift' } })
  expect(named.structuredContent.id).toBe(id)
  const wrong: Said = await client.callTool({
    name: 'publish',
    arguments: { kind: 'agent', doc: { name: 'x', tags: 7 } },
  })
  expect(wrong).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('/tags') }] })
  for (const [name, args] of [
    ['get', {}],
    ['get', { id: 'agent/nobody' }],
    ['search', { kind: 'no-such-kind' }],
    ['search', { filters: 'x' }],
    ['publish', { kind: 'agent' }],
    ['nothing', {}],
  ] as const) {
    expect((await client.callTool({ name, arguments: args })).isError, name).toBe(true)
  }
  await client.close()
}, 30_000)

test('without a token it only reads', async () => {
  const client = await connect('--url', node.http)
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['search', 'get'])
  await client.close()
}, 30_000)
