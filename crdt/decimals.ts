/** Decimals as numbers: a price may be written as a text that stays exact, and is still compared and put in order by size. */
import { fieldsOf, type Kind } from './kind.ts'
import { type Doc, isMap, newMap, type Path, type Value, type ValueMap } from './value.ts'

const pathsOfKind = new WeakMap<Kind, readonly Path[]>()

/** The document with a number in place of each text in a field of decimals. The same one when there is none. */
export function withNumbers(kind: Kind | undefined, doc: Doc): Doc {
  let read = doc
  for (const path of kind === undefined ? [] : decimalPaths(kind)) {
    const number = decimalOf(valueAt(read, path))
    if (number !== undefined) read = replaced(read, path, number)
  }
  return read
}

/** The number that a text in a field of decimals is; undefined for any other value. */
export function decimalOf(value: Value | undefined): number | undefined {
  if (typeof value !== 'string' || value.trim() === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

function decimalPaths(kind: Kind): readonly Path[] {
  let paths = pathsOfKind.get(kind)
  if (paths === undefined) {
    paths = fieldsOf(kind).flatMap(({ path, field }) => (field.type === 'decimal' ? [path] : []))
    pathsOfKind.set(kind, paths)
  }
  return paths
}

function valueAt(doc: Doc, path: Path): Value | undefined {
  let value: Value | undefined = doc
  for (const key of path) value = isMap(value) && Object.hasOwn(value, key) ? (value[key] as Value) : undefined
  return value
}

function replaced(map: ValueMap, [key, ...rest]: Path, number: number): ValueMap {
  const copy = Object.assign(newMap<Value>(), map)
  copy[key as string] = rest.length === 0 ? number : replaced(copy[key as string] as ValueMap, rest, number)
  return copy
}
