import type { ActorKey, OpId, Owner, RecordId } from './op.ts'
import type { Doc, Path, Scalar, Value } from './value.ts'

/** A record as merged from its ops: a deterministic function of the set. */
export type Merged = {
  readonly record: RecordId
  readonly owner: Owner
  readonly kind: string
  /** Missing when no genesis body gives the slug that its header's hash names. */
  readonly slug?: string
  readonly live: boolean
  readonly doc: Doc
  /** Ascending. Voided and inert ops count. */
  readonly heads: readonly OpId[]
  readonly conflicts: readonly Conflict[]
  /** ms; the smallest w of a genesis. Advisory. */
  readonly registeredAt: number
  /** ms; the largest w of a contributing op, of any op when none contributes. Advisory. */
  readonly changedAt: number
  readonly opCount: number
  /** The ops form one line from one genesis so far, so that the next may be folded on top. */
  readonly line: boolean
  /** The shown texts: which epoch a splice must name, and how many splices it has. */
  readonly texts: readonly { readonly path: Path; readonly epoch: OpId; readonly splices: number }[]
  /** The shown sets: where `doc` has an array that is made of members (`add`, `rem`) and not written whole. */
  readonly sets: readonly Path[]
  /**
   * The shown registers whose value is a map that is not empty (`set ... "reg"`, or f of a genesis or put): a write
   * below such a path replaces the whole map. Every other map in `doc` is made of separate writes, leaf by leaf.
   */
  readonly registers: readonly Path[]
}

/** One place in dispute. Several members of one set in dispute are several conflicts with one path. */
export type Conflict = { readonly path: Path; readonly alternatives: readonly Alternative[] }

/** One of several values; the first of a conflict is the one shown. */
export type Alternative = {
  /** Missing when this side says "absent". */
  readonly value?: Value
  /** When it differs from the conflict's. */
  readonly path?: Path
  /** Of a set: the member that one side has and the other has not. */
  readonly member?: Scalar
  readonly actor: ActorKey
  readonly w: number
  readonly op: OpId
}
