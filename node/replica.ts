/**
 * A replica: the set of ops this node holds, the records they make, and the one way in for more.
 *
 *   strangers   frames -> authenticate (admit.ts) -> settle (settle.ts) \
 *                                                                        one writer (writer.ts) -> one batch (append.ts, store.ts)
 *   ourselves   writes -> decide, sign (write.ts)                       /
 *
 * Clock, chance, disk and signatures are arguments, so that a simulation runs this very code. Reads answer from what is
 * on disk and never wait for the writer. The replica closes nothing it was given: whoever opened the disk closes it.
 */
import {
  type Merged,
  type NetworkId,
  OP_TYPES,
  type Op,
  type OpId,
  type Owner,
  type OwnerAuthority,
  type RecordId,
  recordStateHash,
  SEM,
  selectFromFrame,
  stateHash,
  toHex,
} from '../crdt/index.ts'
import { Admission } from './admit.ts'
import { hasAside } from './aside.ts'
import { type Clock, sleep } from './environment.ts'
import { NodeError } from './errors.ts'
import { forkedRecords, missingFrom } from './forks.ts'
import { historyOf } from './history.ts'
import { arrivalsSince } from './id-log.ts'
import type { Withheld } from './id-rows.ts'
import {
  framesAnswerBytesMax,
  loadRetryMs,
  loadRetryMsMax,
  parkedCheckMs,
  policyReleaseOps,
  rejudgeRecords,
  tidyMs,
} from './limits.ts'
import { OpSet } from './op-set.ts'
import { BLOCKED, Policy, type Target } from './policy.ts'
import { PolicyView } from './policy-view.ts'
import type { Usage } from './quota.ts'
import { Readmission } from './readmission.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type {
  Admitted,
  Appended,
  Change,
  Codec,
  Health,
  Journal,
  JournalEntry,
  LocalAuthorisation,
  LocalWrite,
  Log,
  ReplicaFace,
  ReplicaOptions,
  Source,
  WriteOutcome,
} from './replica-types.ts'
import { RESTORED } from './rows.ts'
import { Scope } from './scope.ts'
import { type Belonging, isSetName } from './sets.ts'
import { statesAt, touchedAt } from './states-at.ts'

