/**
 * What is known of one peer by the sessions held with it, and what that means for when to hold the next: soon while it
 * has more, later and later where sessions fail or bring nothing, and the dear ways of comparing only now and then.
 *
 * It decides, and Sync (sync.ts) does what it says. Times are of the monotonic clock.
 */
import type { Random } from './environment.ts'
import {
  syncAgainMax,
  syncAgainMs,
  syncBackoffMs,
  syncBackoffMsMax,
  syncBulkMax,
  syncBulkMs,
  syncDeepMs,
  syncDeepMsMax,
  syncSettleMs,
  syncUnequalMax,
} from './limits.ts'
import { ALL } from './sets.ts'
import type { Session, SessionOptions, SessionResult } from './sync-session.ts'

/** What the end of a session is judged with. */
export type Judging = {
  readonly now: number
  readonly random: Random
  /** We answer a full session of this peer now. */
  readonly isServing: boolean
  /** A session is wanted after so many ms. */
  readonly soon: (delayMs?: number) => void
}

export class PeerState {
  /** Sync's: the session under way that we opened, and the timer of the next. */
  running: Session | undefined
  cancelTimer: (() => void) | undefined
  /** Connected, and since then no session has ended well. */
  isNew = false
  /** A session is wanted as soon as the one under way, or the back-off, is over. */
  wanted = false
  /** No session before. */
  notBefore = 0
  lastStart = Number.NEGATIVE_INFINITY
  /** What the peer has said since it connected that it can, and of which of our sets that it takes no part in them. */
  #can: readonly string[] = []
  readonly #lacks = new Set<string>()
  #rootEqual: boolean | undefined
  #theirOps: number | undefined
  #failures = 0
  #again = 0
  #unequal = 0
  /** Of them in a row those that moved nothing. */
  #futile = 0
  #deepNotBefore = 0
  #deeps = 0
  #bulks: number[] = []

  /** Undefined before the first comparison. */
  get rootEqual(): boolean | undefined {
    return this.#rootEqual
  }

  get theirOps(): number | undefined {
    return this.#theirOps
  }

  get isBrief(): boolean {
    return this.#can.includes('root')
  }

  lacks(set: string): boolean {
    return this.#lacks.has(set)
  }

  /** It has connected, and may be another program than before, and its log another log. */
  met(): void {
    this.isNew = true
    this.#again = 0
    this.#can = []
    this.#lacks.clear()
  }

  /** How much a session that we open may cost. */
  deepWhenOpening(now: number): NonNullable<SessionOptions['deep']> {
    return now < this.#deepNotBefore ? 'no' : this.#unequal >= syncUnequalMax ? 'now' : 'when-quiet'
  }

  deepWhenAsked(now: number): NonNullable<SessionOptions['deep']> {
    return now < this.#deepNotBefore ? 'no' : 'when-quiet'
  }

  /** The whole log costs us much and a liar nothing, so each peer has it a few times in ten minutes. */
  mayReadAll(now: number): boolean {
    this.#bulks = this.#bulks.filter((at) => at > now - syncBulkMs)
    if (this.#bulks.length >= syncBulkMax) return false
    this.#bulks.push(now)
    return true
  }

  /** What any session has shown. */
  learn({ theirs, set, rootEqual, can }: SessionResult): void {
    if (theirs && set === ALL) this.#theirOps = theirs.ops
    if (rootEqual !== undefined) this.#rootEqual = rootEqual
    if (can !== undefined) this.#can = can
  }

  /** It takes part in other sets than we do. What it has of ours it asks about itself. */
  learnLack(set: string): void {
    this.#lacks.add(set)
  }

  /** A session that the peer opened has ended. */
  answered({ deep, end, rootEqual }: SessionResult, now: number): void {
    if (deep) this.#deepNotBefore = now + syncDeepMs
    if (end === 'done' && rootEqual !== undefined) {
      this.#failures = 0
      this.wanted = false
    }
  }

  /** What we opened has ended, over all sets: says when the next one is to be. */
  judge(result: SessionResult, { now, random, isServing, soon }: Judging): void {
    if (result.rootEqual !== undefined) this.#rootEqual = result.rootEqual
    if (result.deep) {
      this.#deepNotBefore = now + Math.min(syncDeepMsMax, syncDeepMs * 2 ** this.#deeps++)
      this.#unequal = 0
    }
    if (result.end === 'done') {
      this.#failures = 0
      // Gossip takes a moment to include a new peer; what was appended in that moment is brought by a second session.
      if (this.isNew) soon(syncSettleMs)
      this.isNew = false
      if (result.rootEqual) this.#agreed()
      else this.#differed(result.opsIn + result.opsOut > 0, { now, random, soon })
    } else if (result.end !== 'stopped' && !(result.end === 'busy' && isServing)) {
      const wait = Math.min(syncBackoffMsMax, syncBackoffMs * 2 ** this.#failures++)
      this.notBefore = now + (result.end === 'unsupported' ? syncBackoffMsMax : wait * (0.75 + random.float() / 2))
      // A peer that was cut off half-way has more: the cursor stands where it was cut.
      if (result.end !== 'unsupported' && result.end !== 'refused') soon()
      return
    }
    if (this.wanted) soon()
  }

  #agreed(): void {
    this.#unequal = 0
    this.#futile = 0
    this.#deeps = 0
    this.#again = 0
  }

  /** Policies may differ for good, and a liar has no end: both are asked less and less often. */
  #differed(moved: boolean, { now, random, soon }: Pick<Judging, 'now' | 'random' | 'soon'>): void {
    this.#unequal++
    this.#futile = moved ? 0 : this.#futile + 1
    if (this.#futile > syncUnequalMax) {
      this.notBefore = now + Math.min(syncBackoffMsMax, syncBackoffMs * 2 ** (this.#futile - syncUnequalMax))
    }
    if (moved && this.#again++ < syncAgainMax) soon(syncAgainMs * (1 + random.float()))
  }
}
