/**
 * Memory that a burst of work has left scattered over this thread's heap, given back once there is quiet.
 *
 * The engine collects by itself, but packs what lives together only when memory runs short: after a sync of 10,000
 * records half of the heap's pages hold a few objects each. One full collection with packing frees them. It stops the
 * thread for some 50 ms, so it is done once, after the work, and not on a heap where it would take long.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from './environment.ts'
import { giveBackAfterMs, giveBackHeapBytesMax, giveBackWork } from './limits.ts'

export class GiveBack {
  readonly #after: Clock['after']
  #work = 0
  #cancel = () => {}

  constructor(after: Clock['after']) {
    this.#after = after
  }

  /** So many records or ops more were worked on. */
  note(work: number): void {
    this.#work += work
    if (this.#work < giveBackWork) return
    this.#cancel()
    this.#cancel = this.#after(giveBackAfterMs, () => {
      this.#work = 0
      if (process.memoryUsage().heapUsed <= giveBackHeapBytesMax) collect('last-resort')
    })
  }

  stop(): void {
    this.#cancel()
  }
}

/** By the engine's own function, which it shows to contexts that are made while the flag is set. */
export function collect(flavor: 'regular' | 'last-resort'): void {
  setFlagsFromString('--expose-gc')
  // The flag is the process's: another thread may have taken it back by now, and then this one goes without.
  const gc: Collect | undefined = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  gc?.({ type: 'major', flavor })
}

type Collect = (options: { readonly type: 'major'; readonly flavor: 'regular' | 'last-resort' }) => void
