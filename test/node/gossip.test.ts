/**
 * Live ops over a network in memory: what is announced, what goes on, and what is left to sessions.
 */
import { expect, test } from 'vitest'
import { gossipIdsMax, gossipMessageBytesMax, gossipOpsBurst, gossipValidateMs } from '../../node/limits.ts'
import { pack, plainPackets, zstdPackets } from '../../node/packet.ts'
import { opsTopic } from '../../node/protocols.ts'
import { joinIds } from '../../node/sync-messages.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { MemoryNetwork } from '../support/memory-transport.ts'
import { geneses, NET, patches, TestPeer } from '../support/peer.ts'

const TOPIC = opsTopic(NET)

/** A line of peers that have met and hold the same; sessions are over. */
async function line(...ids: string[]) {
  const environment = manualEnvironment()
  const network = new MemoryNetwork({ clock: environment.clock })
  const peers: TestPeer[] = []
  for (const id of ids)
    peers.push(await TestPeer.open({ transport: network.node(id), environment, codec: plainPackets }))
  for (const [i, id] of ids.entries()) if (i > 0) network.connect(ids[i - 1]!, id)
  await environment.clock.advance(3_000)
  for (const peer of peers) peer.sessions.length = 0
  return { environment, network, clock: environment.clock, peers }
}

const heard = (peer: TestPeer) => peer.gossip.counters['gossip_received']!
const misdeeds = (network: MemoryNetwork, id: string) => network.node(id).misdeeds.map(({ reason }) => reason)

test('an op reaches all peers at once, without a session and without a timer', async () => {
  const { clock, peers } = await line('a', 'b', 'c', 'd')
  const start = clock.monotonic()
  await peers[0]!.take(geneses(1, 1).frames)
  await clock.runUntil(() => peers.every(({ replica }) => replica.counts().ops === 1), 1_000)
  expect(clock.monotonic()).toBe(start)
  expect(peers.flatMap(({ sessions }) => sessions)).toEqual([])
})

test('what queues up while a publish is under way goes in one message', async () => {
  const { clock, peers } = await line('a', 'b')
  const [a, b] = peers as [TestPeer, TestPeer]
  const made = geneses(1, 60, { batch: 1 })
  await Promise.all(made.frames.map((frame) => a.take([frame])))
  await clock.runUntil(() => b.replica.counts().ops === 60, 1_000)
  const { messages, ops } = a.gossip.counters['gossip_sent']!
  expect(ops).toBe(60)
  expect(messages).toBeLessThan(30)
})

test('a frame too large for gossip is announced by ids and fetched, also by those further on', async () => {
  const { clock, peers } = await line('a', 'b', 'c')
  const [a, , c] = peers as [TestPeer, TestPeer, TestPeer]
  const made = geneses(1, 3, { pad: 120_000 })
  expect(made.frames[0]!.length).toBeGreaterThan(gossipMessageBytesMax)
  await a.take(made.frames)
  await clock.runUntil(() => c.replica.counts().ops === 3, 1_000)
  expect(a.gossip.counters['gossip_sent']!['bytes']).toBe(1 + 3 * 32)
})

test('an op whose parent is not held brings the parent from its sender', async () => {
  const { network, clock, peers } = await line('a', 'b')
  const [a, b] = peers as [TestPeer, TestPeer]
  const made = geneses(1, 1)
  const child = patches(1, [{ record: made.records[0]!, head: made.ids[0]! }], 'later')
  // What came from another peer is that one's to announce: b hears of the child alone.
  await a.replica.admit(made.frames, { via: 'sync', peer: 'another' })
  await a.take(child.frames)
  await clock.runUntil(() => b.replica.counts().ops === 2, 100)
  expect(heard(b)['pending']).toBe(1)
  expect(misdeeds(network, 'b')).toEqual([])
})

test('a forged op goes no further, and its sender is penalised', async () => {
  const { network, clock, peers } = await line('liar', 'b', 'c')
  const b = peers[1]!
  const c = peers[2]!
  const frame = geneses(1, 1).frames[0]!.slice()
  frame[60]! ^= 1
  await network.node('liar').publish(TOPIC, await pack([frame], plainPackets))
  await clock.advance(100)
  expect(heard(b)).toMatchObject({ rejected: 1, accepted: 0 })
  expect(heard(c)).toMatchObject({ rejected: 0, accepted: 0 })
  expect(misdeeds(network, 'b')).toEqual(['bad-op'])
  expect(misdeeds(network, 'c')).toEqual([])
})

