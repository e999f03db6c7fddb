/**
 * Signing: drafts become ops, ops become batches, each batch one frame with one signature (SPEC.md, "Batches and
 * frames").
 *
 * The key never enters this folder: it is a function that signs a message. Only roots built here are ever given to it.
 */
import { checkAuthorityOp } from './authority-check.ts'
import { fromHex, toHex, utf8 } from './bytes.ts'
import { encodeRaw, entryOf, type ParsedFrame, signedBytes } from './frame.ts'
import { BATCH_OPS_MAX, FRAME_BYTES_MAX } from './limits.ts'
import { hashIdentity, isSlug, recordId } from './names.ts'
import {
  type ActorKey,
  checkHeader,
  GENESIS,
  type Header,
  IDENTITY,
  measureHeader,
  type NetworkId,
  OP_TYPES,
  type Op,
  type OpId,
  type Owner,
  type RecordId,
} from './op.ts'
import { pureSha256, type Sha256 } from './suite.ts'
import { treeRoot } from './tree.ts'

/** What a writer wants to say; parents in any order. */
export type Draft =
  | {
      readonly type: 'genesis'
      readonly owner: Owner
      readonly kind: string
      readonly slug: string
      readonly w: number
      readonly body: Uint8Array
      /** The grant, rotate or identity op relied on. */
      readonly via?: OpId
    }
  | { readonly type: 'identity'; readonly w: number; readonly body: Uint8Array }
  | {
      readonly type: 'put' | 'patch' | 'delete' | 'erase' | 'grant' | 'revoke' | 'keep' | 'rotate'
      readonly record: RecordId
      readonly parents: readonly OpId[]
      readonly w: number
      readonly body: Uint8Array
      readonly via?: OpId
    }

export type DraftOptions = { readonly net: NetworkId; readonly key: ActorKey; readonly sha256?: Sha256 }
export type SignOptions = DraftOptions & {
  /** 64 bytes, by `key`. Called once for each batch. */
  readonly sign: (message: Uint8Array) => Uint8Array
  /** A frame holds no more than this; a single op may still take more. At most, and by default, the wire's bound. */
  readonly frameBytesMax?: number
}

/**
 * The op that a draft becomes, not signed yet: for its id, which a later draft of the same batch may name as parent.
 *
 * RangeError for what no replica would take: too large a body, no parents or too many, an owner other than the key
 * without an op to rely on, a slug or kind that is none.
 */
export function draftOp(draft: Draft, options: DraftOptions): Op {
  const { net, key, sha256 = pureSha256 } = options
  const { w, body } = draft
  const common = { net, actor: key, w, bodyLength: body.length, bodyHash: toHex(sha256(body)) }
  let header: Header
  if (draft.type === 'genesis') {
    const { owner, kind, slug } = draft
    if (!isSlug(slug)) throw new RangeError(`expected a slug, got ${JSON.stringify(slug.slice(0, 80))}`)
    const slugHash = toHex(sha256(utf8(slug)))
    const record = recordId({ net, owner, kind, slugHash }, sha256)
    header = { ...common, ...relied(draft.via), type: GENESIS, record, parents: [], genesis: { owner, kind, slugHash } }
  } else if (draft.type === 'identity') {
    const record = toHex(hashIdentity(fromHex(net), fromHex(key), fromHex(common.bodyHash), w, sha256))
    header = { ...common, type: IDENTITY, record, parents: [] }
  } else {
    const type = OP_TYPES.indexOf(draft.type) + 1
    header = { ...common, ...relied(draft.via), type, record: draft.record, parents: draft.parents.toSorted() }
  }
  const { id, length } = measureHeader(header, sha256)
  const op = { id, header, body }
  const reason = checkHeader(header, length) ?? checkAuthorityOp(op, sha256)
  if (reason !== undefined) throw new RangeError(`expected a draft that replicas take, got one that is ${reason}`)
  return op
}

function relied(via: OpId | undefined): { via?: OpId } {
  return via === undefined ? {} : { via }
}

/** Signs drafts in as few batches as the limits allow, in order. RangeError as in `draftOp`. */
export function signBatch(drafts: readonly Draft[], options: SignOptions): { readonly frame: ParsedFrame }[] {
  return signOps(
    drafts.map((draft) => draftOp(draft, options)),
    options,
  )
}

/** The same for ops that `draftOp` made. */
export function signOps(ops: readonly Op[], options: SignOptions): { readonly frame: ParsedFrame }[] {
  return prepareBatches(ops, options).map(({ message, seal }) => ({ frame: seal(options.sign(message)) }))
}

/** Batches to be signed elsewhere: by a key that answers later. */
export type Prepared = { readonly message: Uint8Array; readonly seal: (signature: Uint8Array) => ParsedFrame }

export function prepareBatches(ops: readonly Op[], options: Omit<SignOptions, 'sign'>): Prepared[] {
  const { net, key, sha256 = pureSha256, frameBytesMax = FRAME_BYTES_MAX } = options
  return split(ops, frameBytesMax).map((batch) => {
    const root = treeRoot(
      batch.map((op) => fromHex(op.id)),
      sha256,
    )
    const signedMessage = signedBytes(fromHex(net), batch.length, root)
    const seal = (signature: Uint8Array): ParsedFrame => {
      if (signature.length !== 64) throw new RangeError(`expected a signature of 64 bytes, got ${signature.length}`)
      const bytes = encodeRaw({
        key: fromHex(key),
        n: batch.length,
        signature,
        positions: batch.map((_, index) => index),
        hashes: [],
        entries: batch.map((op) => entryOf(op, sha256)),
      })
      const entries = batch.map((op, index) => ({ index, op }))
      return { actor: key, n: batch.length, signature, signedMessage, entries, refused: [], bytes }
    }
    return { message: signedMessage, seal }
  })
}

/** More than a frame needs beside its entries, and more than an entry needs beside its body and parents. */
const FRAME_OVERHEAD = 256
const ENTRY_OVERHEAD = 192
const PARENT_BYTES = 34

function split(ops: readonly Op[], frameBytesMax: number): Op[][] {
  const batches: Op[][] = []
  let batch: Op[] = []
  let bytes = FRAME_OVERHEAD
  for (const op of ops) {
    const more = op.body.length + op.header.parents.length * PARENT_BYTES + ENTRY_OVERHEAD
    if (batch.length > 0 && (batch.length === BATCH_OPS_MAX || bytes + more > frameBytesMax)) {
      batches.push(batch)
      batch = []
      bytes = FRAME_OVERHEAD
    }
    batch.push(op)
    bytes += more
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
