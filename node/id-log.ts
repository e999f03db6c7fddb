/**
 * The rows that keep the ids of all ops in order of arrival (id-rows.ts): written behind the ops, a few thousand ids a
 * row, and never again; read back at open, and when a part of the set is wanted.
 *
 * A row is written after the ops that it tells of, so a crash leaves rows of a beginning of the log. Failing to write
 * one is logged and costs the next start some time, nothing else.
 */

import { fromHex, isAuthorityType, type OpId, type Sha256, Sketch } from '../crdt/index.ts'
import type { Disk } from './disk.ts'
import { NodeError } from './errors.ts'
import {
  type Arrival,
  chunkKey,
  chunkRow,
  chunkRows,
  numberOfChunk,
  readChunk,
  readSketchRow,
  readWithheld,
  sketchKey,
  sketchRow,
  type Withheld,
  withheldRows,
} from './id-rows.ts'
import { idChunkOps, idRestOpsMin, idSketchChunks } from './limits.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type { Log } from './replica-types.ts'
import { idOfKey } from './rows.ts'
import { belongingOf } from './sets.ts'
import type { Store } from './store.ts'

export type IdLogOptions = {
  readonly disk: Disk
  readonly sha256: Sha256
  readonly log: Log
  /** Ids in the set that are no arrivals, or may be none. */
  readonly others: () => readonly OpId[]
}

/** What the rows say, as far as they are good: ids row by row, and the sketch of the first `sketchParts` of them. */
export type IdLogRead = {
  readonly upto: number
  readonly parts: readonly Uint8Array[]
  readonly sketch: Sketch | undefined
  readonly sketchParts: number
}

export class IdLog {
  readonly #options: IdLogOptions
  /** Rows on disk. */
  #chunks = 0
  #upto = 0
  /** Arrivals behind them, in order. */
  #tail: Arrival[] = []
  /** The tail begins where the rows end; before, what arrives waits. */
  #isWhole = false
  #sketchedChunks = 0
  #writing: Promise<void> = Promise.resolve()
  #isWriting = false
  #isClosed = false

  constructor(options: IdLogOptions) {
    this.#options = options
  }

