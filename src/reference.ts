/**
 * How people name a record, read without asking anyone:
 *
 *   64 hex digits                               a record id, of whatever kind
 *   agents/<64 hex>                             the same, kind known
 *   agents/openai/gpt      agent/openai/gpt     kind and slug in the namespace of one's own key (a slug may hold `/`)
 *   agents/did:key:z6Mk…/openai/gpt             kind, owner and slug
 *   http://host:7070/v1/agents/…                the path of a record's URL, with its slug URL-encoded
 *   agents/slug:<anything>                      a slug that would read as one of the above
 */
import { didToOwner, isSlug, type Kind, kindOfPlural, kinds, type Owner } from '../crdt/index.ts'

export type Reference =
  | { readonly form: 'id'; readonly id: string; readonly kind?: Kind }
  /** No owner: whoever asks is meant. */
  | { readonly form: 'name'; readonly kind: Kind; readonly slug: string; readonly owner?: Owner }

const HEX_ID = /^[0-9a-f]{64}$/i

/** Undefined when the text cannot name a record. */
export function parseReference(text: string): Reference | undefined {
  if (HEX_ID.test(text)) return { form: 'id', id: text.toLowerCase() }
  if (/^https?:\/\//i.test(text)) return parseUrl(text)
  const cut = text.indexOf('/')
  const kind = cut > 0 ? kindNamed(text.slice(0, cut)) : undefined
  return kind && parseRest(kind, text.slice(cut + 1))
}

/** A kind by its singular or plural name. */
export function kindNamed(name: string): Kind | undefined {
  return (Object.hasOwn(kinds, name) ? kinds[name] : undefined) ?? kindOfPlural(name)
}

function parseRest(kind: Kind, rest: string): Reference | undefined {
  if (HEX_ID.test(rest)) return { form: 'id', id: rest.toLowerCase(), kind }
  if (rest.startsWith('slug:')) return named(kind, rest.slice('slug:'.length))
  if (!rest.startsWith('did:')) return named(kind, rest)
  const cut = rest.indexOf('/')
  const owner = cut > 0 ? didToOwner(rest.slice(0, cut)) : undefined
  return owner === undefined ? undefined : named(kind, rest.slice(cut + 1), owner)
}

function named(kind: Kind, slug: string, owner?: Owner): Reference | undefined {
  if (!isSlug(slug)) return undefined
  return { form: 'name', kind, slug, ...(owner !== undefined && { owner }) }
}

/** /v1/{kinds}/{id} or /v1/{kinds}/{did}/{slug}, with or without /v1. */
function parseUrl(text: string): Reference | undefined {
  if (!URL.canParse(text)) return undefined
  const parts = new URL(text).pathname.split('/').filter((part) => part !== '')
  if (parts[0] === 'v1') parts.shift()
  const decoded = parts.map(decode)
  const [plural, place, slug] = decoded
  const kind = plural === undefined ? undefined : kindOfPlural(plural)
  if (kind === undefined || place === undefined) return undefined
  if (HEX_ID.test(place)) return { form: 'id', id: place.toLowerCase(), kind }
  const owner = didToOwner(place)
  return owner !== undefined && slug !== undefined ? named(kind, slug, owner) : undefined
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
