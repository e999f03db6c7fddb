/**
 * GET /v1/changes: every op in order of arrival, as JSON Lines a page at a time, or as Server-Sent Events for as long
 * as the reader stays; it resumes with Last-Event-ID.
 *
 * A follower is asked what it can take: it gets the next page when it has read the last one, so what waits for it is
 * one page, however slow it is. One that reads nothing for a minute is cut.
 */
import type { ServerResponse } from 'node:http'
import type { Context } from 'hono'
import {
  type Change,
  changeToJson,
  followerHeartbeatMs,
  followerStallMs,
  followersMax,
  followersPerSubnetMax,
  type NodeFace,
  pageItemsMax,
  type ReplicaFace,
} from '../node/index.ts'
import { nextLink, readLimit } from './cursor.ts'
import { tagged } from './etag.ts'
import { describe, notModified, okTyped, parameters, problems, schema } from './openapi-parts.ts'
import { isProblem, type Problem } from './problem.ts'
import { type Answer, type Route, typedAnswer, type Visit } from './route.ts'

const LINES_TYPE = 'application/x-ndjson'
const EVENTS_TYPE = 'text/event-stream'
const VARIES = { vary: 'accept' }
/** Changes read at once for a follower; about 100 KB as text. */
const FOLLOWER_PAGE = 256

export function changeRoutes(node: NodeFace, closing: AbortSignal): Route[] {
  const feed = new Feed(node.replica, closing)
  return [
    {
      method: 'GET',
      path: '/v1/changes',
      handle: (c, visit) => changes(node, feed, c, visit),
      operation: describe('changes')(
        'changes',
        'Every op in order of arrival; as Server-Sent Events when asked for',
        [parameters.since, parameters.limit, parameters.lastEventId, parameters.ifNoneMatch],
        {
          ...okTyped('One Change a line, or one an event whose id is the seq', {
            [LINES_TYPE]: schema('Change'),
            [EVENTS_TYPE]: { type: 'string' },
          }),
          ...notModified,
          ...problems('bad-query', 'busy'),
        },
      ),
    },
  ]
}

async function changes(node: NodeFace, feed: Feed, c: Context, visit: Visit): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const events = c.req.header('accept')?.toLowerCase().includes(EVENTS_TYPE) === true
  const since = readSeq((events ? c.req.header('last-event-id') : undefined) ?? query.get('since'))
  if (isProblem(since)) return since
  const limit = readLimit(query.get('limit'), pageItemsMax)
  if (isProblem(limit)) return limit
  if (events) {
    if (c.req.method === 'HEAD') return typedAnswer('', EVENTS_TYPE, VARIES)
    return feed.follow(since, visit.subnet, (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing)
  }
  const page = await node.replica.changes(since, limit)
  const last = page.at(-1)?.seq
  const more = last !== undefined && page.length === limit
  return tagged(c, page.map((change) => `${textOf(change)}\n`).join(''), LINES_TYPE, {
    ...VARIES,
    ...(more && { link: nextLink(c.req.path, query, { since: String(last) }) }),
  })
}

function readSeq(text: string | null | undefined): number | Problem {
  if (text === null || text === undefined || text === '') return 0
  const seq = /^\d{1,16}$/.test(text) ? Number(text) : -1
  if (Number.isSafeInteger(seq) && seq >= 0) return seq
  return {
    problem: 'bad-query',
    detail: 'since is the seq of a change',
    errors: [{ pointer: '/since', message: 'expected a whole number' }],
  }
}

function textOf(change: Change): string {
  return JSON.stringify(changeToJson(change))
}

type Follower = {
  readonly subnet: string | undefined
  cursor: number
  open: boolean
  /** Ends its waiting. */
  wake: () => void
  stalled: NodeJS.Timeout | undefined
}

type Page = { readonly bytes: Uint8Array; readonly last: number }

/** Those who follow. Waiting costs nothing; who waits at the same place shares one read of the log. */
class Feed {
  readonly #replica: ReplicaFace
  readonly #closing: AbortSignal
  readonly #reads = new Map<number, Promise<Page | undefined>>()
  readonly #followers = new Set<Follower>()
  #stop: (() => void) | undefined

  constructor(replica: ReplicaFace, closing: AbortSignal) {
    this.#replica = replica
    this.#closing = closing
    closing.addEventListener('abort', () => this.#wake(), { once: true })
  }

  follow(since: number, subnet: string | undefined, outgoing: ServerResponse | undefined): Answer {
    if (this.#followers.size >= followersMax) {
      return { problem: 'busy', detail: `at most ${followersMax} follow at once`, headers: { 'retry-after': '10' } }
    }
    if (subnet !== undefined && this.#countOf(subnet) >= followersPerSubnetMax) {
      const detail = `at most ${followersPerSubnetMax} follow at once from one subnet`
      return { problem: 'rate-limited', detail, headers: { 'retry-after': '60' } }
    }
    const follower: Follower = { subnet, cursor: since, open: true, wake: () => {}, stalled: undefined }
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
          controller.enqueue(page?.bytes ?? HEARTBEAT)
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
  async #next(follower: Follower): Promise<Page | undefined> {
    const until = performance.now() + followerHeartbeatMs
    while (follower.open && !this.#closing.aborted && performance.now() < until) {
      // Listening begins before looking, or a change between the two would wait for the next one.
      const woken = wakeable(follower, until - performance.now())
      try {
        const page = await this.#read(follower.cursor)
        if (page !== undefined) return page
        await woken
      } finally {
        follower.wake()
      }
    }
    return undefined
  }

  #read(cursor: number): Promise<Page | undefined> {
    let read = this.#reads.get(cursor)
    if (read === undefined) {
      read = this.#replica.changes(cursor, FOLLOWER_PAGE).then(pageOf)
      this.#reads.set(cursor, read)
      const done = () => this.#reads.delete(cursor)
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

function pageOf(page: readonly Change[]): Page | undefined {
  const last = page.at(-1)
  if (last === undefined) return undefined
  return {
    bytes: encoder.encode(page.map((change) => `id: ${change.seq}\ndata: ${textOf(change)}\n\n`).join('')),
    last: last.seq,
  }
}
