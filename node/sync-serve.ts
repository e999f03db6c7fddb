/**
 * The answering half of a sync session: streams the log and looks up ids, as far as the asker's window goes.
 *
 * One log stream and a short queue of lookups run at a time. Nothing is read from disk before the window has room, so
 * a slow or silent asker costs one packet of memory; it is dropped when it grants nothing for syncIdleTimeoutMs.
 */
import type { OpId } from '../crdt/index.ts'
import { describeNodes, FRAME_BYTES_MAX, type Sketch, writeSymbols } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import {
  syncFirstIds,
  syncFirstPacketBytes,
  syncGetsQueuedMax,
  syncIdleTimeoutMs,
  syncIdsPerMessage,
  syncPacketBytes,
  syncSincesMax,
  syncSymbolsPerMessage,
  syncTrieNodesMax,
  syncTwinsMax,
  syncWindowMax,
} from './limits.ts'
import { type PacketCodec, pack } from './packet.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type { ReplicaFace } from './replica-types.ts'
import { ALL } from './sets.ts'
import type { Link } from './sync-link.ts'
import {
  type Get,
  joinIds,
  type Pick,
  type Since,
  type SketchAsk,
  type TrieAsk,
  writeMessage,
} from './sync-messages.ts'
import { turn } from './turn.ts'

export type ServeOptions = {
  readonly link: Link
  readonly replica: ReplicaFace
  readonly codec: PacketCodec
  readonly clock: Clock
  /** Asked when the whole log is wanted; false ends the session as busy. */
  readonly mayReadAll: () => boolean
  /** The end of our log when the session began: what came since may be the asker's own. */
  readonly startSeq: () => number
  /** What the session is about; known once both have said hello. */
  readonly set: () => ReconciledSet
}

export class Server {
  readonly #options: ServeOptions
  readonly #windows = new Map<number, Window>()
  #since: Window | undefined
  #sinces = 0
  #gets = 0
  #getting: Promise<void> = Promise.resolve()
  /** Grants for requests that are already answered: they cross on the way, but not without end. */
  #strayGrants = 0
  /** Our sketch as it was when the asker first asked, so that its symbols are those of one set. */
  #sketch: Sketch | undefined
  #symbolsTold = 0
  #nodesTold = 0

  constructor(options: ServeOptions) {
    this.#options = options
  }

