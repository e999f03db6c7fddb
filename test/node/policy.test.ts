/**
 * What the operator blocks is refused on every way in, known, not served and not shown, and comes back as it was once
 * the block is gone; nodes of different policy settle with equal roots.
 */
import { expect, test } from 'vitest'
import { keyToDid, type Op, recordId } from '../../crdt/index.ts'
import { NodeError } from '../../node/errors.ts'
import { syncIntervalMs } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import { plainPackets } from '../../node/packet.ts'
import { blockTarget } from '../../node/policy.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { MemoryNetwork } from '../support/memory-transport.ts'
import { openReplica } from '../support/open-replica.ts'
import { authorityOf, identityOf, relying } from '../support/owner.ts'
import { geneses, type PeerOptions, patches, signerOf, TestPeer } from '../support/peer.ts'
import { publisher } from '../support/publisher.ts'

const SYNC = { via: 'sync', peer: 'somebody' } as const
const didOf = (key: number) => blockTarget(keyToDid(signerOf(key).key))!
const [good, bad] = [geneses(1, 60), geneses(2, 40)]

async function world() {
  const environment = manualEnvironment(5)
  const network = new MemoryNetwork({ clock: environment.clock })
  const open = (id: string, options: Partial<PeerOptions> = {}) =>
    TestPeer.open({ transport: network.node(id), environment, codec: plainPackets, gossip: false, ...options })
  return { network, clock: environment.clock, open }
}

const misdeedsIn = (network: MemoryNetwork, ...ids: string[]) => ids.flatMap((id) => network.node(id).misdeeds)
const reasons = (results: readonly { verdict: string; reason?: string }[]) =>
  results.map(({ verdict, reason }) => reason ?? verdict)

test('nodes of different lists settle with equal roots, and say no more than their roots from then on', async () => {
  const w = await world()
  const [strict, open] = [await w.open('strict'), await w.open('open')]
  await strict.replica.block(didOf(2), 'spam')
  await open.take([...good.frames, ...bad.frames])
  w.network.connect('strict', 'open')
  await w.clock.runUntil(() => strict.sessions.at(-1)?.rootEqual === true, 20_000)
  expect(strict.replica.counts().ops).toBe(60)
  expect(strict.replica.root()).toBe(open.replica.root())
  expect(await strict.replica.has(bad.ids)).toEqual(bad.ids.map(() => false))

  // And what he writes on.
  const more = patches(2, [{ record: bad.records[0]!, head: bad.ids[0]! }], 'more')
  await open.take(more.frames)
  open.sync.news()
  await w.clock.runUntil(() => strict.replica.root() === open.replica.root(), 20_000)
  await w.clock.advance(5_000)
  for (const peer of [strict, open]) peer.sessions.length = 0
  await w.clock.advance(20 * syncIntervalMs)
  expect(strict.sessions.length).toBeGreaterThan(10)
  expect(strict.sessions.every(({ by, rootEqual }) => by === 'root' && rootEqual === true)).toBe(true)
  expect(strict.moved.bytesIn / strict.sessions.length).toBeLessThan(400)
  expect(misdeedsIn(w.network, 'strict', 'open')).toEqual([])

  // Who comes to the strict one has the rest of it, holds nothing against it, and leaves it more and more alone.
  const late = await w.open('late')
  w.network.connect('late', 'strict')
  await w.clock.runUntil(() => late.replica.counts().ops === 60, 20_000)
  await w.clock.advance(5 * syncIntervalMs)
  expect(late.replica.counts().ops).toBe(60)
  w.network.connect('late', 'open')
  await w.clock.runUntil(() => late.replica.root() === open.replica.root(), 20_000)
  expect(misdeedsIn(w.network, 'strict', 'open', 'late')).toEqual([])
})

