/**
 * A merged record as bytes: its state, by which replicas compare what they show (SPEC.md, "State hash"), and the whole
 * of it, as a store keeps it beside the ops.
 *
 * State bytes are part of the rules. What `encodeMerged` writes is a node's own business: it may change with the
 * program and is never sent or hashed.
 */
import { concat, fromHex, toHex, u32be, utf8 } from './bytes.ts'
import { decode, encode, STATE_LIMITS } from './cbor.ts'
import { firstOf, readLater } from './first.ts'
import type { First } from './fold.ts'
import { SEM } from './limits.ts'
import type { Alternative, Conflict, Merged } from './merge.ts'
import type { OpId } from './op.ts'
import { pureSha256, type Sha256 } from './suite.ts'
import { type Doc, newMap, type Path, type Scalar, type Value, type ValueMap } from './value.ts'

const HASH_BYTES = 32
const STATE_PREFIX = utf8('peerage/1/state\0')

/** The canonical bytes of `[record id, live, heads, document, conflicts]`. */
export function stateBytes(merged: Merged): Uint8Array {
  const { record, live, heads, doc, conflicts } = merged
  return encode([fromHex(record), live, heads.map(fromHex), doc, conflicts.map(conflictValue)], STATE_LIMITS)
}

/** The hash of one record's state, 32 bytes. */
export function recordStateHash(merged: Merged, sha256: Sha256 = pureSha256): Uint8Array {
  return sha256(stateBytes(merged))
}

/** The hash of a set's state, 64 hex digits, from its records' hashes in order of record id. */
export function stateHash(hashes: Iterable<Uint8Array>, sem: number = SEM, sha256: Sha256 = pureSha256): string {
  const all = [...hashes]
  const joined = new Uint8Array(all.length * HASH_BYTES)
  for (const [i, hash] of all.entries()) joined.set(hash, i * HASH_BYTES)
  return toHex(sha256(concat(STATE_PREFIX, u32be(sem), joined)))
}

/** Everything that `decodeMerged` gives back. Of a record that nobody has looked into it is the op that it is made of. */
export function encodeMerged(merged: Merged): Uint8Array {
  const first = firstOf(merged)
  if (first !== undefined) return encodeFirst(first)
  const { slug = null, heads, doc, conflicts, texts } = merged
  const row: Value[] = [
    fromHex(merged.record),
    fromHex(merged.owner),
    merged.kind,
    slug,
    merged.live,
    doc,
    heads.map(fromHex),
    conflicts.map(conflictValue),
    merged.registeredAt,
    merged.changedAt,
    merged.opCount,
    merged.line,
    texts.map(({ path, epoch, splices, twin }) => [path, epochValue(epoch, heads), splices, ...(twin ? [twin] : [])]),
    merged.sets,
    merged.registers,
    ...remarksValue(merged),
  ]
  return encode(row, STATE_LIMITS)
}

/**
 * What `encodeMerged` wrote, from our own store: it is not looked at as a stranger's bytes would be. RangeError when it
 * is visibly something else.
 */
export function decodeMerged(bytes: Uint8Array, sha256: Sha256 = pureSha256): Merged {
  const read = decode(bytes, STATE_LIMITS)
  if (read.ok && Array.isArray(read.value) && read.value.length === FIRST_LENGTH) {
    return readLater(readFirst(read.value as unknown as FirstRow), sha256)
  }
  if (!read.ok || !Array.isArray(read.value) || read.value.length < ROW_LENGTH) {
    throw new RangeError(
      `expected a merged record, got ${bytes.length} bytes (${read.ok ? 'of another shape' : read.reason})`,
    )
  }
  const [record, owner, kind, slug, live, doc, heads, conflicts, registeredAt, changedAt, opCount, line, ...kinds] =
    read.value as unknown as Row
  const [texts, sets, registers, remarks] = kinds
  const headIds = heads.map(toHex)
  return {
    record: toHex(record),
    owner: toHex(owner),
    kind,
    ...(slug === null ? {} : { slug }),
    live,
    doc,
    heads: headIds,
    conflicts: conflicts.map(readConflict),
    registeredAt,
    changedAt,
    opCount,
    line,
    texts: texts.map(([path, epoch, splices, twin]) => ({
      path,
      epoch: readEpoch(epoch, headIds),
      splices,
      ...(twin && { twin }),
    })),
    sets,
    registers,
    ...(remarks && readRemarks(remarks)),
  }
}

