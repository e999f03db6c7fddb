/** JSON merge patch (RFC 7396) over documents. */
import { type Doc, isMap, newMap, type Path, type Value, type ValueMap } from './value.ts'

/** The document after the patch; neither argument is changed. A null removes, a map goes down, anything else replaces. */
export function applyMergePatch(doc: Doc, patch: Doc): Doc {
  const after = Object.assign(newMap<Value>(), doc)
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete after[key]
    else after[key] = isMap(change) ? applyMergePatch(mapOrEmpty(after[key]), change) : change
  }
  return after
}

/** The places a patch speaks of: where it puts a value, removes one, or asks for a map. */
export function namedBy(patch: Doc): Path[] {
  return Object.entries(patch).flatMap(([key, change]) => {
    if (!isMap(change) || Object.keys(change).length === 0) return [[key]]
    return namedBy(change).map((path) => [key, ...path])
  })
}

function mapOrEmpty(value: Value | undefined): ValueMap {
  return isMap(value) ? value : {}
}
