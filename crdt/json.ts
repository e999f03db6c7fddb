/**
 * Between JSON and the values that are signed. JSON is what people and programs write; a value is what has canonical
 * bytes (SPEC.md, "Canonical bytes"). Bytes stand in JSON as `{"/": {"bytes": base64}}`.
 *
 * Reading never throws for what a stranger wrote: everything that has no canonical form, or would not fit into an op,
 * comes back as an error with its pointer. Nothing is silently changed but -0, which becomes 0.
 */
import { base64 } from 'multiformats/bases/base64'
import { utf8Length } from './bytes.ts'
import { DOC_DEPTH_MAX, DOC_KEYS_MAX, INVALID_FIELDS_MAX, ITEMS_MAX, KEY_BYTES_MAX, TEXT_BYTES_MAX } from './limits.ts'
import { isKey } from './place.ts'
import { pointerOf } from './pointer.ts'
import type { Invalid } from './validate.ts'
import { type Doc, isMap, isPlain, newMap, type Path, type Value } from './value.ts'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

export type FromJson = { readonly ok: true; readonly value: Doc } | { readonly ok: false; readonly errors: Invalid[] }

/**
 * A document from parsed JSON (or YAML). The errors are the first INVALID_FIELDS_MAX, each with its pointer.
 *
 * A whole number beyond 2^53-1 is refused, for its digits were lost when it was parsed: it belongs into a text.
 */
export function fromJson(json: unknown): FromJson {
  const reading: Reading = { errors: [], keys: 0 }
  if (!isPlainMap(json)) return { ok: false, errors: [{ pointer: '', message: `expected a map, got ${nameOf(json)}` }] }
  const value = read(reading, [], json, false)
  return reading.errors.length === 0 ? { ok: true, value: value as Doc } : { ok: false, errors: reading.errors }
}

/** One value of a document, as `set` and the like take it. Pointers of its errors start at `path`. */
export function valueFromJson(
  json: unknown,
  path: Path = [],
): { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly errors: Invalid[] } {
  const reading: Reading = { errors: [], keys: 0 }
  const value = read(reading, path, json, false)
  return reading.errors.length === 0 ? { ok: true, value } : { ok: false, errors: reading.errors }
}

/** A value as JSON. Maps are null-prototype objects here too, so that `__proto__` stays a key. */
export function valueToJson(value: Value): Json {
  if (value instanceof Uint8Array) return { '/': { bytes: base64.baseEncode(value) } }
  if (Array.isArray(value)) return value.map(valueToJson)
  if (!isMap(value)) return value as null | boolean | number | string
  const map = newMap<Json>()
  for (const key of Object.keys(value)) map[key] = valueToJson(value[key] as Value)
  return map
}

type Reading = { readonly errors: Invalid[]; keys: number }

/** `listed`: inside a list, whose keys are no places of their own and so are not counted. */
function read(reading: Reading, path: Path, json: unknown, listed: boolean): Value {
  switch (typeof json) {
    case 'boolean':
      return json
    case 'string':
      return readText(reading, path, json)
    case 'number':
      return readNumber(reading, path, json)
    case 'object':
      if (json === null) return null
      if (json instanceof Uint8Array) return json.slice()
      if (path.length >= DOC_DEPTH_MAX) {
        return refuse(reading, path, `expected at most ${DOC_DEPTH_MAX} maps and lists within one another`)
      }
      if (Array.isArray(json)) return readList(reading, path, json)
      if (isPlainMap(json)) return bytesOf(json) ?? readMap(reading, path, json, listed)
  }
  return refuse(reading, path, `expected JSON, got ${nameOf(json)}`)
}

function readText(reading: Reading, path: Path, text: string): Value {
  if (!text.isWellFormed()) return refuse(reading, path, 'expected well-formed Unicode, got half a surrogate pair')
  // A UTF-16 unit is at most three bytes, so that most texts need not be counted.
  if (text.length * 3 > TEXT_BYTES_MAX && utf8Length(text) > TEXT_BYTES_MAX) {
    return refuse(reading, path, `expected at most ${TEXT_BYTES_MAX} bytes of text, got ${utf8Length(text)}`)
  }
  return text
}

function readNumber(reading: Reading, path: Path, number: number): Value {
  if (!Number.isFinite(number)) return refuse(reading, path, 'expected a number that fits into 64 bits')
  if (Number.isInteger(number) && !Number.isSafeInteger(number)) {
    return refuse(reading, path, 'expected a whole number of at most 2^53-1, write larger ones as a text')
  }
  return number === 0 ? 0 : number
}

function readList(reading: Reading, path: Path, list: readonly unknown[]): Value {
  if (list.length > ITEMS_MAX) {
    return refuse(reading, path, `expected at most ${ITEMS_MAX} items, got ${list.length}`)
  }
  return list.map((item, i) => read(reading, [...path, String(i)], item, true))
}

function readMap(reading: Reading, path: Path, json: Record<string, unknown>, listed: boolean): Value {
  const keys = Object.keys(json)
  const most = listed ? ITEMS_MAX : DOC_KEYS_MAX
  if (!listed) reading.keys += keys.length
  if ((listed ? keys.length : reading.keys) > most) {
    return refuse(reading, path, `expected at most ${most} keys${listed ? '' : ' in all'}`)
  }
  const map = newMap<Value>()
  for (const key of keys) {
    if (reading.errors.length >= INVALID_FIELDS_MAX) break
    if (!key.isWellFormed() || !isKey(key)) {
      refuse(reading, [...path, key.slice(0, 40).toWellFormed()], `expected a key of at most ${KEY_BYTES_MAX} bytes`)
    } else {
      map[key] = read(reading, [...path, key], json[key], listed)
    }
  }
  return map
}

/** The bytes in `{"/": {"bytes": base64}}`; undefined for every other map. */
function bytesOf(json: Record<string, unknown>): Uint8Array | undefined {
  const inner = json['/']
  if (!isPlainMap(inner) || typeof inner['bytes'] !== 'string') return undefined
  if (Object.keys(json).length !== 1 || Object.keys(inner).length !== 1) return undefined
  try {
    return base64.baseDecode(inner['bytes'].replace(/=+$/, '')).slice()
  } catch {
    // Not base64, so it is a map like any other.
    return undefined
  }
}

function refuse(reading: Reading, path: Path, message: string): Value {
  if (reading.errors.length < INVALID_FIELDS_MAX) reading.errors.push({ pointer: pointerOf(path), message })
  return null
}

function isPlainMap(json: unknown): json is Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
  return isPlain(json)
}

function nameOf(json: unknown): string {
  if (json === null || json === undefined) return String(json)
  if (Array.isArray(json)) return 'a list'
  return typeof json === 'object' ? (json.constructor?.name ?? 'an object') : `a ${typeof json}`
}
