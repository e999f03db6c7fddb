import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Y from 'yjs'
import { Client } from '../../src/client.ts'
import { type OpenRecord, openRecord, REMOTE } from '../../src/open-record.ts'
import { type HttpNode, signerOf, startHttpNode, TOKEN } from '../support/http-node.ts'

let node: HttpNode
beforeAll(async () => {
  node = await startHttpNode()
})
afterAll(() => node[Symbol.asyncDispose]())

const withKey = () => new Client({ url: node.url, key: signerOf(5) })
const withToken = () => new Client({ url: node.url, token: TOKEN })
let records = 0
/** Long enough that a splice is smaller than the text anew. */
const rest = ', and whatever else there is to say about it'.repeat(3)

/** A fresh record and two documents of it, each by a client of its own, that come up to date only when told. */
async function opened(client: () => Client, doc: Record<string, unknown>) {
  const { id } = await client().register('agents', { name: `record ${records++}`, ...doc })
  const open = () => openRecord(client(), id, { follow: false })
  const [a, b] = [await open(), await open()]
  return {
    id,
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      for (const record of [a, b]) await record[Symbol.asyncDispose]()
    },
  }
}

const settled = async (...list: OpenRecord[]) => {
  for (const record of list) await record.refresh()
}

test.each([
  ['a key', withKey],
  ['a token', withToken],
])('one map, a text per text field, and a commit of what changed as one patch (with %s)', async (_with, client) => {
  const doc = {
    description: `hello world${rest}`,
    tags: ['a', 'b'],
    resource_requirements: { min_vcpus: 1, min_memory_mb: 2 },
  }
  await using pair = await opened(client, doc)
  const { a, id } = pair
  expect(a.map.toJSON()).toEqual({
    name: expect.any(String),
    tags: ['a', 'b'],
    resource_requirements: { min_vcpus: 1, min_memory_mb: 2 },
  })
  expect(a.text('description').toString()).toBe(doc.description)
  expect(a.text('system_prompt').toString()).toBe('')
  expect(a.dirty).toBe(false)
  expect((await a.commit()).outcome).toBe('unchanged')

  a.map.set('version', '1')
  a.map.set('tags', ['b', 'c'])
  a.map.set('resource_requirements', { min_vcpus: 4, min_memory_mb: 2 })
  a.text('description').insert(5, ' wide')
  expect(a.dirty).toBe(true)
  const committed = await a.commit()
  expect(committed.outcome).toBe('changed')
  expect(a.dirty).toBe(false)
  const record = await client().get(id)
  expect(record.heads).toEqual(committed.heads)
  expect(record).toMatchObject({
    version: '1',
    tags: ['b', 'c'],
    description: `hello wide world${rest}`,
    resource_requirements: { min_vcpus: 4, min_memory_mb: 2 },
  })
  const [patch, ...older] = await Array.fromAsync(client().history(id))
  expect(older.map(({ type }) => type)).toEqual(['genesis'])
  const verbs = patch?.patch as unknown[][]
  expect(verbs.map(([verb, pointer]) => `${verb} ${pointer}`).sort()).toEqual(
    ['add /tags', 'rem /tags', 'set /resource_requirements/min_vcpus', 'set /version', 'splice /description'].sort(),
  )
})

test('texts edited on two sides come together letter by letter', async () => {
  await using pair = await opened(withKey, { description: 'the quick fox' })
  const { a, b } = pair
  a.text('description').insert(0, 'See ')
  b.text('description').insert(b.text('description').length, ' jumps')
  await a.commit()
  // b takes in what a wrote beneath its own edit, and its commit is a splice of its own words alone.
  await b.refresh()
  expect(b.text('description').toString()).toBe('See the quick fox jumps')
  expect(b.dirty).toBe(true)
  await b.commit()
  await settled(a, b)
  for (const record of [a, b]) expect(record.text('description').toString()).toBe('See the quick fox jumps')
  expect([a.dirty, b.dirty, a.conflicts]).toEqual([false, false, []])
})

test('edits that are not committed survive what comes from elsewhere, in other fields, sets and maps', async () => {
  await using pair = await opened(withKey, { tags: ['a', 'b'], version: '1', resource_requirements: { min_vcpus: 1 } })
  const { a, b } = pair
  b.map.set('tags', ['a', 'c'])
  b.map.set('resource_requirements', { min_vcpus: 1, min_memory_mb: 5 })
  a.map.set('version', '2')
  a.map.set('tags', ['a', 'b', 'd'])
  a.map.set('resource_requirements', { min_vcpus: 9 })
  await a.commit()
  await b.refresh()
  expect(b.map.toJSON()).toMatchObject({ version: '2', resource_requirements: { min_vcpus: 9, min_memory_mb: 5 } })
  expect([...(b.map.get('tags') as string[])].sort()).toEqual(['a', 'c', 'd'])
  expect(b.overlaps).toEqual([])
  await b.commit()
  await a.refresh()
  expect(a.map.toJSON()).toEqual(b.map.toJSON())
  expect(a.conflicts).toEqual([])
})

