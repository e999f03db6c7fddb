/**
 * Work that the clock brings to the writer: parked ops whose time has come, bodies of erased ops that may go, and
 * records that a failing disk kept from being merged again. A failure is logged, and the next time comes all the same.
 */
import type { Clock } from './environment.ts'
import { parkedCheckMs, tidyMs } from './limits.ts'
import type { Pending } from './pending.ts'
import type { Log } from './replica-types.ts'
import type { Writer } from './writer.ts'

export type WakeOptions = {
  readonly writer: Writer
  readonly pending: Pending
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

export class Wake {
  readonly #options: WakeOptions
  #cancelDue: (() => void) | undefined
  #cancelTidy: (() => void) | undefined

  constructor(options: WakeOptions) {
    this.#options = options
  }

  /** Begins, and goes on now and then until `close`. */
  tidy(): void {
    const { writer, clock, log, signal } = this.#options
    if (signal.aborted) return
    writer
      .free()
      .catch((error) => log('warn', "couldn't free the bodies of erased ops", { error: String(error) }))
      .then(() => writer.rejudge([]))
      .catch((error) => log('warn', "couldn't merge records again", { error: String(error) }))
      .finally(() => {
        if (signal.aborted) return
        this.#cancelTidy = clock.after(tidyMs, () => this.tidy())
      })
  }

  /** Ops may have been parked: the writer is woken when the next of them is due. */
  parked(): void {
    const { writer, pending, clock, log, signal } = this.#options
    this.#cancelDue?.()
    this.#cancelDue = undefined
    const due = pending.nextDue()
    if (due === undefined || signal.aborted) return
    const ms = Math.min(Math.max(0, due - clock.now()), parkedCheckMs)
    this.#cancelDue = clock.after(ms, () => {
      const isDue = pending.due(clock.now()).length > 0
      const taken = isDue ? writer.takeDue() : Promise.resolve()
      taken
        .catch((error) => log('warn', "couldn't take ops whose time has come", { error: String(error) }))
        .finally(() => this.parked())
    })
  }

  close(): void {
    this.#cancelDue?.()
    this.#cancelTidy?.()
  }
}
