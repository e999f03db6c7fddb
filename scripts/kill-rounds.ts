/**
 * Kills a node with SIGKILL at random moments while clients register, change and import over HTTP, opens it again, and
 * asks for everything that was acknowledged.
 * `npm run kill-rounds -- [--rounds 20] [--seed N] [--data FOLDER] [--minutes 30]`
 *
 * A write counts as acknowledged when its answer reached us: 201 or 200 for one record, its line for one of a batch.
 * After each kill what was acknowledged since the kill before, and as many of the others by chance, is asked for; at the
 * end all of it. A record must be there with the document that was acknowledged (or one that was sent after it, whose
 * answer the kill took) and with one head; the counts must be those of the records there are; the index must come to
 * the end of the log, and find them all. One line per round, a summary at the end; exit 1 when anything was lost or
 * wrong, or the node did not open by itself.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kinds } from '../crdt/index.ts'
import { catalogueItems, type Item } from '../test/support/catalogue-items.ts'
import { type Running, startNode } from '../test/support/start-node.ts'
import { mulberry } from './bench/record.ts'
import { endingAfter } from './ending.ts'
import { read, request } from './fault-rounds/writer.ts'
import { later } from './flip-rounds/answers.ts'

/** What one record was acknowledged as: the last value of its marker, and those sent later without an answer. */
type Known = { readonly id: string; readonly plural: string; marker: number | undefined; readonly unanswered: number[] }
type Shown = { readonly heads: readonly string[]; readonly kill_marker?: number }

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string' },
    data: { type: 'string' },
    minutes: { type: 'string', default: '0' },
  },
})
const rounds = Number(options.rounds)
const ending = endingAfter(Number(options.minutes))
let ran = 0
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31))
const LINES_A_BATCH = 50
const [IMPORTERS, WRITERS] = [2, 6]
/** Of what was acknowledged in earlier rounds, so many are asked for again after each kill. */
const ASKED_AGAIN = 200
const INDEX_MS = 60_000
const FIRST_MS = 30_000

const random = mulberry(seed)
const items = await catalogueItems(options.data ?? process.env['CATALOG_DATA'])
const folder = await mkdtemp(join(tmpdir(), 'peerage-kill-'))
const known = new Map<string, Known>()
/** Ops that were acknowledged: each is one write. */
let acknowledged = 0
let next = 0
let [lost, wrong, failedOpens] = [0, 0, 0]
console.log(`seed ${seed}, ${rounds} rounds, ${items.length} items`)

let fresh: Known[] = []
for (let round = 1; round <= rounds && failedOpens === 0 && ending.why === undefined; round += 1) {
  const started = performance.now()
  const node = await startNode({ data: folder, offline: true }).catch((error: Error) => error)
  if (node instanceof Error) {
    failedOpens += 1
    console.log(`round ${round}: the node did not open: ${node.message}`)
    break
  }
  const openMs = performance.now() - started
  const all = [...known.values()]
  const again =
    all.length === 0 ? [] : Array.from({ length: ASKED_AGAIN }, () => all[Math.floor(random() * all.length)]!)
  const missing = await ask(node, [...new Set([...fresh, ...again])])
  const before = acknowledged
  fresh = []
  const working = Promise.all([
    ...Array.from({ length: IMPORTERS }, () => importUntilKilled(node)),
    ...Array.from({ length: WRITERS }, () => writeUntilKilled(node)),
  ])
  // On a busy machine nothing may be written for seconds; a kill before that shows nothing.
  for (const until = performance.now() + FIRST_MS; acknowledged === before && performance.now() < until; )
    await later(5)
  await later(random() * 1_000)
  await node.kill()
  await working
  ran = round
  console.log(
    `round ${round}: opened in ${openMs.toFixed(0)} ms, ${acknowledged - before} ops acknowledged before the kill, ` +
      `${acknowledged} in all, ${missing} missing`,
  )
}
if (failedOpens === 0) {
  await using last = await startNode({ data: folder, offline: true })
  await ask(last, [...known.values()])
  wrong += await compareCounts(last)
}
await rm(folder, { recursive: true, force: true })
console.log(
  JSON.stringify({ seed, rounds: ran, acknowledged, records: known.size, lost, wrong, failed_opens: failedOpens }),
)
process.exit(lost + wrong + failedOpens === 0 ? 0 : 1)

