/**
 * Local writes become ops inside the writer: each is decided on its record as it is at that moment, the writes before
 * it included, and builds on all the heads the record has.
 */
import {
  draftOp,
  encodeVerbs,
  GENESIS,
  type Merged,
  type NetworkId,
  OP_TYPES,
  type Op,
  type OpId,
  type OwnerAuthority,
  ownerOfKey,
  PARENTS_MAX,
  type RecordId,
  readWrites,
  type Sha256,
  TIME_MS_LIMIT,
  type ToWrite,
} from '../crdt/index.ts'
import type { Group } from './append.ts'
import type { Clock } from './environment.ts'
import { NodeError } from './errors.ts'
import type { LocalAuthorisation, LocalWrite, Signer, WriteOutcome } from './replica-types.ts'
import type { Scope } from './scope.ts'

export type Author = {
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly clock: Clock
  readonly signer: Signer
  /** Whether the journal knows an op of ours in this record that the store lacks. */
  readonly isForked: (record: RecordId) => boolean
  readonly scope: Scope
}
/** `failure`: the first write that could not be made; the others stand. */
export type Written = {
  readonly outcomes: readonly WriteOutcome[]
  readonly ops: readonly Op[]
  readonly failure?: unknown
}

/** Takes into the group, which has read their records, what these writes come to; the ops are to be signed in this order. */
export async function writeInto(group: Group, writes: readonly LocalWrite[], author: Author): Promise<Written> {
  const outcomes: WriteOutcome[] = []
  const ops: Op[] = []
  let failure: unknown
  for (const write of writes) {
    try {
      outcomes.push(await writeOne(group, write, author, ops))
    } catch (error) {
      failure ??= error
    }
  }
  return { outcomes, ops, failure }
}

async function writeOne(group: Group, write: LocalWrite, author: Author, ops: Op[]): Promise<WriteOutcome> {
  const before = await group.current(write.record)
  const intent = write.decide(before)
  if (intent.do === 'nothing') return { outcome: 'unchanged', after: before }
  if (intent.do === 'refuse') return { outcome: 'refused', problem: intent.problem, before }
  checkNotForked(write.record, author)
  const owner = before?.owner ?? write.owner ?? ownerOfKey(author.signer.key)
  if (!author.scope.takesPart({ kind: before?.kind ?? write.kind, owner })) return { outcome: 'outside', before }
  // All ops are made before one is taken: a draft that no replica takes must leave nothing behind.
  const authority = await group.authority(owner)
  const made = draftsFor(intent, write, before, author, authority)
  if (made === undefined) return { outcome: 'not-authorised', before }
  for (const op of made) {
    const damaged = await group.take(op)
    if (damaged !== undefined) {
      throw new NodeError(
        'store-corrupt',
        `record ${write.record} can't be merged: ${damaged.length} of its ops are damaged`,
      )
    }
    ops.push(op)
  }
  return { outcome: 'written', op: made.at(-1)!.id, before, after: (await group.current(write.record))! }
}

/**
 * The ops of one write: itself, and before it what joins heads, when they are too many to name. Undefined when the key
 * has no authority for one of them.
 */
function draftsFor(
  intent: ToWrite,
  { record, kind, slug }: LocalWrite,
  before: Merged | undefined,
  author: Author,
  authority: OwnerAuthority,
): Op[] | undefined {
  const { net, sha256, clock, signer } = author
  const options = { net, key: signer.key, sha256 }
  const { owner } = authority
  // A clock that is far off must not stop the node: the time is advisory.
  const w = Math.min(Math.max(0, Math.floor(clock.now())), TIME_MS_LIMIT - 1)
  if (intent.do === 'genesis') {
    const via = authority.viaFor(signer.key, { type: GENESIS, record, w }, kind)
    if (via === undefined) return undefined
    const op = draftOp({ type: 'genesis', owner, kind, slug, w, body: intent.body, ...relied(via) }, options)
    if (op.header.record !== record) throw new TypeError(`expected record ${record} to be ${kind} ${slug} of ${owner}`)
    return [op]
  }
  if (before === undefined)
    throw new TypeError(`expected a genesis for record ${record}, which has no ops, got a ${intent.do}`)
  const draft = (
    type: Exclude<ToWrite['do'], 'genesis'>,
    parents: readonly OpId[],
    body: Uint8Array,
  ): Op | undefined => {
    const via = authority.viaFor(signer.key, { type: OP_TYPES.indexOf(type) + 1, record, w }, before.kind)
    if (via === undefined) return undefined
    const op = draftOp({ type, record, parents, w, body, ...relied(via) }, options)
    // A put is absent at the root first, which says nothing where places are named.
    const writes = readWrites(op).filter(({ path }) => type !== 'put' || path.length > 0)
    return writes.every(({ path }) => authority.mayWrite(via, path)) ? op : undefined
  }
  const ops: Op[] = []
  let heads = before.heads
  while (heads.length > PARENTS_MAX) {
    const joined: OpId[] = []
    for (let from = 0; from < heads.length; from += PARENTS_MAX) {
      const some = heads.slice(from, from + PARENTS_MAX)
      if (some.length > 1) {
        const join = draft('patch', some, encodeVerbs([]))
        if (join === undefined) return undefined
        ops.push(join)
      }
      joined.push(some.length > 1 ? ops.at(-1)!.id : some[0]!)
    }
    heads = joined
  }
  const last = draft(intent.do, heads, intent.body)
  return last === undefined ? undefined : [...ops, last]
}

/**
 * Takes into the group what an owner's authority is to say, in order, each on top of the ones before; the ops are still
 * to be signed. Undefined, and nothing taken, when the key may not sign one of them.
 */
export async function authoriseInto(
  group: Group,
  { authority: owner, decide }: LocalAuthorisation,
  author: Author,
): Promise<readonly Op[] | undefined> {
  const { net, sha256, clock, signer } = author
  const now = (await group.authority(owner)).clone()
  const w = Math.min(Math.max(0, Math.floor(clock.now())), TIME_MS_LIMIT - 1)
  const ops: Op[] = []
  for (const { type, body, parents } of decide(now)) {
    const via = now.viaFor(signer.key, { type: OP_TYPES.indexOf(type) + 1, record: now.record, w })
    if (via === undefined) return undefined
    const named = parents ?? now.heads().slice(0, PARENTS_MAX)
    const bytes = typeof body === 'function' ? body(ops.map(({ id }) => id)) : body
    const draft = { type, record: now.record, parents: named, w, body: bytes, ...relied(via) }
    const op = draftOp(draft, { net, key: signer.key, sha256 })
    now.add(op)
    ops.push(op)
  }
  if (ops.length > 0) checkNotForked(now.record, author)
  for (const op of ops) await group.takeAuthority(op, owner)
  return ops
}

/** The key must not sign beside what it has signed already. */
function checkNotForked(record: RecordId, author: Author): void {
  if (!author.isForked(record)) return
  throw new NodeError(
    'key-journal',
    `the signing journal knows a later op of ours in record ${record} than the store holds (a restored backup?); ` +
      'it can be written again when a peer has sent that op',
  )
}

function relied(via: OpId | null): { via?: OpId } {
  return via === null ? {} : { via }
}
