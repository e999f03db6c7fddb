/**
 * What a write means for a record as it is: the content of one op, nothing, or what is wrong with it. Pure, and the
 * same decisions as a node makes for the writes it signs, so that both derive the same patch from the same two
 * documents.
 */
import {
  applyMergePatch,
  BODY_BYTES_MAX,
  bodyOf,
  type Doc,
  diff,
  diffMergePatch,
  encodeBody,
  encodeVerbs,
  equalValues,
  fromJson,
  type JsonObject,
  type Kind,
  type Merged,
  pathOf,
  stripReserved,
  toJson,
  type Verb,
  validate,
} from '../crdt/index.ts'
import { valueAt } from './places.ts'

export type FieldError = { readonly pointer: string; readonly message: string }

/** What one op says, before it has parents and a time. */
export type Content = { readonly type: 'genesis' | 'put' | 'patch' | 'delete'; readonly body: Uint8Array }

export type Decision =
  | { readonly do: 'write'; readonly content: Content }
  | { readonly do: 'nothing' }
  | {
      readonly do: 'refuse'
      readonly code: 'invalid' | 'exists' | 'not-found'
      readonly errors: readonly FieldError[]
    }

/** The record a write is about. */
export type Target = { readonly kind: Kind; readonly id: string; readonly slug: string; readonly ownerDid: string }
export type Rules = {
  /** Keep known fields of the wrong type; the record lists them under invalid_fields. */
  readonly lenient?: boolean
}
export type Decide = (target: Target, json: JsonObject, before: Merged | undefined, rules: Rules) => Decision

/** Registers; refuses where a live record has the name. */
export const decideRegister: Decide = (target, json, before, rules) =>
  before?.live ? refuse('exists', `${target.kind.name}/${target.slug} exists`) : create(target, json, before, rules)

/** Makes the document what the record says, and leaves no conflict; creates or restores it where it is not there. */
export const decideReplace: Decide = (target, json, before, rules) => {
  if (!before?.live) return create(target, json, before, rules)
  const { kind } = target
  const read = readBody(json, toJson(before, kind), before.doc)
  if (!read.ok) return invalid(read.errors)
  return change(kind, before, read.doc, diff(kind, before, read.doc, { settle: true }), rules)
}

/** As replace, but what the document does not name stays, conflicts too. */
export const decideOverlay: Decide = (target, json, before, rules) => {
  if (!before?.live) return create(target, json, before, rules)
  const read = readBody(json, toJson(before, target.kind))
  if (!read.ok) return invalid(read.errors)
  const after: Doc = Object.assign(Object.create(null), before.doc, read.doc)
  return decideChange(target.kind, before, after, rules)
}

/** A JSON merge patch. A place in conflict that it names is written even when its value is the one shown. */
export const decidePatch: Decide = ({ kind }, json, before, rules) => {
  if (!before?.live) return missing(before)
  const read = readBody(json, toJson(before, kind))
  if (!read.ok) return invalid(read.errors)
  return change(kind, before, applyMergePatch(before.doc, read.doc), diffMergePatch(kind, before, read.doc), rules)
}

export function decideDelete(before: Merged | undefined): Decision {
  return before?.live ? { do: 'write', content: { type: 'delete', body: new Uint8Array(0) } } : missing(before)
}

/** Makes a live record say `after`, and leaves conflicts that this does not touch. */
export function decideChange(kind: Kind, before: Merged, after: Doc, rules: Rules = {}): Decision {
  return change(kind, before, after, diff(kind, before, after), rules)
}

export function missing(before: Merged | undefined): Decision {
  return refuse('not-found', before === undefined ? 'there is no such record' : 'the record was deleted')
}

function create(target: Target, json: JsonObject, before: Merged | undefined, rules: Rules): Decision {
  const { kind, id, slug, ownerDid } = target
  const alias = kind.idAlias === undefined ? {} : { [kind.idAlias]: id }
  const read = readBody(json, { id, ...alias, owner_id: ownerDid, kind: kind.name, slug })
  if (!read.ok) return invalid(read.errors)
  const errors = rules.lenient ? [] : validate(kind, read.doc)
  if (errors.length > 0) return invalid(errors)
  // A put has no need of the slug: the genesis below it has told it.
  const body = encodeBody(bodyOf(kind, before === undefined ? slug : undefined, read.doc))
  if (body.length > BODY_BYTES_MAX) return tooLarge
  return { do: 'write', content: { type: before === undefined ? 'genesis' : 'put', body } }
}

function change(kind: Kind, before: Merged, after: Doc, verbs: readonly Verb[], rules: Rules): Decision {
  if (verbs.length === 0) return { do: 'nothing' }
  const errors = rules.lenient ? [] : newErrors(kind, before, after)
  if (errors.length > 0) return invalid(errors)
  const patch = encodeVerbs(verbs)
  if (patch.length <= BODY_BYTES_MAX) return { do: 'write', content: { type: 'patch', body: patch } }
  // A change of nearly everything can be larger as verbs than as a document.
  const body = encodeBody(bodyOf(kind, undefined, after))
  return body.length <= BODY_BYTES_MAX ? { do: 'write', content: { type: 'put', body } } : tooLarge
}

/** Errors that this change brings in; what the record says wrong already is not this writer's fault. */
function newErrors(kind: Kind, before: Merged, after: Doc): FieldError[] {
  const errors = validate(kind, after)
  if (errors.length === 0) return errors
  const old = new Set(validate(kind, before.doc).map((error) => error.pointer))
  return errors.filter(({ pointer }) => {
    const path = pathOf(pointer) ?? []
    return !old.has(pointer) || !equalValues(valueAt(before.doc, path), valueAt(after, path))
  })
}

type Read = { readonly ok: true; readonly doc: Doc } | { readonly ok: false; readonly errors: readonly FieldError[] }

function readBody(json: JsonObject, known: JsonObject, before?: Doc): Read {
  const stripped = stripReserved(json, known, before)
  if (stripped.errors.length > 0) return { ok: false, errors: stripped.errors }
  const read = fromJson(stripped.doc)
  return read.ok ? { ok: true, doc: read.value } : read
}

function invalid(errors: readonly FieldError[]): Decision {
  return { do: 'refuse', code: 'invalid', errors }
}

function refuse(code: 'exists' | 'not-found', message: string): Decision {
  return { do: 'refuse', code, errors: [{ pointer: '', message }] }
}

const tooLarge: Decision = invalid([
  { pointer: '', message: `more than ${BODY_BYTES_MAX} bytes, which one op can carry` },
])
