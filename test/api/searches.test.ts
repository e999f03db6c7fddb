/** Saved searches over HTTP: kept over a restart, followed without a gap. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LevelDisk, savedSearchesMax } from '../../node/index.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

type Line = { seq: number; match: 'new' | 'changed' | 'gone'; id: string; name: string; kind: string; type: string }

async function page(node: HttpNode, path: string): Promise<{ lines: Line[]; next: string | undefined }> {
  const answer = await fetch(node.url + path)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
  const lines = (await answer.text()).split('\n').slice(0, -1)
  return {
    lines: lines.map((line) => JSON.parse(line)),
    next: answer.headers.get('link')?.match(/^<(.+)>; rel="next"$/)?.[1],
  }
}

async function all(node: HttpNode, path: string): Promise<Line[]> {
  const found: Line[] = []
  for (let at: string | undefined = path; at !== undefined; ) {
    const { lines, next } = await page(node, at)
    found.push(...lines)
    at = next
  }
  return found
}

const told = (lines: readonly Line[]) => lines.map(({ match, name }) => `${match} ${name}`)
const save = (node: HttpNode, body: unknown) => node.call('POST', '/v1/searches', body)
const register = async (node: HttpNode, doc: object) => jsonOf(await node.call('POST', '/v1/models', doc))
const patch = (node: HttpNode, id: string, doc: object) => node.call('PATCH', `/v1/models/${id}`, doc)

test('a search is kept, read, listed and forgotten', async () => {
  await register(http, { name: 'seed', license: 'mit' })
  const body = { name: 'small-mit', filters: 'license = mit and parameters <= 8B', kinds: ['model'] }
  const made = await save(http, body)
  expect([made.status, made.headers.get('location')]).toEqual([201, '/v1/searches/small-mit'])
  const saved = { ...body, since: 1, changes: '/v1/searches/small-mit/changes' }
  expect(await jsonOf(made)).toEqual(saved)
  expect((await save(http, body)).status).toBe(200)
  expect((await save(http, { ...body, filters: 'license = mit' })).status).toBe(409)
  expect(await jsonOf(await http.call('GET', '/v1/searches/small-mit'))).toEqual(saved)
  expect(await jsonOf(await http.call('GET', '/v1/searches'))).toEqual({ items: [saved] })
  expect((await http.call('DELETE', '/v1/searches/small-mit')).status).toBe(204)
  expect((await http.call('GET', '/v1/searches/small-mit')).status).toBe(404)
  expect((await http.call('DELETE', '/v1/searches/small-mit')).status).toBe(404)
  expect((await http.call('GET', '/v1/searches/small-mit/changes')).status).toBe(404)
})

test.each<[string, unknown, string]>([
  ['no name', { query: 'x' }, '/name'],
  ['a name with a slash', { name: 'a/b', query: 'x' }, '/name'],
  ['a name that is too long', { name: 'a'.repeat(65) }, '/name'],
  ['an unknown member', { name: 'a', quarry: 'x' }, '/quarry'],
  ['a filter that is none', { name: 'a', filters: 'license =' }, '/filters'],
  ['a field that nobody has', { name: 'a', filters: 'nobody = 1' }, '/filters'],
  ['too long a text', { name: 'a', query: 'x '.repeat(300) }, '/query'],
  ['a list', [], '/name'],
])('refuses to keep %s', async (_what, body, pointer) => {
  const answer = await save(http, body)
  expect(answer.status).toBe(400)
  expect((await jsonOf(answer))['errors'][0].pointer).toBe(pointer)
})

test('tells what comes to match, changes and is gone, each once and in order', async () => {
  await save(http, { name: 'mit', filters: 'license = mit', kinds: ['model'] })
  const from = (await jsonOf(await http.call('GET', '/v1/searches/mit')))['since']
  const a = await register(http, { name: 'a', license: 'mit' })
  const b = await register(http, { name: 'b', license: 'apache-2.0' })
  await http.call('POST', '/v1/tools', { name: 'tool', license: 'mit' })
  await patch(http, a['id'], { description: 'a model' })
  await patch(http, b['id'], { license: 'mit' })
  await patch(http, b['id'], { description: 'another' })
  await patch(http, a['id'], { license: 'gpl' })
  await patch(http, a['id'], { license: 'lgpl' })
  await http.call('DELETE', `/v1/models/${b['id']}`)
  await register(http, { name: 'b', license: 'mit' })
  const expected = ['new a', 'changed a', 'new b', 'changed b', 'gone a', 'gone b', 'new b']
  const lines = await all(http, '/v1/searches/mit/changes')
  expect(told(lines)).toEqual(expected)
  expect(lines[0]).toEqual({
    seq: from + 1,
    op: a['heads'][0],
    kind: 'model',
    id: a['id'],
    type: 'genesis',
    actor: http.node.did,
    w: a['registered_at'],
    match: 'new',
    slug: 'a',
    name: 'a',
  })
  // The same in pages of any size, and from any place on.
  for (const limit of [1, 2, 3]) expect(await all(http, `/v1/searches/mit/changes?limit=${limit}`)).toEqual(lines)
  for (const [at, { seq }] of lines.entries())
    expect(await all(http, `/v1/searches/mit/changes?since=${seq}`)).toEqual(lines.slice(at + 1))
  expect(await all(http, `/v1/search/changes?filter=license%3Dmit&kinds=model&since=${from}`)).toEqual(lines)
})

test('words are asked for as well', async () => {
  const since = http.replica.counts().seq
  await register(http, { name: 'Blue-Whale 7B', description: 'Sings.' })
  await register(http, { name: 'Whale', description: 'Is grey.' })
  const feed = async (query: string) =>
    told(await all(http, `/v1/search/changes?since=${since}&query=${encodeURIComponent(query)}`))
  expect(await feed('blue whale')).toEqual(['new Blue-Whale 7B'])
  expect(await feed('whale sin')).toEqual(['new Blue-Whale 7B'])
  expect(await feed('whale')).toEqual(['new Blue-Whale 7B', 'new Whale'])
  expect(await feed('bluewhale')).toEqual(['new Blue-Whale 7B'])
  expect(await feed('whale zebra')).toEqual([])
  expect(await feed('!!')).toEqual([])
})

/** Reads events until `enough`, then leaves. */
async function follow(node: HttpNode, path: string, enough: (text: string) => boolean, last?: number): Promise<string> {
  const controller = new AbortController()
  const answer = await fetch(node.url + path, {
    headers: { accept: 'text/event-stream', ...(last !== undefined && { 'last-event-id': String(last) }) },
    signal: controller.signal,
  })
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (enough(text)) break
  }
  controller.abort()
  return text
}
const eventsIn = (text: string) =>
  [...text.matchAll(/^id: (\d+)\ndata: (.+)$/gm)].map(([, id, data]) => {
    const line = JSON.parse(data as string) as Line
    expect(line.seq).toBe(Number(id))
    return line
  })

