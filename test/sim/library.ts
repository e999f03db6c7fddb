/**
 * All that honest writers have made in a simulation, as a bystander who hears everything would know it: for the checks,
 * for writers who build on what they once saw, and for liars, who are taken to know everything.
 */
import {
  type Draft,
  draftOp,
  type Op,
  type OpId,
  type Owner,
  type RecordId,
  recordId,
  signOps,
} from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Signer } from '../../node/replica-types.ts'
import { NET } from './sim-node.ts'

const { sha256 } = nativeSuite
/** Records of two kinds, so that a node may take part in one of them only. */
export const KINDS = ['model', 'agent'] as const
export const KIND = KINDS[0]
/** What honest writers call their records. */
export const SLUGS = ['one', 'two', 'three'] as const

export type Known = { readonly op: Op; readonly frame: Uint8Array }

export class Library {
  readonly ops = new Map<OpId, Known>()
  readonly byRecord = new Map<RecordId, Op[]>()

  add(op: Op, frame: Uint8Array): void {
    if (this.ops.has(op.id)) return
    this.ops.set(op.id, { op, frame })
    const others = this.byRecord.get(op.header.record)
    if (others === undefined) this.byRecord.set(op.header.record, [op])
    else others.push(op)
  }
}

export function ownerOf(signer: Pick<Signer, 'key'>): Owner {
  return `01${signer.key}`
}

export function kindOf(slug: string): string {
  return slug === 'three' ? KINDS[1] : KIND
}

export function recordOf(owner: Owner, slug: string): RecordId {
  return recordId({ net: NET, owner, kind: kindOf(slug), slug }, sha256)
}

/** An op by this key, not signed yet. */
export function draft(signer: Signer, wanted: Draft): Op {
  return draftOp(wanted, { net: NET, key: signer.key, sha256 })
}

/** Frames of these ops, whatever they say: as few as the limits allow. */
export function sealed(signer: Signer, ops: readonly Op[]): Uint8Array[] {
  const { key } = signer
  return signOps(ops, { net: NET, key, sha256, sign: (message) => signer.sign(message) }).map(
    ({ frame }) => frame.bytes,
  )
}
