/**
 * What it costs two nodes to find out in what they differ: `npm run reconcile-bench -- [--n 24675,100000,1000000]
 * [--d 0,10,100,1000,10000,100000,all] [--over memory,loopback] [--restart]`. One JSON line a case, all of them under
 * .out/bench/ too.
 *
 * Sets of random ids, no ops behind them (bench/id-replica.ts): sets, sketches, sessions and messages are the node's
 * own, over channels in memory or over libp2p on loopback. Two sets that have never met, half of the difference on
 * each side; `all`: one of them is empty. `bytes` counts every message but those that carry ops; `op_bytes` is what the
 * differing ops would need beside it, at 190 bytes an op (a cold sync of the real catalogue, README). `cpu_ms` is both
 * sides, finding and taking in; `rounds` are questions of the comparison. `again`: asked once more when nothing differs.
 *
 * --restart: a store of n ops as far as starting needs it (their rows without frames and records), opened: until the
 * first read, until the root is known; and the same without the rows that make it quick.
 */

import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { networkId, toHex } from '../crdt/index.ts'
import { chunkKey, chunkRow } from '../node/id-rows.ts'
import { LevelDisk, openNetwork, type SessionResult, Sync, type Transport } from '../node/index.ts'
import { idChunkOps } from '../node/limits.ts'
import { machineEnvironment, nativeSuite } from '../node/native.ts'
import { Replica } from '../node/replica.ts'
import { countsKey, countsRow, locationRow, markerKey, opKey, sealed } from '../node/rows.ts'
import { readMessage } from '../node/sync-messages.ts'
import { turn } from '../node/turn.ts'
import { MemoryNetwork } from '../test/support/memory-transport.ts'
import { IdReplica } from './bench/id-replica.ts'

const { values: options } = parseArgs({
  options: {
    n: { type: 'string', default: '24675,100000,1000000' },
    d: { type: 'string', default: '0,10,100,1000,10000,100000,all' },
    over: { type: 'string', default: 'memory,loopback' },
    restart: { type: 'boolean', default: false },
  },
})
const OP_BYTES = 190
const NET = networkId('reconcile-bench')
const rows: Record<string, unknown>[] = []
// The node's timers keep no process alive, and channels in memory have nothing that does.
const alive = setInterval(() => {}, 1_000)

for (const n of options.n.split(',').map(Number)) {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`expected --n of whole numbers, got ${options.n}`)
  if (options.restart) await restart(n)
  else for (const over of options.over.split(',')) await compare(n, over)
}
clearInterval(alive)
await mkdir('.out/bench', { recursive: true })
await writeFile(
  `.out/bench/reconcile-${new Date().toISOString().replaceAll(':', '-')}.jsonl`,
  rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
)

type Counted = { out: number; in: number; ops: number }

async function compare(n: number, over: string): Promise<void> {
  const ids = randomBytes(32 * n)
  const before = memory()
  const a = new IdReplica(NET, '0a'.repeat(16), ids)
  await a.set.sketch(turn)
  const perSet = (memory() - before) / 1e6
  const b = new IdReplica(NET, '0b'.repeat(16), ids)
  await b.set.sketch(turn)
  const empty = new IdReplica(NET, '0c'.repeat(16), new Uint8Array(0))
  for (const wanted of options.d.split(',')) {
    const d = wanted === 'all' ? n : Number(wanted)
    if (wanted !== 'all' && d > n) continue
    const other = wanted === 'all' ? empty : b
    const news = Array.from({ length: Math.ceil(d / 2) }, () => toHex(randomBytes(32)))
    const gone = Array.from({ length: Math.floor(d / 2) }, (_, i) => toHex(ids.subarray(32 * i, 32 * i + 32)))
    if (wanted !== 'all') {
      for (const id of gone) b.set.delete(id)
      for (const id of news) b.set.add(id)
    }
    const facts = await meet(a, other, over)
    report({ workload: 'reconcile', over, n, d: wanted, ...facts, op_bytes: d * OP_BYTES, set_megabytes: perSet })
    a.restore()
    other.restore()
    if (wanted === 'all') continue
    for (const id of news) b.set.delete(id)
    for (const id of gone) b.set.add(id)
  }
}

/** Two nodes connect, settle, and are asked once more. */
async function meet(a: IdReplica, b: IdReplica, over: string): Promise<Record<string, unknown>> {
  await using world = over === 'memory' ? memoryPair() : await loopbackPair()
  const counted: Counted = { out: 0, in: 0, ops: 0 }
  const sessions: SessionResult[] = []
  const settled = Promise.withResolvers<void>()
  const environment = machineEnvironment
  await using one = new Sync({
    replica: a.face,
    transport: counting(world.transports[0], counted),
    environment,
    onSession: (result) => {
      sessions.push(result)
      // Both may open a session at once; one of them is then told that the other is busy.
      if (result.rootEqual) settled.resolve()
      else if (result.end !== 'done' && result.end !== 'busy') {
        settled.reject(new Error(`${result.end}: ${result.why}`))
      }
    },
  })
  await using two = new Sync({ replica: b.face, transport: world.transports[1], environment })
  await two.start()
  await one.start()
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await world.connect()
  await settled.promise
  const ms = performance.now() - begun
  const { user, system } = process.cpuUsage(cpu)
  const first = sessions.find(({ end }) => end === 'done')
  const moved = { ...counted }
  const again = await one.sync(world.peers[1])
  return {
    by: first?.by,
    sessions: sessions.length,
    rounds: first?.rounds,
    bytes: moved.in + moved.out - moved.ops,
    bytes_out: moved.out,
    bytes_in: moved.in,
    bytes_of_ops: moved.ops,
    ms,
    session_ms: first?.ms,
    cpu_ms: (user + system) / 1000,
    again_bytes: again === undefined ? undefined : again.bytesIn + again.bytesOut,
    rss_megabytes: process.memoryUsage().rss / 1e6,
  }
}

