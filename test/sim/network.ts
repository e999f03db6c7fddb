/**
 * The network between simulated hosts: connections that are slow, stall, break and come back; channels over them that
 * keep their order, as TCP does; gossip that keeps nothing.
 *
 * A lost segment of a channel is sent again and costs time; a lost gossip message is lost, a replayed one comes twice or
 * long after. A path may be cut in one direction only. What a connection tells its two ends (connected, gone) each end
 * learns at its own time. Who penalises whom, and refuses whom, is decided by the node's own rules (network-penalties).
 */
import { NodeError } from '../../node/errors.ts'
import { syncStreamsPerPeerMax } from '../../node/limits.ts'
import { Penalties } from '../../node/network-penalties.ts'
import type { Channel, Misdeed, Transport, Validity } from '../../node/transport.ts'
import { Inbox } from '../support/inbox.ts'
import { Chance } from './chance.ts'
import { never } from './disk.ts'
import type { ProcessClock, Scheduler } from './scheduler.ts'

export type NetworkStyle = {
  readonly latencyMs: number
  /** Of gossip messages lost; of channel segments sent again. */
  readonly loss: number
  /** Of gossip messages that come again. */
  readonly replay: number
}

/** A message on its way, as the trace and the checks see it. */
export type Tap = (from: string, to: string, how: 'channel' | 'gossip', bytes: Uint8Array) => void

/** Peers that one message is passed on to, at most. */
const MESH = 6
/** How long gossip remembers a message. */
const SEEN_MS = 120_000
/** A path that lets nothing through for so long ends the connection. */
const STALL_MS = 15_000

export class SimNetwork {
  readonly scheduler: Scheduler
  style: NetworkStyle
  tap: Tap = () => {}
  readonly #seed: number
  readonly #hosts = new Map<string, SimTransport>()
  readonly #links = new Map<string, Link>()
  /** How to dial on, of pairs that are connected. */
  readonly #idle = new Map<string, () => void>()

  constructor(scheduler: Scheduler, seed: number, style: NetworkStyle) {
    this.scheduler = scheduler
    this.style = style
    this.#seed = seed
  }

  /** A process of this host has started; whatever an earlier one had is gone. */
  attach(id: string, clock: ProcessClock, run: (call: () => void) => void): SimTransport {
    const transport = new SimTransport(this, id, clock, run)
    this.#hosts.set(id, transport)
    return transport
  }

  /** The host's process is gone: its peers hear of it at once, or when nothing comes any more. */
  detach(id: string, silently: boolean): void {
    const host = this.#hosts.get(id)
    if (host === undefined) return
    this.#hosts.delete(id)
    host.end()
    for (const peer of host.peers()) this.apart(id, peer)
    for (const other of this.#hosts.values()) {
      if (!other.isConnectedWith(host)) continue
      this.scheduler.after(silently ? STALL_MS : this.link(id, other.self).delay(), () => other.left(id, host))
    }
  }

  host(id: string): SimTransport | undefined {
    return this.#hosts.get(id)
  }

