/**
 * The network of a running node: libp2p as a Transport, with the peers to dial, whom to refuse, and how to find others.
 *
 * `openNetwork` makes it without touching a socket; handlers are added; `start` listens and begins to dial. Nothing is
 * awaited that depends on other machines. A node that is offline has an identity and no peers.
 */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { NetworkId } from '../crdt/index.ts'
import { type Counters, countsOf } from './counters.ts'
import type { Environment } from './environment.ts'
import { NodeError } from './errors.ts'
import {
  connectionsPerSubnetMax,
  dialsMax,
  identifyAfterMs,
  networkStopMs,
  peersWanted,
  syncStreamsPerPeerMax,
} from './limits.ts'
import { nativeSuite } from './native.ts'
import { DialRule, peerOf, rangeOf, readAddress, subnetOf } from './network-addresses.ts'
import { StreamChannel } from './network-channel.ts'
import type { Services } from './network-libp2p.ts'
import { KnownPeers } from './network-peers.ts'
import { Penalties } from './network-penalties.ts'
import { rendezvous } from './network-rendezvous.ts'
import type { Log } from './replica-types.ts'
import { type Channel, MISDEEDS, type Misdeed, type Transport, type Validity } from './transport.ts'

export type NetworkOptions = {
  readonly net: NetworkId
  /** 32 bytes: the Ed25519 seed of the peer id. Not the key that signs ops. */
  readonly seed: Uint8Array
  /** Multiaddrs; none = dial only. TypeError when one is malformed. */
  readonly listen: readonly string[]
  readonly join: readonly string[]
  readonly mdns: boolean
  /** Neither listens nor dials. */
  readonly offline?: boolean
  readonly environment: Environment
  /** Where known peers are kept over restarts. */
  readonly peers?: { load(): Promise<Uint8Array | undefined>; save(bytes: Uint8Array): Promise<void> }
  /** Peers with whom the operator wants no connection. */
  readonly refuses?: (peer: string) => boolean
  readonly log?: Log
}

/** How often the list of known peers is looked at, and written when it has changed. */
const LOOK_MS = 2_000
const SAVE_MS = 5 * 60_000

export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const listen = options.listen.map(readAddress)
  const join = options.join.map(readAddress)
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed)
  const self = peerIdFromPrivateKey(privateKey).toString()
  const network = new Network(options, self, join)
  if (options.offline) return network
  // A node that others cannot reach would only be in the way of those who ask. In a network of one host or one site
  // the private addresses are the ones that count.
  const isPrivateNetwork = !join.some((address) => rangeOf(address) === 'public' || rangeOf(address) === 'name')
  // Loaded here, for it is half of all the code there is, and an offline node needs none of it.
  const { makeLibp2p } = await import('./network-libp2p.ts')
  const libp2p = await makeLibp2p({
    net: options.net,
    privateKey,
    listen: listen.map(String),
    mdns: options.mdns,
    dhtServer: listen.length > 0 && (isPrivateNetwork || listen.some((address) => rangeOf(address) === 'public')),
    gater: network.gater,
    appScore: (peer) => -network.penalties.points(peer),
  })
  network.use(libp2p)
  return network
}

export class Network implements Transport, AsyncDisposable {
  readonly self: string
  readonly penalties: Penalties
  readonly #options: NetworkOptions
  readonly #rule: DialRule
  readonly #known: KnownPeers
  readonly #stopping = new AbortController()
  readonly #channels = new Set<StreamChannel>()
  readonly #dialling = new Set<string>()
  /** Connected. libp2p would make the list anew from its connections, which costs more than what it is asked for. */
  readonly #peers = new Set<string>()
  readonly #met = new Set<(peer: string) => void>()
  readonly #left = new Set<(peer: string) => void>()
  readonly #misdeeds = countsOf(MISDEEDS)
  readonly #events = countsOf(['connected', 'disconnected', 'dialled', 'dial-failed', 'refused', 'banned'])
  #libp2p: Libp2p<Services> | undefined
  #savedAt = 0
  readonly #topics: string[] = []

