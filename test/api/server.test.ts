/** What a connection may do to the server: sizes, time, malformed requests, names. Over raw sockets where fetch is too polite. */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemoryDisk } from '../../node/disk-memory.ts'
import { NodeError } from '../../node/errors.ts'
import { type HttpNode, jsonOf, startHttpNode, TOKEN } from '../support/http-node.ts'

class FailingDisk extends MemoryDisk {
  failure: Error | undefined

  override async batch(
    changes: Parameters<MemoryDisk['batch']>[0],
    options?: Parameters<MemoryDisk['batch']>[1],
  ): Promise<void> {
    if (this.failure) throw new NodeError('store-failed', "couldn't write", { cause: this.failure })
    return super.batch(changes, options)
  }
}

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode({ headerTimeoutMs: 200, requestTimeoutMs: 400 })
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

/** Sends bytes as they are; resolves with everything that came back once the server has closed the connection. */
async function raw(text: string | Uint8Array, on?: (socket: Socket) => void): Promise<string> {
  const socket = connect(http.server.port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk
  })
  socket.on('error', () => {}) // a reset is also an end
  socket.write(text)
  on?.(socket)
  await new Promise((done) => socket.once('close', done))
  return answer
}

const alive = async () => expect((await fetch(`${http.url}/livez`)).status).toBe(200)
const HEAD = `Host: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n`

test('refuses header fields over 16 KiB with 431', async () => {
  const answer = await raw(`GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nx-big: ${'x'.repeat(20_000)}\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1.1 431 /)
  expect(answer).toContain('"code":"headers-too-large"')
  await alive()
})

test('refuses a body that says it is too large, and one that turns out to be, with 413', async () => {
  const declared = await http.call('POST', '/v1/models', `{"name":"${'x'.repeat(2 ** 20)}"}`)
  expect(declared.status).toBe(413)
  expect((await jsonOf(declared))['code']).toBe('too-large')
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
  const chunked = await raw(
    `POST /v1/models HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    (socket) => {
      for (let n = 0; n < 40; n++) socket.write(chunk)
    },
  )
  expect(chunked).toMatch(/^HTTP\/1.1 413 /)
  await alive()
})

test('reads a chunked body that is small enough', async () => {
  const answer = await raw(
    `POST /v1/models HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"name":\r\n7\r\n"chunk"\r\n1\r\n}\r\n0\r\n\r\n`,
  )
  expect(answer).toMatch(/^HTTP\/1.1 201 /)
})

test('cuts a client that is slow with its header or its body, with 408', async () => {
  expect(await raw('GET /livez HTTP/1.1\r\nHost: 127.0')).toMatch(/^HTTP\/1.1 408 /)
  const slow = await raw(
    `POST /v1/models HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"na`,
  )
  expect(slow).toMatch(/^(HTTP\/1.1 408 |$)/)
  await alive()
})

