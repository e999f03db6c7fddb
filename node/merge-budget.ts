/**
 * What strangers may make this node merge. A record whose ops lie side by side is merged from all of them with every
 * group that brings it one more, at 25 us an op: a few thousand concurrent writes to one record would keep a core busy
 * for ever. Records that are one line, and small ones, cost nothing worth counting.
 */
import type { Clock } from './environment.ts'
import { mergeFreeOps, mergePauseMsMax, mergePauseMsPerOp } from './limits.ts'

export class MergeBudget {
  readonly #clock: Clock
  #until = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A record of so many ops to merge must wait: another was merged lately. */
  isOver(ops: number): boolean {
    return ops > mergeFreeOps && this.#clock.monotonic() < this.#until
  }

  spend(ops: number): void {
    if (ops > mergeFreeOps) this.#until = this.#clock.monotonic() + ops * mergePauseMsPerOp
  }
}

/** How long a stream that made us merge so many ops has to pause. ms. */
export function mergePause(ops: number): number {
  return ops > mergeFreeOps ? Math.min(ops * mergePauseMsPerOp, mergePauseMsMax) : 0
}
