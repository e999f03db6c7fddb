/**
 * How liars answer those who open a session with them. Some run a real replica and are honest in all but one thing,
 * which is the hardest to tell from honest.
 */
import { decode, encode, type Value } from '../../../crdt/index.ts'
import { Gossip } from '../../../node/gossip.ts'
import { nativeSuite } from '../../../node/native.ts'
import { plainPackets, unpack } from '../../../node/packet.ts'
import { opsTopic, syncProtocol } from '../../../node/protocols.ts'
import { Replica } from '../../../node/replica.ts'
import type { ReplicaFace } from '../../../node/replica-types.ts'
import { Sync } from '../../../node/sync.ts'
import { hello, RawChannel } from '../../support/raw-peer.ts'
import { SimDisk } from '../disk.ts'
import { NET } from '../sim-node.ts'
import type { Liar, Manner } from './liar.ts'

export const MANNERS: readonly Manner[] = [
  { name: 'hangs up', begin: (liar) => answer(liar, async (raw) => raw.channel.abort()) },
  { name: 'never says a word', begin: (liar) => answer(liar, async () => {}) },
  {
    name: 'talks nonsense',
    begin: (liar) => answer(liar, (raw) => raw.sayBytes(liar.chance.bytes(liar.chance.int(0, 200)))),
  },
  {
    name: 'offers much and gives nothing',
    begin: (liar) =>
      answer(liar, async (raw) => {
        await raw.hearA('hello')
        await raw.say(hello({ seq: 5_000, ops: 5_000, epoch: 'a'.repeat(32) }))
        for (let message = await raw.hear(); message !== undefined; message = await raw.hear()) {
          if (message.m === 'since' || message.m === 'get') await raw.say({ m: 'end', q: message.q, seq: 5_000 })
          if (message.m === 'done')
            await raw.say({ m: 'done', epoch: 'a'.repeat(32), seq: 1, ops: 1, root: 'b'.repeat(32) })
        }
      }),
  },
  {
    name: 'says it holds the same',
    begin: (liar) =>
      answer(liar, async (raw) => {
        const theirs = await raw.hearA('hello')
        if (theirs) await raw.say(hello({ seq: theirs.seq, ops: theirs.ops, root: theirs.root, epoch: 'c'.repeat(32) }))
      }),
  },
  {
    name: 'passes on gossip with another signature',
    begin: (liar) => {
      answer(liar, async (raw) => raw.channel.abort())
      liar.transport.subscribe(opsTopic(NET), async (message, from) => {
        const read = await unpack(message, plainPackets)
        const frames = read.ok ? read.frames.map((frame) => resigned(liar, frame)) : []
        const others = liar.transport.peers().filter((peer) => peer !== from)
        if (frames.length > 0) await liar.gossip(frames, others)
        return 'ignore'
      })
    },
  },
  { name: 'keeps to the rules', begin: (liar) => twoFaced(liar, () => ({})) },
  {
    name: 'withholds what some have written',
    begin: (liar) =>
      twoFaced(liar, (replica) => ({
        // One hex digit of the record decides: the same ops are withheld from all.
        async *log(...asked: Parameters<ReplicaFace['log']>) {
          for await (const item of replica.log(...asked)) if (!/^[0-7]/.test(item.ids[0] ?? '')) yield item
        },
        frames: async (ids: readonly string[], most?: number) =>
          replica.frames(
            ids.filter((id) => !/^[0-7]/.test(id)),
            most,
          ),
      })),
  },
  {
    name: 'garbles what it passes on',
    begin: (liar) =>
      twoFaced(liar, (replica) => ({
        async *log(...asked: Parameters<ReplicaFace['log']>) {
          for await (const item of replica.log(...asked)) yield { ...item, bytes: garbled(liar, item.bytes) }
        },
        frames: async (...asked: Parameters<ReplicaFace['frames']>) => {
          const { frames, left } = await replica.frames(...asked)
          return { frames: frames.map((bytes) => garbled(liar, bytes)), left }
        },
      })),
  },
  {
    name: 'tells its log backwards',
    begin: (liar) =>
      twoFaced(liar, (replica) => ({
        async *log(...asked: Parameters<ReplicaFace['log']>) {
          const items = await Array.fromAsync(replica.log(...asked))
          const seqs = items.map(({ seq }) => seq)
          for (const [i, item] of items.toReversed().entries()) yield { ...item, seq: seqs[i]! }
        },
      })),
  },
  {
    name: 'has a new log each time',
    begin: (liar) =>
      twoFaced(liar, (replica) => ({
        counts: () => ({ ...replica.counts(), seq: replica.counts().seq + liar.chance.int(-3, 3) }),
        get epoch() {
          return liar.chance.pick(['d', 'e']).repeat(32)
        },
      })),
  },
]

/** Answers each session with this, and takes part in gossip without a word. */
function answer(liar: Liar, speak: (raw: RawChannel) => Promise<void>): void {
  liar.transport.handle(
    syncProtocol(NET),
    (channel) => void speak(new RawChannel(channel)).catch(() => channel.abort()),
  )
}

/** A real node, whose face says something else. */
async function twoFaced(liar: Liar, lies: (replica: Replica) => object): Promise<void> {
  const { clock, transport, chance, world } = liar
  const environment = { clock, random: chance }
  const disk = new SimDisk(world.scheduler, chance, { cut: 'tail', syncMs: 1, slowReads: 0 })
  const replica = await Replica.open({
    disk: disk.attach(clock),
    environment,
    suite: nativeSuite,
    checker: world.signatures,
    net: NET,
  })
  const told = lies(replica)
  const face = new Proxy(replica, {
    get(target, name) {
      if (Object.hasOwn(told, name)) return Reflect.get(told, name)
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const common = { replica: face, transport, environment, codec: plainPackets }
  const sync = new Sync(common)
  await sync.start()
  new Gossip({
    ...common,
    fetch: (peer, ids) => sync.fetch(peer, ids),
    behind: (peer) => sync.soon(peer),
    news: () => sync.news(),
  }).start()
}

/** The same ops under a signature that is not theirs. */
function resigned(liar: Liar, frame: Uint8Array): Uint8Array {
  const parts = decode(frame)
  if (!parts.ok) return frame
  const copy = structuredClone(parts.value) as Value[]
  ;(copy[2] as Uint8Array)[liar.chance.int(0, 63)]! ^= 1
  return encode(copy)
}

function garbled(liar: Liar, bytes: Uint8Array): Uint8Array {
  if (liar.chance.yes(0.7)) return bytes
  const copy = bytes.slice()
  copy[liar.chance.int(0, copy.length - 1)]! ^= 1 << liar.chance.int(0, 7)
  return copy
}
