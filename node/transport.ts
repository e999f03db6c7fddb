/**
 * The network as the core sees it: peers, message channels and topics. libp2p in a node (network.ts), a seeded
 * simulation in tests. Nothing here trusts a peer: every message is a stranger's bytes.
 */

/** A two-way sequence of whole messages with one peer, in order. */
export interface Channel {
  readonly peer: string
  /**
   * Resolves when the message may leave memory: a sender that awaits it is slowed by a slow receiver. Rejects with
   * NodeError('peer-gone') when the channel is closed, or when the receiver takes nothing for syncIdleTimeoutMs.
   */
  send(message: Uint8Array): Promise<void>
  /**
   * The next message, or undefined when the other side has closed. One call at a time. Rejects with
   * NodeError('peer-gone') when the channel broke or nothing came for `timeoutMs` (a message under way must also keep
   * up syncBytesPerSecondMin), NodeError('peer-misbehaved') when a length is over syncMessageBytesMax.
   */
  receive(options?: { timeoutMs?: number }): Promise<Uint8Array | undefined>
  /** No more to send; the other side may still send, and has 10 s for it. */
  close(): Promise<void>
  /** Ends both directions at once; what waits in send or receive rejects. */
  abort(): void
  /** Bytes so far with the length prefixes, without what lies below (multiplexer, encryption, TCP). */
  readonly bytesIn: number
  readonly bytesOut: number
}

export type Validity = 'accept' | 'ignore' | 'reject'

/** What an honest peer does not do: the closed set of labels for penalties and metrics. */
export const MISDEEDS = [
  'malformed', // bytes that are no message, packet or frame
  'too-large', // a length over its bound, or a packet that inflates over it
  'bad-op', // a frame or op that no honest replica stores
  'protocol', // a good message at the wrong moment, or more of them than were granted
  'undelivered', // ids announced or served as parents, and not given when asked for
  'useless', // much work for nothing new
  'slow', // keeps a stream open without using it
] as const
export type Misdeed = (typeof MISDEEDS)[number]

export interface Transport {
  /** Our own peer id. */
  readonly self: string
  /** Connected now. */
  peers(): readonly string[]
  /** Where a connected peer is, for people to read. */
  address(peer: string): string | undefined
  /** Calls on every peer that connects, also when it connects again. Returns how to stop. */
  onPeer(call: (peer: string) => void): () => void
  /** Calls when the last connection with a peer has ended. Returns how to stop. */
  onPeerGone(call: (peer: string) => void): () => void
  /**
   * Opens a channel of this protocol; rejects with NodeError('peer-gone') when the peer cannot be reached, and
   * NodeError('peer-misbehaved') when it does not speak the protocol.
   */
  open(peer: string, protocol: string, options?: { signal?: AbortSignal }): Promise<Channel>
  /** At most syncStreamsPerPeerMax channels a peer and protocol reach the handler at one time. */
  handle(protocol: string, handler: (channel: Channel) => void): void
  /** Resolves when the message is handed on: to how many peers, which may be none. */
  publish(topic: string, message: Uint8Array): Promise<number>
  /** The validator sees each distinct message once, before it is forwarded; it must answer within 100 ms. */
  subscribe(topic: string, validate: (message: Uint8Array, from: string) => Promise<Validity>): void
  /** A peer did what an honest one does not. Enough of it and the peer is dropped and refused for a while. */
  penalise(peer: string, reason: Misdeed): void
}
