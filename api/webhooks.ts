/**
 * Webhooks over HTTP: make, read, change, remove, replay, and what could not be delivered. A token sees those that were
 * made with it, the main token all; somebody else's is not found. The secret is shown once, when a webhook is made.
 */
import type { Context } from 'hono'
import { kindOf, kinds } from '../crdt/index.ts'
import {
  type DeadLetter,
  httpBodyBytesMax,
  MAIN_TOKEN,
  type NodeFace,
  type WebhookFacts,
  type WebhooksFace,
} from '../node/index.ts'
import { type Access, scopeProblem } from './auth.ts'
import { JSON_TYPES, readJsonBody } from './body.ts'
import { badCursor, nextLink, readCursor, readLimit } from './cursor.ts'
import { created, describe, noContent, ok, parameters, problems, requestBody, schema } from './openapi-parts.ts'
import { isProblem, type Problem } from './problem.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf, type Visit } from './route.ts'

export function webhookRoutes(node: NodeFace): Route[] {
  const about = describe('webhooks')
  const hook = schema('Webhook')
  const at = '/v1/webhooks/{webhook}'
  const id = [parameters.webhook]
  const route = (method: Route['method'], path: string, handle: Handler, operation: Route['operation']): Route => ({
    method,
    path,
    token: true,
    looksAtKinds: true,
    handle: (c, visit) => (node.webhooks === undefined ? none : handle(node.webhooks, c, visit)),
    operation,
  })
  return [
    route('POST', '/v1/webhooks', (hooks, c, visit) => create(node, hooks, c, visit), {
      ...about(
        'create_webhook',
        'Tells a URL of changes from now on, or from a seq on. The answer holds the secret that deliveries are signed with, once',
        [],
        { ...created(schema('NewWebhook')), ...problems('invalid', 'bad-request', 'unsupported-type', 'busy') },
        requestBody(schema('WebhookWish'), JSON_TYPES),
      ),
      // What is sent there, for those who generate receivers.
      callbacks: { changes: { '{$request.body#/url}': { post: deliveryOperation } } },
    }),
    route(
      'GET',
      '/v1/webhooks',
      (hooks, _c, { access }) => listAll(hooks, access),
      about('list_webhooks', 'Lists the webhooks of this token; with the main token, all', [], {
        ...ok('All of them', schema('WebhookList')),
      }),
    ),
    route(
      'GET',
      at,
      (hooks, c, visit) => withHook(hooks, c, visit, (facts) => answer(facts)),
      about('get_webhook', 'Reads a webhook: how far it is, and what its receiver last said', id, {
        ...ok('As it is', hook),
        ...problems('not-found'),
      }),
    ),
    route(
      'PATCH',
      at,
      (hooks, c, visit) => withHook(hooks, c, visit, (facts) => change(hooks, facts, c, visit)),
      about(
        'change_webhook',
        'Changes where it leads, for which kinds, or whether it is active',
        id,
        { ...ok('As it is now', hook), ...problems('not-found', 'invalid', 'bad-request', 'unsupported-type') },
        requestBody(schema('WebhookChange'), JSON_TYPES),
      ),
    ),
    route(
      'DELETE',
      at,
      (hooks, c, visit) => withHook(hooks, c, visit, (facts) => remove(hooks, facts)),
      about('delete_webhook', 'Removes a webhook and its dead letters', id, {
        ...noContent,
        ...problems('not-found'),
      }),
    ),
    route(
      'POST',
      `${at}/replay`,
      (hooks, c, visit) => withHook(hooks, c, visit, (facts) => replay(node, hooks, facts, c)),
      about('replay_webhook', 'Delivers everything again that arrived after a seq', [...id, parameters.since], {
        ...ok('As it is now', hook),
        ...problems('not-found', 'bad-query'),
      }),
    ),
    route(
      'GET',
      `${at}/dead-letters`,
      (hooks, c, visit) => withHook(hooks, c, visit, (facts) => deadLetters(hooks, facts, c)),
      about(
        'list_dead_letters',
        'Lists the deliveries that were given up, the oldest first',
        [...id, parameters.limit, parameters.cursor],
        { ...ok('A page of them', schema('DeadLetters')), ...problems('not-found', 'bad-query', 'bad-cursor') },
      ),
    ),
    route(
      'POST',
      `${at}/dead-letters/{letter}/redeliver`,
      (hooks, c, visit) => withHook(hooks, c, visit, (facts) => redeliver(hooks, facts, c)),
      about(
        'redeliver_dead_letter',
        'Tries one of them once more, at once and beside the order; what is taken is no dead letter any more',
        [...id, parameters.letter],
        { ...ok('What the receiver said', schema('Redelivered')), ...problems('not-found') },
      ),
    ),
  ]
}

