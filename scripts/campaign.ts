/**
 * `npm run campaign -- [--seeds 10000] [--seed 1] [--runs 1000000] [--rounds 200] [--flips 6]
 * [--owners 2000] [--only TEXT]`: the proofs that are too long for `npm test`, one after the other, and at the end one
 * table of the figures they came to. Exit 1 when one of them failed.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '200' },
    flips: { type: 'string', default: '6' },
    owners: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
  },
})
const root = new URL('../', import.meta.url).pathname
const script = (name: string) => `${root}scripts/${name}.ts`

type Step = {
  readonly name: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Lines worth keeping; the last line of any program is. */
  readonly keep?: RegExp
  /** What of it goes into the table; the last line when left out. */
  readonly figures?: (lines: readonly string[]) => string
}
/** What a test has printed. */
const matching = (pattern: RegExp) => (lines: readonly string[]) =>
  lines.filter((line) => pattern.test(line)).join('; ')
const STEPS: readonly Step[] = [
  {
    name: 'simulated worlds',
    args: [script('sim'), '--seed', values.seed, '--seeds', values.seeds],
    keep: /FAILED|^ {2}/,
  },
  { name: 'planted bugs', args: [script('planted-bugs'), '--seed', values.seed], keep: /./ },
  {
    name: 'fuzzing',
    args: [script('fuzz'), '--runs', values.runs, '--seed', values.seed],
    keep: /./,
    figures: fuzzFigures,
  },
  {
    name: 'every storage call',
    args: [`${root}node_modules/vitest/vitest.mjs`, 'run', '--root', root, 'test/sim/every-call.test.ts'],
    env: { EXHAUSTIVE: '1' },
    keep: /storage calls failed|Tests/,
    figures: matching(/storage calls failed/),
  },
  {
    name: 'random owners',
    args: [
      `${root}node_modules/vitest/vitest.mjs`,
      'run',
      '--root',
      root,
      'test/crdt/authority-oracle.test.ts',
      'test/node/authority-arrival.test.ts',
    ],
    env: { RUNS: values.owners, SEED: values.seed },
    keep: /owners with|Tests/,
    figures: matching(/owners with/),
  },
  { name: 'kill rounds', args: [script('kill-rounds'), '--rounds', values.rounds, '--seed', values.seed] },
  {
    name: 'damaged files',
    args: [script('flip-rounds'), '--flips', values.flips, '--seed', values.seed],
    keep: /SILENT|LEFT|^ {2}/,
  },
  { name: 'faults of the machine', args: [script('fault-rounds')], keep: /./ },
]

mkdirSync(`${root}.out`, { recursive: true })
let failed = 0
const table: string[] = []
for (const step of STEPS.filter(({ name }) => name.includes(values.only))) {
  const started = performance.now()
  const { status, lines } = await run(step)
  if (status !== 0) failed++
  const seconds = Math.round((performance.now() - started) / 1_000)
  console.log(`== ${step.name}: ${status === 0 ? 'ok' : 'FAILED'}, ${seconds} s`)
  for (const line of lines) console.log(line)
  const { figures = (all: readonly string[]) => all.at(-1) ?? '' } = step
  table.push(`| ${step.name} | ${status === 0 ? 'ok' : 'FAILED'} | ${figures(lines)} | ${seconds} s |`)
}
console.log(['| stage | | figures | took |', '|---|---|---|---|', ...table].join('\n'))
process.exitCode = failed === 0 ? 0 : 1

async function run({ name, args, env, keep }: Step): Promise<{ status: number | null; lines: string[] }> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const all: string[] = []
  for await (const line of createInterface({ input: child.stdout })) all.push(line)
  // The whole of it, for those who look for a cause.
  writeFileSync(`${root}.out/campaign-${name.replaceAll(' ', '-')}.txt`, `${all.join('\n')}\n`)
  const kept = all.filter((line, i) => line !== '' && (i === all.length - 1 || keep?.test(line) === true))
  return { status: await ended, lines: kept }
}

/** One line of JSON a target, and under it what was found. */
function fuzzFigures(lines: readonly string[]): string {
  type Told = { target: string; executions: number; found: number; slowest_ms: number; memory_mb: number }
  const told = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Told)
  const most = (of: (one: Told) => number) => Math.max(...told.map(of))
  const executions = Math.min(...told.map((one) => one.executions))
  const found = told.reduce((sum, one) => sum + one.found, 0)
  const worst = `slowest ${most((one) => one.slowest_ms)} ms, at most ${most((one) => one.memory_mb)} MB`
  return `${told.length} targets, ${executions} executions each, ${found} found, ${worst}`
}
