/**
 * Whether this node's key may sign. A store that was set back has forgotten what the key signed last; signing on top of
 * what is left would fork its own history, and peers would hold both ends of it.
 *
 * So the store is compared with the signing journal (forks.ts) at the start and whenever damage is found: a record whose
 * own ops are missing is not written until they are back. A store restored from a backup, whose journal may be older
 * than the key's last op, signs nothing at all until it has met a peer, and neither does one whose journal is lost.
 * What others signed is none of its business.
 */
import type { Op, OpId, RecordId } from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { forkedRecords, type Held, missingFrom } from './forks.ts'
import type { Journal, JournalEntry, Log } from './replica-types.ts'
import { type RetryOptions, untilDone } from './until-done.ts'

export type SigningOptions = {
  /** Left out: nothing to compare with. */
  readonly journal: Journal | undefined
  readonly held: Held
  /** The store came from a backup, or the journal was lost, and no peer was met since. */
  readonly isRestored: boolean
  /** Tells the journal of our own ops in the store that it does not know. */
  readonly complete: (journal: Journal) => Promise<void>
  /** The same, where the store does not know how long the journal should be. */
  readonly begin: (journal: Journal) => Promise<void>
  /** Takes the mark of that away, durably. */
  readonly unmark: () => Promise<void>
  readonly retry: RetryOptions
}

export class Signing {
  readonly #options: SigningOptions
  readonly #log: Log
  /** Own ops that the journal knows and the store lacks, with their records. */
  readonly #forked = new Map<OpId, RecordId>()
  #isRestored: boolean
  #isComparing = false
  #isMeeting = false
  #compared: Promise<void> = Promise.resolve()

  constructor(options: SigningOptions) {
    this.#options = options
    this.#log = options.retry.log
    this.#isRestored = options.isRestored
  }

  /** Compares the journal once `loaded` has resolved. */
  start(loaded: Promise<unknown>): void {
    const { journal, held, retry, begin } = this.#options
    if (journal === undefined) return
    const compare = async () => {
      await this.#setForked(await forkedRecords(journal, held))
      if (!this.#isRestored) await begin(journal)
    }
    this.#compared = loaded.then(() => untilDone('compare the signing journal', compare, retry))
    // Whoever opens the replica hears of it; an unheard rejection would end the process.
    this.#compared.catch(() => {})
  }

  /** Local writes wait for it: before, the journal has not been compared. Rejects when `loaded` did. */
  get compared(): Promise<void> {
    return this.#compared
  }

  /** NodeError('key-journal') when nothing may be signed yet. */
  check(): void {
    if (!this.#isRestored) return
    throw new NodeError(
      'key-journal',
      'this store was restored from a backup, or its signing journal was lost, and its key may have signed more: it signs again when it has met a peer',
    )
  }

  isForked(record: RecordId): boolean {
    return this.#forked.size > 0 && [...this.#forked.values()].includes(record)
  }

  get forkedRecords(): number {
    return new Set(this.#forked.values()).size
  }

  get isRestored(): boolean {
    return this.#isRestored
  }

  /** A peer's set was found equal to ours: a store from a backup has what its key signed since, and may sign again. */
  metPeer(): void {
    if (!this.#isRestored || this.#isMeeting) return
    this.#isMeeting = true
    this.#sign()
      .catch((error) =>
        this.#log('warn', "couldn't begin to sign again; the next peer is waited for", { error: String(error) }),
      )
      .finally(() => {
        this.#isMeeting = false
      })
  }

  /** The journal first: else the next store that is set back would be believed. */
  async #sign(): Promise<void> {
    const { journal, complete, unmark } = this.#options
    await this.#compared
    if (journal !== undefined) await complete(journal)
    await unmark()
    this.#isRestored = false
    this.#log('info', 'the restored store has met a peer and signs again')
  }

  /** This op is on disk. */
  arrived({ id }: Op): void {
    this.#forked.delete(id)
  }

  /** Damage may have hit what our key has signed: until that is back, it signs nothing on top. */
  compareSoon(): void {
    const { journal, held, retry } = this.#options
    if (journal === undefined || this.#isComparing || retry.signal.aborted) return
    this.#isComparing = true
    this.#compared
      .then(() => missingFrom(journal, held))
      .then((missing) => this.#setForked(missing))
      .catch((error) => this.#log('warn', "couldn't compare the signing journal", { error: String(error) }))
      .finally(() => {
        this.#isComparing = false
      })
  }

  async #setForked(missing: readonly JournalEntry[]): Promise<void> {
    const before = this.#forked.size
    for (const { op, record } of missing) this.#forked.set(op, record)
    // One may have arrived since it was looked for.
    const lacking = [...this.#forked.keys()]
    for (const [at, isHeld] of (await this.#options.held(lacking)).entries()) {
      if (isHeld) this.#forked.delete(lacking[at]!)
    }
    if (this.#forked.size <= before) return
    this.#log(
      'error',
      'the store lacks ops that our key has signed; their records are not written until peers send them',
      { ops: this.#forked.size },
    )
  }
}
