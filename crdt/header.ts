/**
 * The bytes of an op's header (SPEC.md, "Op"): the canonical bytes of a map of fixed keys, written in one go.
 *
 *   key   a?   h   k   l   n   o?   p   r   t   v   w   kd?   sh?
 *
 * A header is written and hashed for every op that arrives, and the general encoder takes a third of the time of
 * reading a frame; so this one shape has a writer of its own. test/crdt/op.test.ts holds it against `encode`.
 */
import { utf8 } from './bytes.ts'
import type { Sha256 } from './suite.ts'

/** A header as bytes, for those who have no need of hex. All lengths are as SPEC.md says. */
export type HeaderFields = {
  readonly net: Uint8Array
  readonly type: number
  readonly record: Uint8Array
  readonly actor: Uint8Array
  readonly parents: readonly Uint8Array[]
  readonly w: number
  readonly bodyLength: number
  readonly bodyHash: Uint8Array
  readonly genesis?: { readonly owner: Uint8Array; readonly kind: string; readonly slugHash: Uint8Array } | undefined
  /** The field `a`. */
  readonly via?: Uint8Array | undefined
}

export function encodeFields(fields: HeaderFields): Uint8Array {
  const { into, end } = write(fields)
  return into.slice(OP_PREFIX.length, end)
}

/** The op id, and how many bytes the header takes. */
export function hashFields(fields: HeaderFields, sha256: Sha256): { readonly id: Uint8Array; readonly length: number } {
  const { into, end } = write(fields)
  return { id: sha256(into.subarray(0, end)), length: end - OP_PREFIX.length }
}

const HEADER_VERSION = 1
const OP_PREFIX = utf8('peerage/1/op\0')
const UNSIGNED = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5

/** Header bytes behind the prefix of their hash. Reused: what a header within the limits takes fits. */
const room = new Uint8Array(2048)
room.set(OP_PREFIX)

/** Of everything but kind and parents, with the prefix. */
const FIXED_BYTES_MAX = 400
const PARENT_BYTES = 34

function write(fields: HeaderFields): { into: Uint8Array; end: number } {
  const { genesis, via, parents } = fields
  const kind = genesis && utf8(genesis.kind)
  const bytesMax = FIXED_BYTES_MAX + (kind?.length ?? 0) + parents.length * PARENT_BYTES
  let into = room
  if (bytesMax > room.length) {
    into = new Uint8Array(bytesMax)
    into.set(OP_PREFIX)
  }
  let at = head(into, OP_PREFIX.length, MAP, 9 + (genesis === undefined ? 0 : 3) + (via === undefined ? 0 : 1))
  if (via !== undefined) at = putBytes(into, key(into, at, 'a'), via)
  at = putBytes(into, key(into, at, 'h'), fields.bodyHash)
  at = putBytes(into, key(into, at, 'k'), fields.actor)
  at = putInteger(into, key(into, at, 'l'), fields.bodyLength)
  at = putBytes(into, key(into, at, 'n'), fields.net)
  if (genesis !== undefined) at = putBytes(into, key(into, at, 'o'), genesis.owner)
  at = head(into, key(into, at, 'p'), ARRAY, parents.length)
  for (const parent of parents) at = putBytes(into, at, parent)
  at = putBytes(into, key(into, at, 'r'), fields.record)
  at = putInteger(into, key(into, at, 't'), fields.type)
  at = putInteger(into, key(into, at, 'v'), HEADER_VERSION)
  at = putInteger(into, key(into, at, 'w'), fields.w)
  if (genesis !== undefined && kind !== undefined) {
    at = head(into, key(into, at, 'kd'), TEXT, kind.length)
    into.set(kind, at)
    at = putBytes(into, key(into, at + kind.length, 'sh'), genesis.slugHash)
  }
  return { into, end: at }
}

function key(into: Uint8Array, at: number, text: string): number {
  let end = head(into, at, TEXT, text.length)
  for (let i = 0; i < text.length; i++) into[end++] = text.charCodeAt(i)
  return end
}

function putBytes(into: Uint8Array, at: number, bytes: Uint8Array): number {
  const start = head(into, at, BYTES, bytes.length)
  into.set(bytes, start)
  return start + bytes.length
}

function putInteger(into: Uint8Array, at: number, value: number): number {
  return value < 0 ? head(into, at, NEGATIVE, -1 - value) : head(into, at, UNSIGNED, value)
}

/** The shortest head that says `argument`. */
function head(into: Uint8Array, at: number, major: number, argument: number): number {
  if (argument < 24) {
    into[at] = (major << 5) | argument
    return at + 1
  }
  const size = argument < 0x100 ? 1 : argument < 0x10000 ? 2 : argument < 0x100000000 ? 4 : 8
  into[at] = (major << 5) | (24 + Math.log2(size))
  let rest = argument
  for (let i = size; i > 0; i--) {
    into[at + i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return at + 1 + size
}
