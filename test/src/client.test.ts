import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  draftOp,
  encodeVerbs,
  networkId,
  opIdToCid,
  ownerOfKey,
  type ParsedFrame,
  recordId,
  signOps,
} from '../../crdt/index.ts'
import { batches, Client, type Entry } from '../../src/client.ts'
import { ClientError } from '../../src/client-error.ts'
import { framesBy, type HttpNode, NET, signerOf, startHttpNode, TOKEN } from '../support/http-node.ts'

let node: HttpNode
let byToken: Client
let byKey: Client
beforeAll(async () => {
  node = await startHttpNode()
  byToken = new Client({ url: node.url, token: TOKEN })
  byKey = new Client({ url: `${node.url}/`, key: signerOf(7) })
})
afterAll(() => node[Symbol.asyncDispose]())

const types = async (client: Client, reference: string) => {
  const found: string[] = []
  for await (const { type } of client.history(reference)) found.push(type)
  return found
}

test.each([
  ['the node signs', () => byToken],
  ['this side signs', () => byKey],
])('registers, reads, patches, replaces and deletes (%s)', async (_who, clientOf) => {
  const client = clientOf()
  const doc = { name: 'life', description: 'one', tags: ['a'], version: '1' }
  const { id, outcome } = await client.register('agents', doc)
  expect(outcome).toBe('created')
  expect(await client.get('agents/life')).toMatchObject({ id, kind: 'agent', slug: 'life', ...doc })
  expect((await client.get(id)).id).toBe(id)
  expect((await client.get(`${client.url}/v1/agents/${id}`)).id).toBe(id)
  await expect(client.register('agents', doc)).rejects.toMatchObject({ code: 'conflict' })

  await client.patch('agents/life', { version: null, tags: ['a', 'b'] })
  expect(await client.get('agents/life')).not.toHaveProperty('version')
  await client.replace('agents/life', { name: 'life', description: 'two' })
  const replaced = await client.get('agents/life')
  expect([replaced['tags'], replaced['description']]).toEqual([undefined, 'two'])
  // What was read says the same when it is sent back.
  await client.replace('agents/life', replaced)
  expect((await client.get('agents/life')).heads).toEqual(replaced.heads)

  await client.remove('agents/life')
  await expect(client.get('agents/life')).rejects.toMatchObject({ code: 'not-found', status: 404 })
  await expect(client.patch(id, { version: '3' })).rejects.toMatchObject({ code: 'not-found' })
  expect(await types(client, id)).toEqual(['delete', 'patch', 'patch', 'genesis'])
  expect((await client.register('agents', { name: 'life' })).outcome).toBe('created')
  expect((await types(client, id))[0]).toBe('put')
  expect((await client.proven(id))?.merged).toMatchObject({ live: true, heads: expect.any(Array) })
})

test('what is wrong with a document is told with its place, by the node and by this side alike', async () => {
  for (const client of [byToken, byKey]) {
    const error = await client
      .register('models', { name: 'wrong', parameters: 'many' })
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ClientError)
    expect((error as ClientError).code).toBe('invalid')
    expect((error as ClientError).problem?.errors).toMatchObject([{ pointer: '/parameters' }])
  }
})

test('without a token or with a wrong one the node signs nothing', async () => {
  for (const client of [new Client({ url: node.url }), new Client({ url: node.url, token: 'wrong' })]) {
    await expect(client.register('agents', { name: 'x' })).rejects.toMatchObject({ code: 'auth', status: 401 })
  }
})

test('the token travels with writes only', async () => {
  const seen: string[] = []
  const spy: typeof fetch = (url, init) => {
    if (new Headers(init?.headers).has('authorization')) seen.push(init?.method ?? 'GET')
    return fetch(url, init)
  }
  const client = new Client({ url: node.url, token: TOKEN, fetch: spy })
  const { id } = await client.register('agents', { name: 'quiet' })
  await client.get(id)
  await client.heads(id)
  await client.patch(id, { version: '1' })
  expect(seen).toEqual(['POST', 'PATCH'])
})

