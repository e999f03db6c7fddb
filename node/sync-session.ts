/**
 * One sync session with one peer over one channel: both say what they hold, each takes what it lacks from the other,
 * and both compare roots (PROTOCOLS.md, "Sync").
 *
 * Afterwards two honest nodes hold the same set, save what arrived meanwhile. `run` never rejects: a peer that lies,
 * stalls or leaves ends the session with a reason, at a cost bounded by the windows, item counts and time limits of
 * limits.ts. Nothing here keeps state beyond the session but the cursors it is given.
 */
import { type OpId, SEM } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import { syncIdleTimeoutMs } from './limits.ts'
import type { PacketCodec } from './packet.ts'
import { SYNC_VERSION } from './protocols.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { Cursors, PeerCursor } from './sync-cursors.ts'
import { Link, type SessionEnd } from './sync-link.ts'
import { type Done, type Hello, type Message, readMessage, writeMessage } from './sync-messages.ts'
import { type Guess, Puller } from './sync-pull.ts'
import { Server } from './sync-serve.ts'
import type { Channel, Misdeed } from './transport.ts'

export type SessionOptions = {
  readonly channel: Channel
  readonly replica: ReplicaFace
  readonly cursors: Cursors
  readonly codec: PacketCodec
  readonly clock: Clock
  readonly inbound: boolean
  /** Only fetch these, without a comparison. */
  readonly wants?: readonly OpId[]
  /** Whether to compare all ids when cursors have nothing left to say and roots differ, or in any case. */
  readonly deep?: 'no' | 'when-quiet' | 'now'
  readonly mayReadAll: () => boolean
  /** Called when the peer has said hello: false ends the session as busy. */
  readonly admitPeer?: (theirs: Hello) => boolean
  readonly penalise: (misdeed: Misdeed) => void
}

/** What a session moved and how it ended. */
export type SessionResult = {
  readonly peer: string
  readonly inbound: boolean
  /** New to us; sent by us. */
  readonly opsIn: number
  readonly opsOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly ms: number
  /** Missing when the session ended before roots were compared. */
  readonly rootEqual?: boolean
  readonly end: SessionEnd
  /** In words, when it did not end as 'done'. */
  readonly why?: string
  /** What the peer held at the end, as far as it said. */
  readonly theirs?: { readonly seq: number; readonly ops: number; readonly root: string }
  /** All ids were compared. */
  readonly deep: boolean
}

/** We hold little when the log ahead is at least this many times what we have. */
const LITTLE = 4
/** Entries of our own log looked at to guess how much we have heard since. */
const SAMPLE_CHANGES = 1_024

export class Session {
  readonly #options: SessionOptions
  readonly #link: Link
  readonly #server: Server
  readonly #puller: Puller
  readonly #wants: readonly OpId[] | undefined
  #theirs: Hello | undefined
  #mine: Hello | undefined
  /** What we held when we had asked all. */
  #said: Done | undefined
  #theirDone: Done | undefined
  readonly #over = Promise.withResolvers<undefined>()
  #rootEqual: boolean | undefined
  #deep = false