type Handler = (hooks: WebhooksFace, c: Context, visit: Visit) => Answer | Promise<Answer>

const none: Problem = { problem: 'not-found', detail: 'this node delivers nothing' }
const notFound: Problem = { problem: 'not-found', detail: 'there is no such webhook' }

const deliveryOperation = {
  summary: 'Changes, in order; at least once',
  security: [],
  requestBody: { required: true, content: { 'application/json': { schema: schema('Delivery') } } },
  responses: {
    '2XX': { description: 'Taken' },
    '4XX': { description: 'Not taken: it is sent again, as after any other answer' },
    default: { description: 'Not taken: it is sent again, with growing pauses, and then put among the dead letters' },
  },
}

function withHook(
  hooks: WebhooksFace,
  c: Context,
  { access }: Visit,
  handle: (facts: WebhookFacts) => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  const facts = hooks.get(segmentsOf(c)?.[2] ?? '')
  return facts !== undefined && isOwn(facts, access) ? handle(facts) : notFound
}

function isOwn(facts: WebhookFacts, access: Access | undefined): boolean {
  return access?.name === MAIN_TOKEN || access?.name === facts.owner
}

async function create(node: NodeFace, hooks: WebhooksFace, c: Context, { access }: Visit): Promise<Answer> {
  const wish = await readWish(hooks, c, access, ['url', 'kinds', 'description', 'since'])
  if (isProblem(wish)) return wish
  if (wish.url === undefined) return invalid('/url', 'expected where changes are sent to')
  const { since } = wish
  if (since !== undefined && since > node.replica.counts().seq) return invalid('/since', 'nothing arrived there yet')
  const { secret, ...facts } = await hooks.create({
    url: wish.url,
    owner: access?.name ?? MAIN_TOKEN,
    ...((wish.kinds ?? access?.kinds) && { kinds: wish.kinds ?? access?.kinds }),
    ...(wish.description !== undefined && { description: wish.description }),
    ...(since !== undefined && { since }),
  })
  const text = JSON.stringify({ ...toJson(facts), secret })
  return jsonAnswer(text, 201, { ...PRIVATE, location: `/v1/webhooks/${facts.id}` })
}

function listAll(hooks: WebhooksFace, access: Access | undefined): Answer {
  const items = hooks.list(access?.name === MAIN_TOKEN ? undefined : access?.name).map(toJson)
  return jsonAnswer(JSON.stringify({ items }), 200, PRIVATE)
}

async function change(hooks: WebhooksFace, { id }: WebhookFacts, c: Context, { access }: Visit): Promise<Answer> {
  const wish = await readWish(hooks, c, access, ['url', 'kinds', 'description', 'active'])
  if (isProblem(wish)) return wish
  const { since: _, ...changes } = wish
  const facts = await hooks.change(id, changes)
  return facts === undefined ? notFound : answer(facts)
}

async function remove(hooks: WebhooksFace, { id }: WebhookFacts): Promise<Answer> {
  return (await hooks.remove(id)) ? new Response(null, { status: 204, headers: PRIVATE }) : notFound
}

async function replay(node: NodeFace, hooks: WebhooksFace, { id }: WebhookFacts, c: Context): Promise<Answer> {
  const text = new URL(c.req.url).searchParams.get('since') ?? ''
  const since = /^\d{1,15}$/.test(text) ? Number(text) : -1
  if (since < 0 || since > node.replica.counts().seq) {
    const message = 'expected the seq of a change that arrived'
    return { problem: 'bad-query', detail: `since: ${message}`, errors: [{ pointer: '/since', message }] }
  }
  const facts = await hooks.replay(id, since)
  return facts === undefined ? notFound : answer(facts)
}

