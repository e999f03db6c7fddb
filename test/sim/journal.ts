/**
 * The signing journal's file, as node/journal.ts keeps it, on a disk that forgets: appends are synced, marks are not,
 * an append that is cut off leaves its first records, and one that failed may be found at the next open.
 */
import { NodeError } from '../../node/errors.ts'
import type { Journal, JournalEntry } from '../../node/replica-types.ts'
import type { Chance } from './chance.ts'
import { type FaultRates, NO_FAULTS, never } from './disk.ts'
import type { ProcessClock } from './scheduler.ts'

type Signed = { readonly record: string; readonly op: string }
export type Line = Signed | 'settled' | 'abandoned'

export class SimJournal {
  faults: FaultRates = NO_FAULTS
  readonly #chance: Chance
  #lines: Line[] = []
  /** Lines that a power cut cannot take. */
  #synced = 0
  /** Being written; what of it is there when the process ends is left to chance. */
  #underWay: readonly Line[] = []
  /** Behind the end, from an append that failed: written over by the next one. */
  #beyond: readonly Line[] = []
  #handle: object | undefined

  constructor(chance: Chance) {
    this.#chance = chance
  }

  attach(clock: ProcessClock): Journal {
    const handle = {}
    this.#handle = handle
    this.#lines.push(...this.#beyond)
    this.#beyond = []
    this.#synced = this.#lines.length
    const isMine = () => this.#handle === handle
    const known = [...this.#lines]
    const synced = () => this.#synced
    return {
      get size() {
        return synced()
      },
      entries: () => entriesOf(known),
      begin: async () => {
        if (this.#synced === 0) await this.#append(['settled'], isMine, clock)
      },
      append: (entries) => this.#append(entries, isMine, clock),
      settle: () => this.#mark('settled', isMine),
      abandon: () => this.#mark('abandoned', isMine),
    }
  }

  /** A copy, as a backup would have it. */
  backup(): readonly Line[] {
    return [...this.#lines]
  }

  restore(lines: readonly Line[]): void {
    this.#lines = [...lines]
    this.#synced = lines.length
    this.#beyond = []
  }

  crash(how: 'kill' | 'power'): void {
    this.#handle = undefined
    this.#lines.push(...this.#underWay.slice(0, this.#chance.int(0, this.#underWay.length)))
    this.#underWay = []
    if (how === 'power') {
      this.#lines.length = this.#chance.int(this.#synced, this.#lines.length)
      this.#beyond = []
    }
    this.#synced = this.#lines.length
  }

  async #append(entries: readonly Line[], isMine: () => boolean, clock: ProcessClock): Promise<void> {
    if (!isMine()) return never()
    const fails = this.#chance.yes(this.faults.write)
    this.#underWay = entries
    await new Promise<void>((resolve) => clock.after(this.#chance.between(0.2, 4), resolve))
    if (!isMine()) return never()
    this.#underWay = []
    if (fails) {
      this.#beyond = this.#chance.yes(0.5) ? entries : []
      throw new NodeError('store-failed', "couldn't write the signing journal: EIO")
    }
    this.#beyond = []
    this.#lines.push(...entries)
    this.#synced = this.#lines.length
  }

  async #mark(line: 'settled' | 'abandoned', isMine: () => boolean): Promise<void> {
    if (!isMine()) return never()
    if (this.#chance.yes(this.faults.write))
      throw new NodeError('store-failed', "couldn't mark the signing journal: EIO")
    // A mark is a write at the end, too.
    this.#beyond = this.#beyond.slice(1)
    this.#lines.push(line)
  }
}

async function* entriesOf(lines: readonly Line[]): AsyncIterable<JournalEntry> {
  let from = 0
  for (let to = 0; to <= lines.length; to++) {
    const line = lines[to]
    if (line !== undefined && typeof line === 'object') continue
    if (line !== 'abandoned') {
      for (const signed of lines.slice(from, to) as Signed[]) yield { ...signed, settled: line === 'settled' }
    }
    from = to + 1
  }
}
