/**
 * The truth on disk: every op this replica holds, in the frames they arrived in, and what follows from them.
 *
 *   key                       value (all but o, k, a, v and w sealed, rows.ts)
 *   m                         meta: format (migrate.ts), network, epoch (16 random bytes, new when the log starts anew)
 *   n                         counts: seq, ops, live records by kind; rewritten in every batch
 *   c                         clean-shutdown marker: ops, root, seq; removed at open, written at close
 *   f <seq 6>                 a frame: its first op has arrival number seq; origin, then the frame (packed when smaller)
 *   o <op id 32>              where it is: first seq of its frame, its place among the frame's ops
 *   r <record id 32>          the merged record (crdt encodeMerged)
 *   k <kind> 0 <record id>    empty; the records of a kind
 *   a <record id> <op id>     empty; the ops of an authority record
 *   v <op id> <record id>     empty; the records with an op that relies on this grant, rotate or identity
 *   w <op id>                 empty; the records of v that are to be merged again, for what it gave was taken
 *   b, e                      bodies that are missing, and that may be freed (bodies.ts)
 *   g <name>                  small rows of other parts (sync cursors, known peers)
 *   i, s, u                   ids in order of arrival, their sketch, ids refused by policy (id-rows.ts)
 *   q <owner 33>              what went in of an owner or actor (quota.ts)
 *
 * Everything but f can be rebuilt from f. One atomic batch per group of frames carries all their rows, so a kill
 * leaves all of a group or nothing of it.
 *
 * A row that does not read back as written is never served: a record is merged again from its ops, and the ops of a
 * damaged frame count as not held until a good copy of them is appended again.
 */
import {
  authorityRecord,
  decodeMerged,
  IDENTITY,
  type Merged,
  merge,
  type NetworkId,
  type Op,
  type OpId,
  type Owner,
  OwnerAuthority,
  ownerOfIdentity,
  ownerOfKey,
  type ParsedFrame,
  parseFrame,
  type RecordId,
  type Sha256,
  toHex,
} from '../crdt/index.ts'
import { type MissingBodies, missingBodyRows } from './bodies.ts'
import type { Del, Disk, Put, Range } from './disk.ts'
import type { Clock, Environment } from './environment.ts'
import { NodeError } from './errors.ts'
import {
  authorityCacheOpsMax,
  frameCacheBytesMax,
  frameRowBytesMax,
  recordCacheBytesMax,
  recordOpsCacheBytesMax,
  usagesCachedMax,
} from './limits.ts'
import { Lru } from './lru.ts'
import { formatOf, migrate } from './migrate.ts'
import { readUsage, type Usage } from './quota.ts'
import type { Codec, Log } from './replica-types.ts'
import {
  authorityRows,
  type Counts,
  countsKey,
  countsRow,
  FORMAT,
  frameKey,
  framesFrom,
  idOfKey,
  kindAfter,
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
  opKey,
  opRows,
  readCounts,
  readFrameRow,
  readLocation,
  readMarker,
  readMeta,
  recordKey,
  recordsAfter,
  sealed,
  seqOfFrameKey,
  unsealed,
  unsealedUnchecked,
  usageKey,
  viaKey,
  viaRows,
  waitingRows,
} from './rows.ts'

export type StoreOptions = {
  readonly disk: Disk
  readonly environment: Environment
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly codec: Codec
  readonly log: Log
}

export type StoredFrame = { readonly seq: number; readonly frame: ParsedFrame; readonly origin?: string }
/** Ops by id, or the ids of those that are damaged: then none can be merged. */
export type Loaded = { readonly ops: readonly Op[] } | { readonly damaged: readonly OpId[] }
/** What one group changes, ready for the disk and then for the caches. */
export type Prepared = {
  readonly changes: readonly (Put | Del)[]
  readonly counts: Counts
  readonly frames: readonly StoredFrame[]
  /** How many of the frames came from others; the rest are our own. */
  readonly remote: number
  /** `ops`: all of the record, if they had to be loaded. */
  readonly records: readonly { readonly merged: Merged; readonly bytes: number; readonly ops?: readonly Op[] }[]
  /** Owners whose authority ops are among them, with what their authority is now. */
  readonly authorities: readonly OwnerAuthority[]
  /** What lost or regained authority: the records that rely on it are to be merged again. */
  readonly waiting: readonly OpId[]
  /** What went in so far of the owners and actors of these ops. */
  readonly usages: readonly (readonly [Owner, Usage])[]
  /** Stored again because their row is damaged. */
  readonly repaired: readonly OpId[]
  /** Ops whose body is missing now, and no more. */
  readonly bodies: readonly MissingBodies[]
}

