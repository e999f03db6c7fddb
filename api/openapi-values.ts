/** Values and sentences that parameters and schemas of the OpenAPI document share. */
import { OP_TYPES } from '../crdt/index.ts'

export const ID = { type: 'string', pattern: '^[0-9a-f]{64}$' }
export const CID = { type: 'string', pattern: '^b[a-z2-7]{58}$' }
export const DID = { type: 'string', pattern: '^did:' }
export const TEXT = { type: 'string' }
export const COUNT = { type: 'integer', minimum: 0 }
export const TIME = { type: 'integer', description: 'ms since 1970, by the clock of who signed.' }

export const OP_TYPE = {
  type: 'string',
  description: `${OP_TYPES.slice(0, 4).join(', ')}; further ones are kept and shown too`,
}

export const FILTER_NOTE =
  'A filter: tests of fields (=, !=, <, <=, >, >=, in (...), contains, exists) with and, or, not and parentheses, such as `license in (mit, apache-2.0) and context_length >= 128k`. Texts with blanks go in quotes; 8..70 is a range, 24GB a size, 2026-01-31 a day.'

export const SEARCH_NAME = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }
export const SORT_NOTE =
  'A field, or -field for the other direction; name; updated, -updated; relevance. Left out: by relevance with words, else the newest first.'
export const FACETS_NOTE =
  'Fields whose values are counted, each over what meets the conditions on the other fields; lists under their own conditions too.'

export function object(properties: Record<string, unknown>, required: readonly string[] = Object.keys(properties)) {
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

export function list(items: unknown) {
  return { type: 'array', items }
}
