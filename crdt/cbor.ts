/**
 * Canonical bytes: DAG-CBOR, restricted so that each value has exactly one encoding (SPEC.md, "Canonical bytes").
 *
 * `decode` reads strangers' bytes: one pass over them settles whether they are canonical and within the limits before
 * anything is built, so bad bytes are cheap to refuse and no nesting reaches the call stack. `encode` writes values of
 * our own; what it writes, `decode` accepts.
 *
 * Reading and writing are our own because every op passes through them several times: cborg takes three times as long
 * and made half of the garbage of a registration. The tests hold both directions against cborg. (It also drops a
 * leading byte order mark of a text, and @ipld/dag-cbor takes some plain maps for links.)
 */
import { Reader } from './cbor-read.ts'
import { Writer } from './cbor-write.ts'
import { DEPTH_MAX, STATE_DEPTH_MAX } from './limits.ts'
import { type CborReason, scan, textRange, type ValueLimits } from './scan.ts'
import type { Value } from './value.ts'

export type { CborReason, ValueLimits }
export type Decoded = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: CborReason }

/** Of everything that is signed or sent. How many items a container may hold is settled where its meaning is. */
export const WIRE_LIMITS: ValueLimits = { depth: DEPTH_MAX, items: Infinity }
/** Of what merging makes: paths and lists of alternatives stand around the values of bodies. */
export const STATE_LIMITS: ValueLimits = { depth: STATE_DEPTH_MAX, items: Infinity }

/**
 * The one encoding of a value of our own.
 *
 * Maps may be plain or null-prototype objects, in any order of keys; bytes any Uint8Array. TypeError for what has no
 * encoding (undefined, a Map, a bigint), RangeError for what is out of range (NaN, an infinity, -0, a lone surrogate,
 * more than the limits allow).
 */
export function encode(value: Value, limits: ValueLimits = WIRE_LIMITS): Uint8Array {
  return new Writer(limits).bytes(value)
}

/** Reads canonical bytes within the limits; anything else is refused with its reason. Never throws. */
export function decode(bytes: Uint8Array, limits: ValueLimits = WIRE_LIMITS): Decoded {
  const reason = scan(bytes, limits)
  if (reason !== undefined) return { ok: false, reason }
  return { ok: true, value: new Reader(bytes).value() }
}

/**
 * The UTF-8 that a canonical map holds under `key`, which is UTF-8 too; undefined when the bytes are not canonical, no
 * map, or hold no text there. Nothing is built or copied.
 */
export function textAt(bytes: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const sought = { keys: [key], at: [-1], others: 0 }
  if (scan(bytes, WIRE_LIMITS, sought) !== undefined) return undefined
  const [at] = sought.at as [number]
  const range = at < 0 ? undefined : textRange(bytes, at)
  return range && bytes.subarray(range.start, range.end)
}

/** What the values of a canonical map are, key by key; undefined when the bytes are something else. Nothing is built. */
export function formsAt(bytes: Uint8Array, keys: readonly Uint8Array[]): Forms | undefined {
  const sought = { keys, at: keys.map(() => -1), others: 0 }
  if (scan(bytes, WIRE_LIMITS, sought) !== undefined || (bytes[0] as number) >> 5 !== MAP) return undefined
  const forms = sought.at.map((at) => (at < 0 ? undefined : FORMS[(bytes[at] as number) >> 5]))
  return { forms, others: sought.others }
}

/** Of each key asked for, `undefined` when it is not there; and how many keys more there are. */
export type Forms = { readonly forms: readonly (CborForm | undefined)[]; readonly others: number }
export type CborForm = 'number' | 'bytes' | 'text' | 'list' | 'map' | 'simple'
const FORMS: readonly CborForm[] = ['number', 'number', 'bytes', 'text', 'list', 'map', 'simple', 'simple']
const MAP = 5
