/**
 * Merged records as they lie on the disk, judged by their owners' authority as it is now.
 *
 * A record whose row does not read back as written is merged again from its ops.
 */
import {
  decodeMerged,
  encodeMerged,
  kinds,
  type Merged,
  merge,
  type Op,
  type OpId,
  type RecordId,
} from '../crdt/index.ts'
import type { Del, Put } from './disk.ts'
import { NodeError } from './errors.ts'
import { recordCacheBytesMax, recordOpsCacheBytesMax } from './limits.ts'
import { Lru } from './lru.ts'
import {
  type Counts,
  idOfKey,
  kindAfter,
  kindKey,
  noteKey,
  opRows,
  RECOUNT,
  recordKey,
  recordsAfter,
  sealed,
  unsealed,
} from './rows.ts'
import type { StoreAuthority } from './store-authority.ts'
import type { StoreFrames } from './store-frames.ts'
import type { Loaded, Prepared, StoreParts } from './store-types.ts'

export class StoreRecords {
  readonly #parts: StoreParts
  readonly #frames: StoreFrames
  readonly #authorities: StoreAuthority
  readonly #records = new Lru<RecordId, Merged>(recordCacheBytesMax)
  readonly #ops = new Lru<RecordId, readonly Op[]>(recordOpsCacheBytesMax)
  /** What could not be merged again is not tried for every reader, as long as the same is damaged: at most all records. */
  readonly #broken = new Set<RecordId>()
  #brokenWith = ''
  #isRecountNoted = false

  constructor(parts: StoreParts, frames: StoreFrames, authorities: StoreAuthority) {
    this.#parts = parts
    this.#frames = frames
    this.#authorities = authorities
  }

  /** What is on disk now. */
  committed({ records }: Prepared): void {
    for (const { merged, row, ops } of records) {
      this.#records.set(merged.record, merged, row.length)
      if (ops === undefined) this.#ops.delete(merged.record)
      else this.#ops.set(merged.record, ops, weightOf(ops))
    }
  }

  /** Their ops were written anew. */
  forgetOps(records: readonly RecordId[]): void {
    for (const record of records) this.#ops.delete(record)
  }

  /** All ops of a record as it is on disk, found from its heads. Of ops in `known` the disk is not asked. */
  async opsOf(merged: Merged | undefined, known?: ReadonlyMap<OpId, Op>): Promise<Loaded> {
    if (merged === undefined) return { ops: [] }
    const cached = this.#ops.get(merged.record)
    if (cached?.length === merged.opCount) return { ops: cached }
    const ops = new Map<OpId, Op>()
    for (let wanted = [...merged.heads]; wanted.length > 0; ) {
      const found = await this.#frames.ops(known === undefined ? wanted : wanted.filter((id) => !known.has(id)))
      for (const id of wanted) {
        const op = found.get(id) ?? known?.get(id)
        if (op !== undefined) ops.set(id, op)
      }
      const damaged = wanted.filter((id) => !ops.has(id))
      if (damaged.length > 0) {
        this.#frames.noteDamaged(damaged)
        return { damaged }
      }
      const next = new Set<OpId>()
      for (const id of wanted) for (const parent of ops.get(id)!.header.parents) if (!ops.has(parent)) next.add(parent)
      wanted = [...next]
    }
    return { ops: [...ops.values()] }
  }

  peek(id: RecordId): Merged | undefined {
    return this.#records.peek(id)
  }

  async record(id: RecordId): Promise<Merged | undefined> {
    return (await this.records([id]))[0]
  }

