/**
 * The settings `kinds` and `owners` as the names of the sets that a node takes part in (node/sets.ts).
 */
import { didToOwner, kinds } from '../crdt/index.ts'
import { kindSet, ownerSet } from '../node/index.ts'
import { closest } from './closest.ts'
import { ConfigError, type Settings } from './config.ts'
import { kindNamed } from './reference.ts'

/** None = everything. ConfigError for a kind that there is no table for, and for a did that names no owner. */
export function setsOf({ kinds: names, owners }: Pick<Settings, 'kinds' | 'owners'>): readonly string[] {
  return [...names.map(setOfKind), ...owners.map(setOfOwner)]
}

function setOfKind(name: string): string {
  const kind = kindNamed(name)
  if (kind !== undefined) return kindSet(kind.name)
  const plurals = Object.values(kinds).map(({ plural }) => plural)
  const near = closest(name, plurals)
  throw new ConfigError(
    `kinds: no kind ${name}${near === undefined ? '' : `; did you mean ${near}?`} There are ${plurals.join(', ')}`,
  )
}

function setOfOwner(did: string): string {
  const owner = didToOwner(did)
  if (owner === undefined) throw new ConfigError(`owners: expected a did:key or a did:peerage, got ${did}`)
  return ownerSet(owner)
}
