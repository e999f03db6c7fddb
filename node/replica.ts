/**
 * A replica: the set of ops this node holds, the records they make, and the one way in for more.
 *
 *   strangers   frames -> authenticate (admit.ts) -> settle (settle.ts) \
 *                                                                        one writer (writer.ts) -> one batch (append.ts, store.ts)
 *   ourselves   writes -> decide, sign (write.ts)                       /
 *
 *   records out (reading.ts)   ops out to peers (serving.ts)   the operator's lists (blocking.ts)
 *   may our key sign (signing.ts)   what time brings (wake.ts, sweep.ts, readmission.ts)
 *
 * This file opens those parts, binds them together and closes them. Clock, chance, disk and signatures are arguments, so
 * that a simulation runs this very code. Reads answer from what is on disk and never wait for the writer. The replica
 * closes nothing it was given: whoever opened the disk closes it.
 */
import type { Merged, NetworkId, Op, OpId, Owner, OwnerAuthority, RecordId } from '../crdt/index.ts'
import { Admission } from './admit.ts'
import { hasAside } from './aside.ts'
import { Blocking } from './blocking.ts'
import { NodeError } from './errors.ts'
import { HeldOps } from './held-ops.ts'
import { arrivalsSince } from './id-log.ts'
import type { Withheld } from './id-rows.ts'
import { beginJournal, completeJournal, mustMeetPeer, noteJournal, noteSigning } from './journal-note.ts'
import { OpSet } from './op-set.ts'
import { Policy, type Target } from './policy.ts'
import { PolicyView } from './policy-view.ts'
import type { Usage } from './quota.ts'
import { Reading } from './reading.ts'
import { Readmission } from './readmission.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type {
  Admitted,
  Appended,
  Change,
  Codec,
  Health,
  Journal,
  ListOptions,
  LocalAuthorisation,
  LocalWrite,
  Log,
  ReplicaFace,
  ReplicaOptions,
  Source,
  WriteOutcome,
} from './replica-types.ts'
import { Scope } from './scope.ts'
import { type LogOptions, Serving } from './serving.ts'
import { type Belonging, isSetName } from './sets.ts'
import { Signing } from './signing.ts'
import { touchedAt } from './states-at.ts'
import { Store } from './store.ts'
import { Sweep } from './sweep.ts'
import { lostSince, Tallying } from './tally.ts'
import { untilDone } from './until-done.ts'
import { Wake } from './wake.ts'
import { Writer } from './writer.ts'

/** What is known before the parts are made. `hasAside`: frames wait to be taken in again. */
type Begun = {
  readonly policy: Policy
  readonly isRestored: boolean
  readonly lostOps: number
  readonly hasAside: boolean
}

export class Replica implements ReplicaFace {
  readonly net: NetworkId
  readonly epoch: string
  readonly actor: string | undefined
  readonly ready: Promise<void>
  readonly policy: Policy
  readonly #view: PolicyView
  readonly #log: Log
  readonly #admitted: (admitted: Admitted, source: Source) => void
  readonly #store: Store
  readonly #set: OpSet
  readonly #held: HeldOps
  readonly #scope: Scope
  readonly #admission: Admission
  readonly #writer: Writer
  readonly #journal: Journal | undefined
  readonly #signing: Signing
  readonly #reading: Reading
  readonly #serving: Serving
  readonly #blocking: Blocking
  readonly #wake: Wake
  readonly #sweep: Sweep
  readonly #readmission: Readmission
  readonly #readmitted: Promise<void>
  readonly #tallying: Tallying | undefined
  readonly #subscribers = new Set<(appended: Appended) => void>()
  readonly #closing = new AbortController()
  /** Where some ops belong could not be told, for their record is damaged. */
  #isUnsure = false
  #lostOps: number
  #checkMs = 0

