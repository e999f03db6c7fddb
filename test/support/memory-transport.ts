/**
 * A network in memory: several Transports in one process, with the delays, cuts and caps that a test asks for. Every
 * delay goes through the clock it is given, so a seed and a manual clock decide the order of everything.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../node/environment.ts'
import { NodeError } from '../../node/errors.ts'
import { syncStreamsPerPeerMax } from '../../node/limits.ts'
import { Penalties } from '../../node/network-penalties.ts'
import type { Channel, Misdeed, Transport, Validity } from '../../node/transport.ts'
import { Inbox } from './inbox.ts'

export type MemoryNetworkOptions = { readonly clock: Clock; readonly latencyMs?: number }

export class MemoryNetwork {
  readonly clock: Clock
  latencyMs: number
  readonly #nodes = new Map<string, MemoryTransport>()
  readonly #links = new Set<string>()

  constructor(options: MemoryNetworkOptions) {
    this.clock = options.clock
    this.latencyMs = options.latencyMs ?? 0
  }

  node(id: string): MemoryTransport {
    let node = this.#nodes.get(id)
    if (!node) {
      node = new MemoryTransport(this, id)
      this.#nodes.set(id, node)
    }
    return node
  }

  connect(a: string, b: string): void {
    if (this.isLinked(a, b) || this.node(a).penalties.isBanned(b) || this.node(b).penalties.isBanned(a)) return
    this.#links.add(linkOf(a, b))
    this.node(a).met(b)
    this.node(b).met(a)
  }

  disconnect(a: string, b: string): void {
    if (!this.#links.delete(linkOf(a, b))) return
    this.node(a).left(b)
    this.node(b).left(a)
  }

  isLinked(a: string, b: string): boolean {
    return this.#links.has(linkOf(a, b))
  }

  neighbours(id: string): string[] {
    return [...this.#nodes.keys()].filter((other) => other !== id && this.isLinked(id, other))
  }

  /** Calls after the latency; at once, but not within this call, when there is none. */
  later(call: () => void): void {
    if (this.latencyMs > 0) this.clock.after(this.latencyMs, call)
    else queueMicrotask(call)
  }
}

export class MemoryTransport implements Transport {
  readonly self: string
  readonly penalties: Penalties
  /** Every penalty given here, in order. */
  readonly misdeeds: { readonly peer: string; readonly reason: Misdeed }[] = []
  readonly #network: MemoryNetwork
  readonly #handlers = new Map<string, (channel: Channel) => void>()
  readonly #validators = new Map<string, (message: Uint8Array, from: string) => Promise<Validity>>()
  readonly #met = new Set<(peer: string) => void>()
  readonly #left = new Set<(peer: string) => void>()
  readonly #channels = new Set<MemoryChannel>()
  readonly #seen = new Set<string>()

  constructor(network: MemoryNetwork, id: string) {
    this.#network = network
    this.self = id
    this.penalties = new Penalties(network.clock)
  }

  peers(): readonly string[] {
    return this.#network.neighbours(this.self)
  }

  address(peer: string): string | undefined {
    return this.#network.isLinked(this.self, peer) ? `/memory/${peer}` : undefined
  }

  onPeer(call: (peer: string) => void): () => void {
    this.#met.add(call)
    return () => this.#met.delete(call)
  }

  onPeerGone(call: (peer: string) => void): () => void {
    this.#left.add(call)
    return () => this.#left.delete(call)
  }

  async open(peer: string, protocol: string): Promise<MemoryChannel> {
    if (!this.#network.isLinked(this.self, peer)) throw new NodeError('peer-gone', `not connected with ${peer}`)
    const other = this.#network.node(peer)
    const handler = other.#handlers.get(protocol)
    if (!handler) throw new NodeError('peer-misbehaved', `${peer} does not speak ${protocol}`)
    const open = [...other.#channels].filter((channel) => channel.peer === this.self && !channel.isOver)
    if (open.length >= 2 * syncStreamsPerPeerMax) throw new NodeError('peer-gone', 'too many streams')
    const mine = new MemoryChannel(this.#network, peer)
    const theirs = new MemoryChannel(this.#network, this.self)
    mine.join(theirs)
    theirs.join(mine)
    this.#channels.add(mine)
    other.#channels.add(theirs)
    this.#network.later(() => handler(theirs))
    return mine
  }

  handle(protocol: string, handler: (channel: Channel) => void): void {
    this.#handlers.set(protocol, handler)
  }

  async publish(topic: string, message: Uint8Array): Promise<number> {
    this.#seen.add(digest(message))
    this.#forward(topic, message, this.self)
    return this.peers().length
  }

  subscribe(topic: string, validate: (message: Uint8Array, from: string) => Promise<Validity>): void {
    this.#validators.set(topic, validate)
  }

  penalise(peer: string, reason: Misdeed): void {
    this.misdeeds.push({ peer, reason })
    if (this.penalties.add(peer, reason)) this.#network.disconnect(this.self, peer)
  }

  met(peer: string): void {
    for (const call of this.#met) call(peer)
  }

  left(peer: string): void {
    for (const channel of this.#channels) if (channel.peer === peer) channel.abort()
    for (const call of this.#left) call(peer)
  }

  #forward(topic: string, message: Uint8Array, except: string): void {
    for (const peer of this.peers()) {
      if (peer === except) continue
      this.#network.later(() => void this.#network.node(peer).#deliver(topic, message, this.self))
    }
  }

  async #deliver(topic: string, message: Uint8Array, from: string): Promise<void> {
    const validate = this.#validators.get(topic)
    const id = digest(message)
    if (!validate || this.#seen.has(id) || !this.#network.isLinked(this.self, from)) return
    this.#seen.add(id)
    if ((await validate(message, from)) === 'accept') this.#forward(topic, message, from)
  }
}

export class MemoryChannel implements Channel {
  readonly peer: string
  bytesOut = 0
  readonly #network: MemoryNetwork
  readonly #inbox = new Inbox()
  #other: MemoryChannel | undefined
  #closed = false

  constructor(network: MemoryNetwork, peer: string) {
    this.#network = network
    this.peer = peer
  }

  join(other: MemoryChannel): void {
    this.#other = other
  }

  get bytesIn(): number {
    return this.#inbox.bytes
  }

  get isOver(): boolean {
    return this.#inbox.error !== undefined || (this.#inbox.isEnded && this.#closed)
  }

  async send(message: Uint8Array): Promise<void> {
    const [mine, theirs] = [this.#inbox, this.#other!.#inbox]
    if (mine.error) throw mine.error
    if (this.#closed || theirs.error) throw new NodeError('peer-gone', 'the channel is closed')
    const copy = message.slice()
    this.bytesOut += 4 + copy.length
    theirs.announce()
    this.#network.later(() => theirs.arrive(copy))
    while (theirs.isFull && !theirs.error && !mine.error) await theirs.room()
    if (mine.error) throw mine.error
  }

  receive({ timeoutMs }: { timeoutMs?: number } = {}): Promise<Uint8Array | undefined> {
    return this.#inbox.receive({ clock: this.#network.clock, timeoutMs, silent: () => this.abort('silent') })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#network.later(() => this.#other!.#inbox.end())
  }

  abort(why = 'closed'): void {
    this.#inbox.fail(why)
    this.#network.later(() => this.#other!.#inbox.fail('the other side left'))
  }
}

function linkOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

function digest(message: Uint8Array): string {
  return createHash('sha256').update(message).digest('hex')
}