test('one place edited on both sides stands as a conflict of both values, and nothing is lost', async () => {
  await using pair = await opened(withKey, { version: '1' })
  const { a, b } = pair
  a.map.set('version', 'a')
  b.map.set('version', 'b')
  b.map.set('license', 'MIT')
  await a.commit()
  await b.refresh()
  expect(b.map.get('version')).toBe('b')
  expect(b.overlaps).toEqual(['/version'])
  await b.commit()
  expect(b.overlaps).toEqual([])
  await a.refresh()
  for (const record of [a, b]) {
    const [conflict] = record.conflicts
    expect(conflict?.alternatives.map(({ value }) => value).sort()).toEqual(['a', 'b'])
    expect(record.map.get('license')).toBe('MIT')
  }
  expect(a.map.toJSON()).toEqual(b.map.toJSON())
})

test('a conflict is found even when the other edit arrives in the moment of the commit', async () => {
  await using pair = await opened(withKey, { version: '1' })
  const { a, b } = pair
  a.map.set('version', 'a')
  b.map.set('version', 'b')
  await a.commit()
  await b.commit()
  expect(b.conflicts).toHaveLength(1)
})

test('an edit that was taken back is none: what others wrote is shown', async () => {
  await using pair = await opened(withKey, { version: '1' })
  const { a, b } = pair
  a.map.set('version', '2')
  b.map.set('version', 'mine')
  await a.commit()
  await b.refresh()
  b.map.set('version', '1')
  expect((await b.commit()).outcome).toBe('unchanged')
  expect(b.map.get('version')).toBe('2')
  expect(b.conflicts).toEqual([])
})

test('edits made while a commit is under way wait for the next', async () => {
  await using pair = await opened(withKey, { description: 'one', version: '1' })
  const { a, id } = pair
  a.map.set('version', '2')
  a.text('description').insert(3, ' two')
  const committing = a.commit()
  await new Promise((go) => setImmediate(go))
  // The commit has not read the document yet or has: either way nothing that is typed now is lost.
  a.text('description').insert(7, ' three')
  a.map.set('license', 'MIT')
  await committing
  await a.commit()
  expect(await withKey().get(id)).toMatchObject({ version: '2', description: 'one two three', license: 'MIT' })
  expect(a.dirty).toBe(false)
})

test('changes from elsewhere appear by themselves, as transactions that say so', async () => {
  const client = withKey()
  const { id } = await client.register('agents', { name: 'followed', description: 'one' })
  await using record = await openRecord(withKey(), id)
  const arrived = new Promise<unknown>((go) => {
    record.text('description').observe((_event, transaction) => go(transaction.origin))
  })
  await client.patch(id, { description: 'one and two', version: '3' })
  expect(await arrived).toBe(REMOTE)
  await record.refresh()
  expect([record.text('description').toString(), record.map.get('version'), record.dirty]).toEqual([
    'one and two',
    '3',
    false,
  ])
})

test('a binding of its own Y.Doc, kept equal by updates, commits through ours', async () => {
  await using pair = await opened(withKey, { description: 'hello' })
  const { a, id } = pair
  const mirror = new Y.Doc()
  Y.applyUpdate(mirror, Y.encodeStateAsUpdate(a.doc))
  mirror.on('update', (update: Uint8Array) => Y.applyUpdate(a.doc, update))
  mirror.getText('/description').insert(5, ' there')
  await a.commit()
  expect(await withKey().get(id)).toMatchObject({ description: 'hello there' })
})

test('what does not fit is refused with its place, and stays to be mended', async () => {
  await using pair = await opened(withKey, { version: '1' })
  const { a } = pair
  a.map.set('downloads', 'many')
  await expect(a.commit()).rejects.toMatchObject({ code: 'invalid', problem: { errors: [{ pointer: '/downloads' }] } })
  a.map.set('downloads', 5)
  expect((await a.commit()).outcome).toBe('changed')
  expect(() => a.text('version')).toThrow(RangeError)
})

test('a record that was deleted is told, and not restored by an edit', async () => {
  await using pair = await opened(withKey, { version: '1' })
  const { a, id } = pair
  await withKey().remove(id)
  a.map.set('version', '2')
  await expect(a.commit()).rejects.toMatchObject({ code: 'not-found' })
  expect(a.live).toBe(false)
  await expect(openRecord(withKey(), id)).rejects.toMatchObject({ code: 'not-found' })
})
