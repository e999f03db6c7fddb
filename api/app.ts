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
import { authorityRoutes } from './authority.ts'
import { backupRoutes } from './backup.ts'
import { batchRoutes } from './batch.ts'
import { bundleRoutes } from './bundle.ts'
import { changeRoutes } from './changes.ts'
import { readBlocks } from './client-address.ts'
import { docRoutes } from './docs.ts'
import { tagged } from './etag.ts'
import { fieldRoutes } from './fields.ts'
import { healthRoutes } from './health.ts'
import { interopRoutes, type McpServerFactory } from './interop/index.ts'
import { openApi } from './openapi.ts'
import { okTyped } from './openapi-parts.ts'
import { opRoutes } from './ops.ts'
import { pageRoutes } from './pages/routes.ts'
import { policyRoutes } from './policy.ts'
import { recordRoutes } from './records.ts'
import { type Answer, addRoute, Gate, type GateOptions, type Route } from './route.ts'
import { searchRoutes } from './search.ts'
import { savedSearchRoutes } from './searches.ts'
import { webhookRoutes } from './webhooks.ts'

export type AppOptions = Omit<GateOptions, 'trustedProxies'> & {
  /** Further names this node answers to, without a port; loopback names always work. */
  readonly hosts?: readonly string[]
  /** It listens on every address of the machine, so any literal address may be asked for. */
  readonly anyAddress?: boolean
  /** Addresses or blocks of proxies whose X-Forwarded-For is believed. RangeError for what is neither. */
  readonly trustedProxies?: readonly string[]
  /** When it fires, followers of changes are let go. */
  readonly closing?: AbortSignal
  /** Makes what answers POST /mcp; without it there is no such path. */
  readonly mcp?: McpServerFactory
}

export function createApp(node: NodeFace, options: AppOptions): Hono {
  return createFace(node, options).app
}

/** The app, and the gate that all of it goes through. */
export function createFace(node: NodeFace, options: AppOptions): { readonly app: Hono; readonly gate: Gate } {
  const { hosts = [], anyAddress = false, closing = new AbortController().signal, mcp } = options
  const gate = new Gate(node, hostCheck(hosts, anyAddress), {
    ...options,
    trustedProxies: readBlocks(options.trustedProxies ?? []),
  })
  // Segments are decoded by who reads them: a slug may hold %2F.
  const app = new Hono({ getPath: rawPath })
  const shared = new Set<string>()
  for (const route of withPages(node, routesOf(node, closing, mcp), closing)) {
    const path = addRoute(app, gate, route)
    if (gate.isShared(route)) shared.add(path)
  }
  app.notFound((c) =>
    gate.answer(c, { method: 'GET', path: 'none', open: true, sameOrigin: true, ...unroutedBoth(app, shared, c) }),
  )
  return { app, gate }
}

type Routed = Omit<Route, 'operation'>

/** The routes of the interface, with a page for browsers where there is one, and the pages that stand alone. */
function withPages(node: NodeFace, routes: readonly Route[], closing: AbortSignal): readonly Routed[] {
  const pages = pageRoutes(node, closing)
  const pageAt = new Map(pages.map(({ path, page }) => [path, page]))
  const shared = routes.map((route): Routed => {
    const page = route.method === 'GET' ? pageAt.get(route.path) : undefined
    return page === undefined ? route : { ...route, page }
  })
  const known = new Set(routes.map(({ path }) => path))
  const alone = pages.filter(({ path }) => !known.has(path))
  return [
    ...shared,
    ...alone.map((route): Routed => ({ ...route, method: 'GET', handle: route.page, sameOrigin: true })),
  ]
}

/** Paths of no kind, which have no shorter form. */
const OF_ALL_KINDS = new Set(['/v1/search', '/v1/fields'])

/** Every route, in the order in which they match. */
export function routesOf(node: NodeFace, closing: AbortSignal, mcp?: McpServerFactory): readonly Route[] {
  const perKind = [
    ...fieldRoutes(node),
    ...searchRoutes(node),
    ...Object.values(kinds).flatMap((kind) => recordRoutes(node, kind)),
  ]
  const routes: Route[] = [
    ...perKind,
    ...perKind.filter(({ path }) => !OF_ALL_KINDS.has(path)).map(withoutPrefix),
    ...batchRoutes(node),
    ...opRoutes(node),
    ...bundleRoutes(node),
    ...backupRoutes(node),
    ...authorityRoutes(node),
    ...changeRoutes(node, closing),
    ...savedSearchRoutes(node, closing),
    ...webhookRoutes(node),
    ...policyRoutes(node),
    ...healthRoutes(node),
    ...interopRoutes(node, closing, mcp),
  ]
  let document: Record<string, unknown> | undefined
  let text: string | undefined
  const read = () => {
    document ??= openApi(all, node.version)
    return document
  }
  const openApiRoute: Route = {
    method: 'GET',
    path: '/openapi.json',
    open: true,
    operation: {
      operationId: 'openapi',
      summary: 'This document',
      tags: ['node'],
      responses: okTyped('OpenAPI 3.1', { 'application/json': { type: 'object' } }),
    },
    handle: (c) => {
      text ??= JSON.stringify(read())
      return tagged(c, text)
    },
  }
  const all = [...routes, openApiRoute, ...docRoutes(node, read)]
  return all
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

/** Somebody in front of a browser who mistyped an address reads a page; below /v1 it is always a program. */
function unroutedBoth(app: Hono, shared: ReadonlySet<string>, c: Context): Pick<Route, 'handle' | 'page'> {
  const handle = () => unrouted(app, shared, c)
  return /^\/v1(\/|$)/.test(c.req.path) ? { handle } : { handle, page: handle }
}

/** `shared`: the paths, as the router has them, that pages of any origin may read. */
function unrouted(app: Hono, shared: ReadonlySet<string>, c: Context): Answer {
  const matches = new Map(METHODS.map((method) => [method, app.router.match(method, c.req.path)[0]]))
  const allow: string[] = METHODS.filter((method) => (matches.get(method)?.length ?? 0) > 0)
  if (allow.length === 0) {
    return { problem: 'not-found', detail: 'there is no such path; /openapi.json lists them' }
  }
  if (allow.includes('GET')) allow.push('HEAD')
  const headers = { allow: [...allow, 'OPTIONS'].join(', ') }
  if (c.req.method !== 'OPTIONS') {
    return { problem: 'method-not-allowed', detail: `this path takes ${allow.join(', ')}`, headers }
  }
  const isShared = matches.get('GET')?.some(([[, route]]) => shared.has(route.path))
  return new Response(null, { status: 204, headers: isShared ? { ...headers, ...PREFLIGHT } : headers })
}

/** A browser asks before it lets a page of another origin send what a plain link could not. */
const PREFLIGHT = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id',
  'access-control-max-age': '86400',
}
