/**
 * A record's ops under its owner's authority: which have lost it, which are erased, and what each may write (SPEC.md,
 * "Authority"). A function of the set; the answer is for merging (merge.ts) and for showing why an op does not count.
 */
import type { OwnerAuthority, Standing } from './authority.ts'
import { readErase } from './authority-body.ts'
import type { Dag } from './dag.ts'
import { VOIDED_BY_NAMED_MAX } from './limits.ts'
import { DELETE, ERASE, type Op, type OpId } from './op.ts'
import type { Path } from './value.ts'

/** How one op counts. */
export type Judgement = {
  /** Smaller comes first among concurrent writes; 0 is the owner. */
  readonly rank: number
  /** The revokes and rotates that took its authority; empty: none did. */
  readonly voidedBy: readonly OpId[]
  readonly erased: boolean
  /** Its w is later than its authority lasts, or it deletes although it may write in some places only. */
  readonly inert: boolean
  /** Of each grant of its chain that names places, the places. Empty: it may write everywhere. */
  readonly limits: readonly (readonly Path[])[]
}

/** What the owner's own key says while nobody has erased it. */
export const PLAIN: Judgement = { rank: 0, voidedBy: [], erased: false, inert: false, limits: [] }

/**
 * One judgement for each op of the Dag, in its order. RangeError when an op relies on one that `authority` does not hold;
 * without `authority` no op may rely on any.
 */
export function judge(dag: Dag, authority: OwnerAuthority | undefined): readonly Judgement[] {
  const judgements = authority === undefined ? dag.ops.map(ownersOwn) : underAuthority(dag, authority)
  const erased = erasedIds(dag, judgements)
  if (erased.size === 0) return judgements
  return dag.ops.map(({ id, header }, at) => {
    const judgement = judgements[at] as Judgement
    return header.type < DELETE && erased.has(id) ? { ...judgement, erased: true } : judgement
  })
}

/** Whether the op counts in full: then ops in one line may be folded one by one. */
export function isPlain({ voidedBy, erased, inert, limits }: Judgement): boolean {
  return voidedBy.length === 0 && !erased && !inert && limits.length === 0
}

/** How one op counts that no other op of its record can save: what is held when it arrives decides how to go on. */
export function judgeAlone(op: Op, authority: OwnerAuthority | undefined): Judgement {
  if (authority === undefined) return ownersOwn(op)
  const standing = authority.standing(op)
  const voidedBy = [
    ...authority.hitters(standing).filter((hitter) => !authority.keptIds(hitter).has(op.id)),
    ...standing.chain.flatMap((grant) => authority.voidedBy(grant)),
  ]
  return { ...standingOf(op, standing, authority), voidedBy }
}

function ownersOwn(op: Op): Judgement {
  if (op.header.via !== undefined) throw new RangeError(`expected the authority that op ${op.id} relies on`)
  return PLAIN
}

function standingOf(op: Op, standing: Standing, authority: OwnerAuthority): Judgement {
  const { chain } = standing
  if (chain.length === 0) return PLAIN
  const limits = authority.limits(chain)
  const { w, type } = op.header
  const inert = w > authority.expiry(standing) || (type === DELETE && limits.length > 0)
  return { rank: chain.length, voidedBy: [], erased: false, inert, limits }
}

function underAuthority(dag: Dag, authority: OwnerAuthority): Judgement[] {
  const standings = dag.ops.map((op) => authority.standing(op))
  const keptBy = new Map<OpId, ReadonlySet<OpId>>()
  return dag.ops.map((op, at) => {
    const standing = standings[at] as Standing
    const voidedBy = new Set<OpId>()
    for (const hitter of authority.hitters(standing)) {
      let kept = keptBy.get(hitter)
      if (kept === undefined) {
        kept = keptIn(dag, authority.keptIds(hitter))
        keptBy.set(hitter, kept)
      }
      if (!kept.has(op.id)) voidedBy.add(hitter)
    }
    for (const grant of standing.chain) for (const by of authority.voidedBy(grant)) voidedBy.add(by)
    const named = [...voidedBy].sort().slice(0, VOIDED_BY_NAMED_MAX)
    const judgement = standingOf(op, standing, authority)
    return voidedBy.size === 0 ? judgement : { ...judgement, voidedBy: named }
  })
}

/** The listed ops of a record, with their pasts. */
function keptIn(dag: Dag, listed: ReadonlySet<OpId>): Set<OpId> {
  const kept = new Set<OpId>()
  for (const { id, header } of dag.ops.toReversed()) {
    if (!kept.has(id) && !listed.has(id)) continue
    kept.add(id)
    for (const parent of header.parents) kept.add(parent)
  }
  return kept
}

/** What the erases in force name. Their chain is empty, so neither an expiry nor a limit can make them inert. */
function erasedIds(dag: Dag, judgements: readonly Judgement[]): Set<OpId> {
  const erased = new Set<OpId>()
  for (const [at, op] of dag.ops.entries()) {
    if (op.header.type !== ERASE || (judgements[at] as Judgement).voidedBy.length > 0) continue
    for (const id of readErase(op)?.ids ?? []) erased.add(id)
  }
  return erased
}
