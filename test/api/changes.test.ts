import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

type Change = { seq: number; op: string; kind: string; id: string; type: string; actor: string; w: number }
const register = async (name: string) => jsonOf(await http.call('POST', '/v1/models', { name }))

async function page(query: string): Promise<{ changes: Change[]; link: string | null }> {
  const answer = await fetch(`${http.url}/v1/changes${query}`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
  const lines = (await answer.text()).split('\n').slice(0, -1)
  return { changes: lines.map((line) => JSON.parse(line)), link: answer.headers.get('link') }
}

/** Reads events until `count` have come, then leaves. */
async function follow(
  path: string,
  count: number,
  headers: Record<string, string> = {},
  then: () => unknown = () => {},
): Promise<{ ids: number[]; changes: Change[] }> {
  const controller = new AbortController()
  const answer = await fetch(http.url + path, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: controller.signal,
  })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  void then()
  let text = ''
  const events = () =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((event) => event.startsWith('id: '))
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (events().length >= count) break
  }
  controller.abort()
  const parsed = events().map((event) => /^id: (\d+)\ndata: (.+)$/.exec(event)!)
  return {
    ids: parsed.map((event) => Number(event[1])),
    changes: parsed.map((event) => JSON.parse(event[2] as string)),
  }
}

test('lists every op in order of arrival, and goes on from any seq', async () => {
  const record = await register('first')
  await http.call('PATCH', `/v1/models/${record['id']}`, { license: 'MIT' })
  await http.call('DELETE', `/v1/models/${record['id']}`)
  const { changes } = await page('')
  expect(changes.map((change) => change.type)).toEqual(['genesis', 'patch', 'delete'])
  expect(changes[0]).toEqual({
    seq: 1,
    op: record['heads'][0],
    kind: 'model',
    id: record['id'],
    type: 'genesis',
    actor: http.node.did,
    w: record['registered_at'],
  })
  expect((await page('?since=2')).changes).toEqual(changes.slice(2))
  expect((await page('?since=999')).changes).toEqual([])
  const first = await page('?limit=2')
  expect(first.changes).toEqual(changes.slice(0, 2))
  expect(first.link).toBe('</v1/changes?limit=2&since=2>; rel="next"')
})

test('streams what is there and what comes, and resumes after Last-Event-ID', async () => {
  for (let n = 0; n < 3; n++) await register(`stream-${n}`)
  const { changes: before } = await page('')
  const last = before.at(-1)!.seq
  const live = await follow('/v1/changes', before.length + 2, {}, async () => {
    await register('live-1')
    await register('live-2')
  })
  expect(live.changes.slice(0, before.length)).toEqual(before)
  expect(live.ids).toEqual(live.changes.map((change) => change.seq))
  const resumed = await follow('/v1/changes?since=0', 2, { 'last-event-id': String(last) })
  expect(resumed.changes).toEqual(live.changes.slice(before.length))
})

test('many followers see the same, each op once', async () => {
  const { seq } = http.replica.counts()
  const followers = Array.from({ length: 20 }, () => follow(`/v1/changes?since=${seq}`, 30))
  for (let n = 0; n < 30; n++) await register(`many-${n}`)
  const wanted = (await page(`?since=${seq}`)).changes
  for (const { changes } of await Promise.all(followers)) expect(changes).toEqual(wanted)
})

test('lets followers go when it stops, without waiting for them', async () => {
  await using own = await startHttpNode({ seed: 2 })
  const answer = await fetch(`${own.url}/v1/changes`, { headers: { accept: 'text/event-stream' } })
  const text = answer.text()
  await own.server.close()
  expect(await text).toContain('retry:')
})

test.each(['since=-1', 'since=x', 'since=1e3', 'limit=0', 'since=99999999999999999'])(
  'refuses ?%s with 400',
  async (query) => {
    expect((await fetch(`${http.url}/v1/changes?${query}`)).status).toBe(400)
  },
)
