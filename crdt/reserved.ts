/**
 * The other way from view.ts: a body that someone sends, without what only the register can say. Sending back what was
 * read changes nothing.
 */
import { equalValues } from './equal.ts'
import { type Json, type JsonObject, valueToJson } from './json.ts'
import { pointerOf } from './pointer.ts'
import type { Invalid } from './validate.ts'
import { type Doc, newMap } from './value.ts'
import { isReserved, RESERVED_FIELDS } from './view.ts'

export type Stripped = {
  /** What the body says as a document. */
  readonly doc: JsonObject
  readonly errors: readonly Invalid[]
}

/**
 * Takes the reserved names out of a body, as JSON.
 *
 * `known` is what they may repeat: the record as toJson gives it; for a new one what is known of it (id, owner_id,
 * kind, slug). A null repeats what is missing. Give `before`, the document as it is, when the body replaces it whole:
 * then what toJson added or hid is put back as it was.
 */
export function stripReserved(body: JsonObject, known: JsonObject, before?: Doc): Stripped {
  const doc = newMap<Json>()
  const errors: Invalid[] = []
  for (const [key, value] of Object.entries(body)) {
    if (!isReserved(key)) doc[key] = value
    else if (!equalValues(value, known[key] ?? null)) {
      errors.push({ pointer: pointerOf([key]), message: reason(key, known) })
    }
  }
  if (before !== undefined) restore(doc, known, before)
  return { doc, errors }
}

function restore(doc: Record<string, Json>, known: JsonObject, before: Doc): void {
  if (!Object.hasOwn(before, 'name') && doc['name'] === known['slug']) delete doc['name']
  for (const key of RESERVED_FIELDS) {
    const hidden = Object.hasOwn(before, key) ? before[key] : undefined
    if (hidden !== undefined) doc[key] = valueToJson(hidden)
  }
}

function reason(key: string, known: JsonObject): string {
  const value = known[key]
  if (typeof value === 'string' || typeof value === 'number') {
    return `${key} is given by the register: expected ${JSON.stringify(value)} or nothing`
  }
  return `${key} is given by the register${Object.hasOwn(known, 'heads') ? ' and cannot be set' : '; a new record has none yet'}`
}
