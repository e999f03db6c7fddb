/**
 * Reads the store through, again and again and slowly: a disk forgets without a word, and what nobody reads nobody
 * misses until it is wanted.
 *
 * Every frame is hashed again and every op in it; that the rows which follow from it are there and good. Ops of a damaged
 * or missing frame are noted as damaged, so that peers are asked for them; rows that follow from good frames are written
 * anew. After an unclean end the first pass is quick.
 */
import { isAuthorityType, type RecordId } from '../crdt/index.ts'
import type { Disk, Put } from './disk.ts'
import type { Clock } from './environment.ts'
import { sweepBytes, sweepHurryMs, sweepMs, sweepRecordsMax, sweepRestMs } from './limits.ts'
import type { OpSet } from './op-set.ts'
import type { Log } from './replica-types.ts'
import {
  authorityKey,
  frameCount,
  framesFrom,
  kindKey,
  locationRow,
  opKey,
  recordKey,
  seqOfFrameKey,
  unsealed,
  viaKey,
} from './rows.ts'
import { belongingOf } from './sets.ts'
import type { Store } from './store.ts'
import type { StoredFrame } from './store-types.ts'
import { turn } from './turn.ts'

export type SweepOptions = {
  readonly disk: Disk
  readonly store: Store
  readonly set: OpSet
  readonly clock: Clock
  readonly log: Log
  /** Does this while nobody writes. */
  readonly alone: (work: () => Promise<void>) => Promise<void>
  /** Told at the end of each pass. */
  readonly onPass: () => void
}

const NOTHING = new Uint8Array(0)

