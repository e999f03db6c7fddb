/**
 * A record as it was: made of the ops that had arrived here by some moment of the log. What a reader of the log had
 * seen of it then, whatever has come since.
 */
import { type Merged, merge, type Op, type OpId, type RecordId } from '../crdt/index.ts'
import { statesAtOpsMax } from './limits.ts'
import type { Store } from './store.ts'

/**
 * One answer for each arrival number, undefined where no op of the record had arrived. Undefined as a whole when the
 * record has more than `statesAtOpsMax` ops, or damaged ones: its past is then too dear or not known.
 */
export async function statesAt(
  store: Store,
  record: RecordId,
  seqs: readonly number[],
): Promise<readonly (Merged | undefined)[] | undefined> {
  const now = await store.record(record)
  if (now === undefined) return seqs.map(() => undefined)
  if (now.opCount > statesAtOpsMax) return undefined
  const loaded = await store.opsOf(now)
  if ('damaged' in loaded) return undefined
  const locations = await store.locate(loaded.ops.map(({ id }) => id))
  const arrived = loaded.ops.map((op, at) => ({ op, seq: arrivalOf(locations[at]) })).sort((a, b) => a.seq - b.seq)
  const made = new Map<number, Merged | undefined>()
  return seqs.map((seq) => {
    const ops = whole(arrived.filter((each) => each.seq <= seq).map(({ op }) => op))
    if (ops.length === now.opCount) return now
    if (!made.has(ops.length)) made.set(ops.length, ops.length === 0 ? undefined : merge(ops, store.sha256))
    return made.get(ops.length)
  })
}

function arrivalOf(location: { readonly seq: number; readonly place: number } | undefined): number {
  return location === undefined ? 0 : location.seq + location.place
}

/** Those whose past is there too: an op that was stored again, since its copy was damaged, counts from then on. */
function whole(ops: readonly Op[]): Op[] {
  const held = new Set<OpId>()
  let left = [...ops]
  for (let before = -1; before !== left.length; ) {
    before = left.length
    left = left.filter((op) => {
      if (!op.header.parents.every((parent) => held.has(parent))) return true
      held.add(op.id)
      return false
    })
  }
  return ops.filter(({ id }) => held.has(id))
}
