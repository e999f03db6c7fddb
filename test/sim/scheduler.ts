/**
 * Simulated time: events in order of their moment, and of their making where moments are equal.
 *
 * Before each event everything that the last one set off has run: promises to the end of the queue. The code under test
 * waits for promises and for this clock only, never for a thread or a real timer, so one order of events is one run.
 */
import type { Clock } from '../../node/environment.ts'

type Event = { readonly at: number; readonly order: number; call: (() => void) | undefined }

/** Where the simulated clocks begin: a date in 2023. */
export const START_MS = 1_700_000_000_000

export class Scheduler {
  #now = 0
  #order = 0
  #events = 0
  readonly #heap: Event[] = []

  /** ms since the simulation began. */
  get now(): number {
    return this.#now
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  /** Calls at this moment, or now when it is past, but never within this call. Returns how to cancel it. */
  at(ms: number, call: () => void): () => void {
    const event: Event = { at: Math.max(ms, this.#now), order: this.#order++, call }
    this.#push(event)
    return () => {
      event.call = undefined
    }
  }

  after(ms: number, call: () => void): () => void {
    return this.at(this.#now + Math.max(0, ms), call)
  }

  /** Runs up to and including this moment, or until `done`, which is asked after each event. */
  async runUntil(ms: number, done: () => boolean = () => false): Promise<boolean> {
    await quiet()
    while (!done()) {
      const next = this.#heap[0]
      if (next === undefined || next.at > ms) {
        this.#now = Math.max(this.#now, ms)
        return done()
      }
      this.#pop()
      if (next.call === undefined) continue
      this.#now = next.at
      this.#events++
      next.call()
      await quiet()
    }
    return true
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
  }
}

/** The clock of one process: its own idea of the date, and nothing more from it once it is dead. */
export class ProcessClock implements Clock {
  readonly #scheduler: Scheduler
  readonly #started: number
  /** Runs what the process does: at once, later when it is paused, never when it is dead. */
  readonly #run: (call: () => void) => void
  /** ms by which its date is wrong; may jump. */
  readonly #skew: () => number

  constructor(scheduler: Scheduler, run: (call: () => void) => void, skew: () => number) {
    this.#scheduler = scheduler
    this.#started = scheduler.now
    this.#run = run
    this.#skew = skew
  }

  now(): number {
    return START_MS + Math.floor(this.#scheduler.now) + this.#skew()
  }

  monotonic(): number {
    return this.#scheduler.now - this.#started
  }

  after(ms: number, call: () => void): () => void {
    let isCancelled = false
    const cancel = this.#scheduler.after(ms, () => this.#run(() => isCancelled || call()))
    return () => {
      isCancelled = true
      cancel()
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** All promises that could go on have gone on: the loop comes round only when their queue is empty. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
