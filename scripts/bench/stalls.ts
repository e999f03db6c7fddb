/**
 * How long an event loop stood still between two looks at it: by the clock, which on a busy machine counts what others
 * did meanwhile, and by the processor time that the thread itself took, which does not.
 *
 * Loaded with `--import`, it watches every other thread too and answers whoever asks (`stallsOfOthers`).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { BroadcastChannel, isMainThread, threadName } from 'node:worker_threads'
import { quantile } from './quantile.ts'

export type Stalls = { readonly p99_ms: number; readonly max_ms: number; readonly work_max_ms: number }

const LOOK_MS = 1
const ANSWER_MS = 3_000

export class StallWatch {
  #clock: number[] = []
  #workMost = 0
  #timer: NodeJS.Timeout | undefined

  begin(): void {
    clearTimeout(this.#timer)
    this.#clock = []
    this.#workMost = 0
    let at = performance.now()
    let worked = workedMs()
    const look = () => {
      const [now, work] = [performance.now(), workedMs()]
      this.#clock.push(Math.max(0, now - at - LOOK_MS))
      this.#workMost = Math.max(this.#workMost, work - worked)
      at = now
      worked = work
      this.#timer = setTimeout(look, LOOK_MS).unref()
    }
    this.#timer = setTimeout(look, LOOK_MS).unref()
  }

  end(): Stalls {
    clearTimeout(this.#timer)
    const clock = this.#clock
    const max_ms = clock.reduce((most, each) => Math.max(most, each), 0)
    return { p99_ms: quantile(clock, 0.99), max_ms, work_max_ms: this.#workMost }
  }
}

function workedMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

const CHANNEL = 'peerage-bench-stalls'
const BEGIN = 'begin'
const END = 'end'
/** One that builds the index and one that answers from it. */
const THREADS = 2

/** Has the other threads watch themselves; what is returned gives the figures of each, by its name. */
export function watchOthers(): () => Promise<ReadonlyMap<string, Stalls>> {
  const channel = new BroadcastChannel(CHANNEL)
  channel.postMessage(BEGIN)
  return async () => {
    const answers = new Map<string, Stalls>()
    channel.onmessage = (event) => {
      const [name, stalls] = (event as { data: [string, Stalls] }).data
      answers.set(name, stalls)
    }
    channel.postMessage(END)
    for (let waited = 0; answers.size < THREADS && waited < ANSWER_MS; waited += 10) await delay(10)
    channel.close()
    if (answers.size < THREADS) throw new Error(`no thread is watched: run with --import ${import.meta.filename}`)
    return answers
  }
}

if (!isMainThread) {
  const watch = new StallWatch()
  const channel = new BroadcastChannel(CHANNEL)
  channel.onmessage = (event) => {
    if ((event as { data: unknown }).data === BEGIN) watch.begin()
    else if ((event as { data: unknown }).data === END) channel.postMessage([threadName, watch.end()])
  }
  channel.unref()
}
