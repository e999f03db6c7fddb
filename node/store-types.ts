/** What passes between the parts of the store, and between it and those who write. */
import type { Merged, NetworkId, Op, OpId, Owner, OwnerAuthority, ParsedFrame, Sha256 } from '../crdt/index.ts'
import type { MissingBodies } from './bodies.ts'
import type { Del, Disk, Put } from './disk.ts'
import type { Environment } from './environment.ts'
import type { Usage } from './quota.ts'
import type { Codec, Log } from './replica-types.ts'
import type { Counts } from './rows.ts'

export type StoreOptions = {
  readonly disk: Disk
  readonly environment: Environment
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly codec: Codec
  readonly log: Log
}

/** What each part of the store reads with. */
export type StoreParts = {
  readonly disk: Disk
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly codec: Codec
  readonly log: Log
  /** Grows with each commit: what was read before one must not enter a cache after it. */
  readonly commits: () => number
}

export type StoredFrame = { readonly seq: number; readonly frame: ParsedFrame; readonly origin?: string }
/** Ops by id, or the ids of those that are damaged: then none can be merged. */
export type Loaded = { readonly ops: readonly Op[] } | { readonly damaged: readonly OpId[] }
/** `row`: as it lies on the disk, without its seal. `ops`: all of the record, if they had to be loaded. */
export type ChangedRecord = {
  readonly merged: Merged
  readonly row: Uint8Array
  readonly ops?: readonly Op[] | undefined
}
/** What one group changes, ready for the disk and then for the caches. */
export type Prepared = {
  readonly changes: readonly (Put | Del)[]
  readonly counts: Counts
  readonly frames: readonly StoredFrame[]
  /** How many of the frames came from others; the rest are our own. */
  readonly remote: number
  readonly records: readonly ChangedRecord[]
  /** Owners whose authority ops are among them, with what their authority is now. */
  readonly authorities: readonly OwnerAuthority[]
  /** What lost or regained authority: the records that rely on it are to be merged again. */
  readonly waiting: readonly OpId[]
  /** What went in so far of the owners and actors of these ops. */
  readonly usages: readonly (readonly [Owner, Usage])[]
  /** Stored again because their row is damaged. */
  readonly repaired: readonly OpId[]
  /** Ops whose body is missing now, and no more. */
  readonly bodies: readonly MissingBodies[]
}
