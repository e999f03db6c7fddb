/**
 * `npm run sim -- --seed N --seeds M [--nodes 3..50] [--minutes 60]`: simulated worlds, seeds N..N+M-1, one line each and a summary at
 * the end; exit 1 when a goal was violated in any. Told to end (Ctrl-C), or when its minutes are over, it says what the
 * worlds until then came to.
 *
 * A failing seed is printed with the events that are left when all others are left out. `--record NAME` also adds that
 * world to test/sim/regressions.json, which `npm test` runs for ever; `--stop` ends at the first failure, `--no-shrink`
 * leaves it as it is; `--events`
 * prints the trace of the one seed.
 */
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { drawPlan } from '../test/sim/plan.ts'
import { recordRegression } from '../test/sim/regressions.ts'
import { describe, shrink } from '../test/sim/shrink.ts'
import { isOk, lineOf, runPlan, Summary } from '../test/sim/simulate.ts'
import { endingAfter } from './ending.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    nodes: { type: 'string' },
    minutes: { type: 'string', default: '0' },
    record: { type: 'string' },
    stop: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: true },
    events: { type: 'boolean', default: false },
  },
  allowNegative: true,
})
const first = whole(values.seed, 0, 2 ** 31)
const count = whole(values.seeds, 1, 2 ** 31)
const nodes = values.nodes === undefined ? undefined : whole(values.nodes, 3, 50)

const ending = endingAfter(Number(values.minutes))
const summary = new Summary()
for (let seed = first; seed < first + count && ending.why === undefined; seed++) {
  // A world takes no real time, so signals would wait for the last of them.
  await setImmediate()
  const plan = drawPlan(seed, { nodes })
  const outcome = await runPlan(plan, values.events ? { onNote: (line) => process.stdout.write(line) } : {})
  summary.add(outcome)
  console.log(lineOf(outcome))
  if (isOk(outcome)) continue
  const shrunk = values.shrink ? await shrink(plan) : undefined
  if (shrunk !== undefined) console.log(describe(shrunk))
  if (shrunk !== undefined && values.record !== undefined) await recordRegression(values.record, shrunk.plan)
  if (values.stop) break
}
if (ending.why !== undefined) console.log(`ended after ${summary.seeds} of ${count} worlds: ${ending.why}`)
console.log(summary.line())
process.exitCode = summary.failed === 0 ? 0 : 1

function whole(text: string, least: number, most: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new RangeError(`expected a whole number from ${least} to ${most}, got ${text}`)
  }
  return value
}
