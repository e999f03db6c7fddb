/**
 * A group: ops on their way into the store, merged in memory and written as one batch.
 *
 * A group takes ops one by one; each sees the records as the ops before it have left them. Nothing of it shows outside
 * until the batch is on disk, so a group that fails is simply forgotten. Whether an op may go in was decided before
 * (admit.ts, write.ts).
 */
import {
  begin,
  encodeMerged,
  extend,
  IDENTITY,
  isAuthorityType,
  type Merged,
  merge,
  type Op,
  type OpId,
  type Owner,
  type OwnerAuthority,
  ownerOfIdentity,
  ownerOfKey,
  type ParsedFrame,
  type RecordId,
  selectFromFrame,
} from '../crdt/index.ts'
import { bodyChanges, type MissingBodies } from './bodies.ts'
import type { Del, Put } from './disk.ts'
import { NodeError } from './errors.ts'
import { eraseGraceMs, syncGetIdsMax } from './limits.ts'
import type { OpSet } from './op-set.ts'
import { costOf, countedFor, levelAt, type Quota, type Usage, usageRow } from './quota.ts'
import {
  authorityKey,
  type Counts,
  countsKey,
  countsRow,
  kindKey,
  locationRow,
  opKey,
  recordKey,
  sealed,
  storedFrameRow,
  usageKey,
  viaKey,
  waitingKey,
} from './rows.ts'
import type { Belonging } from './sets.ts'
import type { Store } from './store.ts'
import type { ChangedRecord, Prepared, StoredFrame } from './store-types.ts'

/** A frame that brings ops of a group. Only those taken from it are stored. */
export type Carrier = { readonly frame: ParsedFrame; readonly origin?: string; readonly taken: Set<OpId> }

/** Refused by a block: what it takes to judge it again, and where it belongs. */
export type Blocked = { readonly op: Op; readonly carrier: Carrier; readonly peer: string; readonly of: Belonging }

export function carry(frame: ParsedFrame, origin?: string): Carrier {
  return { frame, origin, taken: new Set() }
}

type RecordState = {
  readonly before: Merged | undefined
  /** As merged with what was added; stale while `dirty`. */
  now: Merged | undefined
  dirty: boolean
  /** All ops of the record, once one had to be merged that could not be folded on top. */
  ops: Op[] | undefined
  readonly added: Op[]
  /** To be written although no op was added: one says more than before. */
  again?: true
  /** Its row is damaged, and ops that it may be merged from are: nothing new of it can be judged. */
  readonly isBroken?: true
}

export class Group {
  /** Refused by a block, and not wanted by what goes in. */
  readonly blocked = new Map<OpId, Blocked>()
  readonly #store: Store
  readonly #set: OpSet
  readonly #states = new Map<RecordId, RecordState>()
  /** Which ops were held when this group began: only the one writer changes that. */
  readonly #held = new Map<OpId, boolean>()
  readonly #taken = new Map<OpId, Op>()
  readonly #repaired = new Map<OpId, Op>()
  readonly #carriers = new Set<Carrier>()
  /** As this group leaves them, with the ops it adds. */
  readonly #authorities = new Map<Owner, OwnerAuthority>()
  /** Of those that it changed: as they were before. */
  readonly #authoritiesBefore = new Map<Owner, OwnerAuthority>()
  readonly #authorityOps: Op[] = []
  /** Of owners and actors: what this group adds, and how much of its live ops is not forgotten. */
  readonly #added = new Map<Owner, { records: number; bytes: number }>()
  readonly #levels = new Map<Owner, { level: number; at: number }>()

  constructor(store: Store, set: OpSet) {
    this.#store = store
    this.#set = set
  }

  /** New ops so far. */
  get size(): number {
    return this.#taken.size
  }

  get hasChanges(): boolean {
    return this.#taken.size > 0 || this.#repaired.size > 0
  }

