/**
 * Fuzzing guided by coverage: inputs are mutated, and one that reaches a block of code that none before it has reached is
 * kept and mutated further.
 *
 * Coverage is read after a batch, for reading it costs as much as thousands of runs; where a batch reached something
 * new, halves of it are run again until the input is found. Counting makes code ten times slower, so only the first
 * tenth of the runs is guided; the rest are mutants of what it found. One seed decides every input.
 */
import { setImmediate } from 'node:timers/promises'
import { Chance } from '../sim/chance.ts'
import { Coverage } from './coverage.ts'
import { mutate } from './mutate.ts'

export type Target = {
  readonly name: string
  readonly bytesMax: number
  /** Good inputs to begin with. */
  readonly seeds: () => readonly Uint8Array[]
  /** Throws when a promise is broken: for whatever bytes, it should not. */
  readonly run: (bytes: Uint8Array) => void | Promise<void>
}
export type Found = { readonly input: Uint8Array; readonly why: string }
export type Fuzzed = {
  readonly target: string
  readonly executions: number
  readonly inputs: number
  /** Characters of our sources that ran, beyond what the good inputs reach. */
  readonly reached: number
  readonly slowestMs: number
  /** The most the process took, and how much of that came while the target ran. */
  readonly memoryMb: number
  readonly grownMb: number
  readonly seconds: number
  readonly found: readonly Found[]
}

/** An input that takes longer is a hang; it is run again, for a machine that is busy makes everything slow. */
export const HANG_MS = 100
export const MEMORY_MB = 512
const BATCH_MIN = 16
const GUIDED = 0.1
const BATCH_MAX = 256
/** After so many runs the event loop turns, as it does in a node: what waits to be freed until then would pile up. */
const TURN_RUNS = 64
const FOUND_MAX = 10

export type FuzzOptions = {
  /** Keeps nothing of what reached new code: what guiding is worth is seen beside it. */
  readonly blind?: boolean
  /** Begun before the target's code ran for the first time. */
  readonly coverage?: Coverage
  /** Asked before each batch: whether to end before all runs are done. */
  readonly isOver?: () => boolean
  /** Told after each batch how many inputs were tried. */
  readonly onBatch?: (executions: number, found: number) => void
}

export async function fuzz(
  target: Target,
  runs: number,
  seed: number,
  { blind = false, coverage = new Coverage(), isOver = () => false, onBatch }: FuzzOptions = {},
): Promise<Fuzzed> {
  const chance = new Chance(seed, 'fuzz', target.name)
  const started = performance.now()
  const found: Found[] = []
  const good = target.seeds()
  const corpus: Uint8Array[] = [...good]
  /** Of inputs; what is run again to find out which one it was is not counted. */
  let executions = 0
  let tried = 0
  let slowestMs = 0
  const memoryAtFirst = memoryNow()
  let memoryMb = memoryAtFirst
  const tryOne = async (input: Uint8Array): Promise<void> => {
    if (++tried % TURN_RUNS === 0) await setImmediate()
    const begun = performance.now()
    try {
      const running = target.run(input)
      if (running !== undefined) await running
    } catch (error) {
      if (found.length < FOUND_MAX)
        found.push({ input, why: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
    const ms = performance.now() - begun
    if (ms <= slowestMs) return
    const least = ms > HANG_MS / 4 ? await leastMs(target, input, ms) : ms
    slowestMs = Math.max(slowestMs, least)
    if (least > HANG_MS) found.push({ input, why: `took ${least.toFixed(0)} ms` })
  }
  /** Runs these again, in halves, and keeps those that reach something new. */
  const keepFresh = async (inputs: readonly Uint8Array[]): Promise<void> => {
    for (const input of inputs) await tryOne(input)
    if (coverage.fresh(inputs.length === 1) === 0) return
    if (inputs.length === 1) return void corpus.push(inputs[0]!)
    const half = inputs.length >> 1
    await keepFresh(inputs.slice(0, half))
    await keepFresh(inputs.slice(half))
  }
  for (const input of good) await tryOne(input)
  coverage.begin()
  let size = BATCH_MIN
  let isGuided = true
  while (executions < runs && found.length < FOUND_MAX && !isOver()) {
    if (isGuided && executions >= runs * GUIDED) {
      isGuided = false
      coverage[Symbol.dispose]()
    }
    const inputs = Array.from({ length: Math.min(size, Math.max(1, runs - executions)) }, () =>
      mutate(chance.pick(chance.pick([good, corpus.slice(-64), corpus])), chance.pick(corpus), chance, target.bytesMax),
    )
    executions += inputs.length
    // Mutants are made with the code under test: what that reached is nobody's merit.
    if (isGuided) coverage.fresh(false)
    for (const input of inputs) await tryOne(input)
    if (isGuided && coverage.fresh(blind) > 0 && !blind) {
      const half = inputs.length >> 1
      await keepFresh(inputs.slice(0, half))
      await keepFresh(inputs.slice(half))
      size = Math.max(BATCH_MIN, size >> 1)
    } else size = Math.min(BATCH_MAX, size * 2)
    memoryMb = Math.max(memoryMb, memoryNow())
    onBatch?.(executions, found.length)
  }
  if (isGuided) coverage[Symbol.dispose]()
  if (memoryMb > MEMORY_MB) found.push({ input: new Uint8Array(), why: `the process grew to ${memoryMb} MB` })
  const seconds = (performance.now() - started) / 1_000
  return {
    target: target.name,
    executions,
    inputs: corpus.length,
    reached: coverage.characters,
    slowestMs,
    memoryMb,
    grownMb: memoryMb - memoryAtFirst,
    seconds,
    found,
  }
}

function memoryNow(): number {
  return Math.round(process.memoryUsage.rss() / 2 ** 20)
}

/** The shortest of some more runs. */
async function leastMs(target: Target, input: Uint8Array, ms: number): Promise<number> {
  let least = ms
  for (let i = 0; i < 5; i++) {
    const begun = performance.now()
    try {
      await target.run(input)
    } catch {
      // Told already.
    }
    least = Math.min(least, performance.now() - begun)
  }
  return least
}
