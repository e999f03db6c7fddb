/**
 * The goals, checked on a world from outside: nothing that a node says of itself is believed that can be computed from
 * the frames it holds.
 *
 *   S1  two nodes with the same ops have the same state, and it is what the naive merge makes of those ops
 *   S2  what a writer was told is kept is there
 *   S3  every op held has a good signature, a right id, and its parents in its record
 *   S4  nothing ends a process, and no error goes unhandled
 *   S5  what is kept for peers is bounded
 *   S6  no node's key has signed two ops of one record of which neither has seen the other
 *   L1  all correct nodes come to hold the same
 *   L2  an honest op is refused by nobody, and nobody is blocked who did nothing wrong
 */
import {
  IdSet,
  isAuthorityType,
  type Merged,
  type Op,
  type OpId,
  parseFrame,
  stateBytes,
  stateHash,
  toHex,
} from '../../crdt/index.ts'
import {
  clockAheadMsMax,
  pendingBytesMax,
  pendingOpsPerPeerMax,
  syncOpenMax,
  syncSessionsMax,
  syncStreamsPerPeerMax,
} from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Replica } from '../../node/replica.ts'
import { mergedHex } from '../support/authority-answers.ts'
import { naiveAuthority } from '../support/naive-authority.ts'
import { naiveMerge } from '../support/naive-merge.ts'
import { NET, type SimNode } from './sim-node.ts'
import type { World } from './world.ts'

