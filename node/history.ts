/**
 * The ops of a record, newest first: children before parents, and among those that neither saw by time, then id.
 */
import type { Op, OpId } from '../crdt/index.ts'

/** One page after the op `after`; `next` is there when more follow. An `after` that is none of them gives the first. */
export function historyOf(
  ops: readonly Op[],
  page: { limit: number; after?: OpId },
): { items: readonly Op[]; next?: OpId } {
  const ordered = newestFirst(ops)
  const from = page.after === undefined ? 0 : ordered.findIndex(({ id }) => id === page.after) + 1
  const items = ordered.slice(from, from + Math.max(0, page.limit))
  const more = from + items.length < ordered.length && items.length > 0
  return { items, ...(more && { next: items.at(-1)!.id }) }
}

function newestFirst(ops: readonly Op[]): Op[] {
  const byId = new Map(ops.map((op) => [op.id, op]))
  const children = new Map<OpId, number>()
  for (const op of ops) for (const parent of op.header.parents) children.set(parent, (children.get(parent) ?? 0) + 1)
  const ready = new Heap(ops.filter(({ id }) => !children.has(id)))
  const ordered: Op[] = []
  for (let op = ready.take(); op !== undefined; op = ready.take()) {
    ordered.push(op)
    for (const parent of op.header.parents) {
      const left = children.get(parent)! - 1
      children.set(parent, left)
      if (left === 0) ready.add(byId.get(parent)!)
    }
  }
  return ordered
}

function isNewer(a: Op, b: Op): boolean {
  return a.header.w === b.header.w ? a.id < b.id : a.header.w > b.header.w
}

/** The newest of a changing set; a record may have thousands of heads. */
class Heap {
  readonly #ops: Op[] = []

  constructor(ops: readonly Op[]) {
    for (const op of ops) this.add(op)
  }

  add(op: Op): void {
    const ops = this.#ops
    let at = ops.push(op) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isNewer(op, ops[above]!)) break
      ops[at] = ops[above]!
      at = above
    }
    ops[at] = op
  }

  take(): Op | undefined {
    const ops = this.#ops
    const first = ops[0]
    const last = ops.pop()
    if (last === undefined || ops.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= ops.length) break
      if (below + 1 < ops.length && isNewer(ops[below + 1]!, ops[below]!)) below++
      if (!isNewer(ops[below]!, last)) break
      ops[at] = ops[below]!
      at = below
    }
    ops[at] = last
    return first
  }
}
