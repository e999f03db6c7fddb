/**
 * What all replicas must agree on about an owner, whichever way the ops came: what is held, what is voided and by what,
 * and the records. Here as the naive versions answer; tests ask those under test for the same.
 */
import { encodeMerged, type Merged, type Op, type OpId, toHex } from '../../crdt/index.ts'
import type { World } from './authority-arbitrary.ts'
import { type NaiveAuthority, naiveAuthority, naiveVerdicts, T } from './naive-authority.ts'
import { naiveMerge } from './naive-merge.ts'

export type Answers = {
  /** The others are refused, or wait. */
  readonly held: readonly OpId[]
  readonly voided: Readonly<Record<OpId, readonly OpId[]>>
  readonly records: readonly { readonly erased: readonly OpId[]; readonly merged: string }[]
}

/** `all`: what is voided is found among all that could be, which takes seven ops or a few more. */
export function naiveAnswers({ ops, record }: World, how: 'all' | 'fixpoint'): Answers {
  const verdicts = naiveVerdicts(ops)
  const valid = ops.filter(({ id }) => verdicts.get(id) === 'valid')
  const authority = naiveAuthority(ops, how)
  return {
    held: idsOf(valid),
    voided: voidedBy(authority),
    records: recordsOf(valid, record).map((own) => ({
      erased: idsOf(own.filter(({ id }) => authority.erased.has(id))),
      merged: mergedHex(naiveMerge(own, authority)),
    })),
  }
}

/** Document, conflicts, heads and what writers go by; not what says how a replica came to it, nor advisory times. */
export function mergedHex(merged: Merged): string {
  let hex = hexes.get(merged)
  if (hex === undefined) {
    hex = hexOf(merged)
    hexes.set(merged, hex)
  }
  return hex
}

const hexes = new WeakMap<Merged, string>()

function hexOf({ voided, erased, incomplete, equivocations, judged, slug, ...merged }: Merged): string {
  return toHex(encodeMerged({ ...merged, line: false, registeredAt: 0, changedAt: 0 }))
}

/** Of each voided op the revokes and rotates, those of the grants it rests on with them. */
export function voidedBy({ voided }: NaiveAuthority): Record<OpId, readonly OpId[]> {
  const all = (id: OpId): OpId[] => {
    const { by, through } = voided.get(id) as { by: readonly OpId[]; through: readonly OpId[] }
    return [...new Set([...by, ...through.flatMap(all)])].sort()
  }
  return sortedById([...voided.keys()].map((id) => [id, all(id)] as const))
}

export function sortedById(entries: (readonly [OpId, readonly OpId[]])[]): Record<OpId, readonly OpId[]> {
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function idsOf(ops: readonly Op[]): OpId[] {
  return ops.map(({ id }) => id).sort()
}

/** Ordinary records, each with its ops. */
export function recordsOf(ops: readonly Op[], authority: string): Op[][] {
  const geneses = ops.filter(({ header }) => header.type === T.genesis && header.record !== authority)
  const ids = [...new Set(geneses.map(({ header }) => header.record))].sort()
  return ids.map((id) => ops.filter(({ header }) => header.record === id))
}
