/**
 * Who may write, as people ask for it: grants given, revoked with what they wrote kept, ops erased, and the reason why an
 * op of a record counts or not. Signed by this node's key, in its own name or where a grant lets it.
 *
 * What a revoke keeps is decided here from what this node has seen; the rest of the network follows the list.
 */
import {
  type ActorKey,
  Dag,
  encodeErase,
  encodeGrant,
  encodeKeep,
  encodeRevoke,
  type Grant,
  grantsFor,
  idLists,
  type Judgement,
  judge,
  type Merged,
  type Op,
  type OpId,
  type Owner,
  type OwnerAuthority,
  ownerOfKey,
  type RecordId,
} from '../crdt/index.ts'
import type { AuthorityDraft, ReplicaFace } from './replica-types.ts'

export type GrantWish = Omit<Grant, 'to'> & {
  readonly to: ActorKey
  /** Whose records; this node's own when left out. */
  readonly owner?: Owner
}
/** What of the work done under a grant outlives it: all this node has seen, what it had seen before an op came, nothing. */
export type KeepWish = 'seen' | { readonly since: OpId } | 'nothing'

export type AuthorityRefusal = {
  readonly outcome: 'refused'
  readonly code: 'not-owner' | 'not-found' | 'read-only' | 'invalid'
  readonly message: string
}
export type Granted = { readonly outcome: 'granted'; readonly grants: readonly OpId[] } | AuthorityRefusal
export type Revoked =
  | { readonly outcome: 'revoked'; readonly revoke: OpId; readonly keeps: readonly OpId[]; readonly kept: number }
  | AuthorityRefusal
export type Erased =
  | { readonly outcome: 'erased'; readonly erases: readonly OpId[]; readonly record: Merged }
  | AuthorityRefusal

/** One grant of an owner, and what became of it. */
export type GrantStatus = Grant & {
  readonly op: OpId
  readonly by: ActorKey
  /** The grants it rests on, the nearest first. */
  readonly chain: readonly OpId[]
  /** Revokes and rotates that took it, or what is done under it; empty: it holds. */
  readonly takenBy: readonly OpId[]
}
/** An op of a record, and how it counts. */
export type Counted = Judgement & { readonly op: Op; readonly chain: readonly OpId[] }
export type Explained = {
  readonly record: Merged
  readonly authority: OwnerAuthority
  readonly grants: readonly GrantStatus[]
  /** Parents first. */
  readonly ops: readonly Counted[]
}

export class Authorities {
  readonly #replica: ReplicaFace

  constructor(replica: ReplicaFace) {
    this.#replica = replica
  }

