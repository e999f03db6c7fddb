/**
 * The sets of ops that nodes compare, by name: `all`, `authority`, `kind:<kind>`, `owner:<owner in hex>`.
 *
 * An op belongs to a set by its record's kind and owner, which never change; `authority` are the ops of records that say
 * who may write (SPEC.md, "Authority"). A node may take part in some kinds and owners only: it then holds the ops of
 * these, and all of `authority`.
 */
import { type Header, isAuthorityType, type Owner } from '../crdt/index.ts'

export const ALL = 'all'
export const AUTHORITY = 'authority'

/** What decides the sets of an op: its record's kind and owner; of an op of an authority record both are empty. */
export type Belonging = { readonly kind: string; readonly owner: Owner }

/** Of an op, by its header and the record it is in; a record that is none of the catalogue's is one of authority. */
export function belongingOf({ type, genesis }: Header, record: Belonging | undefined): Belonging {
  const of = isAuthorityType(type) ? undefined : (genesis ?? record)
  return of === undefined ? { kind: '', owner: '' } : { kind: of.kind, owner: of.owner }
}

export const kindSet = (kind: string): string => `kind:${kind}`
export const ownerSet = (owner: Owner): string => `owner:${owner}`

/** Whether the name is one that we know how to fill. */
export function isSetName(name: string): boolean {
  return (
    name === ALL || name === AUTHORITY || /^kind:[a-z0-9-]{1,32}$/.test(name) || /^owner:0[12][0-9a-f]{64}$/.test(name)
  )
}

export function belongs({ kind, owner }: Belonging, name: string): boolean {
  if (name === ALL) return true
  return kind === '' ? name === AUTHORITY : name === kindSet(kind) || name === ownerSet(owner)
}
