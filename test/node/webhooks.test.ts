/** Deliveries on a clock of the test: order, retries, dead letters, replay, and what a restart keeps. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { webhookAttemptsMax, webhookBackoffMsMax, webhookChangesMax } from '../../node/limits.ts'
import { verifyWebhook } from '../../node/webhook-sign.ts'
import type { Posted, PostRequest } from '../../node/webhook-target.ts'
import { Webhooks } from '../../node/webhooks.ts'
import { type HttpNode, startHttpNode } from '../support/http-node.ts'
import { idle, manualEnvironment } from '../support/manual-clock.ts'

type Delivery = { readonly delivery: string; readonly changes: readonly { seq: number; kind: string }[] }

const environment = manualEnvironment()
const { clock } = environment
let http: HttpNode
let posts: { readonly request: PostRequest; readonly delivery: Delivery; readonly at: number }[]
let answer: () => Posted | Promise<Posted>
let good: boolean
let hooks: Webhooks

const options = () => ({
  replica: http.replica,
  environment,
  master: 'master',
  allowed: async () => good,
  network: {
    objection: async () => undefined,
    post: async (request: PostRequest) => {
      posts.push({ request, delivery: JSON.parse(request.body), at: clock.now() })
      return answer()
    },
  },
})

beforeEach(async () => {
  http = await startHttpNode()
  posts = []
  answer = () => ({ status: 204 })
  good = true
  hooks = await Webhooks.open(options())
})
afterEach(async () => {
  await hooks[Symbol.asyncDispose]()
  await http[Symbol.asyncDispose]()
})

let names = 0
async function register(count: number, kind = 'models'): Promise<void> {
  for (let n = 0; n < count; n++) await http.call('POST', `/v1/${kind}`, { name: `hooked-${names++}` })
}

const made = (more: object = {}) => hooks.create({ url: 'https://example.org/', owner: 'ci', ...more })
const seqs = () => posts.flatMap(({ delivery }) => delivery.changes.map(({ seq }) => seq))
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

test('delivers what comes, in order, signed, from the moment it was made', async () => {
  await register(3)
  const { secret, cursor } = await made()
  expect(cursor).toBe(3)
  await idle()
  expect(posts).toEqual([])
  await register(4)
  await clock.runUntil(() => seqs().length === 4, 0)
  expect(seqs()).toEqual([4, 5, 6, 7])
  const [{ request }] = posts as [(typeof posts)[0]]
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers
  expect(
    verifyWebhook(secret, { id, timestamp, signature } as never, request.body, Math.floor(clock.now() / 1000)),
  ).toBe(true)
  await idle()
  expect(hooks.list()[0]).toMatchObject({ cursor: 7, deadLetters: 0 })
})

test('a long log comes in deliveries of a bounded size, from where it was asked for', async () => {
  const lines = range(1, 250).map((n) => JSON.stringify({ kind: n % 2 ? 'model' : 'tool', doc: { name: `l${n}` } }))
  await http.call('POST', '/v1/batch', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
  await made({ since: 0 })
  await clock.runUntil(() => seqs().length === 250, 0)
  expect(seqs()).toEqual(range(1, 250))
  expect(posts.map(({ delivery }) => delivery.changes.length)).toEqual([webhookChangesMax, webhookChangesMax, 50])
  posts.length = 0
  await made({ since: 0, kinds: ['tool'] })
  await clock.runUntil(() => seqs().length === 125, 0)
  expect(posts.every(({ delivery }) => delivery.changes.every(({ kind }) => kind === 'tool'))).toBe(true)
})

test('a delivery that fails is sent again with growing pauses, the same, and nothing overtakes it', async () => {
  await made()
  answer = () => ({ status: 500 })
  await register(1)
  await idle()
  await register(1)
  await clock.runUntil(() => posts.length === 5, 60_000)
  expect(new Set(posts.map(({ request }) => request.body)).size).toBe(1)
  expect(new Set(posts.map(({ request }) => request.headers['webhook-id'])).size).toBe(1)
  const pauses = posts.slice(1).map(({ at }, n) => at - (posts[n]?.at ?? 0))
  for (const [n, pause] of pauses.entries()) {
    expect(pause).toBeGreaterThanOrEqual(1_000 * 2 ** n)
    expect(pause).toBeLessThanOrEqual(2_000 * 2 ** n)
  }
  expect(hooks.list()[0]?.failing).toEqual({ attempts: 5, status: 500 })
  answer = () => ({ status: 200 })
  await clock.runUntil(() => hooks.list()[0]?.cursor === 2, 60_000)
  expect(seqs().slice(-2)).toEqual([1, 2])
  expect(hooks.list()[0]?.failing).toBeUndefined()
})

test('waits as long as the receiver asks, but not for ever', async () => {
  await made()
  answer = () => ({ status: 503, retryAfterMs: 30_000 })
  await register(1)
  await clock.runUntil(() => posts.length === 2, 60_000)
  expect((posts[1]?.at ?? 0) - (posts[0]?.at ?? 0)).toBe(30_000)
  answer = () => ({ status: 429, retryAfterMs: 999_999_000 })
  await clock.runUntil(() => posts.length === 4, 3 * webhookBackoffMsMax)
  expect((posts[3]?.at ?? 0) - (posts[2]?.at ?? 0)).toBe(webhookBackoffMsMax)
})

test('what is never taken becomes a dead letter, and the next goes on', async () => {
  const { id } = await made()
  answer = () => Promise.reject(Object.assign(new Error('/home/me refused'), { code: 'ECONNREFUSED' }))
  await register(1)
  await idle()
  await register(2)
  await clock.runUntil(() => hooks.list()[0]?.deadLetters === 1, 2 * 3_600_000)
  expect(seqs().filter((seq) => seq === 1).length).toBe(webhookAttemptsMax)
  answer = () => ({ status: 200 })
  await clock.runUntil(() => hooks.list()[0]?.cursor === 3, webhookBackoffMsMax)
  expect(seqs().slice(-2)).toEqual([2, 3])
  const [letter] = hooks.deadLetters(id) ?? []
  expect(letter).toMatchObject({ n: 1, from: 1, to: 1, attempts: webhookAttemptsMax, error: 'ECONNREFUSED' })
  answer = () => ({ status: 400 })
  expect(await hooks.redeliver(id, 1)).toMatchObject({ taken: false, status: 400 })
  answer = () => ({ status: 200 })
  expect(await hooks.redeliver(id, 1)).toMatchObject({ taken: true })
  expect(seqs().at(-1)).toBe(1)
  expect(hooks.deadLetters(id)).toEqual([])
  const failed = webhookAttemptsMax + 1
  expect(hooks.counters.webhook_deliveries).toMatchObject({ given_up: 1, failed: expect.any(Number) })
  expect(hooks.counters.webhook_deliveries.failed).toBeGreaterThanOrEqual(failed)
  expect(await hooks.redeliver(id, 1)).toBeUndefined()
})

test('replay sends everything again, at once also when a delivery is waiting for its next try', async () => {
  const { id } = await made()
  await register(3)
  await clock.runUntil(() => hooks.list()[0]?.cursor === 3, 0)
  posts.length = 0
  await hooks.replay(id, 1)
  await clock.runUntil(() => hooks.list()[0]?.cursor === 3, 0)
  expect(seqs()).toEqual([2, 3])
  answer = () => ({ status: 500 })
  await register(1)
  await clock.runUntil(() => hooks.list()[0]?.failing?.attempts === 4, 60_000)
  answer = () => ({ status: 200 })
  posts.length = 0
  await hooks.replay(id, 0)
  await clock.runUntil(() => hooks.list()[0]?.cursor === 4, 0)
  expect(seqs()).toEqual([1, 2, 3, 4])
})

test('a new URL is tried at once; one that was switched off or whose token is gone waits, and loses nothing', async () => {
  const { id } = await made()
  answer = () => ({ status: 500 })
  await register(1)
  await clock.runUntil(() => hooks.list()[0]?.failing?.attempts === 3, 60_000)
  answer = () => ({ status: 200 })
  await hooks.change(id, { url: 'https://other.example/' })
  await clock.runUntil(() => hooks.list()[0]?.cursor === 1, 0)
  expect(posts.at(-1)?.request.url).toBe('https://other.example/')
  await hooks.change(id, { active: false })
  await register(1)
  await idle()
  expect(hooks.list()[0]?.cursor).toBe(1)
  await hooks.change(id, { active: true })
  await clock.runUntil(() => hooks.list()[0]?.cursor === 2, 0)
  good = false
  await register(1)
  await idle()
  expect(hooks.list()[0]?.cursor).toBe(2)
  good = true
  await clock.runUntil(() => hooks.list()[0]?.cursor === 3, 120_000)
})

test('a restart goes on where it was, with its dead letters and secrets', async () => {
  const { id, secret } = await made({ description: 'kept' })
  await register(2)
  await clock.runUntil(() => hooks.list()[0]?.cursor === 2, 0)
  answer = () => ({ status: 500 })
  await register(1)
  await clock.runUntil(() => hooks.list()[0]?.deadLetters === 1, 2 * 3_600_000)
  await register(1)
  await clock.runUntil(() => hooks.list()[0]?.failing !== undefined, 0)
  await hooks[Symbol.asyncDispose]()
  posts.length = 0
  answer = () => ({ status: 200 })
  hooks = await Webhooks.open(options())
  await clock.runUntil(() => hooks.list()[0]?.cursor === 4, 0)
  expect(seqs()).toEqual([4])
  expect(hooks.get(id)).toMatchObject({ description: 'kept', deadLetters: 1 })
  const { request } = posts[0] as (typeof posts)[0]
  const { 'webhook-id': name, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers
  const now = Math.floor(clock.now() / 1000)
  expect(verifyWebhook(secret, { id: name, timestamp, signature } as never, request.body, now)).toBe(true)
  expect(await hooks.remove(id)).toBe(true)
  await hooks[Symbol.asyncDispose]()
  hooks = await Webhooks.open(options())
  expect(hooks.list()).toEqual([])
})

test('closing does not wait for a receiver that never answers', async () => {
  await made()
  answer = () =>
    new Promise((_, fail) => posts.at(-1)?.request.signal.addEventListener('abort', () => fail(new Error('aborted'))))
  await register(1)
  await clock.runUntil(() => posts.length === 1, 0)
  await hooks[Symbol.asyncDispose]()
  answer = () => ({ status: 200 })
  hooks = await Webhooks.open(options())
  await clock.runUntil(() => hooks.list()[0]?.cursor === 1, 0)
  expect(seqs()).toEqual([1, 1])
})