  /** One grant; two when it names places and the right to delete, for a delete takes away what lies outside of them. */
  async grant({ owner = this.#own(), ...wish }: GrantWish): Promise<Granted> {
    if (owner === undefined) return readOnly
    const drafts: AuthorityDraft[] = []
    try {
      for (const part of grantsFor(wish)) drafts.push({ type: 'grant', body: encodeGrant(part) })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return { outcome: 'refused', code: 'invalid', message: error.message }
    }
    const grants = await this.#replica.authorise({ authority: owner, decide: () => drafts })
    return grants === undefined ? notOwner : { outcome: 'granted', grants }
  }

  /** Ends a grant and what rests on it. */
  async revoke(owner: Owner, grant: OpId, keep: KeepWish = 'seen'): Promise<Revoked> {
    if (this.#own() === undefined) return readOnly
    const before = await this.#replica.authority(owner)
    if (before.grant(grant) === undefined) return { ...notFound, message: 'the owner gave no such grant' }
    const since = await this.#arrival(keep)
    if (since === null) return { ...notFound, message: 'the op to count from is not held' }
    const from = this.#replica.counts().seq
    const ids = keep === 'nothing' ? [] : await this.#doneUnder(before, grant, since)
    const [listed, ...more] = idLists(ids)
    const drafts: AuthorityDraft[] = [
      {
        type: 'revoke',
        body: encodeRevoke({ grant, keep: listed ?? [] }),
        // What a revoke has among its ancestors in the authority record it keeps.
        ...(keep === 'seen' ? {} : { parents: [grant] }),
      },
    ]
    for (const some of more) drafts.push({ type: 'keep', body: ([of]) => encodeKeep({ of: of as OpId, ids: some }) })
    const made = await this.#replica.authorise({ authority: owner, decide: () => drafts })
    if (made === undefined) return notOwner
    const [revoke, ...keeps] = made as [OpId, ...OpId[]]
    if (keep !== 'seen') return { outcome: 'revoked', revoke, keeps, kept: ids.length }
    const late = await this.#late(owner, grant, revoke, from)
    return { outcome: 'revoked', revoke, keeps: [...keeps, ...late.keeps], kept: ids.length + late.count }
  }

  /** Takes ops of a record out for good: these, or all that say anything. Only its owner's key may. */
  async erase(
    id: RecordId,
    options: { readonly ops?: readonly OpId[]; readonly reason?: string } = {},
  ): Promise<Erased> {
    if (this.#own() === undefined) return readOnly
    const record = await this.#replica.record(id)
    if (record === undefined) return notFound
    const held = await this.#opsOf(id)
    const wanted = new Set(options.ops ?? held.map((op) => op.id))
    const ids = held.flatMap((op) => (op.header.type <= PATCH && wanted.has(op.id) ? [op.id] : []))
    if (ids.length === 0) return { ...notFound, message: 'the record has no such op' }
    const { reason } = options
    const erases: OpId[] = []
    let after = record
    for (const some of idLists(ids)) {
      const body = encodeErase({ ids: some, ...(reason === undefined ? {} : { reason }) })
      const { kind, owner, slug = '' } = record
      const [outcome] = await this.#replica.write([
        { record: id, kind, owner, slug, decide: () => ({ do: 'erase', body }) },
      ])
      if (outcome?.outcome !== 'written') return notOwner
      erases.push(outcome.op)
      after = outcome.after
    }
    return { outcome: 'erased', erases, record: after }
  }

  /** Undefined when no op of the record is held. */
  async explain(id: RecordId): Promise<Explained | undefined> {
    const record = await this.#replica.record(id)
    if (record === undefined) return undefined
    const authority = await this.#replica.authority(record.owner)
    const dag = new Dag(await this.#opsOf(id))
    const ops = judge(dag, authority).map((judgement, at): Counted => {
      const op = dag.ops[at] as Op
      return { ...judgement, op, chain: authority.standing(op).chain }
    })
    return { record, authority, grants: grantsOf(authority, record), ops }
  }

  /**
   * What was done under a grant, or by the key that relies on an identity or rotate, as far as it is held here: ops of the
   * authority record, and of each record those that no other of them builds on. Undefined when the owner has no such op,
   * or `since` is not held.
   */
  async done(owner: Owner, under: OpId, since?: OpId): Promise<readonly OpId[] | undefined> {
    const authority = await this.#replica.authority(owner)
    const until = await this.#arrival(since === undefined ? 'seen' : { since })
    return until === null || authority.relied(under) === undefined
      ? undefined
      : this.#doneUnder(authority, under, until)
  }

  /** All grants of an owner. */
  grants(authority: OwnerAuthority): readonly GrantStatus[] {
    return grantsOf(authority)
  }

  #own(): Owner | undefined {
    const { actor } = this.#replica
    return actor === undefined ? undefined : ownerOfKey(actor)
  }

  /** null: the op is not held. */
  async #arrival(keep: KeepWish): Promise<number | null> {
    if (typeof keep === 'string') return Number.POSITIVE_INFINITY
    const [arrival] = await this.#replica.arrivals([keep.since])
    return arrival ?? null
  }

