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
  return new Begun(first, sha256) as unknown as Merged
}

/** The genesis that a record is made of, while nobody has looked into the record; a copy of a record is another record. */
export function firstOf(merged: Merged): First | undefined {
  return Begun.firstOf(merged)
}

class Begun {
  readonly record: Merged['record']
  readonly owner: Merged['owner']
  readonly kind: string
  readonly live = true
  readonly heads: Merged['heads']
  readonly conflicts: Merged['conflicts'] = []
  readonly registeredAt: number
  readonly changedAt: number
  readonly opCount = 1
  readonly line = true
  readonly #first: First
  readonly #sha256: Sha256
  #said: FirstSaid | undefined

  constructor(first: First, sha256: Sha256) {
    const { id, record, owner, kind, w } = first
    this.record = record
    this.owner = owner
    this.kind = kind
    this.heads = [id]
    this.registeredAt = w
    this.changedAt = w
    this.#first = first
    this.#sha256 = sha256
    for (const [name, read] of LATER) Object.defineProperty(this, name, read)
  }

  static firstOf(merged: object): First | undefined {
    return #first in merged && merged.#said === undefined ? merged.#first : undefined
  }

  said(): FirstSaid {
    this.#said ??= readSaid(this.#first, this.#sha256)
    return this.#said
  }
}

/** Members like the others, so that a copy has them too; one set of getters for all records, which makes them cheap. */
const LATER = (['slug', 'doc', 'texts', 'sets', 'registers'] as const).map((name) => {
  const read: PropertyDescriptor & ThisType<Begun> = {
    get() {
      return this.said()[name]
    },
    enumerable: true,
  }
  return [name, read] as const
})
