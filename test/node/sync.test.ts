/**
 * Anti-entropy between real replicas over a network in memory and a clock that moves when told to.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryDisk } from '../../node/disk-memory.ts'
import { syncBackoffMs, syncIntervalMs } from '../../node/limits.ts'
import { type PacketCodec, plainPackets } from '../../node/packet.ts'
import { readMessage, writeMessage } from '../../node/sync-messages.ts'
import type { Channel } from '../../node/transport.ts'
import { turn } from '../../node/turn.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { MemoryNetwork, type MemoryTransport } from '../support/memory-transport.ts'
import { geneses, type Made, NET, type PeerOptions, patches, TestPeer } from '../support/peer.ts'
import { seeded } from '../support/seed.ts'

/** zstd on this thread: another one would not wait for the test's clock. */
const inlineZstd: PacketCodec = {
  compress: (raw) => zstdCompressSync(raw),
  inflate: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
}

type World = Awaited<ReturnType<typeof world>>

/** Peers that only hold sessions: gossip has its own tests. */
async function world(seed = 1, latencyMs = 0) {
  const environment = manualEnvironment(seed)
  const network = new MemoryNetwork({ clock: environment.clock, latencyMs })
  const open = (id: string, options: Partial<PeerOptions> = {}) =>
    TestPeer.open({ transport: network.node(id), environment, codec: plainPackets, gossip: false, ...options })
  return { environment, network, clock: environment.clock, open }
}

const same = (...peers: TestPeer[]) => new Set(peers.map(({ replica }) => replica.root())).size === 1
/** Until all hold the same and no session is under way. */
const settled = ({ clock }: World, maxMs: number, ...peers: TestPeer[]) =>
  clock.runUntil(() => same(...peers) && peers.every(({ sync }) => sync.running === 0), maxMs)

/** What this node says and hears of what one can is left out, so that it is one of the first version. */
function forgetCapabilities(transport: MemoryTransport): void {
  const plain = <B extends Uint8Array | undefined>(bytes: B): B | Uint8Array => {
    const read = bytes && readMessage(bytes)
    if (!read?.ok || read.message.m !== 'hello') return bytes
    const { can: _, ...hello } = read.message
    return writeMessage(hello)
  }
  const plainly = (channel: Channel): Channel => {
    const { send, receive } = channel
    channel.send = (bytes) => send.call(channel, plain(bytes))
    channel.receive = async (options) => plain(await receive.call(channel, options))
    return channel
  }
  const { open, handle } = transport
  transport.open = async (...args) => plainly(await open.apply(transport, args)) as never
  transport.handle = (protocol, handler) => handle.call(transport, protocol, (channel) => handler(plainly(channel)))
}

/** The first `count` records of what was made, to be patched. */
const on = (made: Made, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ record: made.records[from + i]!, head: made.ids[from + i]! }))

test('after a session both hold what either held, and both know it', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  await a.take(geneses(1, 300).frames)
  await b.take(geneses(2, 200).frames)
  w.network.connect('a', 'b')
  await settled(w, 1_000, a, b)
  expect(a.replica.counts().ops).toBe(500)
  expect(a.sessions).toMatchObject([{ end: 'done', rootEqual: true, inbound: false, opsIn: 200, opsOut: 300 }])
  expect(b.sessions).toMatchObject([{ end: 'done', rootEqual: true, inbound: true, opsIn: 300, opsOut: 200 }])
  expect(a.sessions[0]!.bytesIn).toBe(b.sessions[0]!.bytesOut)
  expect(a.sync.peers()).toEqual([{ peer_id: 'b', multiaddr: '/memory/b', root_equal: true, ops_behind: 0 }])
})

test('a session without a difference costs a few hundred bytes', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const { frames } = geneses(1, 600)
  await a.take(frames)
  await b.take(frames)
  w.network.connect('a', 'b')
  await w.clock.advance(100)
  expect(a.sessions).toMatchObject([{ end: 'done', rootEqual: true, opsIn: 0, opsOut: 0 }])
  expect(a.moved.bytesIn + a.moved.bytesOut).toBeLessThan(400)
})

test('after a restart only the difference moves: 100 changes on each side in less than 40 KB', async () => {
  const w = await world()
  const disk = new MemoryDisk()
  const a = await w.open('a', { codec: inlineZstd })
  const before = await w.open('b', { disk, codec: inlineZstd })
  const made = geneses(1, 1_000)
  await a.take(made.frames)
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, before)
  w.network.disconnect('a', 'b')
  await before[Symbol.asyncDispose]()
  a.sessions.length = 0

  const b = await w.open('b', { disk, codec: inlineZstd, key: 1 })
  await a.take(patches(1, on(made, 100), 'by a').frames)
  await b.take(patches(1, on(made, 100, 500), 'by b').frames)
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  expect(a.moved).toMatchObject({ opsIn: 100, opsOut: 100 })
  expect(a.moved.bytesIn + a.moved.bytesOut).toBeLessThan(40_000)
})

