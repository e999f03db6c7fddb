/**
 * What a node costs that has nothing to do: one that eight others have joined, all with the same records, and nobody
 * writes. Processor time and memory of that one, from when all had settled; the peers' beside it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchProcess } from './process.ts'

const PEERS = 8
const RECORDS = 1_000
/** Sessions of the first minute, discovery and identification are over by then. */
const SETTLE_MS = 60_000

export async function idle(minutes: number): Promise<Record<string, number>> {
  await using nodes = new AsyncDisposableStack()
  const { folder } = nodes.adopt({ folder: await mkdtemp(join(tmpdir(), 'peerage-idle-')) }, ({ folder }) =>
    rm(folder, { recursive: true, force: true }),
  )
  const node = nodes.use(new BenchProcess())
  const { multiaddrs } = await node.call('open', { data: join(folder, 'node') })
  await node.call('batch', { first: 0, count: RECORDS, size: 100 })
  const { root, ops } = await node.call('root')
  const peers: BenchProcess[] = []
  for (let i = 0; i < PEERS; i++) {
    const peer = nodes.use(new BenchProcess())
    await peer.call('open', { data: join(folder, `peer-${i}`), join: multiaddrs })
    await peer.call('waitRoot', { root, ops, timeoutMs: 300_000 })
    peers.push(peer)
  }
  await sleep(SETTLE_MS)
  const all = [node, ...peers]
  const before = await Promise.all(all.map((each) => each.call('usage')))
  await sleep(minutes * 60_000)
  const after = await Promise.all(all.map((each) => each.call('usage')))
  const percent = all.map((_, i) => (after[i]!.cpuMsBefore - before[i]!.cpuMsAfter) / (minutes * 600))
  return {
    n: RECORDS,
    peers: after[0]!.peers,
    minutes,
    cpu_percent: percent[0]!,
    cpu_percent_of_peers: percent.slice(1).reduce((sum, each) => sum + each, 0) / PEERS,
    megabytes: after[0]!.rss / 1e6,
    megabytes_grown: (after[0]!.rss - before[0]!.rss) / 1e6,
    heap_megabytes_grown: (after[0]!.heapUsed - before[0]!.heapUsed) / 1e6,
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
