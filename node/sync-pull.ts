/**
 * The asking half of a sync session: takes the other side's log from our cursor on, and whatever its ops need.
 *
 * Packets go to the replica as they come, the next read while the last is verified; the window of each request is
 * refilled only when a packet is admitted, so memory stays flat however fast the peer sends. The cursor moves only
 * over ops that are in the store with all their parents. Whether frames come at once or ids first is a guess about how
 * much of the log we hold, corrected by what the first answers show.
 */
import type { IdWidth, OpId } from '../crdt/index.ts'
import { type Clock, sleep } from './environment.ts'
import {
  syncAdmitsMax,
  syncCredits,
  syncCursorPackets,
  syncGetIdsMax,
  syncGetWindow,
  syncIdsWindow,
  syncItemsMax,
  syncMissingMax,
  syncOfferedMax,
  syncSincesMax,
  syncUnsureWindow,
} from './limits.ts'
import { mergePause } from './merge-budget.ts'
import { type PacketCodec, unpack } from './packet.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { Link } from './sync-link.ts'
import {
  type Answer,
  type End,
  type Offer,
  type Packet,
  type SinceMode,
  splitIds,
  writeMessage,
} from './sync-messages.ts'

export type PullOptions = {
  readonly link: Link
  readonly replica: ReplicaFace
  readonly codec: PacketCodec
  readonly clock: Clock
  /** The store holds everything of the peer's log up to `seq`. */
  readonly reached: (seq: number, atOnce: boolean) => Promise<void>
  /** A peer sent what an honest replica does not hold; the session goes on, its other ops are welcome. */
  readonly badOps: () => void
  /** What the session is about; known once both have said hello. */
  readonly set: () => ReconciledSet
}

/** Of this share of an answer already held, ids are asked for first; of this share lacking, frames again. */
const MANY = 0.5
const MOST = 0.9
/** A smaller answer says little about the rest. */
const SAMPLE = 48

export class Puller {
  readonly #options: PullOptions
  readonly #requests = new Map<number, Request>()
  readonly #missing = new Set<OpId>()
  #lastQ = 0
  #sinces = 0
  #offered = 0
  #taking: Promise<void> = Promise.resolve()

  constructor(options: PullOptions) {
    this.#options = options
  }

  /** An answer arrived; called in the order of arrival. */
  answer(message: Answer): void {
    const request = this.#requests.get(message.q)
    if (request === undefined) throw this.#options.link.fail('misbehaved', 'an answer to nothing', 'protocol')
    request.push(message)
  }

  /** Takes the log from after `from`. Resolves when all of it, and what it needs, is in the store. */
  async log(from: number, guess: Guess, all: boolean): Promise<void> {
    let next: Turn | undefined = { from, ...guess }
    while (next) next = await this.#stream(next, all)
  }

  /** Takes these ops, admitted as what came this way, and the parents they need. */
  async fetch(ids: readonly OpId[], via: Via = 'sync'): Promise<void> {
    const lacking = await this.#get(ids, via)
    await this.#settle()
    if (lacking.length > 0) throw this.#undelivered(lacking.length)
  }

  /**
   * Takes the ops whose ids begin so, and the parents they need. Answers how many did not come that the peer does not
   * say it withholds: for the caller to judge, since what a sketch finds need not exist.
   */
  async pick(width: IdWidth, texts: readonly string[]): Promise<number> {
    let lacking = 0
    for (let at = 0; at < texts.length; at += syncGetIdsMax) {
      const wanted = this.#unknown(texts.slice(at, at + syncGetIdsMax))
      if (wanted.length === 0) continue
      this.#count(wanted.length)
      const ask = (q: number) => writeMessage({ m: 'pick', q, w: width, ids: wanted, window: syncGetWindow })
      const open = new Set(wanted)
      const { not } = await this.#collect(ask, open, 2 * width)
      for (const text of splitIds(not ?? new Uint8Array(0), wanted.length, width) ?? []) open.delete(text)
      await this.#settle()
      lacking += this.#unknown([...open]).length
    }
    return lacking
  }

