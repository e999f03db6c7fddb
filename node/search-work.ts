/**
 * How much a query may cost. Once its budget is spent a query goes no further and answers with what it has: a stalled
 * thread would be worse for everybody, and a cut answer says that it is one.
 *
 * Counted is the thread's own time on the processor where Node tells it, so that a busy machine cuts nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { indexSliceMs } from './limits.ts'

/** ms. */
export function threadMs(): number {
  const usage = process.threadCpuUsage?.()
  return usage ? (usage.user + usage.system) / 1_000 : performance.now()
}

export class WorkBudget {
  readonly #end: number
  readonly #now: () => number
  #spent = false

  constructor(ms: number, now: () => number = threadMs) {
    this.#now = now
    this.#end = now() + ms
  }

  /** Looks at the clock; true from then on. */
  isSpent(): boolean {
    if (!this.#spent && this.#now() > this.#end) this.#spent = true
    return this.#spent
  }

  /** Was anything left undone? */
  get wasSpent(): boolean {
    return this.#spent
  }
}

/** What steps come to, without a pause. */
export function drained<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/**
 * What steps come to, in slices of `indexSliceMs` with the thread's other work between; undefined when they are not
 * wanted to the end.
 */
export async function paced<T>(
  steps: Generator<undefined, T>,
  isWanted: () => boolean,
): Promise<{ value: T } | undefined> {
  for (;;) {
    const end = performance.now() + indexSliceMs
    do {
      const step = steps.next()
      if (step.done) return { value: step.value }
    } while (performance.now() < end)
    await nextTurn()
    if (!isWanted()) return undefined
  }
}
