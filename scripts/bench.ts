/**
 * Figures: `npm run bench -- [--n 1000,10000,100000] [--only put,cold-sync] [--compare FILE]`. One JSON line a workload on
 * stdout, all of them also under .out/bench/. Two node processes share the machine, every op is signature-checked. A
 * million records take some ten minutes on a quiet machine with two cores.
 *
 * On a shared machine compare rows of one run, or runs taken one after the other: --compare prints the ratio of each
 * figure to an earlier run's.
 *
 *   put             single registrations, 64 under way, acknowledged after a synced commit; put-unsynced: without the sync
 *   batch           100 registrations a call, one call at a time, synced
 *   cold-sync       B, empty, joins A: from opening its empty folder until the roots are equal; bytes received; until the index has all
 *   delta           B away, 100 records change on A, B comes back: from opening until the roots are equal; bytes
 *   live            one change on A, until B has it on disk, over gossip
 *   restart         B opened again: until the first record is read
 *   memory          resident size of B, all threads, at rest: 15 s after the sync
 *   disk            of A, after compaction: ops, heads and records; the search index beside it
 *   search          on B, in the process, no other load
 *   idle            once, with 1,000 records: a node that eight others have joined, for --minutes (1) in which nobody
 *                   writes: percent of a core, resident size, and by how much it and the heap grew
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Level } from 'level'
import { idle } from './bench/idle.ts'
import { BenchProcess } from './bench/process.ts'
import { quantile } from './bench/quantile.ts'

type Row = { readonly workload: string; readonly n: number; readonly [figure: string]: unknown }

const { values: options } = parseArgs({
  options: {
    n: { type: 'string', default: '1000,10000,100000' },
    only: { type: 'string' },
    compare: { type: 'string' },
    minutes: { type: 'string', default: '1' },
  },
})
const only = options.only?.split(',')
const wanted = (workload: string) => only === undefined || only.includes(workload)
const before = options.compare === undefined ? [] : parseRows(await readFile(options.compare, 'utf8'))
const rows: Row[] = []
const putCount = 10_000
const deltaCount = 100
/** What needs two nodes with the same records. */
const PAIR = ['batch', 'cold-sync', 'memory', 'delta', 'live', 'search', 'restart', 'disk']
/** A million records take minutes, on a busy machine an hour. */
const patienceMs = 3_600_000
/** By then a node has ended the threads that it does not need. */
const restMs = 15_000

for (const n of options.n.split(',').map(Number)) {
  if (!Number.isInteger(n) || n < deltaCount) throw new RangeError(`expected --n of at least ${deltaCount}, got ${n}`)
  await measure(n)
}
if (wanted('idle')) {
  const figures = await idle(Number(options.minutes))
  report({ workload: 'idle', n: figures['n'] as number, ...figures })
}
await mkdir('.out/bench', { recursive: true })
const file = `.out/bench/${new Date().toISOString().replaceAll(':', '-')}.jsonl`
await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
console.error(`written to ${file}`)

