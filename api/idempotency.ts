/**
 * Idempotency-Key: a write that is sent twice under one key is done once, and its answer is given twice. For clients
 * that lost the connection before the answer.
 *
 * A key belongs to a token, a method and a path. Only answers of success are kept: what was refused wrote nothing, and
 * may be corrected under the same key. They are kept in memory, bounded in number, bytes and time; a node that was
 * started again has forgotten them, and then says `exists` where it would have repeated itself.
 */
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import {
  httpBatchBytesMax,
  idempotencyAnswersMax,
  idempotencyBytesMax,
  idempotencyKeyCharsMax,
  idempotencyMs,
  Lru,
} from '../node/index.ts'
import { readAhead } from './body.ts'
import { isProblem, type Problem } from './problem.ts'

type Answer = Response | Problem
type Kept = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}
type Entry = { readonly request: string; readonly at: number; readonly answer: Kept }

export class IdempotentAnswers {
  readonly #now: () => number
  readonly #entries = new Lru<string, Entry>(idempotencyBytesMax)
  readonly #underWay = new Map<string, { readonly request: string; readonly answer: Promise<Kept | Problem> }>()

  /** `now` in ms, never going back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Runs `write` unless the same request has run, or is running, under this key. */
  async once(key: string, request: string, write: () => Promise<Kept | Problem>): Promise<Kept | Problem> {
    const kept = this.#entries.get(key)
    if (kept !== undefined && this.#now() - kept.at < idempotencyMs) {
      return kept.request === request ? replayed(kept.answer) : keyReused
    }
    const running = this.#underWay.get(key)
    if (running !== undefined) {
      if (running.request !== request) return keyReused
      const answer = await running.answer
      return isProblem(answer) ? answer : replayed(answer)
    }
    const answer = write()
    this.#underWay.set(key, { request, answer })
    try {
      const done = await answer
      if (!isProblem(done) && done.status < 300) this.#keep(key, { request, at: this.#now(), answer: done })
      return done
    } finally {
      this.#underWay.delete(key)
    }
  }

  #keep(key: string, entry: Entry): void {
    // What the entry itself takes is counted too, so that their number is bounded with their bytes.
    const overhead = Math.ceil(idempotencyBytesMax / idempotencyAnswersMax)
    this.#entries.set(key, entry, overhead + (entry.answer.body?.length ?? 0) * 2)
  }
}

/** Answers a request that carries a key. The body is read here, and again by the handler from memory. */
export async function answerOnce(
  answers: IdempotentAnswers,
  c: Context,
  { key, subject }: { readonly key: string; readonly subject: string },
  handle: () => Answer | Promise<Answer>,
): Promise<Answer> {
  if (key.length > idempotencyKeyCharsMax || !/^[\x21-\x7e]+$/.test(key)) {
    const detail = `an Idempotency-Key is 1 to ${idempotencyKeyCharsMax} visible characters`
    return { problem: 'bad-request', detail }
  }
  const body = await readAhead(c, httpBatchBytesMax)
  if (!(body instanceof Uint8Array)) return body
  const type = c.req.header('content-type') ?? ''
  const { search } = new URL(c.req.url)
  const request = createHash('sha256').update(`${search}\n${type}\n`).update(body).digest('hex')
  const answer = await answers.once(`${subject}\n${c.req.path}\n${key}`, request, async () => keptOf(await handle()))
  return isProblem(answer) ? answer : new Response(answer.body, { status: answer.status, headers: answer.headers })
}

async function keptOf(answer: Answer): Promise<Kept | Problem> {
  if (isProblem(answer)) return answer
  const headers = Object.fromEntries(answer.headers)
  return { status: answer.status, headers, body: answer.body === null ? null : await answer.text() }
}

function replayed(answer: Kept): Kept {
  return { ...answer, headers: { ...answer.headers, 'idempotency-replayed': 'true' } }
}

const keyReused: Problem = {
  problem: 'key-reused',
  detail: 'this Idempotency-Key was used with another request',
}
