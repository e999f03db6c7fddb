/**
 * node/: one running replica, everything with a lifetime.
 *
 * Reading order: face.ts is what the faces see of it; catalogue.ts how records are written, read and found; replica.ts
 * how ops come in and go out; store.ts what is on disk; limits.ts every bound.
 */
export * from './catalogue.ts'
export * from './disk.ts'
export * from './disk-level.ts'
export * from './disk-memory.ts'
export * from './environment.ts'
export * from './errors.ts'
export * from './face.ts'
export * from './gossip.ts'
export * from './indexer.ts'
export * from './journal.ts'
export * from './keys.ts'
export * from './limits.ts'
export * from './metrics.ts'
export * from './native.ts'
export * from './network.ts'
export * from './node.ts'
export * from './packet.ts'
export * from './protocols.ts'
export * from './replica.ts'
export * from './replica-types.ts'
export * from './search.ts'
export * from './search-fts.ts'
export * from './search-scan.ts'
export * from './status.ts'
export * from './sync.ts'
export type { SessionResult } from './sync-session.ts'
export * from './transport.ts'
export * from './verifier.ts'