test('blocked, refused on every way in, over restarts, and without a word against who sent it', async () => {
  const { replica, disk } = await openReplica()
  const p = publisher(1)
  const [first, second] = [p.genesis('first'), p.genesis('second')]
  await replica.block(blockTarget(first.header.record)!, 'a leaked name')
  const frames = p.bytes([first, second])
  for (const via of ['http', 'gossip', 'sync', 'file'] as const) {
    const admitted = await replica.admit(frames, { via, peer: 'x' })
    expect(admitted).toMatchObject({ misbehaved: false, missing: [] })
    expect(reasons(admitted.results)[0]).toBe('blocked')
  }
  const root = replica.root()
  const patch = p.set(first.header.record, [first.id], 'again')
  expect(reasons((await replica.admit(p.bytes([patch]), SYNC)).results)).toEqual(['blocked'])
  // What no honest node stores does not become known: no peer would ever agree.
  const forged = publisher(9).set(first.header.record, [first.id], 'not his')
  const admitted = await replica.admit(publisher(9).bytes([forged]), SYNC)
  expect(reasons(admitted.results)).toEqual(['not-authorised'])
  expect(await replica.knows([first.id, patch.id, forged.id])).toEqual([true, true, false])
  expect(replica.withheldOps()).toBe(2)
  const before = replica.root()
  expect(before).not.toBe(root)
  await replica[Symbol.asyncDispose]()

  const { replica: again, checker } = await openReplica({ disk })
  expect(again.root()).toBe(before)
  // Sent again and again it does not even cost a look at its signature.
  expect(reasons((await again.admit(p.bytes([patch]), SYNC)).results)).toEqual(['blocked'])
  expect(checker.checked).toBe(0)
  expect(again.policy.blocks()).toMatchObject([{ is: 'record', name: first.header.record, reason: 'a leaked name' }])
  expect(await again.isBlocked(first.header.record)).toBe(true)
  const child = p.set(first.header.record, [patch.id], 'and again')
  expect(reasons((await again.admit(p.bytes([child]), SYNC)).results)).toEqual(['blocked'])
  // No final verdict: without the block it goes in.
  expect(await again.unblock(blockTarget(first.header.record)!)).toBe(true)
  expect(await again.knows([first.id, patch.id, child.id])).toEqual([false, false, false])
  const all = await again.admit(p.bytes([first, patch, child]), SYNC)
  expect(reasons(all.results)).toEqual(['applied', 'applied', 'applied'])
  expect(await again.unblock(blockTarget(first.header.record)!)).toBe(false)
})

test('held and then blocked, it is neither shown nor served; unblocked, everything is as it was', async () => {
  const { replica, disk } = await openReplica()
  const [p, q] = [publisher(1), publisher(2)]
  const [kept, gone] = [p.genesis('kept'), q.genesis('gone')]
  const patch = q.set(gone.header.record, [gone.id], 'changed')
  await replica.admit([...p.bytes([kept]), ...q.bytes([gone, patch])], SYNC)
  const [root, state] = [replica.root(), await replica.stateHash()]
  const q2 = blockTarget(keyToDid(q.signer.key))!
  await replica.block(q2)
  const check = async (it: typeof replica, isShown: boolean) => {
    const { record } = gone.header
    const there = isShown ? record : undefined
    expect(it.root()).toBe(root)
    expect(await it.stateHash()).toBe(state)
    expect((await it.record(record))?.record).toBe(there)
    expect(it.peek(record)?.record).toBe(there)
    expect((await it.history(record, { limit: 9 })).items.length).toBe(isShown ? 2 : 0)
    expect(await it.list({ limit: 9 })).toHaveLength(isShown ? 2 : 1)
    expect(await it.changes(0, 9)).toHaveLength(isShown ? 3 : 1)
    const ids = [kept.id, gone.id, patch.id]
    expect(await it.withholds(ids)).toEqual([false, !isShown, !isShown])
    const streamed: string[] = []
    for await (const item of it.log(0)) streamed.push(...item.ids)
    expect(streamed.sort()).toEqual((isShown ? ids : [kept.id]).toSorted())
    expect((await it.frames(ids)).frames).toHaveLength(isShown ? 2 : 1)
  }
  await check(replica, false)
  await replica[Symbol.asyncDispose]()
  const { replica: again } = await openReplica({ disk })
  await again.record(gone.header.record)
  await check(again, false)
  await again.unblock(q2)
  await again.record(gone.header.record)
  await check(again, true)
})