export class Store {
  readonly sha256: Sha256
  readonly codec: Codec
  meta: Meta
  /** As the last clean shutdown left it; undefined after any other end. */
  readonly marker: Marker | undefined
  readonly #disk: Disk
  readonly #log: Log
  readonly #clock: Clock
  readonly #frames = new Lru<number, StoredFrame>(frameCacheBytesMax)
  readonly #records = new Lru<RecordId, Merged>(recordCacheBytesMax)
  readonly #ops = new Lru<RecordId, readonly Op[]>(recordOpsCacheBytesMax)
  readonly #authorities = new Lru<RecordId, OwnerAuthority>(authorityCacheOpsMax)
  /** Of authority records with damaged ops: which. */
  readonly #gaps = new Map<RecordId, readonly OpId[]>()
  readonly #usages = new Lru<Owner, Usage>(usagesCachedMax)
  readonly #damagedFrames = new Set<number>()
  readonly #damagedOps = new Set<OpId>()
  readonly #lackingBody = new Set<OpId>()
  #counts: Counts
  /** Grows with each commit: a record row read before one must not enter the cache after it. */
  #commits = 0

  private constructor(options: StoreOptions, meta: Meta, counts: Counts, marker: Marker | undefined) {
    this.sha256 = options.sha256
    this.codec = options.codec
    this.meta = meta
    this.marker = marker
    this.#disk = options.disk
    this.#log = options.log
    this.#clock = options.environment.clock
    this.#counts = counts
  }

  /** NodeError: 'wrong-network', 'store-format' (a newer version's folder), 'store-corrupt', or the disk's own. */
  static async open(options: StoreOptions): Promise<Store> {
    const { disk, environment, net, sha256 } = options
    const rows = await disk.getMany([metaKey, countsKey, markerKey])
    const [metaBytes, countsBytes, markerBytes] = rows.map((row) => row && unsealed(row, sha256))
    if (rows[0] === undefined) {
      for await (const _ of disk.keys({ limit: 1 })) throw corrupt('the store has rows but no meta row')
      const meta = { format: FORMAT, net, epoch: toHex(environment.random.bytes(16)) }
      const counts: Counts = { seq: 0, ops: 0, records: Object.create(null) }
      await disk.batch(
        [
          { key: metaKey, value: sealed(metaRow(meta), sha256) },
          { key: countsKey, value: sealed(countsRow(counts), sha256) },
        ],
        { sync: true },
      )
      return new Store(options, meta, counts, undefined)
    }
    const meta = metaBytes && readMeta(metaBytes)
    if (meta === undefined) throw corrupt("the store's meta row is damaged")
    if (meta.format > FORMAT) {
      throw new NodeError(
        'store-format',
        `the store has format ${meta.format}, this program knows ${FORMAT} and older; use the version that wrote it, or a newer one`,
      )
    }
    if (meta.net !== net) {
      throw new NodeError('wrong-network', `the store belongs to network ${meta.net}, not to ${net}`)
    }
    const counts = countsBytes && readCounts(countsBytes)
    if (counts === undefined) throw corrupt("the store's counts are damaged")
    if (rows[2] !== undefined) await disk.batch([{ key: markerKey }], { sync: true })
    const store = new Store(options, meta, counts, markerBytes && readMarker(markerBytes))
    if (formatOf(meta) < FORMAT) store.meta = await migrate(store, { ...options, meta })
    for await (const key of disk.keys(missingBodyRows)) store.#lackingBody.add(idOfKey(key))
    return store
  }

  get counts(): Counts {
    return this.#counts
  }

