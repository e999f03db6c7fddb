/**
 * A disk that outlives the processes that use it, with the promises of LevelDB and no more.
 *
 * A batch takes time, and a process may end while it is under way: then it is in or it is not. Without `sync` a power
 * cut may lose it: the newest ones (`tail`, as from a torn log), or any (`any`, as when blocks reach the platter out of
 * order). A write may fail without being written; or be written and fail, which shows only after a restart, and until
 * then nothing more can be written (LevelDB's way with a log whose state it no longer knows).
 */
import type { Del, Disk, Put, Range } from '../../node/disk.ts'
import { firstFrom, nameOf, namesWithin } from '../../node/disk-memory.ts'
import { NodeError } from '../../node/errors.ts'
import type { Chance } from './chance.ts'
import type { ProcessClock, Scheduler } from './scheduler.ts'

export type Row = { readonly key: Uint8Array; readonly value: Uint8Array }
type Change = { readonly name: string; readonly row: Row | undefined }
type Batch = { readonly changes: readonly Change[]; readonly sync: boolean; undo?: Change[] }

export type DiskStyle = {
  /** What a power cut loses of what was not synced. */
  readonly cut: 'tail' | 'any'
  readonly syncMs: number
  /** The share of reads that take a moment, in which others go on. */
  readonly slowReads: number
}
export type Failure = 'unwritten' | 'written'
/** Shares of calls that fail now. */
export type FaultRates = { readonly read: number; readonly write: number }
export const NO_FAULTS: FaultRates = { read: 0, write: 0 }

export class SimDisk {
  faults: FaultRates = NO_FAULTS
  /** Decides about a call by its number, from 1, before chance does. */
  decide: ((call: number, does: 'read' | 'write') => Failure | undefined) | undefined
  calls = 0
  /** Told when nothing more can be written. */
  onStuck: () => void = () => {}
  readonly #scheduler: Scheduler
  readonly #chance: Chance
  readonly #style: DiskStyle
  readonly #rows = new Map<string, Row>()
  /** The names in order. */
  #order: string[] = []
  #unsynced: Batch[] = []
  #underWay: Batch[] = []
  /** Written, and said to have failed. */
  #late: Batch[] = []
  #lastDone = 0
  #handle: object | undefined

  constructor(scheduler: Scheduler, chance: Chance, style: DiskStyle) {
    this.#scheduler = scheduler
    this.#chance = chance
    this.#style = style
  }

  /** Nothing can be written before a restart. */
  get isStuck(): boolean {
    return this.#late.length > 0
  }

  get rows(): number {
    return this.#rows.size
  }

