/**
 * How many real searches find what they should: `npm run search-quality -- [--data DIR] [--queries FILE] [--verbose]`.
 *
 * Imports the catalogue files of the folder (default: CATALOG_DATA) into a fresh node and asks each query through the
 * HTTP API. A query is a line {query, kind?, filters?, expect_name, expect_owner?, within?, expect_count?, class}: with
 * text it wants the named record among the first `within` (default 10), with a count exactly so many records in all.
 * Prints hits by class, every miss with what was answered instead, whether a look at every record finds the same (for
 * each query, and for filters over every field), and last one line of JSON. Exit code 1 when a count is wrong, the look
 * at every record finds other ones, or fewer than 40 of 43 texts (or the same share of another file) find their record.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { kinds, pluralOf } from '../crdt/index.ts'
import { type Running, startNode } from '../test/support/start-node.ts'
import { type Asked, filtersOver, SearchOracle } from './search-oracle.ts'

type Query = {
  readonly query: string
  readonly kind?: string
  readonly filters?: Readonly<Record<string, unknown>>
  readonly expect_name: string
  readonly expect_owner?: string | readonly string[]
  readonly within?: number
  readonly expect_count?: number
  readonly class: string
}
type Found = { readonly record: { readonly name?: string; readonly provider?: string }; readonly score: number }
type Answer = { readonly items: readonly Found[]; readonly total: number }
type Tally = { asked: number; hit: number; counted: number; exact: number }

const WITHIN = 10
const FLOOR = 40 / 43

const { values: options } = parseArgs({
  options: { data: { type: 'string' }, queries: { type: 'string' }, verbose: { type: 'boolean', default: false } },
})
const data = options.data ?? process.env['CATALOG_DATA']
if (data === undefined) {
  console.error('expected --data DIR or CATALOG_DATA, the folder with the catalogue files')
  process.exit(2)
}
const queries = await readQueries(options.queries ?? join(data, 'queries.jsonl.gz'))
const folder = await mkdtemp(join(tmpdir(), 'peerage-quality-'))
let isGood = false
try {
  await using node = await startNode({ data: folder, offline: true })
  const files = Object.values(kinds)
    .map(({ plural }) => join(resolve(data), `${plural}.jsonl.gz`))
    .filter((path) => existsSync(path))
  const importSeconds = await timed(() => importFiles(folder, files))
  const indexSeconds = await timed(() => indexed(node))
  isGood = await measure(node, { import_seconds: importSeconds, index_seconds_after: indexSeconds })
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.exit(isGood ? 0 : 1)

async function readQueries(path: string): Promise<Query[]> {
  const bytes = await readFile(path)
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line))
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return Math.round(performance.now() - start) / 1000
}

async function importFiles(folder: string, files: readonly string[]): Promise<void> {
  const bin = resolve(import.meta.dirname, '../src/bin.js')
  const child = spawn(process.execPath, [bin, 'import', ...files, '--data', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`the import ended with exit code ${code}`)
}

/** Until everything imported can be found. */
async function indexed(node: Running): Promise<void> {
  for (;;) {
    const status = (await (await fetch(`${node.http}/v1/status`)).json()) as { search: { behind: number } }
    if (status.search.behind === 0) return
    await delay(20)
  }
}

async function measure(node: Running, facts: Readonly<Record<string, number>>): Promise<boolean> {
  const classes = new Map<string, Tally>()
  const times: number[] = []
  for (const query of queries) {
    const start = performance.now()
    const answer = await ask(node, query)
    times.push(performance.now() - start)
    const tally = classes.get(query.class) ?? { asked: 0, hit: 0, counted: 0, exact: 0 }
    classes.set(query.class, tally)
    judge(query, answer, tally)
  }
  for (const [name, { asked, hit, counted, exact }] of classes) {
    const counts = counted > 0 ? `   counts ${exact} of ${counted}` : ''
    console.log(`${name.padEnd(10)} ${asked > 0 ? `${hit} of ${asked}` : ''}${counts}`)
  }
  const agreed = await compare(node)
  const sum = (part: keyof Tally) => [...classes.values()].reduce((total, tally) => total + tally[part], 0)
  times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(10 * (times[Math.floor(times.length * share)] ?? 0)) / 10
  const result = {
    hits: sum('hit'),
    texts: sum('asked'),
    exact_counts: sum('exact'),
    counts: sum('counted'),
    ...agreed,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    ...facts,
  }
  console.log(JSON.stringify(result))
  const isSame = agreed.same_queries === queries.length && agreed.same_filters === agreed.filters
  return result.hits >= FLOOR * result.texts && result.exact_counts === result.counts && isSame
}

/** The same questions to an index that looks at every record. */
async function compare(node: Running) {
  const oracle = await SearchOracle.fill(node.http)
  const filters = await filtersOver(node.http)
  const agree = async (asked: readonly Asked[]) => {
    let same = 0
    for (const each of asked) {
      const difference = await oracle.difference(each)
      if (difference === undefined) same++
      else
        console.log(
          `ORACLE ${each.kind ?? 'all'} ${JSON.stringify(each.query)} ${JSON.stringify(each.filters)}: ${difference}`,
        )
    }
    return same
  }
  const agreed = { same_queries: await agree(queries), filters: filters.length, same_filters: await agree(filters) }
  console.log(
    `oracle     the same records for ${agreed.same_queries} of ${queries.length} queries and ${agreed.same_filters} of ${filters.length} filters`,
  )
  return agreed
}

async function ask(node: Running, { query, kind, filters }: Query): Promise<Answer> {
  const path = kind === undefined ? '/v1/search' : `/v1/${pluralOf(kind)}/search`
  const response = await fetch(node.http + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...(query !== '' && { query }), filters, limit: 50 }),
  })
  if (!response.ok) throw new Error(`${JSON.stringify(query)}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

function judge(query: Query, { items, total }: Answer, tally: Tally): void {
  if (query.expect_count !== undefined) {
    tally.counted++
    if (total === query.expect_count) tally.exact++
    else console.log(`COUNT ${JSON.stringify(query.filters)}: expected ${query.expect_count}, got ${total}`)
  }
  if (query.query === '') return
  tally.asked++
  const within = query.within ?? WITHIN
  const place = items.findIndex(({ record }) => isExpected(query, record)) + 1
  const isHit = place > 0 && place <= within
  if (isHit) tally.hit++
  if (isHit && !options.verbose) return
  const where = place === 0 ? `not in the first ${items.length} of ${total}` : `at ${place}, wanted in ${within}`
  console.log(`${isHit ? 'hit ' : 'MISS'} ${query.class} ${JSON.stringify(query.query)}: ${query.expect_name} ${where}`)
  if (isHit) return
  for (const { record, score } of items.slice(0, 5)) {
    console.log(`       ${score.toFixed(3)} ${record.provider ?? '-'}/${record.name}`)
  }
}

function isExpected(query: Query, record: Found['record']): boolean {
  const owners = query.expect_owner === undefined ? [] : [query.expect_owner].flat()
  return record.name === query.expect_name && (owners.length === 0 || owners.includes(record.provider ?? ''))
}
