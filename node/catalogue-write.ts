/**
 * What a document someone sends means for a record as it is: a genesis, a put, the verbs of a patch, nothing at all,
 * or a refusal that names the place. Pure decisions; the writer calls them with the record at that moment.
 */
import {
  applyMergePatch,
  BODY_BYTES_MAX,
  type Body,
  bodyOf,
  type Doc,
  diff,
  diffMergePatch,
  encodeBody,
  encodeVerbs,
  equalValues,
  fromJson,
  isSlug,
  type JsonObject,
  type Kind,
  type Merged,
  pathOf,
  RESERVED_FIELDS,
  stripReserved,
  toJson,
  type Value,
  type ValueMap,
  type Verb,
  validate,
} from '../crdt/index.ts'
import {
  type FieldError,
  type Identity,
  invalid,
  missing,
  precondition,
  type Refusal,
  tooLarge,
  type WriteOptions,
} from './catalogue-outcome.ts'
import type { Intent, LocalWrite } from './replica-types.ts'

/** Refuses what is no JSON object. */
export function objectOf(json: unknown): { readonly body: JsonObject } | Refusal {
  return isObject(json) ? { body: json } : invalid([{ pointer: '', message: 'expected a JSON object' }])
}

/** The identity of a new record in its owner's namespace: `slug`, else `name`. */
export function slugOf(body: JsonObject): { readonly slug: string } | Refusal {
  const field = Object.hasOwn(body, 'slug') ? 'slug' : 'name'
  const slug = Object.hasOwn(body, field) ? body[field] : undefined
  if (slug === undefined) return invalid([{ pointer: '/name', message: 'a record needs a name, or a slug' }])
  if (typeof slug !== 'string') return invalid([{ pointer: `/${field}`, message: 'expected a text' }])
  if (isSlug(slug)) return { slug }
  const hint = field === 'slug' ? '' : '; give a slug beside a longer name'
  return invalid([
    { pointer: `/${field}`, message: `expected 1 to 256 bytes of well-formed text that is not blank${hint}` },
  ])
}

/** A decision about one record. `json` is the body as it was sent. */
export type Decide = (identity: Identity, json: JsonObject, before: Merged | undefined, options: WriteOptions) => Intent

export function localWrite(identity: Identity, decide: Decide, json: JsonObject, options: WriteOptions): LocalWrite {
  const { id, kind, slug } = identity
  return { record: id, kind: kind.name, slug, decide: (before) => decide(identity, json, before, options) }
}

export const decideRegister: Decide = (identity, json, before, options) => {
  if (options.when?.(before) === false) return refuse(precondition)
  if (!before?.live) return create(identity, json, before, options)
  const message = `a ${identity.kind.name} with this slug exists`
  return refuse({ outcome: 'refused', code: 'exists', message, id: identity.id })
}

/** The record says what the document says, and no conflict is left, unless it said so already. */
export const decideReplace: Decide = (identity, json, before, options) => {
  if (options.when?.(before) === false) return refuse(precondition)
  if (!before?.live) return create(identity, json, before, options)
  const { kind } = identity
  const read = readBody(json, knownOf(json, kind, before), before.doc)
  if ('outcome' in read) return refuse(read)
  return change(kind, before, read.doc, diff(kind, before, read.doc, { settle: true }), options)
}

/** As replace, but what the document does not name stays, conflicts too. */
export const decideOverlay: Decide = (identity, json, before, options) => {
  if (options.when?.(before) === false) return refuse(precondition)
  if (!before?.live) return create(identity, json, before, options)
  const { kind } = identity
  const read = readBody(json, knownOf(json, kind, before))
  if ('outcome' in read) return refuse(read)
  const after: Doc = Object.assign(Object.create(null), before.doc, read.doc)
  return change(kind, before, after, diff(kind, before, after), options)
}

