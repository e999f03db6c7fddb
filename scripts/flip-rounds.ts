/**
 * Damages every file of a data folder in turn and looks whether anybody is told.
 * `npm run flip-rounds -- [--flips 3] [--seed N] [--records 1500] [--only TEXT,TEXT] [--faults flip,zero]
 * [--minutes 40]`
 *
 * A real node makes the folder, a real peer holds the same. For each file: bits flipped at random places, a stretch of
 * zeros, its end cut off, the file gone. Then a node is started on it, alone, and asked for everything. The outcome of
 * a trial:
 *
 *   harmless   all answers are as before
 *   named      the node refuses to start, or says in its log, its metrics or its answers that something is damaged
 *   SILENT     an answer is another one, and nobody is told
 *
 * What the doctor says of the stopped folder is counted beside. Where something was named, the peer has to bring
 * everything back, and `peerage repair` where that does not help: `repaired`, or `LEFT` with what still differs. Secrets
 * cannot be got from a peer, and are left out there. Exit 1 when a trial was silent, or something was left.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Running, startNode } from '../test/support/start-node.ts'
import { mulberry } from './bench/record.ts'
import { endingAfter } from './ending.ts'
import { type Answers, askAll, CONTENT, differing, later, partingOf } from './flip-rounds/answers.ts'
import { damage, type Fault } from './flip-rounds/damage.ts'
import { command, filesOf, makeFolder } from './flip-rounds/folder.ts'

const { values: options } = parseArgs({
  options: {
    flips: { type: 'string', default: '3' },
    seed: { type: 'string' },
    records: { type: 'string', default: '1500' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string', default: '0' },
    faults: { type: 'string', default: 'flip,zero,truncate,delete' },
  },
})
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31))
const random = mulberry(seed)
const ending = endingAfter(Number(options.minutes))
const ALL: readonly Fault[] = [...Array<Fault>(Number(options.flips)).fill('flip'), 'zero', 'truncate', 'delete']
const FAULTS = ALL.filter((fault) => options.faults.split(',').includes(fault))
/** What peers do not have. */
const SECRETS = /^(key|peer-key|token|webhook-secret)$|^tokens\//
/** A node that finds nothing wrong at first may still be looking. */
const NAMED_MS = 8_000
const REPAIRED_MS = 30_000

type Outcome = { readonly outcome: 'harmless' | 'named' | 'SILENT'; readonly why: string; readonly opened: boolean }
type Count = {
  trials: number
  harmless: number
  named: number
  silent: number
  doctor: number
  repaired: number
  left: number
}

const folder = await mkdtemp(join(tmpdir(), 'peerage-flip-'))
const [whole, trial] = [join(folder, 'whole'), join(folder, 'trial')]
const table = new Map<string, Count>()
const { peer, kind, ids, reader } = await makeFolder(whole, join(folder, 'peer'), Number(options.records))
try {
  const files = (await filesOf(whole)).filter((file) => options.only.split(',').some((part) => file.includes(part)))
  console.log(`seed ${seed}, ${files.length} files`)
  // What is answered, and said, where nothing is damaged.
  await fresh()
  const { answers: before, usual } = await whatIsUsual()
  for (const file of files)
    for (const fault of FAULTS) if (ending.why === undefined) await tryOne(file, fault, before, usual)
} finally {
  await peer.stop()
  await rm(folder, { recursive: true, force: true })
}
const total = { trials: 0, harmless: 0, named: 0, silent: 0, doctor: 0, repaired: 0, left: 0 }
for (const [type, count] of table) {
  console.log(`  ${type.padEnd(18)} ${JSON.stringify(count)}`)
  for (const name of Object.keys(total) as (keyof Count)[]) total[name] += count[name]
}
console.log(JSON.stringify({ seed, ...total }))
process.exitCode = total.silent === 0 && total.left === 0 ? 0 : 1

async function tryOne(file: string, fault: Fault, before: Answers, usual: ReadonlySet<string>): Promise<void> {
  await fresh()
  const done = damage(join(trial, file), fault, random)
  if (done === undefined) return
  const kept = join(folder, 'damaged')
  await cp(trial, kept, { recursive: true, force: true })
  const doctor = await command(['doctor', '--json', '--data', kept])
  await rm(kept, { recursive: true, force: true })
  const { outcome, why, opened } = await judge(before, usual)
  const left = outcome === 'harmless' || SECRETS.test(file) ? undefined : await repair(before, opened)
  const count = countOf(typeOf(file))
  count.trials++
  if (outcome === 'harmless') count.harmless++
  else if (outcome === 'named') count.named++
  else count.silent++
  if (doctor.code !== 0) count.doctor++
  if (left !== undefined) left === '' ? count.repaired++ : count.left++
  const after = left === undefined ? '' : left === '' ? ', repaired' : `, LEFT: ${left}`
  console.log(`${file}: ${done}: ${outcome}${after}${why === '' ? '' : ` (${why})`}`)
}

