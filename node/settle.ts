/**
 * One call of `admit` inside the writer: each op of authentic frames goes into the group, is refused, or waits.
 *
 * Nothing is decided by the order of arrival: an op that lacks a parent waits, first for the other ops of its call,
 * then in `pending`, and is judged again when the parent goes in. Deciding is idempotent, so a group that fails on disk
 * leaves nothing to undo: what waited still waits.
 *
 * What is valid may still be refused by this node's policy. Ops of a blocked owner, record or actor become known and not
 * held (op-set.ts), and count as parents of others of their kind. An op of a blocked actor that one builds on which goes
 * in, goes in too. Only valid ops become known so: others would make this node's root one that nobody shares.
 */
import {
  authorityRecord,
  IDENTITY,
  isAuthorityType,
  type NetworkId,
  type Op,
  type OpId,
  type Owner,
  ownerOfIdentity,
  ownerOfKey,
  type ParsedFrame,
  parseFrame,
  type RecordId,
  type Sha256,
  selectFromFrame,
} from '../crdt/index.ts'
import type { Arrived } from './admit.ts'
import { type Carrier, carry, type Group } from './append.ts'
import type { Clock } from './environment.ts'
import type { Withheld } from './id-rows.ts'
import { clockAheadMsMax } from './limits.ts'
import type { Lru } from './lru.ts'
import type { MergeBudget } from './merge-budget.ts'
import type { Pending, Waiting } from './pending.ts'
import type { Policy } from './policy.ts'
import { costOf, countedFor, isOver } from './quota.ts'
import type { Admitted, OpResult, Source } from './replica-types.ts'
import type { Scope } from './scope.ts'
import type { Belonging } from './sets.ts'

/** Authentic ops that can never go in, and whether only a dishonest peer sends them. */
export type Refused = Lru<OpId, { readonly reason: string; readonly dishonest: boolean }>
/**
 * `final`: ids that need not wait any more once the group is on disk. `released`: refused by a block before, and now
 * wanted by what builds on them.
 */
export type Settled = {
  readonly admitted: Admitted
  readonly final: readonly OpId[]
  readonly released: readonly OpId[]
}
/** Known and not held, for policy refused it (op-set.ts). */
export type WithheldLookup = {
  isWithheld(id: OpId): boolean
  withheld(id: OpId): Promise<Withheld | undefined>
}

type Candidate = {
  readonly op: Op
  readonly carrier: Carrier
  readonly peer: string
  missing: readonly OpId[]
  verdict?: OpResult
  /** Of one that is put off: where it belongs. */
  of?: Belonging
  /** What builds on it goes in: then its actor's block does not keep it out. */
  isWanted?: true
}
/** `authorityOf`: the op is of this owner's authority record. `denied`: valid, and refused by policy. */
type Judgement =
  | { readonly valid: true; readonly owner: Owner; readonly kind?: string; readonly authorityOf?: Owner }
  | { readonly refused: string }
  | { readonly missing: readonly OpId[] }
  | { readonly ahead: Belonging }
  | { readonly denied: 'blocked' | 'quota' | 'crowded' }

/** Reasons that say nothing about the sender: an honest node of a later version keeps such ops and sends them. */
const HONEST = new Set(['reserved'])

type Parts = {
  readonly group: Group
  readonly pending: Pending
  readonly refused: Refused
  readonly clock: Clock
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly scope: Scope
  readonly policy: Policy
  readonly withheld: WithheldLookup
  readonly merging: MergeBudget
}

