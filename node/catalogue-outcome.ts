/** The outcomes of the catalogue's operations, closed and without a word of any transport. */
import type { Merged, OpId, Owner, RecordId, Target } from '../crdt/index.ts'
import { BODY_BYTES_MAX } from '../crdt/index.ts'
import type { WriteOutcome } from './replica-types.ts'

/** Which record: by its id, or by whose it is and what it is called there. `kind` is the singular name. */
export type Place =
  | { readonly kind: string; readonly id: RecordId }
  | { readonly kind: string; readonly owner: Owner; readonly slug: string }

export type FieldError = { readonly pointer: string; readonly message: string }

export type RefusalCode =
  | 'invalid' // the document: see errors
  | 'exists' // a live record has this slug
  | 'not-found'
  | 'not-owner'
  | 'precondition' // `when` said no
  | 'too-large' // more than one op can carry
  | 'read-only' // no key on this node
  | 'blocked' // by whoever runs this node

export type Refusal = {
  readonly outcome: 'refused'
  readonly code: RefusalCode
  readonly message: string
  readonly errors?: readonly FieldError[]
  /** Of not-found: it existed, and its history can be read. */
  readonly deleted?: true
  /** Of exists: which. */
  readonly id?: RecordId
}

export type Written =
  | { readonly outcome: 'created' | 'changed' | 'removed'; readonly record: Merged; readonly op: OpId }
  | { readonly outcome: 'unchanged'; readonly record: Merged }
  | Refusal

export type WriteOptions = {
  /** Asked inside the writer with the record as it is then (also when deleted); false refuses with `precondition`. */
  readonly when?: (now: Merged | undefined) => boolean
  /** Keep known fields of the wrong type: they are listed under invalid_fields and left out of search. */
  readonly lenient?: boolean
  /** Of a new record: whose it is to be; this node's own when left out. Of another's, a grant must let us create it. */
  readonly owner?: Owner
}

/** The record a write is for, and what its reserved fields say. */
export type Identity = Target & { readonly owner: Owner }

/** What the writer did, in the catalogue's words. */
export function writtenFrom(outcome: WriteOutcome): Written {
  if (outcome.outcome === 'refused') return outcome.problem as Refusal
  if (outcome.outcome === 'not-authorised') return notOwner
  if (outcome.outcome === 'outside') return outside
  if (outcome.outcome === 'unchanged') {
    return outcome.after === undefined ? notFound : { outcome: 'unchanged', record: outcome.after }
  }
  const { before, after, op } = outcome
  if (!after.live) return { outcome: 'removed', record: after, op }
  return { outcome: before?.live ? 'changed' : 'created', record: after, op }
}

export function invalid(errors: readonly FieldError[]): Refusal {
  const [first] = errors
  const place = first?.pointer || 'the document'
  const message = errors.length === 1 ? `${place}: ${first?.message}` : `${errors.length} fields are wrong`
  return { outcome: 'refused', code: 'invalid', message, errors }
}

export function exists({ kind, id }: Identity): Refusal {
  return { outcome: 'refused', code: 'exists', message: `a ${kind.name} with this slug exists`, id }
}

export function missing(record: Merged | undefined): Refusal {
  return record === undefined ? notFound : deleted
}

export const notFound: Refusal = { outcome: 'refused', code: 'not-found', message: 'there is no such record' }
const deleted: Refusal = { ...notFound, message: 'the record was deleted; its history is kept', deleted: true }
export const blocked: Refusal = {
  outcome: 'refused',
  code: 'blocked',
  message: 'whoever runs this node has blocked the record or its owner; other nodes may have it',
}
export const notOwner: Refusal = {
  outcome: 'refused',
  code: 'not-owner',
  message: "the record belongs to another, who gave this node's key no grant for it",
}
/** No fault of the record's owner: the client goes to a node that holds such records. */
const outside: Refusal = {
  ...notOwner,
  message: 'this node takes no part in records of that kind and owner; one that does can be asked',
}
export const readOnly: Refusal = { outcome: 'refused', code: 'read-only', message: 'this node has no key to sign with' }
export const precondition: Refusal = {
  outcome: 'refused',
  code: 'precondition',
  message: 'the record is not as the request expects',
}
export const tooLarge: Refusal = {
  outcome: 'refused',
  code: 'too-large',
  message: `the document takes more than the ${BODY_BYTES_MAX} bytes that one op can carry`,
}
