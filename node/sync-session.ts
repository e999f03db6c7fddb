/**
 * One sync session with one peer over one channel about one set: both say what they hold, each takes what it lacks from
 * the other, and both compare roots (PROTOCOLS.md, "Sync").
 *
 * What is lacking shows by the logs, when cursors say where to go on reading; else whoever opened the session finds the
 * difference by sketch or descent, picks what the other has, and offers what it has itself.
 *
 * Afterwards two honest nodes hold the same set, save what arrived meanwhile. `run` never rejects: a peer that lies,
 * stalls or leaves ends the session with a reason, at a cost bounded by the windows, item counts and time limits of
 * limits.ts. Nothing here keeps state beyond the session but the cursors it is given.
 */
import { type OpId, SEM } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import { syncFewOps, syncIdleTimeoutMs, syncIdsPerMessageMax, syncOfferedMax, syncSetsMax } from './limits.ts'
import type { PacketCodec } from './packet.ts'
import { SYNC_VERSION } from './protocols.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type { ReplicaFace } from './replica-types.ts'
import { ALL } from './sets.ts'
import { Comparer, type Found } from './sync-compare.ts'
import type { Cursors, PeerCursor } from './sync-cursors.ts'
import { Link, type SessionEnd } from './sync-link.ts'
import { type Done, type Hello, type Message, type Root, readMessage, writeMessage } from './sync-messages.ts'
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
  /** What a session that we open is about (sets.ts); all ops unless named. */
  readonly set?: string
  /** The peer has said hello on this connection and can take a root instead. */
  readonly brief?: boolean
  /** Only fetch these, without a comparison. */
  readonly wants?: readonly OpId[]
  /** They were announced by gossip, and are admitted as what came by it. */
  readonly live?: boolean
  /**
   * Whether to go beyond cursors: with a peer that cannot compare, to read all ids when cursors have nothing left to say
   * and roots differ, or in any case; with one that can, 'now' means to descend at once.
   */
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
  /** All ids were compared, by descent or one by one. */
  readonly deep: boolean
  readonly set: string
  /** How what was lacking showed; missing when it ended before. */
  readonly by?: FoundBy
  /** Questions of a comparison, each a round trip. */
  readonly rounds: number
  /** What the peer said it can. */
  readonly can?: readonly string[]
  /** Sets that the peer holds instead of the one it was asked for. */
  readonly sets?: readonly string[]
}

/** Equal roots; cursors; sketch; descent: the closed set of labels for metrics. */
export const FOUND_BY = ['root', 'log', 'sketch', 'descent'] as const
export type FoundBy = (typeof FOUND_BY)[number]

/** What this version says in hello that it can. */
const CAN = ['compare', 'root', 'sets']

