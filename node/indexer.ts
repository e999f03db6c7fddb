/**
 * Keeps the search index in step with a replica: follows what is appended, catches up with what it missed, and fills
 * the index anew when it was lost or belongs to another log.
 *
 * It never delays a write: what is appended is noted and indexed in its own time, after a bulk unless that is a long one,
 * and when more waits than memory allows, the notes are dropped and read back from the replica. `seq` of the index says
 * how far it is, so a kill at any moment costs only the repetition of what it was doing.
 */
import { type Merged, type Owner, ownerOfKey, type RecordId } from '../crdt/index.ts'
import type { Environment } from './environment.ts'
import { sleep } from './environment.ts'
import { NodeError } from './errors.ts'
import { IndexQueue } from './index-queue.ts'
import {
  indexBatchRecords,
  indexBrokenMs,
  indexBulkRecords,
  indexHoldMs,
  indexLullMs,
  indexQueueRecords,
  indexReadRecords,
  indexRetryMs,
  searchTimeoutMs,
  searchWaitMsMax,
} from './limits.ts'
import type { Target } from './policy.ts'
import type { Appended, Log, ReplicaFace } from './replica-types.ts'
import type { FieldList, IndexEntry, IndexRow, QueryProblem, SearchIndex, SearchQuery, SearchResult } from './search.ts'
import { entryOf } from './search-entry.ts'

/** The part of a replica that is followed. */
export type Followed = Pick<
  ReplicaFace,
  'actor' | 'epoch' | 'counts' | 'onAppended' | 'list' | 'recordsOrBroken' | 'changes' | 'policy' | 'recordsOf'
>

export type IndexerOptions = {
  readonly replica: Followed
  /** Disposed of by whoever made it, after the indexer. */
  readonly index: SearchIndex
  readonly environment: Environment
  readonly log?: Log
  /** Changed records that may wait in memory; `indexQueueRecords` unless told. */
  readonly queueRecords?: number
  /** Records of one `apply`; `indexBatchRecords` unless told. */
  readonly batchRecords?: number
}

type Waiter = { readonly seq: number; readonly reached: () => void }

export class Indexer implements AsyncDisposable {
  readonly #replica: Followed
  readonly #index: SearchIndex
  readonly #environment: Environment
  readonly #log: Log
  readonly #queueRecords: number
  readonly #batchRecords: number
  /** Of this node's own records. */
  readonly #own: Owner | undefined
  readonly #stop = new AbortController()
  readonly #stopFollowing: () => void
  readonly #stopListening: () => void
  readonly #stopPolicy: () => void
  /** Whose records are blocked, or not any more, and still in the index as before. */
  readonly #unshown = new Map<string, Target>()
  readonly #waiters = new Set<Waiter>()
  readonly #readers = new Set<() => void>()
  readonly #done: Promise<void>
  /** Filled only while #live. */
  readonly #queue: IndexQueue
  /** Records that are damaged on disk, so that nothing can be said of them yet: asked for again now and then. */
  readonly #broken = new Set<RecordId>()
  #cancelBroken: (() => void) | undefined
  /** The last arrival that is known of. */
  #target: number
  /** What is appended goes to #queue; otherwise it is read back from the replica later. */
  #live = false
  /** The index is complete up to its seq: not being filled from nothing. */
  #complete = false
  #isOpen = false
  #wake: () => void = () => {}
  /** Ends a pause for the sake of what comes in. */
  #hurry: () => void = () => {}
  /** When something was appended last; when the bulk began: after a lull, and with an index that had all till then. */
  #appendedAt = Number.NEGATIVE_INFINITY
  #begunAt = Number.NEGATIVE_INFINITY
  /** When something was appended that the index, which had all till then, has not. */
  #behindSince: number
  /** When somebody searched last. */
  #searchedAt = Number.NEGATIVE_INFINITY
  /** The last arrival that came in here, and not from a peer: whoever brought it may search for it at once. */
  #entered: number

  /** Resolves at once: the index is brought up to date in the background. */
  static async open(options: IndexerOptions): Promise<Indexer> {
    return new Indexer(options)
  }

