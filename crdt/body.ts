/**
 * What an op says: the body of a genesis or put, and the verbs of a patch, as bytes and as an ordered list of writes
 * (SPEC.md, "Bodies" and "Merge").
 *
 * Reading never throws and never refuses an op: whatever is in a body that does not fit is inert, alone where it can
 * be told apart from its neighbours, else with the whole body. Nothing here depends on other ops or on a kind's table.
 */
import { compareText, fromHex, isHex, toHex, utf8 } from './bytes.ts'
import { decode, encode, formsAt } from './cbor.ts'
import { ITEMS_MAX, MEMBER_BYTES_MAX, PATH_SEGMENTS_MAX } from './limits.ts'
import { OP_TYPES, type Op, type OpId } from './op.ts'
import { isKey, isPath } from './place.ts'
import { isMap, isScalar, type Path, type Scalar, type Value, type ValueMap } from './value.ts'

export type Body = {
  readonly slug?: string
  /** Registers: a map here is one atomic value. */
  readonly f: readonly (readonly [Path, Value])[]
  /** Sets of scalars. */
  readonly s: readonly (readonly [Path, readonly Scalar[]])[]
  /** Texts. */
  readonly t: readonly (readonly [Path, string])[]
}

export type Verb =
  | readonly ['set', Path, Value]
  | readonly ['set', Path, Value, 'reg']
  | readonly ['del', Path]
  | readonly ['add' | 'rem', Path, readonly Scalar[]]
  | readonly ['text', Path, string]
  | readonly ['splice', Path, OpId, number, number, string]

/** One thing an op says about one place. A splice is no write: it changes a text that a write began. */
export type Write =
  | { readonly says: 'value'; readonly path: Path; readonly value: Value }
  | { readonly says: 'absent'; readonly path: Path }
  | { readonly says: 'text'; readonly path: Path; readonly text: string }
  | { readonly says: 'member' | 'no-member'; readonly path: Path; readonly member: Scalar }
  | Splice
/** `at` and `del` are in UTF-16 units of the text of `epoch` as its author saw it. */
export type Splice = {
  readonly says: 'splice'
  readonly path: Path
  readonly epoch: OpId
  readonly at: number
  readonly del: number
  readonly ins: string
}

/** An op as merging reads it. */
export type Content = {
  /** False when the whole op is inert: an unknown type, or a body that is not canonical or of the wrong shape. */
  readonly effective: boolean
  /** As the body gives it; it counts only when its hash is the genesis'. */
  readonly slug?: string
  /** In order; entries and verbs that are inert are left out. */
  readonly writes: readonly Write[]
}

/** The body of a genesis or put. RangeError for an entry that readers would take for inert. */
export function encodeBody(body: Body): Uint8Array {
  const { slug, f, s, t } = body
  const value = (slug === undefined ? { f, s, t } : { slug, f, s, t }) as unknown as ValueMap
  const bytes = encode(value)
  const writes: Write[] = []
  for (const entry of f) expectFit(readField(entry, writes), entry)
  for (const entry of s) expectFit(readMembers(entry, 'member', writes), entry)
  for (const entry of t) expectFit(readText(entry, writes), entry)
  return bytes
}

/** The body of a patch. RangeError for a verb that readers would take for inert. */
export function encodeVerbs(verbs: readonly Verb[]): Uint8Array {
  const values = verbs.map((verb): Value => {
    if (verb[0] !== 'splice') return verb as readonly Value[]
    if (!isHex(verb[2], 64)) throw new RangeError(`expected an op id, got ${verb[2]}`)
    return ['splice', verb[1], fromHex(verb[2]), verb[3], verb[4], verb[5]]
  })
  const bytes = encode(values)
  const writes: Write[] = []
  for (const value of values) expectFit(readVerb(value, writes), value)
  return bytes
}

/** What an op writes and splices, in order. */
export function readWrites(op: Op): readonly Write[] {
  return readBody(op).writes
}

export function readBody(op: Op): Content {
  if (op.freed) return INERT
  switch (OP_TYPES[op.header.type - 1]) {
    case 'genesis':
    case 'put':
      return readDocument(op.body)
    case 'patch':
      return readPatch(op.body)
    case 'delete':
      return op.body.length === 0 ? NOTHING : INERT
    default:
      return INERT
  }
}

const NOTHING: Content = { effective: true, writes: [] }
const INERT: Content = { effective: false, writes: [] }

/** The body of a genesis or put. */
export function readDocument(bytes: Uint8Array): Content {
  const body = readEntries(bytes)
  if (body === undefined) return INERT
  const { slug, f, s, t } = body
  const writes: Write[] = [{ says: 'absent', path: [] }]
  for (const entry of f) readField(entry, writes)
  for (const entry of s) readMembers(entry, 'member', writes)
  for (const entry of t) readText(entry, writes)
  return slug === undefined ? { effective: true, writes } : { effective: true, slug, writes }
}

/** The entries of such a body, some of which may be inert; undefined when the whole op is. */
export function readEntries(bytes: Uint8Array): Entries | undefined {
  const body = decode(bytes)
  if (!body.ok || !isMap(body.value)) return undefined
  const { slug, f, s, t } = body.value
  const keys = Object.keys(body.value).length
  if (!Array.isArray(f) || !Array.isArray(s) || !Array.isArray(t)) return undefined
  if (slug === undefined) return keys === 3 ? { slug, f, s, t } : undefined
  return keys === 4 && typeof slug === 'string' ? { slug, f, s, t } : undefined
}

export type Entries = {
  readonly slug: string | undefined
  readonly f: readonly Value[]
  readonly s: readonly Value[]
  readonly t: readonly Value[]
}

