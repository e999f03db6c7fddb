/** Quotas: what live intake takes of one owner or actor, counted over restarts; catch-up takes everything. */
import { expect, test } from 'vitest'
import { keyToDid, ownerOfKey } from '../../crdt/index.ts'
import { syncIntervalMs } from '../../node/limits.ts'
import { plainPackets } from '../../node/packet.ts'
import { NO_QUOTA } from '../../node/quota.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { MemoryNetwork } from '../support/memory-transport.ts'
import { openReplica } from '../support/open-replica.ts'
import { authorityOf, relying } from '../support/owner.ts'
import { geneses, signerOf, TestPeer } from '../support/peer.ts'
import { publisher } from '../support/publisher.ts'

const [p, q] = [publisher(1), publisher(2)]
const HTTP = { via: 'http' } as const
const SYNC = { via: 'sync', peer: 'somebody' } as const
const reasons = (results: readonly { verdict: string; reason?: string }[]) =>
  results.map(({ verdict, reason }) => reason ?? verdict)
const slugs = (count: number, from = 0) => Array.from({ length: count }, (_, i) => p.genesis(`s${from + i}`))

test('ops in an hour, records and bytes: over one of them live ops are refused, and nothing is held against anybody', async () => {
  const { replica, clock } = await openReplica({ quota: { opsPerHour: 10, records: 0, bytes: 0 } })
  const ops = slugs(12)
  const first = await replica.admit(p.bytes(ops), HTTP)
  expect(reasons(first.results)).toEqual([...ops.slice(0, 10).map(() => 'applied'), 'quota', 'quota'])
  expect(first).toMatchObject({ misbehaved: false, missing: [] })
  // Another has his own share.
  expect(reasons((await replica.admit(q.bytes([q.genesis('x')]), HTTP)).results)).toEqual(['applied'])
  // They are not known, so catch-up brings them; it is bound by nothing.
  expect(await replica.knows([ops[10]!.id])).toEqual([false])
  expect(reasons((await replica.admit(p.bytes([ops[10]!]), SYNC)).results)).toEqual(['applied'])
  await clock.advance(6 * 60_000)
  expect(reasons((await replica.admit(p.bytes(slugs(2, 20)), HTTP)).results)).toEqual(['applied', 'quota'])

  await replica.policy.setQuota(p.owner, { opsPerHour: 0, records: 13 })
  expect(reasons((await replica.admit(p.bytes(slugs(2, 30)), HTTP)).results)).toEqual(['applied', 'quota'])
  // It writes on in the records that it has.
  const set = p.set(ops[0]!.header.record, [ops[0]!.id], 'new')
  expect(reasons((await replica.admit(p.bytes([set]), HTTP)).results)).toEqual(['applied'])
  const { bytes } = await replica.usage(p.owner)
  await replica.policy.setQuota(p.owner, { opsPerHour: 0, records: 0, bytes: bytes + 10 })
  const more = p.set(ops[0]!.header.record, [set.id], 'newer')
  expect(reasons((await replica.admit(p.bytes([more]), HTTP)).results)).toEqual(['quota'])
  // No final verdict.
  await replica.policy.setQuota(p.owner, NO_QUOTA)
  expect(reasons((await replica.admit(p.bytes([more]), HTTP)).results)).toEqual(['applied'])
})

