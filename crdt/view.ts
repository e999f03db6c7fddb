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
import { validate } from './validate.ts'
import { newMap } from './value.ts'

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
  'equivocation',
  'incomplete',
]
const reserved: ReadonlySet<string> = new Set(RESERVED_FIELDS)

export function isReserved(name: string): boolean {
  return reserved.has(name)
}

/**
 * A record in JSON. `name` is the slug when the document gives none; conflicts, invalid_fields, equivocation (one key
 * signed two ops on equal parents) and incomplete (a body is not held here) are left out when there are none. Times are ms since 1970. Maps are null-prototype objects.
 */
export function toJson(merged: Merged, kind: Kind | undefined): JsonObject {
  const view = newMap<Json>()
  view['id'] = merged.record
  if (kind?.idAlias !== undefined) view[kind.idAlias] = merged.record
  view['owner_id'] = ownerToDid(merged.owner)
  view['kind'] = merged.kind
  if (merged.slug !== undefined) view['slug'] = merged.slug
  const name = Object.hasOwn(merged.doc, 'name') ? merged.doc['name'] : merged.slug
  if (name !== undefined) view['name'] = valueToJson(name)
  for (const [key, value] of Object.entries(merged.doc)) {
    if (!isReserved(key)) view[key] = valueToJson(value)
  }
  view['heads'] = merged.heads.map(opIdToCid)
  view['registered_at'] = merged.registeredAt
  view['changed_at'] = merged.changedAt
  if (merged.conflicts.length > 0) view['conflicts'] = conflictsToJson(merged.conflicts)
  if (merged.equivocations !== undefined) view['equivocation'] = true
  if (merged.incomplete !== undefined) view['incomplete'] = true
  const invalid = validate(kind, merged.doc)
  if (invalid.length > 0) view['invalid_fields'] = invalid.map(({ pointer, message }) => ({ pointer, message }))
  return view
}

/**
 * `{pointer: [{value, actor, w, op}]}`, the shown side first. A side that says "absent" has `absent: true` and no
 * value; one that stands at another place has its `pointer`; one about a member of a set has the `member`.
 */
export function conflictsToJson(conflicts: readonly Conflict[]): JsonObject {
  const byPointer = newMap<Json[]>()
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