  /** Reads, in one go, what judging these ops needs: their records, and whether they and their parents are held. */
  async prefetch(ops: readonly Op[]): Promise<void> {
    const unknown = new Set<OpId>()
    const records = new Set<RecordId>()
    for (const { id, header } of ops) {
      if (!this.#states.has(header.record)) records.add(header.record)
      for (const wanted of named(id, header)) {
        if (this.#held.has(wanted)) continue
        const held = this.#set.has(wanted)
        if (held === undefined) unknown.add(wanted)
        else this.#held.set(wanted, held)
      }
    }
    const ids = [...unknown]
    const locations = await this.#store.locate(ids)
    for (const [i, id] of ids.entries()) this.#held.set(id, locations[i] !== undefined)
    await this.prefetchRecords([...records])
  }

  async prefetchRecords(ids: readonly RecordId[]): Promise<void> {
    const records = [...new Set(ids)].filter((id) => !this.#states.has(id))
    if (records.length === 0) return
    const read = await this.#store.recordsOrBroken(records)
    for (const [i, id] of records.entries()) {
      if (read[i] !== 'broken') continue
      this.#states.set(id, {
        before: undefined,
        now: undefined,
        dirty: false,
        ops: undefined,
        added: [],
        isBroken: true,
      })
    }
    const merged = read.map((record) => (record === 'broken' ? undefined : record))
    // The counts are as the rows have it, and those of judged records may be behind what is read.
    const judged = records.filter((_, i) => merged[i]?.judged !== undefined)
    const rows = judged.length === 0 ? [] : await this.#store.storedRecords(judged)
    const stored = new Map(rows.map((row) => [row.record, row]))
    for (const [i, id] of records.entries()) {
      if (read[i] === 'broken') continue
      const now = merged[i]
      this.#states.set(id, { before: stored.get(id) ?? now, now, dirty: false, ops: undefined, added: [] })
    }
  }

  /** What an op of a record waits for that cannot be merged now; undefined when it can be. */
  brokenBy(record: RecordId): readonly OpId[] | undefined {
    return this.#states.get(record)?.isBroken ? this.#store.damaged(syncGetIdsMax) : undefined
  }

  /** False when something `prefetch` would read is not there yet. */
  isPrefetched({ id, header }: Op): boolean {
    return this.#states.has(header.record) && named(id, header).every((wanted) => this.#held.has(wanted))
  }

  /** Held, or taken into this group. Of prefetched ids only. */
  has(id: OpId): boolean {
    return this.#taken.has(id) || this.#held.get(id) === true
  }

  /** Has a good copy, here or on disk. */
  hasGood(id: OpId): boolean {
    return this.has(id) && (!this.#store.isDamaged(id) || this.#repaired.has(id))
  }

  /** Whose record it is, and of which kind; undefined when nothing of it is held or taken. */
  genesisOf(record: RecordId): { readonly owner: Owner; readonly kind: string } | undefined {
    const state = this.#states.get(record)
    return state?.now ?? state?.added.find(({ header }) => header.genesis !== undefined)?.header.genesis
  }

  /** How many ops one more op of this record makes us merge; 0 while it is one line, or is merged in this group anyway. */
  mergeCostOf(record: RecordId): number {
    const state = this.#states.get(record)
    if (state?.before === undefined || state.before.line || state.added.length > 0) return 0
    return state.before.opCount
  }

  /** The record of an op that is held; undefined when its frame is damaged. */
  async recordOf(id: OpId, guess: RecordId): Promise<RecordId | undefined> {
    const taken = this.#taken.get(id) ?? this.#repaired.get(id)
    if (taken !== undefined) return taken.header.record
    const state = this.#states.get(guess)
    if (state?.before?.heads.includes(id)) return guess
    return (await this.#store.ops([id])).get(id)?.header.record
  }

  /** An owner's authority, with the ops of it that were taken so far. */
  async authority(owner: Owner): Promise<OwnerAuthority> {
    const known = this.#authorities.get(owner) ?? (await this.#store.authority(owner))
    this.#authorities.set(owner, known)
    return known
  }

  /** Of an authority record: ops that are held and damaged. */
  authorityGaps(record: RecordId): readonly OpId[] {
    return this.#store.authorityGaps(record).filter((id) => !this.#repaired.has(id))
  }

  /** Whose authority record this is; undefined when no op of it is held or taken. */
  async ownerOfAuthority(record: RecordId): Promise<Owner | undefined> {
    for (const { owner, record: id, size } of this.#authorities.values()) if (id === record && size > 0) return owner
    return this.#store.ownerOfAuthority(record)
  }

  /** The record as all ops taken so far make it. */
  async current(record: RecordId): Promise<Merged | undefined> {
    const state = this.#states.get(record)!
    if (state.isBroken) throw new NodeError('store-corrupt', `record ${record} is damaged, and so are ops of it`)
    if (!state.dirty && (await this.#isOutdated(state.now)) && (await this.#load(state)) === undefined)
      state.dirty = true
    if (state.dirty) {
      state.now = merge(state.ops!, this.#store.sha256, await this.#authorityOver(state.ops!))
      state.dirty = false
    }
    return state.now
  }

  /**
   * Takes a valid op that is not held, whose parents are. Answers the ids of damaged ops when its record cannot be
   * merged without them; the op is not taken then.
   */
  async take(op: Op, carrier?: Carrier): Promise<readonly OpId[] | undefined> {
    const state = this.#states.get(op.header.record)!
    const relies = op.header.via !== undefined || state.now?.judged !== undefined
    const owner = op.header.genesis?.owner ?? this.genesisOf(op.header.record)?.owner
    const authority = relies && owner !== undefined ? await this.authority(owner) : undefined
    if (authority !== undefined) {
      const vias = [...(state.now?.judged?.vias ?? []), ...(op.header.via === undefined ? [] : [op.header.via])]
      if (!vias.every((via) => authority.has(via))) return this.#store.authorityGaps(authority.record)
    }
    const folded = state.dirty ? undefined : this.#fold(state.now, op, authority)
    if (folded !== undefined) {
      state.now = folded
      state.ops?.push(op)
    } else {
      const damaged = await this.#load(state)
      if (damaged !== undefined) return damaged
      state.ops!.push(op)
      state.dirty = true
    }
    state.added.push(op)
    this.#taken.set(op.id, op)
    if (owner !== undefined) this.#count(op, owner)
    this.#bring(op.id, carrier)
    return undefined
  }

  #fold(now: Merged | undefined, op: Op, authority: OwnerAuthority | undefined): Merged | undefined {
    const { sha256 } = this.#store
    return (now === undefined ? begin(op, sha256) : undefined) ?? extend(now, op, sha256, authority)
  }

  /** The same for an op of this owner's authority record. */
  async takeAuthority(op: Op, owner: Owner, carrier?: Carrier): Promise<void> {
    let authority = await this.authority(owner)
    if (!this.#authoritiesBefore.has(owner)) {
      this.#authoritiesBefore.set(owner, authority)
      authority = authority.clone()
      this.#authorities.set(owner, authority)
    }
    authority.add(op)
    this.#authorityOps.push(op)
    this.#taken.set(op.id, op)
    this.#count(op, owner)
    this.#bring(op.id, carrier)
  }

  /**
   * Takes a good copy of an op that is held, but whose row is damaged, which changes no record unless it waited for this
   * to be judged again; or whose body was missing, and then the record says more.
   */
  async takeAgain(op: Op, carrier: Carrier): Promise<void> {
    const state = this.#states.get(op.header.record)
    this.#repaired.set(op.id, op)
    this.#bring(op.id, carrier)
    if (isAuthorityType(op.header.type)) {
      const { type, via, actor, record } = op.header
      const begins = type === IDENTITY ? ownerOfIdentity(record) : via === undefined ? ownerOfKey(actor) : undefined
      const owner = begins ?? (await this.ownerOfAuthority(record))
      if (owner === undefined) return
      // What rested on it was left out: it is read anew, with this copy.
      if (!this.#authoritiesBefore.has(owner)) this.#authoritiesBefore.set(owner, await this.authority(owner))
      this.#authorities.set(
        owner,
        await this.#store.readAuthority(owner, [...this.#repaired.values(), ...this.#authorityOps]),
      )
      return
    }
    if (state === undefined || state.isBroken) return
    // What became of its authority meanwhile could not be told without this op.
    if (!this.#store.lacksBody(op.id) && !(await this.#isOutdated(state.before))) return
    if ((await this.#load(state)) !== undefined) return
    state.ops = state.ops!.map((other) => (other.id === op.id ? op : other))
    state.dirty = true
    state.again = true
  }

  /** What went in of each of these owners and actors, this group included. */
  async usages(owners: readonly Owner[]): Promise<Usage[]> {
    return (await this.#store.usages(owners)).map((stored, at) => {
      const owner = owners[at] as Owner
      const { records = 0, bytes = 0 } = this.#added.get(owner) ?? {}
      const summed = { ...stored, records: stored.records + records, bytes: stored.bytes + bytes }
      return { ...summed, ...this.#levels.get(owner) }
    })
  }

  /** One more live op of this owner or actor, which has used so much before. */
  spend(owner: Owner, usage: Usage, quota: Quota, now: number): void {
    if (quota.opsPerHour > 0) this.#levels.set(owner, { level: levelAt(usage, quota, now) + 1, at: now })
  }

  /** Everything this group changes; `own` are the frames of the ops that were taken without a carrier. */
  async finish(own: readonly ParsedFrame[]): Promise<Prepared> {
    const { sha256 } = this.#store
    const changes: (Put | Del)[] = []
    const bodies: MissingBodies[] = []
    const due = this.#store.now() + eraseGraceMs
    const changed = [...this.#states].filter(([, { added, again }]) => added.length > 0 || again)
    const pairs: { before: Merged | undefined; after: Merged; ops: readonly Op[] | undefined }[] = []
    for (const [id, state] of changed) {
      const after = (await this.current(id))!
      pairs.push({ before: state.before, after, ops: state.ops })
    }
    const counts = countsAfter(this.#store.counts, this.#taken.size, pairs)
    const frames: StoredFrame[] = []
    let seq = this.#store.counts.seq
    for (const carrier of [...this.#carriers, ...own.map(whole)]) {
      const frame = narrowed(carrier, sha256)
      frames.push({ seq: seq + 1, frame, origin: carrier.origin })
      for (const [place, { op }] of frame.entries.entries()) {
        changes.push({ key: opKey(op.id), value: locationRow({ seq: seq + 1, place }) })
      }
      seq += frame.entries.length
    }
    changes.push(...(await Promise.all(frames.map((stored) => storedFrameRow(stored, this.#store.codec, sha256)))))
    const records: ChangedRecord[] = []
    for (const { before, after, ops } of pairs) {
      const row = encodeMerged(after)
      changes.push({ key: recordKey(after.record), value: sealed(row, sha256) })
      if (before === undefined) changes.push({ key: kindKey(after.kind, after.record), value: NOTHING })
      records.push({ merged: after, row, ops })
      const body = bodyChanges(before, after, due)
      changes.push(...body.rows)
      bodies.push(body)
    }
    changes.push(...this.#authorityRows(changed.flatMap(([, { added }]) => added)))
    const counted = [...this.#added.keys()]
    const usages = (await this.usages(counted)).map((usage, at) => [counted[at] as Owner, usage] as const)
    for (const [owner, usage] of usages) changes.push({ key: usageKey(owner), value: usageRow(usage, sha256) })
    const after = { ...counts, seq }
    changes.push({ key: countsKey, value: sealed(countsRow(after), sha256) })
    return {
      changes,
      counts: after,
      frames,
      records,
      authorities: Array.from(this.#authoritiesBefore.keys(), (owner) => this.#authorities.get(owner)!),
      waiting: this.#waiting(),
      usages,
      repaired: [...this.#repaired.keys()],
      bodies,
      remote: this.#carriers.size,
    }
  }

  /** What these ops rely on, the ops of authority records, and what lost or regained authority by them. */
  #authorityRows(added: readonly Op[]): Put[] {
    const rows: Put[] = []
    for (const { header } of added) {
      if (header.via !== undefined) rows.push({ key: viaKey(header.via, header.record), value: NOTHING })
    }
    for (const { id, header } of this.#authorityOps) rows.push({ key: authorityKey(header.record, id), value: NOTHING })
    for (const via of this.#waiting()) rows.push({ key: waitingKey(via), value: NOTHING })
    return rows
  }

  /** Grants, rotates and identities that mean something else than before this group. */
  #waiting(): OpId[] {
    const waiting: OpId[] = []
    for (const [owner, before] of this.#authoritiesBefore) {
      const after = this.#authorities.get(owner)!
      const { record } = after
      // One that was damaged was left out meanwhile: what was merged without it may say otherwise with it.
      const isRepaired = this.#repaired.values().some((op) => op.header.record === record)
      if (!isRepaired && !this.#authorityOps.some((op) => op.header.record === record && after.changesOthers(op)))
        continue
      for (const via of before.vias()) {
        // One that is damaged by now says nothing until it has come again.
        if (after.has(via) && before.stamp([via]) !== after.stamp([via])) waiting.push(via)
      }
    }
    return waiting
  }

  async #isOutdated(merged: Merged | undefined): Promise<boolean> {
    if (merged?.judged === undefined) return false
    const { vias, stamp } = merged.judged
    const authority = await this.authority(merged.owner)
    return vias.every((via) => authority.has(via)) && authority.stamp(vias) !== stamp
  }

  async #authorityOver(ops: readonly Op[]): Promise<OwnerAuthority | undefined> {
    if (!ops.some(({ header }) => header.via !== undefined)) return undefined
    const owner = ops.find(({ header }) => header.genesis !== undefined)?.header.genesis?.owner
    return owner === undefined ? undefined : this.authority(owner)
  }

  /** All ops of the record, taken ones included; answers the damaged ones when they cannot be had. */
  async #load(state: RecordState): Promise<readonly OpId[] | undefined> {
    if (state.ops !== undefined) return undefined
    const loaded = await this.#store.opsOf(state.before, this.#repaired)
    if ('damaged' in loaded) return loaded.damaged
    state.ops = [...loaded.ops, ...state.added]
    return undefined
  }

  #count(op: Op, owner: Owner): void {
    const { records, bytes } = costOf(op)
    for (const each of countedFor(op, owner)) {
      const added = this.#added.get(each)
      if (added === undefined) this.#added.set(each, { records, bytes })
      else {
        added.records += records
        added.bytes += bytes
      }
    }
  }

  #bring(id: OpId, carrier: Carrier | undefined): void {
    if (carrier === undefined) return
    carrier.taken.add(id)
    this.#carriers.add(carrier)
  }
}

/** The ops that must be known of to judge this one: itself, its parents, what it relies on. */
function named(id: OpId, { parents, via }: Op['header']): OpId[] {
  return via === undefined ? [id, ...parents] : [id, ...parents, via]
}

const NOTHING = new Uint8Array(0)
function whole(frame: ParsedFrame): Carrier {
  return { frame, taken: new Set(frame.entries.map(({ op }) => op.id)) }
}

/** The frame with only the ops that were taken from it; itself when they are all. */
function narrowed({ frame, taken }: Carrier, sha256: Store['sha256']): ParsedFrame {
  if (taken.size === frame.entries.length && frame.refused.length === 0) return frame
  const entries = frame.entries.filter(({ op }) => taken.has(op.id))
  return { ...frame, entries, refused: [], bytes: selectFromFrame(frame, taken, sha256) }
}

export function countsAfter(
  counts: Counts,
  ops: number,
  records: readonly { before: Merged | undefined; after: Merged }[],
): Counts {
  // Without a prototype: `constructor` is a kind like any other.
  const live: Record<string, number> = Object.assign(Object.create(null), counts.records)
  for (const { before, after } of records) {
    const change = Number(after.live) - Number(before?.live ?? false)
    if (change === 0) continue
    const left = (live[after.kind] ?? 0) + change
    if (left > 0) live[after.kind] = left
    else delete live[after.kind]
  }
  return { seq: counts.seq, ops: counts.ops + ops, records: live }
}
