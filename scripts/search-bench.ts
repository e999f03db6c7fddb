/**
 * Figures of the search index: `npm run search-bench -- [--n 24675,100000,1000000] [--queries 300] [--rate 10000]`.
 * JSON lines on stdout; 24,675 take a minute, 100,000 two and 1,000,000 seven on a quiet machine with 2 cores. With
 * CATALOG_DATA the records are the real ones, again and again under other names; without it they are made. They reach
 * the index as in a node: rows that the node's own indexer follows (bench/fed-replica.ts), read in the index's thread.
 *
 *   fill        records/s into an empty index, until all can be found, with the processor time of all threads and of
 *               making the records; disk and memory then
 *   ingesting   each class of query while records come in at `--rate` a second, one in ten of them new and the others
 *               changed: ms from asking as the node's face asks, wait for the index and all, to having the answer, by
 *               this thread's clock, with the aim (p50/p99 at a million) beside it. Then how fast they went in, how far
 *               the index was behind at worst and at the end, by what the node says of itself (`search.behind` in its
 *               status), and how long this thread, the one that answers and the one that builds stood still at most: by
 *               the clock, and by the processor time (`work`) that they themselves took
 *   at-rest     the same with nothing else going on
 *   fields      the list of all fields with their commonest values
 *   work        the same queries in this thread, the quickest of three times, and the mean of the processor's time: what
 *               says something on a busy machine too
 *   restart     until the first answer of an index opened from its files
 *
 * The words asked for are those of records drawn by lot, so common ones come often. `load` is the machine's run queue:
 * beyond its processors, compare only what was measured side by side.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fitting, kindOf, kinds } from '../crdt/index.ts'
import { waitForIndex } from '../node/catalogue-search.ts'
import {
  Indexer,
  machineEnvironment,
  type QueryProblem,
  type SearchQuery,
  type SearchResult,
  SegmentIndex,
} from '../node/index.ts'
import { tablesOf } from '../node/search-fields.ts'
import { IndexFolder } from '../node/search-files.ts'
import { madeBy } from '../node/search-maker.ts'
import { drained, WorkBudget } from '../node/search-work.ts'
import { catalogueFiles, readCatalogue } from '../test/support/catalogue-files.ts'
import { LocalIndex } from '../test/support/local-index.ts'
import { FedReplica } from './bench/fed-replica.ts'
import { made, random, renamed, type Source } from './bench/index-records.ts'
import { quantile } from './bench/quantile.ts'
import { StallWatch, watchOthers } from './bench/stalls.ts'

const { values: options } = parseArgs({
  options: {
    n: { type: 'string', default: '24675,100000,1000000' },
    queries: { type: 'string', default: '300' },
    rate: { type: 'string', default: '10000' },
  },
})
/** Records that come in at once. */
const PIECE = 25
const PAUSE_MS = 3
const TIMES = 3
const queries = Number(options.queries)
const rate = Number(options.rate)

const records = catalogueFiles && (await readCatalogue(catalogueFiles)).records
const source: Source = records
  ? renamed(records.map(({ kind, slug, doc }) => ({ kind, slug, doc: fitting(kindOf(kind), doc) })))
  : made()
console.error(records ? `${records.length} real records, renamed` : 'made records: CATALOG_DATA is not set')

/** p50/p99 at a million, in ms. */
const AIMS: Readonly<Record<string, string>> = {
  term: '3/10',
  'as-you-type': '3/25',
  'text-filter-3-facets': '5/20',
  'filter-3-facets-sort': '3/10',
}
const AIM_STALL_MS = 20