test('a node of some kinds settles in them with what it refuses', async () => {
  const w = await world()
  const [part, open] = [await w.open('part', { sets: ['kind:agent'] }), await w.open('open')]
  const agents = geneses(2, 20, { kind: 'agent', from: 500 })
  await part.replica.block(didOf(2))
  const patched = patches(2, [{ record: agents.records[3]!, head: agents.ids[3]! }], 'more')
  await open.take([...good.frames, ...bad.frames, ...agents.frames, ...patched.frames])
  await open.take(geneses(1, 5, { kind: 'agent' }).frames)
  w.network.connect('part', 'open')
  await w.clock.runUntil(() => part.sync.peers()[0]?.root_equal === true, 20_000)
  expect(part.replica.counts().ops).toBe(5)
  expect(part.replica.withheldOps()).toBe(21)
  const roots = await Promise.all(
    [part, open].map(async ({ replica }) => (await replica.reconciled('kind:agent'))!.root()),
  )
  expect(roots[0]).toBe(roots[1])
  await part.replica.unblock(didOf(2))
  await part.sync.sync('open')
  expect(part.replica.counts().ops).toBe(26)
  expect(misdeedsIn(w.network, 'part', 'open')).toEqual([])
})

test('a block that could not be ended stands, and nothing that it refused is lost', async () => {
  for (const written of [false, true]) {
    for (let cut = 0; cut < 3; cut++) {
      const { replica, disk } = await openReplica()
      const p = publisher(1)
      const refused = p.genesis('refused')
      const target = blockTarget(refused.header.record)!
      await replica.block(target)
      await replica.admit(p.bytes([refused]), SYNC)
      let writes = 0
      const batch = disk.batch.bind(disk)
      disk.batch = async (...args) => {
        if (writes++ !== cut || written) await batch(...args)
        if (writes > cut) throw new NodeError('store-failed', 'cut off')
      }
      await expect(replica.unblock(target)).rejects.toThrow('cut off')
      disk.batch = batch
      // The process ends here; what another finds on the disk is one or the other, whole.
      const { replica: again } = await openReplica({ disk })
      const isBlocked = again.policy.block(target.name) !== undefined
      const { results } = await again.admit(p.bytes([refused]), SYNC)
      expect([cut, written, reasons(results)]).toEqual([cut, written, [isBlocked ? 'blocked' : 'applied']])
      if (isBlocked) await again.unblock(target)
      expect(reasons((await again.admit(p.bytes([refused]), SYNC)).results)[0]).toMatch(/applied|duplicate/)
    }
  }
})

test('what was refused meanwhile comes by the next session, and makes the same state', async () => {
  const w = await world()
  const [strict, open] = [await w.open('strict'), await w.open('open')]
  await strict.replica.block(didOf(2))
  await open.take([...good.frames, ...bad.frames])
  w.network.connect('strict', 'open')
  await w.clock.runUntil(() => strict.sessions.at(-1)?.rootEqual === true, 20_000)
  expect(await strict.replica.stateHash()).not.toBe(await open.replica.stateHash())
  await strict.replica.unblock(didOf(2))
  expect(strict.replica.root()).not.toBe(open.replica.root())
  const session = await strict.sync.sync('open')
  expect(session).toMatchObject({ opsIn: 40, rootEqual: true })
  expect(await strict.replica.stateHash()).toBe(await open.replica.stateHash())
  expect(misdeedsIn(w.network, 'strict', 'open')).toEqual([])
})

