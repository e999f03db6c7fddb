/**
 * What a signed body can hold: the JSON data model plus byte strings (SPEC.md, "Canonical bytes").
 *
 * Maps have a prototype without keys, so that a key such as `__proto__` is a key like any other.
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

/**
 * An empty map to fill. Not `Object.create(null)`: engines keep that in their slow form, a hash table of its own, and
 * documents are made by the million (a batch of new records took 1.4 times as long).
 */
export function newMap<T>(): Record<string, T> {
  return new (NoKeys as unknown as new () => Record<string, T>)()
}

function NoKeys() {}
NoKeys.prototype = Object.freeze(Object.create(null))

/** Whether an object is one that we or JSON made to hold keys, and nothing else. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === NoKeys.prototype || prototype === Object.prototype || prototype === null
}