  async records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]> {
    const found = await this.recordsOrBroken(ids)
    return found.map((one, at) => (one === 'broken' ? thrown(ids[at]!) : one))
  }

  /** 'broken' is one that cannot be merged before damaged ops have come again. */
  async recordsOrBroken(ids: readonly RecordId[]): Promise<(Merged | undefined | 'broken')[]> {
    const found: (Merged | undefined | 'broken')[] = ids.map((id) => this.#records.get(id))
    const commits = this.#parts.commits()
    for (const [at, merged] of found.entries()) {
      if (typeof merged === 'object' && merged.judged !== undefined) found[at] = await this.#judgedNow(merged, commits)
    }
    const absent = ids.flatMap((id, at) => (found[at] === undefined ? [{ id, at }] : []))
    if (absent.length === 0) return found
    const rows = await this.#parts.disk.getMany(absent.map(({ id }) => recordKey(id)))
    const damaged: typeof absent = []
    const keep = (at: number, merged: Merged, weight: number) => {
      found[at] = merged
      if (commits === this.#parts.commits()) this.#records.set(merged.record, merged, weight)
    }
    for (const [i, one] of absent.entries()) {
      const row = rows[i]
      if (row === undefined) continue
      const merged = this.#readRow(one.id, row)
      if (merged === undefined) damaged.push(one)
      else keep(one.at, await this.#judgedNow(merged, commits), row.length)
    }
    const again = await this.#mergedAgain(damaged.map(({ id }) => id))
    for (const { id, at } of damaged) {
      const merged = again.get(id)
      if (typeof merged === 'object') keep(at, merged, REJUDGED_BYTES)
      else found[at] = merged
    }
    return found
  }

  /** The kind that it is listed under, whatever its own row is like; '' when it is under none. */
  async listedKind(id: RecordId): Promise<string> {
    const names = Object.keys(kinds)
    const rows = await this.#parts.disk.getMany(names.map((name) => kindKey(name, id)))
    return names[rows.findIndex((row) => row !== undefined)] ?? ''
  }

  /** Records in order of id, of one kind or all. `broken` is told of those that are; without it they are thrown. */
  async *recordsFrom(
    kind: string | undefined,
    from: RecordId | undefined,
    broken: (id: RecordId) => void = thrown,
  ): AsyncIterable<Merged> {
    if (kind === undefined) {
      for await (const [key, row] of this.#parts.disk.entries(recordsAfter(from))) {
        const id = idOfKey(key)
        const read = this.#readRow(id, row)
        const merged =
          read === undefined
            ? (await this.#mergedAgain([id])).get(id)
            : await this.#judgedNow(read, this.#parts.commits())
        if (merged === 'broken') broken(id)
        else if (merged !== undefined) yield merged
      }
      return
    }
    const good = async function* (records: StoreRecords, ids: readonly RecordId[]) {
      for (const [at, merged] of (await records.recordsOrBroken(ids)).entries()) {
        if (merged === 'broken') broken(ids[at]!)
        else if (merged !== undefined) yield merged
      }
    }
    let ids: RecordId[] = []
    for await (const key of this.#parts.disk.keys(kindAfter(kind, from))) {
      ids.push(idOfKey(key))
      if (ids.length < READ_AHEAD) continue
      yield* good(this, ids)
      ids = []
    }
    yield* good(this, ids)
  }

  /** Records as their rows are, whatever their owners' authority says by now; without those that lack a good row. */
  async storedRecords(ids: readonly RecordId[]): Promise<Merged[]> {
    const rows = await this.#parts.disk.getMany(ids.map(recordKey))
    const values = rows.map((row) => row && unsealed(row, this.#parts.sha256))
    // Whether it counts as live its row alone could tell.
    if (rows.some((row, at) => row !== undefined && values[at] === undefined)) await this.#noteRecount()
    return values.flatMap((value) => (value === undefined ? [] : [decodeMerged(value, this.#parts.sha256)]))
  }

  /** The record as its ops make it now; as it is where some of them are damaged, for nothing better can be said. */
  async mergeAgain(merged: Merged): Promise<Merged> {
    const loaded = await this.opsOf(merged)
    return 'damaged' in loaded
      ? merged
      : merge(loaded.ops, this.#parts.sha256, await this.#authorities.authority(merged.owner))
  }

  /** Undefined when the row is damaged. */
  #readRow(id: RecordId, row: Uint8Array): Merged | undefined {
    const value = unsealed(row, this.#parts.sha256)
    const merged = value && decodeMerged(value, this.#parts.sha256)
    // Keys rot too: a good row may lie where another belongs.
    return merged?.record === id ? merged : undefined
  }

  /** Those whose rows are damaged, from their ops; without those of which there is no op. */
  async #mergedAgain(ids: readonly RecordId[]): Promise<ReadonlyMap<RecordId, Merged | 'broken'>> {
    const again = new Map<RecordId, Merged | 'broken'>()
    if (this.#brokenWith !== this.#damageNow()) this.#broken.clear()
    const untried = new Set(ids.filter((id) => !this.#broken.has(id)))
    if (untried.size > 0) {
      for (const record of untried)
        this.#parts.log('error', 'a record on disk is damaged; merging it again from its ops', { record })
      await this.#noteRecount()
      const { records, found } = await this.#fromFrames(untried)
      for (const merged of records) again.set(merged.record, merged)
      // Any of its ops may have been in a damaged frame, and a part of a record is not the record.
      const mayBe = (id: RecordId) => this.#frames.damage.frames > 0 || found.has(id)
      for (const id of untried) if (!again.has(id) && mayBe(id)) this.#broken.add(id)
      this.#brokenWith = this.#damageNow()
    }
    for (const id of ids) if (this.#broken.has(id)) again.set(id, 'broken')
    return again
  }

  #damageNow(): string {
    const { frames, ops } = this.#frames.damage
    return `${frames} ${ops}`
  }

  /** Before its row is written again, or a crash would leave counts that nobody doubts. */
  async #noteRecount(): Promise<void> {
    if (this.#isRecountNoted) return
    const { disk, sha256 } = this.#parts
    await disk.batch([{ key: noteKey(RECOUNT), value: sealed(new Uint8Array(0), sha256) }], { sync: true })
    this.#isRecountNoted = true
  }

  /**
   * Ops and live records by kind, as their rows have it, and rows that lie where no record belongs; undefined where the
   * counts need not be doubted. Only while nobody writes.
   */
  async recounted(
    isDoubtful: boolean,
  ): Promise<(Omit<Counts, 'seq'> & { readonly strays: readonly Del[] }) | undefined> {
    const { disk, sha256 } = this.#parts
    if (!isDoubtful && (await disk.get(noteKey(RECOUNT))) === undefined) return undefined
    const live: Record<string, number> = Object.create(null)
    const strays: Del[] = []
    for await (const [key, row] of disk.entries(recordsAfter(undefined))) {
      const value = unsealed(row, sha256)
      // One that cannot be mended yet: it is counted when it can.
      if (value === undefined) return undefined
      const merged = decodeMerged(value, sha256)
      if (merged.record !== idOfKey(key)) strays.push({ key })
      else if (merged.live) live[merged.kind] = (live[merged.kind] ?? 0) + 1
    }
    let ops = 0
    for await (const _ of disk.keys(opRows)) ops++
    this.#isRecountNoted = false
    return { ops, records: live, strays }
  }

  /**
   * Writes the rows of these records anew, of those that can be merged now; answers how many. Only while nobody writes.
   */
  async rebuild(ids: ReadonlySet<RecordId>): Promise<number> {
    const { disk, sha256 } = this.#parts
    const { records } = await this.#fromFrames(ids)
    const rows = records.flatMap((merged): Put[] => [
      { key: recordKey(merged.record), value: sealed(encodeMerged(merged), sha256) },
      { key: kindKey(merged.kind, merged.record), value: new Uint8Array(0) },
    ])
    if (rows.length === 0) return 0
    await this.#noteRecount()
    await disk.batch(rows, { sync: true })
    for (const id of ids) this.#records.delete(id)
    return records.length
  }

  /**
   * Records from all their ops, found by reading every frame: the slow way. Without those of which ops are missing;
   * `found`: of which there are any.
   */
  async #fromFrames(
    ids: ReadonlySet<RecordId>,
  ): Promise<{ readonly records: readonly Merged[]; readonly found: { has(id: RecordId): boolean } }> {
    const found = new Map<RecordId, Map<OpId, Op>>()
    if (this.#frames.damage.frames > 0) return { records: [], found }
    for await (const { frame } of this.#frames.framesSince(0)) {
      for (const { op } of frame.entries) {
        const { record } = op.header
        if (!ids.has(record)) continue
        const ops = found.get(record)
        if (ops === undefined) found.set(record, new Map([[op.id, op]]))
        else ops.set(op.id, op)
      }
    }
    // A head that is lost leaves no trace in the ops that are there.
    if (this.#frames.damage.frames > 0) return { records: [], found }
    const records: Merged[] = []
    for (const ops of found.values()) {
      const all = [...ops.values()]
      const owner = all.find(({ header }) => header.genesis !== undefined)?.header.genesis?.owner
      if (owner === undefined || !all.every(({ header }) => header.parents.every((id) => ops.has(id)))) continue
      records.push(merge(all, this.#parts.sha256, await this.#authorities.authority(owner)))
    }
    return { records, found }
  }

  /** The record as its owner's authority stands now, which may have changed since it was merged. */
  async #judgedNow(merged: Merged, commits: number): Promise<Merged> {
    const { judged } = merged
    if (judged === undefined) return merged
    const authority = await this.#authorities.authority(merged.owner)
    // While an op of that authority is damaged, nothing better is known than what was merged before.
    if (!judged.vias.every((via) => authority.has(via)) || authority.stamp(judged.vias) === judged.stamp) return merged
    // The usual end of a grant: all that was done under it stays, and no op has to be read to see that.
    const keeps = merged.voided === undefined && authority.keepsAll(judged.vias, merged.heads)
    const same = { ...merged, judged: { vias: judged.vias, stamp: authority.stamp(judged.vias) } }
    const now = keeps ? same : await this.mergeAgain(merged)
    if (now === merged) return merged
    if (commits === this.#parts.commits()) this.#records.set(now.record, now, REJUDGED_BYTES)
    return now
  }
}

/** A record that was merged again for reading weighs so much in the cache; its row's length is not known. */
const REJUDGED_BYTES = 2048
/** Records read at once when a kind is listed. */
const READ_AHEAD = 64

function thrown(id: RecordId): never {
  throw new NodeError('store-corrupt', `record ${id} is damaged, and so are ops that it would be merged from again`)
}

function weightOf(ops: readonly Op[]): number {
  return ops.reduce((sum, { body }) => sum + body.length + OP_OVERHEAD, 0)
}

/** What an op weighs beside its body. */
const OP_OVERHEAD = 512
