/**
 * A failing plan made small: events are left out as long as the same goal is still violated (delta debugging), then
 * liars that do nothing any more.
 */

import type { Violation } from './check.ts'
import type { Action, Plan } from './plan.ts'
import { runPlan } from './simulate.ts'

export type Shrunk = { readonly plan: Plan; readonly violations: readonly Violation[]; readonly runs: number }

/** Runs the plan again at most `runsMax` times. Answers undefined when it does not fail at all. */
export async function shrink(plan: Plan, runsMax = 400): Promise<Shrunk | undefined> {
  let runs = 1
  let violations = (await runPlan(plan)).violations
  const goal = violations[0]?.goal
  if (goal === undefined) return undefined
  let best = plan
  const stillFails = async (smaller: Plan): Promise<boolean> => {
    if (runs >= runsMax) return false
    runs++
    const found = (await runPlan(smaller)).violations
    if (!found.some((violation) => violation.goal === goal)) return false
    best = smaller
    violations = found
    return true
  }
  const without = (some: ReadonlySet<Action>) => ({ ...best, actions: best.actions.filter((one) => !some.has(one)) })
  for (let size = Math.ceil(best.actions.length / 2); size >= 1 && runs < runsMax; ) {
    let removed = false
    for (let from = 0; from < best.actions.length; ) {
      if (await stillFails(without(new Set(best.actions.slice(from, from + size))))) removed = true
      else from += size
    }
    if (!removed) size = size === 1 ? 0 : Math.ceil(size / 2)
    else size = Math.min(size, Math.max(1, Math.ceil(best.actions.length / 2)))
  }
  for (const { id } of best.liars) {
    const liars = best.liars.filter((liar) => liar.id !== id)
    const pairs = best.pairs.filter((pair) => !pair.includes(id))
    const actions = best.actions.filter((action) => !('liar' in action && action.liar === id))
    await stillFails({ ...best, liars, pairs, actions })
  }
  return { plan: best, violations, runs }
}

/** What is left of it, for people: one event a line. */
export function describe({ plan, violations, runs }: Shrunk): string {
  const { seed, nodes, liars, healMs, network, disk, actions } = plan
  return [
    `seed ${seed}, shrunk in ${runs} runs to ${actions.length} events of ${nodes.length} nodes and ${liars.length} liars`,
    `  network ${JSON.stringify(network)} disk ${JSON.stringify(disk)} heals at ${healMs.toFixed(0)} ms`,
    ...liars.map(({ id, manner }) => `  ${id} ${manner}`),
    ...actions.map(({ at, do: what, ...rest }) => `  ${at} ms  ${what} ${JSON.stringify(rest)}`),
    ...violations.slice(0, 3).map(({ goal, what, at }) => `  -> ${goal} at ${at.toFixed(0)} ms: ${what}`),
  ].join('\n')
}