test('streams as it happens, moves the last event id on over what does not match, and resumes there', async () => {
  const since = http.replica.counts().seq
  const path = `/v1/search/changes?filter=license%3Dbsl&since=${since}`
  const text = await follow(http, path, (so) => {
    if (!so.includes('retry:')) return false
    if (http.replica.counts().seq === since) {
      void register(http, { name: 'other', license: 'isc' }).then(() => register(http, { name: 'one', license: 'bsl' }))
    }
    return eventsIn(so).length === 1
  })
  expect(told(eventsIn(text))).toEqual(['new one'])
  await register(http, { name: 'more', license: 'isc' })
  const { seq } = http.replica.counts()
  const passed = await follow(http, path, (so) => so.includes(`id: ${seq}\n`), seq - 1)
  expect(eventsIn(passed)).toEqual([])
  await register(http, { name: 'two', license: 'bsl' })
  const resumed = await follow(http, path, (so) => eventsIn(so).length === 1, seq)
  expect(told(eventsIn(resumed))).toEqual(['new two'])
})

test('a restart in the middle loses neither the search nor a match', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-saved-'))
  const open = async () => {
    const disk = await LevelDisk.open(join(folder, 'ops'))
    const node = await startHttpNode({ seed: 3, disk })
    return {
      node,
      close: async () => {
        await node[Symbol.asyncDispose]()
        await disk[Symbol.asyncDispose]()
      },
    }
  }
  let { node, close } = await open()
  try {
    await save(node, { name: 'mit', filters: { license: 'mit' } })
    const first = await register(node, { name: 'first', license: 'mit' })
    await register(node, { name: 'second', license: 'mit' })
    const before = await follow(node, '/v1/searches/mit/changes', (text) => eventsIn(text).length > 0)
    const last = eventsIn(before)[0]!.seq
    await patch(node, first['id'], { license: 'isc' })
    await close()
    ;({ node, close } = await open())
    await register(node, { name: 'third', license: 'mit' })
    const after = await follow(node, '/v1/searches/mit/changes', (text) => eventsIn(text).length >= 3, last)
    expect(told(eventsIn(after))).toEqual(['new second', 'gone first', 'new third'])
    expect(told(await all(node, '/v1/searches/mit/changes'))).toEqual([
      'new first',
      'new second',
      'gone first',
      'new third',
    ])
  } finally {
    await close()
    await rm(folder, { recursive: true })
  }
})

test('the number of searches is bounded, and saving them at once loses none', async () => {
  await using own = await startHttpNode({ seed: 4 })
  const answers = await Promise.all(
    Array.from({ length: savedSearchesMax + 3 }, (_, n) => save(own, { name: `s${n}`, query: `word${n}` })),
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(savedSearchesMax)
  expect(answers.filter(({ status }) => status === 503)).toHaveLength(3)
  expect((await jsonOf(await own.call('GET', '/v1/searches')))['items']).toHaveLength(savedSearchesMax)
})

test.each(['since=-1', 'limit=0', 'filter=license', 'kinds=spaceship', `query=${'x+'.repeat(400)}`])(
  'refuses to follow ?%s with 400',
  async (query) => {
    expect((await fetch(`${http.url}/v1/search/changes?${query}`)).status).toBe(400)
  },
)
