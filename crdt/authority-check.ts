/**
 * What of an op's authority can be judged from the op alone (SPEC.md, "Batches and frames"). The rest needs the ops that
 * it names: authority.ts.
 */
import { readGrant, readIdentity, readRotate } from './authority-body.ts'
import { authorityRecord, ownerOfKey } from './names.ts'
import { GRANT, IDENTITY, isAuthorityType, type Op, type OpReason, ROTATE } from './op.ts'
import type { Sha256 } from './suite.ts'

/** Undefined when it holds so far. Looks only at ops of authority records; costs the reading of a body at most. */
export function checkAuthorityOp(op: Op, sha256: Sha256): OpReason | undefined {
  const { type, via, parents, net, actor, record } = op.header
  if (!isAuthorityType(type)) return undefined
  if (type === GRANT && readGrant(op) === undefined) return 'malformed'
  if (type === IDENTITY && readIdentity(op) === undefined) return 'malformed'
  if (type === ROTATE && readRotate(op) === undefined) return 'malformed'
  if (type === ROTATE && via === undefined) return 'not-authorised'
  if (type === IDENTITY || via !== undefined || parents.length > 0) return undefined
  // The first op of a key's authority record has nothing else to show that the record is that of its signer.
  return record === authorityRecord(net, ownerOfKey(actor), sha256) ? undefined : 'not-authorised'
}
