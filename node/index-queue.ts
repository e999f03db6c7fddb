/**
 * Records that changed and are not in the search index yet: some at a time, in the order in which they changed, each
 * part with the arrival that the index has reached when it has taken it.
 */
import type { RecordId } from '../crdt/index.ts'
import { indexQueueBytes } from './limits.ts'
import type { IndexRow } from './search.ts'

/** Records with their rows, as long as there is room. */
export type IndexBatch = { readonly rows: Map<RecordId, IndexRow | undefined>; seq: number }

export class IndexQueue {
  readonly #batchRecords: number
  #batches: IndexBatch[] = []
  #size = 0
  #bytes = 0
  #seq: number

  /** `seq`: up to there all that changed is in the index, or will be read into it. */
  constructor(batchRecords: number, seq: number) {
    this.#batchRecords = batchRecords
    this.#seq = seq
  }

  /** Records that wait. */
  get size(): number {
    return this.#size
  }

  get batches(): number {
    return this.#batches.length
  }

  /** Without a row, or where there is no more room for it, the record is read when its turn comes. */
  add(record: RecordId, row: IndexRow | undefined): void {
    let newest = this.#batches.at(-1)
    if (newest === undefined || newest.rows.size >= this.#batchRecords) {
      newest = { rows: new Map(), seq: this.#seq }
      this.#batches.push(newest)
    }
    const { size } = newest.rows
    const kept = this.#bytes + sizeOf(row) > indexQueueBytes ? undefined : row
    this.#bytes += sizeOf(kept) - sizeOf(newest.rows.get(record))
    newest.rows.set(record, kept)
    this.#size += newest.rows.size - size
  }

  /** All that changed up to this arrival was added, or will be read. */
  reach(seq: number): void {
    this.#seq = seq
    const newest = this.#batches.at(-1)
    if (newest !== undefined) newest.seq = seq
  }

  /** The oldest; one without records when only the index's seq is to move. */
  take(): IndexBatch {
    const batch = this.#batches.shift() ?? { rows: new Map(), seq: this.#seq }
    this.#size -= batch.rows.size
    for (const row of batch.rows.values()) this.#bytes -= sizeOf(row)
    return batch
  }

  /** What waits is read when its turn comes: its rows do not say what is so by now. */
  forgetRows(): void {
    for (const { rows } of this.#batches) for (const record of rows.keys()) rows.set(record, undefined)
    this.#bytes = 0
  }

  clear(): void {
    this.#batches = []
    this.#size = 0
    this.#bytes = 0
  }
}

function sizeOf(row: IndexRow | undefined): number {
  return row?.row.length ?? 0
}