test('a record of another key is refused to the node and to this side', async () => {
  const { id } = await byKey.register('agents', { name: 'mine alone' })
  await expect(byToken.patch(id, { version: '1' })).rejects.toMatchObject({ code: 'auth', status: 403 })
  const theirs = (await byToken.register('agents', { name: 'theirs alone' })).id
  await expect(byKey.patch(theirs, { version: '1' })).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('no grant'),
  })
})

test('publishing says what became of each entry, and saying it twice changes nothing', async () => {
  const entries: Entry[] = [
    { kind: 'agent', doc: { name: 'p1', tags: ['a'] } },
    { kind: 'models', slug: 'own slug', doc: { name: 'p2' } },
    { kind: 'model', doc: { name: 'p3', parameters: 'many' } },
    { kind: 'nothing', doc: { name: 'p4' } },
    { kind: 'agent', doc: { description: 'no name' } },
  ]
  for (const client of [byToken, byKey]) {
    const outcomes = async (list: readonly Entry[], options = {}) =>
      (await client.publish(list, options)).map(({ outcome }) => outcome)
    const [bad] = await client.publish(entries.slice(2))
    expect(bad?.error?.errors).toMatchObject([{ pointer: '/parameters' }])
    expect(await outcomes(entries)).toEqual(['created', 'created', 'refused', 'refused', 'refused'])
    expect(await outcomes(entries)).toEqual(['unchanged', 'unchanged', 'refused', 'refused', 'refused'])
    expect(await outcomes(entries.slice(2, 3), { lenient: true })).toEqual(['created'])
    expect(await outcomes([{ kind: 'agent', doc: { name: 'p1', version: '2' } }])).toEqual(['merged'])
    expect(await client.get('agents/p1')).toMatchObject({ tags: ['a'], version: '2' })
    expect(await outcomes([{ kind: 'agent', doc: { name: 'p1', version: '3' } }], { replace: true })).toEqual([
      'merged',
    ])
    expect(await client.get('agents/p1')).not.toHaveProperty('tags')
  }
})

test('many entries go in batches of one signature, two of one record one after the other', async () => {
  const entries = Array.from({ length: 300 }, (_, i) => ({
    kind: 'tool',
    doc: { name: `many ${i % 299}`, version: String(i) },
  }))
  const outcomes = await byKey.publish(entries)
  expect(outcomes.slice(0, 299).every(({ outcome }) => outcome === 'created')).toBe(true)
  expect(outcomes[299]?.outcome).toBe('merged')
  expect(await byKey.get('tools/many 0')).toMatchObject({ version: '299' })
})

test('publishing again what a record shows proves and signs nothing; another order counts where order does', async () => {
  const entry = { kind: 'agent', doc: { name: 'shown so', tags: ['b', 'a'], endpoints: [{ url: 'x' }, { url: 'y' }] } }
  await byKey.publish([entry])
  const asked: string[] = []
  const spy: typeof fetch = (url, init) => {
    asked.push(`${init?.method ?? 'GET'} ${new URL(String(url)).pathname.replace(/[0-9a-f]{64}/, 'ID')}`)
    return fetch(url, init)
  }
  const client = new Client({ url: node.url, key: signerOf(7), fetch: spy })
  const again = (doc: Entry['doc']) => client.publish([{ ...entry, doc }]).then(([one]) => one?.outcome)
  expect(await again({ ...entry.doc, tags: ['a', 'b'] })).toBe('unchanged')
  expect(asked).toEqual(['GET /v1/status', 'GET /v1/agents/ID'])
  expect(await again({ ...entry.doc, endpoints: [{ url: 'y' }, { url: 'x' }] })).toBe('merged')
  const { id } = await client.resolve('agents/shown so')
  await client.remove(id)
  expect(await new Client({ url: node.url, key: signerOf(7) }).publish([entry])).toMatchObject([{ outcome: 'created' }])
  expect((await types(byKey, id))[0]).toBe('put')
})