  get damage(): { readonly frames: number; readonly ops: number } {
    return { frames: this.#damagedFrames.size, ops: this.#damagedOps.size + this.#lackingBody.size }
  }

  /** Ids of ops whose copy here is damaged, to be asked for. */
  damaged(limit: number): OpId[] {
    return [...this.#damagedOps.keys().take(limit), ...this.#lackingBody.keys().take(limit)].slice(0, limit)
  }

  /** Writes a group: all of it or, when this rejects, nothing of it, in memory too. */
  async commit(prepared: Prepared, sync: boolean): Promise<void> {
    await this.#disk.batch(prepared.changes, { sync })
    this.#commits++
    this.#counts = prepared.counts
    for (const frame of prepared.frames) this.#frames.set(frame.seq, frame, frame.frame.bytes.length)
    for (const { merged, bytes, ops } of prepared.records) {
      this.#records.set(merged.record, merged, bytes)
      if (ops === undefined) this.#ops.delete(merged.record)
      else this.#ops.set(merged.record, ops, weightOf(ops))
    }
    for (const authority of prepared.authorities) this.#authorities.set(authority.record, authority, authority.size + 1)
    for (const [owner, usage] of prepared.usages) this.#usages.set(owner, usage)
    for (const id of prepared.repaired) this.#damagedOps.delete(id)
    for (const { now, no } of prepared.bodies) {
      for (const id of no) this.#lackingBody.delete(id)
      for (const id of now) this.#lackingBody.add(id)
    }
  }

  async writeMarker(root: string): Promise<void> {
    const { ops, seq } = this.#counts
    await this.#disk.batch([{ key: markerKey, value: sealed(markerRow({ ops, root, seq }), this.sha256) }], {
      sync: true,
    })
  }