export class Settling {
  readonly #parts: Parts
  readonly #candidates = new Map<OpId, Candidate>()
  /** Candidates by a parent that they lack. */
  readonly #children = new Map<OpId, Candidate[]>()
  /** One carrier for each parcel, so that what waited together is stored together. */
  readonly #parcels = new Map<ParsedFrame, Carrier>()
  readonly #final = new Set<OpId>()
  readonly #released = new Set<OpId>()
  /** Refused by a block just now, and wanted after all: to be judged again. */
  readonly #again: Candidate[] = []
  /** Whose genesis is among the candidates. */
  readonly #records = new Set<RecordId>()
  /**
   * Valid, but ahead of our clock: live intake holds them back. Never one that lacks a parent, for they count as known
   * to us, and a peer that asks for one asks for what it builds on too.
   */
  readonly #ahead: Candidate[] = []
  #isLive = true
  #isTrusted = false
  #mergedOps = 0

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async settle({ frames, refusedFrames, source }: Arrived): Promise<Settled> {
    await this.#parts.group.prefetch(frames.flatMap(({ frame }) => frame.entries.map(({ op }) => op)))
    const answers: (OpResult | Candidate)[] = []
    for (const { frame, authentic } of frames) {
      const carrier = carry(frame, source.peer)
      for (const { id, op, reason } of inOrder(frame)) {
        if (op !== undefined) {
          const known = this.#known(op, authentic, source) ?? this.#outside(op, source)
          answers.push(known ?? this.#candidate(op, carrier, source.peer ?? source.via))
          continue
        }
        if (authentic) this.#refuse(id, reason!)
        answers.push({ op: id, verdict: 'refused', reason })
      }
    }
    this.#isLive = isLive(source)
    this.#isTrusted = source.trusted === true
    await this.#decide([...this.#candidates.values()])
    this.#keepWaiting()
    const results = answers.map((answer) => ('carrier' in answer ? (answer.verdict ?? waiting(answer.op)) : answer))
    const verified = refusedFrames.length === 0 && frames.every(({ authentic }) => authentic)
    const summary = this.#summary(results, refusedFrames.length)
    const admitted = { results, refusedFrames, verified, mergedOps: this.#mergedOps, ...summary }
    return this.#settled(admitted)
  }

  async settleDue(): Promise<Settled> {
    const { clock, pending } = this.#parts
    await this.#decide(pending.due(clock.now()).map((one) => this.#fromPending(one)))
    this.#keepWaiting()
    const admitted = { results: [], refusedFrames: [], verified: true, mergedOps: 0, missing: [], misbehaved: false }
    return this.#settled(admitted)
  }

  #settled(admitted: Admitted): Settled {
    return { admitted, final: [...this.#final], released: [...this.#released] }
  }

  /** The answer that needs no judging: held, refused before, or waiting already. */
  #known(op: Op, authentic: boolean, source: Source): OpResult | undefined {
    const { group, pending, refused, withheld } = this.#parts
    // One that comes beside what builds on it may be wanted now.
    if (withheld.isWithheld(op.id) && !group.has(op.id)) {
      return authentic ? undefined : { op: op.id, verdict: 'refused', reason: 'blocked' }
    }
    if (!authentic || group.hasGood(op.id) || this.#candidates.has(op.id)) return { op: op.id, verdict: 'duplicate' }
    // Without its body it is no better than what is held.
    if (op.freed && group.has(op.id)) return { op: op.id, verdict: 'duplicate' }
    const refusal = refused.get(op.id)
    if (refusal !== undefined) return { op: op.id, verdict: 'refused', reason: refusal.reason }
    const before = pending.get(op.id)
    if (before === undefined) return undefined
    if (before.due !== undefined && isLive(source)) return { op: op.id, verdict: 'pending', reason: 'future' }
    // Judged again: catch-up takes what live intake holds back, and the missing parents are named to this sender too.
    return undefined
  }

  /** Not for this node, which takes part in some kinds or owners only. Said of an op, not remembered of it. */
  #outside(op: Op, source: Source): OpResult | undefined {
    const { scope, group } = this.#parts
    const isHeld = (record: RecordId) => group.genesisOf(record) !== undefined || this.#records.has(record)
    return scope.isOutside(op, isHeld, source) ? { op: op.id, verdict: 'refused', reason: 'outside' } : undefined
  }

  #candidate(op: Op, carrier: Carrier, peer: string): Candidate {
    const candidate: Candidate = { op, carrier, peer, missing: [] }
    this.#candidates.set(op.id, candidate)
    if (op.header.genesis !== undefined) this.#records.add(op.header.record)
    return candidate
  }

  async #decide(candidates: readonly Candidate[]): Promise<void> {
    const { group, pending } = this.#parts
    const work = [...candidates]
    // `work` grows while it is read: each final verdict adds the ops that waited for it.
    for (const candidate of work) {
      if (candidate.verdict !== undefined) continue
      const { op } = candidate
      if (!group.isPrefetched(op)) await group.prefetch([op])
      const judgement = await this.#judge(candidate)
      if ('missing' in judgement) {
        candidate.missing = judgement.missing
        work.push(...this.#again.splice(0))
        for (const parent of judgement.missing) {
          const others = this.#children.get(parent)
          if (others === undefined) this.#children.set(parent, [candidate])
          else others.push(candidate)
          // Other nodes hold what builds on it: an op that is put off goes in with what catch-up brings.
          const putOff = this.#isLive ? undefined : pending.get(parent)
          if (putOff?.due !== undefined) work.push(this.#fromPending(putOff))
        }
        continue
      }
      if ('ahead' in judgement) {
        candidate.missing = []
        candidate.of = judgement.ahead
        candidate.verdict = { op: op.id, verdict: 'pending', reason: 'future' }
        this.#ahead.push(candidate)
        continue
      }
      if ('valid' in judgement) candidate.verdict = { op: op.id, verdict: 'applied' }
      else {
        const reason = 'denied' in judgement ? judgement.denied : judgement.refused
        candidate.verdict = { op: op.id, verdict: 'refused', reason }
      }
      this.#final.add(op.id)
      work.push(...(this.#children.get(op.id) ?? []), ...pending.waitingFor(op.id).map((one) => this.#fromPending(one)))
      this.#children.delete(op.id)
    }
  }

  async #judge(candidate: Candidate): Promise<Judgement> {
    const { op, carrier } = candidate
    const { group, refused, clock } = this.#parts
    if (group.has(op.id)) {
      if (!group.hasGood(op.id) && !op.freed) await group.takeAgain(op, carrier)
      return { valid: true, owner: '' }
    }
    const judgement = await this.#judgeNew(op)
    // Its parents are fetched for what may go in: not for one whose actor has had his share.
    if ('missing' in judgement) {
      if (this.#isCrowded(op)) return { denied: 'crowded' }
      if (await this.#isOverQuota(op, undefined)) return { denied: 'quota' }
    }
    if ('valid' in judgement) {
      if (this.#isBlocked(candidate, judgement)) return { denied: 'blocked' }
      const refusedParents = op.header.parents.filter((id) => !group.has(id))
      if (refusedParents.length > 0) {
        for (const id of refusedParents) this.#want(id)
        return { missing: refusedParents }
      }
      if (this.#isLive && op.header.w > clock.now() + clockAheadMsMax) {
        const { owner, kind } = judgement
        return { ahead: kind === undefined ? { kind: '', owner: '' } : { kind, owner } }
      }
      if (this.#isCrowded(op)) return { denied: 'crowded' }
      if (await this.#isOverQuota(op, judgement.owner)) return { denied: 'quota' }
      this.#merges(op)
      if (judgement.authorityOf !== undefined) {
        await group.takeAuthority(op, judgement.authorityOf, carrier)
        return judgement
      }
      const damaged = await group.take(op, carrier)
      return damaged === undefined ? judgement : { missing: damaged }
    }
    if ('refused' in judgement) {
      const parent = namedBy(op.header)
        .map((id) => refused.get(id))
        .find((refusal) => refusal !== undefined)
      this.#refuse(op.id, judgement.refused, judgement.refused === 'bad-parents' ? parent?.dishonest : undefined)
    }
    return judgement
  }

  /** Refused by a block, and noted as such. What says who may write never is. */
  #isBlocked(candidate: Candidate, { owner, kind }: { readonly owner: Owner; readonly kind?: string }): boolean {
    const { policy, group } = this.#parts
    const { op, carrier, peer } = candidate
    const { id, header } = op
    if (policy.isOpen || kind === undefined) return false
    const byActor = policy.blocksActor(header.actor) && candidate.isWanted !== true
    if (!byActor && !policy.blocksRecord(header.record, owner)) return false
    group.blocked.set(id, { op, carrier, peer, of: { kind, owner } })
    return true
  }

  /** What builds on this op goes in: so must it. It was refused in this call, or before, and is then fetched again. */
  #want(id: OpId): void {
    const { withheld, group } = this.#parts
    const blocked = group.blocked.get(id)
    if (withheld.isWithheld(id)) this.#released.add(id)
    if (blocked === undefined) return
    const candidate = this.#candidates.get(id) ?? this.#candidate(blocked.op, blocked.carrier, blocked.peer)
    group.blocked.delete(id)
    this.#final.delete(id)
    candidate.isWanted = true
    candidate.verdict = undefined
    this.#again.push(candidate)
  }

  /** Live only: to merge its record once more is too much for now. */
  #isCrowded({ header }: Op): boolean {
    const { group, merging, policy } = this.#parts
    if (!this.#isLive || this.#isTrusted || header.actor === policy.own) return false
    return merging.isOver(group.mergeCostOf(header.record))
  }

  #merges({ header }: Op): void {
    const { group, merging } = this.#parts
    const ops = group.mergeCostOf(header.record)
    this.#mergedOps += ops
    merging.spend(ops)
  }

  /** Live only. Without an owner, as far as the actor alone decides. Spends of the quotas when it is not. */
  async #isOverQuota(op: Op, owner: Owner | undefined): Promise<boolean> {
    const { policy, group, clock } = this.#parts
    if (!this.#isLive || this.#isTrusted || op.header.actor === policy.own) return false
    const counted = owner === undefined ? [ownerOfKey(op.header.actor)] : countedFor(op, owner)
    const quotas = counted.map((each) => policy.quotaOf(each))
    if (quotas.every(({ opsPerHour, records, bytes }) => opsPerHour + records + bytes === 0)) return false
    const usages = await group.usages(counted)
    const now = clock.now()
    const cost = costOf(op)
    if (counted.some((_, at) => isOver(quotas[at]!, usages[at]!, cost, now))) return true
    if (owner !== undefined) {
      for (const [at, each] of counted.entries()) group.spend(each, usages[at]!, quotas[at]!, now)
    }
    return false
  }

  /** What is known of an op that a block has refused, now or before. */
  async #refusedByPolicy(id: OpId): Promise<{ readonly record: RecordId; readonly of: Belonging } | undefined> {
    const { withheld, group } = this.#parts
    const blocked = group.blocked.get(id)
    if (blocked !== undefined) return { record: blocked.op.header.record, of: blocked.of }
    if (!withheld.isWithheld(id) || this.#released.has(id)) return undefined
    const { record, of } = (await withheld.withheld(id)) ?? {}
    return record === undefined || of === undefined ? undefined : { record, of }
  }

  /** SPEC.md, "Op": what only a replica can tell, from what it holds. */
  async #judgeNew(op: Op): Promise<Judgement> {
    const { group, refused } = this.#parts
    const { record, parents, via, type } = op.header
    const damaged = group.brokenBy(record)
    if (damaged !== undefined) return { missing: damaged }
    const parentsRefused = new Map<OpId, { readonly record: RecordId; readonly of: Belonging }>()
    for (const parent of parents) {
      const known = group.has(parent) ? undefined : await this.#refusedByPolicy(parent)
      if (known !== undefined) parentsRefused.set(parent, known)
    }
    const sameRecord = parentsRefused.values().find((parent) => parent.record === record)
    const genesis = group.genesisOf(record) ?? op.header.genesis ?? sameRecord?.of
    // The common case: an owner's own key. Known before the parents are: the record's id stands for its owner.
    const byOwner = via === undefined && genesis !== undefined && !isAuthorityType(type)
    if (byOwner && genesis.owner !== ownerOfKey(op.header.actor)) return { refused: 'not-authorised' }
    if (namedBy(op.header).some((id) => refused.get(id) !== undefined)) return { refused: 'bad-parents' }
    const missing: OpId[] = []
    for (const parent of parents) {
      const parentRecord = group.has(parent) ? await group.recordOf(parent, record) : parentsRefused.get(parent)?.record
      if (parentRecord === undefined) missing.push(parent)
      else if (parentRecord !== record) return { refused: 'wrong-record' }
    }
    const source = via !== undefined && group.has(via) ? await group.recordOf(via, record) : undefined
    if (via !== undefined && source === undefined) missing.push(via)
    if (source !== undefined && source !== record && isAuthorityType(type)) return { refused: 'wrong-record' }
    if (byOwner) return missing.length > 0 ? { missing } : { valid: true, owner: genesis.owner, kind: genesis.kind }
    const owner = genesis?.owner ?? (await this.#ownerOf(op))
    if (owner === undefined) {
      // Whose record it is stood in an op that is damaged: that is no fault of this one.
      const unknown = [...missing, ...group.authorityGaps(record)]
      return unknown.length > 0 ? { missing: unknown } : { refused: 'not-authorised' }
    }
    const authority = await group.authority(owner)
    if (source !== undefined && source !== authority.record) return { refused: 'not-authorised' }
    if (missing.length > 0) return { missing }
    if (via !== undefined && !authority.has(via)) return { missing: group.authorityGaps(authority.record) }
    const reason = authority.check(op, genesis?.kind)
    if (reason !== undefined) return { refused: reason }
    if (authority.record === record) return { valid: true, owner, authorityOf: owner }
    return { valid: true, owner, ...(genesis && { kind: genesis.kind }) }
  }

  /** Whose record it is; undefined while nothing of it is held. */
  async #ownerOf({ header }: Op): Promise<Owner | undefined> {
    const { group, net, sha256 } = this.#parts
    const { record, actor, genesis, type, via } = header
    if (genesis !== undefined) return genesis.owner
    if (type === IDENTITY) return ownerOfIdentity(record)
    const known = group.genesisOf(record)?.owner ?? (await group.ownerOfAuthority(record))
    if (known !== undefined || !isAuthorityType(type) || via !== undefined) return known
    // The first op of a key's authority record: the record's id shows whose it is.
    const owner = ownerOfKey(actor)
    return record === authorityRecord(net, owner, sha256) ? owner : undefined
  }

  #refuse(id: OpId, reason: string, dishonest = !HONEST.has(reason)): void {
    this.#parts.refused.set(id, { reason, dishonest })
  }

  #fromPending({ op, parcel }: Waiting): Candidate {
    const known = this.#candidates.get(op.id)
    if (known !== undefined) return known
    const carrier = this.#parcels.get(parcel.frame) ?? carry(parcel.frame, parcel.origin)
    this.#parcels.set(parcel.frame, carrier)
    return this.#candidate(op, carrier, parcel.peer)
  }

  /** What is still undecided goes to `pending`, unless it waits there for the same parents. */
  #keepWaiting(): void {
    const { pending } = this.#parts
    const undecided = [...this.#candidates.values()].filter(({ op, verdict, missing }) => {
      const before = pending.get(op.id)
      if (verdict !== undefined) return false
      if (before === undefined) return true
      if (before.due === undefined && missing.every((parent) => before.missing.includes(parent))) return false
      pending.remove(op.id)
      return true
    })
    this.#keep(undecided, () => undefined)
    for (const { op } of this.#ahead) pending.remove(op.id)
    this.#keep(this.#ahead, ({ op }) => op.header.w - clockAheadMsMax)
  }

  #keep(candidates: readonly Candidate[], due: (candidate: Candidate) => number | undefined): void {
    for (const [{ frame, origin }, group] of Map.groupBy(candidates, ({ carrier }) => carrier)) {
      const entries = group.map((candidate) => {
        const { op, missing, of } = candidate
        return { op, missing, due: due(candidate), ...(of && { of }) }
      })
      this.#parts.pending.add(this.#parcelOf(frame, entries), entries, group[0]!.peer, origin)
    }
  }

