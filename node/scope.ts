/**
 * Which ops a node takes in that takes part in some sets only (sets.ts): those of records of these kinds or owners, and
 * all that say who may write.
 *
 * Of an op whose record is not held only its genesis tells the kind. Live ones are then left to the next session, which
 * brings what belongs here; to fetch their past just to see that it does not would let strangers' records in by the side.
 */
import { isAuthorityType, type Op, type RecordId } from '../crdt/index.ts'
import type { Source } from './replica-types.ts'
import { ALL, AUTHORITY, type Belonging, belongs } from './sets.ts'

export class Scope {
  /** By name; `authority` first, unless it is everything. */
  readonly sets: readonly string[]

  constructor(sets: readonly string[] = [ALL]) {
    this.sets = sets.includes(ALL) ? [ALL] : [...new Set([AUTHORITY, ...sets])]
  }

  get isAll(): boolean {
    return this.sets[0] === ALL
  }

  /** Whether peers are sure to get what is written to records of this kind and owner: only these sets are compared. */
  takesPart(of: Belonging): boolean {
    return this.sets.some((name) => belongs(of, name))
  }

  /** `isHeld`: the op's record is held, or taken with it. */
  isOutside({ header }: Op, isHeld: (record: RecordId) => boolean, { via }: Source): boolean {
    if (this.isAll || isHeld(header.record)) return false
    if (isAuthorityType(header.type)) return false
    const { genesis } = header
    if (genesis !== undefined) return !this.sets.some((name) => belongs(genesis, name))
    return via !== 'sync'
  }
}
