/**
 * Verifies every invariant of a replica from its frames alone, the slow and obvious way.
 *
 * Reads the whole arrival log, believes nothing else, and compares all that the replica answers with what the frames
 * say. Throws with the first thing that is wrong.
 */
import {
  ERASE,
  IDENTITY,
  IdSet,
  isAuthorityType,
  type Merged,
  merge,
  type Op,
  OwnerAuthority,
  openFrame,
  ownerOfIdentity,
  ownerOfKey,
  recordStateHash,
  stateBytes,
  stateHash,
  toHex,
} from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import type { ReplicaFace } from '../../node/replica-types.ts'
import { naiveMerge } from './naive-merge.ts'

export async function checkReplica(replica: ReplicaFace): Promise<void> {
  await replica.ready
  const ops = await opsOf(replica)
  checkParents(ops)
  const all = Map.groupBy(ops.values(), (op) => op.header.record)
  const authorities = authoritiesOf(replica, all)
  const byRecord = new Map([...all].filter(([, [op]]) => !isAuthorityType(op!.header.type)))
  const records = await replica.list({ limit: Number.MAX_SAFE_INTEGER })
  equal(
    'records',
    records.map(({ record }) => record),
    [...byRecord.keys()].sort(),
  )
  const live: Record<string, number> = Object.create(null)
  for (const merged of records) {
    checkMerged(merged, byRecord.get(merged.record)!, authorities.get(merged.owner))
    if (merged.live) live[merged.kind] = (live[merged.kind] ?? 0) + 1
  }
  for (const kind of new Set(records.map((merged) => merged.kind))) {
    const listed = await replica.list({ kind, limit: Number.MAX_SAFE_INTEGER })
    equal(
      `records of kind ${kind}`,
      listed.map(({ record }) => record),
      records.flatMap((merged) => (merged.kind === kind ? [merged.record] : [])),
    )
  }
  const counts = replica.counts()
  equal('ops counted', counts.ops, ops.size)
  equal('records counted', sorted(counts.records), sorted(live))
  const set = new IdSet(nativeSuite.sha256)
  for (const id of ops.keys()) set.add(id)
  equal('root', replica.root(), set.root())
  equal('ops that are not held', (await replica.has([...ops.keys()])).filter((held) => !held).length, 0)
  equal(
    'state hash',
    await replica.stateHash(),
    stateHash(records.map((merged) => recordStateHash(merged, nativeSuite.sha256))),
  )
}

/** All ops, by the arrival log; each frame opened as a stranger would, arrival numbers without a gap. */
async function opsOf(replica: ReplicaFace): Promise<Map<string, Op>> {
  const ops = new Map<string, Op>()
  let covered = 0
  for await (const { seq, bytes, ids } of replica.log(0)) {
    const opened = openFrame(bytes, replica.net, nativeSuite)
    if (!opened.ok) throw new Error(`the frame up to ${seq} does not open: ${opened.reason}`)
    equal(`refused ops in the frame up to ${seq}`, opened.frame.refused.length, 0)
    equal(
      `ids of the frame up to ${seq}`,
      ids,
      opened.frame.entries.map(({ op }) => op.id),
    )
    equal(`ops of the frame up to ${seq}`, seq - covered, ids.length)
    covered = seq
    for (const { op } of opened.frame.entries) {
      if (ops.has(op.id)) throw new Error(`op ${op.id} is stored twice`)
      ops.set(op.id, op)
    }
  }
  equal('last arrival number', replica.counts().seq, covered)
  equal(
    'changes',
    (await replica.changes(0, Number.MAX_SAFE_INTEGER)).map(({ op }) => op),
    [...ops.keys()],
  )
  return ops
}

function checkParents(ops: ReadonlyMap<string, Op>): void {
  const owners = new Map<string, string>()
  for (const { header } of ops.values()) if (header.genesis) owners.set(header.record, header.genesis.owner)
  for (const { id, header } of ops.values()) {
    if (header.via === undefined && !isAuthorityType(header.type)) {
      equal(`owner of op ${id}`, owners.get(header.record), `01${header.actor}`)
    }
    for (const parent of header.parents)
      equal(`record of a parent of ${id}`, ops.get(parent)?.header.record, header.record)
  }
}

/** Who said what of their authority, each op checked again after all that it names. */
function authoritiesOf(replica: ReplicaFace, records: ReadonlyMap<string, readonly Op[]>): Map<string, OwnerAuthority> {
  const authorities = new Map<string, OwnerAuthority>()
  for (const [record, ops] of records) {
    const first = ops.find(({ header: { via, type } }) => isAuthorityType(type) && via === undefined)
    if (first === undefined) continue
    const owner = first.header.type === IDENTITY ? ownerOfIdentity(record) : ownerOfKey(first.header.actor)
    const authority = new OwnerAuthority(replica.net, owner, nativeSuite.sha256)
    equal(`authority record of ${owner}`, authority.record, record)
    // A frame may carry an op before what it names.
    for (let left = [...ops]; left.length > 0; ) {
      const next = left.filter(({ header: { parents, via } }) =>
        [...parents, via ?? []].flat().every((id) => authority.has(id)),
      )
      if (next.length === 0) throw new Error(`${left.length} ops of ${record} rest on what is not there`)
      for (const op of next) {
        equal(`the chain of ${op.id}`, authority.check(op), undefined)
        authority.add(op)
      }
      left = left.filter((op) => !next.includes(op))
    }
    authorities.set(owner, authority)
  }
  for (const ops of records.values()) {
    const genesis = ops.find(({ header }) => header.genesis !== undefined)?.header.genesis
    for (const op of ops) {
      if (genesis === undefined || op.header.via === undefined) continue
      equal(`the chain of ${op.id}`, authorities.get(genesis.owner)?.check(op, genesis.kind), undefined)
    }
  }
  return authorities
}

function checkMerged(merged: Merged, ops: readonly Op[], authority: OwnerAuthority | undefined): void {
  const relies = ops.some(({ header }) => header.via !== undefined || header.type === ERASE)
  const naive = relies ? merge(ops, nativeSuite.sha256, authority) : naiveMerge(ops)
  const { record } = merged
  equal(`state of ${record}`, toHex(stateBytes(merged)), toHex(stateBytes(naive)))
  equal(`facts of ${record}`, factsOf(merged), factsOf(naive))
}

function factsOf({ owner, kind, slug, registeredAt, changedAt, opCount }: Merged) {
  return { owner, kind, slug, registeredAt, changedAt, opCount }
}

function sorted(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
}

function equal(what: string, got: unknown, wanted: unknown): void {
  if (JSON.stringify(got) === JSON.stringify(wanted)) return
  throw new Error(
    `${what}: expected ${JSON.stringify(wanted)?.slice(0, 300)}, got ${JSON.stringify(got)?.slice(0, 300)}`,
  )
}
