/**
 * Random tests say which seed they ran with, and SEED=n runs that one again.
 */
import type { Parameters } from 'fast-check'

/** Calls `run` with fast-check's seed parameter; a failure's message names the seed (fast-check prints it as well). */
export async function seeded(run: (parameters: { seed: number }) => unknown): Promise<void> {
  const seed = chosenSeed()
  try {
    await run({ seed } satisfies Parameters)
  } catch (error) {
    if (error instanceof Error) error.message = `SEED=${seed}\n${error.message}`
    throw error
  }
}

/** SEED of the environment, else one by the clock. */
export function chosenSeed(): number {
  const given = Number(process.env['SEED'])
  return process.env['SEED'] !== undefined && Number.isSafeInteger(given) ? given : Date.now() % 2 ** 31
}
