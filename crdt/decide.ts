/**
 * What a document that someone sends means for a record as it is: the content of one op, nothing at all, or what is
 * wrong with it. Every author decides here, so that a node and a program that signs for itself write the same op for
 * the same document.
 *
 * What comes out is within the bounds of one op and encoded: nobody encodes it again, and only parents and a time are
 * missing. A document is judged, never thrown at.
 */
import { bodyOf, diff, diffMergePatch } from './author.ts'
import { encodeBody, encodeVerbs, type Verb } from './body.ts'
import { equalValues } from './equal.ts'
import { fromJson, type JsonObject } from './json.ts'
import type { Kind } from './kind.ts'
import { BODY_BYTES_MAX } from './limits.ts'
import type { Merged } from './merge.ts'
import { applyMergePatch } from './merge-patch.ts'
import type { RecordId } from './op.ts'
import { pathOf } from './pointer.ts'
import { stripReserved } from './reserved.ts'
import { type Invalid, validate } from './validate.ts'
import type { Doc, Value, ValueMap } from './value.ts'
import { isReserved, toJson } from './view.ts'

/** What one op says, before it has parents and a time. */
export type ToWrite = { readonly do: 'genesis' | 'put' | 'patch' | 'delete' | 'erase'; readonly body: Uint8Array }
export type Objection =
  | { readonly do: 'refuse'; readonly why: 'invalid'; readonly errors: readonly Invalid[] }
  /** A live record has the name; there is no live record; one op cannot carry it. */
  | { readonly do: 'refuse'; readonly why: 'exists' | 'missing' | 'too-large' }
export type Decision = ToWrite | { readonly do: 'nothing' } | Objection

/** The record a write is for. The slug and the owner count only where the record is not there yet, or not live. */
export type Target = { readonly kind: Kind; readonly id: RecordId; readonly slug: string; readonly ownerDid: string }
export type Rules = {
  /** Keep known fields of the wrong type: they are listed under invalid_fields and left out of search. */
  readonly lenient?: boolean
}

/** A decision about one record. `json` is the body as it was sent, `before` the record with all that was written. */
export type Decide = (target: Target, json: JsonObject, before: Merged | undefined, rules: Rules) => Decision

/** Registers; refuses where a live record has the name, and restores a deleted one. */
export const decideRegister: Decide = (target, json, before, rules) =>
  before?.live ? { do: 'refuse', why: 'exists' } : create(target, json, before, rules)

/**
 * The record says what the document says, and no conflict is left; nothing is written when it says so already. Creates
 * or restores it where it is not there.
 */
export const decideReplace: Decide = (target, json, before, rules) => {
  if (!before?.live) return create(target, json, before, rules)
  const { kind } = target
  const read = readBody(json, knownOf(json, kind, before), before.doc)
  if (!read.ok) return invalid(read.errors)
  return change(kind, before, read.value, diff(kind, before, read.value, { settle: true }), rules)
}

/** As replace, but what the document does not name stays, conflicts too. */
export const decideOverlay: Decide = (target, json, before, rules) => {
  if (!before?.live) return create(target, json, before, rules)
  const read = readBody(json, knownOf(json, target.kind, before))
  if (!read.ok) return invalid(read.errors)
  const after: Doc = Object.assign(Object.create(null), before.doc, read.value)
  return decideChange(target.kind, before, after, rules)
}

/** A JSON merge patch. A place in conflict that it names is written even when its value is the one shown. */
export const decideMergePatch: Decide = ({ kind }, json, before, rules) => {
  if (!before?.live) return { do: 'refuse', why: 'missing' }
  const read = readBody(json, knownOf(json, kind, before))
  if (!read.ok) return invalid(read.errors)
  const after = applyMergePatch(before.doc, read.value)
  return change(kind, before, after, diffMergePatch(kind, before, read.value), rules)
}

/** A tombstone, whatever the document. */
export const decideDelete: Decide = (_target, _json, before) =>
  before?.live ? { do: 'delete', body: new Uint8Array(0) } : { do: 'refuse', why: 'missing' }

/** Makes a live record say `after`, and leaves conflicts that this does not touch. */
export function decideChange(kind: Kind, before: Merged, after: Doc, rules: Rules = {}): Decision {
  return change(kind, before, after, diff(kind, before, after), rules)
}

function create(target: Target, json: JsonObject, before: Merged | undefined, rules: Rules): Decision {
  const { kind, id, slug, ownerDid } = target
  const alias = kind.idAlias === undefined ? {} : { [kind.idAlias]: id }
  const read = readBody(json, { id, ...alias, owner_id: ownerDid, kind: kind.name, slug })
  if (!read.ok) return invalid(read.errors)
  const errors = rules.lenient ? [] : validate(kind, read.value)
  if (errors.length > 0) return invalid(errors)
  // A put has no need of the slug: the genesis below it has told it.
  const body = encodeBody(bodyOf(kind, before === undefined ? slug : undefined, read.value))
  return fitting({ do: before === undefined ? 'genesis' : 'put', body })
}

function change(kind: Kind, before: Merged, after: Doc, verbs: readonly Verb[], rules: Rules): Decision {
  if (verbs.length === 0) return { do: 'nothing' }
  const errors = rules.lenient ? [] : newErrors(kind, before, after)
  if (errors.length > 0) return invalid(errors)
  const patch = fitting({ do: 'patch', body: encodeVerbs(verbs) })
  if (patch.do !== 'refuse') return patch
  // A change of nearly everything can be larger as verbs than as a document.
  return fitting({ do: 'put', body: encodeBody(bodyOf(kind, undefined, after)) })
}

function fitting(write: ToWrite): ToWrite | Objection {
  return write.body.length <= BODY_BYTES_MAX ? write : { do: 'refuse', why: 'too-large' }
}

/** What reserved fields may repeat. Most bodies hold none, and then the slug is all that is asked for. */
function knownOf(json: JsonObject, kind: Kind, before: Merged): JsonObject {
  if (Object.keys(json).some(isReserved)) return toJson(before, kind)
  return before.slug === undefined ? {} : { slug: before.slug }
}

type Read = { readonly ok: true; readonly value: Doc } | { readonly ok: false; readonly errors: readonly Invalid[] }

function readBody(json: JsonObject, known: JsonObject, before?: Doc): Read {
  const { doc, errors } = stripReserved(json, known, before)
  return errors.length > 0 ? { ok: false, errors } : fromJson(doc)
}

/** Errors that this change brings in. What the record says wrong already (an import may) is not the writer's fault. */
function newErrors(kind: Kind, before: Merged, after: Doc): readonly Invalid[] {
  const errors = validate(kind, after)
  if (errors.length === 0) return errors
  const old = new Set(validate(kind, before.doc).map((error) => error.pointer))
  return errors.filter(
    ({ pointer }) => !old.has(pointer) || !equalValues(valueAt(before.doc, pointer), valueAt(after, pointer)),
  )
}

/** What a pointer points at, in lists too. */
function valueAt(doc: Doc, pointer: string): Value | undefined {
  let value: Value | undefined = doc
  for (const segment of pathOf(pointer) ?? []) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined
    value = (value as ValueMap)[segment]
  }
  return value
}

function invalid(errors: readonly Invalid[]): Objection {
  return { do: 'refuse', why: 'invalid', errors }
}
