/**
 * A record of one op, its genesis: what every record of an import is at first, and most stay.
 *
 * All that such a record says is in the body of that op, so it is read when somebody first looks. Taking in a catalogue
 * then costs one pass over each body that settles whether it says anything at all; nothing is built or folded, and the
 * row on disk is the body as it came. Whoever looks sees what `merge` makes of the op.
 */
import { isDocument } from './body.ts'
import { type First, type FirstSaid, readSaid } from './fold.ts'
import type { Merged } from './merge.ts'
import type { Op } from './op.ts'
import { pureSha256, type Sha256 } from './suite.ts'

/** Of records that nobody has looked into yet. */
const unread = new WeakMap<Merged, First>()

/**
 * The record that this op begins. Undefined when more has to be looked at: the op is no genesis, says nothing, or relies
 * on another.
 */
export function begin(op: Op, sha256: Sha256 = pureSha256): Merged | undefined {
  const { id, body, freed, header } = op
  const { genesis, via, record, w } = header
  if (genesis === undefined || via !== undefined || freed || !isDocument(body)) return undefined
  const { owner, kind, slugHash } = genesis
  return readLater({ id, record, owner, kind, slugHash, w, body }, sha256)
}

/** The record of a genesis of which `begin` gave one. */
export function readLater(first: First, sha256: Sha256): Merged {
  const { id, record, owner, kind, w } = first
  let said: FirstSaid | undefined
  const read = (): FirstSaid => {
    said ??= readSaid(first, sha256)
    unread.delete(merged)
    return said
  }
  const merged: Merged = {
    record,
    owner,
    kind,
    get slug() {
      return read().slug
    },
    live: true,
    get doc() {
      return read().doc
    },
    heads: [id],
    conflicts: [],
    registeredAt: w,
    changedAt: w,
    opCount: 1,
    line: true,
    get texts() {
      return read().texts
    },
    get sets() {
      return read().sets
    },
    get registers() {
      return read().registers
    },
  }
  unread.set(merged, first)
  return merged
}

/** The genesis that a record is made of, while nobody has looked into the record; a copy of a record is another record. */
export function firstOf(merged: Merged): First | undefined {
  return unread.get(merged)
}
