/**
 * Replays a trace of real edits with as many writers as it had, who see one another's work late, on several nodes, and
 * says what became of it.
 *
 *   npm run replay -- TRACE [--kind K] [--lag SECONDS] [--nodes N]
 *
 * The first node takes the ops in the order in which they were signed, the second in another, the others by sync
 * sessions over a network in memory: real replicas, real signatures. Last line: one JSON object.
 */
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { networkId, type Op, type ParsedFrame, signOps } from '../crdt/index.ts'
import { nativeSuite } from '../node/native.ts'
import { plainPackets } from '../node/packet.ts'
import type { Signer } from '../node/replica-types.ts'
import { manualEnvironment } from '../test/support/manual-clock.ts'
import { MemoryNetwork } from '../test/support/memory-transport.ts'
import { TestPeer } from '../test/support/peer.ts'
import { mulberry } from './bench/record.ts'
import { Author, type Authored } from './replay/author.ts'
import { lostEdits } from './replay/lost.ts'
import { readTrace } from './replay/trace.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    kind: { type: 'string', default: 'model' },
    lag: { type: 'string', default: '86400' },
    nodes: { type: 'string', default: '3' },
  },
})
const [path] = positionals
const lag = Number(values.lag)
const count = Number(values.nodes)
if (path === undefined || !(lag >= 0) || !(count >= 2)) {
  console.error('usage: npm run replay -- TRACE [--kind K] [--lag SECONDS] [--nodes N], N of 2 or more')
  process.exit(2)
}

/** Frames that one call takes; and those among which the second node's order is another. */
const CHUNK = 16
const WINDOW = 40

const net = networkId('replay')
const edits = await readTrace(path)
const author = new Author(net, values.kind, lag)
const authored = edits.flatMap((edit) => author.ops(edit))
author.finish()
const frames = signed(authored)
const ops = new Set(authored.map(({ op }) => op.id)).size
const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0)
console.error(
  `${edits.length} edits by ${author.writers} writers are ${ops} ops in ${frames.length} frames, ${bytes} bytes`,
)

const environment = manualEnvironment()
const network = new MemoryNetwork({ clock: environment.clock })
const peers: TestPeer[] = []
for (let i = 0; i < count; i++) {
  // The clock jumps when nothing is left to do: packing must not happen on another thread.
  const options = { environment, net, gossip: false, codec: plainPackets }
  peers.push(await TestPeer.open({ transport: network.node(`node-${i}`), ...options }))
}
const [first, second, ...rest] = peers as [TestPeer, TestPeer, ...TestPeer[]]
const seconds = await admit(first, frames)
await admit(second, shuffled(frames))
// What the second dropped because too much waited, it asks for like everybody else.
network.connect(second.transport.self, first.transport.self)
for (const [i, peer] of rest.entries()) {
  network.connect(peer.transport.self, (i === 0 ? first : (rest[i - 1] as TestPeer)).transport.self)
}
console.error(peers.map((peer) => `${peer.replica.counts().ops} ops, ${peer.replica.pending().ops} pending`).join('; '))
const root = first.replica.root()
await environment.clock.runUntil(() => peers.every((peer) => peer.replica.root() === root), 3_600_000)

const hashes = new Set(await Promise.all(peers.map((peer) => peer.replica.stateHash())))
let lost = 0
for (const { record, ops } of author.histories()) {
  const merged = await first.replica.record(record)
  if (merged !== undefined) lost += lostEdits(ops, merged).length
}
for (const peer of peers) await peer[Symbol.asyncDispose]()
const { branches, merged, conflicts, writers, skipped } = author
const equal = hashes.size === 1
console.log(
  JSON.stringify({
    lag,
    nodes: count,
    edits: edits.length,
    writers,
    branches,
    merged,
    conflicts,
    lost,
    equal,
    ops,
    bytes,
    seconds: Number(seconds.toFixed(2)),
    ops_per_second: Math.round(ops / seconds),
    skipped,
  }),
)
process.exitCode = equal && lost === 0 ? 0 : 1

/** Ops that stand together and were signed by one commit, in as few frames as the limits allow. */
function signed(authored: readonly Authored[]): ParsedFrame[] {
  const frames: ParsedFrame[] = []
  let group: Op[] = []
  const seal = (signer: Signer | undefined) => {
    if (signer === undefined || group.length === 0) return
    const options = { net, key: signer.key, sha256: nativeSuite.sha256 }
    const sign = (message: Uint8Array) => signer.sign(message)
    frames.push(...signOps(group, { ...options, sign }).map(({ frame }) => frame))
    group = []
  }
  for (const [i, { op, signer, batch }] of authored.entries()) {
    const before = authored[i - 1]
    if (before?.batch !== batch || before.signer.key !== signer.key) seal(before?.signer)
    group.push(op)
  }
  seal(authored.at(-1)?.signer)
  return frames
}

/** Seconds until all are on its disk. */
async function admit(peer: TestPeer, frames: readonly ParsedFrame[]): Promise<number> {
  const start = performance.now()
  for (let from = 0; from < frames.length; from += CHUNK) {
    const some = frames.slice(from, from + CHUNK).map((frame) => frame.bytes)
    const { results, refusedFrames } = await peer.replica.admit(some, { via: 'sync', peer: 'trace' })
    const refused = results.find(({ verdict }) => verdict === 'refused')
    if (refused !== undefined || refusedFrames.length > 0) {
      throw new Error(`an op of the trace was refused: ${refused?.reason ?? refusedFrames[0]?.reason}`)
    }
  }
  return (performance.now() - start) / 1000
}

/** Another order, in which few enough ops wait for their parents that none is dropped. */
function shuffled(frames: readonly ParsedFrame[]): ParsedFrame[] {
  const random = mulberry(1)
  const order: ParsedFrame[] = []
  for (let from = 0; from < frames.length; from += WINDOW) {
    const some = frames.slice(from, from + WINDOW)
    for (let i = some.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1))
      const swap = some[i] as ParsedFrame
      some[i] = some[j] as ParsedFrame
      some[j] = swap
    }
    order.push(...some)
  }
  return order
}