/** Whether a genesis or put with this body is effective, without reading what it says. */
export function isDocument(bytes: Uint8Array): boolean {
  const found = formsAt(bytes, BODY_KEYS)
  if (found === undefined || found.others > 0) return false
  const [f, s, t, slug] = found.forms
  return f === 'list' && s === 'list' && t === 'list' && (slug === undefined || slug === 'text')
}

const BODY_KEYS = ['f', 's', 't', 'slug'].map(utf8)

function readPatch(bytes: Uint8Array): Content {
  const body = decode(bytes)
  if (!body.ok || !Array.isArray(body.value)) return INERT
  const writes: Write[] = []
  for (const verb of body.value as readonly Value[]) readVerb(verb, writes)
  return { effective: true, writes }
}

// Each reader appends what its entry or verb writes and answers true, or appends nothing and answers false.

function readVerb(verb: Value, writes: Write[]): boolean {
  if (!Array.isArray(verb)) return false
  const name: Value = verb[0]
  const rest = verb.slice(1)
  switch (name) {
    case 'set':
      if (rest.length === 2) return readSet(rest, false, writes)
      return rest.length === 3 && rest[2] === 'reg' && readSet(rest, true, writes)
    case 'del':
      if (rest.length !== 1 || !isPath(rest[0])) return false
      writes.push({ says: 'absent', path: rest[0] })
      return true
    case 'add':
      return readMembers(rest, 'member', writes)
    case 'rem':
      return readMembers(rest, 'no-member', writes)
    case 'text':
      return readText(rest, writes)
    case 'splice':
      return readSplice(rest, writes)
    default:
      return false
  }
}

function readField(entry: Value, writes: Write[]): boolean {
  return isField(entry) && readSet(entry, true, writes)
}

/** Whether an entry of `f` is not inert, unless it is of the root. */
export function isField(entry: Value): entry is readonly [Path, Value] {
  return Array.isArray(entry) && entry.length === 2 && isPath(entry[0]) && isBounded(entry[1])
}

function readSet([path, value]: readonly Value[], whole: boolean, writes: Write[]): boolean {
  if (!isPath(path) || value === undefined || !isBounded(value)) return false
  const root = path.length === 0
  if (!isMap(value) || (whole && !root)) {
    if (root) return false
    writes.push({ says: 'value', path, value })
    return true
  }
  const keys = Object.keys(value).length
  if (keys === 0 && !root) {
    writes.push({ says: 'value', path, value })
    return true
  }
  const mark = writes.length
  writes.push({ says: 'absent', path })
  if (readLeaves(path, value, writes)) return true
  writes.length = mark
  return false
}

/** One write a leaf, in canonical order of keys; false when one is too deep. Recursion ends at 16 segments. */
function readLeaves(path: Path, map: ValueMap, writes: Write[]): boolean {
  if (path.length === PATH_SEGMENTS_MAX) return Object.keys(map).length === 0
  for (const key of Object.keys(map).sort(compareText)) {
    const value = map[key] as Value
    const at = [...path, key]
    if (!isMap(value) || Object.keys(value).length === 0) writes.push({ says: 'value', path: at, value })
    else if (!readLeaves(at, value, writes)) return false
  }
  return true
}

function readMembers(entry: Value, says: 'member' | 'no-member', writes: Write[]): boolean {
  if (!areMembers(entry)) return false
  const [path, members] = entry
  for (const member of members) writes.push({ says, path, member })
  return true
}

/** Whether an entry of `s` is not inert. */
export function areMembers(entry: Value): entry is readonly [Path, readonly Scalar[]] {
  if (!Array.isArray(entry) || entry.length !== 2) return false
  const [path, members] = entry as readonly Value[]
  if (!isPath(path) || path.length === 0 || !Array.isArray(members) || members.length > ITEMS_MAX) return false
  for (const member of members) if (!isMember(member)) return false
  return true
}

function readText(entry: Value, writes: Write[]): boolean {
  if (!isText(entry)) return false
  const [path, text] = entry
  writes.push({ says: 'text', path, text })
  return true
}

/** Whether an entry of `t` is not inert. */
export function isText(entry: Value): entry is readonly [Path, string] {
  if (!Array.isArray(entry) || entry.length !== 2) return false
  const [path, text] = entry as readonly Value[]
  return isPath(path) && path.length > 0 && typeof text === 'string'
}

function readSplice(rest: readonly Value[], writes: Write[]): boolean {
  const [path, epoch, at, del, ins] = rest
  if (rest.length !== 5 || !isPath(path) || !(epoch instanceof Uint8Array) || epoch.length !== 32) return false
  if (!isCount(at) || !isCount(del) || typeof ins !== 'string') return false
  writes.push({ says: 'splice', path, epoch: toHex(epoch), at, del, ins })
  return true
}

function isCount(value: Value | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isMember(value: Value): value is Scalar {
  if (!isScalar(value)) return false
  if (typeof value === 'string' && value.length * 3 + 9 <= MEMBER_BYTES_MAX) return true
  return (typeof value !== 'string' && !(value instanceof Uint8Array)) || encode(value).length <= MEMBER_BYTES_MAX
}

/** Whether every array and map in the value is within the limits of one write. */
function isBounded(value: Value): boolean {
  if (isScalar(value)) return true
  if (!isMap(value))
    return (value as readonly Value[]).length <= ITEMS_MAX && (value as readonly Value[]).every(isBounded)
  const keys = Object.keys(value)
  return keys.length <= ITEMS_MAX && keys.every((key) => isKey(key) && isBounded(value[key] as Value))
}

function expectFit(fits: boolean, entry: unknown): void {
  if (!fits) {
    throw new RangeError(`expected an entry within the limits of SPEC.md, got ${JSON.stringify(entry).slice(0, 200)}`)
  }
}
