/**
 * `npm run fuzz -- [--target T] [--runs 100000] [--seed 1] [--blind]`: mutated bytes for what strangers' bytes reach
 * first, guided by coverage unless `--blind`. Each target has a process of its own, whose memory and whose compiled code
 * are not another's. One JSON line a target; what was found is printed in hex, and makes the exit code 1.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Coverage } from '../test/fuzz/coverage.ts'
import { fuzz } from '../test/fuzz/fuzz.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    blind: { type: 'boolean', default: false },
  },
})
const coverage = values.target === undefined ? undefined : new Coverage()
const { TARGETS } = await import('../test/fuzz/targets.ts')

if (values.target === undefined) {
  for (const { name } of TARGETS) {
    const args = [import.meta.filename, ...process.argv.slice(2), '--target', name]
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
    if (status !== 0) process.exitCode = 1
  }
} else {
  const target = TARGETS.find(({ name }) => name === values.target)
  if (target === undefined) throw new RangeError(`expected one of ${TARGETS.map(({ name }) => name).join(', ')}`)
  const options = { blind: values.blind, ...(coverage && { coverage }) }
  const fuzzed = await fuzz(target, Number(values.runs), Number(values.seed), options)
  const { found, seconds, slowestMs, memoryMb, grownMb, ...facts } = fuzzed
  const memory = { memory_mb: memoryMb, grown_mb: grownMb }
  const times = { slowest_ms: Number(slowestMs.toFixed(1)), seconds: Number(seconds.toFixed(1)) }
  console.log(JSON.stringify({ ...facts, ...times, ...memory, found: found.length }))
  for (const { input, why } of found) console.log(`  ${why}\n  ${Buffer.from(input).toString('hex')}`)
  if (found.length > 0) process.exitCode = 1
}
