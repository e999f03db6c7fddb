/**
 * Anti-entropy: holds sync sessions with peers, and answers theirs.
 *
 * On every connect, then with one random peer a minute, and at once when there is news. Liveness rests on this and
 * never on gossip: whatever gossip loses, one honest peer within reach brings. A peer whose session failed is left
 * alone for a while, the others are not (sync-peer.ts). Time and chance come from the environment, so a seed decides the
 * schedule.
 */
import type { OpId } from '../crdt/index.ts'
import { type Counters, countsOf } from './counters.ts'
import type { Environment } from './environment.ts'
import { NodeError } from './errors.ts'
import {
  syncAgainMs,
  syncConnectGraceMs,
  syncGetIdsMax,
  syncIntervalMs,
  syncOpenMax,
  syncPeersMax,
  syncSessionsMax,
} from './limits.ts'
import { type PacketCodec, zstdPackets } from './packet.ts'
import { syncProtocol } from './protocols.ts'
import type { Log, ReplicaFace } from './replica-types.ts'
import { ALL, AUTHORITY } from './sets.ts'
import { Cursors } from './sync-cursors.ts'
import { Fetcher } from './sync-fetch.ts'
import { SESSION_ENDS } from './sync-link.ts'
import { PeerState } from './sync-peer.ts'
import { FOUND_BY, Session, type SessionOptions, type SessionResult } from './sync-session.ts'
import { NOTHING, together } from './sync-together.ts'
import { type Channel, MISDEEDS, type Misdeed, type Transport } from './transport.ts'

export type SyncOptions = {
  readonly replica: ReplicaFace
  readonly transport: Transport
  readonly environment: Environment
  readonly codec?: PacketCodec
  readonly log?: Log
  /** Called after every session, with what it moved. */
  readonly onSession?: (result: SessionResult) => void
}

/** A connected peer, for /v1/status; what was compared is missing before the first comparison. */
export type SyncPeer = {
  readonly peer_id: string
  readonly multiaddr?: string
  readonly root_equal?: boolean
  readonly ops_behind?: number
}

export class Sync implements AsyncDisposable {
  readonly #options: SyncOptions
  readonly #codec: PacketCodec
  readonly #peers = new Map<string, PeerState>()
  /** With what each comes to, so that stopping can wait for all. */
  readonly #sessions = new Map<Session, Promise<SessionResult>>()
  /** Peers whose full session we answer now: one each. */
  readonly #serving = new Set<string>()
  readonly #fetcher: Fetcher
  readonly #sessionCounts = countsOf(SESSION_ENDS)
  readonly #misdeeds = countsOf(MISDEEDS)
  readonly #bytes = countsOf(['in', 'out'])
  readonly #ops = countsOf(['in', 'out'])
  readonly #foundBy = countsOf(FOUND_BY)
  readonly #stops: (() => void)[] = []
  #cursors: Cursors | undefined
  #inbound = 0
  #open = 0
  #stopped = false

