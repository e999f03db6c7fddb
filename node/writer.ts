/**
 * The one writer: whatever waits when the disk is free goes in as one group, one batch, one sync.
 *
 * Strangers' ops and local writes meet here and nowhere else, so each is decided on a set that does not change under
 * it. Nobody is answered, and nothing is announced, before the batch is on disk and the journal holds what was signed:
 * what a power cut took from here and peers still have, this key would sign beside at the next start. Gossip could go
 * once the journal alone is synced, but that takes as long as the batch, which is synced at the same time.
 */
import { type Op, type OpId, type ParsedFrame, type RecordId, signOps } from '../crdt/index.ts'
import type { Admission, Arrived } from './admit.ts'
import { Group } from './append.ts'
import { freeErased } from './bodies.ts'
import { NodeError } from './errors.ts'
import type { Arrival } from './id-rows.ts'
import { journalNote } from './journal-note.ts'
import { admitQueueOpsMax, gossipMessageBytesMax, groupOpsMax, journalTries, writeQueueMax } from './limits.ts'
import type { OpSet } from './op-set.ts'
import { BLOCKED } from './policy.ts'
import { rejudge } from './rejudge.ts'
import type { Admitted, Appended, Journal, LocalAuthorisation, LocalWrite, Log, WriteOutcome } from './replica-types.ts'
import { belongingOf } from './sets.ts'
import type { Store } from './store.ts'
import type { Prepared } from './store-types.ts'
import { type RetryOptions, untilDone } from './until-done.ts'
import { type Author, authoriseInto, writeInto } from './write.ts'

export type WriterOptions = {
  readonly store: Store
  readonly set: OpSet
  readonly admission: Admission
  readonly author?: Author
  readonly journal?: Journal
  readonly log: Log
  readonly retry: RetryOptions
  /** Resolves when the op set is loaded. */
  readonly loaded: () => Promise<void>
  /** Called in order, after the batch is on disk and before anyone is answered. */
  readonly appended: (appended: Appended) => void
}

type Waiter<T> = { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void }
type Job =
  | ({
      readonly is: 'admit'
      readonly arrived: Arrived
      readonly sync: boolean
      readonly weight: number
    } & Waiter<Admitted>)
  | ({ readonly is: 'write'; readonly writes: readonly LocalWrite[]; readonly weight: number } & Waiter<
      readonly WriteOutcome[]
    >)
  | ({ readonly is: 'authorise'; readonly authorisation: LocalAuthorisation; readonly weight: number } & Waiter<
      readonly OpId[] | undefined
    >)
  | ({ readonly is: 'due'; readonly weight: number } & Waiter<void>)
  | ({ readonly is: 'rejudge'; readonly weight: number } & Waiter<void>)
  | ({ readonly is: 'free'; readonly weight: number } & Waiter<void>)
  | ({ readonly is: 'alone'; readonly work: () => Promise<void>; readonly weight: number } & Waiter<void>)

export class Writer {
  readonly #options: WriterOptions
  readonly #queue: Job[] = []
  /** Ops waiting, by kind of job. */
  readonly #waiting = { admit: 0, write: 0, authorise: 0, due: 0, rejudge: 0, free: 0, alone: 0 }
  #running: Promise<void> | undefined
  #closed = false
  /** Signed and stored, but the journal does not say so, for it could not be written: it is told with the next group. */
  #unjournalled: { record: RecordId; op: OpId }[] = []
  #isTelling = false
  /** What lost or regained authority, and up to which record those that rely on it were merged again. */
  readonly #rejudging = new Map<OpId, RecordId | undefined>()

  constructor(options: WriterOptions) {
    this.#options = options
  }

