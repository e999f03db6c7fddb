/**
 * The sets of ops that nodes compare, by name: `all`, `kind:<kind>`, `owner:<owner in hex>`.
 *
 * An op belongs to a set by its record's kind and owner, which never change. A node that takes part in some sets only
 * holds the ops of these; `authority` is reserved for the records that say who may write, which all nodes hold.
 */
import type { Owner } from '../crdt/index.ts'

export const ALL = 'all'

/** What decides the sets of an op: its record's kind and owner. */
export type Belonging = { readonly kind: string; readonly owner: Owner }

export const kindSet = (kind: string): string => `kind:${kind}`
export const ownerSet = (owner: Owner): string => `owner:${owner}`

/** Whether the name is one that we know how to fill. */
export function isSetName(name: string): boolean {
  return name === ALL || /^kind:[a-z0-9-]{1,32}$/.test(name) || /^owner:0[12][0-9a-f]{64}$/.test(name)
}

export function belongs({ kind, owner }: Belonging, name: string): boolean {
  return name === ALL || name === kindSet(kind) || name === ownerSet(owner)
}
