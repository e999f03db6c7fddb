/**
 * What the naive versions make of a set of ops: which of them no rule allows, and what each record says. They know of no
 * order of arrival, and of an owner that nobody shares with no authority.
 */
import {
  authorityRecord,
  isAuthorityType,
  type Merged,
  type Op,
  type OpId,
  type Owner,
  ownerOfIdentity,
  type RecordId,
  stateBytes,
  toHex,
} from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { mergedHex } from '../support/authority-answers.ts'
import { naiveAuthority, naiveVerdicts, T } from '../support/naive-authority.ts'
import { naiveMerge } from '../support/naive-merge.ts'
import { NET } from './sim-node.ts'

/** Of a record that others may write `shared`, which leaves out what replicas need not agree on; else all there is. */
export type NaiveRecord = { readonly shared?: string; readonly state?: string; readonly facts?: string }
export type Judged = {
  /** In words. */
  readonly invalid: readonly string[]
  readonly records: ReadonlyMap<RecordId, NaiveRecord>
}

const { sha256 } = nativeSuite

export function judge(ops: readonly Op[]): Judged {
  const byId = new Map(ops.map((op) => [op.id, op]))
  const invalid: string[] = []
  const records = new Map<RecordId, NaiveRecord>()
  for (const [owner, own] of Map.groupBy(ops, ownersOf(ops))) {
    if (owner === undefined) {
      invalid.push(...own.map(({ id }) => `op ${id} is of no record that anybody owns`))
      continue
    }
    const isShared = own.some(({ header }) => header.via !== undefined || header.type >= T.erase)
    invalid.push(...(isShared ? invalidOf(own) : invalidAlone(own, owner, byId)))
    const authority = isShared ? naiveAuthority(own, 'fixpoint') : undefined
    for (const [record, some] of Map.groupBy(own, ({ header }) => header.record)) {
      // What says who may write is no record that is listed.
      if (some.some(({ header }) => isAuthorityType(header.type))) continue
      const merged = naiveMerge(some, authority)
      records.set(
        record,
        isShared ? { shared: mergedHex(merged) } : { state: toHex(stateBytes(merged)), facts: factsOf(merged) },
      )
    }
  }
  return { invalid, records }
}

export function factsOf({ owner, kind, slug, registeredAt, changedAt, opCount }: Merged): string {
  return JSON.stringify({ owner, kind, slug, registeredAt, changedAt, opCount })
}

/** Whose record an op is in: by its genesis, or by who may have an authority record of that name. */
function ownersOf(ops: readonly Op[]): (op: Op) => Owner | undefined {
  const owners = new Map<RecordId, Owner>()
  const actors = new Set<string>()
  for (const { header } of ops) {
    const { genesis, record, actor, type } = header
    if (genesis !== undefined) owners.set(record, genesis.owner)
    else if (type === T.identity) owners.set(record, ownerOfIdentity(record))
    else if (isAuthorityType(type)) actors.add(actor)
  }
  for (const actor of actors) owners.set(authorityRecord(NET, `01${actor}`, sha256), `01${actor}`)
  return ({ header }) => owners.get(header.record)
}

function invalidOf(own: readonly Op[]): string[] {
  return [...naiveVerdicts(own)].flatMap(([id, verdict]) => (verdict === 'valid' ? [] : [`op ${id} is ${verdict}`]))
}

/** The same where nobody but the owner's key may write. */
function invalidAlone(own: readonly Op[], owner: Owner, byId: ReadonlyMap<OpId, Op>): string[] {
  return own.flatMap(({ id, header }) => [
    ...(owner === `01${header.actor}` ? [] : [`op ${id} is not by the owner of its record`]),
    ...(header.parents.every((parent) => byId.get(parent)?.header.record === header.record)
      ? []
      : [`op ${id} lacks a parent in its record`]),
  ])
}