test.each([
  ['nothing', new Uint8Array(0), 'malformed'],
  ['an unknown form', Uint8Array.of(9, 9), 'malformed'],
  ['half an id', Uint8Array.of(2, 1, 2, 3), 'malformed'],
  ['no ids', Uint8Array.of(2), 'malformed'],
  ['too many ids', new Uint8Array(1 + 32 * (gossipIdsMax + 1)).fill(2), 'malformed'],
  ['a packet that is none', Uint8Array.of(0, 0, 0), 'malformed'],
  ['a message over the bound', new Uint8Array(gossipMessageBytesMax + 2_000), 'too-large'],
])('rejects a message of %s', async (_, message, reason) => {
  const { network, clock, peers } = await line('liar', 'b')
  await network.node('liar').publish(TOPIC, message)
  await clock.advance(100)
  expect(heard(peers[1]!)['rejected']).toBe(1)
  expect(misdeeds(network, 'b')).toEqual([reason])
})

test('ids that their announcer does not have cost it, and are not passed on', async () => {
  const { network, clock, peers } = await line('liar', 'b', 'c')
  const message = Uint8Array.from([2, ...joinIds(['a'.repeat(64), 'b'.repeat(64)])])
  await network.node('liar').publish(TOPIC, message)
  await clock.advance(1_000)
  expect(heard(peers[1]!)).toMatchObject({ pending: 1 })
  expect(Object.values(heard(peers[2]!)).every((n) => n === 0)).toBe(true)
  expect(misdeeds(network, 'b')).toEqual(['undelivered'])
})

test('what comes faster than gossip may is brought by a session instead', async () => {
  const { clock, peers } = await line('a', 'b')
  const [a, b] = peers as [TestPeer, TestPeer]
  for (let from = 0; from < gossipOpsBurst + 1_024; from += 256) await a.take(geneses(1, 256, { from }).frames)
  await clock.runUntil(() => b.replica.root() === a.replica.root(), 5_000)
  expect(a.gossip.counters['gossip_sent']!['left-to-sync']).toBeGreaterThan(0)
  expect(b.sessions.length).toBeGreaterThan(0)
})

test('a peer that gossips faster than it may is heard again by a session, and not penalised', async () => {
  const { network, clock, peers } = await line('a', 'b')
  const b = peers[1]!
  for (let from = 0; from < gossipOpsBurst + 1_024; from += 256) {
    const { frames } = geneses(1, 256, { from })
    await peers[0]!.replica.admit(frames, { via: 'sync', peer: 'someone' })
    await network.node('a').publish(TOPIC, await pack(frames, plainPackets))
  }
  await clock.runUntil(() => b.replica.root() === peers[0]!.replica.root(), 5_000)
  expect(heard(b)['rate']).toBeGreaterThan(0)
  expect(misdeeds(network, 'b')).toEqual([])
})

test('a validator that is too slow answers in time, and the op still goes in', async () => {
  const { network, clock, peers } = await line('a', 'b', 'c')
  const b = peers[1]!
  const real = b.replica.admit.bind(b.replica)
  b.replica.admit = async (...call: Parameters<typeof real>) => {
    await new Promise<void>((resolve) => clock.after(5 * gossipValidateMs, resolve))
    return real(...call)
  }
  await peers[0]!.take(geneses(1, 1).frames)
  await clock.advance(2 * gossipValidateMs)
  expect(heard(b)['late']).toBe(1)
  await clock.runUntil(() => b.replica.counts().ops === 1, 10 * gossipValidateMs)
  expect(misdeeds(network, 'b')).toEqual([])
})

test('nothing is announced that came from a peer, nor when nobody is there', async () => {
  const { network, clock, peers } = await line('a', 'b')
  const a = peers[0]!
  await a.replica.admit(geneses(1, 3).frames, { via: 'sync', peer: 'b' })
  network.disconnect('a', 'b')
  await a.take(geneses(2, 3).frames)
  await clock.advance(100)
  expect(a.gossip.counters['gossip_sent']).toMatchObject({ messages: 0, ops: 0 })
})

test('compressed and plain messages are understood alike', async () => {
  const environment = manualEnvironment()
  const network = new MemoryNetwork({ clock: environment.clock })
  const a = await TestPeer.open({ transport: network.node('a'), environment, codec: zstdPackets })
  const b = await TestPeer.open({ transport: network.node('b'), environment, codec: zstdPackets })
  network.connect('a', 'b')
  await environment.clock.advance(3_000)
  await a.take(geneses(1, 5, { pad: 500 }).frames)
  await environment.clock.runUntil(() => b.replica.counts().ops === 5, 1_000)
  expect(a.gossip.counters['gossip_sent']!['bytes']).toBeLessThan(2_000)
})