export const decideMergePatch: Decide = (identity, json, before, options) => {
  if (options.when?.(before) === false) return refuse(precondition)
  if (!before?.live) return refuse(missing(before))
  const { kind } = identity
  const read = readBody(json, knownOf(json, kind, before))
  if ('outcome' in read) return refuse(read)
  const after = applyMergePatch(before.doc, read.doc)
  return change(kind, before, after, diffMergePatch(kind, before, read.doc), options)
}

export function decideRemove(before: Merged | undefined, options: WriteOptions): Intent {
  if (options.when?.(before) === false) return refuse(precondition)
  return before?.live ? { do: 'delete' } : refuse(missing(before))
}

function create(identity: Identity, json: JsonObject, before: Merged | undefined, options: WriteOptions): Intent {
  const { kind, id, slug, ownerDid } = identity
  const alias = kind.idAlias === undefined ? {} : { [kind.idAlias]: id }
  const read = readBody(json, { id, ...alias, owner_id: ownerDid, kind: kind.name, slug })
  if ('outcome' in read) return refuse(read)
  const errors = options.lenient ? [] : validate(kind, read.doc)
  if (errors.length > 0) return refuse(invalid(errors))
  // A put has no need of the slug: the genesis below it has told it.
  const body = bodyOf(kind, before === undefined ? slug : undefined, read.doc)
  if (!fits(body, encodeBody)) return refuse(tooLarge)
  return { do: before === undefined ? 'genesis' : 'put', body }
}

function change(kind: Kind, before: Merged, after: Doc, verbs: readonly Verb[], options: WriteOptions): Intent {
  if (verbs.length === 0) return { do: 'nothing' }
  const errors = newErrors(kind, before, after, options)
  if (errors.length > 0) return refuse(invalid(errors))
  if (fits(verbs, encodeVerbs)) return { do: 'patch', verbs }
  // A change of nearly everything can be larger as verbs than as a document.
  const body: Body = bodyOf(kind, undefined, after)
  return fits(body, encodeBody) ? { do: 'put', body } : refuse(tooLarge)
}

/** Whether one op can carry it. JSON of a third of the bound needs no look: no value takes three times its JSON. */
function fits<T>(content: T, encode: (content: T) => Uint8Array): boolean {
  return JSON.stringify(content).length * 3 <= BODY_BYTES_MAX || encode(content).length <= BODY_BYTES_MAX
}

/** What reserved fields may repeat. Most bodies hold none, and then the slug is all that is asked for. */
function knownOf(json: JsonObject, kind: Kind, before: Merged): JsonObject {
  if (RESERVED_FIELDS.some((key) => Object.hasOwn(json, key))) return toJson(before, kind)
  return before.slug === undefined ? {} : { slug: before.slug }
}

function readBody(json: JsonObject, known: JsonObject, before?: Doc): { readonly doc: Doc } | Refusal {
  const stripped = stripReserved(json, known, before)
  if (stripped.errors.length > 0) return invalid(stripped.errors)
  const read = fromJson(stripped.doc)
  return read.ok ? { doc: read.value } : invalid(read.errors)
}

/** Errors that this change brings in. What the record says wrong already (an import may) is not the writer's fault. */
function newErrors(kind: Kind, before: Merged, after: Doc, options: WriteOptions): readonly FieldError[] {
  if (options.lenient) return []
  const errors = validate(kind, after)
  if (errors.length === 0) return errors
  const old = new Set(validate(kind, before.doc).map((error) => error.pointer))
  return errors.filter(
    ({ pointer }) => !old.has(pointer) || !equalValues(valueAt(before.doc, pointer), valueAt(after, pointer)),
  )
}

function valueAt(doc: Doc, pointer: string): Value | undefined {
  let value: Value | undefined = doc
  for (const segment of pathOf(pointer) ?? []) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined
    value = (value as ValueMap)[segment]
  }
  return value
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function refuse(refusal: Refusal): Intent {
  return { do: 'refuse', problem: refusal }
}