  /** Reads the rows from the first to the last good one; those behind it are deleted. */
  async open(): Promise<IdLogRead> {
    const { disk, sha256, log } = this.#options
    const parts: Uint8Array[] = []
    let damaged = false
    this.#upto = 0
    for await (const [key, row] of disk.entries(chunkRows)) {
      const chunk = numberOfChunk(key) === parts.length ? readChunk(row, sha256) : undefined
      if (chunk === undefined) {
        damaged = true
        break
      }
      parts.push(chunk.ids)
      this.#upto = chunk.upto
    }
    this.#chunks = parts.length
    if (damaged) {
      log('warn', 'the rows that make a start quick are damaged; they are written anew', { good: parts.length })
      await this.#cut()
    }
    const row = await disk.get(sketchKey)
    const read = row && readSketchRow(row, sha256)
    const sketch = read && read.chunks <= parts.length ? Sketch.fromBytes(read.bytes) : undefined
    this.#sketchedChunks = sketch ? read!.chunks : 0
    return { upto: this.#upto, parts, sketch, sketchParts: this.#sketchedChunks }
  }

  /** What the frames say behind the rows, up to this arrival number. From here on the log is whole. */
  resume(tail: readonly Arrival[], upto: number): void {
    this.#tail = [...tail, ...this.#tail.filter(({ seq }) => seq > upto)]
    this.#isWhole = true
  }

  append(arrivals: readonly Arrival[], all: ReconciledSet): void {
    this.#tail.push(...arrivals)
    this.#flush(all)
  }

  /** Writes what is missing of the rows, from the frames up to this arrival number. Once more when it failed. */
  async rebuild(
    opsSince: (seq: number) => AsyncIterable<Arrival>,
    upto: number,
    signal: AbortSignal,
    all: ReconciledSet,
  ): Promise<void> {
    if (this.#isWhole) {
      // Good rows of a set that is not what was counted: they tell of ops that are not there.
      await this.#writing
      this.#isWhole = false
      this.#chunks = 0
      this.#upto = 0
    }
    await this.#cut()
    let some: Arrival[] = []
    for await (const arrival of opsSince(this.#upto)) {
      if (signal.aborted) return
      if (arrival.seq > upto) break
      some.push(arrival)
      if (some.length < idChunkOps) continue
      await this.#write(some)
      some = []
    }
    this.resume(some, upto)
    this.#flush(all)
  }

  /** Every op that has arrived until now, in order. Waits while the rows are being rebuilt. */
  async *arrivals(): AsyncIterable<Arrival> {
    const { disk, sha256 } = this.#options
    if (!this.#isWhole) throw new NodeError('busy', 'the ids are still being sorted by kind and owner')
    const [tail, chunks] = [[...this.#tail], this.#chunks]
    for (let number = 0; number < chunks; number++) {
      const row = await disk.get(chunkKey(number))
      const chunk = row && readChunk(row, sha256)
      if (chunk === undefined) throw new NodeError('store-corrupt', `row ${number} of the ids is damaged`)
      for (const [i, tag] of chunk.tags.entries()) {
        const id = idOfKey(chunk.ids.subarray(32 * i, 32 * i + 32))
        yield { id, seq: 0, of: chunk.belongings[tag]! }
      }
    }
    yield* tail
  }

  async *withheld(): AsyncIterable<readonly [OpId, Withheld]> {
    const { disk, sha256 } = this.#options
    for await (const [key, row] of disk.entries(withheldRows)) {
      yield [idOfKey(key), readWithheld(row, sha256) ?? { reason: 'damaged' }]
    }
  }

  /** Writes what the next start would else read from frames, and the sketch, if one is kept, that it would make. */
  async close(all: ReconciledSet): Promise<void> {
    this.#isClosed = true
    await this.#writing
    await this.#writeRest(all).catch((error) => {
      this.#options.log('warn', "couldn't write what makes a start quick", { error: String(error) })
    })
  }

  async #writeRest(all: ReconciledSet): Promise<void> {
    if (this.#isWhole && this.#tail.length >= idRestOpsMin) await this.#write(this.#tail.splice(0))
    await this.#writeSketch(all)
  }

  #flush(all: ReconciledSet): void {
    if (this.#isWriting || !this.#isWhole || this.#isClosed || this.#tail.length < idChunkOps) return
    this.#isWriting = true
    this.#writing = this.#writeFull(all)
      .catch((error) => this.#options.log('warn', "couldn't write a row of ids", { error: String(error) }))
      .finally(() => {
        this.#isWriting = false
      })
  }

  async #writeFull(all: ReconciledSet): Promise<void> {
    while (this.#tail.length >= idChunkOps && !this.#isClosed) {
      await this.#write(this.#tail.slice(0, idChunkOps))
      this.#tail.splice(0, idChunkOps)
      if (this.#chunks - this.#sketchedChunks >= idSketchChunks) await this.#writeSketch(all)
    }
  }

  async #write(arrivals: readonly Arrival[]): Promise<void> {
    const { disk, sha256 } = this.#options
    await disk.batch([{ key: chunkKey(this.#chunks), value: chunkRow(arrivals, sha256) }])
    this.#chunks++
    this.#upto = arrivals.at(-1)!.seq
  }

  /** The sketch as it was when the last row ended: what came later, or is no arrival, is taken out of a copy. */
  async #writeSketch(all: ReconciledSet): Promise<void> {
    const { disk, sha256, others } = this.#options
    if (!this.#isWhole || all.kept === undefined || this.#chunks < idSketchChunks) return
    const sketch = all.kept.copy()
    for (const id of new Set([...this.#tail.map((arrival) => arrival.id), ...others()])) {
      if (all.has(id)) sketch.delete(fromHex(id))
    }
    this.#sketchedChunks = this.#chunks
    await disk.batch([{ key: sketchKey, value: sketchRow({ chunks: this.#chunks, bytes: sketch.toBytes() }, sha256) }])
  }

  /** Deletes the rows from the last good one on, and the sketch. */
  async #cut(): Promise<void> {
    const { disk } = this.#options
    const keys: Uint8Array[] = (await disk.get(sketchKey)) === undefined ? [] : [sketchKey]
    for await (const key of disk.keys({ gte: chunkKey(this.#chunks), lt: chunkRows.lt })) keys.push(key)
    if (keys.length > 0) await disk.batch(keys.map((key) => ({ key })))
  }
}

/**
 * The ops of the frames after this number, with what their records belong to. `onUnsure`: of some that cannot be told
 * while ops are damaged, and they are said to belong nowhere.
 */
export async function* arrivalsSince(
  store: Store,
  since: number,
  onUnsure: () => void = () => {},
): AsyncIterable<Arrival> {
  for await (const { seq, frame } of store.framesSince(since)) {
    const others = frame.entries.filter(({ op: { header } }) => !header.genesis && !isAuthorityType(header.type))
    const unknown = [...new Set(others.map(({ op }) => op.header.record))]
    const records = await store.recordsOrBroken(unknown)
    if (records.some((record) => typeof record !== 'object')) onUnsure()
    const merged = new Map(records.map((record, i) => [unknown[i]!, record === 'broken' ? undefined : record]))
    for (const [place, { op }] of frame.entries.entries()) {
      if (seq + place <= since) continue
      yield { id: op.id, seq: seq + place, of: belongingOf(op.header, merged.get(op.header.record)) }
    }
  }
}
