/**
 * The truth on disk: every op this replica holds, in the frames they arrived in, and what follows from them.
 *
 *   key                       value (all but o, k, a, v and w sealed, rows.ts)
 *   m                         meta: format (migrate.ts), network, epoch (16 random bytes, new when the log starts anew)
 *   n                         counts: seq, ops, live records by kind; rewritten in every batch
 *   c                         clean-shutdown marker: ops, root, seq; removed at open, written at close
 *   f <seq 6>                 a frame: its first op has arrival number seq; origin, then the frame (packed when smaller)
 *   o <op id 32>              where it is: first seq of its frame, its place among the frame's ops
 *   r <record id 32>          the merged record, or the one op that it is made of (crdt encodeMerged)
 *   k <kind> 0 <record id>    empty; the records of a kind
 *   a <record id> <op id>     empty; the ops of an authority record
 *   v <op id> <record id>     empty; the records with an op that relies on this grant, rotate or identity
 *   w <op id>                 empty; the records of v that are to be merged again, for what it gave was taken
 *   b, e                      bodies that are missing, and that may be freed (bodies.ts)
 *   g <name>                  small rows of other parts (sync cursors, known peers)
 *   i, s, u                   ids in order of arrival, their sketch, ids refused by policy (id-rows.ts)
 *   q <owner 33>              what went in of an owner or actor (quota.ts)
 *   y, y <place 6>            frames that wait to be taken in again (aside.ts)
 *
 * Everything but f and y can be rebuilt from f. One atomic batch per group of frames carries all their rows, so a kill
 * leaves all of a group or nothing of it.
 *
 * A row that does not read back as written is never served: a record is merged again from its ops, and the ops of a
 * damaged frame count as not held until a good copy of them is appended again.
 */
import type { Merged, Op, OpId, Owner, OwnerAuthority, RecordId, Sha256 } from '../crdt/index.ts'
import type { Del, Disk, Put, Range } from './disk.ts'
import type { Clock } from './environment.ts'
import { usagesCachedMax } from './limits.ts'
import { Lru } from './lru.ts'
import { formatOf, migrate } from './migrate.ts'
import { readUsage, type Usage } from './quota.ts'
import type { Codec } from './replica-types.ts'
import {
  type Counts,
  countsKey,
  countsRow,
  FORMAT,
  frameKey,
  type Location,
  type Marker,
  type Meta,
  markerKey,
  markerRow,
  metaKey,
  metaRow,
  nameOfNote,
  noteKey,
  notesUnder,
  RECOUNT,
  sealed,
  unsealed,
  usageKey,
} from './rows.ts'
import { StoreAuthority } from './store-authority.ts'
import { StoreFrames } from './store-frames.ts'
import { type Opened, openRows } from './store-open.ts'
import { StoreRecords } from './store-records.ts'
import type { Loaded, Prepared, StoredFrame, StoreOptions, StoreParts } from './store-types.ts'
import type { Tally } from './tally.ts'

export class Store {
  readonly sha256: Sha256
  readonly codec: Codec
  meta: Meta
  /** As the last clean shutdown left it; undefined after any other end. */
  readonly marker: Marker | undefined
  /** What looking for lost frames took at open, in ms. */
  readonly checkMs: number
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #frames: StoreFrames
  readonly #authorities: StoreAuthority
  readonly #records: StoreRecords
  readonly #usages = new Lru<Owner, Usage>(usagesCachedMax)
  #counts: Counts
  #synced: Counts
  #commits = 0

