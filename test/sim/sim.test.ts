/**
 * Simulated worlds in every test run: honest nodes agree, lose nothing and take nothing bad, whatever network, disks and
 * liars do. `SEED` chooses the first world, `SIM_SEEDS` how many; `npm run sim` runs one again and shrinks it.
 */
import { describe, expect, test } from 'vitest'
import { drawPlan } from './plan.ts'
import { readRegressions } from './regressions.ts'
import { isOk, lineOf, runPlan, runSeed, Summary } from './simulate.ts'

const first = Number(process.env['SEED'] ?? 1)
const seeds = Number(process.env['SIM_SEEDS'] ?? 300)

describe('simulated worlds', () => {
  test('one seed is one run, message for message', async () => {
    for (const seed of [first, first + 1, first + 2]) {
      const [one, two] = [await runSeed(seed), await runSeed(seed)]
      expect(two).toEqual(one)
    }
    expect((await runSeed(first)).trace).not.toBe((await runSeed(first + 1)).trace)
  })

  test('a run does not depend on whether signatures are remembered', async () => {
    const plan = drawPlan(first)
    const [one, two] = [await runPlan({ ...plan, real: true }), await runPlan({ ...plan, real: false })]
    expect(two.trace).toBe(one.trace)
  })

  test('what once went wrong does not', async () => {
    for (const { name, plan } of await readRegressions()) {
      expect((await runPlan(plan)).violations, name).toEqual([])
    }
  })

  test(
    `${seeds} worlds from seed ${first}`,
    async () => {
      const summary = new Summary()
      const failed: string[] = []
      for (let seed = first; seed < first + seeds; seed++) {
        const outcome = await runSeed(seed)
        summary.add(outcome)
        if (!isOk(outcome)) failed.push(`${lineOf(outcome)}\n  npm run sim -- --seed ${seed}`)
      }
      console.log(`simulation: ${summary.line()}`)
      expect(failed).toEqual([])
    },
    seeds * 5_000,
  )
})
