/** Records with several writers: what a replica takes, shows and forgets when authority is given, used and taken. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Draft, draftOp, type Op } from '../../crdt/index.ts'
import type { Replica } from '../../node/replica.ts'
import type { Source } from '../../node/replica-types.ts'
import { checkReplica } from '../support/check-replica.ts'
import { openReplica } from '../support/open-replica.ts'
import { authorityOf, identityOf, relying } from '../support/owner.ts'
import { net, type Publisher, publisher } from '../support/publisher.ts'
import { seeded } from '../support/seed.ts'

const [owner, ci, helper, thief] = [publisher(1), publisher(2), publisher(3), publisher(4)]
const all = { rights: ['create', 'write', 'delete', 'grant'] }
const from = (peer: string): Source => ({ via: 'sync', peer })

/** Each op in a frame of its signer. */
function signed(ops: readonly Op[], by: readonly Publisher[] = [owner, ci, helper, thief]): Uint8Array[] {
  return ops.flatMap((op) => by.find(({ signer }) => signer.key === op.header.actor)!.bytes([op]))
}

async function admitted(replica: Replica, ops: readonly Op[], by?: readonly Publisher[]) {
  const { results } = await replica.admit(signed(ops, by), from('a'))
  return results.map(({ verdict, reason }) => (reason === undefined ? verdict : `${verdict} ${reason}`))
}

async function settled(replica: Replica): Promise<void> {
  while (replica.rejudging() > 0) await new Promise((resolve) => setImmediate(resolve))
}

/** What somebody else would sign to the same effect. */
function rotateDraft({ header, body }: Op): Draft {
  return { type: 'rotate', record: header.record, parents: header.parents, w: header.w, body, via: header.via! }
}

/** An owner's record, a grant to ci, and what ci wrote on it. */
function story() {
  const genesis = owner.genesis('a')
  const record = owner.recordOf('a')
  const grant = authorityOf(owner).grant(ci, all)
  const first = relying(ci, owner.set(record, [genesis.id], 'by ci'), grant)
  const second = relying(ci, owner.patch(record, [first.id], [['set', ['x'], 1]]), grant)
  return { genesis, record, grant, first, second }
}

test('an op under a grant waits for the grant, and ranks behind the owner where both wrote', async () => {
  const { replica } = await openReplica()
  const { genesis, record, grant, first } = story()
  expect(await admitted(replica, [genesis, first])).toEqual(['applied', 'pending missing-parents'])
  expect(await admitted(replica, [grant])).toEqual(['applied'])
  expect(await replica.has([first.id])).toEqual([true])
  expect((await replica.record(record))!.doc).toEqual({ name: 'by ci' })
  const concurrent = owner.set(record, [genesis.id], 'by the owner', 1)
  await admitted(replica, [concurrent])
  const merged = (await replica.record(record))!
  expect(merged.doc).toEqual({ name: 'by the owner' })
  expect(merged.conflicts[0]!.alternatives.map(({ value }) => value)).toEqual(['by the owner', 'by ci'])
  await checkReplica(replica)
})

test('who has no grant, or one that does not cover the op, is refused', async () => {
  const { replica } = await openReplica()
  const { genesis, record } = story()
  const authority = authorityOf(owner)
  const writer = authority.grant(ci, { rights: ['write'], kinds: ['thing'] })
  const elsewhere = authority.grant(helper, { rights: ['write'], records: [owner.recordOf('b')] })
  expect(await admitted(replica, [genesis, writer, elsewhere])).toEqual(['applied', 'applied', 'applied'])
  const set = owner.set(record, [genesis.id], 'x')
  const cases: [string, Op][] = [
    ['the grant of somebody else', relying(thief, set, writer)],
    ['no right to delete', relying(ci, owner.delete(record, [genesis.id]), writer)],
    ['no right to create', relying(ci, owner.genesis('c'), writer)],
    ['another record', relying(helper, set, elsewhere)],
    ['a sub-grant without the right to give one', authorityOf(ci, owner.owner, writer.id).grant(thief, all)],
    ['an erase by a grantee', authorityOf(ci, owner.owner, writer.id).erase(genesis, [genesis], [genesis])],
    ['a grant in the authority record of somebody else', authorityOf(thief, owner.owner, writer.id).grant(thief, all)],
  ]
  for (const [what, op] of cases)
    expect([what, await admitted(replica, [op])]).toEqual([what, ['refused not-authorised']])
  await checkReplica(replica)
})

test('a sub-grant never widens what it rests on', async () => {
  const { replica } = await openReplica()
  const { genesis, record } = story()
  const narrow = authorityOf(owner).grant(ci, { rights: ['write', 'grant'], paths: [['tags']] })
  const wide = authorityOf(ci, owner.owner, narrow.id).grant(helper, all)
  await admitted(replica, [genesis, narrow, wide])
  const patch = owner.patch(
    record,
    [genesis.id],
    [
      ['set', ['name'], 'taken'],
      ['add', ['tags'], ['new']],
    ],
  )
  expect(await admitted(replica, [relying(helper, patch, wide)])).toEqual(['applied'])
  expect((await replica.record(record))!.doc).toEqual({ name: 'a', tags: ['new'] })
  expect(await admitted(replica, [relying(helper, owner.delete(record, [genesis.id]), wide)])).toEqual([
    'refused not-authorised',
  ])
  await checkReplica(replica)
})