  link(from: string, to: string): Link {
    const name = `${from}>${to}`
    let link = this.#links.get(name)
    if (link === undefined) {
      link = new Link(this, from, to, new Chance(this.#seed, 'link', name))
      this.#links.set(name, link)
    }
    return link
  }

  /** These two shall be connected whenever they can; both try again and again. */
  want(a: string, b: string): void {
    const chance = new Chance(this.#seed, 'dial', a, b)
    const dial = () => {
      this.#dial(a, b)
      // There is nothing to do before one of them leaves.
      if (this.connected(a, b)) this.#idle.set(nameOfPair(a, b), dial)
      else this.scheduler.after(chance.between(500, 4_000), dial)
    }
    this.scheduler.after(chance.between(0, 300), dial)
  }

  /** They are connected no more: who dials whom begins again. */
  apart(a: string, b: string): void {
    const name = nameOfPair(a, b)
    const dial = this.#idle.get(name)
    if (dial === undefined) return
    this.#idle.delete(name)
    this.scheduler.after(300, dial)
  }

  #dial(a: string, b: string): void {
    const [one, two] = [this.#hosts.get(a), this.#hosts.get(b)]
    if (!one || !two || one.isConnected(b) || two.isConnected(a)) return
    if (one.penalties.isBanned(b) || two.penalties.isBanned(a)) return
    const [there, back] = [this.link(a, b), this.link(b, a)]
    if (there.isCut || back.isCut) return
    one.met(b, two)
    this.scheduler.after(back.delay(), () => {
      if (this.#hosts.get(b) === two && this.#hosts.get(a) === one && one.isConnectedWith(two)) two.met(a, one)
    })
  }

  /** Both ends drop the connection, each in its own time. */
  cut(a: string, b: string): void {
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const [host, other] = [this.#hosts.get(x), this.#hosts.get(y)]
      if (host) this.scheduler.after(this.link(y, x).chance.between(0, 400), () => host.left(y, other))
    }
  }

  connected(a: string, b: string): boolean {
    return this.#hosts.get(a)?.isConnected(b) === true && this.#hosts.get(b)?.isConnected(a) === true
  }
}

/** One direction between two hosts. */
export class Link {
  readonly chance: Chance
  readonly #network: SimNetwork
  readonly #from: string
  readonly #to: string
  #cuts = 0
  /** Since when nothing has got through. */
  #cutAt = 0
  #held: (() => void)[] = []

  constructor(network: SimNetwork, from: string, to: string, chance: Chance) {
    this.#network = network
    this.#from = from
    this.#to = to
    this.chance = chance
  }

  get isCut(): boolean {
    return this.#cuts > 0
  }

  /** Lets nothing through until `mend`. Cuts of several causes add up. */
  cut(): void {
    if (this.#cuts++ > 0) return
    const { scheduler } = this.#network
    this.#cutAt = scheduler.now
    const since = this.#cutAt
    scheduler.after(STALL_MS, () => {
      if (this.isCut && this.#cutAt === since) {
        this.#held = []
        this.#network.cut(this.#from, this.#to)
      }
    })
  }

  mend(): void {
    if (--this.#cuts > 0) return
    for (const call of this.#held.splice(0)) this.#network.scheduler.after(this.delay(), call)
  }

  /** How long one message takes. */
  delay(): number {
    const { latencyMs } = this.#network.style
    return latencyMs * 0.4 + this.chance.exponential(latencyMs * 0.6)
  }

  /** The same, with what was lost sent again after a while. */
  tcpDelay(): number {
    let ms = this.delay()
    for (let wait = 200; wait < 3_200 && this.chance.yes(this.#network.style.loss); wait *= 2) ms += wait
    return ms
  }

  /** Calls at that moment, or when the path is open again; never when the connection breaks before. */
  deliverAt(at: number, call: () => void): void {
    this.#network.scheduler.at(at, () => {
      if (this.isCut) this.#held.push(call)
      else call()
    })
  }
}

type Gossiped = { readonly topic: string; readonly bytes: Uint8Array; readonly at: number }

export class SimTransport implements Transport {
  readonly self: string
  readonly clock: ProcessClock
  readonly penalties: Penalties
  /** Every penalty given here, in order. */
  readonly misdeeds: { readonly peer: string; readonly reason: Misdeed }[] = []
  /** Peers that this one has refused for a while. */
  readonly refusals: string[] = []
  readonly run: (call: () => void) => void
  readonly #network: SimNetwork
  readonly #handlers = new Map<string, (channel: Channel) => void>()
  readonly #validators = new Map<string, (message: Uint8Array, from: string) => Promise<Validity>>()
  readonly #met = new Set<(peer: string) => void>()
  readonly #left = new Set<(peer: string) => void>()
  readonly #connected = new Map<string, SimTransport>()
  readonly #channels = new Set<SimChannel>()
  readonly #seen = new Map<Gossiped, number>()
  #isOver = false

  constructor(network: SimNetwork, id: string, clock: ProcessClock, run: (call: () => void) => void) {
    this.#network = network
    this.self = id
    this.clock = clock
    this.run = run
    this.penalties = new Penalties(clock)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get channels(): number {
    return this.#channels.size
  }

  /** For how long a reader here has waited for a message of the same peer. */
  get waitingMs(): number {
    const { now } = this.#network.scheduler
    return Math.max(0, ...[...this.#channels].map(({ waitingSince = now }) => now - waitingSince))
  }

  peers(): readonly string[] {
    return [...this.#connected.keys()]
  }

  isConnected(peer: string): boolean {
    return this.#connected.has(peer)
  }

  isConnectedWith(other: SimTransport): boolean {
    return this.#connected.get(other.self) === other
  }

  address(peer: string): string | undefined {
    return this.isConnected(peer) ? `/sim/${peer}` : undefined
  }

  onPeer(call: (peer: string) => void): () => void {
    this.#met.add(call)
    return () => this.#met.delete(call)
  }

  onPeerGone(call: (peer: string) => void): () => void {
    this.#left.add(call)
    return () => this.#left.delete(call)
  }

  async open(peer: string, protocol: string): Promise<SimChannel> {
    const other = this.#connected.get(peer)
    if (this.#isOver) return never()
    if (other === undefined) throw new NodeError('peer-gone', `not connected with ${peer}`)
    const [there, back] = [this.#network.link(this.self, peer), this.#network.link(peer, this.self)]
    const mine = new SimChannel(this.#network, this, peer)
    const theirs = new SimChannel(this.#network, other, this.self)
    mine.join(theirs, there)
    theirs.join(mine, back)
    this.#channels.add(mine)
    // The other side is asked for the protocol; its answer comes back before anything is sent.
    const { scheduler } = this.#network
    const answered = Promise.withResolvers<boolean | undefined>()
    there.deliverAt(scheduler.now + there.tcpDelay(), () => {
      other.run(() => {
        const handler = other.#handlers.get(protocol)
        const open = [...other.#channels].filter((channel) => channel.peer === this.self && channel.isInbound)
        const refused = !other.isConnectedWith(this) || open.length >= syncStreamsPerPeerMax
        if (handler && !refused) {
          theirs.isInbound = true
          other.#channels.add(theirs)
        }
        back.deliverAt(scheduler.now + back.tcpDelay(), () =>
          this.run(() => answered.resolve(refused ? undefined : handler !== undefined)),
        )
        if (handler && !refused) handler(theirs)
      })
    })
    const cancel = this.clock.after(10_000, () => answered.resolve(undefined))
    const isSpoken = await answered.promise
    cancel()
    if (isSpoken === true && mine.isOpen) return mine
    mine.abort()
    if (isSpoken === false) throw new NodeError('peer-misbehaved', `${peer} does not speak ${protocol}`)
    throw new NodeError('peer-gone', `${peer} does not answer`)
  }

  handle(protocol: string, handler: (channel: Channel) => void): void {
    this.#handlers.set(protocol, handler)
  }

  async publish(topic: string, bytes: Uint8Array): Promise<number> {
    if (this.#isOver) return never()
    const message = { topic, bytes: bytes.slice(), at: this.#network.scheduler.now }
    this.#seen.set(message, message.at)
    return this.#forward(message, this.self)
  }

  /** To one peer only, as an honest node never does. */
  whisper(peer: string, topic: string, bytes: Uint8Array): void {
    const message = { topic, bytes: bytes.slice(), at: this.#network.scheduler.now }
    if (this.#connected.has(peer)) this.#send(peer, message)
  }

  subscribe(topic: string, validate: (message: Uint8Array, from: string) => Promise<Validity>): void {
    this.#validators.set(topic, validate)
  }

  penalise(peer: string, reason: Misdeed): void {
    if (this.#isOver) return
    this.misdeeds.push({ peer, reason })
    if (!this.penalties.add(peer, reason)) return
    this.refusals.push(peer)
    this.#network.cut(this.self, peer)
  }

  met(peer: string, other: SimTransport): void {
    if (this.#isOver || this.#connected.has(peer)) return
    this.#connected.set(peer, other)
    this.run(() => {
      for (const call of this.#met) call(peer)
    })
  }

  /** `other`: only if that process of the peer is still the one that is connected. */
  left(peer: string, other?: SimTransport): void {
    if (this.#isOver || !this.#connected.has(peer)) return
    if (other !== undefined && this.#connected.get(peer) !== other) return
    this.#connected.delete(peer)
    this.#network.apart(this.self, peer)
    for (const channel of [...this.#channels]) if (channel.peer === peer) channel.abort()
    this.run(() => {
      for (const call of this.#left) call(peer)
    })
  }

  end(): void {
    this.#isOver = true
  }

  forget(channel: SimChannel): void {
    this.#channels.delete(channel)
  }

  #forward(message: Gossiped, except: string): number {
    const peers = this.peers().filter((peer) => peer !== except)
    const chance = this.#network.link(this.self, except).chance
    const some = peers.length > MESH ? chance.shuffled(peers).slice(0, MESH) : peers
    for (const peer of some) this.#send(peer, message)
    return some.length
  }

  #send(peer: string, message: Gossiped): void {
    const link = this.#network.link(this.self, peer)
    const { loss, replay } = this.#network.style
    const { scheduler } = this.#network
    const arrive = (again: boolean) => {
      if (link.isCut) return
      const host = this.#network.host(peer)
      this.#network.tap(this.self, peer, 'gossip', message.bytes)
      host?.run(() => void host.#deliver(message, this.self, again))
    }
    if (!link.chance.yes(loss)) scheduler.after(link.delay(), () => arrive(false))
    if (link.chance.yes(replay)) {
      const later = link.chance.yes(0.5) ? link.chance.between(0, 500) : link.chance.between(1_000, 180_000)
      // Now and then after gossip has forgotten that it knows it.
      scheduler.after(later, () => arrive(link.chance.yes(0.1)))
    }
  }

  async #deliver(message: Gossiped, from: string, again: boolean): Promise<void> {
    const validate = this.#validators.get(message.topic)
    const now = this.#network.scheduler.now
    if (this.#isOver || !validate || !this.#connected.has(from)) return
    const before = this.#seen.get(message)
    if (before !== undefined && !again && before > now - SEEN_MS) return
    this.#seen.set(message, now)
    if ((await validate(message.bytes, from)) === 'accept') this.#forward(message, from)
  }
}

export class SimChannel implements Channel {
  readonly peer: string
  isInbound = false
  bytesOut = 0
  readonly #network: SimNetwork
  readonly #host: SimTransport
  readonly #inbox = new Inbox()
  #other!: SimChannel
  #link!: Link
  /** What was sent and has not arrived, in order: whichever segment comes, the first message is what is read. */
  readonly #sentOut: (() => void)[] = []
  #lastAt = 0
  #readSince = 0
  #closed = false

  constructor(network: SimNetwork, host: SimTransport, peer: string) {
    this.#network = network
    this.#host = host
    this.peer = peer
  }

  join(other: SimChannel, link: Link): void {
    this.#other = other
    this.#link = link
  }

  get isOpen(): boolean {
    return this.#inbox.error === undefined
  }

  get bytesIn(): number {
    return this.#inbox.bytes
  }

  /** Since when a reader waits for the next message. */
  get waitingSince(): number | undefined {
    return this.#inbox.isRead ? this.#readSince : undefined
  }

  async send(message: Uint8Array): Promise<void> {
    const [mine, theirs] = [this.#inbox, this.#other.#inbox]
    if (this.#host.isOver) return never()
    if (mine.error) throw mine.error
    if (this.#closed) throw new NodeError('peer-gone', 'the channel is closed')
    const copy = message.slice()
    this.bytesOut += 4 + copy.length
    theirs.announce()
    this.#sent(() => {
      this.#network.tap(this.#host.self, this.peer, 'channel', copy)
      theirs.arrive(copy)
    })
    while (theirs.isFull && !mine.error) await theirs.room()
    if (this.#host.isOver) return never()
    if (mine.error) throw mine.error
  }

  receive({ timeoutMs }: { timeoutMs?: number } = {}): Promise<Uint8Array | undefined> {
    this.#readSince = this.#network.scheduler.now
    return this.#inbox.receive({
      clock: this.#host.clock,
      timeoutMs,
      silent: () => this.abort('the peer is silent'),
      gone: () => (this.#host.isOver ? never() : undefined),
    })
  }

  async close(): Promise<void> {
    if (this.#closed || !this.isOpen) return
    this.#closed = true
    const other = this.#other
    this.#sent(() => {
      other.#inbox.end()
      other.#over()
    })
    this.#over()
  }

  abort(why = 'closed'): void {
    if (!this.isOpen) return
    this.#fail(why)
    const other = this.#other
    this.#sent(() => other.#fail('the other side left'))
  }

  /** What this side has sent arrives, in order, at a living process. */
  #sent(arrive: () => void): void {
    const { scheduler } = this.#network
    this.#lastAt = Math.max(this.#lastAt, scheduler.now + this.#link.tcpDelay())
    const receiver = this.#other.#host
    this.#sentOut.push(arrive)
    this.#link.deliverAt(this.#lastAt, () => {
      const next = this.#sentOut.shift()!
      if (!receiver.isOver) receiver.run(next)
    })
  }

  #fail(why: string): void {
    this.#inbox.fail(why)
    this.#other.#inbox.wakeSenders()
    this.#host.forget(this)
  }

  #over(): void {
    if (this.#inbox.isEnded && this.#closed) this.#host.forget(this)
  }
}

function nameOfPair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}
