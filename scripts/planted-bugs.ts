/**
 * `npm run planted-bugs -- [--seed 1] [--seeds 1000] [--only TEXT] [--minutes 60]`: plants each bug of
 * test/sim/planted-bugs.ts in the real sources and runs simulated worlds until one of them shows it that shows nothing
 * without. Prints a table; exit 1 when one that was tried was not found.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { PLANTED_BUGS, type PlantedBug } from '../test/sim/planted-bugs.ts'
import { endingAfter } from './ending.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1000' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string', default: '0' },
  },
})
const bugs = PLANTED_BUGS.filter(({ name }) => name.includes(values.only))
const plant = new URL('../test/sim/plant.ts', import.meta.url).href
const sim = new URL('./sim.ts', import.meta.url).pathname
const first = Number(values.seed)
const count = Number(values.seeds)
const ending = endingAfter(Number(values.minutes))

type Found = { readonly bug: PlantedBug; readonly seeds?: number; readonly how: string; readonly seconds: number }

const waiting = [...bugs]
const found: Found[] = []
console.log(`worlds  seconds  goal  bug`)
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, runSome))
const missed = found.filter(({ seeds }) => seeds === undefined)
const worlds = found.map(({ seeds }) => seeds ?? 0)
console.log(
  JSON.stringify({
    planted: bugs.length,
    tried: found.length,
    found: found.length - missed.length,
    most_worlds: Math.max(0, ...worlds),
  }),
)
process.exitCode = missed.length === 0 ? 0 : 1

async function runSome(): Promise<void> {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const one = await hunt(bug)
    // One that was left before it was found says nothing.
    if (ending.why !== undefined) return
    found.push(one)
    const seeds = one.seeds === undefined ? 'none' : String(one.seeds)
    console.log(`${seeds.padStart(6)}  ${one.seconds.toFixed(1).padStart(7)}  ${one.how.padEnd(4)}  ${bug.name}`)
  }
}

/** Runs worlds with this bug until a goal is violated that is met without it. */
async function hunt(bug: PlantedBug): Promise<Found> {
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1_000
  for (let from = first; from < first + count; ) {
    const ran = await run(['--import', plant], from, first + count - from, bug.name)
    // A world that ends the process shows a bug as well.
    const seed = ran.failed?.seed ?? (ran.status !== 0 && ran.last >= from ? ran.last + 1 : undefined)
    if (seed === undefined) return { bug, how: ran.status === 0 ? '-' : 'fails to start', seconds: seconds() }
    const without = await run([], seed, 1, '')
    if (without.status === 0)
      return { bug, seeds: seed - first + 1, how: ran.failed?.goal ?? 'dies', seconds: seconds() }
    console.log(`seed ${seed} fails without a bug, too`)
    from = seed + 1
  }
  return { bug, how: '-', seconds: seconds() }
}

/** Worlds until the first that fails. */
async function run(options: readonly string[], seed: number, seeds: number, planted: string) {
  const args = [...options, sim, '--seed', `${seed}`, '--seeds', `${seeds}`, '--stop', '--no-shrink']
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PLANTED: planted },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const stop = () => child.kill('SIGKILL')
  ending.signal.addEventListener('abort', stop)
  let failed: { readonly seed: number; readonly goal: string } | undefined
  let last = seed - 1
  for await (const line of createInterface({ input: child.stdout })) {
    const match = /^seed (\d+) trace \S+ (ok|FAILED (\S+))/.exec(line)
    if (match === null) continue
    last = Number(match[1])
    if (match[3] !== undefined) failed ??= { seed: last, goal: match[3] }
  }
  const status = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('exit', resolve)))
  ending.signal.removeEventListener('abort', stop)
  return { failed, last, status }
}
