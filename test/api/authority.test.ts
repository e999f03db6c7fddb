/** Grants, revokes and erases over HTTP, between two nodes of which one lets the other write. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cidToOpId, keyToDid } from '../../crdt/index.ts'
import { type HttpNode, jsonOf, startHttpNode } from '../support/http-node.ts'

let owner: HttpNode
let ci: HttpNode
beforeAll(async () => {
  owner = await startHttpNode({ seed: 51 })
  ci = await startHttpNode({ seed: 52 })
})
afterAll(async () => {
  await owner[Symbol.asyncDispose]()
  await ci[Symbol.asyncDispose]()
})

/** Everything that one holds goes to the other. */
async function copy(from: HttpNode, to: HttpNode): Promise<void> {
  for await (const { bytes } of from.replica.log(0)) await to.replica.admit([bytes], { via: 'sync', peer: 'x' })
}

const ciDid = () => keyToDid(ci.signer.key)

async function registered(name: string): Promise<string> {
  return (await jsonOf(await owner.call('POST', '/v1/models', { name, license: 'MIT' }))).id
}

test('a key that was given a grant writes what it covers; what a revoke does not keep is shown as voided', async () => {
  const id = await registered('shared')
  await copy(owner, ci)
  const patch = (body: object) =>
    ci.call('PATCH', `/v1/models/${id}`, body, { 'content-type': 'application/merge-patch+json' })
  expect((await patch({ license: 'GPL' })).status).toBe(403)
  const wish = { to: ciDid(), rights: ['write'], fields: ['tags', 'description'], records: [id] }
  const given = await owner.call('POST', '/v1/grants', wish)
  expect(given.status).toBe(201)
  const { grants } = await jsonOf(given)
  expect(given.headers.get('location')).toBe(`/v1/ops/${grants[0]}`)
  await copy(owner, ci)
  // What lies outside of the fields would be inert, and is not signed.
  expect((await patch({ tags: ['from-ci'], license: 'GPL' })).status).toBe(403)
  expect((await patch({ tags: ['from-ci'] })).status).toBe(200)
  expect(await jsonOf(await ci.call('GET', `/v1/models/${id}`))).toMatchObject({ license: 'MIT', tags: ['from-ci'] })
  await copy(ci, owner)
  const before = (await owner.call('GET', `/v1/models/${id}`)).headers.get('etag')
  const revoked = await jsonOf(await owner.call('POST', `/v1/grants/${grants[0]}/revoke`, { keep: 'nothing' }))
  expect(revoked).toEqual({ revoke: expect.stringMatching(/^bafy/), keeps: [], kept: 0 })
  const after = await owner.call('GET', `/v1/models/${id}`)
  expect((await jsonOf(after)).tags).toBeUndefined()
  expect(after.headers.get('etag')).not.toBe(before)
  const { items } = await jsonOf(await owner.call('GET', `/v1/models/${id}/history`))
  expect(items[0]).toMatchObject({ actor: ciDid(), voided_by: [revoked.revoke] })
  const authority = await jsonOf(await owner.call('GET', `/v1/models/${id}/authority`))
  expect(authority).toMatchObject({
    owner: keyToDid(owner.signer.key),
    grants: [{ to: ciDid(), fields: ['/tags', '/description'], holds: false, taken_by: [revoked.revoke] }],
    ops: [{ chain: [] }, { chain: [grants[0]], rank: 1, voided_by: [revoked.revoke] }],
  })
  const whole = await jsonOf(await owner.call('GET', `/v1/authority/${keyToDid(owner.signer.key)}`))
  expect(whole.ops).toEqual([grants[0], revoked.revoke])
  // Anyone can fetch the proof of each.
  expect((await fetch(`${owner.url}/v1/ops/${revoked.revoke}`)).status).toBe(200)
})

