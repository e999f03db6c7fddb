/**
 * A merged record as the JSON that people and programs see: the document's own fields, and around them what the
 * register says about the record. The names of the latter are reserved: a body may only repeat them.
 */
import { keyToDid, ownerToDid } from './did.ts'
import { type Json, type JsonObject, valueToJson } from './json.ts'
import type { Kind } from './kind.ts'
import { kinds } from './kinds/index.ts'
import type { Alternative, Conflict, Merged } from './merge.ts'
import { opIdToCid } from './names.ts'
import { pointerOf } from './pointer.ts'
import { type Invalid, validate } from './validate.ts'
import type { Doc } from './value.ts'

export { type Json, type JsonObject, valueToJson } from './json.ts'
export { pathOf, pointerOf } from './pointer.ts'

/** The names under which the register speaks. A document's own field of such a name is kept and not shown. */
export const RESERVED_FIELDS: readonly string[] = [
  'id',
  ...Object.values(kinds).flatMap((kind) => kind.idAlias ?? []),
  'owner_id',
  'kind',
  'slug',
  'heads',
  'registered_at',
  'changed_at',
  'conflicts',
  'invalid_fields',
]

/**
 * A record in JSON. `name` is the slug when the document gives none; conflicts and invalid_fields are left out when
 * there are none. Times are ms since 1970. Maps are null-prototype objects.
 */
export function toJson(merged: Merged, kind: Kind | undefined): JsonObject {
  const view: Record<string, Json> = Object.create(null)
  view['id'] = merged.record
  if (kind?.idAlias !== undefined) view[kind.idAlias] = merged.record
  view['owner_id'] = ownerToDid(merged.owner)
  view['kind'] = merged.kind
  if (merged.slug !== undefined) view['slug'] = merged.slug
  const name = Object.hasOwn(merged.doc, 'name') ? merged.doc['name'] : merged.slug
  if (name !== undefined) view['name'] = valueToJson(name)
  for (const [key, value] of Object.entries(merged.doc)) {
    if (!RESERVED_FIELDS.includes(key)) view[key] = valueToJson(value)
  }
  view['heads'] = merged.heads.map(opIdToCid)
  view['registered_at'] = merged.registeredAt
  view['changed_at'] = merged.changedAt
  if (merged.conflicts.length > 0) view['conflicts'] = conflictsToJson(merged.conflicts)
  const invalid = validate(kind, merged.doc)
  if (invalid.length > 0) view['invalid_fields'] = invalid.map(({ pointer, message }) => ({ pointer, message }))
  return view
}

/**
 * `{pointer: [{value, actor, w, op}]}`, the shown side first. A side that says "absent" has `absent: true` and no
 * value; one that stands at another place has its `pointer`; one about a member of a set has the `member`.
 */
export function conflictsToJson(conflicts: readonly Conflict[]): JsonObject {
  const byPointer: Record<string, Json[]> = Object.create(null)
  for (const { path, alternatives } of conflicts) {
    const pointer = pointerOf(path)
    byPointer[pointer] ??= []
    byPointer[pointer].push(...alternatives.map(alternativeToJson))
  }
  return byPointer
}

function alternativeToJson({ value, path, member, actor, w, op }: Alternative): JsonObject {
  return {
    ...(value === undefined ? { absent: true } : { value: valueToJson(value) }),
    ...(path === undefined ? {} : { pointer: pointerOf(path) }),
    ...(member === undefined ? {} : { member: valueToJson(member) }),
    actor: keyToDid(actor),
    w,
    op: opIdToCid(op),
  }
}

export type Stripped = {
  /** What the body says as a document. */
  readonly doc: JsonObject
  /** The slug a new record asks for. */
  readonly slug?: string
  readonly errors: readonly Invalid[]
}

/**
 * Takes the reserved names out of a body, as JSON.
 *
 * `known` is what they may repeat: the record as toJson gives it; for a new one whatever is known of it ({kind,
 * owner_id}), and then `slug` is the body's to give. A null repeats what is missing. Give `before`, the document as
 * it is, when the body replaces it whole: then what toJson added or hid is put back as it was, so that sending back
 * what was read changes nothing.
 */
export function stripReserved(body: JsonObject, known: JsonObject, before?: Doc): Stripped {
  const doc: Record<string, Json> = Object.create(null)
  const errors: Invalid[] = []
  const isNew = !Object.hasOwn(known, 'heads')
  let slug: string | undefined
  for (const [key, value] of Object.entries(body)) {
    if (!RESERVED_FIELDS.includes(key)) doc[key] = value
    else if (key === 'slug' && isNew && !Object.hasOwn(known, key)) {
      if (typeof value === 'string') slug = value
      else if (value !== null) errors.push({ pointer: '/slug', message: 'expected a text' })
    } else if (!equalJson(value, Object.hasOwn(known, key) ? (known[key] ?? null) : null)) {
      errors.push({ pointer: pointerOf([key]), message: reason(key, known, isNew) })
    }
  }
  if (before !== undefined) restore(doc, known, before)
  return slug === undefined ? { doc, errors } : { doc, slug, errors }
}

function restore(doc: Record<string, Json>, known: JsonObject, before: Doc): void {
  if (!Object.hasOwn(before, 'name') && doc['name'] === known['slug']) delete doc['name']
  for (const key of RESERVED_FIELDS) {
    const hidden = Object.hasOwn(before, key) ? before[key] : undefined
    if (hidden !== undefined) doc[key] = valueToJson(hidden)
  }
}

function reason(key: string, known: JsonObject, isNew: boolean): string {
  const value = Object.hasOwn(known, key) ? known[key] : undefined
  if (typeof value === 'string' || typeof value === 'number') {
    return `${key} is given by the register: expected ${JSON.stringify(value)} or nothing`
  }
  return `${key} is given by the register${isNew ? ', a new record has none yet' : ' and cannot be set'}`
}

function equalJson(a: Json, b: Json): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [a as JsonObject, b as JsonObject]
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equalJson(left[key] as Json, right[key] as Json))
  )
}