test('gossip of what is blocked goes no further, and costs its sender nothing', async () => {
  const w = await world()
  const peers = await Promise.all(['a', 'b', 'c'].map((id) => w.open(id, { gossip: true })))
  const [a, b, c] = peers as [TestPeer, TestPeer, TestPeer]
  await b.replica.block(didOf(2))
  w.network.connect('a', 'b')
  w.network.connect('b', 'c')
  await w.clock.advance(5_000)
  await a.take(geneses(2, 1).frames)
  // One that is announced by its id is looked at when it has come.
  await a.take(geneses(2, 3, { from: 5, pad: 120_000 }).frames)
  await a.take(geneses(1, 1).frames)
  await w.clock.runUntil(() => c.replica.counts().ops === 1, 20_000)
  await w.clock.advance(3 * syncIntervalMs)
  expect(peers.map(({ replica }) => replica.counts().ops)).toEqual([5, 1, 1])
  expect(b.replica.root()).toBe(a.replica.root())
  expect(b.gossip.counters['gossip_received']).toMatchObject({ refused: 2, accepted: 1, rejected: 0 })
  expect(misdeedsIn(w.network, 'a', 'b', 'c')).toEqual([])
})

/** A record of p's in which q may write: with what q wrote and p built upon, and what nobody built upon. */
function shared() {
  const [p, q] = [publisher(1), publisher(2)]
  const grant = authorityOf(p).grant(q, { rights: ['write', 'create'] })
  const genesis = p.genesis('shared')
  const { record } = genesis.header
  const built = relying(q, q.set(record, [genesis.id], 'first'), grant)
  const builtToo = relying(q, q.set(record, [built.id], 'second'), grant)
  const on = p.patch(record, [builtToo.id], [['set', ['tags'], 'mine']])
  const tip = relying(q, q.set(record, [builtToo.id], 'last'), grant)
  return { p, q, grant, genesis, record, built, builtToo, on, tip, all: [genesis, built, builtToo, on, tip] }
}
const bytesOf = (ops: readonly Op[]) =>
  ops.flatMap((op) => [publisher(1), publisher(2)].find((by) => by.signer.key === op.header.actor)!.bytes([op]))

test.each([
  ['together', [[0, 1, 2, 3, 4]]],
  ['the blocked first', [[0, 1, 2, 4], [3], [2], [1]]],
  ['from the end', [[3], [4], [2], [1], [0]]],
  ['one by one', [[0], [1], [2], [4], [3], [2], [1]]],
] as const)('what goes in brings what it builds on, whose actor is blocked: %s', async (_, calls) => {
  const { replica } = await openReplica()
  const s = shared()
  await replica.block(blockTarget(keyToDid(s.q.signer.key))!)
  await replica.admit(bytesOf([s.grant]), SYNC)
  for (const call of calls) await replica.admit(bytesOf(call.map((at) => s.all[at]!)), SYNC)
  const ids = s.all.map(({ id }) => id)
  expect(await replica.has(ids)).toEqual([true, true, true, true, false])
  expect(await replica.knows(ids)).toEqual([true, true, true, true, true])
  expect(replica.pending().ops).toBe(0)
  // Whoever takes what builds on it finds it here.
  expect(await replica.withholds(ids)).toEqual([false, false, false, false, true])
  expect((await replica.record(s.record))?.doc).toMatchObject({ name: 'second', tags: 'mine' })

  const { replica: other } = await openReplica()
  await other.admit(bytesOf([s.grant, ...s.all]), SYNC)
  expect(replica.root()).toBe(other.root())
  await replica.unblock(blockTarget(keyToDid(s.q.signer.key))!)
  await replica.admit(bytesOf([s.tip]), SYNC)
  expect(await replica.stateHash()).toBe(await other.stateHash())
})

test('what nobody may build on does not bring a blocked op in', async () => {
  const { replica } = await openReplica()
  const s = shared()
  await replica.admit(bytesOf([s.grant, s.genesis]), SYNC)
  await replica.block(blockTarget(keyToDid(s.q.signer.key))!)
  const stranger = publisher(7)
  const junk = stranger.set(s.record, [s.built.id], 'come in')
  await replica.admit([...bytesOf([s.built]), ...stranger.bytes([junk])], SYNC)
  expect(await replica.has([s.built.id])).toEqual([false])
  expect(await replica.knows([s.built.id])).toEqual([true])
})

