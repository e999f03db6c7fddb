/**
 * `npm run campaign -- [--seeds 10000] [--seed 1] [--runs 1000000] [--rounds 200] [--flips 3] [--owners 2000]
 * [--only TEXT,TEXT] [--minutes N]`: the proofs that are too long for `npm test`, one after the other, and at the end one
 * table of the figures they came to. Exit 1 when one of them failed.
 *
 * Each stage says how far it is as it goes, and ends when its minutes are over (its own, or N for each) with the figures
 * so far; told to end (Ctrl-C), the stage under way does, the rest is left out, and the table is printed all the same.
 * All that a stage prints lies in .out/campaign-STAGE.txt.
 */
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { endingAfter } from './ending.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '200' },
    flips: { type: 'string', default: '3' },
    owners: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string' },
  },
})
const root = new URL('../', import.meta.url).pathname
const script = (name: string) => `${root}scripts/${name}.ts`
const vitest = (...files: readonly string[]) => [
  `${root}node_modules/vitest/vitest.mjs`,
  'run',
  '--root',
  root,
  ...files,
]
/** Between two lines that only say that a stage goes on. */
const TELL_MS = 10_000
/** A stage that was told to end ends what it is at: a world, a round, a start on a damaged folder with its repair. */
const END_MS = 180_000

type Step = {
  readonly name: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What it may take on two busy cores. */
  readonly minutes: number
  /** It knows `--minutes` and ends by itself. */
  readonly bounded?: boolean
  /** Lines to be shown as they come; the others are shown now and then. */
  readonly show?: RegExp
  /** How far it is. */
  readonly progress?: (lines: readonly string[]) => string
  /** What of it goes into the table; the last line when left out. */
  readonly figures?: (lines: readonly string[]) => string
}
/** What a test has printed. */
const matching = (pattern: RegExp) => (lines: readonly string[]) =>
  lines.flatMap((line) => (pattern.test(line) ? [line.slice(0, 120)] : [])).join('; ') || 'nothing yet'
const STEPS: readonly Step[] = [
  {
    name: 'simulated worlds',
    args: [script('sim'), '--seed', values.seed, '--seeds', values.seeds],
    minutes: 120,
    bounded: true,
    show: /FAILED|^ {2}|^ended/,
    progress: (lines) => {
      const worlds = lines.filter((line) => line.startsWith('seed '))
      const failed = worlds.filter((line) => line.includes(' FAILED ')).length
      return `${worlds.length} of ${values.seeds} worlds, ${failed} failed`
    },
  },
  {
    name: 'planted bugs',
    args: [script('planted-bugs'), '--seed', values.seed],
    minutes: 120,
    bounded: true,
    show: /./,
  },
  {
    name: 'fuzzing',
    args: [script('fuzz'), '--runs', values.runs, '--seed', values.seed],
    minutes: 120,
    bounded: true,
    show: /./,
    figures: fuzzFigures,
  },
  {
    name: 'every storage call',
    args: vitest('test/sim/every-call.test.ts'),
    env: { EXHAUSTIVE: '1' },
    minutes: 10,
    show: /storage calls failed|Tests/,
    figures: matching(/storage calls failed/),
  },
  {
    name: 'random owners',
    args: vitest('test/crdt/authority-oracle.test.ts', 'test/node/authority-arrival.test.ts'),
    env: { RUNS: values.owners, SEED: values.seed },
    minutes: 20,
    show: /owners with|Tests/,
    figures: matching(/owners with/),
  },
  {
    name: 'kill rounds',
    args: [script('kill-rounds'), '--rounds', values.rounds, '--seed', values.seed],
    minutes: 60,
    bounded: true,
  },
  {
    name: 'damaged files',
    args: [script('flip-rounds'), '--flips', values.flips, '--seed', values.seed],
    minutes: 60,
    bounded: true,
    show: /SILENT|LEFT|^ {2}/,
    progress: (lines) => `${lines.filter((line) => line.includes(': ')).length} files damaged, ${lines.at(-1)}`,
  },
  { name: 'faults of the machine', args: [script('fault-rounds')], minutes: 15, bounded: true, show: /./ },
]

