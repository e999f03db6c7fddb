/**
 * Whether a merged record shows every edit that nobody wrote over: the question a writer would ask, put without any of
 * the merge's own machinery, over the ops and nothing else.
 */
import { encode, type Merged, type Op, type OpId, type Path, readWrites, toHex, type Value } from '../../crdt/index.ts'

/** Edits that no op which saw them wrote over or deleted, and that are neither shown nor listed as a conflict. */
export function lostEdits(ops: readonly Op[], merged: Merged): string[] {
  const pasts = pastsOf(ops)
  const deletes = ops.filter(({ header }) => header.type === DELETE)
  const lost: string[] = []
  for (const op of ops) {
    // Who has not seen a deletion edits a record that is gone: the history keeps it.
    if (deletes.some((other) => other !== op && !pasts.get(op.id)?.has(other.id))) continue
    const writes = readWrites(op)
    for (const [at, write] of writes.entries()) {
      if (write.says !== 'value') continue
      const overwrites = (other: Op, from: number) =>
        readWrites(other).some((later, i) => i >= from && touches(later.path, write.path))
      const isOver =
        overwrites(op, at + 1) || ops.some((later) => pasts.get(later.id)?.has(op.id) && overwrites(later, 0))
      if (isOver || isShown(merged, write.path, write.value)) continue
      lost.push(`${op.id} ${write.path.join('.')}`)
    }
  }
  return lost
}

const DELETE = 4

function isShown({ doc, conflicts }: Merged, path: Path, value: Value): boolean {
  let at: Value | undefined = doc
  for (const segment of path) at = at === undefined ? undefined : (at as Readonly<Record<string, Value>>)?.[segment]
  if (at !== undefined && same(at, value)) return true
  return conflicts.some((conflict) =>
    conflict.alternatives.some(
      (one) =>
        one.value !== undefined && (one.path ?? conflict.path).join('.') === path.join('.') && same(one.value, value),
    ),
  )
}

function same(a: Value, b: Value): boolean {
  return toHex(encode(a)) === toHex(encode(b))
}

function touches(a: Path, b: Path): boolean {
  return a.slice(0, b.length).join('\0') === b.slice(0, a.length).join('\0')
}

function pastsOf(ops: readonly Op[]): Map<OpId, Set<OpId>> {
  const pasts = new Map<OpId, Set<OpId>>()
  for (const { id, header } of ops) {
    const past = new Set<OpId>()
    for (const parent of header.parents) {
      past.add(parent)
      for (const earlier of pasts.get(parent) ?? []) past.add(earlier)
    }
    pasts.set(id, past)
  }
  return pasts
}
