/** Grants as people ask for them: what a revoke keeps, what is late, what an erase takes, and why an op does not count. */
import { beforeEach, expect, test } from 'vitest'
import { encodeVerbs, kindOf, type Op } from '../../crdt/index.ts'
import { Authorities, type Revoked } from '../../node/authorities.ts'
import { Catalogue } from '../../node/catalogue.ts'
import type { Replica } from '../../node/replica.ts'
import { checkReplica } from '../support/check-replica.ts'
import { openReplica } from '../support/open-replica.ts'
import { relying } from '../support/owner.ts'
import { publisher } from '../support/publisher.ts'

const [me, ci] = [publisher(1, { kind: 'model' }), publisher(2, { kind: 'model' })]
const noIndex = { find: () => Promise.reject(new Error('not asked')) }
let replica: Replica
let authorities: Authorities

beforeEach(async () => {
  ;({ replica } = await openReplica({ signer: me.signer }))
  authorities = new Authorities(replica)
})

async function granted(rights: string[], more: object = {}): Promise<Op> {
  const made = await authorities.grant({ to: ci.signer.key, rights, ...more })
  if (made.outcome !== 'granted') throw new Error(made.message)
  return (await replica.op(made.grants[0]!)) as Op
}

async function take(...ops: Op[]): Promise<void> {
  const { results } = await replica.admit(ci.bytes(ops), { via: 'sync', peer: 'a' })
  expect(results.map(({ verdict }) => verdict)).toEqual(ops.map(() => 'applied'))
}

async function settled(): Promise<void> {
  while (replica.rejudging() > 0) await new Promise((resolve) => setImmediate(resolve))
}

function expectRevoked(revoked: Revoked): Extract<Revoked, { outcome: 'revoked' }> {
  if (revoked.outcome !== 'revoked') throw new Error(revoked.message)
  return revoked
}

test('a revoke keeps all this node has seen, and nothing that comes later', async () => {
  const grant = await granted(['create', 'write'])
  const geneses = ['a', 'b', 'c'].map((slug) => relying(ci, ci.genesis(slug), grant, me.owner))
  await take(...geneses)
  const second = relying(ci, ci.set(me.recordOf('a'), [geneses[0]!.id], 'second'), grant)
  await take(second)
  const revoked = expectRevoked(await authorities.revoke(me.owner, grant.id))
  // Of record a only the last op is named: its past is kept with it.
  expect(revoked).toMatchObject({ kept: 3, keeps: [] })
  const late = relying(ci, ci.set(me.recordOf('b'), [geneses[1]!.id], 'late'), grant)
  await take(late)
  await settled()
  expect((await replica.record(me.recordOf('a')))!.doc['name']).toBe('second')
  expect(await replica.record(me.recordOf('b'))).toMatchObject({
    doc: { name: 'b' },
    voided: [{ op: late.id, by: [revoked.revoke] }],
  })
  await checkReplica(replica)
})

test('a revoke since an op keeps what came before it, and one that drops keeps nothing', async () => {
  const grant = await granted(['create', 'write', 'grant'])
  const a = relying(ci, ci.genesis('a'), grant, me.owner)
  await take(a)
  const bad = relying(ci, ci.set(me.recordOf('a'), [a.id], 'bad'), grant)
  await take(bad)
  await take(relying(ci, ci.set(me.recordOf('a'), [bad.id], 'worse'), grant))
  expectRevoked(await authorities.revoke(me.owner, grant.id, { since: bad.id }))
  await settled()
  expect(await replica.record(me.recordOf('a'))).toMatchObject({ live: true, doc: { name: 'a' } })
  expectRevoked(await authorities.revoke(me.owner, grant.id, 'nothing'))
  await settled()
  expect(await replica.record(me.recordOf('a'))).toMatchObject({ live: false, doc: {} })
  expect(await authorities.revoke(me.owner, grant.id, { since: 'ff'.repeat(32) })).toMatchObject({ code: 'not-found' })
  expect(await authorities.revoke(me.owner, a.id)).toMatchObject({ code: 'not-found' })
  await checkReplica(replica)
})

