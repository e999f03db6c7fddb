/**
 * Nodes that take part in some kinds or owners only: they hold what belongs there and all that says who may write, settle
 * set by set with anybody, and pass the rest on without keeping it.
 */
import { expect, test } from 'vitest'
import { ownerOfKey } from '../../crdt/index.ts'
import { syncBulkMax, syncIntervalMs } from '../../node/limits.ts'
import { plainPackets } from '../../node/packet.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { MemoryNetwork } from '../support/memory-transport.ts'
import { authorityOf, relying } from '../support/owner.ts'
import { geneses, type PeerOptions, patches, signerOf, TestPeer } from '../support/peer.ts'
import { publisher } from '../support/publisher.ts'
import { hello, RawChannel } from '../support/raw-peer.ts'

const models = geneses(1, 300, { kind: 'model' })
const agents = geneses(1, 200, { kind: 'agent', from: 1_000 })
const others = geneses(2, 100, { kind: 'agent', from: 2_000 })
const ownerTwo = `owner:${ownerOfKey(signerOf(2).key)}`

async function world() {
  const environment = manualEnvironment(3)
  const network = new MemoryNetwork({ clock: environment.clock })
  const open = (id: string, options: Partial<PeerOptions> = {}) =>
    TestPeer.open({ transport: network.node(id), environment, codec: plainPackets, gossip: false, ...options })
  return { network, clock: environment.clock, open }
}

const rootOf = async (peer: TestPeer, set: string) => (await peer.replica.reconciled(set))!.root()

test('a node of one kind takes that kind from a whole node, and both know that they agree in it', async () => {
  const w = await world()
  const [whole, part] = [await w.open('whole'), await w.open('part', { sets: ['kind:model'] })]
  await whole.take([...models.frames, ...agents.frames, ...others.frames])
  w.network.connect('whole', 'part')
  await w.clock.runUntil(() => part.replica.counts().ops === 300 && part.sync.running === 0, 10_000)
  expect(part.replica.counts().records).toEqual({ model: 300 })
  expect(await rootOf(part, 'kind:model')).toBe(await rootOf(whole, 'kind:model'))
  expect(part.sync.peers()).toMatchObject([{ peer_id: 'whole', root_equal: true }])

  // And goes on: by cursor, without what is not its own.
  const more = geneses(1, 50, { kind: 'model', from: 5_000 })
  await whole.take([...more.frames, ...geneses(1, 70, { kind: 'agent', from: 6_000 }).frames])
  part.sessions.length = 0
  await part.sync.sync('whole')
  expect(part.replica.counts().ops).toBe(350)
  expect(part.moved.opsIn).toBe(50)
  expect(part.moved.bytesIn).toBeLessThan(1.2 * more.frames.reduce((sum, { length }) => sum + length, 0) + 1_000)
  expect(part.sessions.map(({ set }) => set)).toEqual(['authority', 'kind:model'])
  for (const id of ['whole', 'part']) expect(w.network.node(id).misdeeds).toEqual([])
})

test('what it writes itself in its kind reaches whole nodes, and differences are found by sketch', async () => {
  const w = await world()
  const [whole, part] = [await w.open('whole'), await w.open('part', { sets: ['kind:model'] })]
  await whole.take([...models.frames, ...agents.frames])
  await part.take([...geneses(3, 7, { kind: 'model' }).frames, ...models.frames.slice(0, 1)])
  await part.take(models.frames.slice(1))
  await whole.take(patches(1, [{ record: models.records[5]!, head: models.ids[5]! }], 'whole').frames)
  w.network.connect('whole', 'part')
  await w.clock.runUntil(() => part.replica.counts().ops === 308 && whole.replica.counts().ops === 508, 10_000)
  expect(part.sessions.find(({ set }) => set === 'kind:model')).toMatchObject({ by: 'sketch', opsIn: 1, opsOut: 7 })
})

test('a node of one owner holds what that owner owns, of every kind', async () => {
  const w = await world()
  const [whole, part] = [await w.open('whole'), await w.open('part', { sets: [ownerTwo] })]
  await whole.take([...models.frames, ...others.frames, ...geneses(2, 5, { kind: 'model', from: 1 }).frames])
  w.network.connect('whole', 'part')
  await w.clock.runUntil(() => part.replica.counts().ops === 105, 10_000)
  expect(part.replica.counts().records).toEqual({ agent: 100, model: 5 })
})

test('two nodes of some kinds settle in what they share, and leave each other alone in the rest', async () => {
  const w = await world()
  const a = await w.open('a', { sets: ['kind:model', 'kind:agent'] })
  const b = await w.open('b', { sets: ['kind:agent', 'kind:tool'] })
  await a.take([...models.frames, ...agents.frames])
  await b.take(geneses(4, 9, { kind: 'tool' }).frames)
  w.network.connect('a', 'b')
  await w.clock.runUntil(() => b.replica.counts().ops === 209, 20_000)
  await w.clock.advance(3 * syncIntervalMs)
  expect(a.replica.counts().records).toEqual({ model: 300, agent: 200 })
  expect(b.replica.counts().records).toEqual({ agent: 200, tool: 9 })
  for (const id of ['a', 'b']) expect(w.network.node(id).misdeeds).toEqual([])
})

