/** Webhooks over HTTP, delivered to a real receiver on this machine. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyWebhook, webhookNetwork } from '../../node/index.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

type Received = { readonly headers: Record<string, string>; readonly body: string }

let http: HttpNode
let receiver: Server
let url: string
const status = 200
const received: Received[] = []
const waiting = new Set<() => void>()

beforeAll(async () => {
  const owners: Record<string, object> = {
    alice: { name: 'alice', may: 'write' },
    bob: { name: 'bob', may: 'write' },
    models: { name: 'models', may: 'write', kinds: ['model'] },
    reader: { name: 'reader', may: 'read' },
  }
  http = await startHttpNode({ tokens: async (secret) => owners[secret] as never })
  receiver = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    received.push({ headers: request.headers as Record<string, string>, body })
    response.writeHead(status).end()
    for (const look of waiting) look()
  })
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
  receiver.closeAllConnections()
  await new Promise((done) => receiver.close(done))
})

function until(done: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!done()) return
      waiting.delete(look)
      resolve()
    }
    waiting.add(look)
    look()
  })
}

const as = (name: string) => ({ authorization: `Bearer ${name}` })
const seqs = () => received.flatMap(({ body }) => JSON.parse(body).changes.map(({ seq }: { seq: number }) => seq))

test('a webhook is told of every change, signed with the secret that was shown once', async () => {
  const answer = await http.call('POST', '/v1/webhooks', { url, description: 'ci' })
  expect(answer.status).toBe(201)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const made = await jsonOf(answer)
  for (const name of ['a', 'b', 'c']) await http.call('POST', '/v1/models', { name })
  await until(() => seqs().length === 3)
  expect(seqs()).toEqual([1, 2, 3])
  const [{ headers, body }] = received as [Received]
  const signed = {
    id: headers['webhook-id'] as string,
    timestamp: headers['webhook-timestamp'] as string,
    signature: headers['webhook-signature'] as string,
  }
  expect(verifyWebhook(made['secret'], signed, body, Math.floor(Date.now() / 1000))).toBe(true)
  const shown = (await (await fetch(`${http.url}/v1/changes?limit=1`)).text()).trim()
  expect(JSON.parse(body).changes[0]).toEqual(JSON.parse(shown))
  const at = answer.headers.get('location') as string
  expect(await jsonOf(await http.call('GET', at))).not.toHaveProperty('secret')
  received.length = 0
  expect((await http.call('POST', `${at}/replay?since=1`)).status).toBe(200)
  await until(() => seqs().length === 2)
  expect(seqs()).toEqual([2, 3])
  expect((await http.call('DELETE', at)).status).toBe(204)
  expect((await http.call('GET', at)).status).toBe(404)
})

test('what was given up is listed, page by page, and can be sent again', async () => {
  const made = await jsonOf(await http.call('POST', '/v1/webhooks', { url }))
  const at = `/v1/webhooks/${made['id']}`
  expect(await jsonOf(await http.call('GET', `${at}/dead-letters`))).toEqual({ items: [] })
  expect((await http.call('GET', `${at}/dead-letters?limit=0`)).status).toBe(400)
  expect((await http.call('GET', `${at}/dead-letters?cursor=x`)).status).toBe(400)
  for (const letter of ['1', 'x', '-1']) {
    expect((await http.call('POST', `${at}/dead-letters/${letter}/redeliver`)).status, letter).toBe(404)
  }
  expect((await http.call('POST', `${at}/replay?since=999999`)).status).toBe(400)
  expect((await http.call('POST', `${at}/replay`)).status).toBe(400)
  await http.call('DELETE', at)
})

test("a token manages its own webhooks; another's are not found; the main token sees all", async () => {
  const own = await http.call('POST', '/v1/webhooks', { url }, as('alice'))
  const at = own.headers.get('location') as string
  for (const [method, path, body] of [
    ['GET', at],
    ['PATCH', at, { active: false }],
    ['DELETE', at],
    ['POST', `${at}/replay?since=0`],
    ['GET', `${at}/dead-letters`],
    ['POST', `${at}/dead-letters/1/redeliver`],
  ] as const) {
    expect((await http.call(method, path, body, as('bob'))).status, `${method} ${path}`).toBe(404)
    expect((await http.call(method, path, body, as('reader'))).status, `${method} ${path}`).toBe(403)
    expect((await http.call(method, path, body, { authorization: '' })).status, `${method} ${path}`).toBe(401)
  }
  expect((await jsonOf(await http.call('GET', '/v1/webhooks', undefined, as('bob'))))['items']).toEqual([])
  expect((await jsonOf(await http.call('GET', '/v1/webhooks')))['items']).toMatchObject([{ owner: 'alice' }])
  const changed = await http.call('PATCH', at, { active: false, kinds: ['tool'] }, as('alice'))
  expect(await jsonOf(changed)).toMatchObject({ active: false, kinds: ['tool'] })
  expect((await http.call('DELETE', at, undefined, as('alice'))).status).toBe(204)
})

test('a token for some kinds is told of those alone', async () => {
  const made = await jsonOf(await http.call('POST', '/v1/webhooks', { url }, as('models')))
  expect(made['kinds']).toEqual(['model'])
  const beyond = await http.call('POST', '/v1/webhooks', { url, kinds: ['model', 'agent'] }, as('models'))
  expect(beyond.status).toBe(403)
  await http.call('DELETE', `/v1/webhooks/${made['id']}`)
})

test.each([
  [{}, '/url'],
  [{ url: 7 }, '/url'],
  [{ url: 'file:///etc/passwd' }, '/url'],
  [{ url: 'http://169.254.169.254/latest/' }, '/url'],
  [{ url: 'http://u:p@example.org/' }, '/url'],
  [{ url: 'http://127.0.0.1/', owner: 'alice' }, '/owner'],
  [{ url: 'http://127.0.0.1/', secret: 'mine' }, '/secret'],
  [{ url: 'http://127.0.0.1/', kinds: ['spaceship'] }, '/kinds'],
  [{ url: 'http://127.0.0.1/', since: -1 }, '/since'],
  [{ url: 'http://127.0.0.1/', since: 1e9 }, '/since'],
  [[], ''],
])('refuses %j', async (wish, pointer) => {
  const answer = await http.call('POST', '/v1/webhooks', wish)
  expect(answer.status).toBe(422)
  expect((await jsonOf(answer))['errors'][0].pointer).toBe(pointer)
})

test('leads to no private address unless the operator allows it', async () => {
  await using own = await startHttpNode({ seed: 2, webhookNetwork: webhookNetwork({ local: false }) })
  for (const inside of [url, 'http://localhost/', 'http://[::1]/', 'http://10.0.0.1/', 'http://2130706433/']) {
    const answer = await own.call('POST', '/v1/webhooks', { url: inside })
    expect(answer.status, inside).toBe(422)
    expect((await jsonOf(answer))['detail'], inside).toMatch(/not public|no address/)
  }
})
