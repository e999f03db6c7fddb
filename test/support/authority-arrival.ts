/**
 * What a replica does with the ops of owners as they come in: an op waits until what it names by `p` and `a` is held; one
 * that is invalid is refused; a record is folded on where that is enough and else merged by what is held of its owner's
 * authority; and when more authority comes, records are merged again that it may have changed.
 */
import { checkAuthorityOp } from '../../crdt/authority-check.ts'
import {
  authorityRecord,
  checkHeader,
  encodeHeader,
  extend,
  isAuthorityType,
  type Merged,
  merge,
  type Op,
  type OpId,
  type OpReason,
  type Owner,
  OwnerAuthority,
  pureSha256,
  type RecordId,
} from '../../crdt/index.ts'

export class AuthorityReplica {
  held = new Map<OpId, Op>()
  refused = new Map<OpId, OpReason>()
  #waiting = new Map<OpId, Op>()
  #owners = new Map<Owner, OwnerAuthority>()
  /** Of ordinary records. */
  #geneses = new Map<RecordId, { readonly owner: Owner; readonly kind: string }>()
  #ownerOfAuthority = new Map<RecordId, Owner>()
  #records = new Map<RecordId, { readonly ops: readonly Op[]; readonly merged: Merged }>()

  /** Another with the same, to go on from here in more than one way. */
  clone(): AuthorityReplica {
    const copy = new AuthorityReplica()
    copy.held = new Map(this.held)
    copy.refused = new Map(this.refused)
    copy.#waiting = new Map(this.#waiting)
    copy.#owners = new Map(this.#owners)
    copy.#geneses = new Map(this.#geneses)
    copy.#ownerOfAuthority = new Map(this.#ownerOfAuthority)
    copy.#records = new Map(this.#records)
    return copy
  }

  take(op: Op): void {
    if (this.held.has(op.id) || this.refused.has(op.id)) return
    this.#waiting.set(op.id, op)
    for (let again = true; again; ) {
      again = false
      for (const one of [...this.#waiting.values()]) {
        const verdict = this.#verdict(one)
        if (verdict === 'pending') continue
        again = true
        this.#waiting.delete(one.id)
        if (verdict === undefined) this.#hold(one)
        else this.refused.set(one.id, verdict)
      }
    }
  }

  authorityOf(owner: Owner, net: string): OwnerAuthority {
    let authority = this.#owners.get(owner)
    if (authority === undefined) {
      authority = new OwnerAuthority(net, owner)
      this.#owners.set(owner, authority)
    }
    return authority
  }

  /** Ordinary records, with all that is held. */
  merged(): Merged[] {
    return [...this.#records.values()].map(({ ops, merged }) => {
      const authority = this.authorityOf(merged.owner, (ops[0] as Op).header.net)
      const { judged } = merged
      const isOutdated = judged !== undefined && judged.stamp !== authority.stamp(judged.vias)
      return isOutdated ? merge(ops, pureSha256, authority) : merged
    })
  }

  #verdict(op: Op): OpReason | undefined | 'pending' {
    const { header } = op
    const reason = byItself(op)
    if (reason !== undefined) return reason
    const names = [...header.parents, ...(header.via === undefined ? [] : [header.via])]
    if (names.some((id) => this.refused.has(id))) return 'bad-parents'
    if (names.some((id) => !this.held.has(id))) return 'pending'
    if (header.parents.some((id) => this.held.get(id)?.header.record !== header.record)) return 'wrong-record'
    const owner = this.#ownerOf(op)
    if (owner === undefined) return 'wrong-record'
    return this.authorityOf(owner, header.net).check(op, header.genesis?.kind ?? this.#geneses.get(header.record)?.kind)
  }

  #ownerOf({ header: { genesis, type, record, via, actor, parents } }: Op): Owner | undefined {
    if (genesis !== undefined) return genesis.owner
    if (type === IDENTITY) return `02${record}`
    const owner = this.#geneses.get(record)?.owner ?? this.#ownerOfAuthority.get(record)
    if (owner !== undefined || parents.length > 0) return owner
    return via === undefined ? `01${actor}` : this.#ownerOfAuthority.get(this.held.get(via)?.header.record ?? '')
  }

  #hold(op: Op): void {
    const { record, genesis, net } = op.header
    this.held.set(op.id, op)
    const owner = this.#ownerOf(op) as Owner
    const authority = this.authorityOf(owner, net)
    if (isAuthorityType(op.header.type) || record === authorityRecord(net, owner)) {
      this.#ownerOfAuthority.set(record, owner)
      const more = authority.clone()
      more.add(op)
      this.#owners.set(owner, more)
      return
    }
    if (genesis !== undefined) this.#geneses.set(record, genesis)
    const before = this.#records.get(record)
    const ops = [...(before?.ops ?? []), op]
    const merged = extend(before?.merged, op, pureSha256, authority) ?? merge(ops, pureSha256, authority)
    this.#records.set(record, { ops, merged })
  }
}

const IDENTITY = 9

/** What is wrong with an op alone: asked again for every order of arrival, found out once. */
function byItself(op: Op): OpReason | undefined {
  if (!judged.has(op)) {
    const { header } = op
    judged.set(op, checkHeader(header, encodeHeader(header).length) ?? checkAuthorityOp(op, pureSha256))
  }
  return judged.get(op)
}

const judged = new WeakMap<Op, OpReason | undefined>()
