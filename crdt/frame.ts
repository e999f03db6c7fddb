/**
 * A frame: some or all ops of one signed batch, as they travel and as they are kept (SPEC.md, "Batches and frames").
 *
 *   frame = [k, n, s, i, x, e]
 *
 * A frame carries nothing that its receiver can derive. `parseFrame` derives it all: header bytes, ids, root, and what
 * the signature is over; `openFrame` checks the signature too. Neither throws, whatever the bytes. Shape, positions
 * and counts are settled before anything is hashed, so that the work is bounded by the bytes that were sent.
 */
import { checkAuthorityOp } from './authority-check.ts'
import { concat, equalBytes, fromHex, toHex, u32be, utf8 } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import { hashFields } from './header.ts'
import { BATCH_OPS_MAX, FRAME_BYTES_MAX } from './limits.ts'
import { hashIdentity, hashRecord, slugOf } from './names.ts'
import {
  type ActorKey,
  checkHeader,
  DELETE,
  type FrameReason,
  GENESIS,
  type Header,
  IDENTITY,
  type NetworkId,
  type Op,
  type OpId,
  type OpReason,
} from './op.ts'
import { pureSha256, type Sha256, type Suite } from './suite.ts'
import { leafHash, narrowProof, proofLength, rootOfPart } from './tree.ts'
import type { Value } from './value.ts'
import { isPlainKey, prefilter } from './verify.ts'

/** A frame whose shape, hashes and proof positions hold; its signature is still to be checked. */
export type ParsedFrame = {
  readonly actor: ActorKey
  /** Ops in the signed batch, carried or not. */
  readonly n: number
  readonly signature: Uint8Array
  /** What the signature is over. */
  readonly signedMessage: Uint8Array
  /** Well-formed carried ops, in batch order. */
  readonly entries: readonly { readonly index: number; readonly op: Op }[]
  /** Carried ops that are refused by themselves, while their neighbours stand. */
  readonly refused: readonly { readonly index: number; readonly op: OpId; readonly reason: OpReason }[]
  /** The frame as received. */
  readonly bytes: Uint8Array
}

export type FrameParsed =
  | { readonly ok: true; readonly frame: ParsedFrame }
  | { readonly ok: false; readonly reason: FrameReason }

/** Reads a frame of network `net` and derives everything it stands for. The signature is the caller's to check. */
export function parseFrame(bytes: Uint8Array, net: NetworkId, sha256: Sha256 = pureSha256): FrameParsed {
  const raw = readFrame(bytes)
  if (typeof raw === 'string') return { ok: false, reason: raw }
  const netBytes = fromHex(net)
  const actor = toHex(raw.key)
  const entries: { index: number; op: Op }[] = []
  const refused: { index: number; op: OpId; reason: OpReason }[] = []
  const leaves: Uint8Array[] = []
  for (const [at, index] of raw.positions.entries()) {
    const derived = deriveOp(raw.entries[at] as RawEntry, raw.key, actor, netBytes, net, sha256)
    if (derived === undefined) return { ok: false, reason: 'malformed' }
    leaves.push(leafHash(derived.id, sha256))
    if (derived.reason === undefined) entries.push({ index, op: derived.op })
    else refused.push({ index, op: derived.op.id, reason: derived.reason })
  }
  const root = rootOfPart({ n: raw.n, positions: raw.positions, leaves, hashes: raw.hashes }, sha256)
  const signedMessage = signedBytes(netBytes, raw.n, root)
  return { ok: true, frame: { actor, n: raw.n, signature: raw.signature, signedMessage, entries, refused, bytes } }
}

/** The same, and the signature holds. */
export function openFrame(bytes: Uint8Array, net: NetworkId, suite: Suite): FrameParsed {
  const parsed = parseFrame(bytes, net, suite.sha256)
  if (!parsed.ok) return parsed
  const { actor, signedMessage, signature } = parsed.frame
  return suite.verify(fromHex(actor), signedMessage, signature) ? parsed : { ok: false, reason: 'bad-signature' }
}

/**
 * A smaller frame with only the wanted ones of the ops that this frame carries; the same bytes when they are all.
 *
 * Ids that the frame does not carry are passed over; RangeError when none is left.
 */
