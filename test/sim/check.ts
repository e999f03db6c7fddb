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
import { IdSet, OP_TYPES, type Op, type OpId, parseFrame, stateBytes, stateHash, toHex } from '../../crdt/index.ts'
import {
  clockAheadMsMax,
  pendingBytesMax,
  pendingOpsPerPeerMax,
  syncIdleTimeoutMs,
  syncOpenMax,
  syncSessionsMax,
  syncStreamsPerPeerMax,
} from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Replica } from '../../node/replica.ts'
import { AUTHORITY, belongingOf, belongs, kindSet } from '../../node/sets.ts'
import { mergedHex } from '../support/authority-answers.ts'
import { KINDS } from './library.ts'
import { factsOf, type Judged, judge } from './oracle.ts'
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
  const reader = new FrameReader(world)
  const judges = new Map<string, Judged>()
  const checked: { readonly node: SimNode; readonly replica: Replica; readonly ops: ReadonlyMap<OpId, Op> }[] = []
  const isMended = world.plan.actions.some((action) => action.do === 'flip')
  for (const node of world.nodes.values()) {
    const replica = node.parts?.replica
    if (replica === undefined) continue
    const violate = (goal: Violation['goal'], what: string) => world.violate(goal, `${node.id}: ${what}`)
    const ops = await readLog(reader, replica, isMended, violate)
    for (const op of ops.values()) seen.set(op.id, op)
    const held = [...ops.keys()].sort().join()
    // Most nodes hold the same, and the naive versions are slow. Bodies may have been freed here and not elsewhere.
    const judged = judges.get(held) ?? judge([...ops.values()].map((op) => world.library.ops.get(op.id)?.op ?? op))
    judges.set(held, judged)
    for (const invalid of judged.invalid) violate('S3', invalid)
    const state = await checkRecords(replica, judged, violate)
    await checkSets(replica, ops, violate)
    note(node.id, replica.root(), state)
    if ((states.get(held) ?? state) !== state) violate('S1', 'the same ops as another node, and another state')
    states.set(held, state)
    checkPeers(world, node, violate)
    checked.push({ node, replica, ops })
  }
  // A genesis whose write failed, and was on the disk all the same, only the nodes know of.
  const geneses = new Map(
    [...world.library.ops.values()]
      .map(({ op }) => op)
      .concat(...seen.values())
      .flatMap(({ header }) => {
        return header.genesis === undefined ? [] : [[header.record, header.genesis] as const]
      }),
  )
  for (const { node, replica, ops } of checked) {
    // Ops from the future wait outside, where they came by gossip, until their time has come.
    const latest = node.parts!.transport.clock.now() + clockAheadMsMax
    for (const [id, by] of world.acknowledged) {
      if (ops.has(id)) continue
      const { header } = world.library.ops.get(id)!.op
      const of = belongingOf(header, geneses.get(header.record))
      if (header.w > latest || !replica.sets.some((name) => belongs(of, name))) continue
      world.violate('S2', `${node.id}: lacks op ${id}, which ${by} has acknowledged`)
    }
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
    // A pause holds up who waits as well.
    const silent = transport.waitingMs
    if (silent > 2 * syncIdleTimeoutMs) violate(`waits for a silent peer for ${Math.round(silent / 1_000)} s`)
  }
}

type Violate = (goal: Violation['goal'], what: string) => void

/** Frames as a stranger would read them. Many nodes hold the same, and each is read once. */
class FrameReader {
  readonly #world: World
  readonly #known = new Map<string, { readonly ops: readonly Op[]; readonly bad: readonly string[] }>()

  constructor(world: World) {
    this.#world = world
  }

  read(bytes: Uint8Array): { readonly ops: readonly Op[]; readonly bad: readonly string[] } {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    let known = this.#known.get(name)
    if (known === undefined) {
      known = this.#read(bytes)
      this.#known.set(name, known)
    }
    return known
  }

  #read(bytes: Uint8Array): { readonly ops: readonly Op[]; readonly bad: readonly string[] } {
    const parsed = parseFrame(bytes, NET, sha256)
    if (!parsed.ok) return { ops: [], bad: [`a frame in the log is ${parsed.reason}`] }
    const { actor, signedMessage, signature, entries, refused } = parsed.frame
    const ops = entries.map(({ op }) => op)
    const bad: string[] = []
    if (!this.#world.signatures.isGood(Buffer.from(actor, 'hex'), signedMessage, signature)) bad.push('a bad signature')
    if (refused.length > 0) bad.push('a frame with an op that cannot be read')
    return { ops, bad }
  }
}

