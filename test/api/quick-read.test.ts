/** The short way of reading a record answers as the long way does, and is taken only where it may. */
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

type Got = { readonly status: number; readonly headers: Record<string, unknown>; readonly body: string }

let http: HttpNode
let path: string
beforeAll(async () => {
  http = await startHttpNode()
  const made = await http.call('POST', '/v1/models', { name: 'quick', description: 'Grüße, 世界' })
  path = made.headers.get('location') as string
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

/** Plain node:http, since fetch adds fields of its own. */
function get(at: string, headers: Record<string, string> = {}, node = http): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request(node.url + at, { headers }, async (answer) => {
      let body = ''
      for await (const chunk of answer.setEncoding('utf8')) body += chunk
      const { date: _, 'x-request-id': __, ...rest } = answer.headers
      resolve({ status: answer.statusCode ?? 0, headers: rest, body })
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** A token that is none of the node's is of no consequence to a read, but has to be looked at. */
const theLongWay = { authorization: 'Bearer none' }

test('the short way and the long way are the same answer', async () => {
  for (const at of [path, path.replace('/v1', '')]) {
    const short = await get(at)
    expect(short.status).toBe(200)
    expect(short).toEqual(await get(at, theLongWay))
    const { etag } = short.headers as { etag: string }
    for (const tags of [etag, `W/${etag}`, '*', `"x", ${etag}`]) {
      const unchanged = await get(at, { 'if-none-match': tags })
      expect(unchanged.status, tags).toBe(304)
      expect(unchanged).toEqual(await get(at, { ...theLongWay, 'if-none-match': tags }))
    }
    expect((await get(at, { 'if-none-match': '"x"' })).status).toBe(200)
  }
})

test('what is special goes the long way: pages, other names, closed reads, used-up quotas', async () => {
  expect((await get(path.replace('/v1', ''), { accept: 'text/html' })).headers['content-type']).toContain('text/html')
  expect((await get(path, { host: 'evil.example' })).status).toBe(403)
  expect((await get(path.replace('/models/', '/agents/'))).status).toBe(404)
  expect((await get(path.toUpperCase())).status).toBe(404)
  expect((await get(`${path}0`)).status).toBe(404)
  await using closed = await startHttpNode({ seed: 2, publicReads: false })
  const other = (await closed.call('POST', '/v1/models', { name: 'quick' })).headers.get('location') as string
  expect((await get(other, {}, closed)).status).toBe(401)
  await using counted = await startHttpNode({ seed: 3, limitLocal: true, subnetPerMinute: 3 })
  const third = (await counted.call('POST', '/v1/models', { name: 'quick' })).headers.get('location') as string
  const answers = [await get(third, {}, counted), await get(third, {}, counted), await get(third, {}, counted)]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(answers[2]?.headers['ratelimit']).toMatch(/^"subnet";r=0;t=\d+$/)
  expect((await get(third, {}, counted)).status).toBe(429)
})

test('a write is seen by the next read, and a deleted record is gone', async () => {
  for (let n = 0; n < 20; n++) {
    await http.call('PATCH', path, { version: String(n) })
    expect(JSON.parse((await get(path)).body)['version']).toBe(String(n))
  }
  const { id } = await jsonOf(await http.call('POST', '/v1/tools', { name: 'gone' }))
  expect((await get(`/v1/tools/${id}`)).status).toBe(200)
  await http.call('DELETE', `/v1/tools/${id}`)
  expect((await get(`/v1/tools/${id}`)).status).toBe(404)
})

test('its requests are counted under their route, and carry the id they were given', async () => {
  await get(path)
  const text = await (await fetch(`${http.url}/metrics`)).text()
  expect(text).toMatch(/peerage_http_requests_total\{method="GET",route="\/v1\/models\/\{id\}",status="200"\} \d+/)
  expect(text).toMatch(/peerage_http_request_seconds_count\{method="GET",route="\/v1\/models\/\{id\}"\} \d+/)
  const named = await fetch(http.url + path, { headers: { 'x-request-id': 'mine' } })
  expect(named.headers.get('x-request-id')).toBe('mine')
})
