/**
 * One route: what it answers to, whether it needs the token, what OpenAPI says of it, and the handler. Every route is
 * registered through here, so that none can miss a check, a counter or the shape of a problem.
 */
import { randomBytes } from 'node:crypto'
import type { Context, Hono } from 'hono'
import type { NodeFace } from '../node/index.ts'
import { type HostCheck, tokenCheck } from './auth.ts'
import { isProblem, type Problem, problemOfError, problemResponse } from './problem.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Answer = Response | Problem

export type Route = {
  readonly method: Method
  /** As OpenAPI writes it: `/v1/models/{id}`. */
  readonly path: string
  /** Needs the bearer token: it makes this node sign. */
  readonly token?: true
  /** The path that answers the same and is described in full. */
  readonly sameAs?: string
  /** The OpenAPI operation. */
  readonly operation: Readonly<Record<string, unknown>>
  readonly handle: (c: Context) => Answer | Promise<Answer>
}

export type Log = (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void

export type GateOptions = {
  readonly node: NodeFace
  readonly token: string
  readonly hosts: HostCheck
  readonly log?: Log
}

/** What stands before every handler. */
export class Gate {
  readonly #node: NodeFace
  readonly #token: ReturnType<typeof tokenCheck>
  readonly #hosts: HostCheck
  readonly #log: Log | undefined
  readonly #idPrefix = randomBytes(6).toString('hex')
  #requests = 0

  constructor({ node, token, hosts, log }: GateOptions) {
    this.#node = node
    this.#token = tokenCheck(token)
    this.#hosts = hosts
    this.#log = log
  }

  async answer(c: Context, route: Pick<Route, 'path' | 'token' | 'handle'>): Promise<Response> {
    const start = performance.now()
    let answer: Answer
    try {
      answer = this.#refusal(c, route.token === true) ?? (await route.handle(c))
    } catch (error) {
      answer = this.#failed(c, route.path, error)
    }
    const response = isProblem(answer) ? problemResponse(answer, this.requestId(c)) : answer
    const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
    this.#node.countRequest?.({
      method: METHODS_COUNTED.has(method) ? method : 'other',
      route: route.path,
      status: response.status,
      seconds: (performance.now() - start) / 1000,
    })
    return response
  }

  requestId(c: Context): string {
    const given = c.req.header('x-request-id')
    if (given !== undefined && /^[\w.-]{1,64}$/.test(given)) return given
    this.#requests++
    return `${this.#idPrefix}-${this.#requests.toString(36)}`
  }

  #refusal(c: Context, token: boolean): Problem | undefined {
    const method = c.req.method
    return (
      this.#hosts.host(c.req.header('host')) ??
      (method === 'GET' || method === 'HEAD' ? undefined : this.#hosts.origin(c.req.header('origin'))) ??
      (token ? this.#token(c.req.header('authorization')) : undefined)
    )
  }

  #failed(c: Context, route: string, error: unknown): Problem {
    const problem = problemOfError(error)
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const level = problem.problem === 'internal' ? 'error' : 'warn'
    this.#log?.(level, 'a request failed', { method: c.req.method, route, problem: problem.problem, error: text })
    return problem
  }
}

const METHODS_COUNTED = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export function addRoute(app: Hono, gate: Gate, route: Route): void {
  app.on(route.method, route.path.replace(/\{(\w+)\}/g, ':$1'), (c) => gate.answer(c, route))
}

/** The path's segments, percent-decoded one by one; undefined when one is not UTF-8. */
export function segmentsOf(c: Context): readonly string[] | undefined {
  try {
    return c.req.path.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}

const FIXED = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache' }

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
