/**
 * Single ops fetched from the peer that has them: parents that its ops need, or ops it announced by id.
 *
 * One session a peer at a time, a bounded queue behind it. An id asked of one peer is not asked of another at the same
 * time; after a moment it is, so that who never answers holds up nothing. A peer that did not deliver is left alone
 * for a while.
 */
import type { OpId } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import { fetchElsewhereMs, fetchPauseMs, fetchQueueMax, syncGetIdsMax, syncPeersMax } from './limits.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { SessionResult } from './sync-session.ts'

export type FetcherOptions = {
  readonly replica: ReplicaFace
  readonly clock: Clock
  /** Holds a session that takes just these; never rejects. */
  readonly session: (peer: string, wants: readonly OpId[], live: boolean) => Promise<SessionResult>
}

/** With each id whether it was announced. */
type Queue = { readonly ids: Map<OpId, boolean>; running?: Promise<void>; notBefore: number }

export class Fetcher {
  readonly #options: FetcherOptions
  readonly #queues = new Map<string, Queue>()
  /** Ids asked of somebody, and until when nobody else is asked; the earliest first. */
  readonly #asked = new Map<OpId, number>()
  #stopped = false

  constructor(options: FetcherOptions) {
    this.#options = options
  }

  /** Resolves when what was asked has come, or will not. Rejects only when the store does. */
  async fetch(peer: string, ids: readonly OpId[], live = false): Promise<void> {
    const now = this.#options.clock.monotonic()
    const queue = this.#queue(peer)
    if (this.#stopped || now < queue.notBefore) return
    for (const [id, until] of this.#asked) {
      if (until > now) break
      this.#asked.delete(id)
    }
    for (const id of ids) {
      if (queue.ids.size >= fetchQueueMax) break
      if (this.#asked.has(id)) continue
      queue.ids.set(id, live)
      this.#asked.set(id, now + fetchElsewhereMs)
    }
    if (queue.ids.size > 0) {
      queue.running ??= this.#run(peer, queue).finally(() => {
        delete queue.running
      })
    }
    await queue.running
  }

  /** The peer is gone: what it was to give is asked of others. */
  forget(peer: string): void {
    const queue = this.#queues.get(peer)
    if (!queue) return
    for (const id of queue.ids.keys()) this.#asked.delete(id)
    queue.ids.clear()
  }

  stop(): void {
    this.#stopped = true
    for (const { ids } of this.#queues.values()) ids.clear()
  }

  async #run(peer: string, queue: Queue): Promise<void> {
    const { replica, clock, session } = this.#options
    while (queue.ids.size > 0 && !this.#stopped) {
      const [first] = queue.ids
      const live = first?.[1] === true
      const same = [...queue.ids].filter(([, isLive]) => isLive === live)
      const some = same.slice(0, syncGetIdsMax).map(([id]) => id)
      for (const id of some) queue.ids.delete(id)
      try {
        const held = await replica.knows(some)
        const wants = some.filter((_, i) => !held[i])
        if (wants.length === 0) continue
        const { end } = await session(peer, wants, live)
        if (end === 'done') continue
        queue.notBefore = clock.monotonic() + fetchPauseMs
        this.forget(peer)
      } finally {
        for (const id of some) this.#asked.delete(id)
      }
    }
  }

  #queue(peer: string): Queue {
    let queue = this.#queues.get(peer)
    if (queue) return queue
    queue = { ids: new Map(), notBefore: 0 }
    this.#queues.set(peer, queue)
    for (const [oldest, { running }] of this.#queues) {
      if (this.#queues.size <= syncPeersMax) break
      if (running === undefined) this.#queues.delete(oldest)
    }
    return queue
  }
}