test('a record is created in the name of its owner where a grant lets it', async () => {
  const path = `/v1/models/${keyToDid(owner.signer.key)}/by-ci`
  expect((await ci.call('PUT', path, { name: 'by-ci' })).status).toBe(403)
  await owner.call('POST', '/v1/grants', { to: ciDid(), rights: ['create'], kinds: ['model'] })
  await copy(owner, ci)
  const made = await ci.call('PUT', path, { name: 'by-ci' })
  expect(made.status).toBe(201)
  expect(await jsonOf(made)).toMatchObject({ owner_id: keyToDid(owner.signer.key) })
})

test('an erase takes the named ops, or all', async () => {
  const id = await registered('leaky')
  const { items } = await jsonOf(await owner.call('GET', `/v1/models/${id}/history`))
  const erased = await owner.call('POST', `/v1/models/${id}/erase`, { ops: [items[0].op], reason: 'a token' })
  expect(await jsonOf(erased)).toMatchObject({ erased: [items[0].op] })
  expect((await owner.call('GET', `/v1/models/${id}`)).status).toBe(404)
  expect((await jsonOf(await owner.call('GET', `/v1/models/${id}/heads`))).erased).toEqual([items[0].op])
  expect((await owner.call('POST', `/v1/models/${'ab'.repeat(32)}/erase`, {})).status).toBe(404)
})

test.each<[string, object, string]>([
  ['no DID', { to: 'me', rights: ['write'] }, '/to'],
  ['no rights', { to: 'X', rights: [] }, '/rights'],
  ['an unknown right', { to: 'X', rights: ['everything'] }, '/rights'],
  ['kinds and records', { to: 'X', rights: ['write'], kinds: ['model'], records: ['ab'.repeat(32)] }, '/kinds'],
  ['a record that is none', { to: 'X', rights: ['write'], records: ['x'] }, '/records'],
  ['no field', { to: 'X', rights: ['write'], fields: [''] }, '/fields'],
  ['an expiry in words', { to: 'X', rights: ['write'], expires_at: 'tomorrow' }, '/expires_at'],
  ['an owner that is none', { to: 'X', rights: ['write'], owner: 'me' }, '/owner'],
  ['something else', { to: 'X', rights: ['write'], note: 1 }, '/note'],
])('refuses a grant with %s', async (_, wish, pointer) => {
  const body = { ...wish, ...((wish as { to: string }).to === 'X' && { to: ciDid() }) }
  const answer = await owner.call('POST', '/v1/grants', body)
  expect(answer.status).toBe(422)
  expect((await jsonOf(answer)).errors[0].pointer).toBe(pointer)
})

test('more kinds than a grant may name are refused, not failed', async () => {
  const kinds = Array.from({ length: 65 }, (_, i) => `kind-${i}`)
  expect((await owner.call('POST', '/v1/grants', { to: ciDid(), rights: ['write'], kinds })).status).toBe(422)
})

test('nobody gives, revokes or erases in the name of another', async () => {
  const id = await registered('mine')
  const given = await jsonOf(await owner.call('POST', '/v1/grants', { to: ciDid(), rights: ['write'] }))
  await copy(owner, ci)
  const inName = { to: ciDid(), rights: ['write'], owner: keyToDid(owner.signer.key) }
  expect((await ci.call('POST', '/v1/grants', inName)).status).toBe(403)
  expect((await ci.call('POST', `/v1/grants/${given.grants[0]}/revoke`, {})).status).toBe(403)
  expect((await ci.call('POST', `/v1/models/${id}/erase`, {})).status).toBe(403)
  expect((await owner.call('POST', `/v1/grants/${given.grants[0]}/revoke`, { keep: 'some' })).status).toBe(422)
  const { items } = await jsonOf(await owner.call('GET', `/v1/models/${id}/history`))
  expect((await owner.call('POST', `/v1/grants/${items[0].op}/revoke`, {})).status).toBe(404)
  expect(cidToOpId(given.grants[0])).toBeDefined()
})
