/**
 * Which blocks of our sources have run, by V8's own counters.
 */
import { type Profiler, Session } from 'node:inspector'

export class Coverage implements Disposable {
  readonly #session = new Session()
  readonly #seen = new Set<string>()

  /** Counts from now on. */
  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  get blocks(): number {
    return this.#seen.size
  }

  /** Blocks that have run since the last call and never before; they are remembered when told so. */
  fresh(remember: boolean): number {
    let fresh = 0
    this.#session.post('Profiler.takePreciseCoverage', (error, report) => {
      if (error !== null) throw error
      for (const block of ranBlocks(report.result)) {
        if (this.#seen.has(block)) continue
        fresh++
        if (remember) this.#seen.add(block)
      }
    })
    return fresh
  }

  [Symbol.dispose](): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }
}

function* ranBlocks(scripts: readonly Profiler.ScriptCoverage[]): Iterable<string> {
  for (const { url, functions } of scripts) {
    if (!/\/(crdt|node)\/[\w-]+\.[tj]s$/.test(url) || url.includes('node_modules')) continue
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) yield `${url} ${startOffset} ${endOffset}`
      }
    }
  }
}
