/**
 * Authentic ops that cannot go in yet: a parent is missing, or their time has not come.
 *
 * Held in memory only, in parcels: the waiting ops of one frame, as a frame of their own, so that what is counted is
 * what is kept. Bounded for each peer and in all; who sends too much loses his own oldest first. An op that is dropped
 * here is not lost: whoever has it sends it again.
 */
import type { Op, OpId, ParsedFrame } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import { pendingBytesMax, pendingBytesPerPeerMax, pendingOpsPerPeerMax, pendingTimeMs } from './limits.ts'
import type { Belonging } from './sets.ts'

export type Parcel = {
  readonly frame: ParsedFrame
  readonly peer: string
  readonly origin?: string
  readonly bytes: number
  /** Its ops that still wait. */
  readonly waiting: Map<OpId, Waiting>
  /** When it is given up, by the monotonic clock; parked ops stay until they are due. */
  readonly until: number
}
export type Waiting = {
  readonly op: Op
  readonly parcel: Parcel
  /** Parents that were missing when it came. */
  readonly missing: readonly OpId[]
  /** ms since 1970; of an op that is parked for its time. */
  readonly due?: number
}
export type PendingEntry = {
  readonly op: Op
  readonly missing: readonly OpId[]
  /** With where it belongs. */
  readonly due?: number
  readonly of?: Belonging
}

/** An op, its strings, and its places in the maps here, beside its bytes. */
const OP_OVERHEAD = 1024
const NOWHERE: Belonging = { kind: '', owner: '' }

/** Told of ops that wait for their time, and when they do not any more. */
export type Parking = { park(id: OpId, of: Belonging): void; unpark(id: OpId): void }

export class Pending {
  readonly #clock: Clock
  readonly #parking: Parking | undefined
  readonly #byId = new Map<OpId, Waiting>()
  readonly #byParent = new Map<OpId, Set<OpId>>()
  /** In order of arrival, by peer. */
  readonly #byPeer = new Map<string, { readonly parcels: Set<Parcel>; ops: number; bytes: number }>()
  readonly #parked = new Set<OpId>()
  /** Parcels with an end, in order of it. */
  readonly #ending = new Set<Parcel>()
  #bytes = 0

  constructor(clock: Clock, parking?: Parking) {
    this.#clock = clock
    this.#parking = parking
  }

  get ops(): number {
    return this.#byId.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(id: OpId): Waiting | undefined {
    return this.#byId.get(id)
  }

  /** Ops that named this parent as missing. */
  waitingFor(parent: OpId): Waiting[] {
    return Array.from(this.#byParent.get(parent) ?? [], (id) => this.#byId.get(id)!)
  }

  /** Parked ops whose time has come. */
  due(now: number): Waiting[] {
    return Array.from(this.#parked, (id) => this.#byId.get(id)!).filter(({ due }) => due! <= now)
  }

  /** When the next parked op is due; undefined when none is parked. */
  nextDue(): number | undefined {
    let next: number | undefined
    for (const id of this.#parked) next = Math.min(next ?? Number.POSITIVE_INFINITY, this.#byId.get(id)!.due!)
    return next
  }

  /**
   * Takes the waiting ops of one frame; `frame` carries them and nothing else. Parked ones and ones that lack a parent
   * come in calls of their own. Room is made by dropping this peer's oldest parcels, and when all together hold too
   * much, the oldest of the peer that holds most.
   */
  add(frame: ParsedFrame, entries: readonly PendingEntry[], peer: string, origin?: string): void {
    this.expire()
    const fresh = entries.filter(({ op }) => !this.#byId.has(op.id))
    if (fresh.length === 0) return
    const bytes = frame.bytes.length + OP_OVERHEAD * fresh.length
    const held = this.#byPeer.get(peer) ?? { parcels: new Set<Parcel>(), ops: 0, bytes: 0 }
    this.#byPeer.set(peer, held)
    while (held.ops + fresh.length > pendingOpsPerPeerMax || held.bytes + bytes > pendingBytesPerPeerMax) {
      if (!this.#dropOldest(held.parcels)) return
    }
    while (this.#bytes + bytes > pendingBytesMax) {
      const most = [...this.#byPeer.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a))
      if (!this.#dropOldest(most.parcels)) return
    }
    // Emptied above, it may have been forgotten.
    this.#byPeer.set(peer, held)
    const parked = fresh[0]!.due !== undefined
    const until = parked ? Number.POSITIVE_INFINITY : this.#clock.monotonic() + pendingTimeMs
    const parcel: Parcel = { frame, peer, origin, bytes, until, waiting: new Map() }
    for (const entry of fresh) {
      const waiting: Waiting = { ...entry, parcel }
      parcel.waiting.set(entry.op.id, waiting)
      this.#byId.set(entry.op.id, waiting)
      if (entry.due !== undefined) {
        this.#parked.add(entry.op.id)
        this.#parking?.park(entry.op.id, entry.of ?? NOWHERE)
      }
      for (const parent of entry.missing) {
        const children = this.#byParent.get(parent)
        if (children === undefined) this.#byParent.set(parent, new Set([entry.op.id]))
        else children.add(entry.op.id)
      }
    }
    held.parcels.add(parcel)
    held.ops += fresh.length
    held.bytes += bytes
    this.#bytes += bytes
    if (!parked) this.#ending.add(parcel)
  }

  /** The op went in, or can never go in. Its parcel's bytes are free when the last of its ops has left. */
  remove(id: OpId): void {
    const waiting = this.#byId.get(id)
    if (waiting === undefined) return
    this.#forget(waiting)
    const { parcel } = waiting
    parcel.waiting.delete(id)
    const held = this.#byPeer.get(parcel.peer)!
    held.ops--
    if (parcel.waiting.size === 0) this.#dropParcel(parcel)
  }

  /** Gives up what has waited too long. */
  expire(): void {
    const now = this.#clock.monotonic()
    for (const parcel of this.#ending) {
      if (parcel.until > now) return
      this.#drop(parcel)
    }
  }

  #dropOldest(parcels: ReadonlySet<Parcel>): boolean {
    for (const oldest of parcels) {
      this.#drop(oldest)
      return true
    }
    return false
  }

  #drop(parcel: Parcel): void {
    this.#byPeer.get(parcel.peer)!.ops -= parcel.waiting.size
    for (const waiting of parcel.waiting.values()) this.#forget(waiting)
    parcel.waiting.clear()
    this.#dropParcel(parcel)
  }

  #dropParcel(parcel: Parcel): void {
    const held = this.#byPeer.get(parcel.peer)!
    held.parcels.delete(parcel)
    held.bytes -= parcel.bytes
    this.#bytes -= parcel.bytes
    this.#ending.delete(parcel)
    if (held.parcels.size === 0) this.#byPeer.delete(parcel.peer)
  }

  #forget({ op, missing }: Waiting): void {
    this.#byId.delete(op.id)
    if (this.#parked.delete(op.id)) this.#parking?.unpark(op.id)
    for (const parent of missing) {
      const children = this.#byParent.get(parent)
      children?.delete(op.id)
      if (children?.size === 0) this.#byParent.delete(parent)
    }
  }
}