  private constructor(
    { disk, environment, sha256, codec, log }: StoreOptions,
    { meta, counts, marker, checkMs }: Opened,
  ) {
    this.sha256 = sha256
    this.codec = codec
    this.meta = meta
    this.marker = marker
    this.checkMs = checkMs
    this.#disk = disk
    this.#clock = environment.clock
    this.#counts = counts
    this.#synced = counts
    const parts: StoreParts = { disk, net: meta.net, sha256, codec, log, commits: () => this.#commits }
    this.#frames = new StoreFrames(parts)
    this.#authorities = new StoreAuthority(parts, this.#frames)
    this.#records = new StoreRecords(parts, this.#frames, this.#authorities)
  }

  /** NodeError: 'wrong-network', 'store-format' (a newer version's folder), 'store-corrupt', or the disk's own. */
  static async open(options: StoreOptions): Promise<Store> {
    const opened = await openRows(options)
    const store = new Store(options, opened)
    if (formatOf(opened.meta) < FORMAT) store.meta = await migrate(store, { ...options, meta: opened.meta })
    await store.#frames.open()
    return store
  }

  /** ms since 1970. */
  now(): number {
    return this.#clock.now()
  }

  get counts(): Counts {
    return this.#counts
  }

  /** What no power cut takes. */
  get synced(): Tally {
    const { seq, ops } = this.#synced
    return { epoch: this.meta.epoch, seq, ops }
  }

  /** Arrival numbers were given before that are not known here any more: the log starts anew for those who follow it. */
  async renew(epoch: string): Promise<void> {
    const meta = { ...this.meta, epoch }
    await this.#disk.batch([{ key: metaKey, value: sealed(metaRow(meta), this.sha256) }], { sync: true })
    this.meta = meta
  }

  /** Writes a group: all of it or, when this rejects, nothing of it, in memory too. */
  async commit(prepared: Prepared, sync: boolean): Promise<void> {
    await this.#disk.batch(prepared.changes, { sync })
    this.#commits++
    this.#counts = prepared.counts
    if (sync) this.#synced = prepared.counts
    this.#frames.committed(prepared)
    this.#records.committed(prepared)
    this.#authorities.committed(prepared)
    for (const [owner, usage] of prepared.usages) this.#usages.set(owner, usage)
  }

  /** Writes rows anew that say the same or less: frames without bodies. What was read from them before is forgotten. */
  async rewrite(
    changes: readonly (Put | Del)[],
    frames: readonly number[],
    records: readonly RecordId[],
  ): Promise<void> {
    await this.#disk.batch(changes, { sync: true })
    this.#commits++
    this.#frames.forget(frames)
    this.#records.forgetOps(records)
    const [first] = frames.toSorted((a, b) => a - b)
    // Until the files are written anew, the disk still holds what was there before.
    if (first !== undefined) await this.#disk.compact?.({ gte: frameKey(first), lte: frameKey(Math.max(...frames)) })
  }

  /** Counts anew, where a damaged row has made the counts doubtful. Only while nobody writes. */
  async recount(isDoubtful: boolean): Promise<void> {
    const recounted = await this.#records.recounted(isDoubtful)
    if (recounted === undefined) return
    const { strays, ...counted } = recounted
    const counts = { ...this.#counts, ...counted }
    const put = { key: countsKey, value: sealed(countsRow(counts), this.sha256) }
    await this.#disk.batch([put, { key: noteKey(RECOUNT) }, ...strays], { sync: true })
    this.#counts = counts
  }

  async writeMarker(root: string): Promise<void> {
    const { ops, seq } = this.#counts
    await this.#disk.batch([{ key: markerKey, value: sealed(markerRow({ ops, root, seq }), this.sha256) }], {
      sync: true,
    })
    this.#synced = this.#counts
  }

  keys(range: Range): AsyncIterable<Uint8Array> {
    return this.#disk.keys(range)
  }

  async note(name: string): Promise<Uint8Array | undefined> {
    const row = await this.#disk.get(noteKey(name))
    return row && unsealed(row, this.sha256)
  }

  async setNote(name: string, value: Uint8Array | undefined, options: { readonly sync?: boolean } = {}): Promise<void> {
    const key = noteKey(name)
    await this.#disk.batch([value === undefined ? { key } : { key, value: sealed(value, this.sha256) }], options)
  }

  /** Those whose names begin so. Damaged ones are left out. */
  async *notes(prefix: string): AsyncIterable<readonly [name: string, value: Uint8Array]> {
    for await (const [key, row] of this.#disk.entries(notesUnder(prefix))) {
      const value = unsealed(row, this.sha256)
      if (value !== undefined) yield [nameOfNote(key).slice(prefix.length), value]
    }
  }