test('who may write only some fields may still delete when both rights were given', async () => {
  const made = await authorities.grant({ to: ci.signer.key, rights: ['delete', 'write'], paths: [['tags']] })
  if (made.outcome !== 'granted') throw new Error(made.message)
  const grants = (await Promise.all(made.grants.map((id) => replica.op(id)))) as [Op, Op]
  const genesis = me.genesis('a')
  await replica.admit(me.bytes([genesis]), { via: 'sync', peer: 'a' })
  const remove = ci.delete(me.recordOf('a'), [genesis.id])
  const { results } = await replica.admit(ci.bytes(grants.map((grant) => relying(ci, remove, grant))), { via: 'sync' })
  expect(results.map(({ reason }) => reason)).toEqual(['not-authorised', undefined])
  expect((await replica.record(me.recordOf('a')))!.live).toBe(false)
})

test('a record is registered in the name of another only under a grant that lets it', async () => {
  const other = await openReplica({ signer: ci.signer })
  const catalogue = new Catalogue(other.replica, noIndex as never)
  const register = () => catalogue.register(kindOf('model')!, { name: 'x' }, { owner: me.owner })
  expect(await register()).toMatchObject({ code: 'not-owner' })
  const grant = await granted(['create'])
  const { frames } = await replica.frames([grant.id])
  await other.replica.admit(frames, { via: 'sync', peer: 'a' })
  expect(await register()).toMatchObject({ outcome: 'created', record: { owner: me.owner } })
  const place = { kind: 'model', id: me.recordOf('x') }
  expect(await catalogue.mergePatch(place, { license: 'MIT' })).toMatchObject({ code: 'not-owner' })
  await checkReplica(other.replica)
})

test('an erase takes every op that says something, or those that are named, and says why in its body', async () => {
  const catalogue = new Catalogue(replica, noIndex as never)
  const written = await catalogue.register(kindOf('model')!, { name: 'm', description: 'a secret' })
  const record = (written as { record: { record: string } }).record.record
  await replica.write([
    {
      record,
      kind: 'model',
      slug: 'm',
      decide: () => ({ do: 'patch', body: encodeVerbs([['set', ['license'], 'MIT']]) }),
    },
  ])
  const [patch, genesis] = (await replica.history(record, { limit: 9 })).items as [Op, Op]
  expect(await authorities.erase(record, { ops: [genesis.id], reason: 'leaked' })).toMatchObject({
    outcome: 'erased',
    record: { live: true, doc: { license: 'MIT' }, erased: [genesis.id] },
  })
  expect(await authorities.erase(record)).toMatchObject({ record: { live: false, doc: {} } })
  const { ops } = (await authorities.explain(record))!
  expect(
    ops
      .filter(({ erased }) => erased)
      .map(({ op }) => op.id)
      .sort(),
  ).toEqual([patch.id, genesis.id].sort())
  expect(await authorities.erase('ff'.repeat(32))).toMatchObject({ code: 'not-found' })
  await checkReplica(replica)
})

test('what is explained: the grants of a record, what took them, and how each op counts', async () => {
  const grant = await granted(['write'], { kinds: ['model'] })
  const genesis = me.genesis('a')
  await replica.admit(me.bytes([genesis]), { via: 'sync', peer: 'a' })
  const set = relying(ci, ci.set(me.recordOf('a'), [genesis.id], 'x'), grant)
  await take(set)
  const { revoke } = expectRevoked(await authorities.revoke(me.owner, grant.id, 'nothing'))
  const explained = (await authorities.explain(me.recordOf('a')))!
  expect(explained.grants).toMatchObject([{ op: grant.id, to: ci.signer.key, rights: ['write'], takenBy: [revoke] }])
  expect(explained.ops.map(({ op, rank, voidedBy }) => [op.id, rank, voidedBy])).toEqual([
    [genesis.id, 0, []],
    [set.id, 1, [revoke]],
  ])
  expect(await authorities.explain('ff'.repeat(32))).toBeUndefined()
})