test.each([
  [
    'two ways to end a body',
    `POST /v1/models HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
  ],
  ['two lengths', `POST /v1/models HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
  ['a folded header', `GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nx: a\r\n b\r\n\r\n`],
  ['a space before the colon', `GET /livez HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n`],
  ['no host', 'GET /livez HTTP/1.1\r\n\r\n'],
  ['two hosts', 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'],
  ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00'],
  ['a method of its own', 'BREW /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'],
  ['a path with a backslash', 'GET /v1\\..\\x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'],
])('answers %s with one 400 and hangs up', async (_what, text) => {
  const answer = await raw(text)
  expect(answer).toMatch(/^HTTP\/1.1 (400|403) /)
  expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  expect(answer).not.toMatch(/node:|at .*\.ts|Error:/)
  await alive()
})

test('survives clients that leave in the middle', async () => {
  for (const text of [
    `POST /v1/models HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    'GET /v1/chan',
  ]) {
    await raw(text, (socket) => setImmediate(() => socket.resetAndDestroy()))
  }
  await alive()
})

async function statusOf(headers: string, method = 'GET', path = '/v1/status'): Promise<number> {
  return Number((await raw(`${method} ${path} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`)).slice(9, 12))
}

test('answers to its own names only', async () => {
  for (const host of ['127.0.0.1', 'localhost:1', 'LOCALHOST', '[::1]:80', 'localhost.'])
    expect(await statusOf(`Host: ${host}`), host).toBe(200)
  for (const host of [
    'evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    'localhost@evil.example',
    '[::2]',
    'localhost:x',
  ]) {
    expect([400, 403], host).toContain(await statusOf(`Host: ${host}`))
  }
  await using named = await startHttpNode({ seed: 3, hosts: ['peerage.example'] })
  const port = named.server.port
  const answer = await fetch(`http://127.0.0.1:${port}/livez`)
  expect(answer.status).toBe(200)
})

test('lets no foreign page write, or search', async () => {
  for (const origin of ['http://evil.example', 'null', 'https://localhost.evil.example', 'file://']) {
    for (const path of ['/v1/models', '/v1/search', '/v1/ops']) {
      expect(
        await statusOf(
          `Host: 127.0.0.1\r\nOrigin: ${origin}\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 0`,
          'POST',
          path,
        ),
        origin,
      ).toBe(403)
    }
  }
  const own = await http.call('POST', '/v1/search', {}, { origin: 'http://localhost:7070' })
  expect(own.status).toBe(200)
})

test('names the methods that a path takes, and knows no other path', async () => {
  const wrong = await http.call('PUT', '/v1/models', {})
  expect(wrong.status).toBe(405)
  expect(wrong.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
  expect((await http.call('DELETE', '/v1/status')).headers.get('allow')).toBe('GET, HEAD, OPTIONS')
  expect((await http.call('OPTIONS', '/v1/models')).status).toBe(204)
  for (const path of [
    '/v1',
    '/v1/',
    '/v1/models/',
    '//v1/models',
    '/v1//models',
    '/V1/models',
    '/v1/%6dodels',
    '/v2/models',
    '/v1/models/x/y/z/w',
    '/v1/spaceships',
  ]) {
    const answer = await http.call('GET', path)
    expect(answer.status, path).toBe(404)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
})

test.each([
  ['none', {}, 415],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
  ['text', { 'content-type': 'text/plain' }, 415],
  ['another charset', { 'content-type': 'application/json; charset=latin1' }, 415],
  ['a compressed body', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415],
  ['UTF-8', { 'content-type': 'application/json; charset=UTF-8' }, 422],
])('takes JSON only: %s', async (_what, headers, status) => {
  const answer = await fetch(`${http.url}/v1/models`, {
    method: 'POST',
    body: new TextEncoder().encode('{}'),
    headers: { authorization: `Bearer ${TOKEN}`, ...(headers as Record<string, string>) },
  })
  expect(answer.status).toBe(status)
})

test('HEAD answers as GET without the body', async () => {
  for (const path of ['/v1/status', '/v1/models', '/livez']) {
    const answer = await fetch(http.url + path, { method: 'HEAD' })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe('')
  }
})

test('a request id is echoed when it is plain, and made up when it is not', async () => {
  expect((await http.call('GET', '/none', undefined, { 'x-request-id': 'abc-1' })).headers.get('x-request-id')).toBe(
    'abc-1',
  )
  const made = (await http.call('GET', '/none', undefined, { 'x-request-id': 'a b"<x>' })).headers.get('x-request-id')
  expect(made).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/)
})

test('finishes the request under way when it stops, and takes no new connection', async () => {
  await using own = await startHttpNode({ seed: 4 })
  let stopping: Promise<void> | undefined
  const unsubscribe = own.replica.onAppended(() => {
    unsubscribe()
    stopping = own.server.close()
  })
  const lines = Array.from({ length: 500 }, (_, n) => JSON.stringify({ kind: 'model', doc: { name: `d${n}` } }))
  const answer = await own.call('POST', '/v1/batch', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
  expect((await answer.text()).split('\n')).toHaveLength(501)
  await stopping
  await expect(fetch(`${own.url}/livez`)).rejects.toThrow()
})

test('says so when the address is taken', async () => {
  await expect(startHttpNode({ seed: 5, port: http.server.port })).rejects.toMatchObject({ code: 'address-in-use' })
})

test('a node that is not ready says 503 and when to ask again', async () => {
  await using own = await startHttpNode({ seed: 6, ready: () => false })
  const answer = await fetch(`${own.url}/readyz`)
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('1')
  expect((await fetch(`${http.url}/readyz`)).status).toBe(200)
})

test('a disk that fails is told as what may pass, and nothing is half done', async () => {
  const disk = new FailingDisk()
  await using own = await startHttpNode({ seed: 8, disk })
  const before = await own.call('POST', '/v1/models', { name: 'before' })
  expect(before.status).toBe(201)
  disk.failure = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const full = await own.call('POST', '/v1/models', { name: 'full' })
  expect(full.status).toBe(507)
  expect(await jsonOf(full)).toMatchObject({ code: 'store-full', node_error: 'store-failed' })
  disk.failure = new Error('input/output error')
  const failed = await own.call('POST', '/v1/models', { name: 'failed' })
  expect(failed.status).toBe(503)
  expect(failed.headers.get('retry-after')).toBe('1')
  expect((await fetch(own.url + before.headers.get('location'))).status).toBe(200)
  disk.failure = undefined
  expect((await own.call('POST', '/v1/models', { name: 'full' })).status).toBe(201)
})

test('status and metrics tell of the node, the token never', async () => {
  await http.call('POST', '/v1/algorithms', { name: 'counted' })
  const status = await jsonOf(await fetch(`${http.url}/v1/status?state_hash=1`))
  expect(status).toMatchObject({
    network: 'test',
    network_id: http.replica.net,
    did: http.node.did,
    records: { algorithm: 1 },
    pending: 0,
    peers: [],
  })
  expect(status['state_hash']).toMatch(/^[0-9a-f]{64}$/)
  expect(status['ops']).toBe(http.replica.counts().ops)
  expect(await jsonOf(await fetch(`${http.url}/v1/status`))).not.toHaveProperty('state_hash')
  const metrics = await (await fetch(`${http.url}/metrics`)).text()
  expect(metrics).toMatch(/peerage_records\{kind="algorithm"\} 1/)
  expect(metrics).toContain('peerage_http_requests_total{method="POST",route="/v1/algorithms",status="201"} 1')
  expect(metrics).toContain('route="none"')
  for (const text of [metrics, JSON.stringify(status), await (await fetch(`${http.url}/openapi.json`)).text()])
    expect(text).not.toContain(TOKEN)
})