/** All ops, by the arrival log; no arrival number given twice. */
async function readLog(
  reader: FrameReader,
  replica: Replica,
  isMended: boolean,
  violate: Violate,
): Promise<Map<OpId, Op>> {
  const ops = new Map<OpId, Op>()
  const set = new IdSet(sha256)
  let covered = 0
  for await (const { seq, bytes, ids } of replica.log(0)) {
    const read = reader.read(bytes)
    for (const bad of read.bad) violate('S3', `${bad} up to ${seq}`)
    if (read.ops.map(({ id }) => id).join() !== ids.join()) violate('S3', `the frame up to ${seq} has other ops`)
    // A frame that was damaged leaves a gap: its ops were stored again, with numbers of their own.
    if (seq - covered < ids.length || (!isMended && seq - covered !== ids.length))
      violate('S3', `arrival numbers from ${covered} to ${seq} for ${ids.length} ops`)
    covered = seq
    for (const op of read.ops) {
      // One that came without its body, freed by a node whose clock is ahead, is stored again with it.
      const before = ops.get(op.id)
      if (before !== undefined && !(before.freed && !op.freed)) violate('S3', `op ${op.id} is stored twice`)
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

/** By kind it says of what it holds what it is: else it would be taken to lack it by whoever takes part in that kind. */
async function checkSets(replica: Replica, ops: ReadonlyMap<OpId, Op>, violate: Violate): Promise<void> {
  // Ops that wait for their time are known, and belong to sets as well.
  if (replica.pending().ops > 0) return
  const genesis = new Map([...ops.values()].map(({ header }) => [header.genesis && header.record, header.genesis]))
  for (const name of [AUTHORITY, ...KINDS.map(kindSet)]) {
    const held = new IdSet(sha256)
    for (const { id, header } of ops.values())
      if (belongs(belongingOf(header, genesis.get(header.record)), name)) held.add(id)
    const said = await replica.reconciled(name)
    if (said?.root() !== held.root()) violate('S3', `its root of ${name} is not that of its ops`)
  }
}

/** Answers its state hash. */
async function checkRecords(replica: Replica, judged: Judged, violate: Violate): Promise<string> {
  const open = new Set(judged.records.keys())
  const live: Record<string, number> = Object.create(null)
  const hashes: Uint8Array[] = []
  for (const merged of await replica.list({ limit: Number.MAX_SAFE_INTEGER })) {
    const naive = judged.records.get(merged.record)
    if (naive === undefined) {
      violate('S1', `has a record ${merged.record} of no ops`)
      continue
    }
    open.delete(merged.record)
    const state = stateBytes(merged)
    hashes.push(sha256(state))
    if (merged.live) live[merged.kind] = (live[merged.kind] ?? 0) + 1
    if (naive.shared !== undefined) {
      if (mergedHex(merged) !== naive.shared)
        violate('S1', `shared record ${merged.record} is not what the naive versions say`)
      continue
    }
    if (toHex(state) !== naive.state) violate('S1', `record ${merged.record} is not what the naive merge makes of it`)
    if (factsOf(merged) !== naive.facts)
      violate('S1', `of record ${merged.record} says ${factsOf(merged)}, not ${naive.facts}`)
  }
  if (open.size > 0) violate('S1', `lacks ${open.size} records of which it has ops`)
  const counted = replica.counts().records
  for (const kind of new Set([...Object.keys(live), ...Object.keys(counted)])) {
    if (live[kind] !== counted[kind])
      violate('S1', `counts ${counted[kind]} records of kind ${kind}, has ${live[kind]}`)
  }
  const state = await replica.stateHash()
  if (state !== stateHash(hashes)) violate('S1', 'its state hash is not that of its records')
  return state
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

/**
 * The ops of each node's own key in one record are a line, whatever happened to its disk. A revoke that keeps less than
 * its owner has seen stands beside the rest on purpose; and a node that was set back with all that it knew cannot know
 * what it had signed since, where no peer did.
 */
function checkKeys(world: World, ops: ReadonlyMap<OpId, Op>): void {
  for (const { id, signer, forgotAt } of world.nodes.values()) {
    const own = [...ops.values()].filter((op) => op.header.actor === signer.key && !isBeside(op))
    const when = ({ id }: Op) => world.signed.get(id) ?? 0
    for (const [record, some] of Map.groupBy(own, ({ header }) => header.record)) {
      if (some.length < 2) continue
      const pasts = new Map(some.map((op) => [op.id, pastOf(op, ops)]))
      for (const [i, a] of some.entries()) {
        for (const b of some.slice(i + 1)) {
          if (pasts.get(a.id)!.has(b.id) || pasts.get(b.id)!.has(a.id)) continue
          if (forgotAt.some((at) => when(a) < at !== when(b) < at)) continue
          world.violate('S6', `the key of ${id} has signed ${a.id} and ${b.id} of record ${record} side by side`)
        }
      }
    }
  }
}

function isBeside({ header: { type, parents }, body }: Op): boolean {
  return OP_TYPES[type - 1] === 'revoke' && parents.length === 1 && toHex(body).includes(parents[0]!)
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
