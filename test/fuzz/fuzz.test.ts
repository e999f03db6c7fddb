/** Some thousand mutants for each reader of strangers' bytes; `npm run fuzz` and the campaign run millions. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Chance } from '../sim/chance.ts'
import { chosenSeed, seeded } from '../support/seed.ts'
import { fuzz, type Target } from './fuzz.ts'
import { mutate } from './mutate.ts'
import { stairs } from './samples/stairs.ts'
import { TARGETS } from './targets.ts'

const seed = chosenSeed()

describe.each(TARGETS)('$name', (target) => {
  test('any bytes at all', () =>
    seeded((parameters) =>
      fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => target.run(bytes)),
        { ...parameters, numRuns: 300 },
      ),
    ))

  test(`mutants of good ones, seed ${seed}`, async () => {
    const chance = new Chance(seed, target.name)
    const seeds = target.seeds()
    for (let i = 0; i < 1_500; i++) {
      const mutant = mutate(chance.pick(seeds), chance.pick(seeds), chance, target.bytesMax)
      await target.run(mutant)
    }
  })
})

test('what breaks a promise is found, however few of the inputs reach it', async () => {
  const target: Target = {
    name: 'three bytes in a row',
    bytesMax: 16,
    seeds: () => [Uint8Array.of(1, 2, 3, 4, 5, 6)],
    run: stairs,
  }
  const found = async (blind: boolean) => (await fuzz(target, 200_000, seed, { blind })).found.length > 0
  expect({ guided: await found(false), blind: await found(true) }, `SEED=${seed}`).toEqual({
    guided: true,
    blind: false,
  })
})
