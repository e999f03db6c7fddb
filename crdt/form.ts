/** How a value is written at its place: the one decision that authoring takes from a kind's table. */
import { utf8Length } from './bytes.ts'
import { scalarKey } from './equal.ts'
import type { Field } from './kind.ts'
import { MEMBER_BYTES_MAX, PATH_SEGMENTS_MAX } from './limits.ts'
import { isMap, isScalar, type Path, type Scalar, type Value } from './value.ts'

/** `map` is taken apart leaf by leaf; a `register` is one value, also when that is a map or a list. */
export type Form = 'register' | 'set' | 'map' | 'text'

/** What the record already has at a place counts where the table is silent: a set stays a set, a text a text. */
export type Shown = { readonly set: boolean; readonly text: boolean }
export const NOT_SHOWN: Shown = { set: false, text: false }

/**
 * The form of `value` at `path`, where `field` is the table's entry, if any. What does not fit the table's way is a
 * register; a map that no table knows is taken apart, as far as a path can go.
 */
export function formOf(path: Path, field: Field | undefined, value: Value, shown: Shown = NOT_SHOWN): Form {
  if (typeof value === 'string') return field?.merge === 'text' || shown.text ? 'text' : 'register'
  if (Array.isArray(value)) return (field?.merge === 'set' || shown.set) && isSet(value) ? 'set' : 'register'
  if (!isMap(value) || Object.keys(value).length === 0 || path.length >= PATH_SEGMENTS_MAX) return 'register'
  return field === undefined || field.merge === 'map' ? 'map' : 'register'
}

/** The table's entry for `key` below `field`, or at the top when `fields` is a kind's. */
export function fieldBelow(fields: Readonly<Record<string, Field>> | undefined, key: string): Field | undefined {
  return fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined
}

/** Whether a list can be written as members: scalars that are short and distinct, and at least one. */
function isSet(list: readonly Value[]): list is readonly Scalar[] {
  const keys = new Set<string>()
  for (const item of list) {
    if (!isScalar(item) || bytesAtMost(item) > MEMBER_BYTES_MAX) return false
    keys.add(scalarKey(item))
  }
  return list.length > 0 && keys.size === list.length
}

/** An upper bound of a scalar's canonical bytes, exact but for the head. */
function bytesAtMost(scalar: Scalar): number {
  if (typeof scalar === 'string') return utf8Length(scalar) + 5
  return scalar instanceof Uint8Array ? scalar.length + 5 : 9
}