  /** Ops that rest on `on` and arrived before `until`: of each record those that no other of them builds on. */
  async #doneUnder(authority: OwnerAuthority, on: OpId, until: number): Promise<OpId[]> {
    const under = restingOn(authority, on)
    const early = async (ops: readonly Op[]): Promise<Op[]> => {
      const relying = ops.filter(({ header }) => header.via !== undefined && under.has(header.via))
      if (until === Number.POSITIVE_INFINITY) return relying
      const arrivals = await this.#replica.arrivals(relying.map(({ id }) => id))
      return relying.filter((_, i) => (arrivals[i] ?? until) < until)
    }
    // What is voided already is not to come back when that is voided.
    const stands = authority.ops().filter(({ id }) => authority.voidedBy(id).length === 0)
    const ids = (await early(stands)).map(({ id }) => id)
    const seen = new Set<RecordId>()
    for (const via of under) {
      for await (const { record, ops } of this.#replica.relying(via)) {
        if (seen.has(record.record)) continue
        seen.add(record.record)
        // What has all heads keeps all: no op has to be read, whoever wrote the heads.
        if (until === Number.POSITIVE_INFINITY && record.voided === undefined) {
          ids.push(...record.heads)
          continue
        }
        const voided = new Set(record.voided?.map(({ op }) => op))
        const all = await ops()
        ids.push(...frontier(all, await early(all.filter(({ id }) => !voided.has(id)))))
      }
    }
    return ids
  }

  /** What came in while the list was made, after the op of number `from`, is kept too. */
  async #late(
    owner: Owner,
    grant: OpId,
    revoke: OpId,
    from: number,
  ): Promise<{ keeps: readonly OpId[]; count: number }> {
    const [until] = await this.#replica.arrivals([revoke])
    const now = await this.#replica.authority(owner)
    const rests = restingOn(now, grant)
    const ids: OpId[] = []
    for (const { op: id, seq } of await this.#replica.changes(from, Math.max(0, (until ?? 0) - from))) {
      const via = seq < (until ?? 0) ? (await this.#replica.op(id))?.header.via : undefined
      if (via !== undefined && rests.has(via)) ids.push(id)
    }
    const drafts = idLists(ids).map(
      (some): AuthorityDraft => ({ type: 'keep', body: encodeKeep({ of: revoke, ids: some }) }),
    )
    if (drafts.length === 0) return { keeps: [], count: 0 }
    return {
      keeps: (await this.#replica.authorise({ authority: owner, decide: () => drafts })) ?? [],
      count: ids.length,
    }
  }

  async #opsOf(record: RecordId): Promise<readonly Op[]> {
    const { items } = await this.#replica.history(record, { limit: Number.MAX_SAFE_INTEGER })
    return items
  }
}

/** The grants of an owner; those that say anything of a record, when one is named. */
function grantsOf(authority: OwnerAuthority, of?: Pick<Merged, 'record' | 'kind'>): GrantStatus[] {
  return authority.ops().flatMap((op): GrantStatus[] => {
    const grant = authority.grant(op.id)
    if (grant === undefined) return []
    if (of !== undefined && grant.records?.includes(of.record) === false) return []
    if (of !== undefined && grant.kinds?.includes(of.kind) === false) return []
    const { chain } = authority.standing(op)
    const takenBy = new Set([...authority.voidedBy(op.id), ...authority.hitters({ chain: [op.id, ...chain], step: 0 })])
    return [{ ...grant, op: op.id, by: op.header.actor, chain, takenBy: [...takenBy] }]
  })
}

/** Grants that rest on a grant, itself too; of an owner's key what gives the same key. */
function restingOn(authority: OwnerAuthority, on: OpId): ReadonlySet<OpId> {
  const { chain, step } = authority.relied(on)!.standing
  const rests = (via: OpId) => {
    const { standing } = authority.relied(via)!
    return chain.length > 0 ? standing.chain.includes(on) : standing.chain.length === 0 && standing.step === step
  }
  return new Set(authority.vias().filter(rests))
}

/** Of `some`, those that are in the past of no other of them. */
function frontier(ops: readonly Op[], some: readonly Op[]): OpId[] {
  if (some.length < 2) return some.map(({ id }) => id)
  const byId = new Map(ops.map((op) => [op.id, op]))
  const past = new Set<OpId>()
  const work = some.flatMap(({ header }) => header.parents)
  for (let id = work.pop(); id !== undefined; id = work.pop()) {
    if (past.has(id)) continue
    past.add(id)
    work.push(...(byId.get(id)?.header.parents ?? []))
  }
  return some.flatMap(({ id }) => (past.has(id) ? [] : [id]))
}

const PATCH = 3
const notFound: AuthorityRefusal = { outcome: 'refused', code: 'not-found', message: 'there is no such record' }
const notOwner: AuthorityRefusal = {
  outcome: 'refused',
  code: 'not-owner',
  message: "this node's key may not say who writes there",
}
const readOnly: AuthorityRefusal = {
  outcome: 'refused',
  code: 'read-only',
  message: 'this node has no key to sign with',
}
