/** Seeds in, outcomes out: what the command, the tests and the campaign share. */
import { type DrawOptions, drawPlan, type Plan } from './plan.ts'
import { type Outcome, World } from './world.ts'

export type RunOptions = {
  /** Told of each line of the trace: for people in search of a cause. */
  readonly onNote?: (line: string) => void
}

export function runPlan(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  return new World(plan, options).run()
}

export function runSeed(seed: number, options: DrawOptions = {}): Promise<Outcome> {
  return runPlan(drawPlan(seed, options))
}

export function isOk(outcome: Outcome): boolean {
  return outcome.violations.length === 0
}

/** `seed N trace <64 hex> ok|FAILED ...` */
export function lineOf(outcome: Outcome): string {
  const { seed, trace, violations, nodes, liars, ops, events, simulatedMs, convergedMs } = outcome
  const facts = [
    `nodes ${nodes}`,
    `liars ${liars}`,
    `ops ${ops}`,
    `events ${events}`,
    `simulated ${(simulatedMs / 1_000).toFixed(0)} s`,
    ...(convergedMs === undefined ? [] : [`agreed after ${(convergedMs / 1_000).toFixed(1)} s`]),
  ]
  const first = violations[0]
  const verdict = first === undefined ? 'ok' : `FAILED ${first.goal} ${first.what.split('\n')[0]};`
  return `seed ${seed} trace ${trace} ${verdict} ${facts.join(', ')}`
}

/** The figures of many runs. */
export class Summary {
  seeds = 0
  failed = 0
  violations = 0
  events = 0
  simulatedMs = 0
  ops = 0
  acknowledged = 0
  readonly #converged: number[] = []
  readonly #started = performance.now()

  add({ violations, events, simulatedMs, ops, acknowledged, convergedMs }: Outcome): void {
    this.seeds++
    if (violations.length > 0) this.failed++
    this.violations += violations.length
    this.events += events
    this.simulatedMs += simulatedMs
    this.ops += ops
    this.acknowledged += acknowledged
    if (convergedMs !== undefined) this.#converged.push(convergedMs)
  }

  /** One JSON object. Agreement is looked for once a simulated second. */
  line(): string {
    const sorted = this.#converged.toSorted((a, b) => a - b)
    const quantile = (q: number) => Math.round((sorted[Math.floor(q * (sorted.length - 1))] ?? 0) / 1_000)
    const seconds = (performance.now() - this.#started) / 1_000
    return JSON.stringify({
      seeds: this.seeds,
      failed: this.failed,
      violations: this.violations,
      events: this.events,
      simulated_hours: Number((this.simulatedMs / 3_600_000).toFixed(2)),
      ops: this.ops,
      acknowledged: this.acknowledged,
      agreed_after_s: { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
      seconds: Number(seconds.toFixed(1)),
      events_per_second: Math.round(this.events / seconds),
    })
  }
}
