/**
 * Who may write an owner's records: the ops of one authority record, evaluated (SPEC.md, "Authority").
 *
 * Whether an op's chain holds (`check`) depends on its past alone and never changes. Which ops have lost their authority
 * (`voidedBy`, and for a record's ops judge.ts) is a function of the whole set: it is worked out when it is asked for, and
 * again after `add`. Nothing here depends on the order in which ops were added, save that what an op names comes first.
 */
import {
  type Grant,
  type Identity,
  type Keep,
  type Revoke,
  type Rotate,
  readGrant,
  readIdentity,
  readKeep,
  readRevoke,
  readRotate,
} from './authority-body.ts'
import { toHex, utf8 } from './bytes.ts'
import { headsOf } from './dag.ts'
import { CHAIN_MAX, IDENTITY_KEYS_MAX, VOIDED_BY_NAMED_MAX } from './limits.ts'
import { authorityRecord, commitment } from './names.ts'
import {
  type ActorKey,
  DELETE,
  ERASE,
  GRANT,
  IDENTITY,
  isAuthorityType,
  type NetworkId,
  OP_TYPES,
  type Op,
  type OpId,
  type OpReason,
  type Owner,
  type RecordId,
  ROTATE,
} from './op.ts'
import { writableFrom } from './place.ts'
import { pureSha256, type Sha256 } from './suite.ts'
import type { Path } from './value.ts'

/** What an op's authority rests on. */
export type Standing = {
  /** The grants from the one relied on upwards; empty for the owner's own keys. */
  readonly chain: readonly OpId[]
  /** Of an identity's own keys: which of them, from 1. 0 for everybody else. */
  readonly step: number
}

type Entry = {
  readonly op: Op
  readonly standing: Standing
  readonly grant?: Grant
  readonly revoke?: Revoke
  readonly keep?: Keep
  /** Of an identity or a rotate: what the next step commits to, and the step that may rely on this op. */
  readonly next?: { readonly commitment: string; readonly step: number }
  /** Of a rotate: whom it hits, and what it keeps. */
  readonly rotate?: { readonly step: number; readonly keep: readonly OpId[] }
}

export class OwnerAuthority {
  readonly net: NetworkId
  readonly owner: Owner
  /** The authority record. */
  readonly record: RecordId
  readonly #sha256: Sha256
  readonly #entries: Map<OpId, Entry>
  /** Revokes by the grant they name, keeps by what they speak for, rotates by the step they hit. */
  readonly #revokes = new Map<OpId, Entry[]>()
  readonly #keeps = new Map<OpId, Entry[]>()
  readonly #rotates = new Map<number, Entry[]>()
  readonly #voided = new Map<OpId, readonly OpId[]>()
  readonly #keptIds = new Map<OpId, ReadonlySet<OpId>>()
  /** Ops of the record by what they name: as a parent, and as what they rely on. */
  readonly #children = new Map<OpId, Entry[]>()
  readonly #relying = new Map<OpId, Entry[]>()
  /** What keeps, revokes and rotates name: when one of these comes, what they keep is more. */
  readonly #named = new Set<OpId>()
  readonly #stamps = new Map<OpId, string>()