  /** The peer has these and thinks that we lack them. They are picked one message after the other. */
  offered({ w, ids }: Offer): void {
    const { link } = this.#options
    this.#offered += ids.length
    if (this.#offered > syncOfferedMax) throw link.fail('misbehaved', 'more offers than one session takes', 'protocol')
    this.#taking = this.#taking.then(async () => {
      const lacking = await this.pick(w, ids)
      if (lacking > 0) throw this.#undelivered(lacking)
    })
    this.#taking.catch((error) => link.failWith(error))
  }

  /** Resolves when everything offered so far has come. */
  taken(): Promise<void> {
    return this.#taking
  }

  #unknown(texts: readonly string[]): string[] {
    const set = this.#options.set()
    return texts.filter((text) => set.startingWith(text).length === 0)
  }

  /** One request for the log; answers where and how to go on when the guess was wrong. */
  async #stream({ from, mode, sure }: Turn, all: boolean): Promise<Turn | undefined> {
    const window = mode === 'ids' ? 1 : sure ? syncCredits : syncUnsureWindow
    const request = await this.#ask(window, (q) => writeMessage({ m: 'since', q, from, mode, all, window }))
    const mayTurn = ++this.#sinces < syncSincesMax
    const admitting: Promise<Outcome>[] = []
    let reached = from
    let last = 0
    let packets = 0
    const settleOne = async () => {
      const outcome = await admitting.shift()!
      if (outcome.seq > reached) {
        reached = outcome.seq
        if (this.#missing.size === 0 && ++packets % syncCursorPackets === 0) await this.#options.reached(reached, false)
      }
      return outcome
    }
    for (;;) {
      const answer = await request.next()
      if (answer.seq < last) throw this.#options.link.fail('misbehaved', 'the log runs back', 'protocol')
      last = answer.seq
      if (answer.m === 'end') {
        while (admitting.length > 0) await settleOne()
        await this.#settle()
        await this.#options.reached(answer.seq, true)
        this.#requests.delete(request.q)
        return undefined
      }
      if ((answer.m === 'packet') !== (mode === 'frames')) {
        throw this.#options.link.fail('misbehaved', 'frames for ids', 'protocol')
      }
      if (answer.m === 'packet') {
        const frames = await this.#unpack(answer)
        admitting.push(quiet(this.#admit(frames, answer.seq, request)))
        if (admitting.length < syncAdmitsMax) continue
        const outcome = await settleOne()
        if (mayTurn && outcome.items >= SAMPLE && outcome.held > MANY * outcome.items) {
          while (admitting.length > 0) await settleOne()
          request.drop()
          await this.#settle()
          return { from: reached, mode: 'ids', sure: true }
        }
        if (mayTurn && outcome.items >= SAMPLE) await this.#widen(request, syncCredits)
      } else {
        this.#count(answer.ids.length)
        const lacking = await this.#lacking(answer.ids)
        const undelivered = lacking.length > 0 ? await this.#get(lacking) : []
        await this.#settle()
        if (undelivered.length > 0) throw this.#undelivered(undelivered.length)
        reached = answer.seq
        if (++packets % syncCursorPackets === 0) await this.#options.reached(reached, false)
        if (mayTurn && answer.ids.length >= SAMPLE && lacking.length > MOST * answer.ids.length) {
          request.drop()
          return { from: reached, mode: 'frames', sure: true }
        }
        await this.#grant(request)
        await this.#widen(request, syncIdsWindow)
      }
    }
  }

  /** Asks for parents that were not held until none is missing. An honest peer has every parent of what it has. */
  async #settle(): Promise<void> {
    while (this.#missing.size > 0) {
      const wanted = await this.#lacking([...this.#missing])
      this.#missing.clear()
      const undelivered = await this.#get(wanted)
      if (undelivered.length > 0) throw this.#undelivered(undelivered.length)
    }
  }

  /** Fetches ids; answers those that did not come and are still not held. */
  async #get(ids: readonly OpId[], via: Via = 'sync'): Promise<OpId[]> {
    const open = new Set(ids)
    for (let at = 0; at < ids.length; at += syncGetIdsMax) {
      const some = ids.slice(at, at + syncGetIdsMax)
      await this.#collect((q) => writeMessage({ m: 'get', q, ids: some, window: syncGetWindow }), open, 64, via)
    }
    return this.#lacking([...open])
  }

  /** Takes the answers to one lookup; what comes is taken from `open`, by the first so many digits of its id. */
  async #collect(write: (q: number) => Uint8Array, open: Set<string>, digits: number, via: Via = 'sync'): Promise<End> {
    const request = await this.#ask(syncGetWindow, write)
    const admitting: Promise<Outcome>[] = []
    const came = (id: OpId) => open.delete(id.slice(0, digits))
    for (;;) {
      const answer = await request.next()
      if (answer.m === 'end') {
        await Promise.all(admitting)
        this.#requests.delete(request.q)
        return answer
      }
      if (answer.m !== 'packet') throw this.#options.link.fail('misbehaved', 'ids for frames', 'protocol')
      admitting.push(quiet(this.#admit(await this.#unpack(answer), 0, request, came, via)))
      if (admitting.length >= syncAdmitsMax) await admitting.shift()
    }
  }

  async #unpack(packet: Packet): Promise<readonly Uint8Array[]> {
    const { link, codec } = this.#options
    const unpacked = await unpack(packet.z, codec)
    if (!unpacked.ok) throw link.fail('misbehaved', `a packet that is ${unpacked.reason}`, unpacked.reason)
    return unpacked.frames
  }

  async #admit(
    frames: readonly Uint8Array[],
    seq: number,
    request: Request,
    came?: (id: OpId) => void,
    via: Via = 'sync',
  ): Promise<Outcome> {
    const { link, clock, replica, badOps } = this.#options
    const admitted = await replica.admit(frames, { via, peer: link.peer })
    let held = 0
    for (const { op, verdict } of admitted.results) {
      came?.(op)
      if (verdict === 'duplicate') held++
      else if (verdict === 'applied') link.opsIn++
    }
    if (admitted.misbehaved) badOps()
    for (const id of admitted.missing) this.#missing.add(id)
    if (this.#missing.size > syncMissingMax) throw link.fail('misbehaved', 'too many parents missing', 'useless')
    this.#count(admitted.results.length + admitted.refusedFrames.length)
    const pause = mergePause(admitted.mergedOps)
    if (pause > 0) await sleep(clock, pause, link.signal)
    await this.#grant(request)
    return { seq, held, items: admitted.results.length }
  }

  async #lacking(ids: readonly OpId[]): Promise<OpId[]> {
    if (ids.length === 0) return []
    const known = await this.#options.replica.knows(ids)
    return ids.filter((_, i) => !known[i])
  }

  #count(items: number): void {
    const { link } = this.#options
    link.itemsIn += items
    if (link.itemsIn > syncItemsMax) throw link.fail('items', 'more than one session may move', 'useless')
  }

  #undelivered(ids: number): Error {
    return this.#options.link.fail('undelivered', `${ids} ops asked for did not come`, 'undelivered')
  }

  async #ask(window: number, write: (q: number) => Uint8Array): Promise<Request> {
    const request = new Request(++this.#lastQ, window, this.#options.link)
    this.#requests.set(request.q, request)
    await this.#options.link.send(write(request.q))
    return request
  }

  /** Room for one more answer. Told in halves of a window: a message for each would double them. */
  async #grant(request: Request): Promise<void> {
    const n = request.used()
    if (n > 0) await this.#options.link.send(writeMessage({ m: 'more', q: request.q, n }))
  }

  /** The first answers were what we lack: the rest may come at full speed. */
  async #widen(request: Request, window: number): Promise<void> {
    const n = request.widen(window)
    if (n > 0) await this.#options.link.send(writeMessage({ m: 'more', q: request.q, n }))
  }
}