export function selectFromFrame(
  frame: ParsedFrame,
  wanted: ReadonlySet<OpId>,
  sha256: Sha256 = pureSha256,
): Uint8Array {
  const carried = [
    ...frame.entries.map(({ index, op }) => ({ index, id: op.id })),
    ...frame.refused.map(({ index, op }) => ({ index, id: op })),
  ].sort((a, b) => a.index - b.index)
  const selected = carried.filter(({ id }) => wanted.has(id))
  if (selected.length === 0) throw new RangeError('expected at least one op that the frame carries')
  if (selected.length === carried.length) return frame.bytes
  const raw = readFrame(frame.bytes)
  if (typeof raw === 'string') throw new TypeError(`expected a frame from parseFrame, got one that is ${raw}`)
  const positions = selected.map(({ index }) => index)
  const leaves = carried.map(({ id }) => leafHash(fromHex(id), sha256))
  const hashes = narrowProof({ n: raw.n, positions: raw.positions, leaves, hashes: raw.hashes }, positions, sha256)
  const entries = raw.entries.filter((_, at) => wanted.has((carried[at] as { id: OpId }).id))
  return encodeRaw({ ...raw, positions, hashes, entries })
}

/** What the key signs for a batch of `n` ops. */
export function signedBytes(net: Uint8Array, n: number, root: Uint8Array): Uint8Array {
  return concat(SIGNATURE_PREFIX, net, u32be(n), root)
}

/** The entry that stands for an op in a frame. */
export function entryOf(op: Op, sha256: Sha256): Value[] {
  const { type, w, record, parents, genesis, actor, via, bodyLength, bodyHash } = op.header
  const body = op.freed ? [bodyLength, fromHex(bodyHash)] : op.body
  const last = via === undefined ? [] : [fromHex(via)]
  if (type === IDENTITY) return [type, w, body]
  if (genesis === undefined) return [type, w, body, fromHex(record), parents.map(fromHex), ...last]
  const slug = slugOf(op.body)
  const slugHash = fromHex(genesis.slugHash)
  return [
    type,
    w,
    body,
    genesis.owner === `01${actor}` ? null : fromHex(genesis.owner),
    genesis.kind,
    slug !== undefined && equalBytes(sha256(slug), slugHash) ? null : slugHash,
    ...last,
  ]
}

/** The same frame without the bodies of these ops; the same bytes when it carries no body of them. */
export function freeBodies(frame: ParsedFrame, bodies: ReadonlySet<OpId>, sha256: Sha256 = pureSha256): Uint8Array {
  const raw = readFrame(frame.bytes)
  if (typeof raw === 'string') throw new TypeError(`expected a frame from parseFrame, got one that is ${raw}`)
  const carried = new Map(frame.entries.map(({ index, op }) => [index, op]))
  let changed = false
  const entries = raw.entries.map((entry, at) => {
    const op = carried.get(raw.positions[at] as number)
    if (op === undefined || op.freed || op.body.length === 0 || !bodies.has(op.id)) return entry
    changed = true
    return entryOf({ ...op, body: NO_BODY, freed: true }, sha256)
  })
  return changed ? encodeRaw({ ...raw, entries }) : frame.bytes
}

/** A frame as it lies in the bytes: of the right shape, nothing derived yet. */
export type RawFrame = {
  readonly key: Uint8Array
  readonly n: number
  readonly signature: Uint8Array
  readonly positions: readonly number[]
  readonly hashes: readonly Uint8Array[]
  readonly entries: readonly RawEntry[]
}
type RawEntry = readonly Value[]

export function encodeRaw(raw: RawFrame): Uint8Array {
  const positions = raw.positions.length === raw.n ? null : raw.positions
  return encode([raw.key, raw.n, raw.signature, positions, raw.hashes, raw.entries])
}

const SIGNATURE_PREFIX = utf8('peerage/1/sig\0')
const OWNER_IS_KEY = 0x01
const NO_BODY = new Uint8Array(0)
/** A frame holds entries, an entry holds parents or what stands for a body; no list is longer than a batch. */
const FRAME_LIMITS = { depth: 4, items: BATCH_OPS_MAX }

function readFrame(bytes: Uint8Array): RawFrame | FrameReason {
  if (bytes.length > FRAME_BYTES_MAX) return 'too-large'
  const decoded = decode(bytes, FRAME_LIMITS)
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 6) return 'malformed'
  const [key, n, signature, i, hashes, entries] = decoded.value as readonly Value[]
  if (!isBytes(key, 32) || !isBytes(signature, 64) || !isCount(n) || !isListOf(hashes, isHash)) return 'malformed'
  if (n < 1 || n > BATCH_OPS_MAX || !isListOf(entries, isEntry) || entries.length === 0) return 'malformed'
  if (i !== null && !isListOf(i, isCount)) return 'malformed'
  if (!isPlainKey(key)) return 'bad-key'
  const positions = i ?? Array.from({ length: n }, (_, index) => index)
  if (positions.length !== entries.length || (i !== null && i.length === n)) return 'bad-proof'
  if (positions.some((at, index) => at >= n || (index > 0 && at <= (positions[index - 1] as number))))
    return 'bad-proof'
  if (hashes.length !== proofLength(n, positions)) return 'bad-proof'
  return prefilter(key, signature) ? { key, n, signature, positions, hashes, entries } : 'bad-signature'
}

