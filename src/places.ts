/** Reading and changing one place of a document. */
import { type Doc, isMap, type Path, type Value } from '../crdt/index.ts'

/** What stands there; undefined for nothing. */
export function valueAt(doc: Doc, path: Path): Value | undefined {
  let value: Value | undefined = doc
  for (const key of path) value = isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return value
}

/** A copy with one place changed; undefined removes it. Maps on the way are made, nothing else is changed. */
export function withValue(doc: Doc, path: Path, value: Value | undefined): Doc {
  const [key, ...rest] = path
  if (key === undefined) return isMap(value) ? value : {}
  const copy: Record<string, Value> = Object.assign(Object.create(null), doc)
  if (rest.length === 0 && value === undefined) delete copy[key]
  else if (rest.length === 0) copy[key] = value as Value
  else {
    const inner = Object.hasOwn(doc, key) ? doc[key] : undefined
    if (value !== undefined || isMap(inner)) copy[key] = withValue(isMap(inner) ? inner : {}, rest, value)
  }
  return copy
}
