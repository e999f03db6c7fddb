/**
 * Owners who let others write, for tests: grants, revokes, keeps, erases, and identities whose keys rotate.
 */
import {
  authorityRecord,
  commitment,
  type Draft,
  draftOp,
  encodeErase,
  encodeGrant,
  encodeIdentity,
  encodeKeep,
  encodeRevoke,
  encodeRotate,
  type Grant,
  type Op,
  ownerOfIdentity,
  readBody,
} from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { net, type Publisher } from './publisher.ts'

const { sha256 } = nativeSuite
const W = 1_700_000_000_000

/** Signs authority ops: in the record of an owner, relying on `via` unless the key is the owner's. */
export function authorityOf(by: Publisher, owner = by.owner, via?: string) {
  const record = authorityRecord(net, owner, sha256)
  const draft = (type: 'grant' | 'revoke' | 'keep' | 'rotate', body: Uint8Array, parents: readonly Op[] = []) =>
    draftOp(
      { type, record, parents: parents.map(({ id }) => id), w: W, body, ...(via && { via }) },
      { net, key: by.signer.key, sha256 },
    )
  return {
    record,
    grant: (to: Publisher, grant: Omit<Grant, 'to'>, parents?: readonly Op[]) =>
      draft('grant', encodeGrant({ to: to.signer.key, ...grant }), parents),
    revoke: (grant: Op, keep: readonly Op[] = [], parents?: readonly Op[]) =>
      draft('revoke', encodeRevoke({ grant: grant.id, keep: keep.map(({ id }) => id) }), parents),
    keep: (of: Op, ids: readonly Op[], parents?: readonly Op[]) =>
      draft('keep', encodeKeep({ of: of.id, ids: ids.map(({ id }) => id) }), parents),
    erase: (of: Op, ids: readonly Op[], parents: readonly Op[]) =>
      draftOp(
        {
          type: 'erase',
          record: of.header.record,
          parents: parents.map(({ id }) => id),
          w: W,
          body: encodeErase({ ids: ids.map(({ id }) => id) }),
          ...(via && { via }),
        },
        { net, key: by.signer.key, sha256 },
      ),
  }
}

/** The op that this key signs instead, relying on another op; of a genesis also for another owner. */
export function relying(by: Publisher, op: Op, via: Op, owner?: string): Op {
  const { header, body } = op
  const { parents, w, record, genesis, type } = header
  const common = { w, body, via: via.id }
  const draft: Draft =
    genesis !== undefined
      ? { type: 'genesis', owner: owner ?? genesis.owner, kind: genesis.kind, slug: readBody(op).slug ?? '', ...common }
      : { type: type === 2 ? 'put' : type === 3 ? 'patch' : 'delete', record, parents, ...common }
  return draftOp(draft, { net, key: by.signer.key, sha256 })
}

/** An identity with these keys, of which each commits to the next. */
export function identityOf(keys: readonly Publisher[]) {
  const commitments: string[] = []
  let next = '00'.repeat(32)
  for (let i = keys.length - 1; i >= 0; i--) {
    commitments[i] = next
    next = commitment(keys[i]!.signer.key, next, sha256)
  }
  const [first] = keys
  const body = encodeIdentity({ commitment: commitments[0]! })
  const op = draftOp({ type: 'identity', w: W, body }, { net, key: first!.signer.key, sha256 })
  const { record } = op.header
  return {
    op,
    record,
    owner: ownerOfIdentity(record),
    /** Ends step i (from 1): signed by key i + 1, on what step i relies on. */
    rotate: (step: number, on: Op, keep: readonly Op[] = [], parents: readonly Op[] = [on]) =>
      draftOp(
        {
          type: 'rotate',
          record,
          parents: parents.map(({ id }) => id),
          w: W,
          via: on.id,
          body: encodeRotate({ commitment: commitments[step]!, keep: keep.map(({ id }) => id) }),
        },
        { net, key: keys[step]!.signer.key, sha256 },
      ),
  }
}