  constructor(options: SessionOptions) {
    const { channel, replica, codec, clock, mayReadAll, penalise } = options
    this.#options = options
    this.#wants = options.wants
    this.#link = new Link(channel)
    this.#server = new Server({
      link: this.#link,
      replica,
      codec,
      clock,
      mayReadAll,
      startSeq: () => this.#mine?.seq ?? 0,
    })
    this.#puller = new Puller({
      link: this.#link,
      replica,
      codec,
      reached: (seq, atOnce) => this.#reached(seq, atOnce),
      badOps: () => penalise('bad-op'),
    })
  }

  /** Ends the session from outside. */
  stop(): void {
    this.#link.fail('stopped', 'stopped')
    this.#options.channel.abort()
  }

  async run(): Promise<SessionResult> {
    const { channel, clock, penalise } = this.#options
    const started = clock.monotonic()
    // Whatever ends the session also wakes who waits on the channel.
    this.#link.signal.addEventListener('abort', () => this.#leave(), { once: true })
    try {
      await this.#options.replica.ready
      if (await this.#greet()) {
        const reading = this.#read()
        reading.catch((error) => this.#link.failWith(error))
        await this.#pull()
        await this.#sayDone()
        await reading
      }
      await channel.close()
    } catch (error) {
      this.#link.failWith(error)
    }
    if (this.#link.misdeed) penalise(this.#link.misdeed)
    return this.#result(clock.monotonic() - started)
  }

  /** Exchanges hellos. False when there is nothing to exchange: the sets are equal. */
  async #greet(): Promise<boolean> {
    const { inbound } = this.#options
    if (!inbound) await this.#hello(undefined)
    const theirs = await this.#next()
    if (theirs?.m !== 'hello') throw this.#link.fail('misbehaved', 'no hello', 'protocol')
    this.#theirs = theirs
    const refusal = this.#refusal(theirs)
    if (refusal) {
      await this.#send({ m: 'bye', reason: refusal })
      throw this.#link.fail(refusal === 'busy' ? 'busy' : 'refused', `we refused: ${refusal}`)
    }
    if (inbound) await this.#hello(theirs)
    const mine = this.#mine as Hello
    if (mine.only || theirs.only || mine.root !== theirs.root || mine.ops !== theirs.ops) return true
    await this.#equal(theirs)
    return false
  }

  #refusal(theirs: Hello): string | undefined {
    const { replica, admitPeer } = this.#options
    if (theirs.v !== SYNC_VERSION) return 'version'
    if (theirs.net !== replica.net) return 'network'
    if (theirs.sem !== SEM) return 'sem'
    return admitPeer?.(theirs) === false ? 'busy' : undefined
  }

  async #hello(theirs: Hello | undefined): Promise<void> {
    const { replica, cursors, channel } = this.#options
    const cursor = cursors.get(channel.peer)
    this.#mine = {
      m: 'hello',
      v: SYNC_VERSION,
      net: replica.net,
      sem: SEM,
      ...this.#state(),
      // Told also when their log is another by now: they see from the epoch that it says nothing.
      ...(cursor ? { cursor: { epoch: cursor.epoch, seq: cursor.seq } } : {}),
      only: this.#wants !== undefined && theirs === undefined,
    }
    await this.#send(this.#mine)
  }

  #state(): Omit<Done, 'm'> {
    const { replica } = this.#options
    const { seq, ops } = replica.counts()
    return { epoch: replica.epoch, seq, ops, root: replica.root() }
  }

  /** Takes the peer's log, or what was asked for. */
  async #pull(): Promise<void> {
    const theirs = this.#theirs as Hello
    if (this.#wants) return this.#puller.fetch(this.#wants)
    if (theirs.only) return
    const cursor = this.#cursor(theirs)
    const from = cursor?.seq ?? 0
    this.#deep = this.#goDeep(theirs, from)
    if (this.#deep) return this.#puller.log(0, { mode: 'ids', sure: true }, true)
    if (from === theirs.seq) return this.#reached(from, false)
    // Who begins at the start may have lost what it once gave, so nothing is left out for having come from it.
    return this.#puller.log(from, await this.#guess(theirs, cursor), cursor === undefined)
  }

  /** How far we have read this very log. One shorter than that was restored from a backup: what it says now is news. */
  #cursor(theirs: Hello): PeerCursor | undefined {
    const cursor = this.#options.cursors.get(this.#link.peer)
    return cursor?.epoch === theirs.epoch && cursor.seq <= theirs.seq ? cursor : undefined
  }

  /** Cursors have nothing left to say and roots differ: somebody has lost or refused something. */
  #goDeep(theirs: Hello, from: number): boolean {
    const { deep = 'no' } = this.#options
    const mine = this.#mine as Hello
    if (deep === 'no' || mine.root === theirs.root) return false
    if (deep === 'now') return true
    const quiet = theirs.cursor?.epoch === mine.epoch && theirs.cursor.seq >= mine.seq
    return quiet && from === theirs.seq
  }

  /**
   * Frames at once when most of what follows the cursor is news to us: when we hold little, or have since heard nearly
   * nothing from others (what we wrote ourselves cannot be theirs). Else ids first.
   */
  async #guess(theirs: Hello, cursor: PeerCursor | undefined): Promise<Guess> {
    const { replica } = this.#options
    const { ops, seq } = replica.counts()
    const gap = theirs.seq - (cursor?.seq ?? 0)
    if (ops * LITTLE <= gap) return { mode: 'frames', sure: true }
    if (cursor === undefined || seq - cursor.mine > gap * LITTLE) return { mode: 'ids', sure: true }
    const changes = await replica.changes(cursor.mine, SAMPLE_CHANGES)
    const heard = changes.filter((change) => change.actor !== replica.actor).length
    return { mode: heard * 2 > Math.min(gap, SAMPLE_CHANGES) ? 'ids' : 'frames', sure: false }
  }

  async #reached(seq: number, atOnce: boolean): Promise<void> {
    const { replica, cursors } = this.#options
    const { epoch } = this.#theirs as Hello
    const written = cursors.set(this.#link.peer, { epoch, seq, mine: replica.counts().seq })
    if (atOnce) await written
    else written.catch((error) => this.#link.failWith(error))
  }

  async #sayDone(): Promise<void> {
    this.#said = { m: 'done', ...this.#state() }
    await this.#send(this.#said)
    if (this.#theirDone === undefined) return
    await this.#compare(this.#theirDone)
    this.#over.resolve(undefined)
  }

  /** The peer's log up to there is in our set, however it came here. */
  async #equal(theirs: Omit<Done, 'm'>): Promise<void> {
    const { replica, cursors } = this.#options
    this.#rootEqual = true
    await cursors.set(this.#link.peer, { epoch: theirs.epoch, seq: theirs.seq, mine: replica.counts().seq })
  }

  async #compare(theirs: Done): Promise<void> {
    if (this.#wants || this.#theirs?.only) return
    // More may have come since we said what we held; then as now, the same root means the same set.
    const isEqual = [this.#said, this.#state()].some((mine) => mine?.ops === theirs.ops && mine.root === theirs.root)
    if (isEqual) await this.#equal(theirs)
    else this.#rootEqual = false
  }

  /** Both have asked all they wanted and had the answers: nothing that comes now matters. */
  get #isOver(): boolean {
    return this.#said !== undefined && this.#theirDone !== undefined
  }

  /** Reads until both sides are done. */
  async #read(): Promise<void> {
    while (!this.#isOver) {
      const message = await Promise.race([this.#next(), this.#over.promise])
      if (message === undefined) return
      switch (message.m) {
        case 'packet':
        case 'ids':
        case 'end':
          this.#puller.answer(message)
          break
        case 'more':
          this.#server.more(message.q, message.n)
          break
        case 'since':
          this.#mayAsk()
          this.#server.since(message)
          break
        case 'get':
          this.#mayAsk()
          this.#server.get(message)
          break
        case 'done':
          this.#mayAsk()
          this.#theirDone = message
          if (this.#said) await this.#compare(message)
          break
        case 'hello':
          throw this.#link.fail('misbehaved', 'a second hello', 'protocol')
      }
    }
  }

  #mayAsk(): void {
    if (this.#theirDone) throw this.#link.fail('misbehaved', 'a request after done', 'protocol')
  }

  /** The next message, whatever it is; the session ends on a bye, on silence and on what is no message. */
  async #next(): Promise<Exclude<Message, { m: 'bye' }> | undefined> {
    let bytes: Uint8Array | undefined
    try {
      bytes = await this.#link.until(this.#options.channel.receive({ timeoutMs: syncIdleTimeoutMs }))
    } catch (error) {
      if (this.#isOver) return undefined
      throw error
    }
    if (this.#isOver) return undefined
    if (bytes === undefined) throw this.#link.fail('gone', 'the peer hung up')
    const read = readMessage(bytes)
    if (!read.ok) throw this.#link.fail('misbehaved', read.reason, 'malformed')
    if (read.message.m === 'bye') {
      const { reason } = read.message
      throw this.#link.fail(reason === 'busy' ? 'busy' : 'refused', `the peer refused: ${reason}`)
    }
    return read.message
  }

  #send(message: Message): Promise<void> {
    return this.#link.send(writeMessage(message))
  }

  #leave(): void {
    const { channel } = this.#options
    // A refusal was said and must arrive; everything else is cut.
    if (this.#link.end === 'refused' || this.#link.end === 'busy') channel.close().catch(() => channel.abort())
    else channel.abort()
  }

  #result(ms: number): SessionResult {
    const { channel, inbound } = this.#options
    const theirs = this.#theirDone ?? this.#theirs
    return {
      peer: channel.peer,
      inbound,
      opsIn: this.#link.opsIn,
      opsOut: this.#link.opsOut,
      bytesIn: channel.bytesIn,
      bytesOut: channel.bytesOut,
      ms,
      ...(this.#rootEqual === undefined ? {} : { rootEqual: this.#rootEqual }),
      end: this.#link.end ?? 'done',
      ...(this.#link.why === undefined ? {} : { why: this.#link.why }),
      ...(theirs ? { theirs: { seq: theirs.seq, ops: theirs.ops, root: theirs.root } } : {}),
      deep: this.#deep,
    }
  }
}
