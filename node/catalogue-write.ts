/**
 * Writes that people ask for, as the one writer takes them: what their document says they are called, and the decision
 * on the record as it is at that moment (crdt/decide.ts), with objections in the catalogue's words.
 */
import { type Decide, isSlug, type JsonObject, type Merged, type Objection } from '../crdt/index.ts'
import {
  exists,
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

export function localWrite(identity: Identity, decide: Decide, json: JsonObject, options: WriteOptions): LocalWrite {
  const { id, kind, slug, owner } = identity
  return {
    record: id,
    owner,
    kind: kind.name,
    slug,
    decide: (before): Intent => {
      if (options.when?.(before) === false) return { do: 'refuse', problem: precondition }
      const decision = decide(identity, json, before, options)
      return decision.do === 'refuse' ? { do: 'refuse', problem: refusalOf(decision, identity, before) } : decision
    },
  }
}

function refusalOf(objection: Objection, identity: Identity, before: Merged | undefined): Refusal {
  switch (objection.why) {
    case 'invalid':
      return invalid(objection.errors)
    case 'exists':
      return exists(identity)
    case 'missing':
      return missing(before)
    case 'too-large':
      return tooLarge
  }
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