/** How a row of one op differs from one of a document. */
const FIRST_LENGTH = 7
type FirstRow = [
  id: Uint8Array,
  record: Uint8Array,
  owner: Uint8Array,
  kind: string,
  slugHash: Uint8Array,
  w: number,
  body: Uint8Array,
]

function encodeFirst({ id, record, owner, kind, slugHash, w, body }: First): Uint8Array {
  return encode([fromHex(id), fromHex(record), fromHex(owner), kind, fromHex(slugHash), w, body], STATE_LIMITS)
}

function readFirst([id, record, owner, kind, slugHash, w, body]: FirstRow): First {
  return { id: toHex(id), record: toHex(record), owner: toHex(owner), kind, slugHash: toHex(slugHash), w, body }
}

const ROW_LENGTH = 15
type Row = [
  record: Uint8Array,
  owner: Uint8Array,
  kind: string,
  slug: string | null,
  live: boolean,
  doc: Doc,
  heads: Uint8Array[],
  conflicts: ConflictValue[],
  registeredAt: number,
  changedAt: number,
  opCount: number,
  line: boolean,
  texts: [Path, Uint8Array | number, number, true?][],
  sets: Path[],
  registers: Path[],
  remarks?: RemarksValue,
]
/** judged, voided, erased, incomplete, equivocations. */
type RemarksValue = [
  [Uint8Array[], string] | null,
  [Uint8Array, Uint8Array[]][],
  Uint8Array[],
  Uint8Array[],
  [Uint8Array, Uint8Array][],
]

/** What only few records have, in one part more. */
function remarksValue({ judged, voided, erased, incomplete, equivocations }: Merged): Value[] {
  if (judged === undefined && !(voided ?? erased ?? incomplete ?? equivocations)) return []
  const remarks: RemarksValue = [
    judged === undefined ? null : [judged.vias.map(fromHex), judged.stamp],
    (voided ?? []).map(({ op, by }) => [fromHex(op), by.map(fromHex)]),
    (erased ?? []).map(fromHex),
    (incomplete ?? []).map(fromHex),
    (equivocations ?? []).map(([a, b]) => [fromHex(a), fromHex(b)]),
  ]
  return [remarks]
}

function readRemarks([judged, voided, erased, incomplete, equivocations]: RemarksValue): Partial<Merged> {
  return {
    ...(judged === null ? {} : { judged: { vias: judged[0].map(toHex), stamp: judged[1] } }),
    ...(voided.length > 0 && { voided: voided.map(([op, by]) => ({ op: toHex(op), by: by.map(toHex) })) }),
    ...(erased.length > 0 && { erased: erased.map(toHex) }),
    ...(incomplete.length > 0 && { incomplete: incomplete.map(toHex) }),
    ...(equivocations.length > 0 && {
      equivocations: equivocations.map(([a, b]) => [toHex(a), toHex(b)] as const),
    }),
  }
}
type ConflictValue = [Path, AlternativeValue[]]
type AlternativeValue = { a: Uint8Array; o: Uint8Array; w: number; v?: Value; p?: Path; m?: Scalar }

/** `[path, alternatives]`; of an alternative, what it lacks is left out. */
function conflictValue({ path, alternatives }: Conflict): Value {
  return [path, alternatives.map(alternativeValue)]
}

function alternativeValue({ actor, op, w, value, path, member }: Alternative): ValueMap {
  const map = newMap<Value>()
  map['a'] = fromHex(actor)
  map['o'] = fromHex(op)
  map['w'] = w
  if (value !== undefined) map['v'] = value
  if (path !== undefined) map['p'] = path
  if (member !== undefined) map['m'] = member
  return map
}

function readConflict([path, alternatives]: ConflictValue): Conflict {
  return { path, alternatives: alternatives.map(readAlternative) }
}

function readAlternative({ a, o, w, v, p, m }: AlternativeValue): Alternative {
  return {
    ...(v === undefined ? {} : { value: v }),
    ...(p === undefined ? {} : { path: p }),
    ...(m === undefined ? {} : { member: m }),
    actor: toHex(a),
    w,
    op: toHex(o),
  }
}

/** A text that nothing has been written above yet is the head's: its place among the heads says so in one byte. */
function epochValue(epoch: OpId, heads: readonly OpId[]): Value {
  const at = heads.indexOf(epoch)
  return at < 0 ? fromHex(epoch) : at
}

function readEpoch(epoch: Uint8Array | number, heads: readonly OpId[]): OpId {
  return typeof epoch === 'number' ? (heads[epoch] as OpId) : toHex(epoch)
}
