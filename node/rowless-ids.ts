/** Ids held against the rows of the ops themselves: LevelDB may have lost some without a word. */
import type { IdSet, OpId } from '../crdt/index.ts'
import type { Disk } from './disk.ts'
import { idOfKey, opKey, opRows } from './rows.ts'

/** Of these ids those that count as held and have no row, in parts of a 256th; ends early when the signal fires. */
export async function* rowlessIds(
  disk: Disk,
  ids: IdSet,
  isHeld: (id: OpId) => boolean,
  signal: AbortSignal,
): AsyncIterable<readonly OpId[]> {
  for (let first = 0; first < 256 && !signal.aborted; first++) {
    const prefix = first.toString(16).padStart(2, '0')
    const rows = new Set<OpId>()
    for await (const key of disk.keys(rangeOf(first))) rows.add(idOfKey(key))
    const unsure = [...ids.ids(prefix)].filter((id) => !rows.has(id) && isHeld(id))
    // It may have arrived since the rows were read.
    const found = await disk.getMany(unsure.map(opKey))
    yield unsure.filter((_, i) => found[i] === undefined)
  }
}

function rangeOf(first: number) {
  const gte = Uint8Array.of(opRows.gte[0]!, first)
  return { gte, lt: first < 255 ? Uint8Array.of(opRows.gte[0]!, first + 1) : opRows.lt }
}