  /** Of an owner of whom no authority op is held, or with what another instance holds. */
  constructor(net: NetworkId, owner: Owner, sha256: Sha256 = pureSha256, from?: OwnerAuthority) {
    this.net = net
    this.owner = owner
    this.record = from?.record ?? authorityRecord(net, owner, sha256)
    this.#sha256 = sha256
    this.#entries = new Map()
    if (from !== undefined) for (const entry of from.#entries.values()) this.#index(entry)
  }

  /** The same ops in an instance of its own. */
  clone(): OwnerAuthority {
    return new OwnerAuthority(this.net, this.owner, this.#sha256, this)
  }

  get size(): number {
    return this.#entries.size
  }

  has(id: OpId): boolean {
    return this.#entries.has(id)
  }

  /** Everything that an op may rely on. */
  vias(): readonly OpId[] {
    return Array.from(this.#entries.values()).flatMap(({ op, grant, next }) => ((grant ?? next) ? [op.id] : []))
  }

  /** What `via` stands for: undefined for what no op can rely on. */
  relied(via: OpId): { readonly actor: ActorKey; readonly standing: Standing } | undefined {
    const source = this.#entries.get(via)
    if (source === undefined || !(source.grant ?? source.next)) return undefined
    return { actor: source.grant?.to ?? source.op.header.actor, standing: this.#standingOn(via) }
  }

  /**
   * What this key may rely on for an op of this type in this record now: the owner's own key first, then the shortest
   * chain. null: nothing is needed. undefined: it has no authority for it.
   */
  viaFor(actor: ActorKey, op: Pick<Op['header'], 'type' | 'record' | 'w'>, kind?: string): OpId | null | undefined {
    if (this.owner === `01${actor}`) return null
    let best: { readonly via: OpId; readonly rank: number; readonly step: number } | undefined
    for (const via of this.vias()) {
      const relied = this.relied(via)
      if (relied?.actor !== actor || this.stamp([via]) !== '') continue
      const { chain, step } = relied.standing
      const here = op.record === this.record
      if (chain.length > CHAIN_MAX || op.w > this.expiry(relied.standing)) continue
      if (!chain.every((id) => covers(this.#grantOf(id), op, here, kind))) continue
      const limited = chain.some((id) => this.#grantOf(id).paths !== undefined)
      // A delete by somebody who may write in some places only would say nothing.
      if (limited && op.type === DELETE) continue
      // What may write everywhere goes before what may not.
      const rank = chain.length + (limited ? CHAIN_MAX : 0)
      const better =
        best === undefined ||
        rank < best.rank ||
        (rank === best.rank && (step > best.step || (step === best.step && via < best.via)))
      if (better) best = { via, rank, step }
    }
    return best?.via
  }

  /** Whether an op that relies on `via` may write at this place; null is the owner's own key. */
  mayWrite(via: OpId | null, path: Path): boolean {
    const chain = via === null ? [] : (this.relied(via)?.standing.chain ?? [])
    return writableFrom(path, this.limits(chain)) <= path.length
  }

  /** Of each grant of a chain that names places, the places. */
  limits(chain: readonly OpId[]): (readonly Path[])[] {
    return chain.flatMap((id) => {
      const { paths } = this.#grantOf(id)
      return paths === undefined ? [] : [paths]
    })
  }

  ops(): readonly Op[] {
    return Array.from(this.#entries.values(), ({ op }) => op)
  }

  /** Ops of the record that are no parent of another, ascending. */
  heads(): readonly OpId[] {
    return headsOf(this.ops())
  }

  grant(id: OpId): Grant | undefined {
    return this.#entries.get(id)?.grant
  }

  /**
   * Whether an op's chain holds; undefined when it does. Parents are not looked at. What `via` names, and what that rests
   * on, must have been added. `kind`: of the op's record, for ops outside the authority record.
   */
  check(op: Op, kind?: string): OpReason | undefined {
    const { type, via, actor, record } = op.header
    const here = record === this.record
    if (here ? type <= ERASE : isAuthorityType(type)) return 'wrong-record'
    if (type === IDENTITY) return undefined
    if (via === undefined) return this.owner === `01${actor}` ? undefined : 'not-authorised'
    const source = this.#entries.get(via)
    if (source === undefined) return 'not-authorised'
    if (type === ROTATE) return this.#checkRotate(op, source)
    if (source.grant === undefined) {
      return source.next !== undefined && source.op.header.actor === actor ? undefined : 'not-authorised'
    }
    if (source.grant.to !== actor) return 'not-authorised'
    const chain = this.#standingOf(op).chain
    if (chain.length > CHAIN_MAX) return 'not-authorised'
    return chain.every((id) => covers(this.#grantOf(id), op.header, here, kind)) ? undefined : 'not-authorised'
  }

  /** Takes a valid op of the record; every op that it names must have been added. Once or more often. */
  add(op: Op): void {
    if (this.#entries.has(op.id)) return
    this.#index(this.#entryOf(op))
    this.#voided.clear()
    this.#keptIds.clear()
    this.#stamps.clear()
  }

  /**
   * Stands for all that revokes and rotates in force mean to ops that rely on these: empty when nothing was taken from
   * any, else 32 hex digits that are others when it means something else. Two replicas with one set have one stamp.
   */
  stamp(vias: readonly OpId[]): string {
    const parts = vias.map((via) => this.#stampOf(via)).filter((part) => part !== '')
    return parts.length === 0 ? '' : toHex(this.#sha256(utf8(parts.join())).subarray(0, STAMP_BYTES))
  }

  /** Whether adding this op may change what a revoke or rotate means for others. */
  changesOthers(op: Op): boolean {
    const { type } = op.header
    return (isAuthorityType(type) && type !== GRANT && type !== IDENTITY) || this.#named.has(op.id)
  }

  standing(op: Op): Standing {
    return this.#entries.get(op.id)?.standing ?? this.#standingOf(op)
  }

  /** The revokes and rotates that took the authority of an op of the record; empty: none did. */
  voidedBy(id: OpId): readonly OpId[] {
    const known = this.#voided.get(id)
    if (known !== undefined) return known
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new RangeError(`expected an op of the authority record, got ${id}`)
    const by = new Set<OpId>()
    const hitters = this.hitters(entry.standing)
    if (hitters.length > 0) {
      // One walk for all of them: a revoke keeps what it reaches, and the pasts of what is named for it.
      const reachedFrom = this.#after(id, [this.#children, this.#relying])
      const above = this.#after(id, [this.#children])
      for (const hitter of hitters) {
        if (hitter === id || reachedFrom.has(hitter)) continue
        const kept = this.keptIds(hitter)
        if (!kept.has(id) && above.isDisjointFrom(kept)) by.add(hitter)
      }
    }
    for (const grant of entry.standing.chain) for (const one of this.voidedBy(grant)) by.add(one)
    const voided = [...by].sort().slice(0, VOIDED_BY_NAMED_MAX)
    this.#voided.set(id, voided)
    return voided
  }

  /** The revokes and rotates in force that hit ops of this standing, whatever they keep. */
  hitters({ chain, step }: Standing): OpId[] {
    const entries =
      chain.length > 0 ? chain.flatMap((id) => this.#revokes.get(id) ?? []) : (this.#rotates.get(step) ?? [])
    return entries.filter((entry) => this.#isInForce(entry)).map(({ op }) => op.id)
  }

  /** The ops that a revoke or rotate in force keeps by name; their pasts in their records are kept too. */
  keptIds(id: OpId): ReadonlySet<OpId> {
    const known = this.#keptIds.get(id)
    if (known !== undefined) return known
    const { op, revoke, rotate } = this.#entries.get(id) as Entry
    const ids = new Set(revoke?.keep ?? rotate?.keep)
    for (const entry of this.#keeps.get(id) ?? []) {
      const { chain, step } = entry.standing
      const speaks =
        rotate === undefined ? chain.length === 0 || entry.op.header.via === op.header.via : step > rotate.step
      if (!speaks || (rotate !== undefined && chain.length > 0) || !this.#isInForce(entry)) continue
      for (const kept of entry.keep?.ids ?? []) ids.add(kept)
    }
    this.#keptIds.set(id, ids)
    return ids
  }

  /**
   * Whether nothing is voided in a record with these heads whose ops rely on these: whatever hits them keeps the heads by
   * name, and so all that the record has.
   */
  keepsAll(vias: readonly OpId[], heads: readonly OpId[]): boolean {
    return vias.every((via) => {
      const standing = this.#standingOn(via)
      if (standing.chain.some((grant) => this.voidedBy(grant).length > 0)) return false
      return this.hitters(standing).every((hitter) => {
        const kept = this.keptIds(hitter)
        return heads.every((head) => kept.has(head))
      })
    })
  }

  /** When the authority of an op ends by its own word: the earliest expiry of its chain. */
  expiry({ chain }: Standing): number {
    return Math.min(...chain.map((id) => this.#grantOf(id).expiry ?? Number.POSITIVE_INFINITY))
  }

  #stampOf(via: OpId): string {
    const known = this.#stamps.get(via)
    if (known !== undefined) return known
    const standing = this.#standingOn(via)
    const hitters = this.hitters(standing).sort()
    const voided = standing.chain.flatMap((id) => this.voidedBy(id)).sort()
    const kept = hitters.map((id) => toHex(this.#sha256(utf8([...this.keptIds(id)].sort().join()))))
    const stamp = hitters.length + voided.length === 0 ? '' : [via, ...hitters, ...kept, ...voided].join()
    this.#stamps.set(via, stamp)
    return stamp
  }

  #checkRotate(op: Op, source: Entry): OpReason | undefined {
    const { next } = source
    if (next === undefined || next.step >= IDENTITY_KEYS_MAX) return 'not-authorised'
    const { commitment: own } = readRotate(op) as Rotate
    return commitment(op.header.actor, own, this.#sha256) === next.commitment ? undefined : 'not-authorised'
  }

  #entryOf(op: Op): Entry {
    const standing = this.#standingOf(op)
    switch (OP_TYPES[op.header.type - 1]) {
      case 'grant':
        return { op, standing, grant: readGrant(op) as Grant }
      case 'revoke':
        return { op, standing, revoke: readRevoke(op) }
      case 'keep':
        return { op, standing, keep: readKeep(op) }
      case 'identity':
        return { op, standing, next: { commitment: (readIdentity(op) as Identity).commitment, step: 1 } }
      case 'rotate': {
        const { commitment, keep } = readRotate(op) as Rotate
        return { op, standing, next: { commitment, step: standing.step }, rotate: { step: standing.step - 1, keep } }
      }
      default:
        return { op, standing }
    }
  }

  #standingOf({ header: { via, type } }: Op): Standing {
    if (via === undefined) return OWNER
    const standing = this.#standingOn(via)
    return type === ROTATE ? { chain: [], step: standing.step + 1 } : standing
  }

  /** Of what relies on this op. */
  #standingOn(via: OpId): Standing {
    const source = this.#entries.get(via)
    if (source === undefined) throw new RangeError(`expected what an op relies on to be held, got none of id ${via}`)
    if (source.grant !== undefined) return { chain: [via, ...source.standing.chain], step: 0 }
    return { chain: [], step: source.next?.step ?? 0 }
  }

  #index(entry: Entry): void {
    this.#entries.set(entry.op.id, entry)
    if (entry.revoke !== undefined) push(this.#revokes, entry.revoke.grant, entry)
    if (entry.keep !== undefined) push(this.#keeps, entry.keep.of, entry)
    if (entry.rotate !== undefined) push(this.#rotates, entry.rotate.step, entry)
    const { parents, via } = entry.op.header
    for (const parent of parents) push(this.#children, parent, entry)
    if (via !== undefined) push(this.#relying, via, entry)
    for (const id of entry.revoke?.keep ?? entry.rotate?.keep ?? entry.keep?.ids ?? []) this.#named.add(id)
  }

  #grantOf(id: OpId): Grant {
    return (this.#entries.get(id) as Entry).grant as Grant
  }

  /** Neither voided nor inert. */
  #isInForce({ op, standing, revoke }: Entry): boolean {
    if (op.header.w > this.expiry(standing)) return false
    if (revoke !== undefined && standing.chain.length > 0) {
      const above = this.#entries.get(revoke.grant)?.standing.chain
      if (above === undefined || !above.includes(op.header.via as OpId)) return false
    }
    return this.voidedBy(op.id).length === 0
  }

  /** The ops of the record that are reached from this one, itself aside, along these. */
  #after(id: OpId, along: readonly ReadonlyMap<OpId, readonly Entry[]>[]): Set<OpId> {
    const after = new Set<OpId>()
    const work = [id]
    for (let at = work.pop(); at !== undefined; at = work.pop()) {
      for (const named of along) {
        for (const { op } of named.get(at) ?? []) {
          if (after.has(op.id)) continue
          after.add(op.id)
          work.push(op.id)
        }
      }
    }
    return after
  }
}

const STAMP_BYTES = 16
const OWNER: Standing = { chain: [], step: 0 }

const RIGHT_OF: Readonly<Record<string, string>> = {
  genesis: 'create',
  put: 'write',
  patch: 'write',
  delete: 'delete',
  grant: 'grant',
  revoke: 'grant',
  keep: 'grant',
}

function covers(
  { rights, kinds, records }: Grant,
  op: Pick<Op['header'], 'type' | 'record'>,
  here: boolean,
  kind: string | undefined,
): boolean {
  const name = OP_TYPES[op.type - 1]
  if (name !== undefined && !rights.includes(RIGHT_OF[name] ?? '')) return false
  if (here) return true
  if (records !== undefined) return records.includes(op.record)
  return kinds === undefined || (kind !== undefined && kinds.includes(kind))
}

function push<K>(lists: Map<K, Entry[]>, key: K, entry: Entry): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [entry])
  else list.push(entry)
}