/** Starts a node on the damaged folder, without peers, and asks it for everything. */
async function judge(before: Answers, usual: ReadonlySet<string>): Promise<Outcome> {
  let node: Running
  try {
    node = await startNode({ data: trial, offline: true })
  } catch (error) {
    return { outcome: 'named', why: lastLine((error as Error).message), opened: false }
  }
  await using _ = node
  const after = await askAll(node.http, kind, ids, reader)
  const other = differing(before, after)
  const named = () => namesDamage(node, after, usual)
  for (const until = performance.now() + NAMED_MS; other.length > 0 && performance.now() < until; await later(200))
    if ((await named()) !== undefined) break
  const why = await named()
  if (why !== undefined) return { outcome: 'named', why, opened: true }
  if (other.length === 0) return { outcome: 'harmless', why: '', opened: true }
  return { outcome: 'SILENT', why: `other answers: ${other.slice(0, 4).join(', ')}`, opened: true }
}

/** Lines of the log that a good folder does not give, gauges of damage, refused answers: 401 to whose token is gone. */
async function namesDamage(node: Running, answers: Answers, usual: ReadonlySet<string>): Promise<string | undefined> {
  const said = warnings(node).find((message) => !usual.has(message))
  if (said !== undefined) return said
  const metrics = await (await fetch(`${node.http}/metrics`)).text()
  const gauge = /^peerage_(damaged_\w+|forked_records|restored) [1-9].*$/m.exec(metrics)
  return gauge?.[0] ?? [...answers.values()].find((text) => /^problem (401|5)/.test(text))
}

function warnings(node: Running): string[] {
  const lines = node
    .log()
    .split('\n')
    .filter((line) => /"level":"(warn|error|fatal)"/.test(line))
  return lines.map((line) => (JSON.parse(line) as { message: string }).message)
}

/** Brings the folder back as its operator would; answers what still differs, '' when nothing does. */
async function repair(before: Answers, opened: boolean): Promise<string> {
  const left = opened ? await leftAfterSync(before) : 'it does not start'
  if (left === '') return ''
  const { code, said } = await command(['repair', '--data', trial])
  return code === 0 ? leftAfterSync(before) : `repair says ${lastLine(said)}`
}

/** What differs when the node has been with the peer for a while. */
async function leftAfterSync(before: Answers): Promise<string> {
  await using node = await startNode({ data: trial, join: peer.multiaddrs }).catch(() => undefined)
  if (node === undefined) return 'the node does not start'
  for (const until = performance.now() + REPAIRED_MS; ; await later(300)) {
    const after = await askAll(node.http, kind, ids, reader)
    const other = differing(before, after, CONTENT)
    if (other.length === 0) return ''
    if (performance.now() > until)
      return other
        .slice(0, 2)
        .map((name) => partingOf(before, after, name))
        .join('; ')
  }
}

async function whatIsUsual(): Promise<{ answers: Answers; usual: ReadonlySet<string> }> {
  await using node = await startNode({ data: trial, offline: true })
  const answers = await askAll(node.http, kind, ids, reader)
  const refused = [...answers].filter(([, text]) => text.startsWith('problem 5'))
  if (refused.length > 0) throw new Error(`a good folder answers ${JSON.stringify(refused)}`)
  return { answers, usual: new Set(warnings(node)) }
}

/** The folder as it was left. */
async function fresh(): Promise<void> {
  await rm(trial, { recursive: true, force: true })
  await cp(whole, trial, { recursive: true })
}

function countOf(type: string): Count {
  const found = table.get(type) ?? { trials: 0, harmless: 0, named: 0, silent: 0, doctor: 0, repaired: 0, left: 0 }
  table.set(type, found)
  return found
}

function typeOf(file: string): string {
  return file.replace(/\d{6}/, '*').replace(/segment-\d+/, 'segment-*')
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.slice(0, 160)
}
