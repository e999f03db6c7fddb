/**
 * An op: one signed, content-addressed change to one record (SPEC.md, "Op").
 *
 * An `Op` that left `openFrame` or `signBatch` carries a good signature: no later layer checks it again, and none
 * may build one by hand. Whether its actor may make this change is for node/admit.ts to say.
 */

/** 64 lower-case hex digits; sorts as its bytes do. */
export type OpId = string
export type RecordId = string
/** 64 hex digits of an Ed25519 public key. */
export type ActorKey = string
/** 66 hex digits: `01` + key, or `02` + id of an identity record. */
export type Owner = string
/** 32 hex digits. */
export type NetworkId = string

export const OP_TYPES = [
  'genesis', 'put', 'patch', 'delete', 'erase', 'grant', 'revoke', 'keep', 'identity', 'rotate', 'checkpoint', 'label',
  'vouch',
] as const
export type OpType = (typeof OP_TYPES)[number]

export type Header = {
  readonly net: NetworkId
  /** As on the wire: 1 = genesis. Numbers from 14 on are unknown, kept and inert. */
  readonly type: number
  readonly record: RecordId
  readonly actor: ActorKey
  /** Ascending, distinct. */
  readonly parents: readonly OpId[]
  /** ms since 1970 by the signer's clock; advisory. */
  readonly w: number
  readonly bodyLength: number
  readonly bodyHash: string
  /** In a genesis only. */
  readonly genesis?: { readonly owner: Owner; readonly kind: string; readonly slugHash: string }
}

export type Op = {
  readonly id: OpId
  readonly header: Header
  readonly body: Uint8Array
}

/** Why a single op of an authentic frame was refused; `pending` is not a refusal. */
export type OpReason = 'malformed' | 'too-large' | 'reserved' | 'bad-parents' | 'wrong-record' | 'not-authorised' | 'unknown-owner'
/** Why a frame was refused as a whole. */
export type FrameReason = 'malformed' | 'too-large' | 'bad-key' | 'bad-proof' | 'bad-signature' | 'wrong-network'