export class Sweep {
  readonly #options: SweepOptions
  /** The arrival number that the next step begins with, and what the row there should begin with; unknown behind damage. */
  #next = 1
  #expected: number | undefined = 1
  #hurried: boolean
  #began = 0
  /** Of this pass: records whose row is to be made anew, and rows that were. */
  #records = new Set<RecordId>()
  #mended = 0
  /** A key may have become another: then one op lacks its row, and a row tells of an op that there never was. */
  #mayStray = false
  /** The set differed at open, and the counts were made anew since. */
  #recounted = false
  #sweptAt: number | undefined
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: SweepOptions) {
    this.#options = options
    const { store } = options
    this.#hurried = store.marker === undefined && store.counts.ops > 0
  }

  /** When the last whole pass began, by the clock's monotonic time; undefined before the end of the first. */
  get sweptAt(): number | undefined {
    return this.#sweptAt
  }

  start(): void {
    this.#after(this.#hurried ? sweepHurryMs : sweepMs)
  }

  /** Resolves when nothing here uses the disk any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#running
  }

  #after(ms: number): void {
    const { clock, log } = this.#options
    if (this.#closed) return
    this.#cancel = clock.after(ms, () => {
      this.#running = this.#step()
        .catch((error) => {
          if (!this.#closed) log('warn', "couldn't read the store through", { error: String(error) })
          return sweepMs
        })
        .then((wait) => this.#after(wait))
    })
  }

  /** Answers how long to wait before the next. */
  async #step(): Promise<number> {
    const { disk, store, set, clock, alone } = this.#options
    const { seq: last } = store.counts
    if (this.#next === 1) this.#began = clock.monotonic()
    const good: StoredFrame[] = []
    let bytes = 0
    let isEnd = true
    for await (const [key, row] of disk.entries(framesFrom(this.#next))) {
      if (this.#closed) return sweepMs
      const seq = seqOfFrameKey(key)
      if (bytes >= sweepBytes) {
        isEnd = false
        break
      }
      if (this.#expected !== undefined && seq > this.#expected) store.noteLost(this.#expected, seq)
      const stored = store.recheck(seq, row)
      // A frame of hundreds of ops takes ten milliseconds.
      await turn()
      if (stored !== undefined) good.push(stored)
      // How many ops a damaged one had it does not tell.
      const count = stored?.frame.entries.length ?? frameCount(row, store.sha256)
      this.#expected = count === undefined ? undefined : seq + count
      this.#next = seq + (count ?? 1)
      bytes += row.length
    }
    if (isEnd && this.#expected !== undefined && this.#expected <= last) store.noteLost(this.#expected, last + 1)
    await this.#checkRows(good)
    if (isEnd || this.#records.size >= sweepRecordsMax) await this.#mendRecords()
    if (isEnd && this.#mayStray) await this.#dropStrays()
    if (isEnd) {
      const isDoubtful = set.state === 'differs' && !this.#recounted
      await alone(() => store.recount(isDoubtful))
      this.#recounted ||= isDoubtful
    }
    if (!isEnd) return this.#hurried ? sweepHurryMs : sweepMs
    this.#ended()
    return sweepRestMs
  }

  #ended(): void {
    const { clock, log, store, onPass } = this.#options
    const ms = Math.round(clock.monotonic() - this.#began)
    const { frames, ops } = store.damage
    const facts = { ops: store.counts.ops, damaged_frames: frames, damaged_ops: ops, mended_rows: this.#mended, ms }
    if (frames + ops + this.#mended > 0) log('error', 'the store was read through, and some of it is damaged', facts)
    else if (this.#hurried) log('info', 'the store was read through after an unclean end, and all of it is good', facts)
    this.#sweptAt = this.#began
    this.#next = 1
    this.#expected = 1
    this.#mended = 0
    this.#hurried = false
    onPass()
  }

  /** What follows from these frames. */
  async #checkRows(frames: readonly StoredFrame[]): Promise<void> {
    const { disk, store } = this.#options
    const wanted: Put[] = []
    const records = new Set<RecordId>()
    const ops = frames.flatMap(({ seq, frame }) => frame.entries.map(({ op }, place) => ({ op, seq, place })))
    for (const { op } of ops) {
      const { genesis, record, via, type } = op.header
      if (isAuthorityType(type)) {
        wanted.push({ key: authorityKey(record, op.id), value: NOTHING })
        continue
      }
      records.add(record)
      if (genesis !== undefined) wanted.push({ key: kindKey(genesis.kind, record), value: NOTHING })
      if (via !== undefined) wanted.push({ key: viaKey(via, record), value: NOTHING })
    }
    const locations = await store.locate(ops.map(({ op }) => op.id))
    const moved = ops.filter(({ seq, place }, at) => locations[at]?.seq !== seq || locations[at]?.place !== place)
    const rows = await disk.getMany(wanted.map(({ key }) => key))
    const absent = wanted.filter((_, at) => rows[at] === undefined)
    const ids = [...records]
    for (const [at, row] of (await disk.getMany(ids.map(recordKey))).entries()) {
      if (row === undefined || unsealed(row, store.sha256) === undefined) this.#records.add(ids[at]!)
    }
    if (moved.length + absent.length > 0) await this.#mendRows(moved, absent)
  }

  /** The frame is good, so what does not say so is wrong: unless the op was stored again elsewhere. */
  async #mendRows(
    moved: readonly { readonly op: StoredFrame['frame']['entries'][number]['op']; seq: number; place: number }[],
    absent: readonly Put[],
  ): Promise<void> {
    const { disk, store, set, alone } = this.#options
    await alone(async () => {
      const puts = [...absent]
      const back: (typeof moved)[number][] = []
      const elsewhere = await store.ops(moved.map(({ op }) => op.id))
      for (const one of moved) {
        if (elsewhere.has(one.op.id)) continue
        puts.push({ key: opKey(one.op.id), value: locationRow(one) })
        back.push(one)
      }
      if (puts.length === 0) return
      await disk.batch(puts, { sync: true })
      this.#mended += puts.length
      this.#mayStray ||= back.length > 0
      store.noteGood(back.map(({ op }) => op.id))
      const merged = await store.storedRecords([...new Set(back.map(({ op }) => op.header.record))])
      const byRecord = new Map(merged.map((record) => [record.record, record]))
      set.restore(back.map(({ op }) => ({ id: op.id, of: belongingOf(op.header, byRecord.get(op.header.record)) })))
    })
  }

  async #dropStrays(): Promise<void> {
    const { disk, store, set, alone } = this.#options
    await alone(async () => {
      const strays = await store.strays()
      await disk.batch(
        strays.map((id) => ({ key: opKey(id) })),
        { sync: true },
      )
      store.noteGood(strays)
      set.remove(strays)
      this.#mended += strays.length
      this.#mayStray = false
    })
  }

  async #mendRecords(): Promise<void> {
    const { store, alone } = this.#options
    if (this.#records.size === 0) return
    const records = this.#records
    this.#records = new Set()
    await alone(async () => {
      this.#mended += await store.rebuild(records)
    })
  }
}
