/**
 * The network as the core sees it: peers, message channels and topics. libp2p in a node (network.ts), a seeded
 * simulation in tests. Nothing here trusts a peer: every message is a stranger's bytes.
 */

/** A two-way sequence of whole messages with one peer, in order. */
export interface Channel {
  readonly peer: string
  /** Resolves when the message may leave memory: a sender that awaits it is slowed by a slow receiver. */
  send(message: Uint8Array): Promise<void>
  /** The next message, or undefined when the other side has closed. Rejects with NodeError('peer-gone' | 'peer-misbehaved'). */
  receive(options?: { timeoutMs?: number }): Promise<Uint8Array | undefined>
  /** No more to send; the other side may still send. */
  close(): Promise<void>
  abort(): void
  readonly bytesIn: number
  readonly bytesOut: number
}

export type Validity = 'accept' | 'ignore' | 'reject'

export interface Transport {
  /** Our own peer id. */
  readonly self: string
  peers(): readonly string[]
  /** Calls on every peer that connects. Returns how to stop. */
  onPeer(call: (peer: string) => void): () => void
  /** Opens a channel of this protocol; rejects with NodeError('peer-gone') when the peer cannot be reached. */
  open(peer: string, protocol: string, options?: { signal?: AbortSignal }): Promise<Channel>
  handle(protocol: string, handler: (channel: Channel) => void): void
  publish(topic: string, message: Uint8Array): Promise<void>
  /** The validator sees each distinct message once, before it is forwarded; it must answer within 100 ms. */
  subscribe(topic: string, validate: (message: Uint8Array, from: string) => Promise<Validity>): void
  /** A peer sent what an honest one never sends. Enough of it and the peer is dropped for a while. */
  penalise(peer: string, reason: string): void
}