export const GOALS = ['S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'L1', 'L2'] as const
export type Violation = { readonly goal: (typeof GOALS)[number]; readonly what: string; readonly at: number }
type Note = (...facts: readonly (string | number)[]) => void

const { sha256 } = nativeSuite
/** What no honest replica does even once (network-penalties.ts). */
const DISHONEST = new Set(['malformed', 'too-large', 'bad-op', 'protocol'])

export async function checkWorld(world: World, note: Note): Promise<void> {
  const states = new Map<string, string>()
  const seen = new Map<OpId, Op>()
  for (const node of world.nodes.values()) {
    const replica = node.parts?.replica
    if (replica === undefined) continue
    const violate = (goal: Violation['goal'], what: string) => world.violate(goal, `${node.id}: ${what}`)
    const ops = await readLog(world, replica, violate)
    for (const op of ops.values()) seen.set(op.id, op)
    const shared = sharedOps(world, ops)
    checkParents(ops, shared, violate)
    await checkRecords(world, replica, ops, violate)
    const state = await replica.stateHash()
    note(node.id, replica.root(), state)
    const held = [...ops.keys()].sort().join()
    if ((states.get(held) ?? state) !== state) violate('S1', 'the same ops as another node, and another state')
    states.set(held, state)
    // Ops from the future wait outside, where they came by gossip, until their time has come.
    const latest = node.parts!.transport.clock.now() + clockAheadMsMax
    for (const [op, by] of world.acknowledged) {
      const isDue = world.library.ops.get(op)!.op.header.w <= latest
      if (!ops.has(op) && isDue) violate('S2', `lacks op ${op}, which ${by} has acknowledged`)
    }
    checkPeers(world, node, violate)
  }
  checkKeys(world, seen)
}

/** What each node holds in memory for others, now. */
export function checkBounds(world: World): void {
  for (const { id, parts } of world.nodes.values()) {
    if (parts === undefined) continue
    const { replica, sync, transport } = parts
    const violate = (what: string) => world.violate('S5', `${id}: ${what}`)
    const pending = replica.pending()
    const sources = world.nodes.size + world.liars.size + 1
    if (pending.ops > sources * pendingOpsPerPeerMax) violate(`${pending.ops} ops pending`)
    if (pending.bytes > pendingBytesMax) violate(`${pending.bytes} bytes pending`)
    // Each peer may be fetched from, beside the sessions.
    if (sync.running > syncSessionsMax + syncOpenMax + transport.peers().length)
      violate(`${sync.running} sync sessions`)
    if (transport.channels > 3 * syncStreamsPerPeerMax * sources) violate(`${transport.channels} channels`)
  }
}

type Violate = (goal: Violation['goal'], what: string) => void

/** All ops, by the arrival log; each frame read as a stranger would, arrival numbers without a gap. */
async function readLog(world: World, replica: Replica, violate: Violate): Promise<Map<OpId, Op>> {
  const ops = new Map<OpId, Op>()
  const set = new IdSet(sha256)
  let covered = 0
  for await (const { seq, bytes, ids } of replica.log(0)) {
    const parsed = parseFrame(bytes, NET, sha256)
    if (!parsed.ok) {
      violate('S3', `a frame in the log is ${parsed.reason}`)
      continue
    }
    const { frame } = parsed
    if (!world.signatures.isGood(Buffer.from(frame.actor, 'hex'), frame.signedMessage, frame.signature)) {
      violate('S3', `the frame up to ${seq} has a bad signature`)
    }
    const carried = frame.entries.map(({ op }) => op.id)
    if (frame.refused.length > 0 || carried.join() !== ids.join()) violate('S3', `the frame up to ${seq} has other ops`)
    if (seq - covered !== ids.length) violate('S3', `arrival numbers from ${covered} to ${seq} for ${ids.length} ops`)
    covered = seq
    for (const { op } of frame.entries) {
      if (ops.has(op.id)) violate('S3', `op ${op.id} is stored twice`)
      ops.set(op.id, op)
      set.add(op.id)
    }
  }
  const counts = replica.counts()
  if (counts.ops !== ops.size || counts.seq !== covered) {
    violate('S3', `counts ${counts.ops} ops up to ${counts.seq}, holds ${ops.size} up to ${covered}`)
  }
  // Ops that wait for their time are known, and so are under the root.
  if (replica.pending().ops === 0 && replica.root() !== set.root()) violate('S3', 'its root is not that of its ops')
  const held = await replica.has([...ops.keys()])
  if (held.includes(false)) violate('S3', 'does not know that it holds what it holds')
  return ops
}

/** Ops of owners who share, held here and allowed by the rules. */
function sharedOps(world: World, ops: ReadonlyMap<OpId, Op>): Set<OpId> {
  return new Set([...world.histories].flatMap(({ valid }) => [...valid].filter((id) => ops.has(id))))
}

function checkParents(ops: ReadonlyMap<OpId, Op>, shared: ReadonlySet<OpId>, violate: Violate): void {
  const owners = new Map<string, string>()
  for (const { header } of ops.values()) if (header.genesis) owners.set(header.record, header.genesis.owner)
  for (const { id, header } of ops.values()) {
    if (owners.get(header.record) !== `01${header.actor}` && !shared.has(id))
      violate('S3', `op ${id} is not by the owner of its record`)
    for (const parent of header.parents) {
      if (ops.get(parent)?.header.record !== header.record) violate('S3', `op ${id} lacks a parent in its record`)
    }
  }
}

async function checkRecords(
  world: World,
  replica: Replica,
  ops: ReadonlyMap<OpId, Op>,
  violate: Violate,
): Promise<void> {
  const byRecord = Map.groupBy(ops.values(), (op) => op.header.record)
  const historyByOwner = new Map([...world.histories].map((history) => [history.owner, history]))
  // What says who may write is no record that is listed.
  for (const [record, [op]] of byRecord) if (isAuthorityType(op!.header.type)) byRecord.delete(record)
  const records = await replica.list({ limit: Number.MAX_SAFE_INTEGER })
  const live: Record<string, number> = Object.create(null)
  const hashes: Uint8Array[] = []
  for (const merged of records) {
    const of = byRecord.get(merged.record)
    if (of === undefined) {
      violate('S1', `has a record ${merged.record} of no ops`)
      continue
    }
    byRecord.delete(merged.record)
    const state = stateBytes(merged)
    hashes.push(sha256(state))
    if (merged.live) live[merged.kind] = (live[merged.kind] ?? 0) + 1
    const history = historyByOwner.get(merged.owner)
    if (history !== undefined) {
      const held = history.ops.filter(({ id }) => ops.has(id))
      const wanted = mergedHex(naiveMerge(of, naiveAuthority(held, 'fixpoint')))
      if (mergedHex(merged) !== wanted)
        violate('S1', `shared record ${merged.record} is not what the naive versions say`)
      continue
    }
    const naive = naiveOf(of)
    if (toHex(state) !== naive.state) violate('S1', `record ${merged.record} is not what the naive merge makes of it`)
    if (factsOf(merged) !== naive.facts)
      violate('S1', `of record ${merged.record} says ${factsOf(merged)}, not ${naive.facts}`)
  }
  if (byRecord.size > 0) violate('S1', `lacks ${byRecord.size} records of which it has ops`)
  const counted = replica.counts().records
  for (const kind of new Set([...Object.keys(live), ...Object.keys(counted)])) {
    if (live[kind] !== counted[kind])
      violate('S1', `counts ${counted[kind]} records of kind ${kind}, has ${live[kind]}`)
  }
  if ((await replica.stateHash()) !== stateHash(hashes)) violate('S1', 'its state hash is not that of its records')
}

/** The naive merge of these ops; many nodes hold the same, and it is slow. */
function naiveOf(ops: readonly Op[]): { readonly state: string; readonly facts: string } {
  const name = ops
    .map(({ id }) => id)
    .sort()
    .join()
  let known = naive.get(name)
  if (known === undefined) {
    const merged = naiveMerge(ops)
    known = { state: toHex(stateBytes(merged)), facts: factsOf(merged) }
    if (naive.size >= NAIVE_MAX) naive.clear()
    naive.set(name, known)
  }
  return known
}
const naive = new Map<string, { readonly state: string; readonly facts: string }>()
const NAIVE_MAX = 1_000

function factsOf({ owner, kind, slug, registeredAt, changedAt, opCount }: Merged): string {
  return JSON.stringify({ owner, kind, slug, registeredAt, changedAt, opCount })
}

function checkPeers(world: World, node: SimNode, violate: Violate): void {
  const transport = node.parts!.transport
  for (const { peer, reason } of [...node.misdeeds, ...transport.misdeeds]) {
    if (world.nodes.has(peer) && DISHONEST.has(reason)) violate('L2', `took ${peer} for dishonest: ${reason}`)
  }
  for (const peer of [...node.refusals, ...transport.refusals]) {
    if (world.nodes.has(peer)) violate('L2', `blocked ${peer}, which is honest`)
  }
}

/** The ops of each node's own key in one record are a line, whatever happened to its disk. */
function checkKeys(world: World, ops: ReadonlyMap<OpId, Op>): void {
  for (const { id, signer } of world.nodes.values()) {
    const own = [...ops.values()].filter(({ header }) => header.actor === signer.key)
    for (const [record, some] of Map.groupBy(own, ({ header }) => header.record)) {
      const pasts = new Map(some.map((op) => [op.id, pastOf(op, ops)]))
      for (const [i, a] of some.entries()) {
        for (const b of some.slice(i + 1)) {
          if (pasts.get(a.id)!.has(b.id) || pasts.get(b.id)!.has(a.id)) continue
          world.violate('S6', `the key of ${id} has signed ${a.id} and ${b.id} of record ${record} side by side`)
        }
      }
    }
  }
}

function pastOf(op: Op, ops: ReadonlyMap<OpId, Op>): Set<OpId> {
  const past = new Set<OpId>()
  const open = [...op.header.parents]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (past.has(id)) continue
    past.add(id)
    open.push(...(ops.get(id)?.header.parents ?? []))
  }
  return past
}