type Derived = { readonly id: Uint8Array; readonly op: Op; readonly reason: OpReason | undefined }

/** The op of an entry, refused by itself or not; undefined when no id can be derived, or when it says too much. */
function deriveOp(
  entry: RawEntry,
  key: Uint8Array,
  actor: ActorKey,
  netBytes: Uint8Array,
  net: NetworkId,
  sha256: Sha256,
): Derived | undefined {
  const [type, w, carried] = entry as [number, number, Uint8Array | readonly [number, Uint8Array]]
  const freed = !(carried instanceof Uint8Array)
  const body = freed ? NO_BODY : carried
  const bodyHash = freed ? carried[1] : sha256(body)
  const bodyLength = freed ? carried[0] : body.length
  let record: Uint8Array
  let parents: readonly Uint8Array[] = []
  let genesis: { owner: Uint8Array; kind: string; slugHash: Uint8Array } | undefined
  if (type === GENESIS) {
    const [, , , o, kind, sh] = entry as [number, number, Uint8Array, Uint8Array | null, string, Uint8Array | null]
    const own = concat(Uint8Array.of(OWNER_IS_KEY), key)
    const slug = slugOf(body)
    const derivedHash = slug && sha256(slug)
    // What can be derived must be left out, or one op would have several frames.
    if (o !== null && equalBytes(o, own)) return undefined
    if (sh !== null && derivedHash !== undefined && equalBytes(sh, derivedHash)) return undefined
    const slugHash = sh ?? derivedHash
    if (slugHash === undefined) return undefined
    genesis = { owner: o ?? own, kind, slugHash }
    record = hashRecord(netBytes, genesis.owner, kind, slugHash, sha256)
  } else if (type === IDENTITY) {
    // A time that no header may have is refused by it; until then any record will do.
    record = hashIdentity(netBytes, key, bodyHash, Math.max(0, w), sha256)
  } else {
    record = entry[3] as Uint8Array
    parents = entry[4] as Uint8Array[]
  }
  const via = entry[type === GENESIS ? 6 : 5] as Uint8Array | undefined
  const fields = { net: netBytes, type, record, actor: key, parents, via, w, bodyLength, bodyHash, genesis }
  const { id, length } = hashFields(fields, sha256)
  const header: Header = {
    net,
    type,
    record: toHex(record),
    actor,
    parents: parents.map(toHex),
    ...(via && { via: toHex(via) }),
    w,
    bodyLength,
    bodyHash: toHex(bodyHash),
    ...(genesis && {
      genesis: { owner: toHex(genesis.owner), kind: genesis.kind, slugHash: toHex(genesis.slugHash) },
    }),
  }
  const op: Op = { id: toHex(id), header, body, ...(freed && { freed }) }
  return { id, op, reason: checkHeader(header, length) ?? checkAuthorityOp(op, sha256) }
}

function isEntry(entry: Value | undefined): entry is RawEntry {
  if (!Array.isArray(entry)) return false
  const [type, w, body, ...rest] = entry as Value[]
  if (!isInteger(type) || !isInteger(w) || !(body instanceof Uint8Array || isFreed(type, body))) return false
  if (type === IDENTITY) return rest.length === 0
  if (type !== GENESIS) {
    const [record, parents, via] = rest
    return isHash(record) && isListOf(parents, isHash) && (rest.length === 2 || (rest.length === 3 && isHash(via)))
  }
  const [owner, kind, slugHash, via] = rest
  if (typeof kind !== 'string' || !(owner === null || isBytes(owner, 33))) return false
  if (!(slugHash === null || isHash(slugHash))) return false
  return rest.length === 3 || (rest.length === 4 && isHash(via))
}

/**
 * What stands for a body that was freed: its length and hash. Only what an erase may name can have lost its body, or a
 * relay could take the sense out of a revoke. An empty body needs nothing to stand for it.
 */
function isFreed(type: number, body: Value | undefined): boolean {
  return (
    type >= GENESIS &&
    type < DELETE &&
    Array.isArray(body) &&
    body.length === 2 &&
    isCount(body[0]) &&
    body[0] > 0 &&
    isHash(body[1])
  )
}

function isListOf<T extends Value>(
  list: Value | undefined,
  isItem: (item: Value | undefined) => item is T,
): list is readonly T[] {
  return Array.isArray(list) && list.every(isItem)
}

function isBytes(value: Value | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function isHash(value: Value | undefined): value is Uint8Array {
  return isBytes(value, 32)
}

function isInteger(value: Value | undefined): value is number {
  return Number.isSafeInteger(value)
}

function isCount(value: Value | undefined): value is number {
  return isInteger(value) && value >= 0
}