test('an empty peer takes many ops in few messages of little more than their compressed size', async () => {
  const w = await world()
  const [a, b] = [await w.open('a', { codec: inlineZstd }), await w.open('b', { codec: inlineZstd })]
  await a.take(geneses(1, 1_500, { pad: 300 }).frames)
  w.network.connect('a', 'b')
  await settled(w, 10_000, a, b)
  expect(b.sessions).toMatchObject([{ opsIn: 1_500, rootEqual: true }])
  expect(b.moved.bytesIn / 1_500).toBeLessThan(60)
  expect(b.moved.bytesOut).toBeLessThan(2_000)
})

test('a stream that was cut goes on where it was', async () => {
  const w = await world(1, 5)
  const [a, b] = [await w.open('a'), await w.open('b')]
  await a.take(geneses(1, 700, { batch: 20, pad: 12_000 }).frames)
  w.network.connect('a', 'b')
  await w.clock.runUntil(() => b.replica.counts().ops > 500, 10_000)
  w.network.disconnect('a', 'b')
  await w.clock.advance(1_000)
  const had = b.replica.counts().ops
  expect(had).toBeLessThan(700)
  a.sessions.length = 0
  w.network.connect('a', 'b')
  await settled(w, 60_000, a, b)
  expect(a.moved.opsOut).toBeLessThan(400)
})

test('what differs in two large sets that never met is found in a few KB', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const common = geneses(1, 1_000).frames
  await a.take([...common, ...geneses(2, 10).frames])
  await b.take([...geneses(3, 15).frames, ...common])
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  expect(a.moved).toMatchObject({ opsIn: 15, opsOut: 10 })
  expect(a.sessions[0]).toMatchObject({ by: 'sketch', deep: false })
  // The ops themselves, each with a proof of its own place in its batch, are most of it.
  expect(a.moved.bytesIn + a.moved.bytesOut).toBeLessThan(15_000)
})

test('asked again whether anything has changed, they say no in less than 100 bytes', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const { frames } = geneses(1, 600)
  await a.take(frames)
  await b.take(frames)
  w.network.connect('a', 'b')
  await w.clock.advance(100)
  a.sessions.length = 0
  await a.sync.sync('b')
  expect(a.sessions).toMatchObject([{ end: 'done', rootEqual: true, by: 'root' }])
  expect(a.moved.bytesIn + a.moved.bytesOut).toBeLessThan(100)
  // And when something has, it takes no more than a turn.
  await b.take(geneses(2, 5).frames)
  await a.sync.sync('b')
  expect(a.replica.root()).toBe(b.replica.root())
})

test.each([
  ['opens', 'a'],
  ['answers', 'b'],
])('a node of the first version that %s settles with one of today', async (_, old) => {
  const w = await world()
  forgetCapabilities(w.network.node(old))
  const [a, b] = [await w.open('a'), await w.open('b')]
  const common = geneses(1, 500).frames
  await a.take([...common, ...geneses(2, 10).frames])
  await b.take([...geneses(3, 15).frames, ...common])
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  expect([...a.sessions, ...b.sessions].every(({ by }) => by === 'log' || by === 'root')).toBe(true)
  await a.take(geneses(4, 3).frames)
  await w.clock.advance(3 * syncIntervalMs)
  expect(same(a, b)).toBe(true)
  for (const id of ['a', 'b']) expect(w.network.node(id).misdeeds).toEqual([])
})

test('ids that a sketch cannot tell apart are found by a descent', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const common = geneses(1, 1_000).frames
  await a.take([...common, ...geneses(2, 10).frames])
  await b.take([...geneses(3, 15).frames, ...common])
  // Nobody can seek so long in a test: a sketch that is wrong stands for one that cannot be solved.
  const set = (await b.replica.reconciled('all'))!
  ;(await set.sketch(turn)).add(new Uint8Array(32).fill(7))
  ;(await set.sketch(turn)).add(new Uint8Array(32).fill(7))
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  expect(a.moved).toMatchObject({ opsIn: 15, opsOut: 10 })
  expect(a.sessions[0]).toMatchObject({ by: 'descent', deep: true })
  for (const id of ['a', 'b']) expect(w.network.node(id).misdeeds).toEqual([])
})

