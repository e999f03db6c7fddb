/** Equality of values: the same canonical bytes, told without making them. The order of a map's keys says nothing. */
import { equalBytes } from './bytes.ts'
import { isMap, type Scalar, type Value } from './value.ts'

export function equalValues(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && equalBytes(a, b)
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item, i) => equalValues(item, b[i]))
  }
  if (!isMap(a) || !isMap(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && equalValues(a[key], b[key]))
}

/** A text that two scalars share iff they have the same canonical bytes: how members are looked up. */
export function scalarKey(scalar: Scalar): string {
  if (scalar instanceof Uint8Array) return `bytes ${scalar.join()}`
  return typeof scalar === 'string' ? `text ${scalar}` : String(scalar)
}
