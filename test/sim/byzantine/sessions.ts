/** Lies that are told in sync sessions which the liar opens. */
import { syncSincesMax, syncWindowMax } from '../../../node/limits.ts'
import { syncProtocol } from '../../../node/protocols.ts'
import { hello, type RawChannel } from '../../support/raw-peer.ts'
import { NET } from '../sim-node.ts'
import type { Behaviour, Liar } from './liar.ts'

/** A session with one victim, greeted as told. */
const inSession =
  (
    speak: (raw: RawChannel, liar: Liar) => Promise<unknown>,
    greeting: Parameters<typeof hello>[0] = {},
  ): Behaviour['act'] =>
  async (liar, chance) => {
    const [victim] = chance.shuffled(liar.victims)
    if (victim === undefined) return
    const raw = await liar.session(victim)
    await raw.say(hello({ ...MUCH, ...greeting }))
    await speak(raw, liar)
  }
const MUCH = { seq: 1_000_000, ops: 1_000_000 }
const someIds = (liar: Liar, count: number) =>
  Array.from({ length: count }, () => Buffer.from(liar.chance.bytes(32)).toString('hex'))

export const SESSION_LIES: readonly Behaviour[] = [
  {
    name: 'speaks nonsense',
    act: async (liar, chance) => {
      const [victim] = chance.shuffled(liar.victims)
      if (victim !== undefined) await (await liar.session(victim)).sayBytes(chance.bytes(chance.int(0, 500)))
    },
  },
  { name: 'falls silent after its greeting', act: inSession(async () => {}) },
  { name: 'leaves after its greeting', act: inSession(async (raw) => raw.channel.abort()) },
  { name: 'greets twice', act: inSession((raw) => raw.say(hello())) },
  { name: 'comes from another network', act: inSession(async () => {}, { net: '9'.repeat(32) }) },
  { name: 'comes from another version', act: inSession(async () => {}, { v: 2 }) },
  {
    name: 'offers ops that it never gives',
    act: inSession(async (raw, liar) => {
      const since = await raw.hearA('since')
      await raw.say({ m: 'ids', q: since!.q, seq: 64, ids: someIds(liar, 64) })
      const get = await raw.hearA('get')
      await raw.say({ m: 'end', q: get!.q, seq: 0 })
    }),
  },
  {
    name: 'answers more than it was asked',
    act: inSession(async (raw) => {
      const since = await raw.hearA('since')
      for (let i = 0; i < 20; i++) await raw.sayPacket(since!.q, i, [])
    }),
  },
  {
    name: 'answers what it was not asked',
    act: inSession((raw) => raw.say({ m: 'end', q: 77, seq: 1 })),
  },
  {
    name: 'lets its log run back',
    act: inSession(async (raw) => {
      const since = await raw.hearA('since')
      await raw.sayPacket(since!.q, 50, [])
      await raw.sayPacket(since!.q, 49, [])
    }),
  },
  {
    name: 'sends a packet that is none',
    act: inSession(async (raw, liar) => {
      const since = await raw.hearA('since')
      await raw.say({ m: 'packet', q: since!.q, seq: 1, z: liar.chance.bytes(30) })
    }),
  },
  {
    name: 'asks for everything, again and again',
    act: async (liar, chance) => {
      for (let i = 0; i < chance.int(2, 12); i++) {
        const [victim] = chance.shuffled(liar.victims)
        if (victim === undefined) return
        const raw = await liar.session(victim)
        await raw.say(hello())
        await raw.say({ m: 'since', q: 1, from: 0, mode: 'frames', all: true, window: 8 })
        await raw.hearA('packet')
        raw.channel.abort()
      }
    },
  },
  {
    name: 'asks in one session without end',
    act: inSession(async (raw) => {
      for (let q = 1; q <= syncSincesMax + 1; q++)
        await raw.say({ m: 'since', q, from: 1, mode: 'ids', all: false, window: 1 })
    }),
  },
  {
    name: 'grants more than any window',
    act: inSession(async (raw) => {
      await raw.say({ m: 'since', q: 1, from: 0, mode: 'ids', all: false, window: syncWindowMax })
      for (let i = 0; i < 40; i++) await raw.say({ m: 'more', q: 1, n: syncWindowMax })
    }),
  },
  {
    name: 'looks up what is not there',
    act: inSession(async (raw, liar) => {
      for (let q = 1; q <= 6; q++) await raw.say({ m: 'get', q, ids: someIds(liar, 100), window: 1 })
    }),
  },
  {
    name: 'says goodbye in the middle',
    act: inSession(async (raw) => {
      await raw.hearA('since')
      await raw.say({ m: 'bye', reason: 'x'.repeat(64) })
    }),
  },
  {
    name: 'is done, and asks on',
    act: inSession(async (raw) => {
      await raw.say({ m: 'done', epoch: '0'.repeat(32), seq: 0, ops: 0, root: '1'.repeat(32) })
      await raw.say({ m: 'get', q: 1, ids: ['a'.repeat(64)], window: 1 })
    }),
  },
  {
    name: 'opens streams without end',
    act: async (liar) => {
      const [victim] = liar.victims
      if (victim === undefined) return
      const streams = Array.from({ length: 60 }, () => liar.transport.open(victim, syncProtocol(NET)))
      await Promise.allSettled(streams)
    },
  },
]