  constructor(options: NetworkOptions, self: string, join: readonly Multiaddr[]) {
    this.self = self
    this.#options = options
    this.penalties = new Penalties(options.environment.clock)
    this.#rule = new DialRule(join)
    this.#known = new KnownPeers(options.environment)
    for (const address of join) this.#known.join(address.toString(), peerOf(address))
  }

  /** Given once, before anything else, unless offline. */
  use(libp2p: Libp2p<Services>): void {
    this.#libp2p = libp2p
    libp2p.addEventListener('peer:connect', ({ detail }) => this.#connected(detail))
    libp2p.addEventListener('peer:disconnect', ({ detail }) => {
      const peer = detail.toString()
      this.#events.disconnected++
      this.#peers.delete(peer)
      for (const call of this.#left) call(peer)
      this.#look()
    })
    libp2p.addEventListener('connection:open', ({ detail }) => {
      // What follows from it (gossip, the DHT) costs as much as a session, which comes first: it brings what we lack.
      this.#options.environment.clock.after(identifyAfterMs, () => {
        if (detail.status === 'open') libp2p.services.identify.identify(detail).catch(() => {})
      })
    })
    libp2p.addEventListener('peer:identify', ({ detail }) => {
      const addresses = detail.listenAddrs
        .filter((address) => this.#rule.mayDial(address))
        .map((a) => withPeer(a, detail.peerId))
      this.#known.met(detail.peerId.toString(), addresses)
    })
    libp2p.addEventListener('peer:discovery', ({ detail }) => {
      this.#hint(
        detail.id.toString(),
        detail.multiaddrs.map((address) => withPeer(address, detail.id)),
      )
    })
  }

