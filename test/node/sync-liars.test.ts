/**
 * What a sync session does with a peer that lies: each lie ends the session, costs little, has its name, and leaves
 * the store and the sessions of others as they were.
 */
import { expect, test } from 'vitest'
import { concat, describeNodes, fromHex, SEM } from '../../crdt/index.ts'
import {
  syncBulkMax,
  syncCredits,
  syncIdleTimeoutMs,
  syncMessageBytesMax,
  syncSincesMax,
  syncWindowMax,
} from '../../node/limits.ts'
import { plainPackets } from '../../node/packet.ts'
import { syncProtocol } from '../../node/protocols.ts'
import { manualEnvironment, seededRandom } from '../support/manual-clock.ts'
import { MemoryNetwork } from '../support/memory-transport.ts'
import { geneses, NET, patches, TestPeer } from '../support/peer.ts'
import { hello, RawChannel } from '../support/raw-peer.ts'

async function world() {
  const environment = manualEnvironment()
  const network = new MemoryNetwork({ clock: environment.clock })
  const open = (id: string) =>
    TestPeer.open({ transport: network.node(id), environment, codec: plainPackets, gossip: false })
  const honest = await open('honest')
  const made = geneses(1, 100, { batch: 10 })
  await honest.take(made.frames)
  // A liar that lets others speak first is asked by nobody: the honest node opens no session with it.
  const liar = network.node('liar')
  liar.handle(syncProtocol(NET), (channel) => channel.abort())
  network.connect('honest', 'liar')
  await environment.clock.advance(2_000)
  honest.sessions.length = 0
  return { network, clock: environment.clock, honest, liar, made, open }
}
type World = Awaited<ReturnType<typeof world>>

/** Opens a session as the liar and says hello; answers what the node said. */
async function greet({ liar }: World, over: Parameters<typeof hello>[0] = {}): Promise<RawChannel> {
  const raw = await RawChannel.open(liar, 'honest')
  await raw.say(hello(over))
  return raw
}

/** The same, claiming to hold ops, and waits until the node asks for them. */
async function offer(w: World, over: Parameters<typeof hello>[0] = {}) {
  const raw = await greet(w, { seq: 1_000_000, ops: 1_000_000, ...over })
  const since = await raw.hearA('since')
  if (!since) throw new Error('expected the node to ask')
  return { raw, since }
}

const forged = (frame: Uint8Array) => {
  const changed = frame.slice()
  changed[60]! ^= 1
  return changed
}

type Lie = readonly [name: string, tell: (w: World) => Promise<unknown>, end: string, misdeed: string | undefined]

