/**
 * `npm run fuzz -- [--target T] [--runs 100000] [--seed 1] [--blind] [--minutes 60]`: mutated bytes for what strangers' bytes reach
 * first, guided by coverage unless `--blind`. Each target has a process of its own, whose memory and whose compiled code
 * are not another's, and an equal share of the minutes. One JSON line a target, also when it ends early; what was found is
 * printed in hex, and makes the exit code 1. How far it is goes to stderr.
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Coverage } from '../test/fuzz/coverage.ts'
import { fuzz } from '../test/fuzz/fuzz.ts'
import { endingAfter } from './ending.ts'

const TELL_MS = 10_000
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    blind: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '0' },
  },
})
const coverage = values.target === undefined ? undefined : new Coverage()
const { TARGETS } = await import('../test/fuzz/targets.ts')

if (values.target === undefined) {
  const ending = endingAfter(0)
  const share = String(Number(values.minutes) / TARGETS.length)
  for (const { name } of TARGETS) {
    if (ending.why !== undefined) break
    const args = [import.meta.filename, ...process.argv.slice(2), '--target', name, '--minutes', share]
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    ending.signal.addEventListener('abort', () => child.kill())
    if ((await new Promise((done) => child.once('exit', done))) !== 0) process.exitCode = 1
  }
} else {
  const target = TARGETS.find(({ name }) => name === values.target)
  if (target === undefined) throw new RangeError(`expected one of ${TARGETS.map(({ name }) => name).join(', ')}`)
  const ending = endingAfter(Number(values.minutes))
  let toldAt = performance.now()
  const fuzzed = await fuzz(target, Number(values.runs), Number(values.seed), {
    blind: values.blind,
    ...(coverage && { coverage }),
    isOver: () => ending.why !== undefined,
    onBatch: (executions, found) => {
      if (performance.now() < toldAt + TELL_MS) return
      toldAt = performance.now()
      console.error(`  ${target.name}: ${executions} of ${values.runs}, ${found} found`)
    },
  })
  const { found, seconds, slowestMs, memoryMb, grownMb, ...facts } = fuzzed
  const memory = { memory_mb: memoryMb, grown_mb: grownMb }
  const times = { slowest_ms: Number(slowestMs.toFixed(1)), seconds: Number(seconds.toFixed(1)) }
  console.log(JSON.stringify({ ...facts, ...times, ...memory, found: found.length }))
  for (const { input, why } of found) console.log(`  ${why}\n  ${Buffer.from(input).toString('hex')}`)
  if (found.length > 0) process.exitCode = 1
}
