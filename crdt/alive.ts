/**
 * Which writes still stand: a tree of places that takes a record's writes, parents first, and drops each one that a
 * later write covers; and the epochs of its texts, with the splices that no covering write has seen (SPEC.md, "Merge",
 * "Covers" and "Text").
 *
 * A write has to look only at what is alive along its own path and below it. What a covered write covered stays
 * covered, so that the tree never needs to remember the dead, save for texts whose splices a later write may yet see.
 */
import type { Splice, Write } from './body.ts'
import type { Dag } from './dag.ts'
import { scalarKey } from './equal.ts'
import { SPLICES_MAX } from './limits.ts'
import type { Op, OpId } from './op.ts'
import { pathKey, writableFrom } from './place.ts'
import type { Path } from './value.ts'

/** Who said something, for sorting. `at` is the op's index in the Dag, `index` the place among what the op says. */
export type Stamp = { readonly rank: number; readonly op: Op; readonly at: number; readonly index: number }

/** What one op says. `limits`: where it may write (judge.ts). */
export type Said = Omit<Stamp, 'index'> & {
  readonly writes: readonly Write[]
  readonly limits: readonly (readonly Path[])[]
}

/** A write in play. */
export type Entry = Stamp & {
  readonly write: Exclude<Write, Splice>
  /** How much of its path its op may write at least: what contains it further up it does not cover. */
  readonly from: number
  covered: boolean
  /** Of a text. */
  readonly epoch: Epoch | undefined
}

/** A text as its first writer began it, and the splices that are not inert, in an order with parents first. */
export type Epoch = {
  readonly start: string
  readonly splices: (Stamp & { readonly splice: Splice; readonly voided: boolean })[]
  /** Splices that no covering write has seen so far, those of voided ops aside. */
  unseen: Stamp[]
  /** False when a later write of its own op covers it: then it is no epoch, and splices of it are inert. */
  stands: boolean
}

/** What is alive at one place and below it. */
type Place = {
  values: Entry[]
  members: Map<string, Entry[]> | undefined
  /** Epochs at this place, covered or not, that have unseen splices. */
  epochs: Entry[]
  below: Map<string, Place> | undefined
}

/** First rank, then the later time, then the smaller op id, then the later write of one op. Total over one record. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.op !== b.op) {
    if (a.rank !== b.rank) return a.rank - b.rank
    const later = b.op.header.w - a.op.header.w
    return later !== 0 ? later : a.op.id < b.op.id ? -1 : 1
  }
  return b.index - a.index
}

/** Whether a write says that something is there. */
export function isPresent(write: Exclude<Write, Splice>): boolean {
  return write.says !== 'absent' && write.says !== 'no-member'
}

export class AliveWrites {
  readonly #dag: Dag
  readonly #root: Place = newPlace()
  readonly #epochs = new Map<string, Entry>()

  constructor(dag: Dag) {
    this.#dag = dag
  }

  /** Takes what one contributing op says, in order. Every op in its past that is to be taken must have been. */
  take({ op, at, rank, writes, limits }: Said): void {
    for (const [index, write] of writes.entries()) {
      if (write.says === 'splice') {
        this.#splice(write, { rank, op, at, index }, false)
        continue
      }
      const epoch = write.says === 'text' ? { start: write.text, splices: [], unseen: [], stands: true } : undefined
      const from = limits.length === 0 ? 0 : writableFrom(write.path, limits)
      const entry = { rank, op, at, index, write, from, covered: false, epoch }
      this.#write(entry)
      if (epoch !== undefined) this.#epochs.set(epochKey(op.id, write.path), entry)
    }
  }

  /** The splices of a voided op: they say nothing, and positions are counted with them in place. Otherwise as `take`. */
  takeVoided({ op, at, rank, writes }: Said): void {
    for (const [index, write] of writes.entries()) {
      if (write.says === 'splice') this.#splice(write, { rank, op, at, index }, true)
    }
  }

