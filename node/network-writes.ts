/**
 * How a connection's bytes reach its socket: in as few writes as they can, for each is a packet and wakes the peer.
 *
 * Noise hands over a message as its length and then its bytes, which are joined here. The multiplexer answers whatever
 * arrives with a header alone (the window is open again) before anyone has looked at what arrived: such headers wait for
 * the end of this turn of the event loop, or go with the next message. Nothing is reordered.
 */
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import { concat } from '../crdt/index.ts'

/** Noise's length, yamux' header, Noise's tag. */
const BARE_HEADER_BYTES = 2 + 12 + 16

/** The same encrypter, over connections that join what it writes. */
export function joiningWrites(encrypter: ConnectionEncrypter): ConnectionEncrypter {
  const { secureInbound, secureOutbound } = encrypter
  encrypter.secureInbound = (connection, options) => secureInbound.call(encrypter, joined(connection), options)
  encrypter.secureOutbound = (connection, options) => secureOutbound.call(encrypter, joined(connection), options)
  return encrypter
}

function joined<C extends MessageStream>(connection: C): C {
  const send = connection.send.bind(connection)
  let waiting: Uint8Array | undefined
  const flush = () => {
    const bytes = waiting
    waiting = undefined
    // A connection that has closed meanwhile has nobody who misses a header.
    if (bytes !== undefined && connection.status === 'open') send(bytes)
  }
  connection.send = (data) => {
    const bytes = waiting === undefined ? data.subarray() : concat(waiting, data.subarray())
    if (data.byteLength > BARE_HEADER_BYTES) {
      waiting = undefined
      return send(bytes)
    }
    if (waiting === undefined) setImmediate(flush)
    waiting = bytes
    return true
  }
  return connection
}
