/**
 * What this side's key relies on where it writes another's records: the grant, or the place in an identity's line of
 * keys, that an op has to name. From authority ops that were fetched and checked here; a node cannot grant anything.
 */
import { type Draft, OP_TYPES, type OpId, type Owner, ownerOfKey, readWrites } from '../crdt/index.ts'
import type { Http } from './http.ts'
import type { Poster, Signer } from './post-ops.ts'
import type { Prover } from './proof.ts'

export const NO_GRANT = 'this key may not write there: the record belongs to another, who gave it no grant for it'

export type RelianceParts = {
  readonly http: Http
  readonly prover: Prover
  readonly poster: Poster
  readonly signer: Signer
  readonly now: () => number
}

export class Reliance {
  readonly #parts: RelianceParts

  constructor(parts: RelianceParts) {
    this.#parts = parts
  }

  /** Whose records the key writes unless told otherwise. */
  get owner(): Owner {
    const { signer } = this.#parts
    return signer.owner ?? ownerOfKey(signer.key)
  }

  /**
   * What the key relies on for an op of this type; null: nothing is needed; undefined: it may not. A node that has never
   * heard of our identity is told.
   */
  async via(owner: Owner, type: Draft['type'], record: string, kind?: string): Promise<OpId | null | undefined> {
    const { http, prover, signer, now } = this.#parts
    const { key, founding } = signer
    if (owner === ownerOfKey(key)) return null
    let authority = await prover.authority(owner)
    if (authority.size === 0 && owner === this.owner && founding !== undefined) {
      await http.send('/v1/ops', { method: 'POST', body: founding, type: 'application/cbor' })
      authority = await prover.authority(owner)
    }
    return authority.viaFor(key, { type: OP_TYPES.indexOf(type) + 1, record, w: now() }, kind)
  }

  /** Whether a grant that names places lets the draft say what it says; what it does not let would be inert. */
  async saysSomething(owner: Owner, draft: Draft): Promise<boolean> {
    if (!('via' in draft) || draft.via === undefined) return true
    const { via } = draft
    const { prover, poster } = this.#parts
    const authority = await prover.authority(owner)
    // A put is absent at the root first, which says nothing where places are named.
    const writes = readWrites(await poster.draft(draft)).filter(({ path }) => draft.type !== 'put' || path.length > 0)
    return writes.every(({ path }) => authority.mayWrite(via, path))
  }
}

/** The part of a draft that names it. */
export function relied(via: OpId | null | undefined): { via?: OpId } {
  return via === null || via === undefined ? {} : { via }
}
