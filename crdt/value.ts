/**
 * What a signed body can hold: the JSON data model plus byte strings (SPEC.md, "Canonical bytes").
 *
 * Maps are null-prototype objects, so that a key such as `__proto__` is a key like any other.
 */
export type Value = null | boolean | number | string | Uint8Array | readonly Value[] | ValueMap
export type ValueMap = { readonly [key: string]: Value }
/** A document: what a record says, as a map. */
export type Doc = ValueMap
export type Scalar = null | boolean | number | string | Uint8Array
/** A place in a document; JSON Pointer is its text form. */
export type Path = readonly string[]

export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

export function isScalar(value: Value): value is Scalar {
  return value === null || typeof value !== 'object' || value instanceof Uint8Array
}