  /** Writes that nothing covers, in no particular order. */
  alive(): Entry[] {
    const entries: Entry[] = []
    collect(this.#root, entries)
    return entries
  }

  /** Covered epochs that have splices no covering write has seen. */
  lost(): Entry[] {
    return [...this.#epochs.values()].filter((entry) => entry.covered && (entry.epoch as Epoch).unseen.length > 0)
  }

  #write(entry: Entry): void {
    const { write } = entry
    const present = isPresent(write)
    let place = this.#root
    for (const [depth, segment] of write.path.entries()) {
      // Places above contain this one, and only what is present covers what contains it.
      if (present && depth >= entry.from) {
        this.#coverValues(place, entry)
        this.#coverMembers(place, entry)
      }
      place = placeBelow(place, segment)
    }
    if (write.says === 'member' || write.says === 'no-member') {
      if (present) {
        this.#coverValues(place, entry)
        this.#coverBelow(place, entry)
      }
      const key = scalarKey(write.member)
      place.members ??= new Map()
      place.members.set(key, [...this.#uncovered(place.members.get(key) ?? [], entry), entry])
    } else {
      this.#coverValues(place, entry)
      this.#coverMembers(place, entry)
      this.#coverBelow(place, entry)
      place.values.push(entry)
    }
  }

  #splice(splice: Splice, stamp: Stamp, voided: boolean): void {
    const entry = this.#epochs.get(epochKey(splice.epoch, splice.path))
    if (entry === undefined || !this.#dag.isPast(entry.at, stamp.at)) return
    const epoch = entry.epoch as Epoch
    if (!epoch.stands) return
    if (epoch.splices.length >= SPLICES_MAX) {
      let seen = 0
      for (const other of epoch.splices) if (this.#sees(stamp, other)) seen++
      if (seen >= SPLICES_MAX) return
    }
    epoch.splices.push({ ...stamp, splice, voided })
    if (voided) return
    if (epoch.unseen.length === 0) {
      let place = this.#root
      for (const segment of splice.path) place = placeBelow(place, segment)
      place.epochs.push(entry)
    }
    epoch.unseen.push(stamp)
  }

  /** Whether what `earlier` says is in the past of `later`, or before it in the same op. Both are in order of taking. */
  #sees(later: Stamp, earlier: Stamp): boolean {
    return later.at === earlier.at || this.#dag.isPast(earlier.at, later.at)
  }

  #coverValues(place: Place, by: Entry): void {
    if (place.values.length > 0) place.values = this.#uncovered(place.values, by)
    if (place.epochs.length === 0) return
    for (const entry of place.epochs) {
      const epoch = entry.epoch as Epoch
      // Who sees a splice sees the epoch too, and so covers it.
      epoch.unseen = epoch.unseen.filter((stamp) => !this.#sees(by, stamp))
    }
    place.epochs = place.epochs.filter((entry) => (entry.epoch as Epoch).unseen.length > 0)
  }

  #coverMembers(place: Place, by: Entry): void {
    if (place.members === undefined) return
    for (const [key, entries] of place.members) {
      const rest = this.#uncovered(entries, by)
      if (rest.length === 0) place.members.delete(key)
      else if (rest !== entries) place.members.set(key, rest)
    }
  }

  /** Everything strictly below; places where nothing is left are dropped, so that they cost nobody again. */
  #coverBelow(place: Place, by: Entry): void {
    if (place.below === undefined) return
    for (const [segment, child] of place.below) {
      this.#coverValues(child, by)
      this.#coverMembers(child, by)
      this.#coverBelow(child, by)
      if (isEmpty(child)) place.below.delete(segment)
    }
  }

  #uncovered(entries: Entry[], by: Entry): Entry[] {
    if (!entries.some((entry) => this.#sees(by, entry))) return entries
    return entries.filter((entry) => {
      if (!this.#sees(by, entry)) return true
      entry.covered = true
      if (entry.epoch !== undefined && entry.at === by.at) entry.epoch.stands = false
      return false
    })
  }
}

function newPlace(): Place {
  return { values: [], members: undefined, epochs: [], below: undefined }
}

function placeBelow(place: Place, segment: string): Place {
  place.below ??= new Map()
  let child = place.below.get(segment)
  if (child === undefined) {
    child = newPlace()
    place.below.set(segment, child)
  }
  return child
}

function isEmpty(place: Place): boolean {
  return place.values.length + place.epochs.length + (place.members?.size ?? 0) + (place.below?.size ?? 0) === 0
}

/** Recursion ends at 16 segments. */
function collect(place: Place, into: Entry[]): void {
  for (const entry of place.values) into.push(entry)
  for (const entries of place.members?.values() ?? []) for (const entry of entries) into.push(entry)
  for (const child of place.below?.values() ?? []) collect(child, into)
}

function epochKey(epoch: OpId, path: Path): string {
  return epoch + pathKey(path)
}