test('both the owner of the record and the actor are counted', async () => {
  const { replica } = await openReplica()
  const grant = authorityOf(p).grant(q, { rights: ['write', 'create'] })
  const genesis = p.genesis('mine')
  const { record } = genesis.header
  await replica.admit(p.bytes([grant, genesis]), HTTP)
  await replica.policy.setQuota(q.owner, { opsPerHour: 1 })
  const [one, two] = ['one', 'two'].map((name) => relying(q, q.set(record, [genesis.id], name), grant))
  expect(reasons((await replica.admit(q.bytes([one!, two!]), HTTP)).results)).toEqual(['applied', 'quota'])
  await replica.policy.setQuota(q.owner, undefined)
  await replica.policy.setQuota(p.owner, { bytes: 1 })
  expect(reasons((await replica.admit(q.bytes([two!]), HTTP)).results)).toEqual(['quota'])
  // Whoever has had his share cannot have parents fetched for what would not go in.
  const orphan = p.set(record, ['ab'.repeat(32)], 'orphan')
  const admitted = await replica.admit(p.bytes([orphan]), { via: 'gossip', peer: 'x' })
  expect(admitted).toMatchObject({ results: [{ verdict: 'refused', reason: 'quota' }], missing: [] })
})

test('counts are those of the ops held, and are there after a restart with the quotas', async () => {
  const { replica, disk, clock } = await openReplica()
  await replica.policy.setQuota(p.owner, { opsPerHour: 5, records: 100 })
  await replica.admit(p.bytes(slugs(3)), HTTP)
  await replica.admit(p.bytes(slugs(3, 10)), SYNC)
  await replica.admit(p.bytes(slugs(3, 10)), SYNC)
  const usage = await replica.usage(p.owner)
  expect(usage).toMatchObject({ records: 6, level: 3 })
  await replica[Symbol.asyncDispose]()
  const { replica: again, clock: later } = await openReplica({ disk })
  await later.advance(clock.now() - later.now())
  expect(await again.usage(p.owner)).toEqual(usage)
  expect(again.policy.quotas()).toEqual([{ did: keyToDid(p.signer.key), quota: { opsPerHour: 5, records: 100 } }])
  expect(reasons((await again.admit(p.bytes(slugs(3, 20)), HTTP)).results)).toEqual(['applied', 'applied', 'quota'])
})

test('the node’s own key and who shows its token are bound by none', async () => {
  const { replica } = await openReplica({ signer: p.signer, quota: { opsPerHour: 1, records: 1, bytes: 1 } })
  expect(reasons((await replica.admit(p.bytes(slugs(3)), HTTP)).results)).toEqual(['applied', 'applied', 'applied'])
  expect(reasons((await replica.admit(q.bytes([q.genesis('x')]), HTTP)).results)).toEqual(['quota'])
  expect(reasons((await replica.admit(q.bytes([q.genesis('x')]), { ...HTTP, trusted: true })).results)).toEqual([
    'applied',
  ])
})

test('gossip over a quota is not passed on, large frames neither; sessions bring all of it, and roots agree', async () => {
  const environment = manualEnvironment(4)
  const { clock } = environment
  const network = new MemoryNetwork({ clock })
  const open = (id: string, opsPerHour: number) => {
    const quota = { ...NO_QUOTA, opsPerHour }
    return TestPeer.open({ transport: network.node(id), environment, codec: plainPackets, quota })
  }
  const [a, b, c] = [await open('a', 0), await open('b', 3), await open('c', 0)]
  network.connect('a', 'b')
  network.connect('b', 'c')
  await clock.advance(5_000)
  await a.take(geneses(1, 3).frames)
  await clock.runUntil(() => c.replica.counts().ops === 3, 1_000)
  await a.take(geneses(1, 2, { from: 10 }).frames)
  await a.take(geneses(1, 3, { from: 20, pad: 120_000 }).frames)
  await a.take(geneses(2, 1).frames)
  await clock.advance(20)
  expect([b, c].map(({ replica }) => replica.counts().ops)).toEqual([4, 4])
  expect(b.gossip.counters['gossip_received']).toMatchObject({ accepted: 2, refused: 1, pending: 1, rejected: 0 })
  expect(await b.replica.usage(ownerOfKey(signerOf(1).key))).toMatchObject({ records: 3 })
  await clock.runUntil(() => [b, c].every(({ replica }) => replica.root() === a.replica.root()), 3 * syncIntervalMs)
  expect(['a', 'b', 'c'].flatMap((id) => network.node(id).misdeeds)).toEqual([])
})
