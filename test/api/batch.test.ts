import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpNode, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

const LINES = { 'content-type': 'application/x-ndjson' }
type Line = {
  i: number
  id?: string
  outcome: string
  error?: { code: string; detail: string; errors?: { pointer: string }[] }
}

async function batch(items: readonly unknown[], query = ''): Promise<Line[]> {
  const text = items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join('\n')
  const answer = await http.call('POST', `/v1/batch${query}`, text, LINES)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
  const lines = (await answer.text()).split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => JSON.parse(line))
}

const outcomes = (lines: readonly Line[]) => lines.map((line) => line.outcome)

test('answers one outcome a line, in order, and the same batch again changes nothing', async () => {
  const items = Array.from({ length: 300 }, (_, n) => ({
    kind: n % 2 ? 'model' : 'tool',
    slug: `owner/b${n}`,
    doc: { name: `b${n}`, tags: ['x', `t${n}`] },
  }))
  const first = await batch(items)
  expect(first.map((line) => line.i)).toEqual(items.map((_, n) => n))
  expect(new Set(outcomes(first))).toEqual(new Set(['created']))
  const { ops } = http.replica.counts()
  const again = await batch(items)
  expect(new Set(outcomes(again))).toEqual(new Set(['unchanged']))
  expect(again.map((line) => line.id)).toEqual(first.map((line) => line.id))
  expect(http.replica.counts().ops).toBe(ops)
})

test('lays a document over the record that is there, or replaces it when asked', async () => {
  const first = { kind: 'model', slug: 'over', doc: { name: 'over', license: 'MIT', tags: ['a'] } }
  const second = { kind: 'model', slug: 'over', doc: { tags: ['b'], description: 'new' } }
  const [created] = await batch([first])
  expect(outcomes(await batch([second, second]))).toEqual(['merged', 'unchanged'])
  const read = async () => (await http.call('GET', `/v1/models/${created?.id}`)).json()
  expect(await read()).toMatchObject({ name: 'over', license: 'MIT', tags: ['b'], description: 'new' })
  expect(outcomes(await batch([second, second], '?mode=replace'))).toEqual(['merged', 'unchanged'])
  expect(await read()).not.toHaveProperty('license')
})

test('items of one slug see each other', async () => {
  const doc = { name: 'again' }
  expect(
    outcomes(
      await batch([
        { kind: 'tool', doc },
        { kind: 'tool', doc },
        { kind: 'agent', doc },
      ]),
    ),
  ).toEqual(['created', 'unchanged', 'created'])
})

test('restores a deleted record', async () => {
  const [created] = await batch([{ kind: 'tool', doc: { name: 'restored', license: 'MIT' } }])
  expect((await http.call('DELETE', `/v1/tools/${created?.id}`)).status).toBe(204)
  const [restored] = await batch([{ kind: 'tool', doc: { name: 'restored' } }])
  expect(restored).toEqual({ i: 0, id: created?.id, outcome: 'created' })
  expect(await (await http.call('GET', `/v1/tools/${created?.id}`)).json()).not.toHaveProperty('license')
})

test('refuses bad lines by themselves, with the place, and takes their neighbours', async () => {
  const lines = await batch([
    { kind: 'model', doc: { name: 'neighbour-1' } },
    'not json',
    '',
    { kind: 'spaceship', doc: { name: 'x' } },
    { kind: 'model', doc: { description: 'no name' } },
    { kind: 'model', doc: { name: 'wrong', context_length: 'many' } },
    { kind: 'model' },
    [],
    { kind: 'model', doc: { name: 'x' }, extra: 1 },
    '{"kind":"model","doc":{"name":"a","name":"b"}}',
    { kind: 'model', doc: { name: 'x', id: '0'.repeat(64) } },
    { kind: 'model', doc: { name: 'neighbour-2' } },
  ])
  expect(outcomes(lines)).toEqual(['created', ...Array(9).fill('refused'), 'created'])
  expect(lines.map((line) => line.i)).toEqual(lines.map((_, n) => n))
  const pointers = lines.map((line) => line.error?.errors?.[0]?.pointer)
  expect(pointers).toEqual([
    undefined,
    undefined,
    '/kind',
    '/name',
    '/context_length',
    '',
    '',
    '/extra',
    undefined,
    '/id',
    undefined,
  ])
  expect(lines[1]?.error?.code).toBe('bad-request')
  expect(lines[4]?.error?.code).toBe('invalid')
})

test('keeps fields of the wrong type when lenient', async () => {
  const item = { kind: 'model', doc: { name: 'kept', context_length: 'many' } }
  expect(outcomes(await batch([item]))).toEqual(['refused'])
  const [line] = await batch([item], '?lenient=true')
  expect(line?.outcome).toBe('created')
  const record = await (await http.call('GET', `/v1/models/${line?.id}`)).json()
  expect(record).toMatchObject({ context_length: 'many', invalid_fields: [{ pointer: '/context_length' }] })
})

test('takes 1,000 lines and refuses 1,001', async () => {
  const item = JSON.stringify({ kind: 'model', doc: { name: 'thousand' } })
  expect(await batch(Array(1000).fill(item))).toHaveLength(1000)
  const answer = await http.call('POST', '/v1/batch', Array(1001).fill(item).join('\n'), LINES)
  expect(answer.status).toBe(413)
  expect(await batch(['', ' ', '\r'])).toEqual([])
})

test.each(['?lenient=yes', '?mode=append'])('refuses %s with 400', async (query) => {
  expect((await http.call('POST', `/v1/batch${query}`, '', LINES)).status).toBe(400)
})
