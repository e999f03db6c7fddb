/**
 * Does a document fit its kind's table? Only known fields are looked at: a field that no table knows is kept as it
 * is, and every field may be missing. `null` says nothing and fits everywhere.
 *
 * Formats and units are for people; the shape of a value is all that is judged here. Pure: never throws, and the
 * work is bounded by the document's size.
 */
import type { Field, FieldType, Items, Kind } from './kind.ts'
import { INVALID_FIELDS_MAX } from './limits.ts'
import { pointerOf } from './pointer.ts'
import { type Doc, isMap, newMap, type Path, type Value, type ValueMap } from './value.ts'

/** One place that does not fit, in words for the person who wrote it. */
export type Invalid = { readonly pointer: string; readonly message: string }

type Misfit = Invalid & {
  /** The field that is left out of search for it: the list, when it is something inside a list. */
  readonly field: Path
}

/** The fields that do not fit, the first INVALID_FIELDS_MAX of them; [] = good. A kind without a table knows no field. */
export function validate(kind: Kind | undefined, doc: Doc): Invalid[] {
  return misfits(kind, doc).map(({ pointer, message }) => ({ pointer, message }))
}

/** The document without the fields that do not fit: what search and facets may see. The same one when all fit. */
export function fitting(kind: Kind | undefined, doc: Doc): Doc {
  let fit = doc
  for (let found = misfits(kind, fit); found.length > 0; found = misfits(kind, fit)) {
    for (const { field } of found) fit = without(fit, field)
  }
  return fit
}

function misfits(kind: Kind | undefined, doc: Doc): Misfit[] {
  const found: Misfit[] = []
  if (kind !== undefined) checkMap([], undefined, doc, kind.fields, found)
  return found
}

/**
 * `list` is how long the path of the outermost list around is, where there is one. The path is one array for the whole
 * walk: nearly every value fits, and then nothing is made.
 */
function checkMap(path: string[], list: number | undefined, map: ValueMap, fields: Fields, found: Misfit[]): void {
  for (const key of namesOf(fields)) {
    if (!Object.hasOwn(map, key)) continue
    path.push(key)
    check(path, list, map[key] as Value, fields[key] as Field, found)
    path.pop()
  }
}

type Fields = Readonly<Record<string, Field>>

/** The names in a table, in its order, which is also the order of what does not fit. */
function namesOf(fields: Fields): readonly string[] {
  let names = namesOfTable.get(fields)
  if (names === undefined) {
    names = Object.keys(fields)
    namesOfTable.set(fields, names)
  }
  return names
}

const namesOfTable = new WeakMap<Fields, readonly string[]>()

type Shape = Pick<Field, 'type' | 'fields' | 'items' | 'minimum' | 'accepts'>

function check(path: string[], list: number | undefined, value: Value, shape: Shape, found: Misfit[]): void {
  if (found.length >= INVALID_FIELDS_MAX || value === null) return
  if (!fits(shape.type, value) && !shape.accepts?.some((type) => fits(type, value))) {
    const wanted = [shape.type, ...(shape.accepts ?? [])].map((type) => WANTED[type])
    found.push(misfit(path, list, `expected ${wanted.join(', or ')}, got ${came(value)}`))
  } else if (typeof value === 'number' && shape.minimum !== undefined && value < shape.minimum) {
    found.push(misfit(path, list, `expected at least ${shape.minimum}, got ${value}`))
  } else if (Array.isArray(value)) {
    if (shape.items === undefined) return
    const items: Items = typeof shape.items === 'string' ? { type: shape.items } : shape.items
    for (let i = 0; i < value.length; i++) {
      path.push(String(i))
      check(path, list ?? path.length - 1, value[i] as Value, items, found)
      path.pop()
    }
  } else if (isMap(value) && shape.fields !== undefined) {
    checkMap(path, list, value, shape.fields, found)
  }
}

function misfit(path: readonly string[], list: number | undefined, message: string): Misfit {
  return { pointer: pointerOf(path), message, field: path.slice(0, list) }
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?$/i

function fits(type: FieldType, value: Value): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return typeof value === 'number'
    case 'decimal':
      return typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value))
    case 'boolean':
      return typeof value === 'boolean'
    case 'list':
      return Array.isArray(value)
    case 'map':
      return isMap(value)
    case 'enum':
      return typeof value === 'string' || otherOf(value) !== undefined
    case 'any':
      return true
  }
}

/** The text of an enum's `{"Other": text}`; undefined for anything else. */
export function otherOf(value: Value | undefined): string | undefined {
  if (!isMap(value)) return undefined
  const { Other: other, ...rest } = value
  return typeof other === 'string' && Object.keys(rest).length === 0 ? other : undefined
}

const WANTED: Readonly<Record<FieldType, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  decimal: 'a number, also written as a text',
  boolean: 'true or false',
  list: 'a list',
  map: 'a map',
  enum: 'a text or {"Other": text}',
  any: 'anything',
}

function came(value: Value): string {
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  if (value instanceof Uint8Array) return 'bytes'
  if (Array.isArray(value)) return 'a list'
  if (isMap(value)) return 'a map'
  return String(value)
}

function without(map: ValueMap, path: Path): ValueMap {
  const [key, ...rest] = path
  const copy = Object.assign(newMap<Value>(), map)
  const inner = copy[key as string]
  if (rest.length === 0 || !isMap(inner)) delete copy[key as string]
  else copy[key as string] = without(inner, rest)
  return copy
}