function deadLetters(hooks: WebhooksFace, { id }: WebhookFacts, c: Context): Answer {
  const query = new URL(c.req.url).searchParams
  const limit = readLimit(query.get('limit'))
  const cursor = readCursor(query.get('cursor'))
  if (isProblem(limit)) return limit
  if (isProblem(cursor)) return cursor
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) return badCursor
  const left = (hooks.deadLetters(id) ?? []).filter(({ n }) => n > Number(cursor ?? 0))
  const items = left.slice(0, limit)
  const next = left.length > limit ? String(items.at(-1)?.n) : undefined
  const text = JSON.stringify({ items: items.map(letterToJson), ...(next !== undefined && { next_cursor: next }) })
  return jsonAnswer(text, 200, { ...PRIVATE, ...(next && { link: nextLink(c.req.path, query, { cursor: next }) }) })
}

async function redeliver(hooks: WebhooksFace, { id }: WebhookFacts, c: Context): Promise<Answer> {
  const text = segmentsOf(c)?.[4] ?? ''
  const done = /^\d{1,15}$/.test(text) ? await hooks.redeliver(id, Number(text)) : undefined
  if (done === undefined) return { problem: 'not-found', detail: 'there is no such dead letter' }
  const { taken, status, error } = done
  return jsonAnswer(JSON.stringify({ taken, ...(status && { status }), ...(error && { error }) }), 200, PRIVATE)
}

type Wish = { url?: string; kinds?: readonly string[]; description?: string; active?: boolean; since?: number }

/** What a body asks for: these members and no other, each of its type, the URL one that may be called. */
async function readWish(
  hooks: WebhooksFace,
  c: Context,
  access: Access | undefined,
  members: readonly string[],
): Promise<Wish | Problem> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: true })
  if (isProblem(body)) return body
  const { value } = body
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid('', 'expected a JSON object')
  const wish = value as Record<string, unknown>
  const unknown = Object.keys(wish).find((key) => !members.includes(key))
  if (unknown !== undefined) return invalid(`/${unknown.slice(0, 100)}`, 'there is no such member')
  const { url, kinds: asked, description, active, since } = wish
  if (url !== undefined && typeof url !== 'string') return invalid('/url', 'expected a text')
  if (active !== undefined && typeof active !== 'boolean') return invalid('/active', 'expected true or false')
  if (since !== undefined && !(Number.isSafeInteger(since) && (since as number) >= 0)) {
    return invalid('/since', 'expected the seq of a change')
  }
  if (description !== undefined && !(typeof description === 'string' && description.length <= DESCRIPTION_CHARS_MAX)) {
    return invalid('/description', `expected a text of at most ${DESCRIPTION_CHARS_MAX} characters`)
  }
  if (asked !== undefined) {
    if (!Array.isArray(asked) || !asked.every((name) => typeof name === 'string' && kindOf(name) !== undefined)) {
      return invalid('/kinds', `expected a list of ${Object.keys(kinds).join(', ')}`)
    }
    const beyond = access && scopeProblem(access, 'write', asked as string[])
    if (beyond !== undefined) return beyond
  }
  const objection = url === undefined ? undefined : await hooks.objection(url)
  return objection === undefined ? (wish as Wish) : invalid('/url', objection)
}

const DESCRIPTION_CHARS_MAX = 500

/** These answers name what only the holder of a token may know. */
const PRIVATE = { 'cache-control': 'no-store' }

function answer(facts: WebhookFacts): Answer {
  return jsonAnswer(JSON.stringify(toJson(facts)), 200, PRIVATE)
}

function toJson({ deadLetters: dead, dropped, ...facts }: WebhookFacts) {
  return { ...facts, dead_letters: dead, dead_letters_dropped: dropped }
}

function letterToJson({ n, ...letter }: DeadLetter) {
  return { letter: n, ...letter }
}

function invalid(pointer: string, message: string): Problem {
  const detail = pointer === '' ? message : `${pointer}: ${message}`
  return { problem: 'invalid', detail, errors: [{ pointer, message }] }
}
