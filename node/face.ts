/**
 * The running node as its faces see it: what the HTTP API (and the command line, and later an MCP server) may call.
 *
 * Nothing here knows HTTP. node/node.ts makes one; tests make one from a replica and an index alone.
 */
import type { Authorities } from './authorities.ts'
import type { Catalogue } from './catalogue.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { WebhooksFace } from './webhooks.ts'

/** A peer that is connected now. `root_equal` and `ops_behind` are of the last comparison; missing before the first. */
export type PeerStatus = {
  readonly peer_id: string
  readonly multiaddr?: string
  readonly root_equal?: boolean
  /** Ops the peer has by its own count that we lack. */
  readonly ops_behind?: number
}

/** GET /v1/status, field by field. */
export type Status = {
  readonly version: string
  readonly network: string
  readonly network_id: string
  readonly peer_id: string | null
  readonly did: string | null
  readonly multiaddrs: readonly string[]
  /** Live records by kind. */
  readonly records: Readonly<Record<string, number>>
  readonly ops: number
  /** Root of the set of op ids; null until the set is loaded. */
  readonly root: string | null
  /** Ops that wait for a parent. */
  readonly pending: number
  readonly peers: readonly PeerStatus[]
  readonly sync: Readonly<Record<string, unknown>>
  /** seq: what the index holds; behind: arrivals it has not reached. */
  readonly search: { readonly seq: number; readonly behind: number }
  /** Last arrival number, and the log it belongs to: a cursor of /v1/changes is good only within one epoch. */
  readonly seq: number
  readonly epoch: string
  readonly state_hash?: string
}

/** Bytes on disk: the ops with their merged records, the search index, and the rest. */
export type Storage = { readonly ops: number; readonly search: number; readonly other: number }

/** One answered request, for the counters. `route` is the path's pattern, never the path. */
export type RequestFacts = {
  readonly method: string
  readonly route: string
  readonly status: number
  readonly seconds: number
}

export interface NodeFace {
  readonly version: string
  readonly networkName: string
  readonly replica: ReplicaFace
  readonly catalogue: Catalogue
  readonly authorities: Authorities
  readonly peerId?: string
  /** did:key of the key that signs for this node; missing when it only relays. */
  readonly did?: string
  multiaddrs(): readonly string[]
  /** `stateHash` walks every record: seconds on a large node. */
  status(options?: { readonly stateHash?: boolean }): Promise<Status>
  /** Missing where nothing is on disk. A few seconds old at most. */
  storage?(): Promise<Storage>
  /** The store of this moment, for a backup (backup.ts). Missing where nothing is on disk. */
  backup?(): AsyncIterable<Uint8Array>
  /** Prometheus text exposition. */
  metrics(): Promise<string>
  /** The set is loaded and the store answers: traffic may come. */
  ready(): boolean
  countRequest?(facts: RequestFacts): void
  /** Missing where nothing is delivered, as in some tests. */
  readonly webhooks?: WebhooksFace
}