  admit(arrived: Arrived, sync: boolean): Promise<Admitted> {
    const weight = arrived.frames.reduce((sum, { frame }) => sum + frame.entries.length, 1)
    if (this.#waiting.admit > admitQueueOpsMax) return Promise.reject(busy('ops'))
    return this.#enqueue((waiter) => ({ is: 'admit', arrived, sync, weight, ...waiter }))
  }

  write(writes: readonly LocalWrite[]): Promise<readonly WriteOutcome[]> {
    if (this.#options.author === undefined)
      return Promise.reject(new TypeError('expected a signer: this replica cannot write'))
    if (this.#waiting.write + writes.length > Math.max(writeQueueMax, writes.length))
      return Promise.reject(busy('writes'))
    return this.#enqueue((waiter) => ({ is: 'write', writes, weight: writes.length, ...waiter }))
  }

  authorise(authorisation: LocalAuthorisation): Promise<readonly OpId[] | undefined> {
    if (this.#options.author === undefined)
      return Promise.reject(new TypeError('expected a signer: this replica cannot write'))
    if (this.#waiting.authorise >= writeQueueMax) return Promise.reject(busy('writes'))
    return this.#enqueue((waiter) => ({ is: 'authorise', authorisation, weight: 1, ...waiter }))
  }

  /** Takes the parked ops whose time has come. */
  takeDue(): Promise<void> {
    return this.#enqueue((waiter) => ({ is: 'due', weight: 1, ...waiter }))
  }

  /** Does this while no group is judged or written. */
  alone(work: () => Promise<void>): Promise<void> {
    if (this.#waiting.alone >= writeQueueMax) return Promise.reject(busy('changes'))
    return this.#enqueue((waiter) => ({ is: 'alone', work, weight: 1, ...waiter }))
  }

  /** Merges again the records that rely on these. Resolves when the first few are done; the rest follows by itself. */
  async rejudge(vias: readonly OpId[]): Promise<void> {
    for (const via of vias) this.#rejudging.set(via, undefined)
    if (this.#rejudging.size > 0) await this.#enqueue((waiter) => ({ is: 'rejudge', weight: 1, ...waiter }))
  }

  /** Frees the bodies of erased ops whose time has come. */
  free(): Promise<void> {
    return this.#enqueue((waiter) => ({ is: 'free', weight: 1, ...waiter }))
  }

  /** Records relying on what changed, still to be merged again: of how many grants, rotates and identities. */
  get rejudging(): number {
    return this.#rejudging.size
  }

  /** Ends intake; resolves when what was waiting is on disk. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  #enqueue<T>(job: (waiter: Waiter<T>) => Job): Promise<T> {
    if (this.#closed) return Promise.reject(new NodeError('closed', 'the replica is closed'))
    return new Promise<T>((resolve, reject) => {
      const made = job({ resolve, reject })
      this.#queue.push(made)
      this.#waiting[made.is] += made.weight
      this.#running ??= this.#run()
    })
  }

  async #run(): Promise<void> {
    // Those who call in this turn of the loop go together.
    await undefined
    while (this.#queue.length > 0) {
      const jobs = this.#next()
      await this.#serve(jobs)
      for (const job of jobs) this.#waiting[job.is] -= job.weight
    }
    this.#running = undefined
  }

  #next(): Job[] {
    let ops = 0
    let count = 0
    for (const job of this.#queue) {
      ops += job.weight
      if (count > 0 && (ops > groupOpsMax || job.is === 'alone')) break
      count++
      if (job.is === 'alone') break
    }
    return this.#queue.splice(0, count)
  }

  /** Never rejects: every job gets its answer. */
  async #serve(jobs: readonly Job[]): Promise<void> {
    const [first] = jobs
    try {
      if (first?.is === 'alone') first.resolve(await first.work())
      else await this.#commit(jobs)
    } catch (error) {
      if (jobs.length > 1 && !(error instanceof NodeError)) {
        // A bug that one job met must not cost its neighbours.
        for (const job of jobs) await this.#serve([job])
        return
      }
      for (const job of jobs) job.reject(error)
    }
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const { store, set, admission } = this.#options
    const group = new Group(store, set)
    const answers: (() => void)[] = []
    const ownAnswers: ((failure: unknown) => void)[] = []
    const final: OpId[] = []
    const released: OpId[] = []
    let sync = false
    if (jobs.some(({ is }) => is === 'rejudge')) answers.push(...(await this.#rejudge(jobs)))
    for (const job of jobs) {
      if (job.is !== 'free') continue
      while ((await freeErased(store, store.now())) > 0);
      answers.push(() => job.resolve())
    }
    for (const job of jobs) {
      if (job.is !== 'admit' && job.is !== 'due') continue
      const settled = job.is === 'admit' ? await admission.settle(group, job.arrived) : await admission.settleDue(group)
      if (job.is === 'admit') sync ||= job.sync
      final.push(...settled.final)
      released.push(...settled.released)
      answers.push(() => (job.is === 'admit' ? job.resolve(settled.admitted) : job.resolve()))
    }
    const own = await this.#write(group, jobs, ownAnswers)
    let failure: unknown
    // Before what builds on them is on disk: after a kill they are then at worst asked for again.
    if (released.length > 0) await set.release(released)
    if (group.hasChanges) {
      const prepared = await group.finish(own)
      failure = await this.#store(prepared, own, sync || own.length > 0)
      set.append(arrivalsOf(prepared, group))
      if (prepared.repaired.length > 0) set.reread(store.counts)
      this.#announce(prepared)
      if (prepared.waiting.length > 0) this.#rejudgeSoon(prepared.waiting)
    }
    if (group.blocked.size > 0) {
      await this.#options.loaded()
      const refused = [...group.blocked.values()].filter(({ op }) => !set.isWithheld(op.id))
      await set.withhold(
        refused.map(({ op: { id, header }, of }) => {
          return { id, reason: BLOCKED, of, record: header.record, actor: header.actor }
        }),
      )
    }
    admission.done(final)
    for (const answer of answers) answer()
    for (const answer of ownAnswers) answer(failure)
  }

  /**
   * A few records more; a batch of its own, for it rests on nothing that the group brings. On disk before the next one: if
   * it alone were lost in a power cut, its counts would stay, and nothing would show that it is.
   */
  async #rejudge(jobs: readonly Job[]): Promise<(() => void)[]> {
    const { store, appended } = this.#options
    const [entry] = this.#rejudging
    if (entry !== undefined) {
      const [via, after] = entry
      const { prepared, next } = await rejudge(store, via, after)
      await store.commit(prepared, true)
      if (next === undefined) this.#rejudging.delete(via)
      else this.#rejudging.set(via, next)
      const { seq } = store.counts
      const { records } = prepared
      if (records.length > 0) appended({ first: seq + 1, last: seq, local: false, frames: [], records })
    }
    if (this.#rejudging.size > 0) this.#rejudgeSoon([])
    return jobs.flatMap((job) => (job.is === 'rejudge' ? [() => job.resolve()] : []))
  }

  #rejudgeSoon(vias: readonly OpId[]): void {
    this.rejudge(vias).catch((error) => {
      // What waits is on disk, and reading judges by itself: the next start goes on.
      if (!this.#closed) this.#options.log('warn', "couldn't merge records again", { error: String(error) })
    })
  }

  /** The local writes of these jobs, as signed frames. */
  async #write(group: Group, jobs: readonly Job[], answers: ((failure: unknown) => void)[]): Promise<ParsedFrame[]> {
    const { author } = this.#options
    const ops: Op[] = []
    // Of all who wait in one go: a call of the disk for each costs more than everything else a write does.
    await group.prefetchRecords(
      jobs.flatMap((job) => (job.is === 'write' ? job.writes.map(({ record }) => record) : [])),
    )
    for (const job of jobs) {
      if (job.is === 'authorise') {
        const made = await authoriseInto(group, job.authorisation, author!)
        ops.push(...(made ?? []))
        const ids = made?.map(({ id }) => id)
        answers.push((unjournalled) => (unjournalled === undefined ? job.resolve(ids) : job.reject(unjournalled)))
      }
      if (job.is !== 'write') continue
      const { outcomes, ops: made, failure } = await writeInto(group, job.writes, author!)
      ops.push(...made)
      answers.push((unjournalled) => {
        const problem = failure ?? unjournalled
        if (problem === undefined) job.resolve(outcomes)
        else job.reject(problem)
      })
    }
    if (ops.length === 0) return []
    const { net, sha256, signer } = author!
    const sign = (message: Uint8Array) => signer.sign(message)
    return signOps(ops, { net, key: signer.key, sha256, sign, frameBytesMax: ownFrameBytesMax }).map(
      ({ frame }) => frame,
    )
  }

  /** Batch and journal side by side. Throws when the batch failed, and then nothing is in; answers a failed journal. */
  async #store(prepared: Prepared, own: readonly ParsedFrame[], sync: boolean): Promise<unknown> {
    const { store, journal, log } = this.#options
    const entries = own.flatMap(({ entries }) => entries.map(({ op }) => ({ record: op.header.record, op: op.id })))
    if (journal === undefined || entries.length === 0) {
      await store.commit(prepared, sync)
      return undefined
    }
    const told = [...this.#unjournalled, ...entries]
    const noted = { ...prepared, changes: [...prepared.changes, journalNote(journal, store.sha256)] }
    const [committed, journalled] = await Promise.allSettled([store.commit(noted, sync), journal.append(told)])
    if (committed.status === 'rejected') {
      if (journalled.status === 'fulfilled') {
        // What an earlier group stored is abandoned with the rest here, so it stays to be told.
        await journal.abandon().catch((error) => log('error', "couldn't mark the journal", { error: String(error) }))
      }
      throw committed.reason
    }
    this.#unjournalled = told
    if (journalled.status === 'rejected' && !(await this.#tellAgain(journal))) {
      this.#tellSoon(journal)
      return journalled.reason
    }
    try {
      await journal.settle()
      this.#unjournalled = []
    } catch (error) {
      log('warn', "couldn't mark the journal", { error: String(error) })
      this.#tellSoon(journal)
    }
    return undefined
  }

  /** At once, before peers hear of these ops: a store that is set back now would let the key sign beside them. */
  async #tellAgain(journal: Journal): Promise<boolean> {
    for (let tries = 0; tries < journalTries; tries++) {
      try {
        await journal.append(this.#unjournalled)
        return true
      } catch (error) {
        this.#options.log('warn', "couldn't write the signing journal", { error: String(error) })
      }
    }
    return false
  }

  /** Between groups, for a mark must not speak for one that is under way. */
  #tellSoon(journal: Journal): void {
    if (this.#isTelling) return
    this.#isTelling = true
    const tell = async () => {
      if (this.#unjournalled.length > 0) await journal.append(this.#unjournalled)
      await journal.settle()
      this.#unjournalled = []
    }
    void untilDone('tell the signing journal', () => this.alone(tell), this.#options.retry).then(() => {
      this.#isTelling = false
    })
  }

  #announce({ frames, records, remote }: Prepared): void {
    const parts = [
      { local: false, some: frames.slice(0, remote) },
      { local: true, some: frames.slice(remote) },
    ]
    for (const { local, some } of parts) {
      const last = some.at(-1)
      if (last === undefined) continue
      const touched = new Set(some.flatMap(({ frame }) => frame.entries.map(({ op }) => op.header.record)))
      this.#options.appended({
        first: some[0]!.seq,
        last: last.seq + last.frame.entries.length - 1,
        local,
        frames: some,
        records: records.filter(({ merged }) => touched.has(merged.record)),
      })
    }
  }
}

/**
 * The ops of a group that is on disk, with their numbers and where they belong. One that was damaged arrives again: while
 * it was, nobody could tell where it belongs.
 */
function arrivalsOf({ frames }: Prepared, group: Group): Arrival[] {
  return frames.flatMap(({ seq, frame }) =>
    frame.entries.map(({ op: { id, header } }, place) => {
      return { id, seq: seq + place, of: belongingOf(header, group.genesisOf(header.record)) }
    }),
  )
}

/** So that each of our own frames fits one gossip message, with its envelope. */
const ownFrameBytesMax = gossipMessageBytesMax - 4 * 1024

function busy(what: string): NodeError {
  return new NodeError('busy', `too many ${what} wait for the disk already; come again`)
}