test('a find of the sketch that does not exist is held against nobody, and the rest is found', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const common = geneses(1, 1_000).frames
  await a.take([...common, ...geneses(2, 10).frames])
  await b.take([...geneses(3, 15).frames, ...common])
  const set = (await b.replica.reconciled('all'))!
  ;(await set.sketch(turn)).add(new Uint8Array(32).fill(7))
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  expect(a.sessions[0]).toMatchObject({ by: 'descent', rootEqual: true })
  for (const id of ['a', 'b']) expect(w.network.node(id).misdeeds).toEqual([])
})

test('two large sets that share nothing change to frames', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const made = geneses(1, 1_000, { pad: 500 })
  await a.take(made.frames)
  await b.take(geneses(2, 1_000, { pad: 500 }).frames)
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  expect(a.moved).toMatchObject({ opsIn: 1_000, opsOut: 1_000 })
  // Ids of everything, asked and told, would be 2 * 2 * 32 KB on top.
  const frames = made.frames.reduce((sum, { length }) => sum + length, 0)
  expect(a.moved.bytesIn).toBeLessThan(frames * 1.05)
})

test('a wrong guess that frames are news is noticed at the first answers', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b', { key: 2 })]
  await a.take(geneses(1, 900).frames)
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  w.network.disconnect('a', 'b')
  // Signed by b's own key, so b takes them for news of its own; but a has them already.
  const shared = geneses(2, 800, { batch: 20, pad: 4_000 }).frames
  await a.take([...shared, ...geneses(1, 1, { from: 9_000 }).frames])
  await b.take([...shared, ...geneses(2, 1, { from: 9_000 }).frames])
  a.sessions.length = 0
  w.network.connect('a', 'b')
  await settled(w, 5_000, a, b)
  const all = shared.reduce((sum, { length }) => sum + length, 0)
  expect(a.moved.bytesOut).toBeLessThan(all * 0.6)
})

test('a peer that lost everything gets back what it once gave', async () => {
  const w = await world()
  const a = await w.open('a')
  const before = await w.open('b')
  await before.take(geneses(2, 400).frames)
  w.network.connect('a', 'b')
  await settled(w, 1_000, a, before)
  w.network.disconnect('a', 'b')
  await before[Symbol.asyncDispose]()
  const b = await w.open('b')
  w.network.connect('a', 'b')
  await settled(w, 1_000, a, b)
  expect(b.replica.counts().ops).toBe(400)
})

test('ops that neither cursor shows are found by their sketches', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const made = geneses(1, 500)
  await a.take(made.frames)
  w.network.connect('a', 'b')
  await settled(w, 1_000, a, b)
  w.network.disconnect('a', 'b')
  // A backup of b from before, with the cursor of today.
  const cursors = await b.replica.note('sync/cursors')
  await b[Symbol.asyncDispose]()
  const restored = await w.open('b')
  await restored.take(made.frames.slice(1))
  await restored.replica.setNote('sync/cursors', cursors)
  await restored[Symbol.asyncDispose]()
  const again = await w.open('b', { disk: restored.disk })
  w.network.connect('a', 'b')
  await settled(w, 10 * syncIntervalMs, a, again)
  expect(again.replica.counts().ops).toBe(500)
  expect([...a.sessions, ...again.sessions].some(({ by }) => by === 'sketch')).toBe(true)
})

test('ops that the disk has damaged are fetched again from a peer that holds the same set', async () => {
  const w = await world()
  const disk = new FaultyDisk()
  const [a, first] = [await w.open('a'), await w.open('b', { disk })]
  const made = geneses(1, 20, { batch: 10 })
  await a.take(made.frames)
  w.network.connect('a', 'b')
  await settled(w, 1_000, a, first)
  w.network.disconnect('a', 'b')
  await first[Symbol.asyncDispose]()
  await disk.damage('f', 0, 100)
  const b = await w.open('b', { disk })
  // Somebody meets the damage.
  expect((await b.replica.frames(made.ids)).frames).toHaveLength(1)
  expect(b.replica.damaged(99)).toHaveLength(10)
  w.network.connect('a', 'b')
  await w.clock.runUntil(() => b.replica.damaged(1).length === 0, 60_000)
  expect((await b.replica.frames(made.ids)).frames).toHaveLength(2)
  expect(b.replica.counts().ops).toBe(20)
})

test('news that came by a session goes on to others without waiting for the minute', async () => {
  const w = await world()
  const [a, b, c] = [await w.open('a'), await w.open('b'), await w.open('c')]
  w.network.connect('b', 'c')
  // The sessions of a new connection are over.
  await w.clock.advance(10_000)
  await a.take(geneses(1, 50).frames)
  w.network.connect('a', 'b')
  await settled(w, 1_000, a, b, c)
  expect(c.replica.counts().ops).toBe(50)
})

test('what nobody told is found within two minutes', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  w.network.connect('a', 'b')
  await w.clock.advance(5_000)
  await a.take(geneses(1, 5).frames)
  await b.take(geneses(2, 5).frames)
  await settled(w, 2 * syncIntervalMs, a, b)
})