  async locate(ids: readonly OpId[]): Promise<(Location | undefined)[]> {
    return (await this.#disk.getMany(ids.map(opKey))).map((row) => row && readLocation(row))
  }

  /** Known to be unreadable: not served, and to be stored again from any good copy. */
  isDamaged(id: OpId): boolean {
    return this.#damagedOps.has(id) || this.#lackingBody.has(id)
  }

  /** Held without its body, although nothing in force erases it. */
  lacksBody(id: OpId): boolean {
    return this.#lackingBody.has(id)
  }

  /** ms since 1970. */
  now(): number {
    return this.#clock.now()
  }

  keys(range: Range): AsyncIterable<Uint8Array> {
    return this.#disk.keys(range)
  }

  /** Writes rows anew that say the same or less: frames without bodies. What was read from them before is forgotten. */
  async rewrite(
    changes: readonly (Put | Del)[],
    frames: readonly number[],
    records: readonly RecordId[],
  ): Promise<void> {
    await this.#disk.batch(changes, { sync: true })
    this.#commits++
    for (const seq of frames) this.#frames.delete(seq)
    for (const record of records) this.#ops.delete(record)
    const [first] = frames.toSorted((a, b) => a - b)
    // Until the files are written anew, the disk still holds what was there before.
    if (first !== undefined) await this.#disk.compact?.({ gte: frameKey(first), lte: frameKey(Math.max(...frames)) })
  }

  /** The ops of these that are held, by the first number of their frame. */
  async byFrame(ids: readonly OpId[]): Promise<Map<number, OpId[]>> {
    const unique = [...new Set(ids)]
    const bySeq = new Map<number, OpId[]>()
    for (const [i, location] of (await this.locate(unique)).entries()) {
      if (location === undefined) continue
      const others = bySeq.get(location.seq)
      if (others === undefined) bySeq.set(location.seq, [unique[i]!])
      else others.push(unique[i]!)
    }
    return bySeq
  }

  /** A frame that is said to hold these ops, and those of them that it does hold. What it lacks is noted as damaged. */
  async frameWith(
    seq: number,
    ids: readonly OpId[],
  ): Promise<{ readonly stored: StoredFrame; readonly ids: readonly OpId[] } | undefined> {
    const stored = await this.frame(seq)
    const inside = new Set(stored?.frame.entries.map(({ op }) => op.id))
    const lost = ids.filter((id) => !inside.has(id))
    for (const id of lost) this.#damagedOps.add(id)
    if (stored === undefined) return undefined
    // The op's row points to the wrong frame, so it is the row that is damaged; the op is as lost.
    if (lost.length > 0) this.#log('error', 'a row on disk points to a frame that lacks its op', { seq, op: lost[0] })
    return { stored, ids: lost.length === 0 ? ids : ids.filter((id) => inside.has(id)) }
  }

  async ops(ids: readonly OpId[]): Promise<Map<OpId, Op>> {
    const ops = new Map<OpId, Op>()
    for (const [seq, some] of await this.byFrame(ids)) {
      const found = await this.frameWith(seq, some)
      const wanted = new Set(found?.ids)
      for (const { op } of found?.stored.frame.entries ?? []) if (wanted.has(op.id)) ops.set(op.id, op)
    }
    return ops
  }

  /** All ops of a record as it is on disk, found from its heads. Of ops in `known` the disk is not asked. */
  async opsOf(merged: Merged | undefined, known?: ReadonlyMap<OpId, Op>): Promise<Loaded> {
    if (merged === undefined) return { ops: [] }
    const cached = this.#ops.get(merged.record)
    if (cached?.length === merged.opCount) return { ops: cached }
    const ops = new Map<OpId, Op>()
    for (let wanted = [...merged.heads]; wanted.length > 0; ) {
      const found = await this.ops(known === undefined ? wanted : wanted.filter((id) => !known.has(id)))
      for (const id of wanted) {
        const op = found.get(id) ?? known?.get(id)
        if (op !== undefined) ops.set(id, op)
      }
      const damaged = wanted.filter((id) => !ops.has(id))
      if (damaged.length > 0) {
        for (const id of damaged) this.#damagedOps.add(id)
        return { damaged }
      }
      const next = new Set<OpId>()
      for (const id of wanted) for (const parent of ops.get(id)!.header.parents) if (!ops.has(parent)) next.add(parent)
      wanted = [...next]
    }
    return { ops: [...ops.values()] }
  }

  /** The frame whose first op has this arrival number; undefined when there is none, or it is damaged. */
  async frame(seq: number): Promise<StoredFrame | undefined> {
    const cached = this.#frames.get(seq)
    if (cached !== undefined) return cached
    const row = await this.#disk.get(frameKey(seq))
    return row && this.#readFrame(seq, row)
  }

  /**
   * Frames in arrival order, from the one that holds `since` + 1, without those that came from `notFrom`. Damaged ones
   * are left out and counted.
   */
  async *framesSince(since: number, notFrom?: string): AsyncIterable<StoredFrame> {
    let first = since + 1
    for await (const key of this.#disk.keys({ gte: frameKey(0), lte: frameKey(since + 1), reverse: true, limit: 1 }))
      first = seqOfFrameKey(key)
    for await (const [key, row] of this.#disk.entries(framesFrom(first))) {
      const seq = seqOfFrameKey(key)
      if (notFrom !== undefined && originOf(row) === notFrom) continue
      const stored = this.#frames.get(seq) ?? this.#readFrame(seq, row)
      if (stored !== undefined && stored.seq + stored.frame.entries.length > since + 1) yield stored
    }
  }

  peek(id: RecordId): Merged | undefined {
    return this.#records.peek(id)
  }

  async record(id: RecordId): Promise<Merged | undefined> {
    return (await this.records([id]))[0]
  }

  async records(ids: readonly RecordId[]): Promise<(Merged | undefined)[]> {
    const found = ids.map((id) => this.#records.get(id))
    const commits = this.#commits
    for (const [at, merged] of found.entries()) {
      if (merged?.judged !== undefined) found[at] = await this.#judgedNow(merged, commits)
    }
    const absent = ids.flatMap((id, at) => (found[at] === undefined ? [{ id, at }] : []))
    if (absent.length === 0) return found
    const rows = await this.#disk.getMany(absent.map(({ id }) => recordKey(id)))
    for (const [i, { id, at }] of absent.entries()) {
      const row = rows[i]
      if (row === undefined) continue
      const merged = await this.#readRecord(id, row)
      found[at] = merged
      if (merged !== undefined && commits === this.#commits) this.#records.set(id, merged, row.length)
    }
    return found
  }

  /** Records in order of id, of one kind or all. */
  async *recordsFrom(kind: string | undefined, from: RecordId | undefined): AsyncIterable<Merged> {
    if (kind === undefined) {
      for await (const [key, row] of this.#disk.entries(recordsAfter(from))) {
        const id = idOfKey(key)
        const merged = await this.#readRecord(id, row)
        if (merged !== undefined) yield merged
      }
      return
    }
    let ids: RecordId[] = []
    for await (const key of this.#disk.keys(kindAfter(kind, from))) {
      ids.push(idOfKey(key))
      if (ids.length < READ_AHEAD) continue
      for (const merged of await this.records(ids)) if (merged !== undefined) yield merged
      ids = []
    }
    for (const merged of await this.records(ids)) if (merged !== undefined) yield merged
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

  #readFrame(seq: number, row: Uint8Array): StoredFrame | undefined {
    const stored = this.#decodeFrame(seq, row)
    if (stored === undefined) this.#damagedAt(seq)
    else this.#frames.set(seq, stored, stored.frame.bytes.length)
    return stored
  }

  #decodeFrame(seq: number, row: Uint8Array): StoredFrame | undefined {
    const value = unsealed(row, this.sha256)
    const read = value && readFrameRow(value)
    if (read === undefined) return undefined
    try {
      const bytes = read.packed ? this.codec.decompress(read.bytes, frameRowBytesMax) : read.bytes
      const parsed = parseFrame(bytes, this.meta.net, this.sha256)
      return parsed.ok && parsed.frame.entries.length === read.count
        ? { seq, frame: parsed.frame, origin: read.origin }
        : undefined
    } catch {
      // The codec throws on bytes that it did not write; that is damage like any other.
      return undefined
    }
  }

  #damagedAt(seq: number): void {
    if (this.#damagedFrames.has(seq)) return
    this.#damagedFrames.add(seq)
    this.#log('error', 'a frame on disk is damaged; its ops are not served until a peer sends them again', { seq })
    // Which ops it held only their own rows can say.
    this.#findOpsOf(seq).catch((error) =>
      this.#log('warn', "couldn't list the ops of a damaged frame", { seq, error: String(error) }),
    )
  }

  /** Notes which ops are lost with a frame. One that no op points to any more, since all are stored again, is deleted. */
  async #findOpsOf(seq: number): Promise<void> {
    let found = 0
    for await (const [key, row] of this.#disk.entries(opRows)) {
      if (readLocation(row)?.seq !== seq) continue
      this.#damagedOps.add(idOfKey(key))
      found++
    }
    if (found > 0) return
    await this.#disk.batch([{ key: frameKey(seq) }])
    this.#damagedFrames.delete(seq)
  }

  async #readRecord(id: RecordId, row: Uint8Array): Promise<Merged | undefined> {
    const value = unsealed(row, this.sha256)
    if (value !== undefined) return this.#judgedNow(decodeMerged(value), this.#commits)
    this.#log('error', 'a record on disk is damaged; merging it again from its ops', { record: id })
    return this.#rebuild(id)
  }