  /** What went in so far of these owners and actors. For the one writer, or for people to read. */
  async usages(owners: readonly Owner[]): Promise<Usage[]> {
    const cached = owners.map((owner) => this.#usages.get(owner))
    const absent = owners.filter((_, at) => cached[at] === undefined)
    if (absent.length === 0) return cached as Usage[]
    const commits = this.#commits
    const rows = (await this.#disk.getMany(absent.map(usageKey))).map((row) => readUsage(row, this.sha256))
    if (commits === this.#commits) for (const [at, owner] of absent.entries()) this.#usages.set(owner, rows[at]!)
    const read = rows.values()
    return cached.map((usage) => usage ?? read.next().value!)
  }

  // Frames and the ops in them: store-frames.ts.

  get damage(): { readonly frames: number; readonly ops: number } {
    return this.#frames.damage
  }

  damaged(limit: number): OpId[] {
    return this.#frames.damaged(limit)
  }

  isDamaged(id: OpId): boolean {
    return this.#frames.isDamaged(id)
  }

  lacksBody(id: OpId): boolean {
    return this.#frames.lacksBody(id)
  }

  locate(ids: readonly OpId[]): Promise<(Location | undefined)[]> {
    return this.#frames.locate(ids)
  }

  byFrame(ids: readonly OpId[]): Promise<Map<number, OpId[]>> {
    return this.#frames.byFrame(ids)
  }

  frameWith(seq: number, ids: readonly OpId[]) {
    return this.#frames.frameWith(seq, ids)
  }

  ops(ids: readonly OpId[]): Promise<Map<OpId, Op>> {
    return this.#frames.ops(ids)
  }

  frame(seq: number): Promise<StoredFrame | undefined> {
    return this.#frames.frame(seq)
  }

  framesSince(since: number, notFrom?: string): AsyncIterable<StoredFrame> {
    return this.#frames.framesSince(since, notFrom)
  }

  recheck(seq: number, row: Uint8Array): StoredFrame | undefined {
    return this.#frames.recheck(seq, row)
  }

  noteLost(from: number, to: number): void {
    this.#frames.noteLost(from, to)
  }

  noteGood(ids: readonly OpId[]): void {
    this.#frames.noteGood(ids)
  }

  strays(): Promise<OpId[]> {
    return this.#frames.strays()
  }

  onDamage(call: () => void): void {
    this.#frames.onDamage = call
  }

  // Records: store-records.ts.

  rebuild(ids: ReadonlySet<RecordId>): Promise<number> {
    return this.#records.rebuild(ids)
  }

  opsOf(merged: Merged | undefined, known?: ReadonlyMap<OpId, Op>): Promise<Loaded> {
    return this.#records.opsOf(merged, known)
  }

  peek(id: RecordId): Merged | undefined {
    return this.#records.peek(id)
  }

  record(id: RecordId): Promise<Merged | undefined> {
    return this.#records.record(id)
  }

  records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]> {
    return this.#records.records(ids)
  }

  recordsOrBroken(ids: readonly RecordId[]): Promise<(Merged | undefined | 'broken')[]> {
    return this.#records.recordsOrBroken(ids)
  }

  listedKind(id: RecordId): Promise<string> {
    return this.#records.listedKind(id)
  }

  recordsFrom(
    kind: string | undefined,
    from: RecordId | undefined,
    broken?: (id: RecordId) => void,
  ): AsyncIterable<Merged> {
    return this.#records.recordsFrom(kind, from, broken)
  }

  storedRecords(ids: readonly RecordId[]): Promise<Merged[]> {
    return this.#records.storedRecords(ids)
  }

  mergeAgain(merged: Merged): Promise<Merged> {
    return this.#records.mergeAgain(merged)
  }

  // Authority: store-authority.ts.

  authority(owner: Owner): Promise<OwnerAuthority> {
    return this.#authorities.authority(owner)
  }

  readAuthority(owner: Owner, more: readonly Op[]): Promise<OwnerAuthority> {
    return this.#authorities.readAuthority(owner, more)
  }

  authorityGaps(record: RecordId): readonly OpId[] {
    return this.#authorities.gaps(record)
  }

  ownerOfAuthority(record: RecordId): Promise<Owner | undefined> {
    return this.#authorities.ownerOfAuthority(record)
  }

  waiting(): Promise<OpId[]> {
    return this.#authorities.waiting()
  }

  relying(via: OpId, after: RecordId | undefined, limit: number): Promise<RecordId[]> {
    return this.#authorities.relying(via, after, limit)
  }
}