test('a revoke voids what it does not keep, wherever it was written, and shows it; a keep brings it back', async () => {
  const { replica, disk } = await openReplica()
  const { genesis, record, grant, first, second } = story()
  await admitted(replica, [genesis, grant, first, second])
  expect((await replica.record(record))!.doc).toEqual({ name: 'by ci', x: 1 })
  const revoke = authorityOf(owner).revoke(grant, [first], [grant])
  expect(await admitted(replica, [revoke])).toEqual(['applied'])
  const merged = (await replica.record(record))!
  expect(merged.doc).toEqual({ name: 'by ci' })
  expect(merged.voided).toEqual([{ op: second.id, by: [revoke.id] }])
  expect(merged.heads).toEqual([second.id])
  await settled(replica)
  await checkReplica(replica)
  await admitted(replica, [authorityOf(owner).keep(revoke, [second], [revoke])])
  expect((await replica.record(record))!.doc).toEqual({ name: 'by ci', x: 1 })
  await settled(replica)
  await checkReplica(replica)
  await replica[Symbol.asyncDispose]()
  const again = await openReplica({ disk })
  expect((await again.replica.record(record))!.doc).toEqual({ name: 'by ci', x: 1 })
  await checkReplica(again.replica)
})

test('a record merged again for a revoke is on disk before the next is: its loss alone would not show', async () => {
  const { replica, disk } = await openReplica()
  const { genesis, grant, first, second } = story()
  await admitted(replica, [grant, genesis, first, second])
  disk.batches = []
  await admitted(replica, [authorityOf(owner).revoke(grant, [first], [grant])])
  await settled(replica)
  // The revoke itself comes from a peer, who still has it.
  expect(disk.batches.map(({ sync }) => sync)).toEqual([false, true])
})

test('records that nobody read follow a revoke too: rows, counts and those who are told', async () => {
  const { replica } = await openReplica()
  const grant = authorityOf(owner).grant(ci, all)
  const geneses = Array.from({ length: 150 }, (_, i) => relying(ci, owner.genesis(`r${i}`), grant))
  await admitted(replica, [grant, ...geneses])
  expect(replica.counts().records).toEqual({ thing: 150 })
  const told = new Set<string>()
  replica.onAppended(({ records }) => {
    for (const { merged } of records) if (!merged.live) told.add(merged.record)
  })
  await admitted(replica, [authorityOf(owner).revoke(grant, [geneses[7]!], [grant])])
  await settled(replica)
  expect(replica.counts().records).toEqual({ thing: 1 })
  expect(told.size).toBe(149)
  await checkReplica(replica)
})

test('a revoke that waits for its grant, or arrives before what it voids, does the same', async () => {
  const { genesis, record, grant, first, second } = story()
  const revoke = authorityOf(owner).revoke(grant, [first], [grant])
  const ops = [genesis, grant, first, second, revoke]
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(ops, { minLength: ops.length }), async (order) => {
        const { replica } = await openReplica()
        for (const op of order) await admitted(replica, [op])
        const merged = (await replica.record(record))!
        expect(merged.doc).toEqual({ name: 'by ci' })
        expect(merged.voided).toEqual([{ op: second.id, by: [revoke.id] }])
        await settled(replica)
        await checkReplica(replica)
      }),
      { ...parameters, numRuns: 30 },
    ),
  )
})

test('an erase takes ops out, and what they covered returns', async () => {
  const { replica } = await openReplica()
  const genesis = owner.genesis('a', 'first')
  const record = owner.recordOf('a')
  const secret = owner.set(record, [genesis.id], 'a token')
  const later = owner.patch(record, [secret.id], [['set', ['x'], 1]])
  await admitted(replica, [genesis, secret, later])
  const erase = authorityOf(owner).erase(genesis, [secret], [later])
  expect(await admitted(replica, [erase])).toEqual(['applied'])
  expect(await replica.record(record)).toMatchObject({ doc: { name: 'first', x: 1 }, erased: [secret.id] })
  await checkReplica(replica)
})

