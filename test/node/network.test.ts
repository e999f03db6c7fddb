/**
 * The real network: libp2p over TCP on loopback, real replicas, and peers that misbehave on our protocols.
 */
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { syncMessageBytesMax, syncStreamsPerPeerMax } from '../../node/limits.ts'
import { machineEnvironment } from '../../node/native.ts'
import { type Network, type NetworkOptions, openNetwork } from '../../node/network.ts'
import { pack, zstdPackets } from '../../node/packet.ts'
import { blockTarget } from '../../node/policy.ts'
import { Verifier } from '../../node/verifier.ts'
import { Adversary } from '../support/adversary.ts'
import { geneses, NET, type PeerOptions, patches, TestPeer } from '../support/peer.ts'
import { hello } from '../support/raw-peer.ts'

const environment = machineEnvironment
const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
const open: AsyncDisposable[] = []

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]()
})

type Node = TestPeer & { readonly network: Network; readonly address: string }

async function node(
  seed: number,
  { checker, ...options }: Partial<NetworkOptions> & Pick<PeerOptions, 'checker'> = {},
): Promise<Node> {
  const network = await openNetwork({
    net: NET,
    seed: new Uint8Array(32).fill(seed),
    listen: [LOOPBACK],
    join: [],
    mdns: false,
    environment,
    ...options,
  })
  const peer = await TestPeer.open({
    transport: network,
    environment,
    ...(options.net && { net: options.net }),
    ...(checker && { checker }),
  })
  await network.start()
  const stop = {
    [Symbol.asyncDispose]: async () => {
      await peer[Symbol.asyncDispose]()
      await network[Symbol.asyncDispose]()
    },
  }
  open.push(stop)
  return Object.assign(peer, { network, address: network.multiaddrs()[0] ?? '' })
}

async function adversary(address: string, net = NET): Promise<Adversary> {
  const made = await Adversary.meet(address, net)
  open.push(made)
  return made
}