test('more heads than an op can name are joined first', async () => {
  const signer = signerOf(9)
  const client = new Client({ url: node.url, key: signer })
  const { id } = await client.register('agents', { name: 'many heads' })
  const root = (await client.proven(id))?.merged.heads as string[]
  const drafts = Array.from({ length: 40 }, (_, i) => ({
    type: 'patch' as const,
    record: id,
    parents: root,
    w: i,
    body: encodeVerbs([['set', [`f${i}`], i]]),
  }))
  for (const frame of framesBy(signer, drafts))
    await node.call('POST', '/v1/ops', frame, { 'content-type': 'application/cbor' })
  expect((await client.heads(id)).heads).toHaveLength(40)
  await client.patch(id, { version: '1' })
  expect((await client.heads(id)).heads).toHaveLength(1)
  expect(await client.get(id)).toMatchObject({ f0: 0, f39: 39, version: '1' })
})

test('two publishers of one key who do not see each other both stand, and a patch of the place settles it', async () => {
  const [a, b] = [new Client({ url: node.url, key: signerOf(11) }), new Client({ url: node.url, key: signerOf(11) })]
  const { id } = await a.register('agents', { name: 'shared', version: '0' })
  const before = (await a.proven(id))?.merged.heads as string[]
  await a.patch(id, { version: 'a' })
  await b.signPatch(id, before, 0, [['set', ['version'], 'b']])
  const { conflicts } = await a.heads(id)
  expect(conflicts['/version']?.map(({ value }) => value).sort()).toEqual(['a', 'b'])
  const shown = (await a.get(id))['version']
  await a.patch(id, { version: shown })
  expect((await a.heads(id)).conflicts).toEqual({})
})

test('lists page by page, up to the limit', async () => {
  const names: unknown[] = []
  for await (const record of byKey.list('tools', { limit: 3 })) names.push(record.name)
  expect(names).toHaveLength(3)
})

test('follows changes as they come, and ends with the log when it shall not follow', async () => {
  const seen: string[] = []
  const stop = new AbortController()
  const { seq } = await byToken.status()
  const following = (async () => {
    for await (const change of byToken.changes({ since: seq, signal: stop.signal })) {
      seen.push(change.op)
      if (seen.length === 2) stop.abort()
    }
  })()
  const { id } = await byToken.register('agents', { name: 'followed' })
  await byToken.patch(id, { version: '1' })
  await following
  const { heads } = await byToken.heads(id)
  expect(seen.at(-1)).toBe(heads[0])
  const all: number[] = []
  for await (const change of byToken.changes({ since: 0, follow: false })) all.push(change.seq)
  expect(all).toEqual(all.map((_, i) => i + 1))
})

test.each([
  ['bytes of another op', 'another'],
  ['a bit turned', 'turned'],
  ['nothing', 'empty'],
] as const)('a node that lies about an op is found out: %s', async (_how, lie) => {
  const { id } = await byKey.register('agents', { name: `lie ${lie}` })
  await byKey.patch(id, { version: '1' })
  const other = (await byKey.heads('agents/mine alone')).heads[0]
  const liar: typeof fetch = async (url, init) => {
    if (!String(url).includes('/v1/ops/')) return fetch(url, init)
    if (lie === 'another') return fetch(`${node.url}/v1/ops/${other}`)
    const bytes = new Uint8Array(await (await fetch(url, init)).arrayBuffer())
    if (lie === 'empty') return new Response(new Uint8Array())
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
    return new Response(bytes)
  }
  const client = new Client({ url: node.url, fetch: liar })
  await expect(client.proven(id)).rejects.toMatchObject({ code: 'integrity' })
})

