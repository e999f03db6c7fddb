/**
 * The replica as those who build on it see it: what it takes, what it answers. The class is replica.ts.
 */
import type {
  ActorKey,
  Merged,
  NetworkId,
  Op,
  OpId,
  Owner,
  OwnerAuthority,
  ParsedFrame,
  RecordId,
  Suite,
  ToWrite,
} from '../crdt/index.ts'
import type { Disk } from './disk.ts'
import type { Environment } from './environment.ts'
import type { Withheld } from './id-rows.ts'
import type { Policy, Target } from './policy.ts'
import type { Quota, Usage } from './quota.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type { TallyFile } from './tally.ts'

/** One signature to check. */
export type Signature = { readonly key: Uint8Array; readonly message: Uint8Array; readonly signature: Uint8Array }

/** Signatures in groups, off the main thread (Verifier) or at once (simulation). */
export interface SignatureChecker {
  verify(items: readonly Signature[]): Promise<readonly boolean[]>
}
/** The custodial key. `sign` is called once per batch. */
export interface Signer {
  readonly key: ActorKey
  sign(message: Uint8Array): Uint8Array
}
/** An op that the custodial key signed. `settled`: it was in the store, durably, before anyone was told of it. */
export type JournalEntry = { readonly record: RecordId; readonly op: OpId; readonly settled: boolean }
/**
 * Memory of what the custodial key has signed, apart from the store: a data folder restored from a backup then shows,
 * and the key does not fork its own history. Used by one writer, one call at a time.
 */
export interface Journal {
  /** How much of it is durable, in units of its own; it only grows. 0: made anew, and not begun yet. */
  readonly size: number
  /** What was signed and not abandoned, oldest first. */
  entries(): AsyncIterable<JournalEntry>
  /** From now on it is not empty, though it knows of nothing signed; changes nothing later. Durable when it resolves. */
  begin(): Promise<void>
  /** Durable when it resolves. */
  append(entries: readonly { readonly record: RecordId; readonly op: OpId }[]): Promise<void>
  /** What was appended since the last mark is in the store. Need not be durable: without it the store is asked. */
  settle(): Promise<void>
  /** What was appended since the last mark never got into the store, and nobody was told of it. */
  abandon(): Promise<void>
}

/** Makes frames smaller on disk. Both directions for our own bytes; `maxBytes` guards against a damaged row. */
export interface Codec {
  compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array
}

