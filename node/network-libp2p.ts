/**
 * How our libp2p node is put together: which parts, and every limit of theirs that we set. What happens on top of it
 * is network.ts.
 */
import { createHash } from 'node:crypto'
import { noise } from '@chainsafe/libp2p-noise'
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { NetworkId } from '../crdt/index.ts'
import {
  connectionsMax,
  dialAddressesMax,
  gossipMessageBytesMax,
  inboundConnectionsPerSecond,
  inboundPendingMax,
  streamWindowBytes,
  syncIdleTimeoutMs,
} from './limits.ts'
import { joiningWrites } from './network-writes.ts'
import { kadProtocol, mdnsServiceTag, opsTopic } from './protocols.ts'

export type Services = {
  readonly identify: Identify
  readonly ping: Ping
  readonly pubsub: GossipSub
  readonly dht: KadDHT
}

export type Libp2pOptions = {
  readonly net: NetworkId
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly mdns: boolean
  /** Others can reach us, so we answer the DHT's questions too. */
  readonly dhtServer: boolean
  readonly gater: ConnectionGater
  /** 0 for a peer with a clean record, less for each misdeed. */
  readonly appScore: (peer: string) => number
}

/** A node that is not started. */
export function makeLibp2p(options: Libp2pOptions): Promise<Libp2p<Services>> {
  const { net, privateKey, listen, gater, dhtServer } = options
  return createLibp2p<Services>({
    start: false,
    privateKey,
    nodeInfo: { name: 'peerage' },
    addresses: { listen: [...listen] },
    transports: [tcp({ backlog: 128 })],
    connectionEncrypters: [(components) => joiningWrites(noise()(components))],
    streamMuxers: [
      yamux({
        streamOptions: {
          maxStreamWindowSize: streamWindowBytes,
          // A paused stream still receives what its window allowed.
          maxReadBufferLength: 2 * streamWindowBytes,
          inactivityTimeout: 4 * syncIdleTimeoutMs,
        },
      }),
    ],
    connectionGater: gater,
    connectionManager: {
      maxConnections: connectionsMax,
      maxPeerAddrsToDial: dialAddressesMax,
      inboundConnectionThreshold: inboundConnectionsPerSecond,
      maxIncomingPendingConnections: inboundPendingMax,
      // Dialling again is our own schedule's (network-peers.ts).
      reconnectRetries: 0,
    },
    // A peer that answers slowly under load is not dead; dead ones fail their sync session.
    connectionMonitor: { abortConnectionOnPingFailure: false },
    peerDiscovery: options.mdns ? [mdns({ serviceTag: mdnsServiceTag(net) })] : [],
    services: {
      // Not at once: network.ts says when.
      identify: identify({ runOnConnectionOpen: false }),
      ping: ping(),
      pubsub: gossip(options),
      dht: kadDHT({
        protocol: kadProtocol(net),
        clientMode: !dhtServer,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        providers: { cacheSize: 64 },
      }),
    },
  })
}

function gossip({ net, appScore }: Libp2pOptions) {
  const topic = opsTopic(net)
  return gossipsub({
    // Ops are signed by their actors; a second signature by the sender would cost more than all the rest.
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: (message) => createHash('sha256').update(message.data).digest(),
    msgIdToStrFn: (id) => Buffer.from(id).toString('base64'),
    allowedTopics: [topic],
    maxTopicBytesPerPeer: 8 * 1024,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    floodPublish: true,
    fallbackToFloodsub: false,
    doPX: false,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    // Some messages may share one RPC.
    maxInboundDataLength: 4 * gossipMessageBytesMax,
    // Every other request for a message we forward is answered from a cache of 5 s; a list of 64 covers it.
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 256,
      maxIhaveMessageIDs: 5_000,
      maxIwantMessageIDs: 5_000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
    scoreParams: {
      // Misdeeds seen by sync and gossip alike; at 10 points of penalty a peer is heard no more.
      appSpecificScore: appScore,
      appSpecificWeight: 1,
      // Many nodes may share one address.
      IPColocationFactorWeight: 0,
      topics: {
        [topic]: {
          topicWeight: 1,
          timeInMeshWeight: 0.01,
          timeInMeshQuantum: 1_000,
          timeInMeshCap: 300,
          firstMessageDeliveriesWeight: 0.1,
          firstMessageDeliveriesDecay: 0.9,
          firstMessageDeliveriesCap: 20,
          // Catalogues are quiet for hours: a peer with nothing to say is no worse for it.
          meshMessageDeliveriesWeight: 0,
          meshMessageDeliveriesDecay: 0.9,
          meshMessageDeliveriesCap: 10,
          meshMessageDeliveriesThreshold: 1,
          meshMessageDeliveriesWindow: 100,
          meshMessageDeliveriesActivation: 10_000,
          meshFailurePenaltyWeight: 0,
          meshFailurePenaltyDecay: 0.9,
          // Squared: three invalid messages cost 90.
          invalidMessageDeliveriesWeight: -10,
          invalidMessageDeliveriesDecay: 0.99,
        },
      },
    },
    scoreThresholds: {
      gossipThreshold: -40,
      publishThreshold: -60,
      graylistThreshold: -80,
      acceptPXThreshold: 1_000,
      opportunisticGraftThreshold: 1,
    },
  })
}
