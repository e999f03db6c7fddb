/**
 * `npm run fuzz -- [--target T] [--runs 100000] [--seed 1]`: mutated bytes for what strangers' bytes reach first, guided
 * by coverage. One JSON line a target; what was found is printed in hex, and makes the exit code 1.
 */
import { parseArgs } from 'node:util'
import { fuzz } from '../test/fuzz/fuzz.ts'
import { TARGETS } from '../test/fuzz/targets.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
})
const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target)
if (targets.length === 0) throw new RangeError(`expected one of ${TARGETS.map(({ name }) => name).join(', ')}`)
for (const target of targets) {
  const { found, seconds, slowestMs, memoryMb, ...facts } = await fuzz(target, Number(values.runs), Number(values.seed))
  const rounded = { slowest_ms: Number(slowestMs.toFixed(1)), memory_mb: memoryMb, seconds: Number(seconds.toFixed(1)) }
  console.log(JSON.stringify({ ...facts, ...rounded, found: found.length }))
  for (const { input, why } of found) console.log(`  ${why}\n  ${Buffer.from(input).toString('hex')}`)
  if (found.length > 0) process.exitCode = 1
}
