import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Draft, encode, encodeBody, openFrame, opIdToCid, ownerOfKey, pureSuite } from '../../crdt/index.ts'
import { framesBy, type HttpNode, jsonOf, NET, signerOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

const publisher = signerOf(21)
const genesis = (slug: string): Draft => ({
  type: 'genesis',
  owner: ownerOfKey(publisher.key),
  kind: 'model',
  slug,
  w: 1,
  body: encodeBody({ slug, f: [[['name'], slug]], s: [], t: [] }),
})
const post = (body: Uint8Array, headers: Record<string, string> = { 'content-type': 'application/cbor' }) =>
  fetch(`${http.url}/v1/ops`, { method: 'POST', body: body as BodyInit, headers })

test('takes one frame as it stands, without a token, and a replay says duplicate', async () => {
  const [frame] = framesBy(publisher, [genesis('alone')])
  const answer = await post(frame as Uint8Array)
  expect(answer.status).toBe(200)
  const { results } = await jsonOf(answer)
  expect(results).toEqual([{ op: expect.stringMatching(/^bafy/), verdict: 'applied' }])
  expect(await jsonOf(await post(frame as Uint8Array))).toEqual({
    results: [{ op: results[0].op, verdict: 'duplicate' }],
  })
})

test('takes several frames as a CBOR array of byte strings', async () => {
  const frames = [
    framesBy(publisher, [genesis('list-1'), genesis('list-2')]),
    framesBy(publisher, [genesis('list-3')]),
  ].flat()
  const { results } = await jsonOf(await post(encode(frames)))
  expect(results.map((result: { verdict: string }) => result.verdict)).toEqual(['applied', 'applied', 'applied'])
  expect(await jsonOf(await post(encode(Array(6).fill(frames[0] as Uint8Array))))).toMatchObject({
    results: Array(12).fill({ verdict: 'duplicate' }),
  })
})

test('gives every op its verdict and every bad frame its reason, and stores nothing of it', async () => {
  const [good] = framesBy(publisher, [genesis('good')])
  const [forged] = framesBy(publisher, [genesis('forged')])
  const broken = (forged as Uint8Array).slice()
  // A byte of the signature, which stands behind the key and n.
  broken[60] = (broken[60] as number) ^ 1
  const waiting = framesBy(publisher, [
    { type: 'delete', record: 'ab'.repeat(32), parents: ['cd'.repeat(32)], w: 1, body: new Uint8Array(0) },
  ])
  const { ops } = http.replica.counts()
  const { results } = await jsonOf(await post(encode([broken, good as Uint8Array, ...waiting, Uint8Array.of(1, 2, 3)])))
  expect(
    results
      .filter((result: { op?: string }) => result.op !== undefined)
      .map((result: { verdict: string }) => result.verdict),
  ).toEqual(['applied', 'pending'])
  expect(results.filter((result: { frame?: number }) => result.frame !== undefined)).toEqual([
    { frame: 0, verdict: 'refused', reason: 'bad-signature' },
    { frame: 3, verdict: 'refused', reason: 'malformed' },
  ])
  expect(http.replica.counts().ops).toBe(ops + 1)
})

test('judges any bytes: a verdict or a problem, never a 5xx', async () => {
  const deep = new Uint8Array(100_000).fill(0x81)
  for (const body of [
    deep,
    Uint8Array.of(0x80),
    Uint8Array.of(0x86, 0x58, 0x20),
    new TextEncoder().encode('{"a":1}'),
    new Uint8Array(50),
  ]) {
    const answer = await post(body)
    expect(answer.status).toBe(200)
    for (const result of (await jsonOf(answer))['results'])
      expect(result).toMatchObject({ verdict: 'refused', reason: 'malformed' })
  }
  expect((await post(new Uint8Array(0))).status).toBe(400)
  expect((await post(Uint8Array.of(1), { 'content-type': 'application/json' })).status).toBe(415)
})

test('gives an op back in a frame that proves it alone', async () => {
  const frames = framesBy(publisher, [genesis('proof-1'), genesis('proof-2'), genesis('proof-3')])
  const { results } = await jsonOf(await post(encode(frames)))
  const cid = results[1].op as string
  const answer = await fetch(`${http.url}/v1/ops/${cid}`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/cbor')
  const opened = openFrame(new Uint8Array(await answer.arrayBuffer()), NET, pureSuite)
  expect(opened.ok && opened.frame.entries.map(({ op }) => opIdToCid(op.id))).toEqual([cid])
  const single = framesBy(publisher, [genesis('exact')])[0] as Uint8Array
  const [{ op }] = (await jsonOf(await post(single)))['results']
  expect(new Uint8Array(await (await fetch(`${http.url}/v1/ops/${op}`)).arrayBuffer())).toEqual(single)
})

test.each(['x', 'bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '%ff'])(
  'does not find %s',
  async (cid) => {
    expect((await fetch(`${http.url}/v1/ops/${cid}`)).status).toBe(404)
  },
)
