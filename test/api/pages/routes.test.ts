/** The pages as answers over HTTP, for what needs no browser. */
import { DefaultAgentCardResolver } from '@a2a-js/sdk/client'
import { modelInfo } from '@huggingface/hub'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Op } from '../../../crdt/index.ts'
import { historyOpsDiffedMax } from '../../../node/index.ts'
import { jsonOf } from '../../support/http-node.ts'
import { type PageNode, startPageNode } from '../../support/page-node.ts'
import { publisher } from '../../support/publisher.ts'

let http: PageNode
beforeAll(async () => {
  http = await startPageNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

const get = (path: string, headers: Record<string, string> = { accept: 'text/html' }) =>
  fetch(http.url + path, { headers })
const pageText = async (path: string) => (await get(path)).text()

test('one address answers browsers with a page and programs with JSON, and caches are told', async () => {
  for (const path of ['/models', `/models/${http.disputed}`, `/models/${http.disputed}/history`]) {
    const page = await get(path)
    const data = await get(path, { accept: 'application/json' })
    const any = await get(path, { accept: '*/*' })
    expect([page.status, data.status, any.status]).toEqual([200, 200, 200])
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    )
    for (const answer of [data, any]) expect(answer.headers.get('content-type')).toBe('application/json')
    for (const answer of [page, data, any]) expect(answer.headers.get('vary')).toMatch(/accept\b/)
    await Promise.all([page, data, any].map((answer) => answer.arrayBuffer()))
  }
})

test('a problem is a page for browsers, with the same status and code', async () => {
  for (const [path, status, code] of [
    ['/nothing', 404, 'not-found'],
    [`/models/${'0'.repeat(64)}`, 404, 'not-found'],
    ['/models/x', 404, 'not-found'],
    ['/publishers/nobody', 404, 'not-found'],
    ['/?kind=spaceship', 400, 'bad-query'],
    ['/?cursor=nonsense', 400, 'bad-cursor'],
    ['/assets/none.css', 404, 'not-found'],
  ] as const) {
    const answer = await get(path)
    expect(answer.status, path).toBe(status)
    expect(answer.headers.get('content-type'), path).toBe('text/html; charset=utf-8')
    expect(await answer.text(), path).toContain(code)
  }
  expect((await get('/v1/nothing')).headers.get('content-type')).toBe('application/problem+json')
  expect((await get('/nothing', { accept: '*/*' })).headers.get('content-type')).toBe('application/problem+json')
})

test('files are kept for good under addresses that hold their hash, and compressed', async () => {
  const addresses = [...(await pageText('/')).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(
    (match) => match[1] as string,
  )
  expect(addresses.length).toBe(4)
  for (const address of addresses) {
    const plain = await get(address, { 'accept-encoding': 'identity' })
    expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    const etag = plain.headers.get('etag') as string
    const again = await get(address, { 'if-none-match': etag })
    expect(again.status).toBe(304)
    const bytes = new Uint8Array(await plain.arrayBuffer())
    expect(bytes.length).toBeGreaterThan(100)
    const raw = await get(address, { 'accept-encoding': 'gzip' })
    expect(raw.headers.get('content-encoding')).toBe('gzip')
    expect(new Uint8Array(await raw.arrayBuffer())).toEqual(bytes)
  }
})

test('snippets are what the clients of others take', async () => {
  const snippets = async (path: string) =>
    [...(await pageText(path)).matchAll(/<code id="snippet-\d+"><bdi>([\s\S]*?)<\/bdi>/g)].map((match) =>
      (match[1] as string).replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&'),
    )
  const hub = (await snippets(`/models/${http.disputed}`)).find((text) => text.includes('@huggingface/hub'))
  const [, hubUrl = '', name = ''] = /hubUrl: '([^']+)', name: ("[^"]*")/.exec(hub ?? '') ?? []
  expect(await modelInfo({ hubUrl, name: JSON.parse(name) })).toMatchObject({ name: 'acme/disputed' })
  const server = (await snippets(`/tools/${http.server}`)).find((text) => text.endsWith('/server.json'))
  expect(await jsonOf(await fetch((server as string).replace('curl -s ', '')))).toMatchObject({ name: 'acme/nails' })
  const registry = (await snippets(`/tools/${http.server}`)).find((text) => text.endsWith('/v0.1/servers'))
  expect((await jsonOf(await fetch(registry as string)))['servers'].length).toBe(1)
  const card = (await snippets(`/agents/${http.callable}`)).find((text) => text.includes('@a2a-js/sdk'))
  const address = /resolve\('([^']+)'\)/.exec(card ?? '')?.[1] as string
  expect(await new DefaultAgentCardResolver().resolve(address)).toMatchObject({ name: 'carpenter' })
  expect((await snippets(`/agents/${http.deleted}`)).some((text) => text.includes('@a2a-js/sdk'))).toBe(false)
})

test('a long history is paged, each op with what it changed; past a bound, with what it wrote', async () => {
  const { genesis, patch, bytes } = publisher(7, { kind: 'service' })
  const first = genesis('busy')
  const id = first.header.record
  const ops = [first]
  for (let n = 1; n <= historyOpsDiffedMax; n++) {
    ops.push(patch(id, [(ops.at(-1) as Op).id], [['set', ['version'], String(n)]], 1_700_000_000_000 + n))
  }
  await http.replica.admit(bytes(ops.slice(0, 46)), { via: 'file' })
  const seen: string[] = []
  for (let path: string | undefined = `/services/${id}/history`; path !== undefined; ) {
    const text: string = await pageText(path)
    seen.push(
      ...[...text.matchAll(/<ins><span class="unseen">is: <\/span><bdi>(\d+)<\/bdi>/g)].map(
        (match) => match[1] as string,
      ),
    )
    path = /rel="next" href="([^"]+)"/.exec(text)?.[1]
  }
  expect(seen).toEqual(Array.from({ length: 44 }, (_, at) => String(45 - at))) // the first one set it from nothing
  await http.replica.admit(bytes(ops.slice(46)), { via: 'file' })
  expect(await pageText(`/services/${id}/history`)).toMatch(/\[&quot;set&quot;,&quot;\/version&quot;,&quot;\d+&quot;\]/)
})

test('a page is of bounded size, whatever a record holds', async () => {
  const rows = Array.from({ length: 90 }, (_, n) => [`row-${n}`, Array.from({ length: 90 }, (_, m) => [n, [m, [m]]])])
  const wide = { name: 'wide', ...Object.fromEntries(rows), notes: Array.from({ length: 2_000 }, () => '# one more') }
  const { id } = await jsonOf(await http.call('POST', '/v1/workflows', wide))
  for (const path of [`/workflows/${id}`, `/workflows/${id}/history`]) {
    const text = await pageText(path)
    expect(text.length, path).toBeLessThan(1_500_000)
    expect(text, path).toContain('more in the JSON')
  }
  expect(await pageText(`/workflows/${id}`)).toContain('1,950 more texts in the JSON')
})