/** How to ask for a log: `sure` when we hold little of it, or have seen that the way is right. */
export type Guess = { readonly mode: SinceMode; readonly sure: boolean }
/** What was announced by gossip is live; everything else is catch-up. */
type Via = 'sync' | 'gossip'
type Turn = Guess & { readonly from: number }
type Outcome = { readonly seq: number; readonly items: number; readonly held: number }

/** A rejection that is looked at later is not an unhandled one. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** One question and the answers that have come and are not yet taken: never more than its window. */
class Request {
  readonly q: number
  readonly #link: Link
  #window: number
  readonly #queue: Answer[] = []
  /** Answers the peer may still send. */
  #room: number
  #used = 0
  #ended = false
  #dropped = false
  #wake: (() => void) | undefined

  constructor(q: number, window: number, link: Link) {
    this.q = q
    this.#window = window
    this.#room = window
    this.#link = link
  }

  push(answer: Answer): void {
    if (this.#ended || (answer.m !== 'end' && this.#room === 0)) {
      throw this.#link.fail('misbehaved', 'more answers than asked for', 'protocol')
    }
    if (answer.m === 'end') this.#ended = true
    else this.#room--
    if (this.#dropped) return
    this.#queue.push(answer)
    this.#wake?.()
  }

  async next(): Promise<Answer> {
    while (this.#queue.length === 0) {
      await this.#link.until(
        new Promise<void>((resolve) => {
          this.#wake = resolve
        }),
      )
    }
    return this.#queue.shift()!
  }

  /** One answer is dealt with; says how many to grant now, 0 when it can wait. */
  used(): number {
    const n = ++this.#used
    if (this.#ended || this.#dropped || n * 2 < this.#window) return 0
    this.#used = 0
    this.#room += n
    return n
  }

  /** Makes the window larger; says how many to grant for it. */
  widen(window: number): number {
    const n = this.#ended ? 0 : Math.max(0, window - this.#window)
    this.#window += n
    this.#room += n
    return n
  }

  /** What still comes in answer is not wanted. */
  drop(): void {
    this.#dropped = true
    this.#queue.length = 0
  }
}