test('when both open a session at once, one of them stands', async () => {
  const w = await world(1, 20)
  const [a, b] = [await w.open('a'), await w.open('b')]
  await a.take(geneses(1, 200).frames)
  w.network.connect('a', 'b')
  void a.sync.sync('b')
  void b.sync.sync('a')
  await settled(w, 20_000, a, b)
  expect(a.moved.opsOut).toBe(200)
  expect(b.sessions.filter(({ end }) => end === 'done')).toHaveLength(1)
})

test('nodes of another network refuse each other, say why, and hold it against nobody', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b', { net: '5'.repeat(32) })]
  // In one network the names would differ; the messages refuse it as well.
  const result = await a.sync.sync('b')
  expect(result).toMatchObject({ end: 'gone' })
  w.network.connect('a', 'b')
  await w.clock.advance(5_000)
  expect(a.sessions.at(-1)).toMatchObject({ end: 'unsupported' })
  expect(w.network.node('a').misdeeds).toEqual([])
  expect(b.replica.counts().ops).toBe(0)
})

test('a peer whose sessions fail is asked less and less often, and others as before', async () => {
  const w = await world()
  const [a, b] = [await w.open('a'), await w.open('b')]
  const broken = w.network.node('x')
  const tries: number[] = []
  broken.handle(`/peerage/${NET}/sync/1`, (channel) => {
    tries.push(w.clock.monotonic())
    channel.abort()
  })
  w.network.connect('a', 'x')
  w.network.connect('a', 'b')
  await w.clock.advance(20 * 60_000)
  const gaps = tries.slice(1).map((at, i) => at - tries[i]!)
  expect(gaps[0]).toBeGreaterThanOrEqual(syncBackoffMs * 0.75)
  expect(gaps.at(-1)).toBeGreaterThan(2 * 60_000)
  expect(tries.length).toBeLessThan(14)
  expect(a.sessions.filter(({ peer, end }) => peer === 'b' && end === 'done').length).toBeGreaterThan(10)
  expect(b.sessions.length).toBeGreaterThan(10)
})

test('stopping ends what is under way', async () => {
  const w = await world(1, 10)
  const [a, b] = [await w.open('a'), await w.open('b')]
  await a.take(geneses(1, 600, { batch: 20, pad: 9_000 }).frames)
  w.network.connect('a', 'b')
  await w.clock.runUntil(() => b.replica.counts().ops > 0, 10_000)
  await b[Symbol.asyncDispose]()
  await w.clock.advance(1_000)
  expect(b.sessions.at(-1)).toMatchObject({ end: 'stopped' })
  expect(a.sessions.at(-1)).toMatchObject({ end: 'gone' })
})

test('whatever is held by whom and whoever meets whom, in the end all hold the same', async () => {
  const pool = [geneses(1, 120, { batch: 1 }), geneses(2, 120, { batch: 40 }), geneses(3, 120)]
  const more = [patches(1, on(pool[0]!, 60), 'x'), patches(2, on(pool[1]!, 60), 'y', { batch: 7 })]
  const frames = [...pool, ...more].flatMap((made) => made.frames)
  const ids = ['a', 'b', 'c', 'd'] as const
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer({ min: 1, max: 1_000_000 }),
          latencyMs: fc.constantFrom(0, 3, 40),
          // Who takes which share of the frames, and when links come and go.
          held: fc.array(fc.tuple(fc.nat(3), fc.nat(frames.length), fc.nat(40)), { minLength: 1, maxLength: 8 }),
          links: fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3_000)), { maxLength: 10 }),
        }),
        async ({ seed, latencyMs, held, links }) => {
          const w = await world(seed, latencyMs)
          const peers = await Promise.all(ids.map((id) => w.open(id)))
          const given = new Set<Uint8Array>()
          for (const [who, from, count] of held) {
            const some = frames.slice(from, from + count)
            for (const frame of some) given.add(frame)
            await peers[who]!.replica.admit(some, { via: 'http' })
          }
          for (const [x, y, ms] of links) {
            const [p, q] = [ids[x]!, ids[y]!]
            if (p === q) continue
            if (w.network.isLinked(p, q)) w.network.disconnect(p, q)
            else w.network.connect(p, q)
            await w.clock.advance(ms)
          }
          for (const [i, id] of ids.entries()) if (i > 0) w.network.connect(ids[i - 1]!, id)
          await settled(w, 40 * syncIntervalMs, ...peers)
          for (const id of ids) expect(w.network.node(id).misdeeds).toEqual([])
          for (const peer of peers) await peer[Symbol.asyncDispose]()
        },
      ),
      { ...parameters, numRuns: 14 },
    ),
  )
})
