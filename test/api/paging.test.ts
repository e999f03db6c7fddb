/** Pages of a list or a search while others write: who was there all along comes once, whatever the order. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SegmentIndex } from '../../node/search-index.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

const STABLE = 120
const PAGE = 17

let http: HttpNode
let folder: string
let index: SegmentIndex
let written = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-paging-'))
  index = await SegmentIndex.open(join(folder, 'search'))
  http = await startHttpNode({ index })
  await write(Array.from({ length: STABLE }, (_, n) => docOf(`stays-${n}`, n)))
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
  await index[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** Many equal values, so that pages end among them. */
function docOf(name: string, n: number) {
  return {
    name,
    parameters: (n % 7) * 1e9,
    license: n % 3 ? 'mit' : 'isc',
    description: `${'whale '.repeat(n % 4)}sings ${n % 5 ? 'blue' : 'grey'}`,
    ...(n % 2 && { downloads: n % 10 }),
  }
}

async function write(docs: readonly object[]): Promise<void> {
  const lines = docs.map((doc) => JSON.stringify({ kind: 'model', doc })).join('\n')
  const type = { 'content-type': 'application/x-ndjson' }
  expect((await http.call('POST', '/v1/batch?mode=replace', lines, type)).status).toBe(200)
}

/** Records that come, change where they stand in every order, and go. */
async function disturb(): Promise<void> {
  const start = written
  written += 12
  await write(Array.from({ length: 12 }, (_, n) => docOf(`passes-${start + n}`, start + n)))
  await write(Array.from({ length: 6 }, (_, n) => docOf(`passes-${start + n}`, start + n + 3)))
  for (let n = start + 6; n < start + 9; n++) {
    await http.call('DELETE', `/v1/models/${http.node.did}/passes-${n}`)
  }
}

type Page = { items: { name?: string; record?: { name: string } }[]; next_cursor?: string }
const namesOf = ({ items }: Page) => items.map((item) => (item.record?.name ?? item.name) as string)

async function pages(next: (cursor: string | undefined) => Promise<Response>): Promise<string[]> {
  const seen: string[] = []
  let cursor: string | undefined
  // What is written may come behind the page, in some orders for ever.
  let disturbances = 8
  do {
    const answer = await next(cursor)
    expect(answer.status).toBe(200)
    const page = await jsonOf<Page>(answer)
    seen.push(...namesOf(page))
    cursor = page.next_cursor
    if (disturbances-- > 0) await disturb()
  } while (cursor !== undefined)
  return seen.filter((name) => name.startsWith('stays-')).toSorted()
}

const all = Array.from({ length: STABLE }, (_, n) => n)
const named = (which: (n: number) => boolean) =>
  all
    .filter(which)
    .map((n) => `stays-${n}`)
    .toSorted()

test.each<[string, Record<string, string>, (n: number) => boolean]>([
  ['the newest first', {}, () => true],
  ['by name', { sort: 'name' }, () => true],
  ['by a number that many share', { sort: '-parameters' }, () => true],
  ['by a number that half have', { sort: 'downloads' }, () => true],
  ['by the last change', { sort: 'updated' }, () => true],
  [
    'filtered',
    { sort: '-name', filter: 'license = mit and parameters in 1B..4B' },
    (n) => n % 3 > 0 && n % 7 > 0 && n % 7 < 5,
  ],
  ['by relevance', { query: 'whale sings', sort: 'relevance' }, (n) => n % 4 > 0],
  ['words by name', { query: 'whale sings', sort: 'name' }, (n) => n % 4 > 0],
])('a list and a search %s', async (_what, parameters, which) => {
  const listed = await pages((cursor) => {
    const query = new URLSearchParams({ ...parameters, limit: String(PAGE), ...(cursor !== undefined && { cursor }) })
    return http.call('GET', `/v1/models?${query}`)
  })
  expect(listed).toEqual(named(which))
  const { filter, ...rest } = parameters
  const searched = await pages((cursor) =>
    http.call('POST', '/v1/models/search', { ...rest, ...(filter && { filters: filter }), limit: PAGE, cursor }),
  )
  expect(searched).toEqual(named(which))
})

test('a cursor that was changed in any letter is refused', async () => {
  const { next_cursor: cursor = '' } = await jsonOf<Page>(await http.call('GET', '/v1/models?limit=2&sort=name'))
  expect(cursor.length).toBeGreaterThan(20)
  for (let at = 0; at < cursor.length; at++) {
    for (const changed of [
      cursor.slice(0, at),
      cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1),
    ]) {
      const answer = await http.call('GET', `/v1/models?limit=2&sort=name&cursor=${changed}`)
      expect([answer.status, (await jsonOf(answer))['code']], changed).toEqual([400, 'bad-cursor'])
    }
  }
  // One that is good, for another question.
  for (const query of ['sort=-name', 'sort=name&filter=license=mit', 'sort=name&license=mit', 'sort=name&query=whale'])
    expect((await http.call('GET', `/v1/models?limit=2&${query}&cursor=${cursor}`)).status, query).toBe(400)
  expect((await http.call('GET', `/v1/tools?limit=2&sort=name&cursor=${cursor}`)).status).toBe(400)
  expect((await http.call('GET', `/v1/models?limit=2&sort=name&cursor=${cursor}`)).status).toBe(200)
})
