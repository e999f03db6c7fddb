/**
 * One route: what it answers to, who may ask, what OpenAPI says of it, and the handler. Every route is registered
 * through here, so that none can miss a check, a counter, a limit or the shape of a problem.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Context, Hono } from 'hono'
import { httpSubnetPerMinute, httpTokenPerMinute, type NodeFace } from '../node/index.ts'
import { type Access, type HostCheck, scopeProblem, type TokenLookup, tokenCheck, unauthorised } from './auth.ts'
import { clientAddress, isTrusted, type readBlocks, subnetOf } from './client-address.ts'
import { answerOnce, IdempotentAnswers } from './idempotency.ts'
import { Limiter, type Quota } from './limiter.ts'
import { prefersHtml } from './pages/negotiate.ts'
import { problemPage } from './pages/problem-page.ts'
import { isProblem, type Problem, problemOfError, problemResponse } from './problem.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Answer = Response | Problem

export type Route = {
  readonly method: Method
  /** As OpenAPI writes it: `/v1/models/{id}`. */
  readonly path: string
  /** Needs a token that may write: it makes this node sign, or changes what the node does. */
  readonly token?: true
  /** Answers everybody also where the operator has closed the reads: it holds nothing of the catalogue. */
  readonly open?: true
  /** Tells of this node rather than of the catalogue: pages of other origins do not read it. */
  readonly sameOrigin?: true
  /** Singular name of the one kind that it reads or writes; left out, it may be any. */
  readonly kind?: string
  /** It looks itself at which kinds a token is for. */
  readonly looksAtKinds?: true
  /** A parameter of the path that may hold slashes as they are. */
  readonly manySegments?: string
  /** The path that answers the same and is described in full. */
  readonly sameAs?: string
  /** The OpenAPI operation. */
  readonly operation: Readonly<Record<string, unknown>>
  readonly handle: (c: Context, visit: Visit) => Answer | Promise<Answer>
  /** What a browser gets there instead; problems are pages then too. */
  readonly page?: (c: Context, visit: Visit) => Answer | Promise<Answer>
}

/** What is known of one request besides itself. */
export type Visit = {
  readonly requestId: string
  /** Of the token that was shown, when it is good. */
  readonly access: Access | undefined
  /** The subnet it comes from; undefined for this machine and its private networks. */
  readonly subnet: string | undefined
  /** `scheme://host` by which the client reaches this node; the host has passed the gate. */
  origin(): string
  /**
   * Counts further items of a request that turns out to be many; the first was counted at the door. A problem when the
   * quota is used up, unless they are `done` already.
   */
  charge(items: number, done?: boolean): Problem | undefined
}

