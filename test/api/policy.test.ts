/** The operator's lists over HTTP: who may change them, what a blocked record answers, and what is over a quota. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Draft, encodeBody, keyToDid, ownerOfKey } from '../../crdt/index.ts'
import { framesBy, type HttpNode, jsonOf, signerOf, startHttpNode } from '../support/http-node.ts'

let node: HttpNode
beforeAll(async () => {
  node = await startHttpNode({
    tokens: async (secret) => (secret === 'another' ? { name: 'another', may: 'write' } : undefined),
  })
})
afterAll(() => node[Symbol.asyncDispose]())

const other = signerOf(7)
const did = keyToDid(other.key)
const genesis = (slug: string): Draft => {
  const body = encodeBody({ slug, f: [[['name'], slug]], s: [], t: [] })
  return { type: 'genesis', owner: ownerOfKey(other.key), kind: 'model', slug, w: 1_700_000_000_000, body }
}
const post = async (drafts: readonly Draft[], headers: Record<string, string> = { authorization: '' }) => {
  const results = []
  for (const frame of framesBy(other, drafts)) {
    const type = { 'content-type': 'application/cbor' }
    const answer = await node.call('POST', '/v1/ops', frame, { ...type, ...headers })
    results.push(...(await jsonOf(answer))['results'])
  }
  return results.map(({ verdict, reason }) => reason ?? verdict)
}
const blockPath = (target: string) => `/v1/policy/blocks/${encodeURIComponent(target)}`
const quotaPath = `/v1/policy/quotas/${encodeURIComponent(did)}`
const found = async () => {
  const answer = await jsonOf(await node.call('POST', '/v1/models/search', { query: 'seven' }))
  return [answer['total'], answer['items'].length]
}
const settled = async (wanted: readonly [number, number]) => {
  await expect.poll(found, { timeout: 5_000 }).toEqual(wanted)
}

test('a blocked record answers 451 wherever it is read, is out of lists and search, and comes back', async () => {
  expect(await post([genesis('seven up')])).toEqual(['applied'])
  const id = (await node.replica.list({ limit: 9 }))[0]!.record
  const own = await jsonOf(await node.call('POST', '/v1/models', { name: 'seven of nine' }))
  await settled([2, 2])
  const before = await (await node.call('GET', `/v1/models/${id}`)).text()

  const put = await node.call('PUT', blockPath(did), { reason: 'spam' })
  expect([put.status, await jsonOf(put)]).toMatchObject([200, { target: did, is: 'did', reason: 'spam' }])
  expect(await jsonOf(await node.call('GET', '/v1/policy/blocks'))).toMatchObject({ items: [{ target: did }] })
  const bySlug = `/v1/models/${encodeURIComponent(did)}/${encodeURIComponent('seven up')}`
  const at = [
    `/v1/models/${id}`,
    bySlug,
    `/models/${id}`,
    ...['history', 'heads', 'authority'].map((sub) => `/v1/models/${id}/${sub}`),
  ]
  for (const path of at) {
    const answer = await node.call('GET', path)
    expect([path, answer.status]).toEqual([path, 451])
    // The reason is the operator's own.
    expect(await jsonOf(answer)).toMatchObject({ code: 'blocked', detail: expect.not.stringContaining('spam') })
  }
  const page = await node.call('GET', `/models/${id}`, undefined, { accept: 'text/html' })
  expect([page.status, page.headers.get('content-type')]).toEqual([451, expect.stringContaining('text/html')])
  expect((await node.call('GET', `/v1/models/${'0'.repeat(64)}`)).status).toBe(404)
  expect((await node.call('PATCH', `/v1/models/${id}`, { license: 'MIT' })).status).toBe(451)
  await settled([1, 1])
  expect((await jsonOf(await node.call('GET', '/v1/models')))['items']).toHaveLength(1)
  expect(await (await node.call('GET', '/v1/changes?since=0')).text()).not.toContain(id)
  expect(await post([genesis('seven more')])).toEqual(['blocked'])
  expect(await (await node.call('GET', '/metrics')).text()).toMatch(
    /peerage_refused_total\{reason="blocked",via="http"\} 1\n[\s\S]*peerage_withheld_ops 1\n/,
  )

  expect((await node.call('DELETE', blockPath(did))).status).toBe(204)
  expect((await node.call('DELETE', blockPath(did))).status).toBe(404)
  expect(await (await node.call('GET', `/v1/models/${id}`)).text()).toBe(before)
  await settled([2, 2])
  expect(await post([genesis('seven more')])).toEqual(['applied'])
  await settled([3, 3])

  // One record alone, of the node itself.
  expect((await node.call('PUT', blockPath(own['id']), {})).status).toBe(200)
  expect((await node.call('PATCH', `/v1/models/${own['id']}`, { license: 'MIT' })).status).toBe(451)
  expect((await node.call('POST', '/v1/models', { name: 'seven of nine' })).status).toBe(451)
  await settled([2, 2])
  expect((await node.call('DELETE', blockPath(own['id']))).status).toBe(204)
  await settled([3, 3])
})

test('only the main token reads and changes the lists, and what it asks must make sense', async () => {
  for (const path of [blockPath(did), '/v1/policy/blocks', quotaPath, '/v1/policy/quotas']) {
    expect((await node.call('GET', path, undefined, { authorization: '' })).status).toBe(401)
    expect((await node.call('GET', path, undefined, { authorization: 'Bearer another' })).status).toBe(403)
  }
  expect((await node.call('PUT', blockPath(did), {}, { authorization: 'Bearer another' })).status).toBe(403)
  expect((await node.call('PUT', blockPath('nobody'), {})).status).toBe(404)
  const wrong = [
    [blockPath(keyToDid(node.signer.key)), {}],
    [blockPath(did), { reason: 7 }],
    [blockPath(did), { reason: 'x'.repeat(300) }],
    [blockPath(did), { why: 'x' }],
    [blockPath(did), []],
    [quotaPath, { records: -1 }],
    [quotaPath, { ops: 1 }],
    [quotaPath, {}],
  ] as const
  for (const [path, body] of wrong) {
    const answer = await node.call('PUT', path, body)
    expect([path, body, answer.status]).toEqual([path, body, 422])
  }
  expect((await jsonOf(await node.call('GET', '/v1/policy/blocks')))['items']).toEqual([])
})

test('over his quota a publisher is told so op by op; the operator’s token and the node itself are not bound', async () => {
  const { used } = await jsonOf(await node.call('GET', quotaPath))
  expect(used).toMatchObject({ records: 2 })
  await node.call('PUT', quotaPath, { records: used.records + 1 })
  expect(await post([genesis('a'), genesis('b')])).toEqual(['applied', 'quota'])
  expect(await post([genesis('c')], {})).toEqual(['applied'])
  expect(await (await node.call('GET', '/metrics')).text()).toMatch(
    /peerage_refused_total\{reason="quota",via="http"\} 1\n/,
  )
  await node.call('PUT', quotaPath, { ops_per_hour: 1 })
  expect(await post([genesis('d'), genesis('e')])).toEqual(['applied', 'quota'])
  await node.call('PUT', `/v1/policy/quotas/${encodeURIComponent(keyToDid(node.signer.key))}`, { records: 1 })
  expect((await node.call('POST', '/v1/models', { name: 'one more' })).status).toBe(201)
  const quotas = await jsonOf(await node.call('GET', '/v1/policy/quotas'))
  expect(quotas).toMatchObject({ default: { records: 0 }, items: [{ did, quota: { ops_per_hour: 1 } }, {}] })
  expect((await node.call('DELETE', quotaPath)).status).toBe(204)
  expect((await node.call('DELETE', quotaPath)).status).toBe(404)
  // What was over it is not refused for good.
  expect(await post([genesis('b')])).toEqual(['applied'])
})