export type Log = (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void

export type ReplicaOptions = {
  readonly disk: Disk
  readonly environment: Environment
  readonly suite: Suite
  readonly checker: SignatureChecker
  readonly net: NetworkId
  readonly signer?: Signer
  readonly journal?: Journal
  /** Where it is noted how much the store holds. */
  readonly tally?: TallyFile
  /** What this replica takes part in (sets.ts); left out, everything. */
  readonly sets?: readonly string[]
  /** What live intake takes of one owner or actor; no bounds when left out. */
  readonly quota?: Quota
  /** Left out: frames are stored as they are. */
  readonly codec?: Codec
  readonly log?: Log
  /** Told of every answer of `admit`: for counting. Must not throw. */
  readonly onAdmitted?: (admitted: Admitted, source: Source) => void
}

/** `trusted`: it showed the node's own token, and no quota holds for it. */
export type Source = {
  readonly via: 'gossip' | 'sync' | 'http' | 'file'
  readonly peer?: string
  readonly trusted?: boolean
}
export type Verdict = 'applied' | 'duplicate' | 'pending' | 'refused'
export type OpResult = { readonly op: OpId; readonly verdict: Verdict; readonly reason?: string }
export type Admitted = {
  /** One per op whose frame could be read, in order. */
  readonly results: readonly OpResult[]
  /** Frames refused as a whole: position in the call, reason. */
  readonly refusedFrames: readonly { readonly at: number; readonly reason: string }[]
  /** Every frame was read and its signature checked: what was held already is not, and is not to be passed on. */
  readonly verified: boolean
  /** Ops held before that had to be merged again: whoever streams what causes much of it is to be slowed (merge-budget.ts). */
  readonly mergedOps: number
  /** Parents that pending ops wait for and we lack: ask the sender. */
  readonly missing: readonly OpId[]
  /** True when an honest peer never sends this (malformed, bad signature, wrong record, ...). */
  readonly misbehaved: boolean
}

/** What a local write wants, decided on the record as it is at that moment, inside the one writer. */
export type Intent = ToWrite | { readonly do: 'nothing' } | { readonly do: 'refuse'; readonly problem: unknown }
export type LocalWrite = {
  /** The record to write; for a genesis, kind and slug name it (owner = our key). */
  readonly record: RecordId
  readonly kind: string
  readonly slug: string
  /** Whose record; ours when left out. Of another's, our key needs a grant that covers the write. */
  readonly owner?: Owner
  readonly decide: (before: Merged | undefined) => Intent
}
/** Ops of an owner's authority record, decided on it as it is at that moment, and signed by our key. */
export type LocalAuthorisation = {
  readonly authority: Owner
  readonly decide: (authority: OwnerAuthority) => readonly AuthorityDraft[]
}
/** `parents`: all heads when left out. What they reach in the authority record, a revoke keeps. */
export type AuthorityDraft = {
  readonly type: 'grant' | 'revoke' | 'keep'
  /** Or what makes it from the ids of the ops before it in the same list. */
  readonly body: Uint8Array | ((before: readonly OpId[]) => Uint8Array)
  readonly parents?: readonly OpId[]
}
export type WriteOutcome =
  | { readonly outcome: 'written'; readonly op: OpId; readonly before: Merged | undefined; readonly after: Merged }
  | { readonly outcome: 'unchanged'; readonly after: Merged | undefined }
  | { readonly outcome: 'refused'; readonly problem: unknown; readonly before: Merged | undefined }
  /** Our key may not make this write: the record is another's, and no grant covers it. */
  | { readonly outcome: 'not-authorised'; readonly before: Merged | undefined }
  /** This replica takes no part in the record's kind and owner: no peer would ask it for the write. */
  | { readonly outcome: 'outside'; readonly before: Merged | undefined }

export type Appended = {
  /** Arrival numbers of the new ops, first and last. */
  readonly first: number
  readonly last: number
  readonly local: boolean
  readonly frames: readonly { readonly frame: ParsedFrame; readonly seq: number; readonly origin?: string }[]
  /** Each changed record, as merged now, and as it lies on the disk (crdt encodeMerged). */
  readonly records: readonly { readonly merged: Merged; readonly row: Uint8Array }[]
}

/** Records of one kind (or all), live or not, by id, from after `after`. */
export type ListOptions = {
  readonly kind?: string
  readonly after?: RecordId
  readonly limit: number
  readonly live?: boolean
  /** Told of those that are damaged and cannot be merged again yet; left out, they reject as for `records`. */
  readonly broken?: (id: RecordId) => void
}

export type Change = {
  readonly seq: number
  readonly op: OpId
  readonly kind: string
  readonly record: RecordId
  readonly type: string
  readonly actor: ActorKey
  readonly w: number
}

export type Health = {
  /**
   * 'differs': the ops on disk are not those that the last shutdown, or the last commit, counted. After a quick start it
   * may turn out a moment after `ready`.
   */
  readonly set: 'loading' | 'good' | 'differs'
  /** Rows that did not read back as written. Their ops are not served, and are taken again from any peer. */
  readonly damagedFrames: number
  readonly damagedOps: number
  /** Records in which the journal knows an op of our own that the store lacks: not signed in until it arrives. */
  readonly forkedRecords: number
  /** Frames kept aside, with ops that build on others that are lost: taken in when those have come. */
  readonly waitingFrames: number
  /** Ops that were there at the last tally and were gone at open; 0 once the set was found equal to a peer's. */
  readonly lostOps: number
  /** What looking after an unclean end took before the set was good, in ms; 0 after a clean one. */
  readonly checkMs: number
  /** When the last whole reading of the store began, by the clock's monotonic time; missing before the end of the first. */
  readonly sweptAt?: number
  /** The store came from a backup, or its signing journal was lost, and it has met no peer since: nothing is signed. */
  readonly restored?: true
}

export interface ReplicaFace extends AsyncDisposable {
  readonly net: NetworkId
  /** New when the arrival log starts anew; a peer's cursor is good only within one epoch. 32 hex digits. */
  readonly epoch: string
  readonly actor: ActorKey | undefined
  /** The op set is loaded and compared with what the last shutdown stored; root() and sync wait for it, reads do not. */
  readonly ready: Promise<void>
  /** Ops held; last arrival number (monotonic, starts at 1); records that are live, by kind. */
  counts(): { readonly ops: number; readonly seq: number; readonly records: Readonly<Record<string, number>> }
  /** SPEC.md section 8; 32 hex digits. */
  root(): string
  pending(): { readonly ops: number; readonly bytes: number }
  health(): Health
  /** Ids of ops whose copy on disk is damaged: ask any peer for them, `admit` stores them again. */
  damaged(limit: number): readonly OpId[]

  /** Strangers' frames in, verdicts out; never throws for what they hold. Durable enough to be fetched again; `sync: true` waits for the disk. */
  admit(frames: readonly Uint8Array[], source: Source, options?: { sync?: boolean }): Promise<Admitted>
  /** Our own writes: signed in batches of up to 256, acknowledged after one synced commit for all that wait. Outcomes in order. */
  write(writes: readonly LocalWrite[]): Promise<readonly WriteOutcome[]>
  /** The same for authority ops; their ids in order, or undefined when our key may not sign one of them: then none is. */
  authorise(authorisation: LocalAuthorisation): Promise<readonly OpId[] | undefined>
  /** Who may write an owner's records. A snapshot: later ops make another. */
  authority(owner: Owner): Promise<OwnerAuthority>
  /** Whose authority record this is; undefined when no op of it is held. */
  ownerOfAuthority(record: RecordId): Promise<Owner | undefined>
  /** Each record that has an op that relies on `via`, and its ops: NodeError('store-corrupt') when some are damaged. */
  relying(via: OpId): AsyncIterable<{ readonly record: Merged; readonly ops: () => Promise<readonly Op[]> }>
  /** Grants, rotates and identities whose records are still to be merged again. */
  rejudging(): number
  /** When each of these ops arrived: its number; undefined when it is not held. */
  arrivals(ids: readonly OpId[]): Promise<readonly (number | undefined)[]>
  /** Subscribes to what was appended, in order, after it is on disk. Returns how to stop. */
  onAppended(call: (appended: Appended) => void): () => void

  record(id: RecordId): Promise<Merged | undefined>
  /** The record if it is in memory, at once; undefined says nothing about whether there is one. */
  peek(id: RecordId): Merged | undefined
  /** NodeError('store-corrupt') when one is damaged and cannot be merged again before peers have sent its ops. */
  records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]>
  /** The same for whoever can do without that one. */
  recordsOrBroken(ids: readonly RecordId[]): Promise<(Merged | undefined | 'broken')[]>
  list(options: ListOptions): Promise<readonly Merged[]>
  has(ids: readonly OpId[]): Promise<readonly boolean[]>
  /** Held, or refused by this node's policy or put off by its clock: nothing that a peer need send. */
  knows(ids: readonly OpId[]): Promise<readonly boolean[]>
  /** Which of these peers do not get from us when they ask for them, though we know them. */
  withholds(ids: readonly OpId[]): Promise<readonly boolean[]>
  /** The operator's lists. They change by `block`, `unblock` and `policy.setQuota`. */
  readonly policy: Policy
  /**
   * From now on nothing of it is taken, served or shown. NodeError('busy') when the list is full; RangeError for the
   * node's own key.
   */
  block(target: Target, reason?: string): Promise<void>
  /** Takes that back; what was refused meanwhile is then asked of peers again. False when it was not blocked. */
  unblock(target: Target): Promise<boolean>
  /** Held and not shown, by its own id or its owner's; or not held and blocked by its id. */
  isBlocked(record: RecordId): Promise<boolean>
  /** Records of this target, or the one that it is, whether they are shown or not. Reads every record. */
  recordsOf(target: Target): AsyncIterable<RecordId>
  /** Ops that are known and not held or not served, for policy says so. */
  withheldOps(): number
  /** What went in so far of an owner or actor. */
  usage(owner: Owner): Promise<Usage>
  /**
   * Ops that this node's policy refuses, held or not: from now on, over restarts, they are known and not served, so that
   * roots still agree with nodes of another policy.
   */
  withhold(ops: readonly ({ readonly id: OpId } & Withheld)[]): Promise<void>
  /** Takes that back; those not held are then asked of peers again. */
  release(ids: readonly OpId[]): Promise<void>
  /** What this replica takes part in, by name: `all`, or `authority` and some kinds and owners. */
  readonly sets: readonly string[]
  /**
   * The ids of a set as it is compared with peers; undefined for what is no set. `keeps` says whether they are at hand:
   * else all ids are read for it. NodeError('busy') while they are still being sorted.
   */
  reconciled(set: string): Promise<ReconciledSet | undefined>
  keeps(set: string): boolean
  op(id: OpId): Promise<Op | undefined>
  /** Frames that carry exactly these ops (those of them we hold and serve), re-hashed; at most `bytesMax` in all, the rest in `left`. */
  frames(ids: readonly OpId[], bytesMax?: number): Promise<{ frames: Uint8Array[]; left: OpId[] }>
  /** The record's ops, newest first (children before parents; by w, then id). */
  history(record: RecordId, options: { limit: number; after?: OpId }): Promise<{ items: readonly Op[]; next?: OpId }>
  /** Ops in arrival order after `since`. */
  changes(since: number, limit: number): Promise<readonly Change[]>
  /**
   * The arrival log as frames, in order, from after `since`, leaving out frames that came from `notFrom`, ops that are not
   * in `of` and ops that are not served. `seq` is the last arrival
   * number covered so far (also by what was left out).
   */
  log(
    since: number,
    options?: { notFrom?: string; of?: { has(id: OpId, record: RecordId): boolean } },
  ): AsyncIterable<{ readonly seq: number; readonly bytes: Uint8Array; readonly ids: readonly OpId[] }>
  /** SPEC.md, "State hash"; walks every record. */
  stateHash(): Promise<string>
  /** Small durable rows of other parts: sync cursors, known peers. */
  note(name: string): Promise<Uint8Array | undefined>
  setNote(name: string, value: Uint8Array | undefined, options?: { readonly sync?: boolean }): Promise<void>
  /**
   * The record as the ops made it that had arrived by each of these numbers (undefined: none had). Undefined as a whole
   * for a record with very many ops, or erased or damaged ones.
   */
  statesAt(record: RecordId, seqs: readonly number[]): Promise<readonly (Merged | undefined)[] | undefined>
  /** Records that the op of this owner's authority record with this arrival number made other than they were. */
  touchedAt(owner: Owner, seq: number): Promise<readonly RecordId[]>
}