type Pair = AsyncDisposable & {
  readonly transports: readonly [Transport, Transport]
  readonly peers: readonly [string, string]
  connect(): Promise<void>
}

function memoryPair(): Pair {
  const network = new MemoryNetwork({ clock: machineEnvironment.clock })
  return {
    transports: [network.node('a'), network.node('b')],
    peers: ['a', 'b'],
    connect: async () => network.connect('a', 'b'),
    [Symbol.asyncDispose]: async () => network.disconnect('a', 'b'),
  }
}

async function loopbackPair(): Promise<Pair> {
  const common = { net: NET, mdns: false, offline: false, environment: machineEnvironment }
  const peers = { load: async () => undefined, save: async () => {} }
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const two = await openNetwork({ ...common, seed: randomBytes(32), listen, join: [], peers })
  await two.start()
  const one = await openNetwork({ ...common, seed: randomBytes(32), listen, join: two.multiaddrs(), peers })
  return {
    transports: [one, two],
    peers: [one.self, two.self],
    connect: () => one.start(),
    [Symbol.asyncDispose]: async () => {
      await one[Symbol.asyncDispose]()
      await two[Symbol.asyncDispose]()
    },
  }
}

/** The transport, with what goes over its channels counted: packets apart, for they are the ops. */
function counting(transport: Transport, counted: Counted): Transport {
  const note = (bytes: Uint8Array, way: 'in' | 'out') => {
    const length = bytes.length + 4
    counted[way] += length
    const read = readMessage(bytes)
    if (read.ok && read.message.m === 'packet') counted.ops += length
  }
  const watched = (channel: Awaited<ReturnType<Transport['open']>>) => {
    const { send, receive } = channel
    channel.send = (bytes) => {
      note(bytes, 'out')
      return send.call(channel, bytes)
    }
    channel.receive = async (given) => {
      const bytes = await receive.call(channel, given)
      if (bytes !== undefined) note(bytes, 'in')
      return bytes
    }
    return channel
  }
  const { open, handle } = transport
  transport.open = async (...args) => watched(await open.apply(transport, args))
  transport.handle = (protocol, handler) => handle.call(transport, protocol, (channel) => handler(watched(channel)))
  return transport
}

async function restart(n: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-restart-'))
  try {
    await prepare(folder, n)
    const quick = await opened(folder)
    // The second start finds the mark of a clean shutdown, and the sketch.
    const clean = await opened(folder)
    const disk = await LevelDisk.open(folder)
    const keys: Uint8Array[] = []
    for await (const key of disk.keys({ gte: chunkKey(0), lte: chunkKey(2 ** 32 - 1) })) keys.push(key)
    await disk.batch(keys.map((key) => ({ key })))
    await disk[Symbol.asyncDispose]()
    const slow = await opened(folder)
    report({
      workload: 'restart',
      n,
      ...named('after_crash', quick),
      ...named('clean', clean),
      ...named('without_rows', slow),
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function prepare(folder: string, n: number): Promise<void> {
  {
    await using disk = await LevelDisk.open(folder)
    const replica = await openAt(disk)
    await replica.ready
    await replica[Symbol.asyncDispose]()
  }
  await using disk = await LevelDisk.open(folder)
  const of = { kind: 'model', owner: `01${'ab'.repeat(32)}` }
  for (let from = 0; from < n; from += idChunkOps) {
    const arrivals = Array.from({ length: Math.min(idChunkOps, n - from) }, (_, i) => ({
      id: toHex(randomBytes(32)),
      seq: from + i + 1,
      of,
    }))
    await disk.batch([
      ...arrivals.map(({ id, seq }) => ({ key: opKey(id), value: locationRow({ seq, place: 0 }) })),
      { key: chunkKey(from / idChunkOps), value: chunkRow(arrivals, nativeSuite.sha256) },
    ])
  }
  const counts = countsRow({ seq: n, ops: n, records: {} })
  // The mark of the clean shutdown is of the empty store.
  await disk.batch([{ key: countsKey, value: sealed(counts, nativeSuite.sha256) }, { key: markerKey }], { sync: true })
}

async function opened(folder: string) {
  const begun = performance.now()
  await using disk = await LevelDisk.open(folder)
  const replica = await openAt(disk)
  await replica.list({ limit: 1 })
  const firstRead = performance.now() - begun
  await replica.ready
  const root = replica.root()
  const ready = performance.now() - begun
  const all = await replica.reconciled('all')
  await all?.sketch(turn)
  const compared = performance.now() - begun
  await replica[Symbol.asyncDispose]()
  return { first_read_ms: firstRead, root_ms: ready, sketch_ms: compared, root }
}

function openAt(disk: LevelDisk): Promise<Replica> {
  return Replica.open({
    disk,
    environment: machineEnvironment,
    suite: nativeSuite,
    checker: { verify: async (items) => items.map(() => false) },
    net: NET,
  })
}

function named(prefix: string, facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [`${prefix}_${name}`, value]))
}

function memory(): number {
  global.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function report(row: Record<string, unknown>): void {
  const rounded = Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]),
  )
  rows.push(rounded)
  console.log(JSON.stringify(rounded))
}