/** We hold little when the log ahead is at least this many times what we have. */
const LITTLE = 4
const noState = { root: undefined, ops: 0, seq: 0 }
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
  /** When the peer held the same and said no more. */
  #theirState: Omit<Done, 'm'> | undefined
  readonly #over = Promise.withResolvers<undefined>()
  #rootEqual: boolean | undefined
  #deep = false
  #set: ReconciledSet | undefined
  #comparer: Comparer | undefined
  #by: FoundBy | undefined
  #sets: readonly string[] | undefined
  #offered = 0
  /** How the side that opened the session goes about it: by logs, or by comparing, and then all was offered. */
  readonly #led = Promise.withResolvers<'log' | 'offered'>()
  #isCompared = false

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
      set: () => this.#about,
    })
    this.#puller = new Puller({
      link: this.#link,
      replica,
      codec,
      clock,
      reached: (seq, atOnce) => this.#reached(seq, atOnce),
      badOps: () => penalise('bad-op'),
      set: () => this.#about,
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

  get #about(): ReconciledSet {
    return this.#set as ReconciledSet
  }

  /** Exchanges hellos. False when there is nothing to exchange: the sets are equal. */
  async #greet(): Promise<boolean> {
    const { inbound, replica, set = ALL, brief = false } = this.#options
    if (!inbound) {
      this.#set = await replica.reconciled(set)
      if (this.#set === undefined) throw new TypeError(`expected the name of a set, got ${set}`)
      if (!brief || this.#wants !== undefined) await this.#hello(undefined)
      else await this.#sayRoot()
    }
    const first = await this.#next()
    if (first?.m === 'same' && !inbound && brief) return this.#same(first.seq)
    if (first?.m === 'root' && inbound && (await this.#isSame(first))) return false
    const theirs = first?.m === 'root' && inbound ? await this.#next() : first
    if (theirs?.m !== 'hello') throw this.#link.fail('misbehaved', 'no hello', 'protocol')
    this.#theirs = theirs
    this.#set ??= theirs.only ? undefined : await this.#wished(theirs.set ?? ALL)
    const refusal = this.#refusal(theirs)
    if (refusal) throw await this.#refuse(refusal)
    this.#set ??= await replica.reconciled(ALL)
    if (this.#mine === undefined) await this.#hello(theirs)
    const mine = this.#mine!
    if (mine.only || theirs.only || mine.root !== theirs.root || mine.ops !== theirs.ops) return true
    this.#by = 'root'
    await this.#equal(theirs)
    return false
  }

  /** The peer has a root of ours, told or found: what it holds is what we hold. */
  async #same(seq: number): Promise<false> {
    const epoch = this.#options.cursors.get(this.#cursorName)?.epoch
    this.#by = 'root'
    this.#rootEqual = true
    this.#theirState = { ...this.#state(), seq }
    if (epoch !== undefined) await this.#equal({ ...this.#theirState, epoch })
    return false
  }

  /** Answers a root: that it is ours too, or else with our hello, as if theirs had come. */
  async #isSame({ set = ALL, root, ops, seq }: Root): Promise<boolean> {
    this.#set = await this.#wished(set)
    const { root: mine, ops: mineOps, seq: mineSeq } = this.#set === undefined ? noState : this.#state()
    if (mine === root && mineOps === ops) {
      await this.#send({ m: 'same', seq: mineSeq })
      await this.#same(seq)
      return true
    }
    if (this.#set === undefined) throw await this.#refuse('set')
    await this.#hello(undefined)
    return false
  }

  /** What the peer wants to talk about, when we take part in it. To make a part costs as much as to read the log. */
  async #wished(name: string): Promise<ReconciledSet | undefined> {
    const { replica, mayReadAll } = this.#options
    const { sets } = replica
    if (sets[0] !== ALL && !sets.includes(name)) return undefined
    if (!replica.keeps(name) && !mayReadAll()) throw await this.#refuse('busy')
    return replica.reconciled(name)
  }

  /** Says why and ends the session. */
  async #refuse(reason: string): Promise<Error> {
    const { sets } = this.#options.replica
    await this.#send({ m: 'bye', reason, ...(reason === 'set' && { sets: sets.slice(0, syncSetsMax) }) })
    return this.#link.fail(reason === 'busy' ? 'busy' : 'refused', `we refused: ${reason}`)
  }

  #refusal(theirs: Hello): string | undefined {
    const { replica, admitPeer, inbound } = this.#options
    if (theirs.v !== SYNC_VERSION) return 'version'
    if (theirs.net !== replica.net) return 'network'
    if (theirs.sem !== SEM) return 'sem'
    // A peer that does not know sets answers for all ops.
    const isOther = this.#set === undefined ? !theirs.only : (theirs.set ?? ALL) !== this.#set.name
    if (isOther && (inbound || this.#wants === undefined)) return 'set'
    return admitPeer?.(theirs) === false ? 'busy' : undefined
  }

  async #hello(theirs: Hello | undefined): Promise<void> {
    const { replica, cursors } = this.#options
    const cursor = cursors.get(this.#cursorName)
    this.#mine = {
      m: 'hello',
      v: SYNC_VERSION,
      net: replica.net,
      sem: SEM,
      ...this.#state(),
      // Told also when their log is another by now: they see from the epoch that it says nothing.
      ...(cursor ? { cursor: { epoch: cursor.epoch, seq: cursor.seq } } : {}),
      only: this.#wants !== undefined && theirs === undefined,
      ...(this.#about.name !== ALL && { set: this.#about.name }),
      can: CAN,
    }
    await this.#send(this.#mine)
  }

  async #sayRoot(): Promise<void> {
    const { seq, ops, root } = this.#state()
    const { name } = this.#about
    await this.#send({ m: 'root', seq, ops, root, ...(name !== ALL && { set: name }) })
  }

  /** Of each set a log is read apart. */
  get #cursorName(): string {
    const name = this.#about.name
    return name === ALL ? this.#link.peer : `${this.#link.peer} ${name}`
  }

  #state(): Omit<Done, 'm'> {
    const { replica } = this.#options
    return { epoch: replica.epoch, seq: replica.counts().seq, ops: this.#about.size, root: this.#about.root() }
  }

  /** Takes what we lack, or what was asked for. */
  async #pull(): Promise<void> {
    const theirs = this.#theirs!
    if (this.#wants) return this.#puller.fetch(this.#wants, this.#options.live ? 'gossip' : 'sync')
    if (theirs.only) return
    if (!theirs.can?.includes('compare')) return this.#pullLog()
    if (!this.#options.inbound) return this.#lead(theirs)
    if ((await this.#link.until(this.#led.promise)) === 'log') await this.#pullLog()
    await this.#puller.taken()
  }

  /** As the side that opened the session: by the logs, or else by what a comparison finds. */
  async #lead(theirs: Hello): Promise<void> {
    const isForced = this.#options.deep === 'now'
    if (!isForced && this.#logsSayAll(theirs)) return this.#pullLog()
    const comparer = new Comparer(this.#link, this.#about)
    this.#comparer = comparer
    const solved = isForced ? 'stuck' : await comparer.solve(theirs.ops)
    if (solved === 'far') return this.#pullLog(true)
    this.#by = 'sketch'
    if (solved !== 'stuck' && (await this.#exchange(solved)) === 0) return
    this.#by = 'descent'
    this.#deep = true
    for await (const found of comparer.descend()) {
      const lacking = await this.#exchange(found)
      // These it has told itself, id by id.
      if (lacking > 0) throw this.#link.fail('undelivered', `${lacking} ids told and not given`, 'undelivered')
    }
  }

  /**
   * Cursors are good on both sides, and what lies behind them is little, or mostly news; or one side holds so little that
   * it reads all.
   */
  #logsSayAll(theirs: Hello): boolean {
    const mine = this.#mine!
    const cursor = this.#cursor(theirs)
    const heard = theirs.cursor
    const apart = Math.abs(theirs.ops - mine.ops)
    if (cursor !== undefined && heard?.epoch === mine.epoch && heard.seq <= mine.seq) {
      const ahead = theirs.seq - cursor.seq + (mine.seq - heard.seq)
      return ahead > 0 && (ahead <= syncFewOps || ahead <= 2 * apart)
    }
    return Math.min(theirs.ops, mine.ops) * LITTLE <= Math.max(theirs.ops, mine.ops)
  }

  /** Offers what only we have and takes what only they have; answers how many of these did not come. */
  async #exchange({ width, theirs, ours }: Found): Promise<number> {
    // What a sketch says of us is a sum like any other: only what is there is offered.
    const held = ours.filter((text) => this.#about.startingWith(text).length > 0)
    for (let at = 0; at < held.length && this.#offered < syncOfferedMax; at += syncIdsPerMessageMax) {
      const ids = held.slice(at, Math.min(at + syncIdsPerMessageMax, at + syncOfferedMax - this.#offered))
      this.#offered += ids.length
      await this.#send({ m: 'offer', w: width, ids })
    }
    return this.#puller.pick(width, theirs)
  }

  /** Takes the peer's log from our cursor on; from its start, whatever came from us, when that is `far` from enough. */
  async #pullLog(far = false): Promise<void> {
    const theirs = this.#theirs!
    this.#by = 'log'
    const cursor = far ? undefined : this.#cursor(theirs)
    const from = cursor?.seq ?? 0
    this.#deep = this.#goDeep(theirs, from)
    if (this.#deep) return this.#puller.log(0, { mode: 'ids', sure: true }, true)
    if (from === theirs.seq) return this.#reached(from, false)
    // Who begins at the start may have lost what it once gave, so nothing is left out for having come from it.
    return this.#puller.log(from, await this.#guess(theirs, cursor), cursor === undefined)
  }

  /** How far we have read this very log. One shorter than that was restored from a backup: what it says now is news. */
  #cursor(theirs: Hello): PeerCursor | undefined {
    const cursor = this.#options.cursors.get(this.#cursorName)
    return cursor?.epoch === theirs.epoch && cursor.seq <= theirs.seq ? cursor : undefined
  }

  /** Cursors have nothing left to say and roots differ: somebody has lost or refused something. */
  #goDeep(theirs: Hello, from: number): boolean {
    const { deep = 'no' } = this.#options
    const mine = this.#mine as Hello
    if (deep === 'no' || mine.root === theirs.root || theirs.can?.includes('compare')) return false
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
    const written = cursors.set(this.#cursorName, { epoch, seq, mine: replica.counts().seq })
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
    await cursors.set(this.#cursorName, { epoch: theirs.epoch, seq: theirs.seq, mine: replica.counts().seq })
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
        case 'symbols':
        case 'nodes':
          if (this.#comparer === undefined) throw this.#link.fail('misbehaved', 'an answer to nothing', 'protocol')
          this.#comparer.answer(message)
          break
        case 'sketch':
        case 'trie':
          this.#mayAsk()
          this.#isCompared = true
          if (message.m === 'sketch') this.#server.sketch(message)
          else this.#server.trie(message)
          break
        case 'pick':
          this.#mayAsk()
          this.#server.pick(message)
          break
        case 'offer':
          this.#mayAsk()
          this.#puller.offered(message)
          break
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
          this.#led.resolve('log')
          this.#server.since(message)
          break
        case 'get':
          this.#mayAsk()
          this.#server.get(message)
          break
        case 'done':
          this.#mayAsk()
          this.#theirDone = message
          this.#led.resolve(this.#isCompared ? 'offered' : 'log')
          if (this.#said) await this.#compare(message)
          break
        case 'hello':
        case 'root':
        case 'same':
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
      const { reason, sets } = read.message
      this.#sets = sets
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
    const theirs = this.#theirDone ?? this.#theirs ?? this.#theirState
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
      set: this.#set?.name ?? this.#options.set ?? ALL,
      rounds: this.#comparer?.rounds ?? 0,
      ...(this.#by && { by: this.#by }),
      ...(this.#theirs?.can && { can: this.#theirs.can }),
      ...(this.#sets && { sets: this.#sets }),
    }
  }
}