  private constructor(options: IndexerOptions) {
    const {
      replica,
      index,
      environment,
      log = () => {},
      queueRecords = indexQueueRecords,
      batchRecords = indexBatchRecords,
    } = options
    this.#replica = replica
    this.#index = index
    this.#environment = environment
    this.#log = log
    this.#queueRecords = queueRecords
    this.#batchRecords = batchRecords
    this.#own = replica.actor && ownerOfKey(replica.actor)
    this.#target = replica.counts().seq
    this.#entered = this.#target
    this.#queue = new IndexQueue(batchRecords, this.#target)
    this.#behindSince = environment.clock.monotonic()
    this.#stopFollowing = replica.onAppended((appended) => this.#note(appended))
    this.#stopListening = index.onLost(() => {
      this.#complete = false
      this.#wake()
    })
    for (const target of replica.policy.unshown()) this.#unshown.set(target.name, target)
    this.#stopPolicy = replica.policy.onChange((target) => {
      this.#unshown.set(target.name, target)
      // What waits is asked for again: its row does not say that it is hidden now.
      this.#queue.forgetRows()
      this.#wake()
    })
    this.#done = this.#run()
  }

  /** Everything up to and with this arrival can be found. */
  get seq(): number {
    return this.#index.seq
  }

  /** Arrivals that the index has not reached. */
  get behind(): number {
    return Math.max(0, this.#replica.counts().seq - this.#index.seq)
  }

  /**
   * It is behind by a bulk that nobody is to wait for: all of it is from peers, or it has been for longer than a search
   * waits, so that whoever waited would wait in vain, every time.
   */
  get isOutrun(): boolean {
    const { clock } = this.#environment
    if (this.behind < indexBulkRecords) return false
    return this.#index.seq >= this.#entered || clock.monotonic() >= this.#behindSince + searchWaitMsMax
  }

  /** Records that are damaged on disk and not in the index, or in it as they were before. */
  get broken(): ReadonlySet<RecordId> {
    return this.#broken
  }

  /** True when the index has reached `seq`, at once or within `ms`; false when it has not. */
  async waitFor(seq: number, ms: number): Promise<boolean> {
    if (this.#index.seq >= seq) return true
    return new Promise((resolve) => {
      const waiter: Waiter = {
        seq,
        reached: () => {
          this.#waiters.delete(waiter)
          cancel()
          resolve(true)
        },
      }
      const cancel = this.#environment.clock.after(ms, () => {
        this.#waiters.delete(waiter)
        resolve(false)
      })
      this.#waiters.add(waiter)
      this.#hurry()
    })
  }

  /**
   * Asks the index. NodeError('search-unavailable') while it is being filled and has not been for a second, or when
   * the answer takes longer than `searchTimeoutMs`.
   */
  async search(query: SearchQuery): Promise<SearchResult | QueryProblem> {
    return this.#ask(() => this.#index.search(query))
  }

  /** What records of these kinds have in which fields. Fails as `search` does. */
  async fields(kinds?: readonly string[]): Promise<FieldList> {
    return this.#ask(() => this.#index.fields(kinds))
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    this.#searchedAt = this.#environment.clock.monotonic()
    this.#hurry()
    if (!this.#complete) await this.#whenComplete()
    if (!this.#complete) throw new NodeError('search-unavailable', 'the search index is being rebuilt')
    return new Promise((resolve, reject) => {
      const cancel = this.#environment.clock.after(searchTimeoutMs, () =>
        reject(new NodeError('search-unavailable', `the search index gave no answer in ${searchTimeoutMs} ms`)),
      )
      question().finally(cancel).then(resolve, reject)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopFollowing()
    this.#stopListening()
    this.#stopPolicy()
    this.#cancelBroken?.()
    this.#stop.abort()
    this.#wake()
    this.#hurry()
    await this.#done
    for (const read of this.#readers) read()
  }

  /** Called by the replica for every append: takes no time, keeps a bounded amount. */
  #note({ last, records, frames }: Appended): void {
    const now = this.#environment.clock.monotonic()
    if (this.#index.seq >= this.#target) {
      this.#behindSince = now
      if (now >= this.#appendedAt + indexLullMs) this.#begunAt = now
    }
    this.#appendedAt = now
    this.#target = Math.max(this.#target, last)
    if (frames.some(({ origin }) => origin === undefined)) this.#entered = last
    if (this.#live) {
      for (const { merged, row } of records) this.#queue.add(merged.record, this.#rowOf(merged, row))
      if (this.#broken.size > 0) this.#noteMended(frames)
      if (this.#queue.size > this.#queueRecords) this.#unfollow()
    }
    this.#queue.reach(this.#target)
    this.#wake()
  }

  /** Made from this replica's log, and not from more of it than there is. */
  #isOurs(): boolean {
    return this.#index.epoch === this.#replica.epoch && this.#index.seq <= this.#replica.counts().seq
  }

  async #run(): Promise<void> {
    await this.#index.opened
    this.#isOpen = true
    // An index that stopped half-way in its first filling has seq 0 and some entries.
    if (this.#isOurs() && (this.#index.seq > 0 || this.#target === 0)) this.#isFilled()
    let failures = 0
    while (!this.#stop.signal.aborted) {
      try {
        if (!this.#complete || !this.#isOurs()) await this.#fill()
        await this.#catchUp()
        await this.#follow()
        failures = 0
      } catch (error) {
        this.#unfollow()
        if (this.#stop.signal.aborted) return
        failures++
        this.#log('warn', 'indexing failed and begins again', { error: String(error), failures })
        // The first time the cause may be gone with the old index; after that it is the disk.
        if (failures > 1) await sleep(this.#environment.clock, indexRetryMs, this.#stop.signal)
      }
    }
  }

  /** All records into an empty index. What is appended meanwhile comes after `to` and is caught up with. */
  async #fill(): Promise<void> {
    this.#complete = false
    await this.#index.reset(this.#replica.epoch)
    const to = this.#replica.counts().seq
    let after: RecordId | undefined
    for (;;) {
      this.#stop.signal.throwIfAborted()
      const broken = (id: RecordId) => this.#noteBroken(id)
      const page = await this.#replica.list({ after, limit: indexBatchRecords, live: true, broken })
      if (page.length === 0) break
      await this.#index.apply({ seq: 0, entries: page.map((merged) => this.#entryOf(merged)), removed: [] })
      after = page.at(-1)?.record
    }
    await this.#move(to, new Map())
    this.#isFilled()
  }

  /** The index is complete up to its seq: whoever waits to read it, or for it to be so far, goes on. */
  #isFilled(): void {
    this.#complete = true
    for (const read of this.#readers) read()
    for (const waiter of this.#waiters) if (this.#index.seq >= waiter.seq) waiter.reached()
  }

  /** Reads the log from where the index is, until it has reached all that is known of. */
  async #catchUp(): Promise<void> {
    while (this.#index.seq < this.#target) {
      this.#stop.signal.throwIfAborted()
      const target = this.#target
      const changes = await this.#replica.changes(this.#index.seq, indexBatchRecords)
      await this.#move(changes.at(-1)?.seq ?? target, new Map(changes.map(({ record }) => [record, undefined])))
    }
    // No append can come between this look at the target and the next line.
    this.#live = true
  }

  /** Applies what is appended, until the queue overflows or the index is lost. */
  async #follow(): Promise<void> {
    while (this.#live && this.#complete && this.#isOurs()) {
      this.#stop.signal.throwIfAborted()
      const [unshown] = this.#unshown.values()
      if (unshown !== undefined) await this.#show(unshown)
      else if (this.#queue.size === 0 && this.#index.seq >= this.#target) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
          if (this.#stop.signal.aborted) resolve()
        })
        // Whoever waits for these ops to be told, or answered, comes first.
        await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      await this.#letPass()
      if (!this.#live) continue
      for (let left = Math.max(1, this.#queue.batches); left > 0 && this.#live; left--) {
        this.#stop.signal.throwIfAborted()
        const { seq, rows } = this.#queue.take()
        await this.#move(seq, rows)
      }
    }
    this.#unfollow()
  }

  #unfollow(): void {
    this.#live = false
    this.#queue.clear()
  }

  /**
   * While much is coming in, the index leaves the machine to it: to the end of it, or until somebody searches,
   * or for `indexHoldMs`, after which it works beside the rest of it. One go at more records is also the cheaper.
   */
  async #letPass(): Promise<void> {
    const { clock } = this.#environment
    const isHeld = () =>
      this.#waiters.size === 0 && this.#searchedAt < this.#begunAt && clock.monotonic() < this.#begunAt + indexHoldMs
    while (this.#queue.size >= indexBulkRecords && isHeld()) {
      const target = this.#target
      await new Promise<void>((resolve) => {
        const cancel = clock.after(indexLullMs, resolve)
        this.#hurry = () => {
          cancel()
          resolve()
        }
        if (this.#stop.signal.aborted) this.#hurry()
      })
      if (this.#target === target || this.#stop.signal.aborted) return
    }
  }

  /** What the lists say of this target's records, the replica says by now: the index is told the same. */
  async #show(target: Target): Promise<void> {
    const tell = async (ids: readonly RecordId[]) => {
      this.#stop.signal.throwIfAborted()
      const records = await this.#records(ids)
      const live = records.filter((merged) => typeof merged === 'object' && merged.live) as Merged[]
      const removed = ids.filter((_, at) => records[at] !== 'broken' && !records[at]?.live)
      await this.#index.apply({ seq: this.#index.seq, entries: live.map((merged) => entryOf(merged)), removed })
    }
    let ids: RecordId[] = []
    for await (const id of this.#replica.recordsOf(target)) {
      ids.push(id)
      if (ids.length < indexBatchRecords) continue
      await tell(ids)
      ids = []
    }
    if (ids.length > 0) await tell(ids)
    // It may have changed again meanwhile.
    if (this.#unshown.get(target.name) !== target) return
    this.#unshown.delete(target.name)
    await this.#replica.policy.shown(target)
  }

  /**
   * Brings these records into the index, as their row says or as they are now, and its seq to `seq`, which moves with the
   * last of them.
   */
  async #move(seq: number, records: ReadonlyMap<RecordId, IndexRow | undefined>): Promise<void> {
    const isBulk = records.size >= indexBulkRecords
    const ids = [...records.keys()]
    for (let at = 0; at === 0 || at < ids.length; at += this.#batchRecords) {
      const batch = ids.slice(at, at + this.#batchRecords)
      const rows = isBulk ? batch.flatMap((id) => records.get(id) ?? []) : []
      const { entries, removed } = await this.#read(isBulk ? batch.filter((id) => !records.get(id)) : batch)
      const isLast = at + this.#batchRecords >= ids.length
      await this.#index.apply({ seq: isLast ? seq : this.#index.seq, entries: [...rows, ...entries], removed })
    }
    for (const waiter of this.#waiters) if (this.#index.seq >= waiter.seq) waiter.reached()
  }

  async #read(ids: readonly RecordId[]): Promise<{ readonly entries: IndexEntry[]; readonly removed: RecordId[] }> {
    const entries: IndexEntry[] = []
    const removed: RecordId[] = []
    for (let at = 0; at < ids.length; at += indexReadRecords) {
      this.#stop.signal.throwIfAborted()
      for (const merged of await this.#records(ids.slice(at, at + indexReadRecords))) {
        if (typeof merged !== 'object') continue
        if (merged.live) entries.push(this.#entryOf(merged))
        else removed.push(merged.record)
      }
    }
    return { entries, removed }
  }

  async #records(ids: readonly RecordId[]): Promise<(Merged | undefined | 'broken')[]> {
    const records = await this.#replica.recordsOrBroken(ids)
    for (const [at, merged] of records.entries()) {
      if (merged === 'broken') this.#noteBroken(ids[at]!)
      else this.#broken.delete(ids[at]!)
    }
    return records
  }

  /** One damaged record must not keep the others from being found. */
  #noteBroken(id: RecordId): void {
    this.#broken.add(id)
    this.#cancelBroken ??= this.#environment.clock.after(indexBrokenMs, () => {
      this.#cancelBroken = undefined
      // While the index does not follow, it is asked for when it does.
      if (!this.#live) return this.#noteBroken(id)
      for (const each of this.#broken) this.#queue.add(each, undefined)
      this.#wake()
    })
  }

  /** Ops of damaged records have come again, with which those may be whole. */
  #noteMended(frames: Appended['frames']): void {
    for (const { frame } of frames)
      for (const { op } of frame.entries)
        if (this.#broken.has(op.header.record)) this.#queue.add(op.header.record, undefined)
  }

  /** The row that the index can take for this record; without one it is read when its turn comes. */
  #rowOf(merged: Merged, row: Uint8Array): IndexRow | undefined {
    // What relies on others' authority, and whom a block hides, may be another matter by then.
    if (!merged.live || merged.judged !== undefined || !this.#replica.policy.isOpen) return undefined
    return { row, isOwn: this.#isOwn(merged) }
  }

  #entryOf(merged: Merged): IndexEntry {
    return entryOf(merged, this.#isOwn(merged))
  }

  #isOwn({ owner }: Merged): boolean {
    return owner === this.#own
  }

  #whenComplete(): Promise<void> {
    return new Promise((resolve) => {
      const read = () => {
        this.#readers.delete(read)
        cancel()
        resolve()
      }
      // What is being opened is there in a moment, unless the machine is busy; what is being filled may take minutes.
      const cancel = this.#environment.clock.after(this.#isOpen ? searchWaitMsMax : searchTimeoutMs, read)
      this.#readers.add(read)
    })
  }
}
