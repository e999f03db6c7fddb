/** What stands before every route: tokens and their rights, quotas, other origins, request ids, idempotency keys. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newToken, revokeToken, TokenStore } from '../../node/index.ts'
import { type HttpNode, jsonOf, startHttpNode, TOKEN } from '../support/http-node.ts'

let data: string
let http: HttpNode
let closed: HttpNode
const secrets: Record<string, string> = {}

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'peerage-gate-'))
  const store = new TokenStore(data)
  const tokens = (secret: string) => store.find(secret)
  http = await startHttpNode({ tokens })
  closed = await startHttpNode({ seed: 2, tokens, publicReads: false })
  for (const [name, token] of Object.entries({
    reader: { may: 'read' },
    writer: { may: 'write' },
    'model-writer': { may: 'write', kinds: ['model'] },
    'model-reader': { may: 'read', kinds: ['model'] },
  } as const)) {
    secrets[name] = (await newToken(data, { name, created: 0, ...token })) as string
  }
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
  await closed[Symbol.asyncDispose]()
  await rm(data, { recursive: true, force: true })
})

const as = (name: string) => ({ authorization: `Bearer ${secrets[name]}` })
const statusOf = async (node: HttpNode, method: string, path: string, who: Record<string, string>, body?: unknown) =>
  (await node.call(method, path, body, who)).status
const nobody = { authorization: '' }

test('a token writes as far as it reaches: 401 without a good one, 403 beyond', async () => {
  const post = (kind: string, who: Record<string, string>) =>
    statusOf(http, 'POST', `/v1/${kind}`, who, { name: `gate-${Math.random()}` })
  expect(await post('models', nobody)).toBe(401)
  expect(await post('models', { authorization: 'Bearer peerage_none' })).toBe(401)
  expect(await post('models', as('reader'))).toBe(403)
  expect(await post('models', as('writer'))).toBe(201)
  expect(await post('models', as('model-writer'))).toBe(201)
  expect(await post('agents', as('model-writer'))).toBe(403)
  const refused = await http.call('POST', '/v1/agents', { name: 'x' }, as('model-writer'))
  expect(await jsonOf(refused)).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('model') })
  expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope')
})

test('a token for some kinds writes those lines of a batch', async () => {
  const lines = ['model', 'agent'].map((kind) => JSON.stringify({ kind, doc: { name: 'gate-batch' } })).join('\n')
  const answer = await http.call('POST', '/v1/batch', lines, {
    ...as('model-writer'),
    'content-type': 'application/x-ndjson',
  })
  const outcomes = (await answer.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(outcomes).toMatchObject([{ outcome: 'created' }, { outcome: 'refused', error: { code: 'forbidden' } }])
})

test('a revoked token opens nothing from the next request on', async () => {
  const secret = (await newToken(data, { name: 'short', may: 'write', created: 0 })) as string
  const who = { authorization: `Bearer ${secret}` }
  expect(await statusOf(http, 'POST', '/v1/models', who, { name: 'gate-short' })).toBe(201)
  await revokeToken(data, 'short')
  expect(await statusOf(http, 'POST', '/v1/models', who, { name: 'gate-short-2' })).toBe(401)
})

test('where reads are closed they need a token, and what holds nothing of the catalogue stays open', async () => {
  for (const path of ['/v1/models', '/v1/status', '/metrics', '/v1/changes', `/v1/models/${'0'.repeat(64)}`]) {
    expect(await statusOf(closed, 'GET', path, nobody), path).toBe(401)
    expect(await statusOf(closed, 'HEAD', path, nobody), path).toBe(401)
    expect([200, 404], path).toContain(await statusOf(closed, 'GET', path, as('reader')))
  }
  expect(await statusOf(closed, 'POST', '/v1/search', nobody, {})).toBe(401)
  expect(await statusOf(closed, 'POST', '/v1/search', as('reader'), {})).toBe(200)
  expect(await statusOf(closed, 'GET', '/v1/models', as('model-reader'))).toBe(200)
  for (const path of ['/v1/agents', '/v1/changes', '/agents']) {
    expect(await statusOf(closed, 'GET', path, as('model-reader')), path).toBe(403)
  }
  for (const path of ['/livez', '/readyz', '/openapi.json', '/docs', '/problems/unauthorised']) {
    expect(await statusOf(closed, 'GET', path, nobody), path).toBe(200)
  }
  const answer = await closed.call('GET', '/v1/models', undefined, as('reader'))
  expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  expect(answer.headers.get('cache-control')).toBe('private, no-cache')
  expect(answer.headers.get('vary')).toContain('authorization')
})

test('pages of any origin may read the catalogue, without credentials, and write nothing', async () => {
  const origin = { origin: 'https://elsewhere.example' }
  for (const path of ['/v1/models', '/models', '/v1/changes', '/openapi.json', '/v1/models/none']) {
    const answer = await fetch(http.url + path, { headers: origin })
    expect(answer.headers.get('access-control-allow-origin'), path).toBe('*')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    await answer.body?.cancel()
  }
  for (const path of ['/v1/status', '/metrics', '/v1/webhooks']) {
    const answer = await http.call('GET', path, undefined, origin)
    expect(answer.headers.get('access-control-allow-origin'), path).toBeNull()
    await answer.body?.cancel()
  }
  const preflight = (path: string) =>
    fetch(http.url + path, { method: 'OPTIONS', headers: { ...origin, 'access-control-request-method': 'GET' } })
  const asked = await preflight('/v1/models')
  expect(asked.status).toBe(204)
  expect(asked.headers.get('access-control-allow-origin')).toBe('*')
  expect(asked.headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS')
  expect(asked.headers.get('access-control-allow-credentials')).toBeNull()
  expect((await preflight('/v1/batch')).headers.get('access-control-allow-origin')).toBeNull()
  expect(await statusOf(http, 'POST', '/v1/models', origin, { name: 'foreign' })).toBe(403)
})

test('every answer carries its request id, and the log names it', async () => {
  for (const path of ['/livez', '/v1/models', '/none']) {
    const given = await http.call('GET', path, undefined, { 'x-request-id': 'from-me.1' })
    expect(given.headers.get('x-request-id'), path).toBe('from-me.1')
    expect((await http.call('GET', path)).headers.get('x-request-id')).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/)
  }
  const missing = await http.call('GET', '/none')
  expect((await jsonOf(missing))['request_id']).toBe(missing.headers.get('x-request-id'))
  const logged: unknown[] = []
  await using own = await startHttpNode({ seed: 9, log: (_level, _message, facts) => logged.push(facts) })
  Object.assign(own.node.catalogue, { read: async () => Promise.reject(new Error('planted')) })
  const failed = await own.call('GET', `/v1/models/${'0'.repeat(64)}`, undefined, { 'x-request-id': 'find-me' })
  expect(failed.status).toBe(500)
  expect(await failed.text()).not.toContain('planted')
  expect(logged).toMatchObject([{ request_id: 'find-me', error: expect.stringContaining('planted') }])
})

test('requests are counted by subnet, batches by item, and the answers say what is left', async () => {
  await using own = await startHttpNode({ seed: 3, limitLocal: true, subnetPerMinute: 20, tokenPerMinute: 40 })
  const first = await fetch(`${own.url}/v1/models`)
  expect(first.headers.get('ratelimit-policy')).toBe('"subnet";q=20;w=60')
  expect(first.headers.get('ratelimit')).toMatch(/^"subnet";r=19;t=\d+$/)
  // Neither another method nor a spoofed address is a way around.
  const others = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      fetch(`${own.url}/v1/models`, {
        method: n % 3 === 0 ? 'HEAD' : n % 3 === 1 ? 'OPTIONS' : 'GET',
        headers: { 'x-forwarded-for': `203.0.113.${n}` },
      }),
    ),
  )
  expect(others.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(10)
  const refused = await fetch(`${own.url}/v1/models`)
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await jsonOf(refused)).toMatchObject({ code: 'rate-limited', type: '/problems/rate-limited' })
  const lines = Array.from({ length: 50 }, (_, n) => JSON.stringify({ kind: 'model', doc: { name: `limit-${n}` } }))
  const type = { 'content-type': 'application/x-ndjson' }
  const batch = await own.call('POST', '/v1/batch', lines.join('\n'), type)
  expect(batch.status, 'the token has a quota of its own').toBe(200)
  expect(batch.headers.get('ratelimit')).toMatch(/^"token";r=0;/)
  expect((await own.call('POST', '/v1/batch', lines.join('\n'), type)).status).toBe(429)
})

test('this machine is not counted, unless a proxy on it is trusted to say for whom it asks', async () => {
  const plain = await fetch(`${http.url}/v1/models`, { headers: { 'x-forwarded-for': '203.0.113.1' } })
  expect(plain.headers.get('ratelimit')).toBeNull()
  await using own = await startHttpNode({ seed: 4, subnetPerMinute: 5, trustedProxies: ['127.0.0.1'] })
  const from = (address: string) => fetch(`${own.url}/v1/models`, { headers: { 'x-forwarded-for': address } })
  for (let n = 0; n < 5; n++) expect((await from(`203.0.113.${n}`)).status).toBe(200)
  expect((await from('203.0.113.99')).status).toBe(429)
  expect((await from('1.2.3.4, 203.0.113.98')).status).toBe(429)
  expect((await from('203.0.114.1')).status).toBe(200)
})

const key = (value: string) => ({ 'idempotency-key': value })

test('a write under a key is done once, and its answer given again', async () => {
  const body = { name: 'once', description: 'a' }
  const first = await http.call('POST', '/v1/models', body, key('k1'))
  const { ops } = http.replica.counts()
  const second = await http.call('POST', '/v1/models', body, key('k1'))
  expect([first.status, second.status]).toEqual([201, 201])
  expect(await second.text()).toBe(await first.text())
  expect(second.headers.get('idempotency-replayed')).toBe('true')
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  for (const header of ['location', 'etag', 'content-type']) {
    expect(second.headers.get(header), header).toBe(first.headers.get(header))
  }
  const other = await http.call('POST', '/v1/models', { ...body, description: 'b' }, key('k1'))
  expect(other.status).toBe(422)
  expect((await jsonOf(other))['code']).toBe('key-reused')
  expect(http.replica.counts().ops).toBe(ops)
  expect((await http.call('POST', '/v1/models', body)).status, 'without the key it is a second write').toBe(409)
})

test('at the same time under one key there is one op', async () => {
  const { ops } = http.replica.counts()
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => http.call('POST', '/v1/models', { name: 'at-once' }, key('k2'))),
  )
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201))
  expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
  expect(http.replica.counts().ops).toBe(ops + 1)
})

test('a key belongs to one token and one path; what was refused may be corrected under it', async () => {
  expect((await http.call('POST', '/v1/models', { name: 'k3' }, key('k3'))).status).toBe(201)
  expect((await http.call('POST', '/v1/tools', { name: 'k3' }, key('k3'))).status).toBe(201)
  expect((await http.call('POST', '/v1/models', { name: 'k3b' }, { ...key('k3'), ...as('writer') })).status).toBe(201)
  expect((await http.call('POST', '/v1/models', { nam: 'k4' }, key('k4'))).status).toBe(422)
  expect((await http.call('POST', '/v1/models', { name: 'k4' }, key('k4'))).status).toBe(201)
  for (const bad of ['a b', 'x'.repeat(256)]) {
    expect((await http.call('POST', '/v1/models', { name: 'k5' }, key(bad))).status, bad).toBe(400)
  }
  const big = `{"name":"big","description":"${'x'.repeat(2 ** 20)}"}`
  expect((await http.call('POST', '/v1/models', big, key('k6'))).status).toBe(413)
  expect((await http.call('POST', '/v1/models', '{}', { ...key('k7'), 'content-type': 'text/plain' })).status).toBe(415)
})

test('of writes that expect the same tag at the same time, one is done', async () => {
  const made = await http.call('POST', '/v1/models', { name: 'raced' })
  const match = { 'if-match': made.headers.get('etag') as string }
  const { ops } = http.replica.counts()
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      http.call('PATCH', made.headers.get('location') as string, { version: String(n) }, match),
    ),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(412)])
  expect(http.replica.counts().ops).toBe(ops + 1)
})

test('the token is in no answer', async () => {
  const answer = await http.call('POST', '/v1/models', { name: 'k8' }, { authorization: `Bearer ${TOKEN}x` })
  expect(await answer.text()).not.toContain(TOKEN)
})
