/**
 * The ids of all ops known, in memory: whether an op is held, and the sets by which two nodes compare what they hold.
 *
 * Loaded in the background after open: from rows that keep the ids in order of arrival (id-rows.ts) and the few frames
 * behind them, and checked afterwards against the ops' own rows; or, when those rows are missing or damaged, from the
 * ops' own rows. Until it is loaded `has` answers undefined and the store is asked; what arrives meanwhile is kept
 * aside, so that what was on disk can be compared with what the last shutdown counted.
 *
 * Known are the ops held; those refused by this node's policy, which stay so over restarts; and those put off because
 * their clock is ahead, as long as they wait. So nodes of different policy agree on roots.
 */
import { fromHex, IdSet, type OpId, type Sha256 } from '../crdt/index.ts'
import type { Disk } from './disk.ts'
import { type Clock, sleep } from './environment.ts'
import { NodeError } from './errors.ts'
import { IdLog } from './id-log.ts'
import { type Arrival, readWithheld, type Withheld, withheldKey, withheldRow } from './id-rows.ts'
import { sortIds } from './id-sort.ts'
import { belongingsKeptMax, idTailOpsMax, setCheckAfterMs } from './limits.ts'
import { ReconciledSet } from './reconciled-set.ts'
import type { Log } from './replica-types.ts'
import { rowlessIds } from './rowless-ids.ts'
import { type Counts, idOfKey, type Marker, opRows, readLocation } from './rows.ts'
import { SetParts } from './set-parts.ts'
import { ALL, type Belonging, belongs } from './sets.ts'
import { stepwise, turn } from './turn.ts'

export type OpSetOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly sha256: Sha256
  readonly log: Log
  /** Ops in order of arrival after this number, from the frames: slow, and used for few. */
  readonly opsSince: (seq: number) => AsyncIterable<Arrival>
}

export class OpSet {
  readonly #options: OpSetOptions
  readonly #idLog: IdLog
  #all: ReconciledSet
  readonly #parts: SetParts
  /** Arrived since open; undefined when all are in `#all`. */
  #arrived: Set<OpId> | undefined = new Set()
  /** Known and not held, and of those known for another reason too. */
  readonly #withheld = new Map<OpId, { readonly of?: Belonging; held: boolean }>()
  readonly #belongings = new Map<string, Belonging>()
  readonly #parked = new Map<OpId, Belonging>()
  #state: 'loading' | 'good' | 'differs' = 'loading'
  #checking: Promise<void> = Promise.resolve()
  #again: (() => Promise<void>) | undefined
  /** Somebody waits for #checking. */
  readonly #hurry = new AbortController()
  /** Of `load`. */
  #signal: AbortSignal | undefined