  /** Starts to stream the log; a stream under way stops without an `end`. */
  since(message: Since): void {
    const { link, mayReadAll } = this.#options
    if (++this.#sinces > syncSincesMax) throw link.fail('misbehaved', 'too many requests for the log', 'protocol')
    if ((message.from === 0 || message.all) && !mayReadAll()) {
      void link.send(writeMessage({ m: 'bye', reason: 'busy' })).catch(() => {})
      throw link.fail('busy', 'the whole log, too often')
    }
    this.#since?.close()
    const window = this.#open(message.q, message.window)
    this.#since = window
    const stream = message.mode === 'frames' ? this.#frames(message, window) : this.#ids(message, window)
    stream.catch((error) => link.failWith(error)).finally(() => this.#windows.delete(message.q))
  }

  get({ q, ids, window }: Get): void {
    this.#answer(q, window, (open) => this.#lookup(q, ids, open))
  }

  #answer(q: number, size: number, look: (window: Window) => Promise<void>): void {
    const window = this.#open(q, size)
    this.#inTurn(() => look(window).finally(() => this.#windows.delete(q)))
  }

  /** One answer after the other: who asks on without taking them has one in our memory, and a few questions. */
  #inTurn(answer: () => Promise<void>): void {
    const { link } = this.#options
    if (++this.#gets > syncGetsQueuedMax) throw link.fail('misbehaved', 'too many requests at a time', 'protocol')
    this.#getting = this.#getting
      .then(answer)
      .catch((error) => void link.failWith(error))
      .finally(() => this.#gets--)
  }

  /** Tells symbols, each once. */
  sketch({ q, from, to }: SketchAsk): void {
    const { link, set } = this.#options
    if (from !== this.#symbolsTold || to - from > syncSymbolsPerMessage) {
      throw link.fail('misbehaved', 'symbols out of turn', 'protocol')
    }
    this.#symbolsTold = to
    this.#inTurn(async () => {
      this.#sketch ??= (await set().sketch(turn)).copy()
      const { size } = this.#sketch
      await link.send(writeMessage({ m: 'symbols', q, ops: size, z: writeSymbols(this.#sketch, from, to, size) }))
    })
  }

  trie({ q, w, at }: TrieAsk): void {
    const { link, set } = this.#options
    this.#nodesTold += at.length
    if (this.#nodesTold > syncTrieNodesMax)
      throw link.fail('items', 'more nodes than one session may ask for', 'useless')
    this.#inTurn(() => link.send(writeMessage({ m: 'nodes', q, z: describeNodes(set().ids, at, w) })))
  }

  /** Ops by the first bytes of their ids; what we know and do not serve is said in the end. */
  pick({ q, w, ids, window }: Pick): void {
    const { replica, set } = this.#options
    this.#answer(q, window, async (open) => {
      const found = ids.map((text) => set().startingWith(text).slice(0, syncTwinsMax))
      const wanted = found.flat()
      const withholds = await replica.withholds(wanted)
      const kept = new Set(wanted.filter((_, at) => withholds[at]))
      const withheld = ids.filter((_, at) => found[at]!.length > 0 && found[at]!.every((id) => kept.has(id)))
      await this.#lookup(q, wanted, open, withheld.length === 0 ? undefined : joinIds(withheld, w))
    })
  }

  more(q: number, n: number): void {
    const { link } = this.#options
    const window = this.#windows.get(q)
    if (window ? !window.grant(n) : ++this.#strayGrants > 16 * syncWindowMax) {
      throw link.fail('misbehaved', 'granted more than a window', 'protocol')
    }
  }

  #open(q: number, size: number): Window {
    const { link, clock } = this.#options
    if (this.#windows.has(q)) throw link.fail('misbehaved', 'a request number twice', 'protocol')
    const window = new Window(size, link, clock)
    this.#windows.set(q, window)
    return window
  }

  /** Of the whole log nothing is left out; of a part, what is not in it. */
  #filter(): { of?: ReconciledSet } {
    const set = this.#options.set()
    return set.name === ALL ? {} : { of: set }
  }

  async #frames({ q, from, all }: Since, window: Window): Promise<void> {
    const { link, replica, startSeq } = this.#options
    const upTo = all ? startSeq() : replica.counts().seq
    let covered = Math.min(from, upTo)
    let frames: Uint8Array[] = []
    let ops = 0
    let bytes = 0
    let fill = syncFirstPacketBytes
    const flush = async () => {
      await this.#packet(q, covered, frames, window)
      link.opsOut += ops
      frames = []
      ops = 0
      bytes = 0
      fill = syncPacketBytes
    }
    await window.take()
    for await (const item of replica.log(from, { ...(!all && { notFrom: link.peer }), ...this.#filter() })) {
      if (window.closed || link.signal.aborted) return
      if (frames.length > 0 && bytes + 4 + item.bytes.length > FRAME_BYTES_MAX) {
        await flush()
        await window.take()
      }
      frames.push(item.bytes)
      ops += item.ids.length
      bytes += 4 + item.bytes.length
      covered = item.seq
      if (bytes >= fill) {
        await flush()
        await window.take()
      }
      if (item.seq >= upTo) break
    }
    if (window.closed) return
    if (frames.length > 0) await flush()
    await link.send(writeMessage({ m: 'end', q, seq: Math.max(covered, upTo) }))
  }

  async #ids({ q, from, all }: Since, window: Window): Promise<void> {
    const { link, replica, startSeq } = this.#options
    const upTo = all ? startSeq() : replica.counts().seq
    let covered = Math.min(from, upTo)
    let ids: OpId[] = []
    let fill = syncFirstIds
    await window.take()
    for await (const item of replica.log(from, { ...(!all && { notFrom: link.peer }), ...this.#filter() })) {
      if (window.closed || link.signal.aborted) return
      ids.push(...item.ids)
      covered = item.seq
      if (ids.length >= fill) {
        await link.send(writeMessage({ m: 'ids', q, seq: covered, ids }))
        ids = []
        fill = syncIdsPerMessage
        await window.take()
      }
      if (item.seq >= upTo) break
    }
    if (window.closed) return
    if (ids.length > 0) await link.send(writeMessage({ m: 'ids', q, seq: covered, ids }))
    await link.send(writeMessage({ m: 'end', q, seq: Math.max(covered, upTo) }))
  }

  async #lookup(q: number, ids: readonly OpId[], window: Window, not?: Uint8Array): Promise<void> {
    const { link, replica } = this.#options
    let wanted: readonly OpId[] = ids
    while (wanted.length > 0) {
      await window.take()
      const { frames, left } = await replica.frames(wanted, syncPacketBytes)
      if (frames.length > 0) await this.#packet(q, 0, frames, window)
      link.opsOut += Math.max(0, wanted.length - left.length)
      // Nothing came and nothing was ticked off: the rest is not to be had.
      if (left.length >= wanted.length) break
      wanted = left
    }
    await link.send(writeMessage({ m: 'end', q, seq: 0, ...(not && { not }) }))
  }

  /** Sends frames in as many packets as they need; the room for the first is taken. */
  async #packet(q: number, seq: number, frames: readonly Uint8Array[], window: Window): Promise<void> {
    const { link, codec } = this.#options
    let from = 0
    while (from < frames.length) {
      let to = from
      let bytes = 0
      while (to < frames.length && (to === from || bytes + 4 + frames[to]!.length <= FRAME_BYTES_MAX)) {
        bytes += 4 + frames[to]!.length
        to++
      }
      if (from > 0) await window.take()
      // Only the last packet of a group covers it; those before say where the log was.
      const z = await pack(frames.slice(from, to), codec)
      await link.send(writeMessage({ m: 'packet', q, seq: to === frames.length ? seq : 0, z }))
      from = to
    }
  }
}

/** How many more answers to one request the asker has room for. */
class Window {
  #room: number
  #wake: (() => void) | undefined
  readonly #link: Link
  readonly #clock: Clock
  #closed = false

  constructor(size: number, link: Link, clock: Clock) {
    this.#room = size
    this.#link = link
    this.#clock = clock
  }

  /** False when the asker has granted more than it may. */
  grant(n: number): boolean {
    this.#room += n
    this.#wake?.()
    return this.#room <= syncWindowMax
  }

  /** The asker has asked anew: whoever waits here goes on, sees it and stops. */
  close(): void {
    this.#closed = true
    this.#wake?.()
  }
  get closed(): boolean {
    return this.#closed
  }

  async take(): Promise<void> {
    while (this.#room === 0 && !this.#closed) {
      const cancel = this.#clock.after(syncIdleTimeoutMs, () => {
        this.#link.fail('gone', 'the peer takes nothing', 'slow')
      })
      try {
        await this.#link.until(
          new Promise<void>((resolve) => {
            this.#wake = resolve
          }),
        )
      } finally {
        cancel()
        this.#wake = undefined
      }
    }
    this.#room--
  }
}