const LIES: readonly Lie[] = [
  [
    'bytes that are no message',
    async (w) => (await RawChannel.open(w.liar, 'honest')).sayBytes(Uint8Array.of(1, 2, 3)),
    'misbehaved',
    'malformed',
  ],
  [
    'a deeply nested message',
    async (w) => (await RawChannel.open(w.liar, 'honest')).sayBytes(new Uint8Array(1_000_000).fill(0x81)),
    'misbehaved',
    'malformed',
  ],
  [
    'a message over the bound',
    async (w) => (await RawChannel.open(w.liar, 'honest')).sayBytes(new Uint8Array(syncMessageBytesMax + 1)),
    'misbehaved',
    'too-large',
  ],
  [
    'no hello',
    async (w) => (await RawChannel.open(w.liar, 'honest')).say({ m: 'end', q: 1, seq: 0 }),
    'misbehaved',
    'protocol',
  ],
  ['a second hello', async (w) => (await greet(w)).say(hello()), 'misbehaved', 'protocol'],
  ['an answer to nothing', async (w) => (await greet(w)).sayPacket(9, 1, []), 'misbehaved', 'protocol'],
  [
    'a request after done',
    async (w) => {
      const { raw } = await offer(w)
      await raw.say({ m: 'done', epoch: '0'.repeat(32), seq: 0, ops: 0, root: '1'.repeat(32) })
      await raw.say({ m: 'get', q: 1, ids: ['a'.repeat(64)], window: 1 })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'one request number twice',
    async (w) => {
      const raw = await greet(w)
      for (let i = 0; i < 2; i++) await raw.say({ m: 'since', q: 1, from: 1, mode: 'frames', all: false, window: 1 })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'requests without end',
    async (w) => {
      const raw = await greet(w)
      for (let q = 1; q <= syncSincesMax + 1; q++)
        await raw.say({ m: 'since', q, from: 1, mode: 'ids', all: false, window: 1 })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'lookups without waiting',
    async (w) => {
      const raw = await greet(w)
      for (let q = 1; q <= 20; q++) await raw.say({ m: 'get', q, ids: w.made.ids.slice(0, 10), window: 1 })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'more room than any window',
    async (w) => {
      const raw = await greet(w)
      await raw.say({ m: 'since', q: 1, from: 1, mode: 'ids', all: false, window: syncWindowMax })
      for (let i = 0; i < 2_000; i++) await raw.say({ m: 'more', q: 1, n: syncWindowMax })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'more answers than were granted',
    async (w) => {
      const { raw, since } = await offer(w)
      for (let i = 0; i < syncCredits + 1; i++) await raw.sayPacket(since.q, i, [])
      await raw.hearA('bye')
    },
    'misbehaved',
    'protocol',
  ],
  [
    'a log that runs back',
    async (w) => {
      const { raw, since } = await offer(w)
      await raw.sayPacket(since.q, 50, [])
      await raw.sayPacket(since.q, 49, [])
    },
    'misbehaved',
    'protocol',
  ],
  [
    'ids for frames',
    async (w) => {
      const { raw, since } = await offer(w)
      await raw.say({ m: 'ids', q: since.q, seq: 1, ids: ['a'.repeat(64)] })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'a packet that is none',
    async (w) => {
      const { raw, since } = await offer(w)
      await raw.say({ m: 'packet', q: since.q, seq: 1, z: Uint8Array.of(7, 7) })
    },
    'misbehaved',
    'malformed',
  ],
  [
    'ids that it never delivers',
    async (w) => {
      const { raw, since } = await offer(w, { seq: 100, ops: 100 })
      await raw.say({
        m: 'ids',
        q: since.q,
        seq: 64,
        ids: Array.from({ length: 64 }, (_, i) => i.toString(16).padStart(64, 'f')),
      })
      const get = await raw.hearA('get')
      await raw.say({ m: 'end', q: get!.q, seq: 0 })
    },
    'undelivered',
    'undelivered',
  ],
  [
    'children whose parents it never delivers',
    async (w) => {
      const { raw, since } = await offer(w)
      const orphans = patches(
        1,
        Array.from({ length: 50 }, (_, i) => ({ record: w.made.records[i]!, head: i.toString(16).padStart(64, 'e') })),
        'x',
      )
      await raw.sayPacket(since.q, 50, orphans.frames)
      await raw.say({ m: 'end', q: since.q, seq: 50 })
      const get = await raw.hearA('get')
      await raw.say({ m: 'end', q: get!.q, seq: 0 })
    },
    'undelivered',
    'undelivered',
  ],
  [
    'silence after hello',
    async (w) => {
      await greet(w)
      await w.clock.advance(2 * syncIdleTimeoutMs)
    },
    'gone',
    undefined,
  ],
  [
    'silence from the start',
    async (w) => {
      await RawChannel.open(w.liar, 'honest')
      await w.clock.advance(2 * syncIdleTimeoutMs)
    },
    'gone',
    undefined,
  ],
  [
    'a request whose answers it never takes',
    async (w) => {
      const big = geneses(3, 100, { batch: 20, pad: 30_000 })
      await w.honest.take(big.frames)
      const raw = await greet(w)
      await raw.say({ m: 'since', q: 1, from: 1, mode: 'frames', all: false, window: 1 })
      for (let i = 0; i < 8; i++) {
        await w.clock.advance(syncIdleTimeoutMs / 4)
        // Not silent: it grants room for what is long answered, and so keeps the stream busy.
        await raw.say({ m: 'more', q: 77, n: 1 }).catch(() => {})
      }
    },
    'gone',
    'slow',
  ],
  [
    'symbols that nobody asked for',
    async (w) => (await greet(w, { can: ['compare'] })).say({ m: 'symbols', q: 1, ops: 5, z: new Uint8Array(17) }),
    'misbehaved',
    'protocol',
  ],
  [
    'a wish for symbols out of turn',
    async (w) => {
      const raw = await greet(w, { can: ['compare'] })
      await raw.say({ m: 'sketch', q: 1, from: 0, to: 32 })
      await raw.say({ m: 'sketch', q: 2, from: 0, to: 32 })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'wishes for nodes without waiting',
    async (w) => {
      const raw = await greet(w, { can: ['compare'] })
      for (let q = 1; q <= 40; q++) await raw.say({ m: 'trie', q, w: 8, at: Array(512).fill('') })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'offers of what it never gives',
    async (w) => {
      const raw = await greet(w, { can: ['compare'] })
      await raw.say({ m: 'trie', q: 1, w: 8, at: [''] })
      await raw.say({ m: 'offer', w: 8, ids: Array.from({ length: 64 }, (_, i) => i.toString(16).padStart(16, 'f')) })
      const pick = await raw.hearA('pick')
      await raw.say({ m: 'end', q: pick!.q, seq: 0 })
    },
    'undelivered',
    'undelivered',
  ],
  [
    'offers without end',
    async (w) => {
      const raw = await greet(w, { can: ['compare'] })
      const ids = Array.from({ length: 4_096 }, (_, i) => i.toString(16).padStart(16, 'f'))
      for (let i = 0; i < 100; i++) await raw.say({ m: 'offer', w: 8, ids })
    },
    'misbehaved',
    'protocol',
  ],
  [
    'offers, and then takes no notice of what is picked',
    async (w) => {
      const raw = await greet(w, { can: ['compare'] })
      await raw.say({ m: 'trie', q: 1, w: 8, at: [''] })
      await raw.say({ m: 'offer', w: 8, ids: ['f'.repeat(16)] })
      await w.clock.advance(2 * syncIdleTimeoutMs)
    },
    'gone',
    undefined,
  ],
  ['another version', async (w) => void (await greet(w, { v: 2 })), 'refused', undefined],
  ['another network', async (w) => void (await greet(w, { net: '9'.repeat(32) })), 'refused', undefined],
  ['other merge rules', async (w) => void (await greet(w, { sem: SEM + 1 })), 'refused', undefined],
]

test.each(LIES)('a peer that sends %s', async (_, tell, end, misdeed) => {
  const w = await world()
  const before = { root: w.honest.replica.root(), misdeeds: w.network.node('honest').misdeeds.length }
  const telling = tell(w).catch(() => {})
  await w.clock.runUntil(() => w.honest.sessions.length > 0, 4 * syncIdleTimeoutMs)
  await telling
  expect(w.honest.sessions[0]).toMatchObject({ peer: 'liar', end })
  expect(
    w.network
      .node('honest')
      .misdeeds.slice(before.misdeeds)
      .map(({ reason }) => reason),
  ).toEqual(misdeed ? [misdeed] : [])
  expect(w.honest.sync.running).toBe(0)

  // The others never notice.
  const friend = await w.open('friend')
  w.network.connect('honest', 'friend')
  await w.clock.runUntil(() => friend.replica.root() === w.honest.replica.root(), 5_000)
})

type Answers = (raw: RawChannel, w: World) => Promise<unknown>

/** Says hello as a peer that can compare, holds about as much, and never the same. */
async function greetBack(raw: RawChannel, over: Parameters<typeof hello>[0] = {}): Promise<void> {
  await raw.hearA('hello')
  await raw.say(hello({ can: ['compare'], seq: 100, ops: 100, ...over }))
}

const random = seededRandom(7)
/** Symbols of a set of `ops` ids that does not exist. */
const anySymbols = (count: number) => {
  const bytes = random.bytes(17 * count)
  for (let at = 16; at < bytes.length; at += 17) bytes[at] = random.bytes(1)[0]! & 3
  return bytes
}

/** No symbols, so that it is asked for nodes; these as told. */
async function answerEachTrie(raw: RawChannel, nodes: (at: readonly string[]) => Uint8Array): Promise<void> {
  for (let message = await raw.hear(); message; message = await raw.hear()) {
    if (message.m === 'sketch') await raw.say({ m: 'symbols', q: message.q, ops: 100, z: new Uint8Array(0) })
    else if (message.m === 'trie') await raw.say({ m: 'nodes', q: message.q, z: nodes(message.at) })
    else if (message.m === 'pick') await raw.say({ m: 'end', q: message.q, seq: 0 })
  }
}

const LYING_ANSWERS: readonly (readonly [name: string, Answers, end: string, misdeed: string | undefined])[] = [
  [
    'bytes for symbols',
    async (raw) => {
      await greetBack(raw)
      const { q } = (await raw.hearA('sketch'))!
      await raw.say({ m: 'symbols', q, ops: 100, z: new Uint8Array(18) })
    },
    'misbehaved',
    'malformed',
  ],
  [
    'more symbols than were asked for',
    async (raw) => {
      await greetBack(raw)
      const { q } = (await raw.hearA('sketch'))!
      await raw.say({ m: 'symbols', q, ops: 100, z: anySymbols(65) })
    },
    'misbehaved',
    'malformed',
  ],
  [
    'nodes that are none',
    async (raw) => {
      await greetBack(raw)
      await answerEachTrie(raw, () => new Uint8Array(300))
    },
    'misbehaved',
    'malformed',
  ],
  [
    'hashes that lead to nothing, for ever',
    async (raw) => {
      await greetBack(raw)
      await answerEachTrie(raw, (at) => {
        const bytes = random.bytes(257 * at.length)
        for (let i = 0; i < bytes.length; i += 257) bytes[i] = 0xff
        return bytes
      })
    },
    'misbehaved',
    'useless',
  ],
  [
    'ids in its leaves that it never gives',
    async (raw) => {
      await greetBack(raw)
      await answerEachTrie(raw, (at) => {
        const leaves = at.map((prefix) => {
          const ids = Array.from({ length: 32 }, (_, i) => prefix + i.toString(16).padStart(16 - prefix.length, '0'))
          return concat(Uint8Array.of(32), ...ids.map(fromHex))
        })
        return concat(...leaves)
      })
    },
    'undelivered',
    'undelivered',
  ],
  [
    'nothing for what it was asked',
    async (raw, w) => {
      await greetBack(raw)
      await w.clock.advance(2 * syncIdleTimeoutMs)
    },
    'gone',
    undefined,
  ],
  [
    'a root that nobody asked for',
    async (raw) => {
      await raw.hear()
      await raw.say({ m: 'same', seq: 1 })
    },
    'misbehaved',
    'protocol',
  ],
]

test.each(LYING_ANSWERS)('a peer that answers %s', async (_, answer, end, misdeed) => {
  const w = await world()
  const before = w.network.node('honest').misdeeds.length
  w.liar.handle(syncProtocol(NET), (channel) => void answer(new RawChannel(channel), w).catch(() => {}))
  let result: Awaited<ReturnType<typeof w.honest.sync.sync>>
  void w.honest.sync.sync('liar').then((ended) => {
    result = ended
  })
  await w.clock.runUntil(() => result !== undefined, 4 * syncIdleTimeoutMs)
  expect(result).toMatchObject({ peer: 'liar', end })
  expect(result!.bytesIn).toBeLessThan(3_000_000)
  expect(
    w.network
      .node('honest')
      .misdeeds.slice(before)
      .map(({ reason }) => reason),
  ).toEqual(misdeed ? [misdeed] : [])
  // It is left alone for a while, and others are not.
  const friend = await w.open('friend')
  w.network.connect('honest', 'friend')
  await w.clock.runUntil(() => friend.replica.root() === w.honest.replica.root(), 5_000)
  expect(w.honest.sessions.filter(({ peer }) => peer === 'liar')).toHaveLength(1)
})

test('a peer whose root is never ours, and whose set is, is asked less and less often', async () => {
  const w = await world()
  const leaf = describeNodes((await w.honest.replica.reconciled('all'))!.ids, [''], 8)
  w.liar.handle(syncProtocol(NET), (channel) => {
    const raw = new RawChannel(channel)
    void (async () => {
      await greetBack(raw)
      for (let message = await raw.hear(); message; message = await raw.hear()) {
        if (message.m === 'sketch') await raw.say({ m: 'symbols', q: message.q, ops: 100, z: new Uint8Array(0) })
        else if (message.m === 'trie') await raw.say({ m: 'nodes', q: message.q, z: leaf })
        else if (message.m === 'pick') await raw.say({ m: 'end', q: message.q, seq: 0 })
        else if (message.m === 'done')
          await raw.say({ m: 'done', epoch: '0'.repeat(32), seq: 100, ops: 100, root: '1'.repeat(32) })
      }
    })().catch(() => {})
  })
  w.honest.sessions.length = 0
  await w.clock.advance(60 * 60_000)
  const sessions = w.honest.sessions.filter(({ peer }) => peer === 'liar')
  expect(sessions.length).toBeGreaterThan(5)
  // Sixty minutes would be sixty sessions.
  expect(sessions.length).toBeLessThan(30)
  for (const { bytesIn, bytesOut } of sessions) expect(bytesIn + bytesOut).toBeLessThan(100_000)
})

test.each([
  ['version', { v: 2 }],
  ['network', { net: '9'.repeat(32) }],
  ['sem', { sem: SEM + 1 }],
] as const)('is told that its %s does not fit', async (reason, over) => {
  const w = await world()
  const raw = await greet(w, over)
  const heard = raw.hear()
  await w.clock.runUntil(() => w.honest.sessions.length > 0, 1_000)
  expect(await heard).toEqual({ m: 'bye', reason })
})

test('an answerer sends no more than the window, and goes on as it is granted', async () => {
  const w = await world()
  await w.honest.take(geneses(3, 100, { batch: 20, pad: 30_000 }).frames)
  const raw = await greet(w)
  await raw.say({ m: 'since', q: 1, from: 1, mode: 'frames', all: false, window: 2 })
  const heard: string[] = []
  void (async () => {
    for (let message = await raw.hear(); message; message = await raw.hear()) heard.push(message.m)
  })()
  await w.clock.advance(1_000)
  expect(heard.filter((m) => m === 'packet')).toHaveLength(2)
  await raw.say({ m: 'more', q: 1, n: 1 })
  await w.clock.advance(1_000)
  expect(heard.filter((m) => m === 'packet')).toHaveLength(3)
  expect(heard).not.toContain('end')
})

test('bad ops in a stream are dropped and counted, their neighbours taken', async () => {
  const w = await world()
  const { raw, since } = await offer(w)
  const news = geneses(4, 30, { batch: 10 })
  await raw.sayPacket(since.q, 30, [news.frames[0]!, forged(news.frames[1]!), news.frames[2]!])
  await raw.say({ m: 'end', q: since.q, seq: 30 })
  await w.clock.runUntil(() => w.honest.replica.counts().ops === 120, 1_000)
  expect(w.network.node('honest').misdeeds.at(-1)).toEqual({ peer: 'liar', reason: 'bad-op' })
  expect(await w.honest.replica.has([news.ids[0]!, news.ids[10]!, news.ids[20]!])).toEqual([true, false, true])
})

test('a peer that goes on lying is dropped and refused, and comes back after its time', async () => {
  const w = await world()
  for (let i = 0; i < 3; i++) {
    const raw = await RawChannel.open(w.liar, 'honest').catch(() => undefined)
    await raw?.sayBytes(Uint8Array.of(9)).catch(() => {})
    await w.clock.advance(10)
  }
  expect(w.network.isLinked('honest', 'liar')).toBe(false)
  w.network.connect('honest', 'liar')
  expect(w.network.isLinked('honest', 'liar')).toBe(false)
  await w.clock.advance(11 * 60_000)
  w.network.connect('honest', 'liar')
  expect(w.network.isLinked('honest', 'liar')).toBe(true)
})

test('the whole log is given to one peer a few times, then it is told that we are busy', async () => {
  const w = await world()
  const ends: (string | undefined)[] = []
  for (let i = 0; i < syncBulkMax + 2; i++) {
    const raw = await greet(w)
    await raw.say({ m: 'since', q: 1, from: 0, mode: 'frames', all: true, window: 4 })
    const answer = raw.hearA('packet')
    await w.clock.advance(100)
    raw.channel.abort()
    ends.push((await answer)?.m)
    await w.clock.advance(100)
  }
  expect(ends.slice(0, syncBulkMax)).toEqual(Array(syncBulkMax).fill('packet'))
  expect(ends.slice(syncBulkMax)).toEqual([undefined, undefined])
})

test('a flood of pending ops stays within its bound and does not keep honest ops out', async () => {
  const w = await world()
  const { raw, since } = await offer(w)
  const orphans = patches(
    1,
    Array.from({ length: 1_500 }, (_, i) => ({ record: w.made.records[0]!, head: i.toString(16).padStart(64, 'd') })),
    'x',
    { batch: 250 },
  )
  await raw.sayPacket(since.q, 1_500, orphans.frames)
  await raw.say({ m: 'end', q: since.q, seq: 1_500 })
  const ending = raw
    .hearA('get')
    .then((get) => raw.say({ m: 'end', q: get!.q, seq: 0 }))
    .catch(() => {})
  await w.clock.runUntil(() => w.honest.sessions.length > 0, 5_000)
  await ending
  expect(w.honest.replica.pending().ops).toBeLessThanOrEqual(1_000)
  const friend = await w.open('friend')
  await friend.take(geneses(5, 50).frames)
  w.network.connect('honest', 'friend')
  await w.clock.runUntil(() => w.honest.replica.counts().ops === 150, 5_000)
})

test.each([
  ['an array', 0x9a],
  ['a map', 0xba],
  ['a byte string', 0x5a],
])('%s that claims four thousand million items is refused without making room for them', async (_, head) => {
  const w = await world()
  const raw = await RawChannel.open(w.liar, 'honest')
  await raw.sayBytes(Uint8Array.of(0xa1, 0x61, 0x6d, head, 255, 255, 255, 255))
  await w.clock.runUntil(() => w.honest.sessions.length > 0, 1_000)
  expect(w.honest.sessions[0]).toMatchObject({ end: 'misbehaved' })
})