  constructor(options: OpSetOptions) {
    this.#options = options
    this.#all = new ReconciledSet(ALL, new IdSet(options.sha256))
    this.#idLog = new IdLog({ ...options, others: () => [...this.#withheld.keys(), ...this.#parked.keys()] })
    this.#parts = new SetParts({
      sha256: options.sha256,
      fill: (name, add) => this.#fill(name, add),
      ready: () => this.#makeGood(),
    })
  }

  get state(): 'loading' | 'good' | 'differs' {
    return this.#state
  }

  /** Of all ops; whole once loaded. */
  get all(): ReconciledSet {
    return this.#all
  }

  /** Held. Undefined while loading, when only the store can say. */
  has(id: OpId): boolean | undefined {
    if (this.#arrived !== undefined) return this.#arrived.has(id) ? true : undefined
    if (!this.#all.has(id) || this.#parked.has(id)) return false
    return this.#withheld.get(id)?.held ?? true
  }

  /** Held, refused by policy, or put off. Undefined while loading. */
  knows(id: OpId): boolean | undefined {
    return this.#arrived === undefined ? this.#all.has(id) : this.has(id)
  }

  isWithheld(id: OpId): boolean {
    return this.#withheld.has(id)
  }

  /** These are on disk, in this order of arrival. */
  append(arrivals: readonly Arrival[]): void {
    for (const { id, of } of arrivals) {
      const withheld = this.#withheld.get(id)
      if (withheld !== undefined) withheld.held = true
      this.#parked.delete(id)
      this.#arrived?.add(id)
      if (this.#arrived === undefined) this.#add(id, of)
    }
    this.#idLog.append(arrivals, this.#all)
  }

  /** Their rows were lost and are back. */
  restore(ops: readonly { readonly id: OpId; readonly of?: Belonging }[]): void {
    for (const { id, of } of ops) {
      if (this.#arrived !== undefined) this.#arrived.add(id)
      else if (!this.#all.has(id)) this.#add(id, of)
    }
  }

  /** No such ops are held. */
  remove(ids: readonly OpId[]): void {
    for (const id of ids) {
      if (this.#arrived?.delete(id) || this.#withheld.has(id)) continue
      this.#delete(id)
    }
    this.#all.forgetSketch()
  }

  /**
   * What was damaged has come again. While it was, nobody could tell where some ops belong: parts are made anew, from all
   * frames up to this number, when they are next asked for.
   */
  reread(counts: Counts): void {
    const signal = this.#signal
    if (signal === undefined) return
    this.#parts.clear()
    this.#again = () => this.#finish(counts, false, signal)
  }

  /** Waits for its time: known for as long. */
  park(id: OpId, of: Belonging): void {
    if (this.#arrived !== undefined || this.#all.has(id)) return
    this.#parked.set(id, this.#shared(of))
    this.#add(id, of)
  }

  /** Waits no more, and is held if it was appended. */
  unpark(id: OpId): void {
    if (this.#parked.delete(id)) this.#delete(id)
  }

  /** Marks ops as known and not served, over restarts; held ones stay held. */
  async withhold(ops: readonly ({ readonly id: OpId } & Withheld)[]): Promise<void> {
    const { disk, sha256 } = this.#options
    await disk.batch(ops.map(({ id, ...why }) => ({ key: withheldKey(id), value: withheldRow(why, sha256) })))
    for (const { id, ...why } of ops) {
      const held = this.#all.has(id) && (this.#withheld.get(id)?.held ?? !this.#parked.delete(id))
      this.#withheld.set(id, { of: why.of && this.#shared(why.of), held })
      this.#add(id, why.of)
    }
  }

  /** What is known of an op that is marked so. */
  async withheld(id: OpId): Promise<Withheld | undefined> {
    const { disk, sha256 } = this.#options
    const row = this.#withheld.has(id) ? await disk.get(withheldKey(id)) : undefined
    return row && readWithheld(row, sha256)
  }

  /** All that are marked so. */
  allWithheld(): AsyncIterable<readonly [OpId, Withheld]> {
    return this.#idLog.withheld()
  }

  get withheldOps(): number {
    return this.#withheld.size
  }

  /** The other way: what is not held is not known any more, so that peers bring it. */
  async release(ids: readonly OpId[]): Promise<void> {
    const known = ids.filter((id) => this.#withheld.has(id))
    await this.#options.disk.batch(known.map((id) => ({ key: withheldKey(id) })))
    for (const id of known) {
      const held = this.#withheld.get(id)?.held
      this.#withheld.delete(id)
      if (!held) this.#delete(id)
    }
  }

  /** Ops held. */
  get size(): number {
    return this.#all.size + (this.#arrived?.size ?? 0)
  }

  /** Undefined while loading. */
  root(): string | undefined {
    return this.#arrived === undefined ? this.#all.root() : undefined
  }

  /** The root without what is forgotten at a restart. Undefined while loading. */
  rootAtRest(): string | undefined {
    for (const id of [...this.#parked.keys()]) this.unpark(id)
    return this.root()
  }

  /** A part of the set, made when it is first asked for and kept up to date from then on. */
  part(name: string): Promise<ReconciledSet> {
    if (name === ALL) return Promise.resolve(this.#all)
    return this.#parts.get(name)
  }

  /** Whether asking for this part reads all ids. */
  isKept(name: string): boolean {
    return name === ALL || this.#parts.has(name)
  }

  /**
   * Reads the ids that were on disk at open and compares: with the root that a clean shutdown left, else with the
   * count of the last commit. A difference is logged and stays visible in `state`; the set is what the rows say. When it
   * rejects, it may be called again.
   */
  async load(counts: Counts, marker: Marker | undefined, signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    const quick = await this.#fromIdLog(counts, signal)
    const isGood = quick && this.#compare(counts, marker).isGood
    if (!isGood && !signal.aborted) await this.#fromOps(counts, signal)
    if (signal.aborted) return
    const { isGood: isRight, ...facts } = this.#compare(counts, marker)
    this.#state = isRight ? 'good' : 'differs'
    if (!isRight) {
      log('error', 'the ops on disk are not those of the last shutdown; peers will be asked for what is missing', facts)
    }
    for (const id of this.#arrived ?? []) this.#all.add(id)
    this.#arrived = undefined
    this.#signal = signal
    this.#checking = this.#finish(counts, isGood === true, signal)
  }

  /** Resolves when nothing here uses the disk any more; `signal` of `load` was aborted. */
  async close(): Promise<void> {
    await this.#checking
    await this.#idLog.close(this.#all)
  }

  /** Where ops belong is asked anew, of all up to this arrival number: some of it could not be told before. */
  async renew(upto: number, signal: AbortSignal): Promise<void> {
    this.#hurry.abort()
    await this.#checking
    if (signal.aborted) return
    if (this.#arrived !== undefined) throw new NodeError('busy', 'the op set is still being loaded')
    this.#parts.clear()
    const renewing = this.#idLog.rebuild(this.#options.opsSince, upto, signal, this.#all)
    this.#checking = renewing.catch(() => {})
    await renewing
  }

  #compare(counts: Counts, marker: Marker | undefined) {
    let unheld = 0
    for (const { held } of this.#withheld.values()) if (!held) unheld++
    const ops = this.#all.size - unheld
    const wanted = marker?.ops ?? counts.ops
    const root = this.#all.root()
    const isGood = ops === wanted && (marker === undefined || marker.root === root)
    return { isGood, ops, wanted, root, wantedRoot: marker?.root, lost: Math.max(0, wanted - ops) }
  }

  /** False when the rows are not there, damaged, or too far behind. */
  async #fromIdLog(counts: Counts, signal: AbortSignal): Promise<boolean> {
    const { sha256 } = this.#options
    const read = await this.#idLog.open()
    if (read.parts.length === 0 || counts.seq - read.upto > idTailOpsMax) return false
    const tail: Arrival[] = []
    for await (const arrival of this.#options.opsSince(read.upto)) {
      if (arrival.seq > counts.seq) break
      if (signal.aborted) return false
      tail.push(arrival)
    }
    this.#idLog.resume(tail, counts.seq)
    const last = new Uint8Array(32 * tail.length)
    for (const [i, { id }] of tail.entries()) last.set(fromHex(id), 32 * i)
    const sorted = await stepwise(sortIds([...read.parts, last]), signal)
    if (sorted === undefined) return false
    let sketch = read.sketch
    if (sketch !== undefined) {
      for (const part of [...read.parts.slice(read.sketchParts), last]) {
        // An op that arrived twice, after damage, is in the set once; the sketch is then made anew when asked for.
        for (let at = 0; at < part.length; at += 32) sketch.add(part.subarray(at, at + 32))
        await turn()
      }
      const bytes = read.parts.reduce((sum, part) => sum + part.length, last.length)
      if (sorted.length !== bytes || sketch.size !== sorted.length / 32) sketch = undefined
    }
    const ids = await stepwise(IdSet.sortedSteps(sorted, sha256), signal)
    if (ids === undefined) return false
    this.#all = new ReconciledSet(ALL, ids, sketch)
    await this.#addWithheld()
    return true
  }

  async #fromOps(counts: Counts, signal: AbortSignal): Promise<void> {
    const { disk, sha256 } = this.#options
    this.#all = new ReconciledSet(ALL, new IdSet(sha256))
    for await (const [key, value] of disk.entries(opRows)) {
      if (signal.aborted) return
      const location = readLocation(value)
      // Later arrivals are in #arrived: a disk may show them here or not.
      if (location !== undefined && location.seq + location.place > counts.seq) continue
      this.#all.add(idOfKey(key))
    }
    await this.#addWithheld()
  }

  async #addWithheld(): Promise<void> {
    this.#withheld.clear()
    for await (const [id, why] of this.#idLog.withheld()) {
      this.#withheld.set(id, { of: why.of && this.#shared(why.of), held: this.#all.has(id) })
      this.#all.add(id)
    }
  }

  /** Never rejects. What a failing disk leaves undone is done when a part is asked for, which cannot be made before. */
  #finish(counts: Counts, wasQuick: boolean, signal: AbortSignal): Promise<void> {
    return this.#goOn(counts, wasQuick, signal).catch((error) => {
      if (signal.aborted) return
      this.#options.log('warn', "couldn't check the ids on disk", { error: String(error) })
      if (!wasQuick) this.#again = () => this.#finish(counts, wasQuick, signal)
    })
  }

  /** What need not be done before the node is ready: the rows that make the next start quick, and a look at the ops' own. */
  async #goOn(counts: Counts, wasQuick: boolean, signal: AbortSignal): Promise<void> {
    if (!wasQuick) await this.#idLog.rebuild(this.#options.opsSince, counts.seq, signal, this.#all)
    if (!signal.aborted) await this.#all.prepare(turn)
    if (!wasQuick) return
    // Peers and people are about to ask, and the look takes the event loop a microsecond or two for each op.
    await sleep(this.#options.clock, setCheckAfterMs, AbortSignal.any([signal, this.#hurry.signal]))
    await this.#check(signal)
    if (!signal.aborted) await this.#all.prepare(turn)
  }

  /** Compares the ids with the rows of the ops themselves. */
  async #check(signal: AbortSignal): Promise<void> {
    const { disk, log } = this.#options
    let lost = 0
    const isHeld = (id: OpId) => this.has(id) === true
    for await (const ids of rowlessIds(disk, this.#all.ids, isHeld, signal)) {
      for (const id of ids) this.#delete(id)
      lost += ids.length
    }
    if (lost === 0) return
    this.#state = 'differs'
    // The rows of ids still tell of what is lost, so a sketch without it must not be taken for theirs.
    this.#all.forgetSketch()
    log('error', 'ops are missing on disk; peers will be asked for them', { lost })
  }

  /** What could not be read of where ops belong is read first. Undefined when nothing is left to read. */
  #makeGood(): Promise<void> | undefined {
    const again = this.#again
    this.#again = undefined
    if (again === undefined) return undefined
    this.#checking = this.#checking.then(again)
    return this.#checking
  }

  async #fill(name: string, add: (id: OpId) => void): Promise<void> {
    for await (const { id, of } of this.#idLog.arrivals()) if (belongs(of, name) && this.has(id)) add(id)
    for (const [id, { of }] of this.#withheld) if (of && belongs(of, name)) add(id)
    for (const [id, of] of this.#parked) if (belongs(of, name)) add(id)
  }

  /** One for the many that belong to the same. */
  #shared(of: Belonging): Belonging {
    const name = `${of.owner} ${of.kind}`
    const known = this.#belongings.get(name)
    if (known !== undefined) return known
    if (this.#belongings.size >= belongingsKeptMax) this.#belongings.clear()
    this.#belongings.set(name, of)
    return of
  }

  #add(id: OpId, of: Belonging | undefined): void {
    this.#all.add(id)
    if (of !== undefined) this.#parts.add(id, of)
  }

  #delete(id: OpId): void {
    this.#all.delete(id)
    this.#parts.delete(id)
  }
}