  /** The record from all its ops, found by reading every frame: the slow way, for when its row is lost. */
  async #rebuild(id: RecordId): Promise<Merged | undefined> {
    const ops: Op[] = []
    for await (const { frame } of this.framesSince(0)) {
      for (const { op } of frame.entries) if (op.header.record === id) ops.push(op)
    }
    // Any of its ops may have been in a damaged frame, and a part of a record is not the record.
    if (this.#damagedFrames.size > 0)
      throw corrupt(`record ${id} is damaged, and so are frames that it may be merged from`)
    const distinct = [...new Map(ops.map((op) => [op.id, op])).values()]
    const owner = distinct.find(({ header }) => header.genesis !== undefined)?.header.genesis?.owner
    if (owner === undefined) return undefined
    return merge(distinct, this.sha256, await this.authority(owner))
  }

  /** The record as its owner's authority stands now, which may have changed since it was merged. */
  async #judgedNow(merged: Merged, commits: number): Promise<Merged> {
    const { judged } = merged
    if (judged === undefined) return merged
    const authority = await this.authority(merged.owner)
    // While an op of that authority is damaged, nothing better is known than what was merged before.
    if (!judged.vias.every((via) => authority.has(via)) || authority.stamp(judged.vias) === judged.stamp) return merged
    // The usual end of a grant: all that was done under it stays, and no op has to be read to see that.
    const keeps = merged.voided === undefined && authority.keepsAll(judged.vias, merged.heads)
    const same = { ...merged, judged: { vias: judged.vias, stamp: authority.stamp(judged.vias) } }
    const now = keeps ? same : await this.mergeAgain(merged)
    if (now === merged) return merged
    if (commits === this.#commits) this.#records.set(now.record, now, REJUDGED_BYTES)
    return now
  }

  /** The record as its ops make it now; as it is where some of them are damaged, for nothing better can be said. */
  async mergeAgain(merged: Merged): Promise<Merged> {
    const loaded = await this.opsOf(merged)
    return 'damaged' in loaded ? merged : merge(loaded.ops, this.sha256, await this.authority(merged.owner))
  }