/** Looks again until it holds. */
async function until(holds: () => boolean, what: string, maxMs = 15_000): Promise<void> {
  const end = performance.now() + maxMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`expected ${what} within ${maxMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const same = (a: Node, b: Node) => a.replica.root() === b.replica.root()
const count = (node: Node, name: string, label: string) =>
  ({ ...node.sync.counters, ...node.gossip.counters, ...node.network.counters })[name]![label]!

test('a new node takes 2,000 ops, later only what differs, and live ops at once', async () => {
  const a = await node(1)
  const made = geneses(1, 2_000)
  await a.take(made.frames)
  const b = await node(2, { join: [a.address] })
  await until(() => b.sessions.length > 0 && same(a, b), 'the first sync')
  expect(b.moved.opsIn).toBe(2_000)
  expect(b.moved.bytesIn / 2_000).toBeLessThan(100)
  expect(b.sync.peers()).toMatchObject([{ peer_id: a.network.self, root_equal: true, ops_behind: 0 }])
  expect(b.sync.peers()[0]!.multiaddr).toBe(a.address)

  // Live, by gossip: once they know of each other's subscriptions, which come after the first session.
  let from = 5_000
  while (count(b, 'gossip_received', 'accepted') === 0) {
    await a.take(geneses(1, 1, { from: from++ }).frames)
    await until(() => same(a, b), 'an op before gossip')
  }
  const bySession = b.moved.opsIn
  await a.take(geneses(1, 1, { from }).frames)
  await until(() => same(a, b), 'the live op')
  expect(b.moved.opsIn).toBe(bySession)

  // Apart, each changes 100; then they meet again.
  await b.network[Symbol.asyncDispose]()
  await until(() => a.network.peers().length === 0, 'b gone')
  const at = (from: number) =>
    Array.from({ length: 100 }, (_, i) => ({ record: made.records[from + i]!, head: made.ids[from + i]! }))
  await a.take(patches(1, at(0), 'a').frames)
  await b.take(patches(1, at(900), 'b').frames)
  await b.gossip[Symbol.asyncDispose]()
  await b.replica[Symbol.asyncDispose]()
  const again = await openNetwork({
    net: NET,
    seed: new Uint8Array(32).fill(2),
    listen: [],
    join: [a.address],
    mdns: false,
    environment,
  })
  const back = await TestPeer.open({ transport: again, environment, disk: b.disk })
  await again.start()
  open.push({
    [Symbol.asyncDispose]: async () => {
      await back[Symbol.asyncDispose]()
      await again[Symbol.asyncDispose]()
    },
  })
  await until(() => back.sessions.length > 0 && back.replica.root() === a.replica.root(), 'the second sync')
  expect(back.moved).toMatchObject({ opsIn: 100, opsOut: 100 })
  expect(back.moved.bytesIn + back.moved.bytesOut).toBeLessThan(50_000)
})

test('a node that was away is dialled again, and known peers are found after a restart without --join', async () => {
  let kept: Uint8Array | undefined
  const peers = {
    load: async () => kept,
    save: async (bytes: Uint8Array) => {
      kept = bytes
    },
  }
  const a = await node(1)
  const b = await node(2, { join: [a.address], peers })
  await until(() => b.network.peers().length === 1, 'b connected')
  await until(() => a.sessions.length > 0, 'a session')
  await b.network[Symbol.asyncDispose]()
  expect(kept).toBeDefined()
  await until(() => a.network.peers().length === 0, 'b gone')
  const c = await node(2, { peers, listen: [LOOPBACK] })
  await until(() => c.network.peers().includes(a.network.self), 'the known peer')

  // a goes and comes back at the same address.
  const address = a.address.replace(/\/p2p\/.*$/, '')
  await a.network[Symbol.asyncDispose]()
  await until(() => c.network.peers().length === 0, 'a gone')
  const back = await node(1, { listen: [address] })
  await until(() => c.network.peers().includes(back.network.self), 'a again', 20_000)
})

test('three nodes in a line gossip through the middle', async () => {
  const a = await node(1)
  const b = await node(2, { join: [a.address] })
  const c = await node(3, { join: [b.address] })
  await until(() => b.network.peers().length === 2, 'the line')
  await until(() => c.sessions.length > 0 && a.sessions.length > 0, 'first sessions')
  for (let from = 0; count(c, 'gossip_received', 'accepted') === 0; from++) {
    expect(from).toBeLessThan(100)
    await a.take(geneses(1, 1, { from }).frames)
    await until(() => same(a, c), 'the op')
  }
  expect(count(b, 'gossip_received', 'rejected')).toBe(0)
})

test('nodes that know one node find each other through it', async () => {
  const a = await node(1)
  const b = await node(2, { join: [a.address] })
  const c = await node(3, { join: [a.address] })
  await until(() => b.network.peers().includes(c.network.self), 'b and c')
})

test('a listen address in use is named', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const taken = `/ip4/127.0.0.1/tcp/${port}`
  const network = await openNetwork({
    net: NET,
    seed: new Uint8Array(32).fill(1),
    listen: [taken],
    join: [],
    mdns: false,
    environment,
  })
  await expect(network.start()).rejects.toMatchObject({
    code: 'address-in-use',
    message: expect.stringContaining(taken),
  })
  server.close()
  await expect(
    openNetwork({ net: NET, seed: new Uint8Array(32), listen: ['127.0.0.1:1'], join: [], mdns: false, environment }),
  ).rejects.toThrow(TypeError)
})

test('an offline node has a name and no network', async () => {
  const a = await node(1, { offline: true, join: ['/ip4/127.0.0.1/tcp/1'] })
  expect(a.network.self).toMatch(/^12D3KooW/)
  expect(a.network.multiaddrs()).toEqual([])
  await a.take(geneses(1, 3).frames)
  await expect(a.sync.sync('nobody')).resolves.toMatchObject({ end: 'gone' })
})

test('stopping takes less than a second, whatever peers leave open', async () => {
  const a = await node(1)
  const liar = await adversary(a.address)
  for (let i = 0; i < 4; i++) (await liar.stream()).send(Uint8Array.of(0, 0, 1, 0, 7))
  const b = await node(2, { join: [a.address] })
  await until(() => b.sessions.length > 0, 'a session')
  const start = performance.now()
  await a[Symbol.asyncDispose]()
  await a.network[Symbol.asyncDispose]()
  expect(performance.now() - start).toBeLessThan(1_000)
})

test('peers of another network and other protocols are refused without harm', async () => {
  const a = await node(1)
  const other = await node(2, { net: '7'.repeat(32), join: [a.address] })
  await until(() => other.sessions.length > 0, 'an answer')
  expect(other.sessions[0]).toMatchObject({ end: 'unsupported' })
  expect(count(other, 'network_events', 'banned')).toBe(0)
})

test('garbage on every protocol: nothing is stored, memory stays, and honest peers sync', async () => {
  const a = await node(1)
  await a.take(geneses(1, 500).frames)
  const before = { ops: 500, rss: process.memoryUsage().rss }
  const tell = [
    // Random bytes, of which the first four are a length.
    async (liar: Adversary) =>
      (await liar.stream()).send(Uint8Array.from({ length: 5_000 }, (_, i) => (i * 131) & 255)),
    // A length over any bound, then as much as the stream takes.
    async (liar: Adversary) => {
      const stream = await liar.stream()
      stream.send(Uint8Array.of(255, 255, 255, 255))
      stream.send(new Uint8Array(1_000_000))
    },
    // A good length and a bomb of brackets.
    async (liar: Adversary) => (await liar.channel()).sayBytes(new Uint8Array(syncMessageBytesMax).fill(0x81)),
    // A compressed bomb in a packet nobody asked for.
    async (liar: Adversary) => {
      const channel = await liar.channel()
      await channel.say(hello())
      await channel.sayPacket(1, 1, [new Uint8Array(900_000)])
    },
  ]
  const liars: Adversary[] = []
  for (const lie of tell) {
    const liar = await adversary(a.address)
    liars.push(liar)
    for (let i = 0; i < 6 && liar.isConnected; i++) await lie(liar).catch(() => {})
  }
  await until(() => liars.every(({ isConnected }) => !isConnected), 'all liars dropped')
  expect(count(a, 'network_events', 'banned')).toBe(liars.length)
  expect(await liars[0]!.comeBack(a.address)).toBe(false)
  const b = await node(2, { join: [a.address] })
  await until(() => b.sessions.length > 0 && same(a, b), 'the honest sync')
  expect(a.replica.counts().ops).toBe(before.ops)
  expect(process.memoryUsage().rss - before.rss).toBeLessThan(150 * 1024 * 1024)
})

test('ops with a bad signature inside a bulk stream are refused, their neighbours in the same packets go in', async () => {
  const believing = await node(1, { checker: { verify: async (items) => items.map(() => true) } })
  const batches = geneses(1, 600, { batch: 50 })
  const singles = geneses(2, 60, { batch: 1 })
  const isForged = (at: number) => at === 7 || at === 40
  const stream = singles.frames.flatMap((frame, at) => {
    const batch = batches.frames[at]
    const sent = isForged(at) ? frame.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) : frame
    // Of the batches one, all whose ops rest on the one signature.
    return batch === undefined
      ? [sent]
      : [at === 3 ? batch.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) : batch, sent]
  })
  await believing.take(stream)
  await using verifier = new Verifier()
  const b = await node(2, { join: [believing.address], checker: verifier })
  await until(() => b.sessions.some(({ set, opsIn }) => set === 'all' && opsIn > 0), 'the end of the session')
  const honest = [
    ...batches.ids.filter((_, at) => at < 150 || at >= 200),
    ...singles.ids.filter((_, at) => !isForged(at)),
  ]
  expect(new Set(await b.replica.has(honest))).toEqual(new Set([true]))
  expect(b.replica.counts().ops, 'and nothing else').toBe(honest.length)
  expect(count(b, 'network_penalties', 'bad-op')).toBeGreaterThan(0)
})

test('forged and foreign ops by gossip: refused, counted, their sender dropped, the others hear each other', async () => {
  const a = await node(1)
  const b = await node(2, { join: [a.address] })
  await until(() => b.sessions.length > 0, 'a session')
  const liar = await adversary(a.address)
  await until(() => liar.subscribers > 0, 'the mesh')
  const forged = geneses(5, 6, { batch: 1 }).frames.map((frame) => {
    const changed = frame.slice()
    changed[70]! ^= 255
    return changed
  })
  const foreign = geneses(6, 1, { net: '9'.repeat(32) }).frames
  const lies = [...forged, ...foreign]
  for (const frame of lies) await liar.publish(await pack([frame], zstdPackets)).catch(() => {})
  await until(() => !liar.isConnected, 'the liar dropped')
  expect(count(a, 'gossip_received', 'rejected')).toBeGreaterThan(2)
  expect(count(b, 'gossip_received', 'rejected')).toBe(0)
  expect(a.replica.counts().ops).toBe(0)
  await a.take(geneses(1, 1).frames)
  await until(() => same(a, b), 'the honest op')
})

test('ops whose parents never come: bounded, and honest ops go in meanwhile', async () => {
  const a = await node(1)
  const liar = await adversary(a.address)
  await until(() => liar.subscribers > 0, 'the mesh')
  const heads = Array.from({ length: 1_600 }, (_, i) => ({
    record: 'ab'.repeat(32),
    head: i.toString(16).padStart(64, '0'),
  }))
  const orphans = patches(7, heads, 'lost', { batch: 100 })
  for (const frame of orphans.frames) await liar.publish(await pack([frame], zstdPackets)).catch(() => {})
  await until(() => a.replica.pending().ops > 0, 'pending ops')
  const b = await node(2)
  await b.take(geneses(1, 100).frames)
  const c = await node(3, { join: [a.address, b.address] })
  await until(() => same(a, b) && same(b, c), 'the honest ops')
  expect(a.replica.counts().ops).toBe(100)
  expect(a.replica.pending().ops).toBeLessThanOrEqual(1_000)
})

test('streams without end and streams that stand still keep nobody else out', async () => {
  const a = await node(1)
  await a.take(geneses(1, 300).frames)
  const liar = await adversary(a.address)
  const streams = await Promise.allSettled(Array.from({ length: 60 }, () => liar.stream()))
  for (const stream of streams) {
    // One byte of a length, and then nothing: the slot is given up after the time-out, and there are few slots.
    if (stream.status === 'fulfilled' && stream.value.status === 'open') stream.value.send(Uint8Array.of(0))
  }
  const b = await node(2, { join: [a.address] })
  await until(() => b.sessions.length > 0 && same(a, b), 'the honest sync')
  expect(a.sync.running).toBeLessThanOrEqual(syncStreamsPerPeerMax + 1)
})

test('a peer that the operator blocks is dropped and refused, both ways, until it is let in again', async () => {
  const blocked = new Set<string>()
  const a = await node(71, { refuses: (peer) => blocked.has(peer) })
  const b = await node(72, { join: [a.address] })
  await until(() => a.network.peers().length === 1, 'b')
  expect(blockTarget(b.network.self)).toEqual({ is: 'peer', name: b.network.self })
  blocked.add(b.network.self)
  a.network.look(b.network.self)
  await until(() => a.network.peers().length === 0, 'b dropped')
  // It dials again, for it was told to join.
  await until(() => count(a, 'network_events', 'refused') > 0, 'b refused')
  expect(a.network.peers()).toEqual([])
  await expect(a.network.open(b.network.self, '/any/1')).rejects.toMatchObject({ code: 'peer-gone' })
  blocked.delete(b.network.self)
  await until(() => a.network.peers().length === 1, 'b again')
})
