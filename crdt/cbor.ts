/**
 * Canonical bytes: DAG-CBOR, restricted so that each value has exactly one encoding (SPEC.md, "Canonical bytes").
 *
 * `decode` reads strangers' bytes: one pass over them settles whether they are canonical and within the limits before
 * anything is built, so bad bytes are cheap to refuse and no nesting reaches the call stack. `encode` writes values of
 * our own; what it writes, `decode` accepts. Heads, numbers and text are read and written by cborg.
 *
 * cborg is used bare, not through @ipld/dag-cbor: that one takes some plain maps, such as {"/": "x", "bytes": "x"},
 * for a link when it encodes them.
 */
import { encodeInto, Tokenizer } from 'cborg'
import { utf8Length } from './bytes.ts'
import { DEPTH_MAX, STATE_DEPTH_MAX } from './limits.ts'
import { type CborReason, scan, textRange, type ValueLimits } from './scan.ts'
import type { Value, ValueMap } from './value.ts'

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
  const bytes = new Uint8Array(encodedLength(value, limits, 0))
  encodeInto(value, bytes, { float64: true })
  return bytes
}

/** Reads canonical bytes within the limits; anything else is refused with its reason. Never throws. */
export function decode(bytes: Uint8Array, limits: ValueLimits = WIRE_LIMITS): Decoded {
  const reason = scan(bytes, limits)
  if (reason !== undefined) return { ok: false, reason }
  return { ok: true, value: read(bytes) }
}

/**
 * The UTF-8 that a canonical map holds under `key`, which is UTF-8 too; undefined when the bytes are not canonical, no
 * map, or hold no text there. Nothing is built or copied.
 */
export function textAt(bytes: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const sought = { key, at: -1 }
  if (scan(bytes, WIRE_LIMITS, sought) !== undefined || sought.at < 0) return undefined
  const range = textRange(bytes, sought.at)
  return range && bytes.subarray(range.start, range.end)
}

/** Bytes that `value` takes, which also settles whether it has an encoding at all. */
function encodedLength(value: unknown, limits: ValueLimits, depth: number): number {
  switch (typeof value) {
    case 'boolean':
      return 1
    case 'number':
      return numberLength(value)
    case 'string':
      return textLength(value)
    case 'object':
      break
    default:
      throw new TypeError(`expected a value with an encoding, got ${typeof value}`)
  }
  if (value === null) return 1
  if (value instanceof Uint8Array) return headLength(value.length) + value.length
  if (depth === limits.depth) throw new RangeError(`expected at most ${limits.depth} containers within one another`)
  const keys = Array.isArray(value) ? undefined : mapKeys(value)
  const items = keys === undefined ? (value as readonly unknown[]) : keys
  if (items.length > limits.items) throw new RangeError(`expected at most ${limits.items} items, got ${items.length}`)
  let length = headLength(items.length)
  if (keys === undefined) {
    for (const item of items) length += encodedLength(item, limits, depth + 1)
    return length
  }
  for (const key of keys) {
    length += textLength(key) + encodedLength((value as Record<string, unknown>)[key], limits, depth + 1)
  }
  return length
}

function mapKeys(value: object): string[] {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) {
    throw new TypeError(`expected a plain map, got ${Object.prototype.toString.call(value)}`)
  }
  return Object.keys(value)
}

function numberLength(value: number): number {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return headLength(value < 0 ? -1 - value : value)
  if (!Number.isFinite(value) || value === 0) {
    throw new RangeError(`expected a finite number other than -0, got ${Object.is(value, -0) ? '-0' : value}`)
  }
  return 9
}

function textLength(text: string): number {
  if (!text.isWellFormed()) throw new RangeError('expected well-formed text, got a lone surrogate')
  const length = utf8Length(text)
  return headLength(length) + length
}

function headLength(argument: number): number {
  if (argument < 24) return 1
  if (argument < 0x100) return 2
  if (argument < 0x10000) return 3
  return argument < 0x100000000 ? 5 : 9
}

/** The value at the start of bytes that were scanned. */
function read(bytes: Uint8Array): Value {
  // A Node Buffer would hand out views of itself where a Uint8Array hands out copies.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  return build(plain, new Tokenizer(plain, DECODE_OPTIONS))
}

const DECODE_OPTIONS = { strict: true, allowIndefinite: false, allowBigInt: false, allowUndefined: false }

function build(bytes: Uint8Array, tokens: Tokenizer): Value {
  const at = tokens.pos()
  const token = tokens.next()
  switch (token.type.name) {
    case 'array': {
      const items: Value[] = []
      for (let i = 0; i < token.value; i++) items.push(build(bytes, tokens))
      return items
    }
    case 'map': {
      const map: Record<string, Value> = Object.create(null)
      for (let i = 0; i < token.value; i++) {
        const key = build(bytes, tokens) as string
        map[key] = build(bytes, tokens)
      }
      return map as ValueMap
    }
    case 'string':
      return withMark(bytes, at, token.value)
    default:
      return token.value
  }
}

/** cborg's text decoder takes a leading byte order mark for no part of the text, and drops it. */
function withMark(bytes: Uint8Array, at: number, text: string): string {
  const { start, end } = textRange(bytes, at) as { start: number; end: number }
  return bytes[start] === 0xef && start < end && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf
    ? `\uFEFF${text}`
    : text
}