test('gossip of another kind is passed on and not kept', async () => {
  const w = await world()
  const [first, last] = [await w.open('first', { gossip: true }), await w.open('last', { gossip: true })]
  const part = await w.open('part', { gossip: true, sets: ['kind:model'] })
  w.network.connect('first', 'part')
  w.network.connect('part', 'last')
  await w.clock.advance(5_000)
  const [model, agent] = [geneses(5, 3, { kind: 'model' }), geneses(5, 4, { kind: 'agent', from: 9 })]
  await first.take([...model.frames, ...agent.frames])
  await w.clock.runUntil(() => last.replica.counts().ops === 7, 2_000)
  expect(part.replica.counts().records).toEqual({ model: 3 })
  // A change of a record that is not held cannot be told from one of another kind; a session brings its own.
  await first.take(patches(5, [{ record: agent.records[0]!, head: agent.ids[0]! }], 'x').frames)
  await first.take(patches(5, [{ record: model.records[0]!, head: model.ids[0]! }], 'x').frames)
  await w.clock.runUntil(() => last.replica.counts().ops === 9, 2_000)
  expect(part.replica.counts().ops).toBe(4)
  expect(part.replica.pending().ops).toBe(0)
  for (const id of ['first', 'part', 'last']) expect(w.network.node(id).misdeeds).toEqual([])
})

test('a stranger who streams another kind into a session of this one gets nothing in', async () => {
  const w = await world()
  const part = await w.open('part', { sets: ['kind:model'] })
  const liar = w.network.node('liar')
  w.network.connect('part', 'liar')
  const raw = await RawChannel.open(liar, 'part')
  await raw.say(hello({ seq: 100, ops: 100, set: 'kind:model' }))
  const since = (await raw.hearA('since'))!
  await raw.sayPacket(since.q, 100, agents.frames)
  await raw.say({ m: 'end', q: since.q, seq: 100 })
  await raw.hearA('done')
  expect(part.replica.counts().ops).toBe(0)
})

test('nodes of different policy agree on roots, and what one withholds another gives', async () => {
  const w = await world()
  const [strict, open] = [await w.open('strict'), await w.open('open')]
  const [bad] = others.ids as [string]
  await strict.replica.withhold([{ id: bad, reason: 'blocked' }])
  await strict.take(models.frames)
  await open.take([...models.frames, ...geneses(2, 1, { kind: 'agent', from: 2_000 }).frames])
  expect(strict.replica.root()).toBe(open.replica.root())
  w.network.connect('strict', 'open')
  await w.clock.advance(5_000)
  expect(strict.sessions).toMatchObject([{ by: 'root', rootEqual: true }, { by: 'root' }])

  // Who comes to the strict one first gets all but that op, holds it against nobody, and has it from the other.
  const late = await w.open('later')
  await late.take(models.frames.slice(0, 1))
  w.network.connect('later', 'strict')
  await w.clock.runUntil(() => late.replica.counts().ops === 300, 20_000)
  await w.clock.advance(5 * syncIntervalMs)
  expect(late.replica.counts().ops).toBe(300)
  w.network.connect('later', 'open')
  await w.clock.runUntil(() => late.replica.root() === open.replica.root(), 20_000)
  expect(await late.replica.has([bad])).toEqual([true])
  expect(await strict.replica.has([bad])).toEqual([false])
  for (const id of ['strict', 'open', 'later']) expect(w.network.node(id).misdeeds).toEqual([])
})

test.each(['kind:agent', 'all', 'owner:01', 'no such set', ''])(
  'who asks for %j of a node without it is told what there is',
  async (set) => {
    const w = await world()
    await w.open('part', { sets: ['kind:model'] })
    const asker = w.network.node('asker')
    w.network.connect('part', 'asker')
    const raw = await RawChannel.open(asker, 'part')
    await raw.say(hello({ ...(set !== 'all' && { set }) }))
    expect(await raw.hear()).toEqual({ m: 'bye', reason: 'set', sets: ['authority', 'kind:model'] })
  },
)

test('sets that have to be made are made for one peer a few times, then it is told that we are busy', async () => {
  const w = await world()
  const whole = await w.open('whole')
  await whole.take(models.frames)
  const asker = w.network.node('asker')
  w.network.connect('whole', 'asker')
  const answers: unknown[] = []
  for (let i = 0; i < syncBulkMax + 2; i++) {
    const raw = await RawChannel.open(asker, 'whole')
    await raw.say(hello({ set: `owner:01${i.toString(16).padStart(64, '0')}` }))
    answers.push((await raw.hear())?.m)
    raw.channel.abort()
    await w.clock.advance(100)
  }
  expect(answers).toEqual([...Array(syncBulkMax).fill('hello'), 'bye', 'bye'])
})

test('a node that begins knows who may write before it is told what was written', async () => {
  const w = await world()
  const [whole, begins] = [await w.open('whole'), await w.open('begins')]
  const owner = publisher(7, { kind: 'model' })
  const ci = publisher(8, { kind: 'model' })
  const authority = authorityOf(owner)
  const grant = authority.grant(ci, { rights: ['write'] })
  const genesis = owner.genesis('a')
  const stolen = relying(ci, owner.set(owner.recordOf('a'), [genesis.id], 'stolen'), grant)
  for (const [by, op] of [
    [owner, genesis],
    [owner, grant],
    [ci, stolen],
    [owner, authority.revoke(grant)],
  ] as const) {
    await whole.take(by.bytes([op]))
  }
  const shown = new Set<unknown>()
  begins.replica.onAppended(({ records }) => {
    for (const { merged } of records) shown.add(merged.doc['name'])
  })
  w.network.connect('whole', 'begins')
  await w.clock.runUntil(() => begins.replica.counts().ops === 4 && begins.sync.running === 0, 10_000)
  expect((await begins.replica.changes(0, 9)).map(({ type }) => type).slice(0, 2)).toEqual(['grant', 'revoke'])
  expect([...shown]).toEqual(['a'])
})
