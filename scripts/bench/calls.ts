/**
 * One node of a benchmark, in a process of its own, driven by messages of its parent: {call, args} -> {result | error}.
 * It runs the product's own Node; nothing is switched off but what a workload's name says.
 */
import { LevelDisk, Node } from '../../node/index.ts'
import { quantile } from './quantile.ts'
import { benchItem, KIND } from './record.ts'

const startedAt = performance.timeOrigin
let node: Node | undefined
const seen = new Map<string, bigint>()

const calls = {
  /** Answered when the program is loaded. */
  async loaded() {},
  async open({
    data,
    join: known = [],
    offline = false,
  }: {
    data: string
    join?: readonly string[]
    offline?: boolean
  }) {
    const opening = performance.now()
    node = await Node.open({
      data,
      network: 'bench',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      join: known,
      mdns: false,
      offline,
      version: 'bench',
      log: (level, message, facts) => {
        if (level !== 'info') console.error(level, message, facts)
      },
    })
    const openMs = performance.now() - opening
    const [first] = await node.replica.list({ limit: 1 })
    return {
      openMs,
      firstReadMs: performance.now() - opening,
      sinceProcessStartMs: performance.timeOrigin + performance.now() - startedAt,
      hasFirst: first !== undefined,
      multiaddrs: node.multiaddrs(),
    }
  },
  async close() {
    await node?.[Symbol.asyncDispose]()
    node = undefined
  },
  /** Writes items first..first+count in calls of `size`, one call at a time; seconds. */
  async batch({ first, count, size, revision = 0 }: { first: number; count: number; size: number; revision?: number }) {
    const begun = performance.now()
    for (let i = first; i < first + count; i += size) {
      const items = Array.from({ length: Math.min(size, first + count - i) }, (_, k) => benchItem(i + k, revision))
      const outcomes = await running().catalogue.batch(items)
      for (const outcome of outcomes) if (outcome.outcome === 'refused') throw new Error(JSON.stringify(outcome))
    }
    return (performance.now() - begun) / 1000
  },
  /** Single registrations, `inFlight` at a time; seconds. */
  async put({ first, count, inFlight }: { first: number; count: number; inFlight: number }) {
    let next = first
    const begun = performance.now()
    const worker = async () => {
      while (next < first + count) {
        const i = next++
        const [outcome] = await running().catalogue.batch([benchItem(i)])
        if (outcome?.outcome !== 'created') throw new Error(JSON.stringify(outcome))
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    return (performance.now() - begun) / 1000
  },
  async root() {
    await running().replica.ready
    return { root: running().replica.root(), ...running().replica.counts() }
  },
  async stateHash() {
    return running().replica.stateHash()
  },
  async indexed() {
    const { indexer, replica } = running()
    const begun = performance.now()
    await indexer.waitFor(replica.counts().seq, 3_600_000)
    return (performance.now() - begun) / 1000
  },
  /** Resolves when the replica holds this set; seconds, and the bytes of sync so far. */
  async waitRoot({ root, ops, timeoutMs }: { root: string; ops: number; timeoutMs: number }) {
    const { replica } = running()
    const begun = performance.now()
    await replica.ready
    await new Promise<void>((resolve, reject) => {
      const check = () => {
        if (replica.counts().ops < ops || replica.root() !== root) return
        stop()
        clearInterval(poll)
        clearTimeout(timer)
        resolve()
      }
      // The root costs hashing: it is looked at when the count fits.
      const stop = replica.onAppended(() => setImmediate(check))
      const poll = setInterval(check, 20)
      const timer = setTimeout(() => reject(new Error(`not equal after ${timeoutMs} ms`)), timeoutMs)
      check()
    })
    return (performance.now() - begun) / 1000
  },
  async status() {
    return running().status()
  },
  /** Memory with nothing in it that could be freed, peers, and processor time before and after this look. */
  async usage() {
    const cpuMs = () => process.cpuUsage().user / 1_000 + process.cpuUsage().system / 1_000
    const cpuMsBefore = cpuMs()
    global.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    return { rss, heapUsed, peers: running().sync.peers().length, cpuMsBefore, cpuMsAfter: cpuMs() }
  },
  async memory() {
    global.gc?.()
    return process.memoryUsage().rss
  },
  /** Notes when each op of the next changes arrived, by the machine's monotonic clock. */
  async watch() {
    running().replica.onAppended((appended) => {
      const at = process.hrtime.bigint()
      for (const { frame } of appended.frames) for (const { op } of frame.entries) seen.set(op.id, at)
    })
  },
  async seen({ ids }: { ids: string[] }) {
    return ids.map((id) => seen.get(id)?.toString())
  },
  /** One change at a time, a moment apart; op id and when its write was begun and acknowledged. */
  async live({ first, count, pauseMs }: { first: number; count: number; pauseMs: number }) {
    const sent: { op: string; begun: string; acknowledged: string }[] = []
    for (let i = first; i < first + count; i += 1) {
      const begun = process.hrtime.bigint()
      const [outcome] = await running().catalogue.batch([benchItem(i, 1)])
      const acknowledged = process.hrtime.bigint()
      if (outcome === undefined || outcome.outcome === 'refused') throw new Error(JSON.stringify(outcome))
      const merged = await running().replica.record(outcome.id)
      sent.push({ op: merged?.heads[0] as string, begun: begun.toString(), acknowledged: acknowledged.toString() })
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    return sent
  },
  async search({ count }: { count: number }) {
    const queries = [
      { name: 'term', query: () => ({ query: 'multilingual', limit: 20 }) },
      { name: 'two terms', query: () => ({ query: 'vision reasoning', limit: 20 }) },
      { name: 'prefix', query: () => ({ query: 'summ', limit: 20 }) },
      {
        name: 'text + filter + facets',
        query: () => ({
          query: 'robotics',
          filters: { license: 'mit' },
          facets: ['model_type', 'license', 'quantization'],
          limit: 20,
        }),
      },
      {
        name: 'filter + facets + sort',
        query: () => ({
          filters: { framework: 'JAX', parameters_gte: 1e11 },
          facets: ['model_type', 'license', 'quantization'],
          sort: '-parameters',
          limit: 20,
        }),
      },
    ]
    const rows: { name: string; p50: number; p99: number; total: number }[] = []
    for (const { name, query } of queries) {
      const times: number[] = []
      let total = 0
      for (let i = 0; i < count; i += 1) {
        const begun = performance.now()
        const found = await running().catalogue.find({ kinds: [KIND], ...query() })
        if ('problem' in found) throw new Error(found.problem)
        times.push(performance.now() - begun)
        total = found.total
      }
      rows.push({ name, p50: quantile(times, 0.5), p99: quantile(times, 0.99), total })
    }
    return rows
  },
}

if (process.argv.includes('--unsynced')) {
  // For the workload of that name only: acknowledged before the disk has it.
  const batch = LevelDisk.prototype.batch
  LevelDisk.prototype.batch = function (changes) {
    return batch.call(this, changes, { sync: false })
  }
}

process.on('message', async ({ id, call, args }: { id: number; call: keyof typeof calls; args: never }) => {
  try {
    process.send?.({ id, result: await calls[call](args) })
  } catch (error) {
    process.send?.({ id, error: (error as Error).stack })
  }
})
process.on('disconnect', () => process.exit(0))

function running(): Node {
  if (node === undefined) throw new Error('open first')
  return node
}

export type Calls = typeof calls
