/**
 * Which code of ours has run, by V8's own counters.
 *
 * V8 tells blocks as nested ranges and leaves out those that ran as often as what is around them, so one block has not
 * one name from report to report. What is stable is which characters of the source ran, and that is what is kept.
 *
 * Code that was compiled before counting began is told by whole functions only: count first, import then.
 */
import { type Profiler, Session } from 'node:inspector'

export class Coverage implements Disposable {
  readonly #session = new Session()
  /** Of each source, which characters have run: 1. */
  readonly #ran = new Map<string, Uint8Array>()
  #characters = 0

  /** Counts from now on. */
  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** What has run so far is what the others are counted beyond. */
  begin(): void {
    this.fresh(true)
    this.#characters = 0
  }

  /** How many characters of our sources are known to have run since the beginning, and not before it. */
  get characters(): number {
    return this.#characters
  }

  /** Characters that have run since the last call and never before; they are remembered when told so. */
  fresh(remember: boolean): number {
    let fresh = 0
    this.#session.post('Profiler.takePreciseCoverage', (error, report) => {
      if (error !== null) throw error
      for (const script of report.result) if (isOurs(script.url)) fresh += this.#take(script, remember)
    })
    if (remember) this.#characters += fresh
    return fresh
  }

  #take({ url, functions }: Profiler.ScriptCoverage, remember: boolean): number {
    const ranges = functions.flatMap((one) => one.ranges)
    const length = Math.max(...ranges.map(({ endOffset }) => endOffset))
    const ran = new Uint8Array(length)
    // What lies within comes after what it lies in.
    for (const { startOffset, endOffset, count } of ranges) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset)
    const before = this.#ran.get(url) ?? new Uint8Array(length)
    const after = before.length < length ? Uint8Array.from({ length }, (_, i) => before[i] ?? 0) : before
    let fresh = 0
    for (let i = 0; i < length; i++) {
      if (ran[i] === 0 || after[i] === 1) continue
      fresh++
      if (remember) after[i] = 1
    }
    this.#ran.set(url, after)
    return fresh
  }

  [Symbol.dispose](): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }
}

function isOurs(url: string): boolean {
  return /\/(crdt|node|fuzz\/samples)\/[\w-]+\.[tj]s$/.test(url) && !url.includes('node_modules')
}
