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
import { compareText, utf8Length } from './bytes.ts'
import { DEPTH_MAX, STATE_DEPTH_MAX } from './limits.ts'
import { type CborReason, scan, textRange, type ValueLimits } from './scan.ts'
import { isPlain, newMap, type Value, type ValueMap } from './value.ts'

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
  write(value, bytes, 0)
  return bytes
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
  if (!isPlain(value)) {
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

/** Writes a value whose length was counted, and answers where it ends. */
function write(value: Value, bytes: Uint8Array, at: number): number {
  if (typeof value === 'string') return writeText(value, bytes, at)
  if (typeof value === 'number') return writeNumber(value, bytes, at)
  if (value === null || typeof value === 'boolean') {
    bytes[at] = value === null ? 0xf6 : value ? 0xf5 : 0xf4
    return at + 1
  }
  if (value instanceof Uint8Array) {
    const start = writeHead(BYTES, value.length, bytes, at)
    bytes.set(value, start)
    return start + value.length
  }
  if (Array.isArray(value)) {
    let next = writeHead(ARRAY, value.length, bytes, at)
    for (let i = 0; i < value.length; i++) next = write(value[i] as Value, bytes, next)
    return next
  }
  const map = value as ValueMap
  const keys = inOrder(Object.keys(map))
  let next = writeHead(MAP, keys.length, bytes, at)
  for (const key of keys) next = write(map[key] as Value, bytes, writeText(key, bytes, next))
  return next
}

/** Maps that were read have their keys in order already. */
function inOrder(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) {
    if (compareText(keys[i - 1] as string, keys[i] as string) > 0) return keys.sort(compareText)
  }
  return keys
}

function writeText(text: string, bytes: Uint8Array, at: number): number {
  const length = utf8Length(text)
  const start = writeHead(TEXT, length, bytes, at)
  if (length !== text.length || length > LONG) encoder.encodeInto(text, bytes.subarray(start))
  else for (let i = 0; i < length; i++) bytes[start + i] = text.charCodeAt(i)
  return start + length
}

function writeNumber(value: number, bytes: Uint8Array, at: number): number {
  if (Number.isSafeInteger(value)) {
    return value < 0 ? writeHead(NEGATIVE, -1 - value, bytes, at) : writeHead(0, value, bytes, at)
  }
  bytes[at] = FLOAT64
  view(bytes).setFloat64(at + 1, value)
  return at + 9
}

function writeHead(major: number, argument: number, bytes: Uint8Array, at: number): number {
  const type = major << 5
  if (argument < 24) {
    bytes[at] = type | argument
    return at + 1
  }
  const size = headLength(argument) - 1
  bytes[at] = type | (24 + Math.log2(size))
  let rest = argument
  for (let i = at + size; i > at; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return at + 1 + size
}

/** Reads bytes that were scanned, so that nothing has to be checked again. */
class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    // A Node Buffer's slice is a view of it where a Uint8Array's is a copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  value(): Value {
    const bytes = this.#bytes
    const head = bytes[this.#at++] as number
    if (head >= SIMPLE) {
      if (head !== FLOAT64) return head === 0xf6 ? null : head === 0xf5
      this.#at += 8
      return view(bytes).getFloat64(this.#at - 8)
    }
    const argument = this.#argument(head & 31)
    switch (head >> 5) {
      case 0:
        return argument
      case NEGATIVE:
        return -1 - argument
      case BYTES:
        this.#at += argument
        return bytes.slice(this.#at - argument, this.#at)
      case TEXT:
        return this.#text(argument)
      case ARRAY: {
        const items: Value[] = []
        for (let i = 0; i < argument; i++) items.push(this.value())
        return items
      }
      default: {
        const map = newMap<Value>()
        for (let i = 0; i < argument; i++) {
          const key = this.value() as string
          map[key] = this.value()
        }
        return map
      }
    }
  }

  #argument(minor: number): number {
    if (minor < 24) return minor
    let argument = 0
    for (let size = 1 << (minor - 24); size > 0; size--) argument = argument * 256 + (this.#bytes[this.#at++] as number)
    return argument
  }

  #text(length: number): string {
    const start = this.#at
    this.#at += length
    return length <= SHORT
      ? shortText(this.#bytes, start, length)
      : decoder.decode(this.#bytes.subarray(start, this.#at))
  }
}

/**
 * Names of fields and their usual values come again in every record: each is made once, and found by its bytes. A text
 * is kept where its hash points, and the next with that hash takes its place.
 */
const known: { readonly bytes: Uint8Array; readonly text: string }[] = []
const KNOWN_TEXTS = 4096

function shortText(bytes: Uint8Array, start: number, length: number): string {
  let hash = length
  for (let i = start; i < start + length; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
  const slot = hash & (KNOWN_TEXTS - 1)
  const found = known[slot]
  if (found !== undefined && found.bytes.length === length) {
    let i = 0
    while (i < length && found.bytes[i] === bytes[start + i]) i++
    if (i === length) return found.text
  }
  const own = bytes.slice(start, start + length)
  const text = decoder.decode(own)
  known[slot] = { bytes: own, text }
  return text
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
/** Heads from here on are false, true, null and the float. */
const SIMPLE = 0xf4
const FLOAT64 = 0xfb
/** Below this many letters the encoder's call costs more than its work. */
const LONG = 48
/** Texts up to this many bytes are looked up before they are made. */
const SHORT = 24
const encoder = new TextEncoder()
/** A leading byte order mark is part of the text. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