  /** A frame of these ops alone, in bytes of its own, so that no larger message stays in memory with it. */
  #parcelOf(frame: ParsedFrame, entries: readonly { readonly op: Op }[]): ParsedFrame {
    const { net, sha256 } = this.#parts
    const bytes = selectFromFrame(frame, new Set(entries.map(({ op }) => op.id)), sha256).slice()
    const parsed = parseFrame(bytes, net, sha256)
    if (!parsed.ok) throw new Error(`a part of a frame does not read back: ${parsed.reason}`)
    return parsed.frame
  }

  #summary(results: readonly OpResult[], refusedFrames: number): { missing: OpId[]; misbehaved: boolean } {
    const { group, pending, refused } = this.#parts
    const missing = new Set<OpId>()
    const seen = new Set<OpId>()
    const ask = results.flatMap(({ op, verdict }) =>
      verdict === 'pending' ? (this.#candidates.get(op)?.missing ?? []) : [],
    )
    // Of a parent that is itself pending, what that one lacks is asked for.
    for (const id of ask) {
      if (seen.has(id)) continue
      seen.add(id)
      const before = pending.get(id)
      if (before !== undefined) ask.push(...before.missing)
      else if (!group.hasGood(id)) missing.add(id)
    }
    const dishonest = results.some(({ op, verdict }) => verdict === 'refused' && refused.get(op)?.dishonest === true)
    return { missing: [...missing], misbehaved: refusedFrames > 0 || dishonest }
  }
}

/** What an op rests on: its parents and what it relies on. */
function namedBy({ parents, via }: Op['header']): readonly OpId[] {
  return via === undefined ? parents : [...parents, via]
}

/** Gossip and publishers; the rest is catch-up. */
function isLive({ via }: Source): boolean {
  return via === 'gossip' || via === 'http'
}

function waiting(op: Op): OpResult {
  return { op: op.id, verdict: 'pending', reason: 'missing-parents' }
}

type Carried = { readonly index: number; readonly id: OpId; readonly op?: Op; readonly reason?: string }

/** All ops that a frame carries, in batch order; those that are refused by themselves come with their reason. */
function inOrder({ entries, refused }: ParsedFrame): Carried[] {
  const good = entries.map(({ index, op }) => ({ index, id: op.id, op }))
  if (refused.length === 0) return good
  const bad = refused.map(({ index, op, reason }) => ({ index, id: op, reason }))
  return [...good, ...bad].sort((a, b) => a.index - b.index)
}
