/** What the node says of itself, put together from its parts. */
import { keyToDid } from '../crdt/index.ts'
import type { PeerStatus, Status } from './face.ts'
import type { ReplicaFace } from './replica-types.ts'

export type StatusParts = {
  readonly version: string
  readonly networkName: string
  readonly replica: ReplicaFace
  readonly index: { readonly seq: number; readonly behind: number }
  /** Whether the set is loaded, so that it has a root. */
  readonly ready: boolean
  readonly peerId?: string
  readonly multiaddrs?: readonly string[]
  readonly peers?: readonly PeerStatus[]
  readonly sync?: Readonly<Record<string, unknown>>
}

/** `stateHash` walks every record. */
export async function readStatus(parts: StatusParts, options: { readonly stateHash?: boolean } = {}): Promise<Status> {
  const { replica, index } = parts
  const { ops, seq, records } = replica.counts()
  return {
    version: parts.version,
    network: parts.networkName,
    network_id: replica.net,
    peer_id: parts.peerId ?? null,
    did: replica.actor === undefined ? null : keyToDid(replica.actor),
    multiaddrs: parts.multiaddrs ?? [],
    records,
    ops,
    root: parts.ready ? replica.root() : null,
    pending: replica.pending().ops,
    peers: parts.peers ?? [],
    sync: parts.sync ?? {},
    search: { seq: index.seq, behind: index.behind },
    seq,
    epoch: replica.epoch,
    ...(options.stateHash && { state_hash: await replica.stateHash() }),
  }
}
