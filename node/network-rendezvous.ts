/**
 * Finding the first peers through the DHT: one key, the network's own, under a private Kademlia protocol.
 *
 * Records never go there: keys of content can be eclipsed and providing them anew does not scale. Answers are hints,
 * dialled under the same rule as any other address; nothing waits for them.
 */
import type { KadDHT } from '@libp2p/kad-dht'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { concat, fromHex, type NetworkId, utf8 } from '../crdt/index.ts'
import { type Environment, sleep } from './environment.ts'
import { peersWanted, rendezvousFindMs, rendezvousProvideMs, rendezvousTimeoutMs } from './limits.ts'

export type RendezvousOptions = {
  readonly dht: KadDHT
  readonly net: NetworkId
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  readonly environment: Environment
  readonly signal: AbortSignal
  readonly peers: () => number
  readonly found: (peer: string, addresses: readonly string[]) => void
}

/** Tells the DHT that we are here, and asks it for others while we have few peers; until the signal fires. */
export async function rendezvous(options: RendezvousOptions): Promise<void> {
  const { dht, net, sha256, environment, signal, peers, found } = options
  const { clock, random } = environment
  const RAW = 0x55
  const SHA2_256 = 0x12
  const key = CID.createV1(RAW, create(SHA2_256, sha256(concat(utf8('peerage/1/rendezvous\0'), fromHex(net)))))
  let provideAt = 0
  let waitMs = rendezvousFindMs / 12
  while (!signal.aborted) {
    await sleep(clock, waitMs * (0.75 + random.float() / 2), signal)
    if (signal.aborted || peers() === 0) continue
    waitMs = Math.min(rendezvousFindMs * 10, Math.max(rendezvousFindMs, waitMs * 2))
    const limit = { signal: AbortSignal.any([signal, AbortSignal.timeout(rendezvousTimeoutMs)]) }
    try {
      if (clock.monotonic() >= provideAt && dht.getMode() === 'server') {
        for await (const _ of dht.provide(key, limit));
        provideAt = clock.monotonic() + rendezvousProvideMs
      }
      if (peers() >= peersWanted) continue
      for await (const event of dht.findProviders(key, limit)) {
        if (event.name !== 'PROVIDER') continue
        for (const { id, multiaddrs } of event.providers) found(id.toString(), multiaddrs.map(String))
      }
    } catch {
      // No route, or no time left: the next round tries again, and nothing depends on it.
    }
  }
}
