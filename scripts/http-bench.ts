/**
 * HTTP figures: `npm run http-bench [-- --seconds 2] [--rounds 7] [--connections 2000] [--only register]`. One JSON line
 * each on stdout, all of them also under .out/bench/.
 *
 *   record     GET of a record beside bare hono answering the same bytes: paired, in turns, the ratio of each pair; also by
 *              the processor time that each server spent on an answer, which neighbours on the machine disturb less
 *   not-modified, list, search   the node alone, requests a second
 *   many       that many connections at once with a mixed load: reads, lists, searches; errors must be 0
 *   register   one client, then 100 at once, each registers one record after the other, acknowledged after a synced
 *              commit: p50 and p99
 *
 * The node is started as a user starts it, the bare server and the client are processes of their own. On a shared
 * machine only the ratios mean much. Exit 1 when a connection of `many` or a registration failed.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Running, startNode } from '../test/support/start-node.ts'
import { quantile } from './bench/quantile.ts'
import type { Bare } from './http-bench/bare.ts'
import type { Result, Task } from './http-bench/load.ts'

// Whoever reads only the first lines, such as head, must not end us before the node is stopped.
process.stdout.on('error', () => {})

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    connections: { type: 'string', default: '2000' },
    only: { type: 'string' },
  },
})
const ms = Number(options.seconds) * 1000
const rounds = Number(options.rounds)

const folder = await mkdtemp(join(tmpdir(), 'peerage-http-bench-'))
const children: ChildProcess[] = []
const lines: string[] = []
let failed = false
try {
  await using node = await startNode({ data: folder, offline: true, more: ['--sample', '--log-level', 'warn'] })
  if (options.only !== 'register') await reads(node)
  for (const [clients, each] of [
    [1, 300],
    [100, 20],
  ] as const) {
    const registering = await registerAtOnce(node.http, node.token, clients, each)
    failed ||= registering.errors > 0
    report('register', registering)
  }
} finally {
  for (const child of children) child.kill()
  await rm(folder, { recursive: true, force: true })
}
await mkdir('.out/bench', { recursive: true })
await writeFile(`.out/bench/http-${new Date().toISOString().replaceAll(':', '-')}.jsonl`, `${lines.join('\n')}\n`)
process.exitCode = failed ? 1 : 0

async function reads(node: Running): Promise<void> {
  const load = started('load.ts')
  const run = (task: Task) => asked<Result>(load, task)
  const port = Number(new URL(node.http).port)
  const head = `Host: 127.0.0.1:${port}\r\n`
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${head}${more}\r\n`
  const listed = (await (await fetch(`${node.http}/v1/models?limit=50`)).json()) as { items: { id: string }[] }
  const paths = listed.items.map(({ id }) => `/v1/models/${id}`)
  const path = paths[0] as string
  const answer = await fetch(node.http + path)
  const {
    date: _,
    connection: __,
    'keep-alive': ___,
    'content-length': ____,
    ...headers
  } = Object.fromEntries(answer.headers)
  const body = await answer.text()
  const bare = started('bare.ts')
  const barePort = await asked<number>(bare, { path, body, headers } satisfies Bare)

  const one = [get(path)]
  const connections = 64
  await run({ port, connections, ms: ms / 2, requests: one })
  await run({ port: barePort, connections, ms: ms / 2, requests: one })
  const pairs: { readonly bare: Turn; readonly node: Turn }[] = []
  const turn = async (pid: number | undefined, at: number): Promise<Turn> => {
    const before = await cpuSeconds(pid)
    const result = await run({ port: at, connections, ms, requests: one })
    return { rate: rateOf(result), cpu: ((await cpuSeconds(pid)) - before) / result.answers }
  }
  for (let round = 0; round < rounds; round++) {
    const turns = { bare: () => turn(bare.pid, barePort), node: () => turn(node.process.pid, port) }
    if (round % 2 === 0) {
      const first = await turns.bare()
      pairs.push({ bare: first, node: await turns.node() })
    } else {
      const first = await turns.node()
      pairs.push({ node: first, bare: await turns.bare() })
    }
  }
  const median = (of: (pair: (typeof pairs)[0]) => number) => quantile(pairs.map(of), 0.5)
  report('record', {
    bytes: Buffer.byteLength(body),
    node_per_second: Math.round(median((pair) => pair.node.rate)),
    bare_per_second: Math.round(median((pair) => pair.bare.rate)),
    ratio: round2(median((pair) => pair.node.rate / pair.bare.rate)),
    ratios: pairs.map((pair) => round2(pair.node.rate / pair.bare.rate)),
    node_cpu_us: round2(median((pair) => pair.node.cpu * 1e6)),
    bare_cpu_us: round2(median((pair) => pair.bare.cpu * 1e6)),
    ratio_by_cpu: round2(median((pair) => pair.bare.cpu / pair.node.cpu)),
  })

  const etag = answer.headers.get('etag') ?? ''
  const query = '{"query":"vision model","limit":10}'
  const search = `POST /v1/search HTTP/1.1\r\n${head}content-type: application/json\r\ncontent-length: ${query.length}\r\n\r\n${query}`
  const kinds = {
    'not-modified': get(path, `if-none-match: ${etag}\r\n`),
    list: get('/v1/models?limit=10'),
    search,
  }
  for (const [name, request] of Object.entries(kinds)) {
    const result = await run({ port, connections, ms, requests: [request] })
    report(name, { per_second: Math.round(rateOf(result)), errors: result.errors })
  }

  const mixed = [
    ...paths.slice(0, 16).map((each) => get(each)),
    kinds.list,
    get('/v1/status'),
    search,
    kinds['not-modified'],
  ]
  const many = await run({ port, connections: Number(options.connections), ms: 5 * ms, requests: mixed, thinkMs: 500 })
  failed ||= many.errors > 0 || many.open < Number(options.connections)
  report('many', {
    connections: many.open,
    answers: many.answers,
    per_second: Math.round(rateOf(many)),
    errors: many.errors,
    ...(many.errors > 0 && { reasons: many.reasons }),
    p50_ms: round2(quantile(many.latencies, 0.5)),
    p99_ms: round2(quantile(many.latencies, 0.99)),
  })
}

async function registerAtOnce(url: string, token: string, clients: number, each: number) {
  const latencies: number[] = []
  let errors = 0
  const started = performance.now()
  const client = async (name: number) => {
    for (let n = 0; n < each; n++) {
      const from = performance.now()
      const answer = await fetch(`${url}/v1/agents`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          name: `bench-${clients}-${name}-${n}`,
          description: 'Made to be counted.',
          version: '1.0.0',
        }),
      })
      await answer.text()
      latencies.push(performance.now() - from)
      if (answer.status !== 201) errors++
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, name) => client(name)))
  const seconds = (performance.now() - started) / 1000
  return {
    clients,
    records: latencies.length,
    errors,
    per_second: Math.round(latencies.length / seconds),
    p50_ms: round2(quantile(latencies, 0.5)),
    p99_ms: round2(quantile(latencies, 0.99)),
  }
}

function started(file: string): ChildProcess {
  const child = fork(join(import.meta.dirname, 'http-bench', file))
  children.push(child)
  return child
}

function asked<T>(child: ChildProcess, question: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the process ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (answer) => {
      child.off('exit', ended)
      resolve(answer as T)
    })
    child.send(question)
  })
}

type Turn = { readonly rate: number; readonly cpu: number }

/** Processor time that a process has used, of all its threads; NaN where the system does not tell. */
async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const TICKS_PER_SECOND = 100
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function rateOf({ answers, seconds }: Result): number {
  return answers / seconds
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}

function report(figure: string, facts: object): void {
  const line = JSON.stringify({ figure, ...facts })
  lines.push(line)
  console.log(line)
}