export type Log = (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void

export type GateOptions = {
  readonly token: string
  /** Further tokens. */
  readonly tokens?: TokenLookup
  /** Reads need no token; otherwise one that may read. */
  readonly publicReads?: boolean
  /** Requests a minute from one subnet without a token, and with one token; 0 for no bound. */
  readonly subnetPerMinute?: number
  readonly tokenPerMinute?: number
  /** Bound this machine and its private networks too. */
  readonly limitLocal?: boolean
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies?: ReturnType<typeof readBlocks>
  readonly log?: Log
}

type Wiring = { readonly incoming?: IncomingMessage; readonly outgoing?: ServerResponse } | undefined

/** What stands before every handler. */
export class Gate {
  readonly #node: NodeFace
  readonly #hosts: HostCheck
  readonly #options: GateOptions
  readonly #token: ReturnType<typeof tokenCheck>
  readonly #publicReads: boolean
  readonly #limiter = new Limiter()
  readonly #subnetQuota: Quota
  readonly #tokenQuota: Quota
  readonly #once = new IdempotentAnswers()
  readonly #idPrefix = randomBytes(6).toString('hex')
  #requests = 0
  /** Most clients call this node by one name, which is looked at once. */
  #goodHost: string | undefined

  constructor(node: NodeFace, hosts: HostCheck, options: GateOptions) {
    this.#node = node
    this.#hosts = hosts
    this.#options = options
    this.#token = tokenCheck(options.token, options.tokens)
    this.#publicReads = options.publicReads ?? true
    this.#subnetQuota = { name: 'subnet', perMinute: options.subnetPerMinute ?? httpSubnetPerMinute }
    this.#tokenQuota = { name: 'token', perMinute: options.tokenPerMinute ?? httpTokenPerMinute }
  }

  /** Whether a page of any origin may read what the route answers. */
  isShared(route: Pick<Route, 'method' | 'token' | 'sameOrigin'>): boolean {
    return this.#publicReads && route.method === 'GET' && !route.token && !route.sameOrigin
  }

  /**
   * The header fields of the answer to a plain read of the catalogue, name after name and value, when it may be
   * answered without a closer look: by anybody, under a name of this node, within the quota, and where there is a
   * page too, not as that.
   */
  passes({ headers, rawHeaders, socket }: IncomingMessage, hasPage: boolean): string[] | undefined {
    const isPlain =
      this.#publicReads &&
      headers.authorization === undefined &&
      headers['content-length'] === undefined &&
      headers['transfer-encoding'] === undefined &&
      !(hasPage && prefersHtml(headers.accept)) &&
      countOf(rawHeaders, 'host') === 1 &&
      (headers.host === this.#goodHost || this.#hosts.host(headers.host) === undefined)
    if (!isPlain) return undefined
    this.#goodHost = headers.host
    const subnet = this.#subnetOf(socket, headers['x-forwarded-for'] as string | undefined)
    const limit = this.#limitOf(undefined, subnet)
    if (limit !== undefined && this.#limiter.take(limit.key, limit.quota) !== undefined) return undefined
    const fields = ['x-request-id', this.#requestId(headers['x-request-id'] as string | undefined), ...SHARED]
    if (hasPage) fields.push(...BOTH)
    if (limit !== undefined) fields.push(...Object.entries(this.#limiter.headers(limit.key, limit.quota)).flat())
    return fields
  }

  async answer(c: Context, route: Omit<Route, 'operation'>): Promise<Response> {
    const start = performance.now()
    const requestId = this.#requestId(c.req.header('x-request-id'))
    const page = route.page !== undefined && prefersHtml(c.req.header('accept')) ? route.page : undefined
    let answer: Answer
    let limit: Limit | undefined
    try {
      const authorization = c.req.header('authorization')
      const access = authorization === undefined ? undefined : await this.#token(authorization)
      const subnet = this.#subnetOf((c.env as Wiring)?.incoming?.socket, c.req.header('x-forwarded-for'))
      limit = this.#limitOf(access, subnet)
      const visit: Visit = {
        requestId,
        access,
        subnet,
        origin: () => this.#originOf(c),
        charge: (items, done) => this.#charge(limit, items, done),
      }
      answer =
        this.#refusal(c, route, authorization, visit) ?? (await (page ? page(c, visit) : this.#handle(c, route, visit)))
    } catch (error) {
      answer = this.#failed(c, route.path, requestId, error)
    }
    const asProblem = page === undefined ? problemResponse : problemPage
    const response = isProblem(answer) ? await asProblem(answer, requestId, this.#node) : answer
    if (!this.#publicReads && !route.open) keepPrivate(response, route.page !== undefined)
    const more = limit === undefined ? undefined : this.#limiter.headers(limit.key, limit.quota)
    addHeaders(c, response, requestId, { isShared: this.isShared(route), isBoth: route.page !== undefined, more })
    const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
    this.#node.countRequest?.({
      method: METHODS_COUNTED.has(method) ? method : 'other',
      route: route.path,
      status: response.status,
      seconds: (performance.now() - start) / 1000,
    })
    return response
  }

  #handle(c: Context, route: Omit<Route, 'operation'>, visit: Visit): Answer | Promise<Answer> {
    const key = route.token && c.req.method === 'POST' ? c.req.header('idempotency-key') : undefined
    if (key === undefined) return route.handle(c, visit)
    return answerOnce(this.#once, c, { key, subject: visit.access?.name ?? '' }, () => route.handle(c, visit))
  }

  #requestId(given: string | undefined): string {
    if (given !== undefined && /^[\w.-]{1,64}$/.test(given)) return given
    this.#requests++
    return `${this.#idPrefix}-${this.#requests.toString(36)}`
  }

  #subnetOf(socket: Socket | undefined, forwarded: string | undefined): string | undefined {
    const { trustedProxies = [], limitLocal } = this.#options
    if (socket === undefined) return undefined
    if (trustedProxies.length > 0) {
      return subnetOf(clientAddress(socket.remoteAddress, forwarded, trustedProxies), limitLocal)
    }
    const known = subnets.get(socket)
    if (known !== undefined) return known.subnet
    const subnet = subnetOf(clientAddress(socket.remoteAddress, undefined, []), limitLocal)
    subnets.set(socket, { subnet })
    return subnet
  }

  /** Behind a proxy that is trusted, the scheme is the one that it was asked by. */
  #originOf(c: Context): string {
    const { protocol, host } = new URL(c.req.url)
    const address = (c.env as Wiring)?.incoming?.socket.remoteAddress
    const secure =
      c.req.header('x-forwarded-proto') === 'https' && isTrusted(address, this.#options.trustedProxies ?? [])
    return `${secure ? 'https:' : protocol}//${host}`
  }

  /** Whoever shows a token is counted by it, wherever it comes from; this machine is not counted. */
  #limitOf(access: Access | undefined, subnet: string | undefined): Limit | undefined {
    if (subnet === undefined) return undefined
    const quota = access === undefined ? this.#subnetQuota : this.#tokenQuota
    return quota.perMinute > 0 ? { key: access === undefined ? subnet : `token ${access.name}`, quota } : undefined
  }

  #charge(limit: Limit | undefined, items: number, done?: boolean): Problem | undefined {
    const seconds = limit === undefined ? undefined : this.#limiter.take(limit.key, limit.quota, items, done)
    if (limit === undefined || seconds === undefined) return undefined
    return {
      problem: 'rate-limited',
      detail: `at most ${limit.quota.perMinute} requests or items a minute per ${limit.quota.name}`,
      headers: { 'retry-after': String(seconds) },
    }
  }

  #refusal(
    c: Context,
    route: Omit<Route, 'operation'>,
    authorization: string | undefined,
    visit: Visit,
  ): Problem | undefined {
    const { method } = c.req
    return (
      visit.charge(1) ??
      this.#hosts.host(c.req.header('host')) ??
      (method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
        ? undefined
        : this.#hosts.origin(c.req.header('origin'))) ??
      this.#unentitled(route, authorization, visit.access)
    )
  }

  #unentitled(
    route: Omit<Route, 'operation'>,
    authorization: string | undefined,
    access: Access | undefined,
  ): Problem | undefined {
    const needsToken = route.token || (!this.#publicReads && !route.open)
    if (!needsToken) return undefined
    if (access === undefined) return unauthorised(authorization)
    const kinds = route.looksAtKinds ? access.kinds : route.kind === undefined ? undefined : [route.kind]
    return scopeProblem(access, route.token ? 'write' : 'read', kinds)
  }

  #failed(c: Context, route: string, requestId: string, error: unknown): Problem {
    const problem = problemOfError(error)
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const level = problem.problem === 'internal' ? 'error' : 'warn'
    const facts = { request_id: requestId, method: c.req.method, route, problem: problem.problem, error: text }
    this.#options.log?.(level, 'a request failed', facts)
    return problem
  }
}

type Limit = { readonly key: string; readonly quota: Quota }

const METHODS_COUNTED = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** By connection, where no proxy speaks for others. */
const subnets = new WeakMap<object, { readonly subnet: string | undefined }>()

/** Pages of any origin may read, and their scripts may see these fields besides the body. */
const SHARED = [
  'access-control-allow-origin',
  '*',
  'access-control-expose-headers',
  'ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id',
] as const

/** The same address answers with a page too: what was kept for one must not be given to the other. */
const BOTH = ['vary', 'accept'] as const

function countOf(rawHeaders: readonly string[], name: string): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at] as string
    if (given.length === name.length && given.toLowerCase() === name) count++
  }
  return count
}