  constructor(options: SyncOptions) {
    this.#options = options
    this.#codec = options.codec ?? zstdPackets
    this.#fetcher = new Fetcher({
      replica: options.replica,
      clock: options.environment.clock,
      session: (peer, wants, live) => this.#session(peer, this.#state(peer), { inbound: false, wants, live }),
    })
  }

  /** Answers peers and begins the schedule. Call before the transport starts to dial. */
  async start(): Promise<void> {
    const { replica, transport } = this.#options
    this.#cursors = await Cursors.open(replica)
    transport.handle(syncProtocol(replica.net), (channel) => void this.#answer(channel))
    this.#stops.push(
      transport.onPeer((peer) => this.#met(peer)),
      transport.onPeerGone((peer) => this.#left(peer)),
    )
    for (const peer of transport.peers()) this.#met(peer)
    this.#tick()
  }

  /** Names and closed label sets, for the metrics page. */
  get counters(): Counters {
    return {
      sync_sessions: this.#sessionCounts,
      sync_bytes: this.#bytes,
      sync_ops: this.#ops,
      sync_found_by: this.#foundBy,
      sync_misdeeds: this.#misdeeds,
    }
  }

  /** Since this process started. */
  get totals() {
    return { bytes_in: this.#bytes.in, bytes_out: this.#bytes.out, ops_in: this.#ops.in, ops_out: this.#ops.out }
  }

  get running(): number {
    return this.#sessions.size
  }

  peers(): readonly SyncPeer[] {
    const { transport, replica } = this.#options
    const { ops } = replica.counts()
    return transport.peers().map((peer) => {
      const multiaddr = transport.address(peer)
      const { rootEqual, theirOps } = this.#peers.get(peer) ?? {}
      return {
        peer_id: peer,
        ...(multiaddr === undefined ? {} : { multiaddr }),
        ...(rootEqual === undefined ? {} : { root_equal: rootEqual }),
        ...(theirOps === undefined ? {} : { ops_behind: rootEqual ? 0 : Math.max(0, theirOps - ops) }),
      }
    })
  }

  /** Holds a session with this peer now, whatever the schedule says; undefined when one is under way. */
  async sync(peer: string): Promise<SessionResult | undefined> {
    const state = this.#state(peer)
    if (state.running || this.#stopped) return undefined
    return this.#hold(peer, state)
  }

  /** A session with this peer is wanted: soon, once for many calls, and not before its back-off is over. */
  soon(peer: string, delayMs = 0): void {
    if (this.#stopped) return
    const { clock } = this.#options.environment
    const state = this.#state(peer)
    state.wanted = true
    if (state.running || state.cancelTimer) return
    const now = clock.monotonic()
    const wait = Math.max(delayMs, state.notBefore - now, state.lastStart + syncAgainMs - now, 0)
    state.cancelTimer = clock.after(wait, () => {
      state.cancelTimer = undefined
      if (!state.wanted || this.#stopped || !this.#isConnected(peer)) return
      if (state.running || this.#open >= syncOpenMax) return this.soon(peer, syncAgainMs)
      void this.#hold(peer, state)
    })
  }

  /** Tells all connected peers that we hold what they may lack: each is asked for a session, which goes both ways. */
  news(except?: string): void {
    for (const peer of this.#options.transport.peers()) if (peer !== except) this.soon(peer)
  }

  /** Fetches ops from one peer (sync-fetch.ts). Never rejects. */
  async fetch(peer: string, ids: readonly OpId[], live = false): Promise<void> {
    try {
      await this.#fetcher.fetch(peer, ids, live)
    } catch (error) {
      this.#options.log?.('error', "couldn't fetch ops", { peer, error: String(error) })
    }
  }

  /** Cuts all sessions and waits until none uses the store any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#fetcher.stop()
    for (const stop of this.#stops) stop()
    for (const state of this.#peers.values()) state.cancelTimer?.()
    for (const session of this.#sessions.keys()) session.stop()
    await Promise.allSettled(this.#sessions.values())
  }

  #met(peer: string): void {
    const { transport } = this.#options
    const state = this.#state(peer)
    state.met()
    // One session goes both ways: who has the smaller id opens it, the other only if that does not happen.
    this.soon(peer, transport.self < peer ? 0 : syncConnectGraceMs)
  }

  #left(peer: string): void {
    const state = this.#peers.get(peer)
    if (!state) return
    state.cancelTimer?.()
    state.cancelTimer = undefined
    state.wanted = false
    this.#fetcher.forget(peer)
  }

  /** Once a minute, more or less, one random peer. */
  #tick(): void {
    const { environment, transport } = this.#options
    const { clock, random } = environment
    const stop = clock.after(syncIntervalMs * (0.75 + random.float() / 2), () => {
      this.#stops.splice(this.#stops.indexOf(stop), 1)
      const now = clock.monotonic()
      const peers = transport.peers().filter((peer) => now >= this.#state(peer).notBefore)
      const peer = peers[Math.floor(random.float() * peers.length)]
      if (peer !== undefined) this.soon(peer)
      this.#tick()
    })
    this.#stops.push(stop)
  }

  async #hold(peer: string, state: PeerState): Promise<SessionResult> {
    const { clock, random } = this.#options.environment
    state.wanted = false
    state.lastStart = clock.monotonic()
    this.#open++
    try {
      const deep = state.deepWhenOpening(clock.monotonic())
      const ended: SessionResult[] = []
      for (const set of this.#setsFor(state)) {
        if (state.lacks(set)) continue
        const result = await this.#session(peer, state, { inbound: false, deep, brief: state.isBrief, set })
        if (result.sets !== undefined) state.learnLack(set)
        ended.push(result)
        if (result.end !== 'done' && result.sets === undefined) break
      }
      const result = together(ended, peer)
      state.judge(result, {
        now: clock.monotonic(),
        random,
        isServing: this.#serving.has(peer),
        soon: (delayMs) => this.soon(peer, delayMs),
      })
      // It may be the damage that keeps us from saying what we hold.
      if (result.end === 'busy') this.#mend(peer)
      return result
    } finally {
      this.#open--
    }
  }

  /**
   * Who may write is known before what was written: a node that begins shows nothing that a revoke has taken already. One
   * that has gone on hears of both in the order in which they came.
   */
  #setsFor(peer: PeerState): readonly string[] {
    const { sets } = this.#options.replica
    const begins = peer.isNew && this.#options.replica.counts().ops === 0
    return begins && !sets.includes(AUTHORITY) ? [AUTHORITY, ...sets] : sets
  }

  /** Opens a channel and runs one session over it. */
  async #session(
    peer: string,
    state: PeerState,
    options: Pick<SessionOptions, 'inbound' | 'deep' | 'wants' | 'live' | 'set' | 'brief'>,
  ): Promise<SessionResult> {
    const { replica, transport } = this.#options
    let channel: Channel
    try {
      channel = await transport.open(peer, syncProtocol(replica.net))
    } catch (error) {
      const end = error instanceof NodeError && error.code === 'peer-misbehaved' ? 'unsupported' : 'gone'
      const why = error instanceof Error ? error.message : String(error)
      return this.#ended({ ...NOTHING, peer, end, why, set: options.set ?? ALL })
    }
    return this.#run(channel, state, options)
  }

  async #run(
    channel: Channel,
    state: PeerState,
    options: Pick<SessionOptions, 'inbound' | 'deep' | 'wants' | 'live' | 'set' | 'brief' | 'admitPeer'>,
  ): Promise<SessionResult> {
    const { replica, environment } = this.#options
    const session = new Session({
      ...options,
      channel,
      replica,
      cursors: this.#cursors as Cursors,
      codec: this.#codec,
      clock: environment.clock,
      mayReadAll: () => state.mayReadAll(environment.clock.monotonic()),
      penalise: (misdeed) => this.#penalise(channel.peer, misdeed),
    })
    const counts = options.wants === undefined && !options.inbound
    if (counts) state.running = session
    if (this.#stopped) session.stop()
    const running = session.run()
    this.#sessions.set(session, running)
    try {
      return this.#ended(await running)
    } finally {
      this.#sessions.delete(session)
      if (state.running === session) state.running = undefined
    }
  }

  #ended(result: SessionResult): SessionResult {
    this.#sessionCounts[result.end]++
    this.#bytes.in += result.bytesIn
    this.#bytes.out += result.bytesOut
    this.#ops.in += result.opsIn
    this.#ops.out += result.opsOut
    this.#state(result.peer).learn(result)
    if (result.by !== undefined) this.#foundBy[result.by]++
    this.#options.onSession?.(result)
    // What came by a session was not gossiped to us, and may be news to others too.
    if (result.opsIn > 0) this.news(result.peer)
    if (result.rootEqual !== undefined) this.#mend(result.peer)
    return result
  }

  /** A peer may have a good copy of what our disk has damaged, whether it holds the same set or not. */
  #mend(peer: string): void {
    const ids = this.#options.replica.damaged(syncGetIdsMax)
    if (ids.length > 0) void this.fetch(peer, ids)
  }

  async #answer(channel: Channel): Promise<void> {
    const { clock } = this.#options.environment
    const state = this.#state(channel.peer)
    const full = this.#inbound >= syncSessionsMax
    this.#inbound++
    try {
      const session = this.#run(channel, state, {
        inbound: true,
        deep: state.deepWhenAsked(clock.monotonic()),
        admitPeer: (theirs) => {
          if (full || this.#stopped) return false
          if (theirs.only) return true
          // Both opened one: that of the smaller id stands.
          if (state.running && this.#options.transport.self < channel.peer) return false
          if (this.#serving.has(channel.peer)) return false
          this.#serving.add(channel.peer)
          serving = true
          return true
        },
      })
      let serving = false
      const result = await session.finally(() => {
        if (serving) this.#serving.delete(channel.peer)
      })
      state.answered(result, clock.monotonic())
    } finally {
      this.#inbound--
    }
  }

  #penalise(peer: string, misdeed: Misdeed): void {
    this.#misdeeds[misdeed]++
    this.#options.transport.penalise(peer, misdeed)
  }

  #isConnected(peer: string): boolean {
    return this.#options.transport.peers().includes(peer)
  }

  #state(peer: string): PeerState {
    let state = this.#peers.get(peer)
    if (state) return state
    state = new PeerState()
    this.#peers.set(peer, state)
    if (this.#peers.size > syncPeersMax) this.#forget()
    return state
  }

  /** Drops the peer that was met first among those that are gone and idle. */
  #forget(): void {
    const connected = new Set(this.#options.transport.peers())
    for (const [peer, state] of this.#peers) {
      if (connected.has(peer) || state.running) continue
      this.#peers.delete(peer)
      return
    }
  }
}
