/**
 * The HTTP face: all routes of one node, as a Hono app. api/server.ts listens with it; tests may call its `fetch`.
 *
 * No middleware: every route goes through the gate (api/route.ts), and Hono takes its short way when just one handler
 * matches. What no route answers gets 404, or 405 with the methods that would do.
 */
import { type Context, Hono } from 'hono'
import { kinds } from '../crdt/index.ts'
import type { NodeFace } from '../node/index.ts'
import { hostCheck } from './auth.ts'
import { batchRoutes } from './batch.ts'
import { changeRoutes } from './changes.ts'
import { healthRoutes } from './health.ts'
import { openApi } from './openapi.ts'
import { okTyped } from './openapi-parts.ts'
import { opRoutes } from './ops.ts'
import { recordRoutes } from './records.ts'
import { addRoute, Gate, jsonAnswer, type Log, type Route } from './route.ts'
import { searchRoutes } from './search.ts'

export type AppOptions = {
  /** What a writer must show. Compared in constant time, kept nowhere else. */
  readonly token: string
  /** Further names this node answers to, without a port; loopback names always work. */
  readonly hosts?: readonly string[]
  /** It listens on every address of the machine, so any literal address may be asked for. */
  readonly anyAddress?: boolean
  /** When it fires, followers of changes are let go. */
  readonly closing?: AbortSignal
  readonly log?: Log
}

export function createApp(node: NodeFace, options: AppOptions): Hono {
  const { token, hosts = [], anyAddress = false, log, closing = new AbortController().signal } = options
  const gate = new Gate({ node, token, hosts: hostCheck(hosts, anyAddress), log })
  // Segments are decoded by who reads them: a slug may hold %2F.
  const app = new Hono({ getPath: rawPath })
  for (const route of routesOf(node, closing)) addRoute(app, gate, route)
  app.notFound((c) => gate.answer(c, { path: 'none', handle: () => unrouted(app, c) }))
  return app
}

/** Every route, in the order in which they match. */
export function routesOf(node: NodeFace, closing: AbortSignal): readonly Route[] {
  const perKind = [...searchRoutes(node), ...Object.values(kinds).flatMap((kind) => recordRoutes(node, kind))]
  const routes: Route[] = [
    ...perKind,
    ...perKind.filter((route) => route.path !== '/v1/search').map(withoutPrefix),
    ...batchRoutes(node),
    ...opRoutes(node),
    ...changeRoutes(node, closing),
    ...healthRoutes(node),
  ]
  let document: string | undefined
  const openApiRoute: Route = {
    method: 'GET',
    path: '/openapi.json',
    operation: {
      operationId: 'openapi',
      summary: 'This document',
      tags: ['node'],
      responses: okTyped('OpenAPI 3.1', { 'application/json': { type: 'object' } }),
    },
    handle: () => {
      document ??= JSON.stringify(openApi([...routes, openApiRoute], node.version))
      return jsonAnswer(document)
    },
  }
  return [...routes, openApiRoute]
}

/** /models answers as /v1/models does. */
function withoutPrefix(route: Route): Route {
  return { ...route, path: route.path.slice('/v1'.length), sameAs: route.path }
}

/** The path as sent, up to the query. */
function rawPath(request: Request): string {
  const { url } = request
  const start = url.indexOf('/', url.indexOf(':') + 3)
  const end = url.slice(start).search(/[?#]/)
  return start < 0 ? '/' : end < 0 ? url.slice(start) : url.slice(start, start + end)
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function unrouted(app: Hono, c: Context) {
  const allow: string[] = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0)
  if (allow.length === 0)
    return { problem: 'not-found', detail: 'there is no such path; /openapi.json lists them' } as const
  if (allow.includes('GET')) allow.push('HEAD')
  const headers = { allow: [...allow, 'OPTIONS'].join(', ') }
  if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers })
  return { problem: 'method-not-allowed', detail: `this path takes ${allow.join(', ')}`, headers } as const
}
