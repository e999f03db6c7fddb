/**
 * A real libp2p peer without manners: opens streams of our protocols and puts any bytes on them, publishes anything.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { machineClock } from '../../node/native.ts'
import { StreamChannel } from '../../node/network-channel.ts'
import { makeLibp2p, type Services } from '../../node/network-libp2p.ts'
import { opsTopic, syncProtocol } from '../../node/protocols.ts'
import { NET } from './peer.ts'
import { RawChannel } from './raw-peer.ts'

export class Adversary implements AsyncDisposable {
  readonly #libp2p: Libp2p<Services>
  readonly #net: string
  readonly peer: string
  readonly #target: string

  private constructor(libp2p: Libp2p<Services>, net: string, target: string) {
    this.#libp2p = libp2p
    this.#net = net
    this.peer = libp2p.peerId.toString()
    this.#target = target
  }

  /** Connects with the node at this address, as a member of `net`. */
  static async meet(address: string, net = NET): Promise<Adversary> {
    const privateKey = await generateKeyPair('Ed25519')
    const libp2p = await makeLibp2p({
      net,
      privateKey,
      listen: [],
      mdns: false,
      dhtServer: false,
      gater: {},
      appScore: () => 0,
    })
    await libp2p.start()
    libp2p.services.pubsub.subscribe(opsTopic(net))
    await libp2p.dial(multiaddr(address))
    return new Adversary(libp2p, net, address.split('/p2p/')[1]!)
  }

  /** Dials the node again; whether the connection holds. */
  async comeBack(address: string): Promise<boolean> {
    await this.#libp2p.dial(multiaddr(address)).catch(() => {})
    await this.stream().catch(() => {})
    return this.isConnected
  }

  get isConnected(): boolean {
    return this.#libp2p.getPeers().length > 0
  }

  /** A bare stream of the sync protocol. */
  async stream(): Promise<Stream> {
    const [connection] = this.#libp2p.getConnections(peerIdFromString(this.#target))
    if (!connection) throw new Error('the node has dropped the adversary')
    return connection.newStream(syncProtocol(this.#net), { maxOutboundStreams: 10_000 })
  }

  /** One that keeps the framing and lies inside it. */
  async channel(): Promise<RawChannel> {
    return new RawChannel(new StreamChannel(await this.stream(), this.#target, machineClock))
  }

  async publish(message: Uint8Array): Promise<void> {
    await this.#libp2p.services.pubsub.publish(opsTopic(this.#net), message)
  }

  /** Peers that get what this one publishes. */
  get subscribers(): number {
    return this.#libp2p.services.pubsub.getSubscribers(opsTopic(this.#net)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#libp2p.getConnections()) connection.abort(new Error('done'))
    await this.#libp2p.stop()
  }
}