test('peers of different lists settle over what goes in because others build on it', async () => {
  const w = await world()
  const [strict, open] = [await w.open('strict', { gossip: true }), await w.open('open', { gossip: true })]
  const s = shared()
  await strict.replica.block(blockTarget(keyToDid(s.q.signer.key))!)
  w.network.connect('strict', 'open')
  await w.clock.advance(5_000)
  for (const op of [s.grant, s.genesis, s.built, s.builtToo, s.tip, s.on]) {
    await open.replica.admit(bytesOf([op]), { via: 'http' })
    await w.clock.advance(50)
  }
  await w.clock.runUntil(() => strict.replica.root() === open.replica.root(), 20_000)
  expect(strict.replica.counts().ops).toBe(5)
  const late = await w.open('late')
  w.network.connect('late', 'strict')
  await w.clock.runUntil(() => late.replica.counts().ops === 5, 20_000)
  expect(misdeedsIn(w.network, 'strict', 'open', 'late')).toEqual([])
})

test('who may write is the same everywhere: authority ops of a blocked owner go in, what is written under them does not', async () => {
  const { replica } = await openReplica()
  const { replica: other } = await openReplica()
  const s = shared()
  const identity = identityOf([publisher(3), publisher(4)])
  const own = relying(publisher(3), publisher(3).genesis('own'), identity.op, identity.owner)
  await replica.block(blockTarget(keyToDid(s.p.signer.key))!)
  await replica.block(blockTarget(`did:peerage:${identity.record}`)!)
  const revoke = authorityOf(s.p).revoke(s.grant, [s.built], [s.grant])
  const frames = [
    ...bytesOf([s.grant, revoke, ...s.all]),
    ...publisher(3).bytes([identity.op, own]),
    ...publisher(4).bytes([identity.rotate(1, identity.op)]),
  ]
  for (const frame of frames.toReversed()) await replica.admit([frame], SYNC)
  for (const frame of frames.toReversed()) await replica.admit([frame], SYNC)
  await other.admit(frames, SYNC)
  expect(replica.root()).toBe(other.root())
  expect(await replica.has([s.grant.id, revoke.id, identity.op.id])).toEqual([true, true, true])
  expect(await replica.has([...s.all.map(({ id }) => id), own.id])).toEqual(s.all.concat(own).map(() => false))
  expect(replica.pending().ops).toBe(0)
  for (const { name } of [...replica.policy.blocks()]) await replica.unblock(blockTarget(name)!)
  await replica.admit(frames, SYNC)
  expect(await replica.stateHash()).toBe(await other.stateHash())
})

test('lists are bounded, and the own key cannot be blocked', async () => {
  const signer = signerOf(1)
  const { replica } = await openReplica({ signer })
  await expect(replica.block(blockTarget(keyToDid(signer.key))!)).rejects.toThrow(RangeError)
  for (const text of ['', 'did:web:a.b', 'did:key:z6Mk', 'x'.repeat(64), '12D3KooWnot', 'a'.repeat(5_000)])
    expect(blockTarget(text)).toBeUndefined()
  const peer = '12D3KooWR1bqxm47gC8oB7XTg2egvwT6XAaDv3C8REhuuBJonwL5'
  await replica.block(blockTarget(peer)!)
  expect([replica.policy.blocksPeer(peer), replica.policy.isOpen]).toEqual([true, true])
  const id = recordId({ net: replica.net, owner: `01${signer.key}`, kind: 'model', slug: 'x' }, nativeSuite.sha256)
  await replica.block(blockTarget(id)!)
  expect([replica.policy.isOpen, await replica.isBlocked(id)]).toEqual([false, true])
})