  /** What is known of an owner's authority; of one who never said anything, the owner's own key alone. */
  async authority(owner: Owner): Promise<OwnerAuthority> {
    const { net } = this.meta
    const record = authorityRecord(net, owner, this.sha256)
    const cached = this.#authorities.get(record)
    if (cached !== undefined) return cached
    const commits = this.#commits
    const authority = await this.readAuthority(owner, [])
    if (commits === this.#commits) this.#authorities.set(record, authority, authority.size + 1)
    return authority
  }

  /** The same from its rows, with ops that are not on disk yet, or not in a good copy. */
  async readAuthority(owner: Owner, more: readonly Op[]): Promise<OwnerAuthority> {
    const { net } = this.meta
    const authority = new OwnerAuthority(net, owner, this.sha256)
    const ids: OpId[] = []
    for await (const key of this.#disk.keys(authorityRows(authority.record))) ids.push(idOfKey(key))
    const ops = await this.ops(ids)
    for (const op of more) if (op.header.record === authority.record) ops.set(op.id, op)
    const gaps = ids.filter((id) => !ops.has(id))
    if (gaps.length > 0) this.#gaps.set(authority.record, gaps)
    else this.#gaps.delete(authority.record)
    // What rests on a damaged op has no authority until that op has been fetched again.
    for (const op of withPastsFirst(ops)) authority.add(op)
    return authority
  }

  /** Ops of an authority record that are held and could not be read: what rests on them cannot be judged without. */
  authorityGaps(record: RecordId): readonly OpId[] {
    return this.#gaps.get(record) ?? []
  }

  /** Whose authority record this is; undefined when no op of it is held. */
  async ownerOfAuthority(record: RecordId): Promise<Owner | undefined> {
    const cached = this.#authorities.get(record)
    if (cached !== undefined) return cached.size > 0 ? cached.owner : undefined
    const gaps: OpId[] = []
    for await (const key of this.#disk.keys(authorityRows(record))) {
      const id = idOfKey(key)
      const [op] = (await this.ops([id])).values()
      if (op === undefined) gaps.push(id)
      if (op?.header.type === IDENTITY) return ownerOfIdentity(record)
      if (op !== undefined && op.header.via === undefined) return ownerOfKey(op.header.actor)
    }
    if (gaps.length > 0) this.#gaps.set(record, gaps)
    return undefined
  }

  /** Records as their rows are, whatever their owners' authority says by now; without those that lack a good row. */
  async storedRecords(ids: readonly RecordId[]): Promise<Merged[]> {
    const rows = await this.#disk.getMany(ids.map(recordKey))
    return rows.flatMap((row) => {
      const value = row && unsealed(row, this.sha256)
      return value === undefined ? [] : [decodeMerged(value)]
    })
  }

  /** What lost or regained authority, with records still to be merged again. */
  async waiting(): Promise<OpId[]> {
    const vias: OpId[] = []
    for await (const key of this.#disk.keys(waitingRows)) vias.push(idOfKey(key))
    return vias
  }

  /** Records with an op that relies on this one, from after `after`. */
  async relying(via: OpId, after: RecordId | undefined, limit: number): Promise<RecordId[]> {
    const records: RecordId[] = []
    const range = viaRows(via)
    const from = after === undefined ? range : { gt: viaKey(via, after), lte: range.lte }
    for await (const key of this.#disk.keys({ ...from, limit })) records.push(idOfKey(key))
    return records
  }
}

/** Ops in an order in which each comes after what it names; what rests on an op that is not there is left out. */
function withPastsFirst(ops: ReadonlyMap<OpId, Op>): Op[] {
  const users = new Map<OpId, Op[]>()
  const lacking = new Map<OpId, number>()
  const ready: Op[] = []
  for (const op of ops.values()) {
    const { parents, via } = op.header
    const named = new Set(via === undefined ? parents : [...parents, via])
    lacking.set(op.id, named.size)
    if (named.size === 0) ready.push(op)
    for (const id of named) {
      const others = users.get(id)
      if (others === undefined) users.set(id, [op])
      else others.push(op)
    }
  }
  // `ready` grows while it is read.
  for (const { id } of ready) {
    for (const user of users.get(id) ?? []) {
      const left = lacking.get(user.id)! - 1
      lacking.set(user.id, left)
      if (left === 0) ready.push(user)
    }
  }
  return ready
}

/** A record that was merged again for reading weighs so much in the cache; its row's length is not known. */
const REJUDGED_BYTES = 2048
/** Records read at once when a kind is listed. */
const READ_AHEAD = 64

/** Who sent it, without reading the frame; of a damaged row anything. */
function originOf(row: Uint8Array): string | undefined {
  return readFrameRow(unsealedUnchecked(row))?.origin
}

function weightOf(ops: readonly Op[]): number {
  return ops.reduce((sum, { body }) => sum + body.length + OP_OVERHEAD, 0)
}

/** What an op weighs beside its body. */
const OP_OVERHEAD = 512

function corrupt(what: string): NodeError {
  return new NodeError('store-corrupt', what)
}
