/**
 * Frames that were set aside (aside.ts), taken in again: all that can be before anybody sees the store, the rest
 * whenever ops have arrived that may be the past it waits for.
 */

import { type AsideOptions, readmit } from './aside.ts'
import type { Clock } from './environment.ts'
import { readmitAgainMs } from './limits.ts'
import type { Log } from './replica-types.ts'

export type ReadmissionOptions = AsideOptions & {
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

export class Readmission {
  readonly #options: ReadmissionOptions
  #waiting = 0
  #running = false
  #cancel: (() => void) | undefined

  constructor(options: ReadmissionOptions) {
    this.#options = options
  }

  /** Frames with ops whose past is missing. */
  get waiting(): number {
    return this.#waiting
  }

  async run(): Promise<void> {
    const { clock, log, signal } = this.#options
    const began = clock.monotonic()
    this.#running = true
    try {
      const { taken, waiting, damaged } = await readmit(this.#options, signal)
      this.#waiting = waiting
      if (taken + damaged === 0) return
      const facts = { frames: taken, waiting, damaged, ms: Math.round(clock.monotonic() - began) }
      log(damaged > 0 ? 'error' : 'info', 'frames that had been set aside are taken in again', facts)
    } finally {
      this.#running = false
    }
  }

  /** Ops have arrived. */
  soon(): void {
    const { clock, log, signal } = this.#options
    if (this.#waiting === 0 || this.#running || this.#cancel !== undefined || signal.aborted) return
    this.#cancel = clock.after(readmitAgainMs, () => {
      this.#cancel = undefined
      if (signal.aborted) return
      this.run().catch((error) => log('warn', "couldn't take in frames that were set aside", { error: String(error) }))
    })
  }

  close(): void {
    this.#cancel?.()
  }
}
