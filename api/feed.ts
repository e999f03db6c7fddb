/**
 * Following the log over HTTP as Server-Sent Events, for as long as the reader stays; it resumes with Last-Event-ID.
 *
 * A follower is asked what it can take: it gets the next page when it has read the last one, so what waits for it is
 * one page, however slow it is. One that reads nothing for a minute is cut.
 */
import type { ServerResponse } from 'node:http'
import type { Context } from 'hono'
import { followerHeartbeatMs, followerStallMs, followersPerSubnetMax, type ReplicaFace } from '../node/index.ts'
import type { Problem } from './problem.ts'
import { type Answer, typedAnswer, type Visit } from './route.ts'

export const LINES_TYPE = 'application/x-ndjson'
export const EVENTS_TYPE = 'text/event-stream'
/** The same path answers lines and events. */
export const VARIES = { vary: 'accept' }

/** What is followed: a page of events after an arrival number, undefined when there is nothing after it yet. */
export type FeedSource = {
  /** Sources of one name read the same. */
  readonly name: string
  read(since: number): Promise<FeedPage | undefined>
}
export type FeedPage = { readonly text: string; readonly last: number }

export function eventText(id: number, data: string): string {
  return `id: ${id}\ndata: ${data}\n\n`
}

/** Moves the reader's Last-Event-ID on without an event. */
export function placeText(id: number): string {
  return `id: ${id}\n\n`
}

export function wantsEvents(c: Context): boolean {
  return c.req.header('accept')?.toLowerCase().includes(EVENTS_TYPE) === true
}

/** Where to go on: Last-Event-ID of who reads events, else `since`, else `standard`. */
export function readSince(c: Context, query: URLSearchParams, standard = 0): number | Problem {
  return readSeq((wantsEvents(c) ? c.req.header('last-event-id') : undefined) ?? query.get('since'), standard)
}

function readSeq(text: string | null | undefined, standard: number): number | Problem {
  if (text === null || text === undefined || text === '') return standard
  const seq = /^\d{1,16}$/.test(text) ? Number(text) : -1
  if (Number.isSafeInteger(seq) && seq >= 0) return seq
  return {
    problem: 'bad-query',
    detail: 'since is the seq of a change',
    errors: [{ pointer: '/since', message: 'expected a whole number' }],
  }
}

type Follower = {
  readonly source: FeedSource
  readonly subnet: string | undefined
  cursor: number
  open: boolean
  /** Ends its waiting. */
  wake: () => void
  stalled: NodeJS.Timeout | undefined
}

/** Those who follow. Waiting costs nothing; who waits at the same place of the same source shares one read. */
export class Feed {
  readonly #replica: ReplicaFace
  readonly #closing: AbortSignal
  readonly #followersMax: number
  readonly #reads = new Map<string, Promise<FeedPage | undefined>>()
  readonly #followers = new Set<Follower>()
  #stop: (() => void) | undefined

  constructor(replica: ReplicaFace, closing: AbortSignal, followersMax: number) {
    this.#replica = replica
    this.#followersMax = followersMax
    this.#closing = closing
    closing.addEventListener('abort', () => this.#wake(), { once: true })
  }

  answer(c: Context, { subnet }: Visit, source: FeedSource, since: number): Answer {
    if (c.req.method === 'HEAD') return typedAnswer('', EVENTS_TYPE, VARIES)
    const outgoing = (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing
    if (this.#followers.size >= this.#followersMax) {
      return {
        problem: 'busy',
        detail: `at most ${this.#followersMax} follow at once`,
        headers: { 'retry-after': '10' },
      }
    }
    if (subnet !== undefined && this.#countOf(subnet) >= followersPerSubnetMax) {
      const detail = `at most ${followersPerSubnetMax} follow at once from one subnet`
      return { problem: 'rate-limited', detail, headers: { 'retry-after': '60' } }
    }
    const follower: Follower = { source, subnet, cursor: since, open: true, wake: () => {}, stalled: undefined }
    this.#followers.add(follower)
    this.#stop ??= this.#replica.onAppended(() => this.#wake())
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(encoder.encode('retry: 1000\n\n')),
      pull: async (controller) => {
        clearTimeout(follower.stalled)
        try {
          const page = await this.#next(follower)
          if (!follower.open) return
          if (this.#closing.aborted) {
            this.#leave(follower)
            return controller.close()
          }
          follower.cursor = page?.last ?? follower.cursor
          controller.enqueue(page === undefined ? HEARTBEAT : encoder.encode(page.text))
          follower.stalled = setTimeout(() => this.#cut(follower, outgoing), followerStallMs).unref()
        } catch {
          // The log could not be read. The follower comes back with Last-Event-ID, and is then told why it cannot.
          this.#cut(follower, outgoing)
        }
      },
      cancel: () => this.#leave(follower),
    })
    return typedAnswer(stream, EVENTS_TYPE, { ...VARIES, 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  }

  #countOf(subnet: string): number {
    let count = 0
    for (const follower of this.#followers) if (follower.subnet === subnet) count++
    return count
  }

  #cut(follower: Follower, outgoing: ServerResponse | undefined): void {
    this.#leave(follower)
    outgoing?.destroy()
  }

  #leave(follower: Follower): void {
    follower.open = false
    clearTimeout(follower.stalled)
    follower.wake()
    this.#followers.delete(follower)
    if (this.#followers.size > 0) return
    this.#stop?.()
    this.#stop = undefined
  }

  #wake(): void {
    for (const follower of [...this.#followers]) follower.wake()
  }

  /** The next page, or undefined when it is time for a sign of life. */
  async #next(follower: Follower): Promise<FeedPage | undefined> {
    const until = performance.now() + followerHeartbeatMs
    while (follower.open && !this.#closing.aborted && performance.now() < until) {
      // Listening begins before looking, or a change between the two would wait for the next one.
      const woken = wakeable(follower, until - performance.now())
      try {
        const page = await this.#read(follower)
        if (page !== undefined) return page
        await woken
      } finally {
        follower.wake()
      }
    }
    return undefined
  }

  #read({ source, cursor }: Follower): Promise<FeedPage | undefined> {
    const key = `${cursor} ${source.name}`
    let read = this.#reads.get(key)
    if (read === undefined) {
      read = source.read(cursor)
      this.#reads.set(key, read)
      const done = () => this.#reads.delete(key)
      read.then(done, done)
    }
    return read
  }
}

/** Resolves when `follower.wake` is called, or after `ms`. */
function wakeable(follower: Follower, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, ms)).unref()
    follower.wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}

const encoder = new TextEncoder()
const HEARTBEAT = encoder.encode(': still here\n\n')
