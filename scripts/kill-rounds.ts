/**
 * Kills a node with SIGKILL at random moments in the middle of an import, opens it again, and asks for everything that
 * was acknowledged. `npm run kill-rounds -- [--rounds 20] [--seed N] [--data FOLDER]`
 *
 * An item counts as acknowledged when its line of the batch answer reached us. After each kill every acknowledged item
 * is posted again: a node that still has it answers `unchanged`. One line per round, a summary at the end; exit 1 when
 * anything was lost or the node did not open by itself.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { catalogueItems } from '../test/support/catalogue-items.ts'
import { type Running, startNode } from '../test/support/start-node.ts'
import { mulberry } from './bench/record.ts'

type Item = { readonly kind: string; readonly slug: string; readonly doc: unknown }

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, seed: { type: 'string' }, data: { type: 'string' } },
})
const rounds = Number(options.rounds)
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31))
const linesPerRequest = 200
const inFlight = 3

const random = mulberry(seed)
const items = await catalogueItems(options.data ?? process.env['CATALOG_DATA'])
const folder = await mkdtemp(join(tmpdir(), 'peerage-kill-'))
const acknowledged = new Map<number, Item>()
let next = 0
let lost = 0
let failedOpens = 0
console.log(`seed ${seed}, ${rounds} rounds, ${items.length} items`)

for (let round = 1; round <= rounds; round += 1) {
  const started = performance.now()
  let node: Running
  try {
    node = await startNode({ data: folder, offline: true })
  } catch (error) {
    failedOpens += 1
    console.log(`round ${round}: the node did not open: ${(error as Error).message}`)
    break
  }
  const openMs = performance.now() - started
  const missing = await recheck(node)
  lost += missing
  const importing = importUntilKilled(node)
  await new Promise((resolve) => setTimeout(resolve, 20 + random() * 1_500))
  await node.kill()
  const acked = await importing
  console.log(
    `round ${round}: opened in ${openMs.toFixed(0)} ms, ${acked} acknowledged before the kill, ${acknowledged.size} in all, ${missing} missing`,
  )
}
if (failedOpens === 0) {
  await using last = await startNode({ data: folder, offline: true })
  lost += await recheck(last)
}
await rm(folder, { recursive: true, force: true })
console.log(JSON.stringify({ seed, rounds, acknowledged: acknowledged.size, lost, failed_opens: failedOpens }))
process.exit(lost === 0 && failedOpens === 0 ? 0 : 1)

/** Posts what comes next until the node is gone; returns how many items it acknowledged. */
async function importUntilKilled(node: Running): Promise<number> {
  let acked = 0
  const worker = async () => {
    for (;;) {
      const first = next
      next += linesPerRequest
      const batch = Array.from({ length: linesPerRequest }, (_, i) => itemAt(first + i))
      const outcomes = await post(node, batch).catch(() => undefined)
      if (outcomes === undefined) {
        next = Math.min(next, first) // this one and what follows is posted again after the kill
        return
      }
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.outcome === 'refused') continue
        acknowledged.set(first + i, batch[i] as Item)
        acked += 1
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return acked
}

/** The items, and when they are at an end the same under further names, so that every round has something to write. */
function itemAt(n: number): Item {
  const item = items[n % items.length] as Item
  const pass = Math.floor(n / items.length)
  return pass === 0 ? item : { ...item, slug: `${item.slug}#${pass}` }
}

/** How many acknowledged items the node does not have. */
async function recheck(node: Running): Promise<number> {
  const known = [...acknowledged.values()]
  let missing = 0
  for (let first = 0; first < known.length; first += 1_000) {
    const outcomes = await post(node, known.slice(first, first + 1_000))
    missing += outcomes.filter((outcome) => outcome.outcome !== 'unchanged').length
  }
  return missing
}

async function post(node: Running, batch: readonly Item[]): Promise<{ outcome: string }[]> {
  const response = await fetch(`${node.http}/v1/batch?lenient=true`, {
    method: 'POST',
    headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/x-ndjson' },
    body: batch.map((item) => JSON.stringify(item)).join('\n'),
  })
  if (!response.ok) throw new Error(`batch answered ${response.status}: ${await response.text()}`)
  const lines = (await response.text()).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as { outcome: string })
}
