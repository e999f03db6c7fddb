/**
 * A clock that moves only when it is told to, and chance from a seed: with them a test of minutes takes milliseconds
 * and the same seed gives the same run.
 */
import type { Clock, Environment, Random } from '../../node/environment.ts'

type Timer = { readonly at: number; readonly order: number; readonly call: () => void }

export class ManualClock implements Clock {
  #now = 1_700_000_000_000
  readonly #start = this.#now
  #order = 0
  #timers: Timer[] = []

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now - this.#start
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, call }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Lets everything that is due, or waits for nothing, run; then moves to the next timer; until `done` or `maxMs`. */
  async runUntil(done: () => boolean, maxMs: number): Promise<void> {
    const end = this.#now + maxMs
    for (;;) {
      await idle()
      if (done()) return
      const next = this.#timers.sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined || next.at > end) {
        this.#now = end
        await idle()
        if (done()) return
        throw new Error(`expected it within ${maxMs} ms of the test's clock`)
      }
      this.#timers.shift()
      this.#now = next.at
      next.call()
    }
  }

  /** Moves on by so much. */
  async advance(ms: number): Promise<void> {
    let isOver = false
    this.after(ms, () => {
      isOver = true
    })
    await this.runUntil(() => isOver, ms)
  }
}

/** Everything that was ready to run has run: some rounds of promises and of the event loop, no time. */
export async function idle(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** xorshift32: enough for choosing and jitter. */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255),
    float: () => next() / 2 ** 32,
  }
}

export function manualEnvironment(seed = 1): Environment & { readonly clock: ManualClock } {
  return { clock: new ManualClock(), random: seededRandom(seed) }
}