test('an identity goes on under its next key, and a thief of the old one is voided', async () => {
  const keys = [publisher(11), publisher(12), publisher(13)]
  const [one, two] = keys as [Publisher, Publisher, Publisher]
  const identity = identityOf(keys)
  const { replica } = await openReplica()
  const genesis = relying(one, one.genesis('a'), identity.op, identity.owner)
  const { record } = genesis.header
  const honest = relying(one, one.set(record, [genesis.id], 'honest'), identity.op)
  const stolen = relying(one, one.set(record, [honest.id], 'stolen'), identity.op)
  const rotate = identity.rotate(1, identity.op, [honest])
  expect(await admitted(replica, [identity.op, genesis, honest, stolen, rotate], keys)).toEqual(
    Array.from({ length: 5 }, () => 'applied'),
  )
  expect(await replica.record(record)).toMatchObject({
    doc: { name: 'honest' },
    owner: identity.owner,
    voided: [{ op: stolen.id, by: [rotate.id] }],
  })
  const next = relying(two, two.set(record, [stolen.id], 'next'), rotate)
  expect(await admitted(replica, [next], keys)).toEqual(['applied'])
  expect((await replica.record(record))!.doc).toEqual({ name: 'next' })
  // A key that nobody committed to rotates nothing.
  const forged = draftOp(rotateDraft(identity.rotate(2, rotate)), { net, key: thief.signer.key })
  expect(await admitted(replica, [forged])).toEqual(['refused not-authorised'])
  await settled(replica)
  await checkReplica(replica)
})

test('two ops of one key on equal parents are named', async () => {
  const { replica } = await openReplica()
  const genesis = owner.genesis('a')
  const record = owner.recordOf('a')
  const [a, b] = [owner.set(record, [genesis.id], 'a'), owner.set(record, [genesis.id], 'b')]
  await admitted(replica, [genesis, a, b])
  expect((await replica.record(record))!.equivocations?.[0]?.toSorted()).toEqual([a.id, b.id].sort())
})

test('our own key writes in records of others where a grant lets it, and gives grants in its own name', async () => {
  const { replica } = await openReplica({ signer: ci.signer })
  const { genesis, record, grant } = story()
  await admitted(replica, [genesis])
  const write = {
    record,
    kind: 'thing',
    slug: 'a',
    decide: () => ({ do: 'patch' as const, body: ci.patch(record, [genesis.id], [['set', ['x'], 2]]).body }),
  }
  expect(await replica.write([write])).toMatchObject([{ outcome: 'not-authorised' }])
  await admitted(replica, [grant])
  expect(await replica.write([write])).toMatchObject([{ outcome: 'written', after: { doc: { name: 'a', x: 2 } } }])
  const give = (to: Publisher, by: string) =>
    replica.authorise({
      authority: by,
      decide: () => [{ type: 'grant', body: authorityOf(owner).grant(to, { rights: ['write'] }).body }],
    })
  expect(await give(helper, ci.owner)).toHaveLength(1)
  expect(await give(helper, owner.owner)).toHaveLength(1)
  expect(await give(helper, thief.owner)).toBeUndefined()
  await checkReplica(replica)
})

test('counts follow a revoke also when ops come between it and the records that it touches', async () => {
  const { genesis, record, grant, first, second } = story()
  const created = relying(ci, owner.genesis('b'), grant)
  const revoke = authorityOf(owner).revoke(grant, [], [grant])
  const keep = authorityOf(owner).keep(revoke, [created, second], [revoke])
  const late = owner.patch(created.header.record, [created.id], [['set', ['y'], 1]])
  const ops = [genesis, grant, first, second, created, revoke, keep, late]
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(ops, { minLength: ops.length }),
        fc.array(fc.nat(40), { minLength: ops.length, maxLength: ops.length }),
        async (order, waits) => {
          const { replica } = await openReplica()
          const admitting = order.map(async (op, i) => {
            // Calls that follow one another closely: between their commits the records are not judged again yet.
            for (let turn = waits[i]! + 10 * i; turn > 0; turn--) await undefined
            return admitted(replica, [op])
          })
          await Promise.all(admitting)
          await settled(replica)
          expect(replica.counts().records).toEqual({ thing: 2 })
          expect((await replica.record(record))!.doc).toEqual({ name: 'by ci', x: 1 })
          await checkReplica(replica)
        },
      ),
      { ...parameters, numRuns: 40 },
    ),
  )
})

test('an authority op that is damaged on disk costs no honest op and no honest peer anything but time', async () => {
  const { replica, disk } = await openReplica()
  const { genesis, record, grant } = story()
  const below = authorityOf(ci, owner.owner, grant.id).grant(helper, all)
  const before = relying(helper, owner.set(record, [genesis.id], 'before'), below)
  const after = relying(helper, owner.set(record, [before.id], 'after'), below)
  for (const op of [grant, below, genesis, before]) await admitted(replica, [op])
  await replica[Symbol.asyncDispose]()
  await disk.damage('f', 0)
  const { replica: again } = await openReplica({ disk })
  const waiting = await again.admit(signed([after]), from('honest'))
  expect(waiting).toMatchObject({ results: [{ verdict: 'pending' }], missing: [grant.id], misbehaved: false })
  expect((await again.record(record))!.doc).toEqual({ name: 'before' })
  expect(await admitted(again, [grant])).toEqual(['applied'])
  expect((await again.record(record))!.doc).toEqual({ name: 'after' })
})