async function measure(n: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-bench-'))
  try {
    if (wanted('put')) await put(join(folder, 'put'), Math.min(n, putCount), false)
    if (wanted('put-unsynced')) await put(join(folder, 'put-unsynced'), Math.min(n, putCount), true)
    if (PAIR.some(wanted)) await pair(n, join(folder, 'a'), join(folder, 'b'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function put(data: string, count: number, unsynced: boolean): Promise<void> {
  await using node = new BenchProcess({ unsynced })
  await node.call('open', { data, offline: true })
  const seconds = await node.call('put', { first: 0, count, inFlight: 64 })
  report({ workload: unsynced ? 'put-unsynced' : 'put', n: count, seconds, per_second: count / seconds })
}

async function pair(n: number, dataA: string, dataB: string): Promise<void> {
  {
    await using a = new BenchProcess()
    const { multiaddrs } = await a.call('open', { data: dataA })
    const seconds = await a.call('batch', { first: 0, count: n, size: 100 })
    if (wanted('batch')) {
      report({ workload: 'batch', n, seconds, per_second: n / seconds, index_behind_seconds: await a.call('indexed') })
    }
    await a.call('indexed')
    await coldSync(n, a, multiaddrs, dataB)
    await delta(n, a, multiaddrs, dataB)
    await liveAndSearch(n, a, multiaddrs, dataB)
  }
  if (wanted('restart')) await restart(n, dataB)
  if (wanted('disk')) await disk(n, dataA)
}

async function coldSync(n: number, a: BenchProcess, multiaddrs: readonly string[], dataB: string): Promise<void> {
  const { root, ops } = await a.call('root')
  await using b = new BenchProcess()
  await b.call('loaded')
  const begun = performance.now()
  await b.call('open', { data: dataB, join: multiaddrs })
  await b.call('waitRoot', { root, ops, timeoutMs: patienceMs })
  const seconds = (performance.now() - begun) / 1000
  const indexed = await b.call('indexed')
  await settled(b)
  const { sync } = await b.call('status')
  if (wanted('cold-sync')) {
    const figures = {
      seconds,
      per_second: n / seconds,
      bytes_per_record: Number(sync['bytes_in']) / n,
      index_behind_seconds: indexed,
    }
    report({ workload: 'cold-sync', n, ...figures })
  }
  if (wanted('memory')) {
    await new Promise((resolve) => setTimeout(resolve, restMs))
    report({ workload: 'memory', n, megabytes: (await b.call('memory')) / 1e6 })
  }
}

async function delta(n: number, a: BenchProcess, multiaddrs: readonly string[], dataB: string): Promise<void> {
  await a.call('batch', { first: 0, count: deltaCount, size: deltaCount, revision: 2 })
  if (!wanted('delta')) return
  const { root, ops } = await a.call('root')
  await using b = new BenchProcess()
  await b.call('loaded')
  const opened = performance.now()
  await b.call('open', { data: dataB, join: multiaddrs })
  const begun = performance.now()
  await b.call('waitRoot', { root, ops, timeoutMs: 60_000 })
  const ended = performance.now()
  const session = await settled(b)
  report({
    workload: 'delta',
    n,
    changes: deltaCount,
    session_ms: session['ms'],
    after_open_ms: ended - begun,
    with_open_ms: ended - opened,
    bytes_in: session['bytes_in'],
    bytes_out: session['bytes_out'],
  })
}

async function liveAndSearch(n: number, a: BenchProcess, multiaddrs: readonly string[], dataB: string): Promise<void> {
  if (!wanted('live') && !wanted('search')) return
  await using b = new BenchProcess()
  await b.call('open', { data: dataB, join: multiaddrs })
  const { root, ops } = await a.call('root')
  await b.call('waitRoot', { root, ops, timeoutMs: 60_000 })
  if (wanted('live')) {
    await b.call('watch')
    await a.call('live', { first: deltaCount, count: 100, pauseMs: 10 }) // gossip has made its mesh after this
    const sent = await a.call('live', { first: deltaCount + 100, count: 300, pauseMs: 10 })
    const last = await a.call('root')
    await b.call('waitRoot', { root: last.root, ops: last.ops, timeoutMs: 60_000 })
    const seen = await b.call('seen', { ids: sent.map(({ op }) => op) })
    const fromWrite: number[] = []
    const fromAcknowledgement: number[] = []
    for (const [i, at] of seen.entries()) {
      const op = sent[i]
      if (at === undefined || op === undefined) continue
      fromWrite.push(Number(BigInt(at) - BigInt(op.begun)) / 1e6)
      fromAcknowledgement.push(Number(BigInt(at) - BigInt(op.acknowledged)) / 1e6)
    }
    report({
      workload: 'live',
      n,
      arrived: fromWrite.length,
      p50_ms: quantile(fromWrite, 0.5),
      p99_ms: quantile(fromWrite, 0.99),
      from_acknowledgement_p50_ms: quantile(fromAcknowledgement, 0.5),
    })
  }
  if (wanted('search')) {
    await b.call('indexed')
    for (const { name, p50, p99, total } of await b.call('search', { count: 200 })) {
      report({ workload: 'search', n, query: name, p50_ms: p50, p99_ms: p99, total })
    }
  }
}

async function restart(n: number, dataB: string): Promise<void> {
  await using b = new BenchProcess()
  const { firstReadMs, sinceProcessStartMs, hasFirst } = await b.call('open', { data: dataB, offline: true })
  if (!hasFirst) throw new Error('nothing to read after the restart')
  report({
    workload: 'restart',
    n,
    first_read_seconds: firstReadMs / 1000,
    with_process_start_seconds: sinceProcessStartMs / 1000,
  })
}

async function disk(n: number, data: string): Promise<void> {
  // LevelDB's own call, which the common interface of its ports leaves out.
  const level = new Level<Uint8Array, Uint8Array>(join(data, 'ops'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
  }) as Level<Uint8Array, Uint8Array> & { compactRange(from: Uint8Array, to: Uint8Array): Promise<void> }
  await level.open()
  await level.compactRange(new Uint8Array([0]), new Uint8Array([255, 255]))
  await level.close()
  const ops = await sizeOf(join(data, 'ops'))
  const all = await sizeOf(data)
  report({ workload: 'disk', n, bytes_per_record: ops / n, index_bytes_per_record: (all - ops) / n })
}

/** The last session's figures, once it has ended. */
async function settled(b: BenchProcess): Promise<Record<string, unknown>> {
  for (;;) {
    const { sync } = await b.call('status')
    if (sync['sessions'] === 0 && sync['last'] !== undefined) return sync['last'] as Record<string, unknown>
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function report(row: Row): void {
  const rounded = Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]),
  ) as Row
  const earlier = before.find((b) => b.workload === row.workload && b.n === row.n && b['query'] === row['query'])
  const ratios = Object.entries(rounded).flatMap(([name, value]) => {
    const was = earlier?.[name]
    return typeof value === 'number' && typeof was === 'number' && name !== 'n' && was !== 0
      ? [[name, Number((value / was).toFixed(2))]]
      : []
  })
  rows.push(rounded)
  console.log(
    JSON.stringify(ratios.length === 0 ? rounded : { ...rounded, ratio_to_earlier: Object.fromEntries(ratios) }),
  )
}

function parseRows(text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Row)
}

async function sizeOf(folder: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
  }
  return sum
}
