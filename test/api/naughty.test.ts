/** Strings and documents that have broken other programs: from VECTORS when it is set, else a few of our own. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isSlug } from '../../crdt/index.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

const folder = process.env['VECTORS']
if (folder === undefined)
  console.warn('VECTORS is not set: the Big List of Naughty Strings and the JSON test suite are left out')

const OWN = [
  '',
  ' ',
  '\u0000',
  '\u001e',
  '\ufeff',
  '\u200b',
  'undefined',
  'NaN',
  '1e1000',
  '<script>',
  "' OR 1=1",
  '../../etc/passwd',
  '%00',
  '$(x)',
  '🏳️‍🌈',
  'ﷺ',
  'İ',
  '\u202etest',
  '﷽'.repeat(50),
  'Ω≈ç√',
  '\\',
  '"',
  '{{7*7}}',
]
const strings: string[] = folder === undefined ? OWN : JSON.parse(readFileSync(join(folder, 'blns/blns.json'), 'utf8'))

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

/** Many at once, as clients do, and because one commit serves all that wait. */
async function forEach<T>(items: Iterable<T>, run: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items].values()
  const work = async () => {
    for (const item of queue) await run(item)
  }
  await Promise.all(Array.from({ length: 32 }, work))
}

test('every naughty string comes back byte for byte, as name, value, member and key', async () => {
  const wanted = new Map<string, string>()
  await forEach(new Set(strings), async (text) => {
    const body = { name: text, description: text, tags: [text], 'x-text': text, 'x-map': { [text]: text } }
    const answer = await http.call('POST', '/v1/models', body)
    const isDocument = isSlug(text) && new TextEncoder().encode(text).length <= 128
    expect(answer.status, JSON.stringify(text)).toBe(isDocument ? 201 : 422)
    const { id } = await jsonOf(answer)
    if (isDocument) wanted.set(id, text)
  })
  await forEach(wanted, async ([id, text]) => {
    const record = await jsonOf(await http.call('GET', `/v1/models/${id}`))
    expect(record).toMatchObject({ name: text, slug: text, description: text, tags: [text], 'x-text': text })
    expect(Object.entries(record['x-map'])).toEqual([[text, text]])
    if (text === '.' || text === '..') return // no client can send these as a path segment
    const path = `/v1/models/${http.node.did}/${encodeURIComponent(text)}`
    expect((await jsonOf(await http.call('GET', path)))['id'], JSON.stringify(text)).toBe(id)
  })
  expect(wanted.size).toBeGreaterThan(10)
})

test('every naughty string is a query, a filter and a cursor that ends in an answer', async () => {
  await forEach(strings.slice(0, 200), async (text) => {
    const encoded = encodeURIComponent(text)
    const search = await http.call('POST', '/v1/search', { query: text, filters: { [text]: text }, limit: 1 })
    const list = await http.call('GET', `/v1/models?limit=1&${encoded}=${encoded}&sort=${encoded}`)
    const cursor = await http.call('GET', `/v1/models?limit=1&cursor=${encoded}`)
    for (const filter of [text, `name = ${text}`, `name contains ${JSON.stringify(text)}`, `${text} exists`]) {
      const filtered = await http.call('GET', `/v1/models?limit=1&filter=${encodeURIComponent(filter)}`)
      expect([200, 400], JSON.stringify(filter)).toContain(filtered.status)
      const { position = 0 } = await jsonOf(filtered)
      expect(position).toBeLessThanOrEqual(filter.length)
    }
    const saved = await http.call('POST', '/v1/searches', { name: text, query: text, filters: text })
    expect([201, 200, 400, 409, 503], JSON.stringify(text)).toContain(saved.status)
    const kept = await http.call('GET', `/v1/searches/${encoded}`)
    expect([200, 404], JSON.stringify(text)).toContain(kept.status)
    const followed = await http.call('GET', `/v1/search/changes?limit=1&query=${encoded}&filter=${encoded}`)
    expect([200, 400], JSON.stringify(text)).toContain(followed.status)
    await Promise.all([saved, kept, followed].map((answer) => answer.arrayBuffer()))
    expect([200, 400], JSON.stringify(text)).toContain(search.status)
    expect([200, 400], JSON.stringify(text)).toContain(list.status)
    expect(cursor.status, JSON.stringify(text)).toBe(400)
    await Promise.all([search, list, cursor].map((answer) => answer.arrayBuffer()))
  })
})

const suite = folder === undefined ? undefined : join(folder, 'json-test-suite/test_parsing')
const documents: [string, Uint8Array][] =
  suite === undefined
    ? [
        ['n_bom', new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
        ['n_open', new TextEncoder().encode('[[[')],
        ['y_object', new TextEncoder().encode('{"a":1}')],
      ]
    : readdirSync(suite)
        .filter((name) => name.endsWith('.json'))
        .map((name) => [name, new Uint8Array(readFileSync(join(suite, name)))])

test('no document, however odd, is answered with a 5xx; what is no JSON is refused with 400', async () => {
  for (const [name, bytes] of documents) {
    const answer = await http.call('POST', '/v1/models', bytes)
    expect(answer.status, name).toBeLessThan(500)
    if (name.startsWith('n_')) expect(answer.status, name).toBe(400)
    if (name.startsWith('y_') && !name.includes('duplicated')) expect([201, 409, 422], name).toContain(answer.status)
    await answer.arrayBuffer()
    // The same as the value of a field.
    const inside = new Uint8Array([...new TextEncoder().encode('{"name":"json-suite","x":'), ...bytes, 0x7d])
    const field = await http.call('PUT', `/v1/models/${http.node.did}/json-suite`, inside)
    expect([200, 201, 400, 422], name).toContain(field.status)
    await field.arrayBuffer()
  }
})

test('depth bombs are refused at once', async () => {
  for (const depth of [33, 1_000, 500_000]) {
    for (const body of [
      `${'['.repeat(depth)}${']'.repeat(depth)}`,
      `{"a":`.repeat(depth / 5 + 33),
      `{"name":"x","a":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    ]) {
      const answer = await http.call('POST', '/v1/models', body)
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
    }
  }
})
