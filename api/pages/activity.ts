/**
 * How much arrives: ops by second over the last five minutes, our own apart from those of others. Counted from when the
 * first page is asked for; a second is a number, so memory does not grow.
 */
import type { NodeFace } from '../../node/index.ts'
import { activitySeconds } from '../../node/index.ts'

export class Activity {
  readonly #ops = new Uint32Array(activitySeconds)
  readonly #local = new Uint32Array(activitySeconds)
  readonly #since: number
  #second: number

  constructor(node: NodeFace, closing: AbortSignal) {
    this.#since = now()
    this.#second = this.#since
    const stop = node.replica.onAppended(({ first, last, local }) => {
      this.#move()
      const at = this.#second % activitySeconds
      const counts = local ? this.#local : this.#ops
      counts[at] = (counts[at] as number) + (last - first + 1)
    })
    closing.addEventListener('abort', stop, { once: true })
  }

  /** Ops per bar, oldest first; the last bar is the one under way. */
  bars(count: number): { readonly local: number; readonly others: number }[] {
    this.#move()
    const width = activitySeconds / count
    return Array.from({ length: count }, (_, bar) => {
      let local = 0
      let others = 0
      for (let i = 0; i < width; i++) {
        const at = (this.#second + 1 + bar * width + i) % activitySeconds
        local += this.#local[at] as number
        others += this.#ops[at] as number
      }
      return { local, others }
    })
  }

  /** Over the last minute, or since counting began. */
  perSecond(): { readonly local: number; readonly others: number; readonly seconds: number } {
    this.#move()
    const seconds = Math.max(1, Math.min(60, this.#second - this.#since))
    let local = 0
    let others = 0
    for (let i = 0; i < seconds; i++) {
      const at = (this.#second - i + activitySeconds) % activitySeconds
      local += this.#local[at] as number
      others += this.#ops[at] as number
    }
    return { local: local / seconds, others: others / seconds, seconds }
  }

  /** Forgets the seconds that have come round again. */
  #move(): void {
    const second = now()
    for (let at = Math.max(this.#second + 1, second - activitySeconds + 1); at <= second; at++) {
      this.#ops[at % activitySeconds] = 0
      this.#local[at % activitySeconds] = 0
    }
    this.#second = second
  }
}

/** Whole seconds that never go back; far enough from zero that a window of them never begins before it. */
function now(): number {
  return Math.floor(performance.now() / 1000) + activitySeconds
}