import { Store } from './store.ts'
import { Sweep } from './sweep.ts'
import { Tallying } from './tally.ts'
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
  readonly #clock: Clock
  readonly #log: Log
  readonly #admitted: (admitted: Admitted, source: Source) => void
  readonly #store: Store
  readonly #set: OpSet
  readonly #scope: Scope
  readonly #admission: Admission
  readonly #writer: Writer
  /** Own ops that the journal knows and the store lacks, with their records. */
  readonly #forked = new Map<OpId, RecordId>()
  #isRestored: boolean
  readonly #subscribers = new Set<(appended: Appended) => void>()
  readonly #closing = new AbortController()
  readonly #sweep: Sweep
  readonly #readmission: Readmission
  #isComparing = false
  /** Where some ops belong could not be told, for their record is damaged. */
  #isUnsure = false
  readonly #tallying: Tallying | undefined
  #lostOps: number
  #checkMs = 0
  readonly #readmitted: Promise<void>
  /** Local writes wait for it: before, the journal has not been compared. */
  readonly #journalRead: Promise<void>
  #cancelTimer: (() => void) | undefined
  #cancelTidy: (() => void) | undefined

  /**
   * Opens what is on the disk, or begins anew. Resolves before the op set is loaded (`ready`).
   *
   * NodeError: 'wrong-network', 'store-format', 'store-corrupt', or what the disk says.
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { disk, environment, net, suite, codec = asIs, log = silent } = options
    const store = await Store.open({ disk, environment, net, sha256: suite.sha256, codec, log })
    const lostOps = await lostSince(store, options, log)
    const isRestored = (await store.note(RESTORED)) !== undefined
    if (isRestored) log('warn', 'this store was restored from a backup; nothing is signed until a peer was met')
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
    this.#lostOps = lostOps
    this.#isRestored = isRestored
    const { environment, net, signer, journal, suite, checker, disk } = options
    const { clock } = environment
    this.net = net
    this.epoch = store.meta.epoch
    this.actor = signer?.key
    this.policy = policy
    this.#view = new PolicyView(policy, store)
    this.#clock = clock
    this.#log = log
    this.#admitted = options.onAdmitted ?? (() => {})
    this.#store = store
    const unsure = () => {
      this.#isUnsure = true
    }
    this.#set = new OpSet({ disk, sha256: suite.sha256, log, opsSince: (seq) => arrivalsSince(store, seq, unsure) })
    const parking = {
      park: (id: OpId, of: Belonging) => this.#set.park(id, of),
      unpark: (id: OpId) => this.#set.unpark(id),
    }
    const withheld = this.#set
    const held = async (ids: readonly OpId[]) => {
      return (await this.has(ids)).map((isHeld, at) => isHeld || withheld.isWithheld(ids[at]!))
    }
    this.#scope = new Scope(options.sets)
    const scope = this.#scope
    const { sha256 } = suite
    this.#admission = new Admission({ net, sha256, clock, checker, held, parking, scope, policy, withheld })
    const isForked = (record: RecordId) => this.#forked.size > 0 && [...this.#forked.values()].includes(record)
    const author = signer && { net, sha256: suite.sha256, clock, signer, isForked, scope }
    const appended = (change: Appended) => this.#appended(change)
    this.#writer = new Writer({
      store,
      set: this.#set,
      admission: this.#admission,
      author,
      journal,
      log,
      loaded: () => this.ready,
      appended,
    })
    this.#readmission = new Readmission({
      disk,
      net,
      sha256,
      codec: options.codec ?? asIs,
      clock,
      log,
      signal: this.#closing.signal,
      // As catch-up does, which brings children before parents too, and knows of no quota.
      admit: async (frames, origin) => {
        const source: Source = { via: 'sync', ...(origin !== undefined && { peer: origin }) }
        return this.#writer.admit(await this.#admission.authenticate(frames, source), true)
      },
    })
    const alone = (work: () => Promise<void>) => this.#writer.alone(work)
    this.#sweep = new Sweep({ disk, store, set: this.#set, clock, log, alone, onPass: () => this.#renewSets() })
    this.#readmitted = hasAside ? this.#readmission.run() : Promise.resolve()
    const { counts, marker } = store
    this.ready = this.#until('load what is on disk', () => this.#set.load(counts, marker, this.#closing.signal))
    this.#journalRead =
      journal === undefined
        ? Promise.resolve()
        : Promise.all([this.ready, this.#readmitted]).then(() =>
            this.#until('compare the signing journal', () => this.#readJournal(journal)),
          )
    if (options.tally) this.#tallying = new Tallying({ file: options.tally, clock, log, now: () => store.synced })
    const began = clock.monotonic()
    void Promise.all([this.ready, this.#readmitted]).then(
      () => {
        if (marker === undefined && counts.ops > 0) {
          this.#checkMs = store.checkMs + clock.monotonic() - began
          const facts = { ops: counts.ops, set: this.#set.state, ms: Math.round(this.#checkMs) }
          log('info', 'the last end was not a clean one; what is on disk was checked', facts)
        }
        this.#tallying?.start()
        this.#sweep.start()
      },
      () => {}, // the open failed, and says why
    )
    // Whoever opens it hears of it; an unheard rejection would end the process.
    this.#journalRead.catch(() => {})
    void this.#store
      .waiting()
      .then((vias) => this.#writer.rejudge(vias))
      .catch((error) => log('warn', "couldn't merge records again", { error: String(error) }))
    this.#tidy()
    store.onDamage(() => {
      if (journal !== undefined) this.#compareSoon(journal)
      this.#renewSets()
    })
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

  /** Damage may have hit what our key has signed: until that is back, it signs nothing on top. */
  #compareSoon(journal: Journal): void {
    if (this.#isComparing || this.#closing.signal.aborted) return
    this.#isComparing = true
    this.#journalRead
      .then(() => missingFrom(journal, (ids) => this.has(ids)))
      .then((missing) => this.#setForked(missing))
      .catch((error) => this.#log('warn', "couldn't compare the signing journal", { error: String(error) }))
      .finally(() => {
        this.#isComparing = false
      })
  }

  /** Does what a start needs; where the disk refuses a read, again and again, so that nobody has to start the node anew. */
  async #until(what: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing
    for (let waitMs = loadRetryMs; !signal.aborted; waitMs = Math.min(2 * waitMs, loadRetryMsMax)) {
      try {
        await work()
        return
      } catch (error) {
        this.#log('error', `couldn't ${what}; it is tried again`, { error: String(error), wait_ms: waitMs })
      }
      await sleep(this.#clock, waitMs, signal)
    }
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
    const forked = new Set(this.#forked.values()).size
    const restored = this.#isRestored && ({ restored: true } as const)
    return {
      set: this.#set.state,
      damagedFrames: frames,
      damagedOps: ops,
      forkedRecords: forked,
      waitingFrames: this.#readmission.waiting,
      lostOps: this.#lostOps,
      checkMs: Math.round(this.#checkMs),
      ...(this.#sweep.sweptAt !== undefined && { sweptAt: this.#sweep.sweptAt }),
      ...restored,
    }
  }

  damaged(limit: number): readonly OpId[] {
    return this.#store.damaged(limit)
  }

  async admit(frames: readonly Uint8Array[], source: Source, options?: { sync?: boolean }): Promise<Admitted> {
    const arrived = await this.#admission.authenticate(frames, source)
    const admitted = await this.#writer.admit(arrived, options?.sync === true)
    this.#setTimer()
    this.#admitted(admitted, source)
    return admitted
  }

  /**
   * A write that cannot be made (a body no replica would take, a record that is not ours, NodeError('key-journal'))
   * rejects the call, and the other writes of the call stand: repeat it, and they answer as unchanged.
   */
  async write(writes: readonly LocalWrite[]): Promise<readonly WriteOutcome[]> {
    await this.#journalRead
    if (writes.length > 0) this.#checkMaySign()
    return this.#writer.write(writes)
  }

  /** A peer's set was found equal to ours: a store from a backup has what its key signed since, and may sign again. */
  metPeer(): void {
    this.#lostOps = 0
    if (!this.#isRestored) return
    this.#isRestored = false
    this.#log('info', 'the restored store has met a peer and signs again')
    this.setNote(RESTORED, undefined, { sync: true }).catch((error) =>
      this.#log('warn', "couldn't take the mark of a backup away; the next start waits for a peer again", {
        error: String(error),
      }),
    )
  }

  #checkMaySign(): void {
    if (!this.#isRestored) return
    throw new NodeError(
      'key-journal',
      'this store was restored from a backup, and its key may have signed more since: it signs again when it has met a peer',
    )
  }

  authority(owner: Owner): Promise<OwnerAuthority> {
    return this.#store.authority(owner)
  }

  ownerOfAuthority(record: RecordId): Promise<Owner | undefined> {
    return this.#store.ownerOfAuthority(record)
  }

  async authorise(authorisation: LocalAuthorisation): Promise<readonly OpId[] | undefined> {
    await this.#journalRead
    this.#checkMaySign()
    return this.#writer.authorise(authorisation)
  }

  async *relying(via: OpId): AsyncIterable<{ readonly record: Merged; readonly ops: () => Promise<readonly Op[]> }> {
    let after: RecordId | undefined
    do {
      const ids = await this.#store.relying(via, after, rejudgeRecords)
      after = ids.length < rejudgeRecords ? undefined : ids.at(-1)
      for (const record of await this.#store.records(ids)) {
        if (record === undefined) continue
        yield { record, ops: () => this.#allOps(record) }
      }
    } while (after !== undefined)
  }

  async #allOps(record: Merged): Promise<readonly Op[]> {
    const loaded = await this.#store.opsOf(record)
    if (!('damaged' in loaded)) return loaded.ops
    throw new NodeError('store-corrupt', `${loaded.damaged.length} ops of ${record.record} are damaged`)
  }

  rejudging(): number {
    return this.#writer.rejudging
  }

  async arrivals(ids: readonly OpId[]): Promise<readonly (number | undefined)[]> {
    return (await this.#store.locate(ids)).map((location) => location && location.seq + location.place)
  }

  onAppended(call: (appended: Appended) => void): () => void {
    // Its own function each time, so that one callback may be subscribed twice.
    const subscriber = (appended: Appended) => call(appended)
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  peek(id: RecordId): Merged | undefined {
    return this.#view.shown(this.#store.peek(id))
  }

  async record(id: RecordId): Promise<Merged | undefined> {
    return this.#view.shown(await this.#store.record(id))
  }

  async records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]> {
    const records = await this.#store.records(ids)
    return this.policy.isOpen ? records : records.map((record) => this.#view.shown(record))
  }

  async list(options: { kind?: string; after?: RecordId; limit: number; live?: boolean }): Promise<readonly Merged[]> {
    const { kind, after, limit, live } = options
    const found: Merged[] = []
    if (limit <= 0) return found
    for await (const merged of this.#store.recordsFrom(kind, after)) {
      if (live !== undefined && merged.live !== live) continue
      if (this.#view.shown(merged) === undefined) continue
      found.push(merged)
      if (found.length >= limit) break
    }
    return found
  }

  /** An op whose copy on disk is damaged counts as not held: it is to be fetched again. */
  async has(ids: readonly OpId[]): Promise<readonly boolean[]> {
    const known = ids.map((id) => (this.#store.isDamaged(id) ? false : this.#set.has(id)))
    const unknown = ids.filter((_, i) => known[i] === undefined)
    if (unknown.length === 0) return known as boolean[]
    const locations = (await this.#store.locate(unknown)).values()
    return known.map((held) => held ?? locations.next().value !== undefined)
  }

  async knows(ids: readonly OpId[]): Promise<readonly boolean[]> {
    const held = await this.has(ids)
    return ids.map((id, i) => held[i] || (this.#set.knows(id) === true && !this.#store.isDamaged(id)))
  }

  async withholds(ids: readonly OpId[]): Promise<readonly boolean[]> {
    const known = ids.map((id) => this.#set.isWithheld(id) || this.#store.isDamaged(id))
    if (this.policy.isOpen) return known
    const ops = await this.#store.ops(ids.filter((_, at) => !known[at]))
    const kept = await this.#view.keptBack([...ops.values()])
    return ids.map((id, at) => known[at] || kept.has(id))
  }

  async block(target: Target, reason?: string): Promise<void> {
    const at = this.#clock.now()
    await this.#writer.alone(() => this.policy.add({ ...target, at, ...(reason !== undefined && { reason }) }))
    this.#log('info', 'blocked', { target: target.name })
    this.policy.changed(target)
  }

  async unblock({ name }: Target): Promise<boolean> {
    await this.ready
    const block = this.policy.block(name)
    if (block === undefined) return false
    let released = 0
    await this.#writer.alone(() =>
      this.policy.remove(block, async () => {
        released = await this.#releaseUnblocked()
      }),
    )
    this.#log('info', 'not blocked any more', { target: name, ops_to_fetch: released })
    this.policy.changed(block)
    return true
  }

  async isBlocked(record: RecordId): Promise<boolean> {
    if (this.policy.isOpen) return false
    return this.policy.blocksRecord(record, (await this.#store.record(record))?.owner)
  }

  async *recordsOf(target: Target): AsyncIterable<RecordId> {
    if (target.is === 'record') yield target.name
    if (target.is !== 'did') return
    for await (const { record, owner } of this.#store.recordsFrom(undefined, undefined)) {
      if (owner === target.owner) yield record
    }
  }

  withheldOps(): number {
    return this.#set.withheldOps
  }

  async usage(owner: Owner): Promise<Usage> {
    return (await this.#store.usages([owner]))[0]!
  }

  /** What no list refuses any more is not known any more, so that peers bring it. Answers how many. */
  async #releaseUnblocked(): Promise<number> {
    let ids: OpId[] = []
    let released = 0
    for await (const [id, { reason, of, record, actor }] of this.#set.allWithheld()) {
      if (reason !== BLOCKED || of === undefined || record === undefined || actor === undefined) continue
      if (this.policy.blocksActor(actor) || this.policy.blocksRecord(record, of.owner)) continue
      ids.push(id)
      released++
      if (ids.length < policyReleaseOps) continue
      await this.#set.release(ids)
      ids = []
    }
    await this.#set.release(ids)
    return released
  }

  async withhold(ops: readonly ({ readonly id: OpId } & Withheld)[]): Promise<void> {
    await this.ready
    return this.#set.withhold(ops)
  }

  async release(ids: readonly OpId[]): Promise<void> {
    await this.ready
    return this.#set.release(ids)
  }

  async reconciled(name: string): Promise<ReconciledSet | undefined> {
    await this.ready
    return isSetName(name) ? this.#set.part(name) : undefined
  }

  keeps(name: string): boolean {
    return this.#set.isKept(name)
  }

  get sets(): readonly string[] {
    return this.#scope.sets
  }

  async op(id: OpId): Promise<Op | undefined> {
    return (await this.#store.ops([id])).get(id)
  }

  async frames(ids: readonly OpId[], bytesMax = framesAnswerBytesMax): Promise<{ frames: Uint8Array[]; left: OpId[] }> {
    const frames: Uint8Array[] = []
    const left: OpId[] = []
    let bytes = 0
    for (const [seq, some] of await this.#store.byFrame(ids.filter((id) => !this.#set.isWithheld(id)))) {
      const found = left.length > 0 ? undefined : await this.#store.frameWith(seq, some)
      if (left.length > 0) left.push(...some)
      if (found === undefined) continue
      const wanted = await this.#view.served(found.stored.frame, new Set(found.ids))
      if (wanted.size === 0) continue
      const part = selectFromFrame(found.stored.frame, wanted, this.#store.sha256)
      // The first goes whatever its size, or one that is larger than the bound would never go.
      if (frames.length > 0 && bytes + part.length > bytesMax) {
        left.push(...wanted)
        continue
      }
      frames.push(part)
      bytes += part.length
    }
    for (const id of ids) {
      // Put off here by the clock, and for whoever asks to judge by his own.
      const parked = this.#admission.pending.get(id)
      if (parked?.due === undefined || this.#set.isWithheld(id)) continue
      if (left.length > 0 || bytes > bytesMax) left.push(id)
      else {
        const part = selectFromFrame(parked.parcel.frame, new Set([id]), this.#store.sha256)
        frames.push(part)
        bytes += part.length
      }
    }
    return { frames, left }
  }

  async history(
    record: RecordId,
    options: { limit: number; after?: OpId },
  ): Promise<{ items: readonly Op[]; next?: OpId }> {
    const merged = await this.record(record)
    if (merged === undefined) return { items: [] }
    const loaded = await this.#store.opsOf(merged)
    if ('damaged' in loaded)
      throw new NodeError('store-corrupt', `${loaded.damaged.length} ops of record ${record} are damaged`)
    return historyOf(loaded.ops, options)
  }

  async changes(since: number, limit: number): Promise<readonly Change[]> {
    const found: { seq: number; op: Op }[] = []
    if (limit <= 0) return []
    for await (const { seq, frame } of this.#store.framesSince(since)) {
      const isShown = await this.#view.areShown(frame)
      for (const [place, { op }] of frame.entries.entries()) {
        if (seq + place > since && found.length < limit && isShown(op)) found.push({ seq: seq + place, op })
      }
      if (found.length >= limit) break
    }
    const ids = [...new Set(found.map(({ op }) => op.header.record))]
    const records = await this.#store.recordsOrBroken(ids)
    const kinds = new Map(records.map((record, i) => [ids[i]!, typeof record === 'object' ? record.kind : '']))
    return found.map(({ seq, op: { id, header } }) => ({
      seq,
      op: id,
      kind: kinds.get(header.record)!,
      record: header.record,
      type: OP_TYPES[header.type - 1] ?? String(header.type),
      actor: header.actor,
      w: header.w,
    }))
  }

  async *log(
    since: number,
    { notFrom, of }: { notFrom?: string; of?: { has(id: OpId, record: RecordId): boolean } } = {},
  ): AsyncIterable<{ readonly seq: number; readonly bytes: Uint8Array; readonly ids: readonly OpId[] }> {
    for await (const { seq, frame } of this.#store.framesSince(since, notFrom)) {
      const wanted = frame.entries.flatMap(({ op }, place) =>
        seq + place > since && !this.#set.isWithheld(op.id) && of?.has(op.id, op.header.record) !== false
          ? [op.id]
          : [],
      )
      if (wanted.length === 0) continue
      const served = await this.#view.served(frame, new Set(wanted))
      if (served.size === 0) continue
      const ids = [...served]
      const bytes = selectFromFrame(frame, served, this.#store.sha256)
      yield { seq: seq + frame.entries.length - 1, bytes, ids }
    }
  }

  async stateHash(): Promise<string> {
    const hashes: Uint8Array[] = []
    for await (const merged of this.#store.recordsFrom(undefined, undefined)) {
      hashes.push(recordStateHash(merged, this.#store.sha256))
    }
    return stateHash(hashes, SEM, this.#store.sha256)
  }

  note(name: string): Promise<Uint8Array | undefined> {
    return this.#store.note(name)
  }

  setNote(name: string, value: Uint8Array | undefined, options?: { readonly sync?: boolean }): Promise<void> {
    return this.#store.setNote(name, value, options)
  }

  async statesAt(record: RecordId, seqs: readonly number[]): Promise<readonly (Merged | undefined)[] | undefined> {
    if ((await this.record(record)) === undefined) return undefined
    return statesAt(this.#store, record, seqs)
  }

  touchedAt(owner: Owner, seq: number): Promise<readonly RecordId[]> {
    return touchedAt(this.#store, owner, seq)
  }

  /** Finishes what waits for the disk and leaves the mark of a clean shutdown. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTidy?.()
    this.#readmission.close()
    await this.#sweep.close()
    await this.#writer.close()
    this.#subscribers.clear()
    this.#closing.abort()
    await this.#journalRead.catch(() => {})
    await this.ready
    const root = this.#set.rootAtRest()
    await this.#set.close()
    // Without the whole set there is nothing to compare with; the next open then counts, as after a crash.
    if (root !== undefined && this.#set.state === 'good') await this.#store.writeMarker(root)
    await this.#tallying?.close()
  }

  #appended(all: Appended): void {
    const records = all.records.filter((record) => this.#view.shown(record) !== undefined)
    const appended = records.length === all.records.length ? all : { ...all, records }
    for (const { frame } of appended.frames) for (const { op } of frame.entries) this.#forked.delete(op.id)
    this.#readmission.soon()
    for (const call of this.#subscribers) {
      try {
        call(appended)
      } catch (error) {
        this.#log('error', 'a subscriber to appended ops failed', { error: String(error) })
      }
    }
  }

  async #readJournal(journal: Journal): Promise<void> {
    await this.#setForked(await forkedRecords(journal, (ids) => this.has(ids)))
  }

  async #setForked(missing: readonly JournalEntry[]): Promise<void> {
    const before = this.#forked.size
    for (const { op, record } of missing) this.#forked.set(op, record)
    // One may have arrived since it was looked for.
    const lacking = [...this.#forked.keys()]
    for (const [at, isHeld] of (await this.has(lacking)).entries()) if (isHeld) this.#forked.delete(lacking[at]!)
    if (this.#forked.size <= before) return
    this.#log(
      'error',
      'the store lacks ops that our key has signed; their records are not written until peers send them',
      {
        ops: this.#forked.size,
      },
    )
  }

  /** Now and then: bodies of erased ops whose time has come, and records that a failing disk kept from being merged again. */
  #tidy(): void {
    const again = () => {
      this.#cancelTidy = this.#clock.after(tidyMs, () => this.#tidy())
    }
    if (this.#closing.signal.aborted) return
    this.#writer
      .free()
      .catch((error) => this.#log('warn', "couldn't free the bodies of erased ops", { error: String(error) }))
      .then(() => this.#writer.rejudge([]))
      .catch((error) => this.#log('warn', "couldn't merge records again", { error: String(error) }))
      .finally(() => {
        if (!this.#closing.signal.aborted) again()
      })
  }

  /** Wakes the writer when the next parked op is due. */
  #setTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const due = this.#admission.pending.nextDue()
    if (due === undefined || this.#closing.signal.aborted) return
    const ms = Math.min(Math.max(0, due - this.#clock.now()), parkedCheckMs)
    this.#cancelTimer = this.#clock.after(ms, () => {
      const isDue = this.#admission.pending.due(this.#clock.now()).length > 0
      const taken = isDue ? this.#writer.takeDue() : Promise.resolve()
      taken
        .catch((error) => this.#log('warn', "couldn't take ops whose time has come", { error: String(error) }))
        .finally(() => this.#setTimer())
    })
  }
}

/** How many ops were there at the last tally and are gone. Their numbers were given, so the log starts anew then. */
async function lostSince(store: Store, { tally, environment }: ReplicaOptions, log: Log): Promise<number> {
  const told = await tally?.read()
  if (told === undefined || told.epoch !== store.meta.epoch || told.seq <= store.counts.seq) return 0
  const lost = Math.max(1, told.ops - store.counts.ops)
  log('error', 'the newest ops on disk are gone; peers will be asked for them', { lost, of: told.ops })
  await store.renew(toHex(environment.random.bytes(16)))
  return lost
}

const silent: Log = () => {}
const asIs: Codec = { compress: (bytes) => bytes, decompress: (bytes) => bytes }