test('a node that shows an op of another record, or one by another key, is found out', async () => {
  const { id } = await byKey.register('agents', { name: 'shown' })
  const root = (await byKey.proven(id))?.merged.heads as string[]
  const strange = {
    type: 'patch' as const,
    record: id,
    parents: root,
    w: 0,
    body: encodeVerbs([['set', ['version'], '9']]),
  }
  const signed = signOps([draftOp(strange, { net: NET, key: signerOf(8).key })], {
    net: NET,
    key: signerOf(8).key,
    sign: (message) => signerOf(8).sign(message),
  })
  const frame = signed[0]?.frame as ParsedFrame
  const foreign = (await byKey.heads('agents/mine alone')).heads[0] as string
  for (const op of [foreign, opIdToCid(frame.entries[0]?.op.id as string)]) {
    const liar: typeof fetch = async (url, init) => {
      if (op !== foreign && String(url).endsWith(`/v1/ops/${op}`)) return new Response(frame.bytes as BodyInit)
      const response = await fetch(url, init)
      if (!String(url).includes('/history')) return response
      const page = (await response.json()) as { items: unknown[] }
      return Response.json({ ...page, items: [{ op }, ...page.items] })
    }
    const client = new Client({ url: node.url, fetch: liar })
    await expect(client.proven(id)).rejects.toMatchObject({ code: 'integrity' })
  }
})

test('a node that holds back a parent is found out', async () => {
  const { id } = await byKey.register('agents', { name: 'held back' })
  await byKey.patch(id, { version: '1' })
  const liar: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    if (!String(url).includes('/history')) return response
    const page = (await response.json()) as { items: unknown[] }
    return Response.json({ ...page, items: page.items.slice(0, 1) })
  }
  await expect(new Client({ url: node.url, fetch: liar }).proven(id)).rejects.toMatchObject({ code: 'integrity' })
})

test('a second write of a record fetches no op again', async () => {
  const { id } = await byKey.register('agents', { name: 'fetched once' })
  let ops = 0
  const counting: typeof fetch = (url, init) => {
    if (String(url).includes('/v1/ops/')) ops++
    return fetch(url, init)
  }
  const client = new Client({ url: node.url, key: signerOf(7), fetch: counting })
  await client.patch(id, { version: '1' })
  expect(ops).toBe(1)
  await client.patch(id, { version: '2' })
  await client.patch(id, { version: '3' })
  expect(ops).toBe(1)
})

test('says that no node answers, and what cannot name a record', async () => {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  await new Promise((go) => gone.close(go))
  await expect(new Client({ url: `http://127.0.0.1:${port}` }).status()).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('ECONNREFUSED'),
  })
  await expect(byToken.get('nonsense')).rejects.toMatchObject({ code: 'bad-reference' })
  await expect(byToken.page('nonsense')).rejects.toMatchObject({ code: 'bad-reference' })
  await expect(byToken.get('ab'.repeat(32))).rejects.toMatchObject({ code: 'not-found' })
  expect(() => new Client({ url: 'nonsense' })).toThrow(TypeError)
})

test('an id is what the network, the owner, the kind and the slug make', async () => {
  const { id } = await byKey.resolve('agents/any/thing')
  expect(NET).toBe(networkId('test'))
  expect(id).toBe(recordId({ net: NET, owner: ownerOfKey(signerOf(7).key), kind: 'agent', slug: 'any/thing' }))
  expect((await byKey.resolve(`agents/${byKey.did}/any/thing`)).id).toBe(id)
  expect((await byToken.resolve('agents/any/thing')).id).not.toBe(id)
  expect(opIdToCid('00'.repeat(32))).toMatch(/^bafyrei/)
})

test('batches hold what one request may, by lines and by bytes, and lose nothing', () => {
  const entries = [
    ...Array.from({ length: 1500 }, (_, i) => ({ kind: 'agent', doc: { name: String(i) } })),
    ...Array.from({ length: 5 }, (_, i) => ({
      kind: 'agent',
      doc: { name: `big ${i}`, readme: '线'.repeat(1_000_000) },
    })),
  ]
  const made = [...batches(entries)]
  expect(made.map(({ from }) => from)).toEqual([0, 1000, 1502, 1504])
  expect(made.flatMap(({ lines }) => lines).map((line) => JSON.parse(line))).toEqual(entries)
  expect(JSON.parse([...batches([{ kind: 'agents', doc: {} }])][0]?.lines[0] ?? '')).toEqual({ kind: 'agent', doc: {} })
  for (const { lines } of made) expect(Buffer.byteLength(lines.join('\n'))).toBeLessThan(8 * 1024 * 1024)
})
