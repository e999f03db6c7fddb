/** What is damaged on the node's disk is named over HTTP, or counted beside what is good, until its ops have come again. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
let did: string
/** Of three records one lost its row, and the frame that it would be merged from again. */
let [good, lost] = ['', '']
let frame: Uint8Array

beforeAll(async () => {
  const disk = new FaultyDisk()
  {
    await using before = await startHttpNode({ disk })
    did = before.node.did!
    const ids: string[] = []
    for (const name of ['first', 'second', 'third']) {
      const made = await before.call('POST', '/v1/tools', { name, description: `The ${name} of three.` })
      ids.push(String((await jsonOf(made))['id']))
    }
    ;[good, lost] = ids as [string, string]
    await before.call('PATCH', `/v1/tools/${lost}`, { version: '2' })
    const [, change] = await before.replica.changes(0, 9)
    frame = (await before.replica.frames([change!.op])).frames[0]!
  }
  const rows = await disk.keysFrom('r')
  await disk.damage(
    'r',
    rows.findIndex((key) => Buffer.from(key).toString('hex').endsWith(lost)),
  )
  await disk.damage('f', 1)
  // Nothing is in memory any more.
  http = await startHttpNode({ disk })
})
afterAll(() => http[Symbol.asyncDispose]())

const corrupt = { code: 'store-corrupt', status: 503, node_error: 'store-corrupt' }
const listed = async (path: string, body?: unknown) =>
  jsonOf(await http.call(body === undefined ? 'GET' : 'POST', path, body)) as Promise<{
    items: { id?: string; record?: { id: string } }[]
  }>

test.each([
  ['the record', () => `/v1/tools/${lost}`],
  ['its history', () => `/v1/tools/${lost}/history`],
  ['its heads', () => `/v1/tools/${lost}/heads`],
  ['who may write it', () => `/v1/tools/${lost}/authority`],
  ['its card', () => `/tools/${lost}`],
  ['the state of all records', () => '/v1/status?state_hash=1'],
])('names the damage where %s is asked for', async (_what, path) => {
  const answer = await http.call('GET', path())
  expect(answer.headers.get('retry-after')).toBe('60')
  expect(await jsonOf(answer)).toMatchObject(corrupt)
})

test('names it to whoever would write there', async () => {
  expect(await jsonOf(await http.call('PATCH', `/v1/tools/${lost}`, { license: 'mit' }))).toMatchObject(corrupt)
})

test('has the others, and says how many it leaves out', async () => {
  expect((await http.call('GET', `/v1/tools/${good}`)).status).toBe(200)
  for (const path of ['/v1/tools', '/v1/tools?query=three'])
    expect(await listed(path)).toMatchObject({ items: { length: 2 }, damaged: 1 })
  expect(await listed('/v1/search', { query: 'three' })).toMatchObject({ items: { length: 2 }, damaged: 1 })
  const page = await fetch(`${http.url}/?query=three`, { headers: { accept: 'text/html' } })
  expect(await page.text()).toContain('1 record is damaged on the disk of this node')
})

test.each([
  '/v1/status',
  '/v1/changes',
  '/v1/fields',
  `/publishers/`,
  '/node',
  '/metrics',
  '/.well-known/ai-catalog.json',
])('answers %s as ever', async (path) => {
  expect((await http.call('GET', path === '/publishers/' ? path + did : path)).status).toBe(200)
})

test('tells of its other changes as ever', async () => {
  const lines = (await (await http.call('GET', '/v1/changes')).text()).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line)).filter(({ id }) => id === lost)).toMatchObject([
    { type: 'patch', kind: 'tool' },
  ])
})

test('has all again when its op has come', async () => {
  expect((await http.call('POST', '/v1/ops', frame, { 'content-type': 'application/octet-stream' })).status).toBe(200)
  expect((await http.call('GET', `/v1/tools/${lost}`)).status).toBe(200)
  expect((await http.call('GET', `/v1/tools/${lost}/history`)).status).toBe(200)
  await expect.poll(() => listed('/v1/tools')).toMatchObject({ items: { length: 3 } })
  expect(await listed('/v1/tools')).not.toHaveProperty('damaged')
})
