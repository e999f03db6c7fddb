/**
 * An op: one signed, content-addressed change to one record (SPEC.md, "Op").
 *
 * An `Op` that left `openFrame` or `signBatch` carries a good signature: no later layer checks it again, and none
 * may build one by hand. Whether its actor may make this change is for node/admit.ts to say.
 */

import { fromHex, toHex } from './bytes.ts'
import { encodeFields, type HeaderFields, hashFields } from './header.ts'
import { BODY_BYTES_MAX, HEADER_BYTES_MAX, PARENTS_MAX, TIME_MS_LIMIT } from './limits.ts'
import { isKind } from './names.ts'
import { pureSha256, type Sha256 } from './suite.ts'

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
  'genesis',
  'put',
  'patch',
  'delete',
  'erase',
  'grant',
  'revoke',
  'keep',
  'identity',
  'rotate',
  'checkpoint',
  'label',
  'vouch',
] as const
export type OpType = (typeof OP_TYPES)[number]

/** The numbers of types whose ops have a header, a place or a meaning of their own. */
export const GENESIS = 1
export const DELETE = 4
export const ERASE = 5
export const GRANT = 6
export const REVOKE = 7
export const KEEP = 8
export const IDENTITY = 9
export const ROTATE = 10

/** grant, revoke, keep, identity and rotate: they are in authority records, and no other op is (SPEC.md, "Authority"). */
export function isAuthorityType(type: number): boolean {
  return type >= GRANT && type <= ROTATE
}

export type Header = {
  readonly net: NetworkId
  /** As on the wire: 1 = genesis. Numbers from 14 on are unknown, kept and inert. */
  readonly type: number
  readonly record: RecordId
  readonly actor: ActorKey
  /** Ascending, distinct. */
  readonly parents: readonly OpId[]
  /** The field `a`: the grant, rotate or identity op that the signer relies on. Missing: it is the owner's own key. */
  readonly via?: OpId
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
  /** Empty when it was freed. */
  readonly body: Uint8Array
  /** The body was not sent: it has been erased where the op came from. */
  readonly freed?: true
}

/** The canonical bytes of a header of our own: what its op id is the hash of. RangeError for an id that is none. */
export function encodeHeader(header: Header): Uint8Array {
  return encodeFields(fieldsOf(header))
}

export function opId(header: Header, sha256: Sha256 = pureSha256): OpId {
  return measureHeader(header, sha256).id
}

/** The op id, and how many bytes the header takes. RangeError as `encodeHeader`. */
export function measureHeader(header: Header, sha256: Sha256): { readonly id: OpId; readonly length: number } {
  const { id, length } = hashFields(fieldsOf(header), sha256)
  return { id: toHex(id), length }
}

/**
 * What a header says that SPEC.md, "Op" does not allow; undefined when it holds as far as it can be judged alone.
 *
 * Parents of other records, and whether the op that it relies on covers it, only a replica that holds them can tell.
 */
export function checkHeader(header: Header, headerBytes: number): OpReason | undefined {
  const { type, parents, genesis, via } = header
  if (!Number.isSafeInteger(type) || type < 1) return 'malformed'
  if (!Number.isSafeInteger(header.w) || header.w < 0 || header.w >= TIME_MS_LIMIT) return 'malformed'
  if ((type === GENESIS) !== (genesis !== undefined)) return 'malformed'
  if (headerBytes > HEADER_BYTES_MAX || header.bodyLength > BODY_BYTES_MAX) return 'too-large'
  if (type >= FIRST_RESERVED && type <= LAST_RESERVED) return 'reserved'
  if (genesis !== undefined) {
    if (!isKind(genesis.kind) || !isOwner(genesis.owner)) return 'malformed'
    if (parents.length > 0) return 'bad-parents'
    return via !== undefined || genesis.owner === `01${header.actor}` ? undefined : 'not-authorised'
  }
  if (type === IDENTITY) return parents.length > 0 ? 'bad-parents' : via === undefined ? undefined : 'not-authorised'
  const least = type === GRANT || type === REVOKE || type === KEEP ? 0 : 1
  if (parents.length < least || parents.length > PARENTS_MAX) return 'bad-parents'
  // Ids are lower-case hex of one length, so text sorts as bytes do.
  for (let i = 1; i < parents.length; i++) if ((parents[i - 1] as OpId) >= (parents[i] as OpId)) return 'bad-parents'
  return undefined
}

const FIRST_RESERVED = 11
const LAST_RESERVED = OP_TYPES.length

function isOwner(owner: Owner): boolean {
  return owner.startsWith('01') || owner.startsWith('02')
}

function fieldsOf(header: Header): HeaderFields {
  const { type, w, bodyLength, genesis, via } = header
  return {
    net: bytesOf(header.net, 16),
    type,
    record: bytesOf(header.record, 32),
    actor: bytesOf(header.actor, 32),
    parents: header.parents.map((parent) => bytesOf(parent, 32)),
    via: via === undefined ? undefined : bytesOf(via, 32),
    w,
    bodyLength,
    bodyHash: bytesOf(header.bodyHash, 32),
    genesis: genesis && {
      owner: bytesOf(genesis.owner, 33),
      kind: genesis.kind,
      slugHash: bytesOf(genesis.slugHash, 32),
    },
  }
}

function bytesOf(hex: string, length: number): Uint8Array {
  if (hex.length !== 2 * length) throw new RangeError(`expected ${length} bytes in hex, got ${JSON.stringify(hex)}`)
  return fromHex(hex)
}

/** Why a single op of an authentic frame was refused; `pending` is not a refusal. */
export type OpReason = 'malformed' | 'too-large' | 'reserved' | 'bad-parents' | 'wrong-record' | 'not-authorised'
/** Why a frame was refused as a whole. */
export type FrameReason = 'malformed' | 'too-large' | 'bad-key' | 'bad-proof' | 'bad-signature'
