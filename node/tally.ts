/**
 * How much the store held, noted beside it: LevelDB loses the end of a damaged log without a word, and with it the rows
 * that would tell.
 *
 * The note is written at a clean shutdown, and now and then of what had reached the disk. It says what was there at
 * least, so a store that holds less has lost the rest. A note that is damaged, or of another epoch, says nothing.
 */
import { open, readFile, rename } from 'node:fs/promises'
import { toHex, utf8 } from '../crdt/index.ts'
import type { Clock, Random } from './environment.ts'
import { tallyMs } from './limits.ts'
import { nativeSuite } from './native.ts'
import type { Log } from './replica-types.ts'
import type { Store } from './store.ts'

/** By arrival: the last number and how many ops, in this epoch. */
export type Tally = { readonly epoch: string; readonly seq: number; readonly ops: number }
export interface TallyFile {
  /** Undefined when there is none. */
  read(): Promise<Tally | 'damaged' | undefined>
  /** Whole or not at all, and durable. */
  write(tally: Tally): Promise<void>
}

export function tallyFile(path: string): TallyFile {
  return {
    read: async () => {
      const text = await readFile(path, 'utf8').catch(() => undefined)
      if (text === undefined) return undefined
      const [facts = '', check] = text.split('\n')
      return check === checkOf(facts) ? (JSON.parse(facts) as Tally) : 'damaged'
    },
    write: async ({ epoch, seq, ops }) => {
      const facts = JSON.stringify({ epoch, seq, ops })
      const part = `${path}.part`
      const file = await open(part, 'w', 0o600)
      try {
        await file.writeFile(`${facts}\n${checkOf(facts)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(part, path)
    },
  }
}

function checkOf(facts: string): string {
  return toHex(nativeSuite.sha256(utf8(facts)).subarray(0, 8))
}

export type TallyingOptions = {
  readonly file: TallyFile
  readonly clock: Clock
  readonly log: Log
  /** What has reached the disk. */
  readonly now: () => Tally
}

/** Writes the note while the store is open. */
export class Tallying {
  readonly #options: TallyingOptions
  #written = -1
  #cancel: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: TallyingOptions) {
    this.#options = options
  }

  start(): void {
    this.#cancel = this.#options.clock.after(tallyMs, () => {
      this.#writing = this.write().then(() => this.start())
    })
  }

  /** The last time; after a clean shutdown `now` is all. */
  async close(): Promise<void> {
    this.#cancel?.()
    await this.#writing
    this.#cancel?.()
    await this.write()
  }

  /** Never rejects: the store is what counts. */
  async write(): Promise<void> {
    const { file, log, now } = this.#options
    const tally = now()
    if (tally.seq === this.#written) return
    try {
      await file.write(tally)
      this.#written = tally.seq
    } catch (error) {
      log('warn', "couldn't note how much the store holds", { error: String(error) })
    }
  }
}

/**
 * How many ops were there at the last tally and are gone; 0 when none is known to be. Their numbers were given to peers,
 * so the log starts anew then.
 */
export async function lostSince(file: TallyFile | undefined, store: Store, random: Random, log: Log): Promise<number> {
  const told = await file?.read()
  if (told === 'damaged') {
    log('warn', 'the file tally is damaged: it cannot be told whether the newest ops on disk are gone')
    return 0
  }
  if (told === undefined || told.epoch !== store.meta.epoch || told.seq <= store.counts.seq) return 0
  const lost = Math.max(1, told.ops - store.counts.ops)
  log('error', 'the newest ops on disk are gone; peers will be asked for them', { lost, of: told.ops })
  await store.renew(toHex(random.bytes(16)))
  return lost
}