/** Posts what comes next in batches until the node is gone. */
async function importUntilKilled(node: Running): Promise<void> {
  for (;;) {
    const batch = Array.from({ length: LINES_A_BATCH }, nextItem)
    const answer = await fetch(`${node.http}/v1/batch?lenient=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/x-ndjson' },
      body: batch.map((item) => JSON.stringify(item)).join('\n'),
    })
      .then(async (response) => ({ status: response.status, text: await response.text() }))
      .catch(() => undefined)
    if (answer === undefined) return
    if (answer.status !== 200) throw new Error(`a batch answered ${answer.status}: ${answer.text}`)
    for (const [i, line] of answer.text.trimEnd().split('\n').entries()) {
      const { outcome, id } = JSON.parse(line) as { outcome: string; id: string }
      if (outcome === 'created') keep(id, batch[i]!.kind)
    }
  }
}

/** Registers records one by one and changes some that are there, until the node is gone. */
async function writeUntilKilled(node: Running): Promise<void> {
  const own: Known[] = []
  for (let n = 0; ; n++) {
    const target = n % 3 === 2 ? own[Math.floor(random() * own.length)] : undefined
    const marker = Math.floor(random() * 2 ** 31)
    target?.unanswered.push(marker)
    const { kind, slug, doc } = nextItem()
    const answer = await (target === undefined
      ? request(node, 'POST', `/v1/${pluralOf(kind)}`, { ...doc, slug: `${slug}-one` })
      : request(node, 'PATCH', `/v1/${target.plural}/${target.id}`, { kill_marker: marker })
    ).catch(() => undefined)
    if (answer === undefined) return
    if (target === undefined) {
      // What the importer takes leniently may be refused here.
      if (answer.status === 201) own.push(keep((JSON.parse(answer.body) as { id: string }).id, kind))
      continue
    }
    if (answer.status !== 200) throw new Error(`a change answered ${answer.status}: ${answer.body}`)
    target.marker = marker
    target.unanswered.length = 0
    acknowledged += 1
  }
}

function keep(id: string, kind: string): Known {
  const record: Known = { id, plural: pluralOf(kind), marker: undefined, unanswered: [] }
  known.set(id, record)
  fresh.push(record)
  acknowledged += 1
  return record
}

/** Whether these are there as they were acknowledged; counts and answers how many are not. */
async function ask(node: Running, records: readonly Known[]): Promise<number> {
  let missing = 0
  const queue = records.values()
  const worker = async () => {
    for (const { id, plural, marker, unanswered } of queue) {
      const { status, body } = await request(node, 'GET', `/v1/${plural}/${id}`)
      const shown = status === 200 ? (JSON.parse(body) as Shown) : undefined
      const isThere =
        shown !== undefined && (shown.kill_marker === marker || unanswered.includes(shown.kill_marker ?? -1))
      if (!isThere) missing += 1
      else if (shown.heads.length !== 1) wrong += 1
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  lost += missing
  return missing
}

/** Counters and the index against what there is: how many of them say something else. */
async function compareCounts(node: Running): Promise<number> {
  type Status = { records: Record<string, number>; ops: number; seq: number; search: { seq: number; behind: number } }
  let status = await read<Status>(node, '/v1/status')
  for (const until = performance.now() + INDEX_MS; status.search.seq !== status.seq; await later(200)) {
    if (performance.now() > until) {
      console.log(`the index stays at ${status.search.seq} of ${status.seq}`)
      return 1
    }
    status = await read<Status>(node, '/v1/status')
  }
  const { body } = await request(node, 'POST', '/v1/search', { limit: 1 })
  const { total } = JSON.parse(body) as { total: number }
  const counted = Object.values(status.records).reduce((sum, count) => sum + count, 0)
  const metrics = await (await fetch(`${node.http}/metrics`)).text()
  const forked = Number(/^peerage_forked_records (\d+)/m.exec(metrics)?.[1] ?? 0)
  console.log(`${counted} records counted, ${total} found by the index, ${status.ops} ops, ${forked} forked`)
  const isShort = counted < known.size || status.ops < acknowledged
  return Number(counted !== total) + Number(forked > 0) + Number(isShort)
}

/** The items, and when they are at an end the same under further names, so that every round has something to write. */
function nextItem(): Item {
  const n = next++
  const item = items[n % items.length] as Item
  const pass = Math.floor(n / items.length)
  return pass === 0 ? item : { ...item, slug: `${item.slug}#${pass}` }
}

function pluralOf(kind: string): string {
  return kinds[kind]!.plural
}
