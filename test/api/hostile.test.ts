/** Clients that mean no good, over raw sockets: they are answered once or not at all, and everybody else goes on. */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpNode, jsonOf, startHttpNode, TOKEN } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode({ headerTimeoutMs: 1_500, requestTimeoutMs: 3_000, stallMs: 1_000 })
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

function raw(text: string, on?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(http.server.port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('error', () => {}) // a reset is also an end
    socket.once('close', () => resolve(answer))
    socket.write(Buffer.from(text, 'latin1'))
    on?.(socket)
  })
}

const alive = async () => expect((await fetch(`${http.url}/livez`)).status).toBe(200)
const HOST = 'Host: 127.0.0.1\r\n'
const POST = `POST /v1/models HTTP/1.1\r\n${HOST}Authorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`
const SMUGGLED = 'GET /v1/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

test.each([
  ['a length behind chunked', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`],
  ['a length that is hexadecimal', `${POST}Content-Length: 0x4\r\n\r\n{}  ${SMUGGLED}`],
  ['a length with a sign', `${POST}Content-Length: +2\r\n\r\n{}${SMUGGLED}`],
  ['a negative length', `${POST}Content-Length: -2\r\n\r\n{}${SMUGGLED}`],
  ['a list of lengths', `${POST}Content-Length: 2, 40\r\n\r\n{}${SMUGGLED}`],
  ['an unknown coding', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
  ['chunked that is not last', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk size that is no number', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk size that overflows', `${POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff2\r\n{}\r\n0\r\n\r\n`],
  ['a chunk without its end', `${POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n${SMUGGLED}`],
  ['a header without a colon', `GET /livez HTTP/1.1\r\n${HOST}nonsense\r\n\r\n${SMUGGLED}`],
  ['a NUL in a header', `GET /livez HTTP/1.1\r\n${HOST}x: a\0b\r\n\r\n${SMUGGLED}`],
  ['a bare CR in a header', `GET /livez HTTP/1.1\r\n${HOST}x: a\rGET /v1/smuggled\r\n\r\n${SMUGGLED}`],
  ['a header that begins with a space', `GET /livez HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n${SMUGGLED}`],
  ['a space in the path', `GET /livez HTTP/1.1 HTTP/1.1\r\n${HOST}\r\n`],
  ['a version of its own', `GET /livez HTTP/9.9\r\n${HOST}\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a tunnel', `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${HOST}\r\n`],
])('smuggles nothing: %s', async (_what, text) => {
  const before = http.replica.counts().ops
  const answer = await raw(text, (socket) => setTimeout(() => socket.end(), 300))
  expect(answer).toMatch(/^(HTTP\/1\.1 (400|403|404|405|413|415|422|505) |$)/)
  expect(answer).not.toContain('smuggled')
  expect(answer.match(/^HTTP\/1\.1 /gm)?.length ?? 0).toBeLessThanOrEqual(1)
  expect(http.replica.counts().ops).toBe(before)
  await alive()
})

test.each([
  '/v1/models/%2e%2e/%2e%2e/etc/passwd',
  '/v1//models',
  '//v1/models',
  '/v1/models//',
  '/v1/models.',
  '/v1/models%2f',
  '/v1%2fmodels',
  '/v1/models/',
  '/v1/./webhooks.',
  '/v1/MODELS',
  '/v1/models;a=b',
  '/v1/models%00',
  '/v1/webhooks%20',
  '/%76%31/models',
  '/assets/..%2f..%2fpackage.json',
  '/assets/%2e%2e/route.ts',
  '/problems/..%2f..%2f',
])('a trick in the path finds nothing: %s', async (path) => {
  const answer = await raw(`GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /)
  expect(answer).not.toMatch(/root:|"dependencies"|import /)
})

test.each([
  '/v1/webhooks',
  '//v1/webhooks',
  '/v1/webhooks/',
  '/v1/webhooks.',
  '/V1/webhooks',
  '/v1/%77ebhooks',
  '/v1/webhooks%2f',
  'http://127.0.0.1/v1/webhooks',
])('no way of writing a guarded path is a way around the token: %s', async (path) => {
  const answer = await raw(`GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 (401|404) /)
})

test('no header of a request gets into the head of an answer', async () => {
  for (const path of [
    '/v1/models?limit=1&cursor=%0d%0aX-Injected:%201',
    '/v1/changes?limit=1&x=%0d%0aX-Injected:%201',
    '/problems/%0d%0aX-Injected:%201',
  ]) {
    const headers = 'X-Request-Id: a\tX-Injected: 1\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n'
    const answer = await raw(`GET ${path} HTTP/1.1\r\n${HOST}${headers}Connection: close\r\n\r\n`)
    const head = answer.slice(0, answer.indexOf('\r\n\r\n'))
    expect(head.toLowerCase(), path).not.toMatch(/^x-injected/m)
    expect(head, path).not.toContain('evil.example')
  }
  const made = await http.call('POST', '/v1/models', { name: 'a\r\nSet-Cookie: x=1', slug: 'crlf\r\nX-Injected: 1' })
  expect(made.status).toBe(201)
  expect(made.headers.get('x-injected')).toBeNull()
  expect(made.headers.get('location')).toMatch(/^\/v1\/models\/[0-9a-f]{64}$/)
})

test('a cursor that was not given, or was given for something else, is refused', async () => {
  await Promise.all([1, 2, 3].map((n) => http.call('POST', '/v1/tools', { name: `page-${n}`, tags: ['x'] })))
  const page = await jsonOf(await fetch(`${http.url}/v1/tools?limit=1`))
  const good = page['next_cursor'] as string
  expect((await fetch(`${http.url}/v1/tools?limit=1&cursor=${encodeURIComponent(good)}`)).status).toBe(200)
  const flipped = [...good].map((char, at) => good.slice(0, at) + (char === 'A' ? 'B' : 'A') + good.slice(at + 1))
  for (const cursor of [
    ...flipped.slice(0, 40),
    good.slice(1),
    `${good}x`,
    'null',
    '{}',
    '-1',
    'x'.repeat(5_000),
    '',
  ]) {
    const answer = await fetch(`${http.url}/v1/tools?limit=1&cursor=${encodeURIComponent(cursor)}`)
    expect([200, 400], cursor).toContain(answer.status)
    if (answer.status === 400) expect((await jsonOf(answer))['code']).toBe('bad-cursor')
    else expect((await jsonOf(answer))['items'].length).toBeLessThanOrEqual(1)
  }
  for (const query of [`cursor=${good}&sort=name`, `cursor=${good}&name=page-1`]) {
    expect((await fetch(`${http.url}/v1/tools?limit=1&${query}`)).status, query).toBe(400)
  }
  for (const limit of ['0', '-1', '1000000000', '1e3', '0x10', 'NaN', '1.5', ' 5']) {
    expect((await fetch(`${http.url}/v1/tools?limit=${limit}`)).status, limit).toBe(400)
  }
})

test('what the register itself says of a record is not taken from a body', async () => {
  const { id } = await jsonOf(await http.call('POST', '/v1/agents', { name: 'mass' }))
  for (const [field, value] of Object.entries({
    id: '0'.repeat(64),
    owner_id: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
    kind: 'model',
    slug: 'other',
    heads: [],
    registered_at: 1,
    changed_at: 1,
    conflicts: {},
    invalid_fields: ['name'],
  })) {
    const answer = await http.call('PUT', `/v1/agents/${id}`, { name: 'mass', [field]: value })
    expect(answer.status, field).toBe(422)
    expect((await jsonOf(answer))['errors'][0].pointer).toBe(`/${field}`)
  }
})

const IDLE = 2_000

test('two thousand connections that say nothing, or too little, are cut, and nobody waits for them', async () => {
  const before = process.memoryUsage().rss
  let closed = 0
  const sockets = await Promise.all(
    Array.from(
      { length: IDLE },
      (_, n) =>
        new Promise<Socket>((resolve) => {
          const socket = connect(http.server.port, '127.0.0.1', () => resolve(socket))
          socket.on('error', () => {})
          socket.on('data', () => {})
          socket.once('close', () => closed++)
          if (n % 2) socket.write('GET /v1/models HTTP/1.1\r\nHost: 127.')
        }),
    ),
  )
  await alive()
  // 4 KiB a connection is what a half-read head may hold; both ends are in this process.
  expect((process.memoryUsage().rss - before) / IDLE).toBeLessThan(100 * 1024)
  await Promise.all(sockets.map((socket) => socket.closed || new Promise((done) => socket.once('close', done))))
  expect(closed).toBe(IDLE)
  await alive()
}, 120_000)

test('who asks for much and reads nothing is cut', async () => {
  const doc = { description: 'x'.repeat(15_000) }
  const lines = Array.from({ length: 500 }, (_, n) =>
    JSON.stringify({ kind: 'persona', doc: { name: `big-${n}`, ...doc } }),
  )
  await http.call('POST', '/v1/batch', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
  const socket = connect(http.server.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  const ask = `GET /v1/personas?limit=500 HTTP/1.1\r\n${HOST}\r\n`
  socket.write(ask.repeat(4))
  const cut = new Promise((done) => socket.once('close', done))
  // A paused socket is only told that it was closed when it writes.
  const poke = setInterval(() => socket.write(ask), 100)
  await cut
  clearInterval(poke)
  await alive()
})

test('a follower that does not read costs one page, and misses nothing when it reads again', async () => {
  const { seq } = http.replica.counts()
  const socket = connect(http.server.port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.write(`GET /v1/changes?since=${seq} HTTP/1.1\r\n${HOST}Accept: text/event-stream\r\n\r\n`)
  await new Promise((done) => socket.once('data', done))
  socket.pause()
  const before = process.memoryUsage().arrayBuffers
  for (let round = 0; round < 2; round++) {
    const lines = Array.from({ length: 1_000 }, (_, n) =>
      JSON.stringify({ kind: 'template', doc: { name: `t${round}-${n}` } }),
    )
    await http.call('POST', '/v1/batch', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024)
  socket.resume()
  const ids = () => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  while (ids().length < 2_000) await new Promise((done) => socket.once('data', done))
  expect(ids()).toEqual(Array.from({ length: 2_000 }, (_, n) => seq + 1 + n))
  socket.destroy()
})