  /**
   * Opens what is on the disk, or begins anew. Resolves before the op set is loaded (`ready`).
   *
   * NodeError: 'wrong-network', 'store-format', 'store-corrupt', or what the disk says.
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { disk, environment, net, suite, codec = asIs, log = silent } = options
    const store = await Store.open({ disk, environment, net, sha256: suite.sha256, codec, log })
    const lostOps = await lostSince(options.tally, store, environment.random, log)
    const isRestored = await mustMeetPeer(store, options, log)
    const policy = await Policy.open(store, { quota: options.quota, own: options.signer?.key })
    const replica = new Replica(options, store, { policy, isRestored, lostOps, hasAside: await hasAside(disk) }, log)
    try {
      // Until what is there is taken in again, this is not the store that it was: nobody sees it before.
      await replica.#readmitted
      return replica
    } catch (error) {
      await replica[Symbol.asyncDispose]().catch(() => {})
      throw error
    }
  }

  private constructor(
    options: ReplicaOptions,
    store: Store,
    { policy, isRestored, lostOps, hasAside }: Begun,
    log: Log,
  ) {
    const { environment, net, signer, journal, suite, checker, disk, codec = asIs } = options
    const { clock } = environment
    const { sha256 } = suite
    const { signal } = this.#closing
    const retry = { clock, log, signal }
    const loaded = () => this.ready
    const alone = (work: () => Promise<void>) => this.#writer.alone(work)
    this.net = net
    this.epoch = store.meta.epoch
    this.actor = signer?.key
    this.policy = policy
    this.#log = log
    this.#admitted = options.onAdmitted ?? (() => {})
    this.#lostOps = lostOps
    this.#store = store
    this.#journal = signer && journal
    const unsure = () => {
      this.#isUnsure = true
    }
    const set = new OpSet({ disk, clock, sha256, log, opsSince: (seq) => arrivalsSince(store, seq, unsure) })
    this.#set = set
    this.#held = new HeldOps(store, set)
    const held = (ids: readonly OpId[]) => this.#held.hasOrRefuses(ids)
    const parking = {
      park: (id: OpId, of: Belonging) => set.park(id, of),
      unpark: (id: OpId) => set.unpark(id),
    }
    const scope = new Scope(options.sets)
    this.#scope = scope
    this.#admission = new Admission({ net, sha256, clock, checker, held, parking, scope, policy, withheld: set })
    const { pending } = this.#admission
    this.#signing = new Signing({
      journal: this.#journal,
      held: (ids) => this.has(ids),
      isRestored,
      complete: (journal) => completeJournal(journal, store, signer!.key),
      begin: (journal) => beginJournal(journal, store, signer!.key),
      unmark: () => noteSigning(journal, store),
      retry,
    })
    const isForked = (record: RecordId) => this.#signing.isForked(record)
    this.#writer = new Writer({
      store,
      set,
      admission: this.#admission,
      author: signer && { net, sha256, clock, signer, isForked, scope },
      journal,
      log,
      retry,
      loaded,
      appended: (change) => this.#appended(change),
    })
    this.#view = new PolicyView(policy, store)
    this.#reading = new Reading(store, this.#view)
    this.#serving = new Serving({ store, set, policy, view: this.#view, pending })
    this.#blocking = new Blocking({ policy, store, set, clock, log, alone, loaded })
    this.#readmission = new Readmission({
      disk,
      net,
      sha256,
      codec,
      clock,
      log,
      signal,
      // As catch-up does, which brings children before parents too, and knows of no quota.
      admit: async (frames, origin) => {
        const source: Source = { via: 'sync', ...(origin !== undefined && { peer: origin }) }
        return this.#writer.admit(await this.#admission.authenticate(frames, source), true)
      },
    })
    this.#sweep = new Sweep({ disk, store, set, clock, log, alone, onPass: () => this.#renewSets() })
    this.#readmitted = hasAside ? this.#readmission.run() : Promise.resolve()
    const { counts, marker } = store
    this.ready = untilDone('load what is on disk', () => set.load(counts, marker, signal), retry)
    const complete = Promise.all([this.ready, this.#readmitted])
    this.#signing.start(complete)
    if (options.tally) this.#tallying = new Tallying({ file: options.tally, clock, log, now: () => store.synced })
    const began = clock.monotonic()
    void complete.then(
      () => {
        if (marker === undefined && counts.ops > 0) {
          this.#checkMs = store.checkMs + clock.monotonic() - began
          const facts = { ops: counts.ops, set: set.state, ms: Math.round(this.#checkMs) }
          log('info', 'the last end was not a clean one; what is on disk was checked', facts)
        }
        this.#tallying?.start()
        this.#sweep.start()
      },
      () => {}, // the open failed, and says why
    )
    void store
      .waiting()
      .then((vias) => this.#writer.rejudge(vias))
      .catch((error) => log('warn', "couldn't merge records again", { error: String(error) }))
    this.#wake = new Wake({ writer: this.#writer, pending, clock, log, signal })
    this.#wake.tidy()
    store.onDamage(() => {
      this.#signing.compareSoon()
      this.#renewSets()
    })
  }

  counts() {
    return this.#store.counts
  }

  root(): string {
    const root = this.#set.root()
    if (root === undefined) throw new NodeError('busy', 'the op set is still being loaded')
    return root
  }

  pending(): { readonly ops: number; readonly bytes: number } {
    this.#admission.pending.expire()
    const { ops, bytes } = this.#admission.pending
    return { ops, bytes }
  }

  health(): Health {
    const { frames, ops } = this.#store.damage
    return {
      set: this.#set.state,
      damagedFrames: frames,
      damagedOps: ops,
      forkedRecords: this.#signing.forkedRecords,
      waitingFrames: this.#readmission.waiting,
      lostOps: this.#lostOps,
      checkMs: Math.round(this.#checkMs),
      ...(this.#sweep.sweptAt !== undefined && { sweptAt: this.#sweep.sweptAt }),
      ...(this.#signing.isRestored && { restored: true }),
    }
  }

  damaged(limit: number): readonly OpId[] {
    return this.#store.damaged(limit)
  }

  async admit(frames: readonly Uint8Array[], source: Source, options?: { sync?: boolean }): Promise<Admitted> {
    const arrived = await this.#admission.authenticate(frames, source)
    const admitted = await this.#writer.admit(arrived, options?.sync === true)
    this.#wake.parked()
    this.#admitted(admitted, source)
    return admitted
  }

  /**
   * A write that cannot be made (a body no replica would take, a record that is not ours, NodeError('key-journal'))
   * rejects the call, and the other writes of the call stand: repeat it, and they answer as unchanged.
   */
  async write(writes: readonly LocalWrite[]): Promise<readonly WriteOutcome[]> {
    await this.#signing.compared
    if (writes.length > 0) this.#signing.check()
    return this.#writer.write(writes)
  }