  /** The disk as a new process sees it. Calls of earlier ones never come back. */
  attach(clock: ProcessClock): Disk {
    const handle = {}
    this.#handle = handle
    for (const batch of this.#late.splice(0)) this.#apply(batch)
    return new Handle(this, () => this.#handle === handle, clock)
  }

  /** The process is gone; with `power`, so is what the disk had not got yet. */
  crash(how: 'kill' | 'power'): void {
    this.#handle = undefined
    const chance = this.#chance
    for (const batch of this.#underWay.splice(0)) {
      // In order: what did not get there keeps those behind it out, too.
      if (!chance.yes(0.5)) break
      this.#apply(batch)
    }
    if (how === 'kill') return
    if (this.#style.cut === 'tail') {
      const lost = chance.int(0, this.#unsynced.length)
      for (let i = 0; i < lost; i++) this.#undo(this.#unsynced.pop()!)
      // What was written last lies behind what was lost.
      if (lost > 0) this.#late = []
    } else {
      const kept = this.#unsynced.filter(() => chance.yes(0.6))
      for (const batch of this.#unsynced.toReversed()) this.#undo(batch)
      for (const batch of kept) this.#apply({ ...batch, sync: true })
    }
    this.#unsynced = []
    this.#late = this.#late.filter(() => chance.yes(0.5))
  }

  /** A copy of all rows, as a backup would have it. */
  backup(): ReadonlyMap<string, Row> {
    return new Map(this.#rows)
  }

  restore(rows: ReadonlyMap<string, Row>): void {
    this.#rows.clear()
    for (const [name, row] of rows) this.#rows.set(name, row)
    this.#order = [...rows.keys()].sort()
    this.#unsynced = []
    this.#underWay = []
    this.#late = []
  }

  /** Flips one bit of the value of some such row whose key begins so. False when there is none. */
  flip(prefix: string, may: (value: Uint8Array) => boolean = () => true): boolean {
    const names = this.#order.filter((name) => name.startsWith(prefix) && may(this.#rows.get(name)!.value))
    if (names.length === 0) return false
    const name = this.#chance.pick(names)
    const row = this.#rows.get(name)!
    if (row.value.length === 0) return false
    const value = row.value.slice()
    value[this.#chance.int(0, value.length - 1)]! ^= 1 << this.#chance.int(0, 7)
    this.#rows.set(name, { key: row.key, value })
    return true
  }

  /** For the handle: what becomes of a call. */
  fate(does: 'read' | 'write'): Failure | undefined {
    const told = this.decide?.(++this.calls, does)
    if (told !== undefined) return told
    if (does === 'write' && this.isStuck) return 'unwritten'
    if (!this.#chance.yes(this.faults[does])) return undefined
    return this.#chance.yes(0.5) ? 'written' : 'unwritten'
  }

  readDelay(): number {
    return this.#style.slowReads > 0 && this.#chance.yes(this.#style.slowReads) ? this.#chance.between(0, 8) : 0
  }

  isReadEarly(): boolean {
    return this.#style.slowReads > 0 && this.#chance.yes(0.5)
  }

  write(batch: Batch, failure: Failure | undefined, done: () => void): void {
    const takes = batch.sync ? this.#chance.between(0.2, 2 * this.#style.syncMs) : this.#chance.between(0, 0.5)
    const at = Math.max(this.#scheduler.now + takes, this.#lastDone)
    this.#lastDone = at
    if (failure === undefined) this.#underWay.push(batch)
    const handle = this.#handle
    this.#scheduler.at(at, () => {
      if (this.#handle !== handle) return
      if (failure === undefined) {
        this.#underWay.shift()
        this.#apply(batch)
      } else if (failure === 'written') {
        this.#late.push(batch)
        this.onStuck()
      }
      done()
    })
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(nameOf(key))?.value
  }

  scan(range: Range): Row[] {
    return namesWithin(this.#order, range).map((name) => this.#rows.get(name)!)
  }

  #apply(batch: Batch): void {
    const undo: Change[] = []
    for (const { name, row } of batch.changes) {
      undo.push({ name, row: this.#rows.get(name) })
      this.#set(name, row)
    }
    if (batch.sync) this.#unsynced = []
    else this.#unsynced.push({ ...batch, undo })
  }

  #undo(batch: Batch): void {
    for (const { name, row } of batch.undo!.toReversed()) this.#set(name, row)
  }

  #set(name: string, row: Row | undefined): void {
    const had = this.#rows.has(name)
    if (row === undefined) this.#rows.delete(name)
    else this.#rows.set(name, row)
    if (had === (row !== undefined)) return
    const at = firstFrom(this.#order, name)
    if (had) this.#order.splice(at, 1)
    else this.#order.splice(at, 0, name)
  }
}

class Handle implements Disk {
  readonly #disk: SimDisk
  readonly #isMine: () => boolean
  readonly #clock: ProcessClock

  constructor(disk: SimDisk, isMine: () => boolean, clock: ProcessClock) {
    this.#disk = disk
    this.#isMine = isMine
    this.#clock = clock
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0]
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return []
    // A read that takes a moment may answer with what was there when it began.
    const before = this.#disk.isReadEarly() ? keys.map((key) => this.#disk.get(key)) : undefined
    await this.#read()
    return before ?? keys.map((key) => this.#disk.get(key))
  }

  batch(changes: readonly (Put | Del)[], options?: { readonly sync?: boolean }): Promise<void> {
    if (!this.#isMine()) return never()
    const batch: Batch = {
      // Copies: the caller may use its buffers again.
      changes: changes.map(({ key, value }) => ({
        name: nameOf(key),
        row: value === undefined ? undefined : { key: key.slice(), value: value.slice() },
      })),
      sync: options?.sync === true,
    }
    const failure = this.#disk.fate('write')
    return new Promise((resolve, reject) => {
      this.#disk.write(batch, failure, () => {
        // By the process' own clock: one that is paused hears of it later.
        this.#clock.after(0, () => (failure === undefined ? resolve() : reject(failed('write'))))
      })
    })
  }

  async *entries(range: Range): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    await this.#read()
    for (const row of this.#disk.scan(range)) yield [row.key, row.value]
  }

  async *keys(range: Range): AsyncIterable<Uint8Array> {
    await this.#read()
    for (const row of this.#disk.scan(range)) yield row.key
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #read(): Promise<void> {
    if (!this.#isMine()) return never()
    const failure = this.#disk.fate('read')
    const ms = this.#disk.readDelay()
    if (ms > 0) await new Promise<void>((resolve) => this.#clock.after(ms, resolve))
    if (!this.#isMine()) return never()
    if (failure !== undefined) throw failed('read')
  }
}

/** What a dead process waits for. */
export function never(): Promise<never> {
  return new Promise(() => {})
}

function failed(what: string): NodeError {
  return new NodeError('store-failed', `couldn't ${what} the store: EIO`)
}