  /**
   * Listens, then begins to dial without waiting for it. NodeError('address-in-use') when a listen address cannot be
   * taken; its message names the address.
   */
  async start(): Promise<void> {
    const libp2p = this.#libp2p
    if (!libp2p) return
    const { peers, environment, net } = this.#options
    try {
      await libp2p.start()
    } catch (cause) {
      await this[Symbol.asyncDispose]()
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new NodeError(
        'address-in-use',
        `couldn't listen: ${
          message
            .split('\n')
            .filter((line) => line.includes('/'))
            .join(' ')
            .trim() || message
        }`,
        { cause },
      )
    }
    for (const topic of this.#topics) libp2p.services.pubsub.subscribe(topic)
    for (const address of libp2p.getMultiaddrs()) this.#rule.allowRangeOf(address)
    const saved = await peers?.load()
    if (saved) this.#known.restore(saved)
    this.#savedAt = environment.clock.monotonic()
    this.#tick()
    void rendezvous({
      dht: libp2p.services.dht,
      net,
      sha256: nativeSuite.sha256,
      environment,
      signal: this.#stopping.signal,
      peers: () => this.#peers.size,
      found: (peer, addresses) => this.#hint(peer, addresses),
    })
  }

  /** Where others can reach this node, each with its peer id. */
  multiaddrs(): readonly string[] {
    return this.#libp2p?.getMultiaddrs().map(String) ?? []
  }

  /** Names and closed label sets, for the metrics page. */
  get counters(): Counters {
    return { network_events: this.#events, network_penalties: this.#misdeeds }
  }

  peers(): readonly string[] {
    return [...this.#peers]
  }

  address(peer: string): string | undefined {
    return this.#connections(peer)[0]?.remoteAddr.toString()
  }

  onPeer(call: (peer: string) => void): () => void {
    this.#met.add(call)
    return () => this.#met.delete(call)
  }

  onPeerGone(call: (peer: string) => void): () => void {
    this.#left.add(call)
    return () => this.#left.delete(call)
  }

  async open(peer: string, protocol: string, options: { signal?: AbortSignal } = {}): Promise<Channel> {
    const connection = this.#connections(peer)[0]
    if (!connection) throw new NodeError('peer-gone', `not connected with ${peer}`)
    try {
      const stream = await connection.newStream(protocol, {
        maxOutboundStreams: syncStreamsPerPeerMax,
        ...(options.signal ? { signal: options.signal } : {}),
      })
      return this.#channel(stream, peer)
    } catch (cause) {
      const unsupported = (cause as Error).name === 'UnsupportedProtocolError'
      throw new NodeError(
        unsupported ? 'peer-misbehaved' : 'peer-gone',
        `couldn't open ${protocol}: ${(cause as Error).message}`,
        { cause },
      )
    }
  }

  handle(protocol: string, handler: (channel: Channel) => void): void {
    const accept = (stream: Stream, connection: Connection) => {
      handler(this.#channel(stream, connection.remotePeer.toString()))
    }
    const limits = { maxInboundStreams: syncStreamsPerPeerMax, maxOutboundStreams: syncStreamsPerPeerMax }
    void this.#libp2p?.handle(protocol, accept, limits)
  }

  async publish(topic: string, message: Uint8Array): Promise<number> {
    if (this.#libp2p?.status !== 'started') return 0
    return (await this.#libp2p.services.pubsub.publish(topic, message)).recipients.length
  }

  subscribe(topic: string, validate: (message: Uint8Array, from: string) => Promise<Validity>): void {
    const pubsub = this.#libp2p?.services.pubsub
    if (!pubsub) return
    pubsub.topicValidators.set(topic, async (from, message) => {
      // A verdict is the same word here and there.
      return (await validate(message.data, from.toString())) satisfies `${TopicValidatorResult}` as TopicValidatorResult
    })
    // gossipsub takes subscriptions only once it runs.
    if (this.#libp2p?.status === 'started') pubsub.subscribe(topic)
    else this.#topics.push(topic)
  }

  penalise(peer: string, reason: Misdeed): void {
    this.#misdeeds[reason]++
    if (!this.penalties.add(peer, reason)) return
    this.#events.banned++
    this.#options.log?.('warn', 'peer dropped', { peer, reason })
    for (const connection of this.#connections(peer)) connection.abort(new Error('misbehaved'))
  }

  /** Ends everything within networkStopMs, whatever the peers do. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    for (const channel of this.#channels) channel.abort()
    await this.#save()
    const libp2p = this.#libp2p
    if (!libp2p) return
    // Connections are cut, not closed: there is nothing more to say on any of them.
    for (const connection of libp2p.getConnections()) connection.abort(new Error('stopping'))
    await Promise.race([
      Promise.resolve(libp2p.stop()).catch((error) =>
        this.#options.log?.('warn', "couldn't stop the network", { error: String(error) }),
      ),
      new Promise<void>((resolve) => this.#options.environment.clock.after(networkStopMs, resolve)),
    ])
  }

  /** Who may connect, and whom and where we dial. */
  readonly gater = {
    denyDialPeer: (peer: PeerId) => this.#isUnwanted(peer),
    denyDialMultiaddr: (address: Multiaddr) => !this.#rule.mayDial(address),
    denyInboundConnection: ({ remoteAddr }: { remoteAddr: Multiaddr }) => this.#refuse(this.#isCrowded(remoteAddr)),
    denyInboundEncryptedConnection: (peer: PeerId) => this.#refuse(this.#isUnwanted(peer)),
    denyOutboundEncryptedConnection: (peer: PeerId) => this.#isUnwanted(peer),
    filterMultiaddrForPeer: (_: PeerId, address: Multiaddr) => this.#rule.mayDial(address),
  }

  /** Drops a peer that the operator refuses by now. */
  look(peer: string): void {
    if (!this.#options.refuses?.(peer)) return
    for (const connection of this.#connections(peer)) connection.abort(new Error('refused'))
  }

  #isUnwanted(id: PeerId): boolean {
    const peer = id.toString()
    return this.penalties.isBanned(peer) || this.#options.refuses?.(peer) === true
  }

  #refuse(refused: boolean): boolean {
    if (refused) this.#events.refused++
    return refused
  }

  #isCrowded(address: Multiaddr): boolean {
    const subnet = subnetOf(address)
    if (subnet === undefined) return false
    const same = this.#libp2p?.getConnections().filter(({ remoteAddr }) => subnetOf(remoteAddr) === subnet) ?? []
    return same.length >= connectionsPerSubnetMax
  }

  #connections(peer: string): Connection[] {
    const libp2p = this.#libp2p
    if (!libp2p) return []
    return libp2p.getConnections(peerIdFromString(peer)).filter(({ status }) => status === 'open')
  }

  #channel(stream: Stream, peer: string): StreamChannel {
    const channel = new StreamChannel(stream, peer, this.#options.environment.clock)
    this.#channels.add(channel)
    stream.addEventListener('close', () => this.#channels.delete(channel), { once: true })
    return channel
  }

  #connected(id: PeerId): void {
    const peer = id.toString()
    this.#peers.add(peer)
    this.#events.connected++
    // An address that we dialled works; the port of an inbound connection says nothing.
    const outbound = this.#connections(peer).filter(({ direction }) => direction === 'outbound')
    this.#known.met(
      peer,
      outbound.map(({ remoteAddr }) => remoteAddr.toString()),
    )
    for (const call of this.#met) call(peer)
  }

  #hint(peer: string, addresses: readonly string[]): void {
    if (peer === this.self) return
    this.#known.hint(
      peer,
      addresses.filter((text) => this.#mayDial(text)),
    )
    this.#look()
  }

  #mayDial(text: string): boolean {
    try {
      return this.#rule.mayDial(multiaddr(text))
    } catch {
      return false
    }
  }

  #tick(): void {
    if (this.#stopping.signal.aborted) return
    const { clock } = this.#options.environment
    this.#look()
    if (clock.monotonic() - this.#savedAt >= SAVE_MS) {
      this.#savedAt = clock.monotonic()
      void this.#save()
    }
    clock.after(LOOK_MS, () => this.#tick())
  }

  /** Dials what is due. */
  #look(): void {
    const libp2p = this.#libp2p
    if (libp2p?.status !== 'started' || this.#stopping.signal.aborted) return
    const connected = new Set(this.peers())
    const wanted = peersWanted - connected.size - this.#dialling.size
    for (const { key, peer, addresses } of this.#known.due((id) => connected.has(id), wanted)) {
      if (this.#dialling.size >= dialsMax) return
      if (this.#dialling.has(key) || peer === this.self) continue
      this.#dialling.add(key)
      void this.#dial(libp2p, key, peer, addresses).finally(() => this.#dialling.delete(key))
    }
  }

  async #dial(
    libp2p: Libp2p<Services>,
    key: string,
    peer: string | undefined,
    addresses: readonly string[],
  ): Promise<void> {
    try {
      const targets = addresses.map((text) => multiaddr(text))
      const connection = await libp2p.dial(targets, { signal: this.#stopping.signal })
      this.#events.dialled++
      this.#known.dialled(key, connection.remotePeer.toString())
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#events['dial-failed']++
      this.#known.dialled(key, undefined)
      this.#options.log?.('info', "couldn't dial", { peer: peer ?? key, error: (error as Error).message })
    }
  }

  async #save(): Promise<void> {
    const rows = this.#known.rows()
    if (rows)
      await this.#options.peers
        ?.save(rows)
        .catch((error) => this.#options.log?.('warn', "couldn't keep peers", { error: String(error) }))
  }
}

function withPeer(address: Multiaddr, peer: PeerId): string {
  return peerOf(address) === undefined ? `${address}/p2p/${peer}` : address.toString()
}