  async authorise(authorisation: LocalAuthorisation): Promise<readonly OpId[] | undefined> {
    await this.#signing.compared
    this.#signing.check()
    return this.#writer.authorise(authorisation)
  }

  /** A peer's set was found equal to ours: what was lost is back. */
  metPeer(): void {
    this.#lostOps = 0
    this.#signing.metPeer()
  }

  authority(owner: Owner): Promise<OwnerAuthority> {
    return this.#store.authority(owner)
  }

  ownerOfAuthority(record: RecordId): Promise<Owner | undefined> {
    return this.#store.ownerOfAuthority(record)
  }

  touchedAt(owner: Owner, seq: number): Promise<readonly RecordId[]> {
    return touchedAt(this.#store, owner, seq)
  }

  rejudging(): number {
    return this.#writer.rejudging
  }

  onAppended(call: (appended: Appended) => void): () => void {
    // Its own function each time, so that one callback may be subscribed twice.
    const subscriber = (appended: Appended) => call(appended)
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  peek(id: RecordId): Merged | undefined {
    return this.#reading.peek(id)
  }

  record(id: RecordId): Promise<Merged | undefined> {
    return this.#reading.record(id)
  }

  records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]> {
    return this.#reading.records(ids)
  }

  recordsOrBroken(ids: readonly RecordId[]): Promise<(Merged | undefined | 'broken')[]> {
    return this.#reading.recordsOrBroken(ids)
  }

  list(options: ListOptions): Promise<readonly Merged[]> {
    return this.#reading.list(options)
  }

  op(id: OpId): Promise<Op | undefined> {
    return this.#reading.op(id)
  }

  history(record: RecordId, page: { limit: number; after?: OpId }): Promise<{ items: readonly Op[]; next?: OpId }> {
    return this.#reading.history(record, page)
  }

  changes(since: number, limit: number): Promise<readonly Change[]> {
    return this.#reading.changes(since, limit)
  }

  arrivals(ids: readonly OpId[]): Promise<readonly (number | undefined)[]> {
    return this.#reading.arrivals(ids)
  }

  statesAt(record: RecordId, seqs: readonly number[]): Promise<readonly (Merged | undefined)[] | undefined> {
    return this.#reading.statesAt(record, seqs)
  }

  relying(via: OpId): AsyncIterable<{ readonly record: Merged; readonly ops: () => Promise<readonly Op[]> }> {
    return this.#reading.relying(via)
  }

  stateHash(): Promise<string> {
    return this.#reading.stateHash()
  }

  has(ids: readonly OpId[]): Promise<readonly boolean[]> {
    return this.#held.has(ids)
  }

  knows(ids: readonly OpId[]): Promise<readonly boolean[]> {
    return this.#held.knows(ids)
  }

  withholds(ids: readonly OpId[]): Promise<readonly boolean[]> {
    return this.#serving.withholds(ids)
  }

  frames(ids: readonly OpId[], bytesMax?: number): Promise<{ frames: Uint8Array[]; left: OpId[] }> {
    return this.#serving.frames(ids, bytesMax)
  }

  log(since: number, options?: LogOptions) {
    return this.#serving.log(since, options)
  }

  block(target: Target, reason?: string): Promise<void> {
    return this.#blocking.block(target, reason)
  }

  unblock(target: Target): Promise<boolean> {
    return this.#blocking.unblock(target)
  }

  isBlocked(record: RecordId): Promise<boolean> {
    return this.#blocking.isBlocked(record)
  }

  recordsOf(target: Target): AsyncIterable<RecordId> {
    return this.#blocking.recordsOf(target)
  }

  usage(owner: Owner): Promise<Usage> {
    return this.#blocking.usage(owner)
  }

  withhold(ops: readonly ({ readonly id: OpId } & Withheld)[]): Promise<void> {
    return this.#blocking.withhold(ops)
  }

  release(ids: readonly OpId[]): Promise<void> {
    return this.#blocking.release(ids)
  }

  withheldOps(): number {
    return this.#set.withheldOps
  }

  get sets(): readonly string[] {
    return this.#scope.sets
  }

  async reconciled(name: string): Promise<ReconciledSet | undefined> {
    await this.ready
    return isSetName(name) ? this.#set.part(name) : undefined
  }

  keeps(name: string): boolean {
    return this.#set.isKept(name)
  }

  note(name: string): Promise<Uint8Array | undefined> {
    return this.#store.note(name)
  }

  setNote(name: string, value: Uint8Array | undefined, options?: { readonly sync?: boolean }): Promise<void> {
    return this.#store.setNote(name, value, options)
  }

  /** Finishes what waits for the disk and leaves the mark of a clean shutdown. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#wake.close()
    this.#readmission.close()
    await this.#sweep.close()
    await this.#writer.close()
    this.#subscribers.clear()
    this.#closing.abort()
    await this.#signing.compared.catch(() => {})
    await this.ready
    const root = this.#set.rootAtRest()
    await this.#set.close()
    if (this.#journal?.size && !this.#signing.isRestored) await noteJournal(this.#journal, this.#store)
    // Without the whole set there is nothing to compare with; the next open then counts, as after a crash.
    if (root !== undefined && this.#set.state === 'good') await this.#store.writeMarker(root)
    await this.#tallying?.close()
  }

  #appended(all: Appended): void {
    const records = all.records.filter(({ merged }) => this.#view.shown(merged) !== undefined)
    const appended = records.length === all.records.length ? all : { ...all, records }
    for (const { frame } of appended.frames) for (const { op } of frame.entries) this.#signing.arrived(op)
    this.#readmission.soon()
    for (const call of this.#subscribers) {
      try {
        call(appended)
      } catch (error) {
        this.#log('error', 'a subscriber to appended ops failed', { error: String(error) })
      }
    }
  }

  /** Once nothing is damaged any more, what could not be told of damaged records can. */
  #renewSets(): void {
    const { frames, ops } = this.#store.damage
    if (!this.#isUnsure || frames + ops > 0 || this.#closing.signal.aborted) return
    this.#isUnsure = false
    this.#set.renew(this.#store.counts.seq, this.#closing.signal).catch((error) => {
      this.#isUnsure = true
      if (!this.#closing.signal.aborted)
        this.#log('warn', "couldn't sort the ids by kind and owner", { error: String(error) })
    })
  }
}

const silent: Log = () => {}
const asIs: Codec = { compress: (bytes) => bytes, decompress: (bytes) => bytes }
