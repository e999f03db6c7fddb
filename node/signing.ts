/**
 * Whether this node's key may sign. A store that was set back has forgotten what the key signed last; signing on top of
 * what is left would fork its own history, and peers would hold both ends of it.
 *
 * So the store is compared with the signing journal (forks.ts) at the start and whenever damage is found: a record whose
 * own ops are missing is not written until they are back. A store restored from a backup, whose journal may be older
 * than the key's last op, signs nothing at all until it has met a peer. What others signed is none of its business.
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
  /** The store came from a backup and has met no peer since. */
  readonly isRestored: boolean
  /** Takes the mark of a backup away, durably. */
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
  #compared: Promise<void> = Promise.resolve()

  constructor(options: SigningOptions) {
    this.#options = options
    this.#log = options.retry.log
    this.#isRestored = options.isRestored
  }

  /** Compares the journal once `loaded` has resolved. */
  start(loaded: Promise<unknown>): void {
    const { journal, held, retry } = this.#options
    if (journal === undefined) return
    this.#compared = loaded.then(() =>
      untilDone('compare the signing journal', async () => this.#setForked(await forkedRecords(journal, held)), retry),
    )
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
      'this store was restored from a backup, and its key may have signed more since: it signs again when it has met a peer',
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
    if (!this.#isRestored) return
    this.#isRestored = false
    this.#log('info', 'the restored store has met a peer and signs again')
    this.#options.unmark().catch((error) =>
      this.#log('warn', "couldn't take the mark of a backup away; the next start waits for a peer again", {
        error: String(error),
      }),
    )
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