async function measure(n: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-search-bench-'))
  const path = join(folder, 'search')
  try {
    const before = process.memoryUsage.rss()
    const drawn = draw(n)
    {
      await using index = await SegmentIndex.open(path)
      const replica = new FedReplica(source, n)
      const begun = performance.now()
      const used = process.cpuUsage()
      await using indexer = await Indexer.open({ replica: replica.face, index, environment: machineEnvironment })
      while (indexer.behind > 0) await delay(5)
      const seconds = (performance.now() - begun) / 1_000
      const { user, system } = process.cpuUsage(used)
      await settled(path)
      report('fill', n, {
        records_per_second: n / seconds,
        cpu_us_per_record: (user + system) / n,
        disk_bytes_per_record: (await sizeOf(path)) / n,
        rss_mb: process.memoryUsage.rss() / 1e6,
        rss_mb_more_than_before: (process.memoryUsage.rss() - before) / 1e6,
      })
      const asked: Asker = {
        search: async (query) => {
          await waitForIndex(replica, indexer)
          return indexer.search(query)
        },
      }
      for (const [name, query] of Object.entries(CLASSES))
        report('at-rest', n, { query: name, ...(await ask(asked, drawn, query)) })
      const counted = performance.now()
      const { fields, partial = false } = await index.fields()
      report('fields', n, { fields: fields.length, ms: performance.now() - counted, partial })
      const ingest = ingesting(replica, indexer, n)
      for (const [name, query] of Object.entries(CLASSES)) {
        const { mean_found, ...figures } = await ask(asked, drawn, query)
        report('ingesting', n, { query: name, ...figures, aim: AIMS[name], behind: indexer.behind, mean_found })
      }
      report('ingesting', n, { asked_per_second: rate, ...(await ingest.stop()) })
    }
    for (const figures of await work(path, drawn)) report('work', n, figures)
    const begun = performance.now()
    await using again = await SegmentIndex.open(path)
    await again.search({ limit: 10, query: 'a' })
    report('restart', n, { first_answer_ms: performance.now() - begun })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Until the files have stood still for a while. */
async function settled(path: string): Promise<void> {
  for (let last = -1, size = await sizeOf(path); size !== last || !existsSync(join(path, 'manifest')); ) {
    await delay(6_000)
    last = size
    size = await sizeOf(path)
  }
}

/** Brings records in at the rate asked for, or as fast as they can be made, until it is stopped. */
function ingesting(
  replica: FedReplica,
  indexer: Indexer,
  n: number,
): { stop(): Promise<Record<string, number | undefined>> } {
  const own = new StallWatch()
  own.begin()
  const others = watchOthers()
  const chance = random(n)
  const begun = performance.now()
  let isOn = true
  let done = 0
  let added = 0
  let behindMost = 0
  const work = (async () => {
    while (isOn) {
      if (done > ((performance.now() - begun) / 1_000) * rate) {
        await delay(1)
        continue
      }
      replica.append(
        Array.from({ length: PIECE }, () => (chance() < 0.1 ? n + added++ : Math.floor(chance() * (n + added)))),
      )
      done += PIECE
      behindMost = Math.max(behindMost, indexer.behind)
      // A node makes its records piece by piece too.
      await nextTurn()
    }
  })()
  return {
    stop: async () => {
      isOn = false
      await work
      const seconds = (performance.now() - begun) / 1_000
      const behindLast = indexer.behind
      const threads = new Map([...(await others()), ['main', own.end()]])
      const stalls = [...threads].flatMap(([name, { p99_ms, max_ms, work_max_ms }]) => [
        [`${name}_stall_p99_ms`, p99_ms],
        [`${name}_stall_max_ms`, max_ms],
        [`${name}_stall_work_max_ms`, work_max_ms],
      ])
      return {
        records_per_second: done / seconds,
        indexed_per_second: (done - behindLast) / seconds,
        seconds,
        behind_most: behindMost,
        behind_at_last: behindLast,
        ...Object.fromEntries(stalls),
        aim_stall_ms: AIM_STALL_MS,
      }
    },
  }
}

type Asker = { search(query: SearchQuery): Promise<SearchResult | QueryProblem> }
type Drawn = { readonly words: readonly string[]; readonly docs: readonly Readonly<Record<string, unknown>>[] }
type Asked = (drawn: Drawn, at: number, index: Asker) => SearchQuery | Promise<SearchQuery>

function draw(n: number): Drawn {
  const chance = random(n)
  const docs = Array.from({ length: 500 }, () => source(Math.floor(chance() * n)).doc)
  const words = docs.flatMap((doc) => {
    const all = `${doc['name']} ${doc['tags'] ?? ''}`.match(/[a-z]{3,}/gi) ?? ['model']
    return all[Math.floor(chance() * all.length)] as string
  })
  return { words, docs }
}

const FACETS = ['provider', 'license', 'model_type']
const word = ({ words }: Drawn, at: number) => words[at % words.length] as string

/** Of a drawn record, a value that others share. */
function filterOf({ docs }: Drawn, at: number): Record<string, string> {
  for (let i = at; ; i++) {
    const doc = docs[i % docs.length] as Record<string, unknown>
    const field = ['license', 'model_type', 'provider', 'category'][i % 4] as string
    if (typeof doc[field] === 'string') return { [field]: doc[field] }
  }
}

const SORTS = ['-downloads', 'name', '-context_length', 'updated_at']
let deep: string | undefined

const CLASSES: Record<string, Asked> = {
  term: (drawn, at) => ({ query: `${word(drawn, at)} `, limit: 10 }),
  'as-you-type': (drawn, at) => ({ query: word(drawn, at).slice(0, 2 + (at % 5)), limit: 10 }),
  'two-terms': (drawn, at) => ({ query: `${word(drawn, at)} ${word(drawn, at + 7)} `, limit: 10 }),
  typo: (drawn, at) => ({ query: `${word(drawn, at).replace(/(.)(.)$/, '$2$1')}q `, limit: 10 }),
  'text-filter-3-facets': (drawn, at) => ({
    query: word(drawn, at),
    filters: filterOf(drawn, at + 3),
    facets: FACETS,
    limit: 10,
  }),
  'filter-3-facets-sort': (drawn, at) => ({
    filters: filterOf(drawn, at),
    facets: FACETS,
    sort: SORTS[at % SORTS.length] as string,
    limit: 10,
  }),
  'deep-cursor': async (_drawn, at, index) => {
    const query = { sort: 'name', limit: at === 0 ? 1_000 : 20 }
    if (at === 0) {
      deep = undefined
      for (let page = 0; page < 20; page++) deep = await next(index, query, deep)
    } else {
      deep = await next(index, query, deep)
    }
    return { ...query, limit: 20, ...(deep !== undefined && { cursor: deep }) }
  },
  collapse: (drawn, at) => ({ query: word(drawn, at), collapse: true, limit: 10 }),
}

async function next(index: Asker, query: SearchQuery, cursor: string | undefined): Promise<string | undefined> {
  const answer = (await index.search({ ...query, ...(cursor !== undefined && { cursor }) })) as SearchResult
  return answer.nextCursor
}

/** The files of an index, asked without a thread between. */
async function work(path: string, drawn: Drawn): Promise<Record<string, unknown>[]> {
  const tables = tablesOf(kinds)
  const folder = new IndexFolder(path, madeBy(tables))
  const { maker, engine } = new LocalIndex(tables)
  const manifest = folder.manifest()
  if (!manifest) throw new Error('there is no index to be asked')
  drained(maker.take(drained(folder.load(manifest, maker.values))))
  const index = { search: async (query: SearchQuery) => engine.search(query, new WorkBudget(1e6)) }
  const rows = []
  for (const [name, asked] of Object.entries(CLASSES)) {
    const times: number[] = []
    const used = process.cpuUsage()
    for (let at = 0; at < queries; at++) {
      const query = await asked(drawn, at, index)
      let quickest = Number.POSITIVE_INFINITY
      for (let time = 0; time < TIMES; time++) {
        const begun = performance.now()
        engine.search(query, new WorkBudget(1e6))
        quickest = Math.min(quickest, performance.now() - begun)
      }
      times.push(quickest)
    }
    const { user, system } = process.cpuUsage(used)
    rows.push({
      query: name,
      p50_ms: quantile(times, 0.5),
      p99_ms: quantile(times, 0.99),
      max_ms: Math.max(...times),
      cpu_mean_ms: (user + system) / 1_000 / TIMES / queries,
    })
  }
  for (const { texts } of maker.segments) texts.close()
  return rows
}

async function ask(index: Asker, drawn: Drawn, asked: Asked): Promise<Record<string, unknown>> {
  const times: number[] = []
  let partial = 0
  let found = 0
  for (let at = 0; at < queries; at++) {
    const query = await asked(drawn, at, index)
    const begun = performance.now()
    const answer = await index.search(query)
    times.push(performance.now() - begun)
    if ('problem' in answer) throw new Error(answer.problem)
    if (answer.partial) partial++
    found += answer.total
    await delay(PAUSE_MS)
  }
  return { p50_ms: quantile(times, 0.5), p99_ms: quantile(times, 0.99), partial, mean_found: found / queries }
}

async function sizeOf(path: string): Promise<number> {
  let sum = 0
  for (const name of await readdir(path)) sum += (await stat(join(path, name)).catch(() => ({ size: 0 }))).size
  return sum
}

function report(part: string, n: number, figures: Record<string, unknown>): void {
  const rounded = Object.entries({ ...figures, load: loadavg()[0] }).map(([name, value]) => [
    name,
    typeof value === 'number' ? Number(value.toPrecision(4)) : value,
  ])
  console.log(JSON.stringify({ part, n, ...Object.fromEntries(rounded) }))
}

for (const n of options.n.split(',').map(Number)) await measure(n)
