/**
 * A peer that says what a test tells it to, over any Transport: no store, no rules, no manners.
 */
import { SEM } from '../../crdt/index.ts'
import { pack, plainPackets } from '../../node/packet.ts'
import { syncProtocol } from '../../node/protocols.ts'
import { type Hello, type Message, readMessage, writeMessage } from '../../node/sync-messages.ts'
import type { Channel, Transport } from '../../node/transport.ts'
import { NET } from './peer.ts'

export class RawChannel {
  readonly channel: Channel

  constructor(channel: Channel) {
    this.channel = channel
  }

  static async open(transport: Transport, peer: string): Promise<RawChannel> {
    return new RawChannel(await transport.open(peer, syncProtocol(NET)))
  }

  say(message: Message): Promise<void> {
    return this.channel.send(writeMessage(message))
  }

  sayBytes(bytes: Uint8Array): Promise<void> {
    return this.channel.send(bytes)
  }

  /** The next message; undefined when the other side has left, politely or not. */
  async hear(): Promise<Message | undefined> {
    try {
      const bytes = await this.channel.receive()
      if (bytes === undefined) return undefined
      const read = readMessage(bytes)
      if (!read.ok) throw new TypeError(`the node sent what is no message: ${read.reason}`)
      return read.message
    } catch (error) {
      if (error instanceof TypeError) throw error
      return undefined
    }
  }

  /** Skips to the next message of this name. */
  async hearA<M extends Message['m']>(m: M): Promise<Extract<Message, { m: M }> | undefined> {
    for (;;) {
      const message = await this.hear()
      if (message === undefined || message.m === m) return message as Extract<Message, { m: M }> | undefined
    }
  }

  async sayPacket(q: number, seq: number, frames: readonly Uint8Array[]): Promise<void> {
    await this.say({ m: 'packet', q, seq, z: await pack(frames, plainPackets) })
  }
}

export function hello(over: Partial<Hello> = {}): Hello {
  const nothing = { epoch: '0'.repeat(32), seq: 0, ops: 0, root: '1'.repeat(32) }
  return { m: 'hello', v: 1, net: NET, sem: SEM, ...nothing, only: false, ...over }
}