/** Written to the answer under way where there is one: the Response then keeps the plain headers it was made with. */
function addHeaders(
  c: Context,
  response: Response,
  requestId: string,
  {
    isShared,
    isBoth,
    more,
  }: { isShared: boolean; isBoth: boolean; more: Readonly<Record<string, string>> | undefined },
): void {
  const outgoing = (c.env as Wiring)?.outgoing
  const set =
    outgoing === undefined
      ? (name: string, value: string) => response.headers.set(name, value)
      : (name: string, value: string) => outgoing.setHeader(name, value)
  set('x-request-id', requestId)
  if (isShared) {
    set(SHARED[0], SHARED[1])
    set(SHARED[2], SHARED[3])
  }
  if (isBoth) set(...BOTH)
  if (more !== undefined) for (const name in more) set(name, more[name] as string)
}

/** What a token was needed for is for nobody else: no cache on the way keeps it. */
function keepPrivate({ headers }: Response, isBoth: boolean): void {
  if (headers.get('cache-control') !== 'no-store') headers.set('cache-control', 'private, no-cache')
  headers.append('vary', isBoth ? 'accept, authorization' : 'authorization')
}

/** Answers the path as the router has it. */
export function addRoute(app: Hono, gate: Gate, route: Omit<Route, 'operation'>): string {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name) =>
    name === route.manySegments ? `:${name}{.+}` : `:${name}`,
  )
  app.on(route.method, path, (c) => gate.answer(c, route))
  return path
}

/** The path's segments, percent-decoded one by one; undefined when one is not UTF-8. */
export function segmentsOf(c: Context): readonly string[] | undefined {
  try {
    return c.req.path.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}

export const FIXED: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
}

/** A JSON answer. Headers are one plain object, which @hono/node-server writes without looking at it again. */
export function jsonAnswer(text: string, status = 200, headers?: Readonly<Record<string, string>>): Response {
  return new Response(text, { status, headers: { 'content-type': 'application/json', ...FIXED, ...headers } })
}

export function typedAnswer(
  body: string | Uint8Array | ReadableStream,
  type: string,
  headers?: Readonly<Record<string, string>>,
): Response {
  return new Response(body as BodyInit, { headers: { 'content-type': type, ...FIXED, ...headers } })
}
