/**
 * Which peers have misbehaved too much, and until when they are refused.
 *
 * Points add up and are forgotten with time, so that an honest peer that is slow now and then is never dropped, and a
 * liar is after a few lies. Who comes back and goes on is refused for longer each time.
 */
import type { Clock } from './environment.ts'
import { banMs, banMsMax, penalisedPeersMax, penaltyForgetMsPerPoint, penaltyPointsMax } from './limits.ts'
import type { Misdeed } from './transport.ts'

/** What each weighs. No honest replica does the first four even once; a bad link alone explains the last. */
const POINTS: { readonly [misdeed in Misdeed]: number } = {
  malformed: 40,
  'too-large': 40,
  'bad-op': 25,
  protocol: 40,
  undelivered: 15,
  useless: 20,
  slow: 10,
}

type Record = { points: number; at: number; bans: number; until: number }

export class Penalties {
  readonly #clock: Clock
  /** The longest untouched first. */
  readonly #records = new Map<string, Record>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Adds to a peer's points; true when it is refused from now on. */
  add(peer: string, misdeed: Misdeed): boolean {
    const now = this.#clock.monotonic()
    const record = this.#records.get(peer) ?? { points: 0, at: now, bans: 0, until: 0 }
    record.points = this.#left(record, now) + POINTS[misdeed]
    record.at = now
    this.#records.delete(peer)
    this.#records.set(peer, record)
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= penalisedPeersMax) break
      this.#records.delete(oldest)
    }
    if (record.points < penaltyPointsMax) return false
    record.until = now + Math.min(banMsMax, banMs * 2 ** record.bans++)
    record.points = 0
    return true
  }

  /** 0 for a peer with a clean record. */
  points(peer: string): number {
    const record = this.#records.get(peer)
    return record ? this.#left(record, this.#clock.monotonic()) : 0
  }

  isBanned(peer: string): boolean {
    const record = this.#records.get(peer)
    return record !== undefined && this.#clock.monotonic() < record.until
  }

  #left(record: Record, now: number): number {
    return Math.max(0, record.points - (now - record.at) / penaltyForgetMsPerPoint)
  }
}