mkdirSync(`${root}.out`, { recursive: true })
const only = values.only.split(',')
const steps = STEPS.filter(({ name }) => only.some((part) => name.includes(part)))
if (steps.length === 0)
  throw new RangeError(`expected --only to name some of ${STEPS.map(({ name }) => name).join(', ')}`)
const ending = endingAfter(0)
let failed = 0
const table: string[] = []
for (const step of steps) {
  if (ending.why !== undefined) {
    table.push(`| ${step.name} | not run | | |`)
    continue
  }
  const minutes = Number(values.minutes ?? step.minutes)
  console.log(`== ${step.name}, at most ${minutes} minutes`)
  const started = performance.now()
  const { status, lines, isCut } = await run(step, minutes)
  const seconds = Math.round((performance.now() - started) / 1_000)
  const isWhole = ending.why === undefined && seconds < minutes * 60
  const outcome = status === 0 ? (isWhole ? 'ok' : 'ok, in part') : isCut ? 'cut off' : 'FAILED'
  if (outcome === 'FAILED') failed++
  const { figures = (all: readonly string[]) => all.at(-1) ?? '' } = step
  table.push(`| ${step.name} | ${outcome} | ${figures(lines)} | ${seconds} s |`)
  console.log(`== ${step.name}: ${outcome}, ${seconds} s: ${figures(lines)}`)
}
console.log(['', '| stage | | figures | took |', '|---|---|---|---|', ...table].join('\n'))
process.exitCode = failed === 0 ? 0 : 1

/** `isCut`: it had to be ended from here, and its figures are not all. */
async function run(step: Step, minutes: number): Promise<{ status: number | null; lines: string[]; isCut: boolean }> {
  const { name, args, env, bounded = false, show, progress = (lines) => lines.at(-1) ?? '' } = step
  // A group of its own: Ctrl-C is for us, who pass it on to the stage alone and not to the nodes that it tries.
  const child = spawn(process.execPath, [...args, ...(bounded ? ['--minutes', String(minutes)] : [])], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let isCut = false
  const kill = () => {
    isCut = true
    process.kill(-child.pid!, 'SIGKILL')
  }
  let killing: NodeJS.Timeout | undefined
  const tell = () => {
    if (!bounded) return kill()
    child.kill('SIGTERM')
    killing = setTimeout(kill, END_MS)
  }
  ending.signal.addEventListener('abort', tell)
  const late = setTimeout(kill, minutes * 60_000 + (bounded ? END_MS : 0))
  const lines: string[] = []
  const file = createWriteStream(`${root}.out/campaign-${name.replaceAll(' ', '-')}.txt`)
  const started = performance.now()
  let toldAt = started
  for await (const line of createInterface({ input: child.stdout })) {
    file.write(`${line}\n`)
    if (line === '') continue
    lines.push(line)
    if (show?.test(line)) console.log(`  ${line.trimEnd()}`)
    else if (performance.now() > toldAt + TELL_MS) {
      toldAt = performance.now()
      console.log(`  ${Math.round((toldAt - started) / 1_000)} s: ${progress(lines)}`)
    }
  }
  const status = await ended
  ending.signal.removeEventListener('abort', tell)
  clearTimeout(late)
  clearTimeout(killing)
  file.end()
  return { status, lines, isCut }
}

/** One line of JSON a target, and under it what was found. */
function fuzzFigures(lines: readonly string[]): string {
  type Told = { target: string; executions: number; found: number; slowest_ms: number; memory_mb: number }
  const told = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Told)
  const most = (of: (one: Told) => number) => Math.max(...told.map(of))
  if (told.length === 0) return 'nothing yet'
  const executions = Math.min(...told.map((one) => one.executions))
  const found = told.reduce((sum, one) => sum + one.found, 0)
  const worst = `slowest ${most((one) => one.slowest_ms)} ms, at most ${most((one) => one.memory_mb)} MB`
  return `${told.length} targets, at least ${executions} executions each, ${found} found, ${worst}`
}
