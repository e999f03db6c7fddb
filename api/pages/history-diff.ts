/**
 * What each op of a record changed: the record merged from what the op had seen, and the same with the op.
 *
 * That is exact, for merging is a function of the set of ops, and it costs a merge per op shown where branches meet; so
 * it is done for records with at most `historyOpsDiffedMax` ops, and within a budget. Past it, what an op wrote is
 * shown without what was there before.
 */
import { extend, type Merged, merge, type Op, type OpId, type OwnerAuthority, topological } from '../../crdt/index.ts'
import { historyMergedOpsMax, historyOpsDiffedMax, type NodeFace, nativeSuite } from '../../node/index.ts'

export type Step = {
  readonly op: Op
  /** Whether `before` and `after` are known. */
  readonly known: boolean
  /** Missing before the first op. */
  readonly before?: Merged
  readonly after?: Merged
}

/** The ops of a page with what they changed. `ops` are those of the page. */
export async function stepsOf(node: NodeFace, record: Merged, ops: readonly Op[]): Promise<Step[]> {
  if (record.opCount > historyOpsDiffedMax) return ops.map((op) => ({ op, known: false }))
  const all = await node.replica.history(record.record, { limit: historyOpsDiffedMax })
  if (all.next !== undefined) return ops.map((op) => ({ op, known: false }))
  const states = new States(all.items, await node.replica.authority(record.owner))
  return ops.map((op) => states.step(op))
}

const { sha256 } = nativeSuite

class States {
  /** Parents first. */
  readonly #ops: readonly Op[]
  /** By op: the record as merged from the op and its past. Of a straight line, all of them. */
  readonly #line = new Map<OpId, Merged>()
  #budget = historyMergedOpsMax

  readonly #authority: OwnerAuthority

  /** What counts is judged by the owner's authority as it is now. */
  constructor(ops: readonly Op[], authority: OwnerAuthority) {
    this.#authority = authority
    this.#ops = topological(ops)
    let state: Merged | undefined
    for (const op of this.#ops) {
      state = extend(state, op, sha256, authority)
      if (state === undefined) break
      this.#line.set(op.id, state)
    }
  }

  step(op: Op): Step {
    const [parent, ...others] = op.header.parents
    const line = this.#line.get(op.id)
    if (line !== undefined && others.length === 0) {
      const before = parent === undefined ? undefined : this.#line.get(parent)
      if (parent === undefined || before !== undefined)
        return { op, known: true, after: line, ...(before && { before }) }
    }
    const past = this.#past(op)
    if (past.length > this.#budget) return { op, known: false }
    this.#budget -= past.length + 1
    const before = past.length === 0 ? undefined : merge(past, sha256, this.#authority)
    return { op, known: true, ...(before && { before }), after: merge([...past, op], sha256, this.#authority) }
  }

  #past(op: Op): Op[] {
    const wanted = new Set(op.header.parents)
    const past: Op[] = []
    for (const earlier of this.#ops.toReversed()) {
      if (!wanted.has(earlier.id)) continue
      past.push(earlier)
      for (const parent of earlier.header.parents) wanted.add(parent)
    }
    return past
  }
}
