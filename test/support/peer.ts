/**
 * A peer for tests: a real replica over a disk in memory, with sync and gossip over whatever Transport is given.
 */
import {
  encodeBody,
  encodeVerbs,
  type NetworkId,
  networkId,
  type OpId,
  ownerOfKey,
  recordId,
  signBatch,
} from '../../crdt/index.ts'
import { MemoryDisk } from '../../node/disk-memory.ts'
import type { Environment } from '../../node/environment.ts'
import { Gossip } from '../../node/gossip.ts'
import { nativeSuite, signerFromSeed } from '../../node/native.ts'
import type { PacketCodec } from '../../node/packet.ts'
import type { Quota } from '../../node/quota.ts'
import { Replica } from '../../node/replica.ts'
import type { SignatureChecker, Signer } from '../../node/replica-types.ts'
import { Sync } from '../../node/sync.ts'
import type { SessionResult } from '../../node/sync-session.ts'
import type { Transport } from '../../node/transport.ts'

export const NET: NetworkId = networkId('test')

/** On this thread and at once: a simulation has no other. */
export const inlineChecker: SignatureChecker = {
  verify: async (items) => items.map(({ key, message, signature }) => nativeSuite.verify(key, message, signature)),
}

export function signerOf(number: number): Signer {
  return signerFromSeed(new Uint8Array(32).fill(number))
}

export type PeerOptions = {
  readonly transport: Transport
  readonly environment: Environment
  readonly disk?: MemoryDisk
  readonly codec?: PacketCodec
  readonly net?: NetworkId
  /** The seed byte of the peer's own key. */
  readonly key?: number
  /** What it takes part in; everything unless named. */
  readonly sets?: readonly string[]
  readonly quota?: Quota
  /** False: ops move by sessions alone. */
  readonly gossip?: boolean
  /** Checks signatures; at once and on this thread unless given. */
  readonly checker?: SignatureChecker
}

export class TestPeer implements AsyncDisposable {
  readonly replica: Replica
  readonly sync: Sync
  readonly gossip: Gossip
  readonly disk: MemoryDisk
  readonly transport: Transport
  /** Every session it took part in, in order of their ends. */
  readonly sessions: SessionResult[] = []

  private constructor(replica: Replica, disk: MemoryDisk, options: PeerOptions) {
    const { transport, environment, codec } = options
    this.replica = replica
    this.disk = disk
    this.transport = transport
    const common = { replica, transport, environment, ...(codec ? { codec } : {}) }
    this.sync = new Sync({ ...common, onSession: (result) => this.sessions.push(result) })
    this.gossip = new Gossip({
      ...common,
      fetch: (peer, ids, live) => this.sync.fetch(peer, ids, live),
      behind: (peer) => this.sync.soon(peer),
      news: () => this.sync.news(),
    })
  }

  static async open(options: PeerOptions): Promise<TestPeer> {
    const disk = options.disk ?? new MemoryDisk()
    const replica = await Replica.open({
      disk,
      environment: options.environment,
      suite: nativeSuite,
      checker: options.checker ?? inlineChecker,
      net: options.net ?? NET,
      ...(options.key === undefined ? {} : { signer: signerOf(options.key) }),
      ...(options.sets && { sets: options.sets }),
      ...(options.quota && { quota: options.quota }),
    })
    const peer = new TestPeer(replica, disk, options)
    await replica.ready
    await peer.sync.start()
    if (options.gossip !== false) peer.gossip.start()
    return peer
  }

  /** Admits frames as if a publisher had posted them. */
  async take(frames: readonly Uint8Array[]): Promise<void> {
    const admitted = await this.replica.admit(frames, { via: 'http' })
    const bad = admitted.results.find(({ verdict }) => verdict === 'refused')
    if (bad || admitted.refusedFrames.length > 0)
      throw new Error(`refused: ${bad?.reason ?? admitted.refusedFrames[0]?.reason}`)
  }

  /** Sums of all sessions. */
  get moved(): { opsIn: number; opsOut: number; bytesIn: number; bytesOut: number } {
    const sum = { opsIn: 0, opsOut: 0, bytesIn: 0, bytesOut: 0 }
    for (const { opsIn, opsOut, bytesIn, bytesOut } of this.sessions) {
      sum.opsIn += opsIn
      sum.opsOut += opsOut
      sum.bytesIn += bytesIn
      sum.bytesOut += bytesOut
    }
    return sum
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gossip[Symbol.asyncDispose]()
    await this.sync[Symbol.asyncDispose]()
    await this.replica[Symbol.asyncDispose]()
  }
}

export type Made = { readonly frames: Uint8Array[]; readonly ids: OpId[]; readonly records: string[] }

/** Signed geneses of `count` records by one key; `batch` ops a signature. */
export function geneses(
  key: number,
  count: number,
  options: { from?: number; batch?: number; pad?: number; net?: NetworkId; kind?: string } = {},
): Made {
  const { from = 0, batch = 256, pad = 0, net = NET, kind = 'model' } = options
  const signer = signerOf(key)
  const owner = ownerOfKey(signer.key)
  const made: Made = { frames: [], ids: [], records: [] }
  for (let at = 0; at < count; at += batch) {
    const drafts = Array.from({ length: Math.min(batch, count - at) }, (_, i) => {
      const slug = `record-${key}-${from + at + i}`
      made.records.push(recordId({ net, owner, kind, slug }, nativeSuite.sha256))
      const text = `a model of number ${from + at + i}${'x'.repeat(pad)}`
      const body = encodeBody({
        slug,
        f: [
          [['name'], slug],
          [['description'], text],
        ],
        s: [],
        t: [],
      })
      return { type: 'genesis', owner, kind, slug, w: 1_700_000_000_000 + at + i, body } as const
    })
    for (const { frame } of signBatch(drafts, {
      net,
      key: signer.key,
      sign: signer.sign,
      sha256: nativeSuite.sha256,
    })) {
      made.frames.push(frame.bytes)
      made.ids.push(...frame.entries.map(({ op }) => op.id))
    }
  }
  return made
}

/** One patch on each of these heads, each with a signature of its own unless `batch` says otherwise. */
export function patches(
  key: number,
  on: readonly { readonly record: string; readonly head: OpId }[],
  note: string,
  options: { batch?: number; net?: NetworkId } = {},
): Made {
  const { batch = 1, net = NET } = options
  const signer = signerOf(key)
  const made: Made = { frames: [], ids: [], records: [] }
  for (let at = 0; at < on.length; at += batch) {
    const drafts = on.slice(at, at + batch).map(({ record, head }, i) => {
      const body = encodeVerbs([['set', ['description'], `${note} ${at + i}`]])
      return { type: 'patch', record, parents: [head], w: 1_700_000_100_000 + at + i, body } as const
    })
    for (const { frame } of signBatch(drafts, {
      net,
      key: signer.key,
      sign: signer.sign,
      sha256: nativeSuite.sha256,
    })) {
      made.frames.push(frame.bytes)
      made.ids.push(...frame.entries.map(({ op }) => op.id))
    }
  }
  return made
}
