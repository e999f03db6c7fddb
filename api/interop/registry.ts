/**
 * The read side of the MCP Registry, v0.1 and the same under v0: what IDEs and agents ask when they look for servers.
 * A record has one version here, the one it shows; its history is at /v1.
 */
import type { Context } from 'hono'
import { isHex, type Merged, opIdToCid, ownerToDid } from '../../crdt/index.ts'
import { type NodeFace, registryLimitDefault, registryScanMax } from '../../node/index.ts'
import { badCursor, readCursor, readLimit } from '../cursor.ts'
import { tagged } from '../etag.ts'
import { describe, parameters, problems } from '../openapi-parts.ts'
import { isProblem, type Problem } from '../problem.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf } from '../route.ts'
import { textOf } from './fields.ts'
import { asked, notTheirs, theirs } from './openapi.ts'
import { serverJson, versionOf } from './server-json.ts'
import { isServer, SERVER_KIND, type ServerNames } from './server-names.ts'

export function registryRoutes(node: NodeFace, names: ServerNames): Route[] {
  const about = describe('interop')
  const list: Route = {
    method: 'GET',
    kind: SERVER_KIND.name,
    path: '/v0.1/servers',
    handle: (c) => listServers(node, names, c),
    operation: about(
      'mcp_servers',
      'Lists MCP servers as the MCP Registry does',
      [
        asked.serverLimit,
        parameters.cursor,
        asked.serverSearch,
        asked.updatedSince,
        asked.serverVersionWanted,
        asked.includeDeleted,
      ],
      { ...theirs('ServerList of the MCP Registry'), ...problems('bad-query', 'bad-cursor', 'unavailable') },
    ),
  }
  const versions: Route = {
    method: 'GET',
    kind: SERVER_KIND.name,
    path: '/v0.1/servers/{serverName}/versions',
    handle: (c) => readServer(node, names, c, false),
    operation: about('mcp_server_versions', 'Lists the versions of an MCP server, newest first', [asked.serverName], {
      ...theirs('ServerList of the MCP Registry'),
      ...notTheirs('There is no such server'),
    }),
  }
  const one: Route = {
    method: 'GET',
    kind: SERVER_KIND.name,
    path: '/v0.1/servers/{serverName}/versions/{version}',
    handle: (c) => readServer(node, names, c, true),
    operation: about('mcp_server', 'Reads an MCP server', [asked.serverName, asked.serverVersion], {
      ...theirs('ServerResponse of the MCP Registry'),
      ...notTheirs('There is no such server, or not in this version'),
    }),
  }
  const routes = [list, versions, one]
  const exportRoute: Route = {
    method: 'GET',
    kind: SERVER_KIND.name,
    path: '/mcp/{record}/server.json',
    handle: (c) => exportServer(node, names, c),
    operation: about('server_json', 'The server.json of a record, word for word where it was given', [asked.record], {
      ...theirs('server.json'),
      ...problems('not-found'),
    }),
  }
  return [
    ...routes,
    ...routes.map((route) => ({ ...route, path: route.path.replace('/v0.1/', '/v0/'), sameAs: route.path })),
    exportRoute,
  ]
}

function notFound(): Response {
  return new Response('{"error":"Server not found"}', {
    status: 404,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}

type Wanted = {
  readonly limit: number
  readonly cursor?: string
  readonly search?: string
  /** ms */
  readonly since?: number
  readonly version?: string
  readonly deleted: boolean
}

function wantedOf(query: URLSearchParams): Wanted | Problem {
  const limit = readLimit(query.get('limit'), registryLimitDefault)
  if (isProblem(limit)) return limit
  const cursor = readCursor(query.get('cursor') || undefined)
  if (isProblem(cursor)) return cursor
  const since = query.get('updated_since')
  const time = since === null ? undefined : Date.parse(since)
  if (time !== undefined && !(Number.isFinite(time) && /^\d{4}-\d\d-\d\dT/.test(since as string))) {
    return { problem: 'bad-query', detail: 'updated_since is a time as RFC 3339 writes it' }
  }
  const version = query.get('version')
  return {
    limit,
    deleted: time !== undefined || query.get('include_deleted') === 'true',
    ...(cursor !== undefined && { cursor }),
    ...(query.get('search') && { search: query.get('search') as string }),
    ...(time !== undefined && { since: time }),
    ...(version !== null && version !== '' && version !== 'latest' && { version }),
  }
}

async function listServers(node: NodeFace, names: ServerNames, c: Context): Promise<Answer> {
  const wanted = wantedOf(new URL(c.req.url).searchParams)
  if (isProblem(wanted)) return wanted
  const page = await (wanted.deleted ? walk(node, wanted) : find(node, wanted))
  if (isProblem(page)) return page
  const records = page.records.filter(({ doc }) => wanted.version === undefined || versionOf(doc) === wanted.version)
  const servers = await Promise.all(records.map((record) => responseOf(names, record)))
  const metadata = { ...(page.next !== undefined && { nextCursor: page.next }), count: servers.length }
  return jsonAnswer(`{"servers":[${servers.join()}],"metadata":${JSON.stringify(metadata)}}`)
}

type Page = { readonly records: readonly Merged[]; readonly next?: string }

/** Live servers: by relevance with a text, else the newest first. */
async function find(node: NodeFace, { limit, cursor, search }: Wanted): Promise<Page | Problem> {
  const found = await node.catalogue.find({
    kinds: [SERVER_KIND.name],
    filters: { protocol: 'mcp' },
    limit,
    ...(search !== undefined && { query: search }),
    ...(cursor !== undefined && { cursor }),
  })
  if ('problem' in found) {
    return found.pointer === '/cursor' ? badCursor : { problem: 'bad-query', detail: found.problem }
  }
  const records = found.items.map(({ record }) => record).filter(isServer)
  return { records, ...(found.nextCursor !== undefined && { next: found.nextCursor }) }
}

/**
 * Deleted servers too, which no index holds: record by record in the order of their ids, a bounded number for each
 * page. A page may therefore be short, or empty, and still have a next one.
 */
async function walk(node: NodeFace, { limit, cursor, search, since = 0 }: Wanted): Promise<Page | Problem> {
  if (cursor !== undefined && !/^[0-9a-f]{64}$/.test(cursor)) return badCursor
  const records: Merged[] = []
  let after = cursor
  for (let seen = 0; seen < registryScanMax; ) {
    const some = await node.replica.list({ kind: SERVER_KIND.name, after, limit: SCAN_STEP })
    for (const record of some) {
      after = record.record
      const fits = record.changedAt >= since && (isServer(record) || !record.live) && isCalled(record, search)
      if (fits) records.push(record)
      if (records.length === limit) return { records, next: after }
    }
    if (some.length < SCAN_STEP) return { records }
    seen += some.length
  }
  return { records, ...(after !== undefined && { next: after }) }
}

const SCAN_STEP = 200

function isCalled({ doc, slug = '' }: Merged, search: string | undefined): boolean {
  if (search === undefined) return true
  const wanted = search.toLowerCase()
  return [slug, textOf(doc['name']), textOf(doc['description'])].some((text) => text?.toLowerCase().includes(wanted))
}

async function readServer(node: NodeFace, names: ServerNames, c: Context, one: boolean): Promise<Answer> {
  const segments = segmentsOf(c)
  if (segments === undefined) return notFound()
  const [, , name = '', , version] = segments
  const id = await names.idOf(name)
  const record = id === undefined ? undefined : await node.replica.record(id)
  if (record === undefined || !isServer(record)) return notFound()
  if (one && version !== 'latest' && version !== versionOf(record.doc)) return notFound()
  const text = await responseOf(names, record)
  return tagged(c, one ? text : `{"servers":[${text}],"metadata":{"count":1}}`)
}

async function exportServer(node: NodeFace, names: ServerNames, c: Context): Promise<Answer> {
  const id = segmentsOf(c)?.[1] ?? ''
  const record = isHex(id, 64) ? await node.replica.record(id) : undefined
  if (record === undefined || !isServer(record)) {
    return { problem: 'not-found', detail: 'there is no such MCP server' }
  }
  return tagged(c, serverJson(record, await names.nameOf(record), true))
}

/** A ServerResponse: the server.json, and beside it what the register knows. */
async function responseOf(names: ServerNames, record: Merged): Promise<string> {
  const { doc, live } = record
  const changedAt = new Date(record.changedAt).toISOString()
  const official = {
    status: live ? (DEPRECATED.has(textOf(doc['status']) ?? '') ? 'deprecated' : 'active') : 'deleted',
    statusChangedAt: changedAt,
    publishedAt: new Date(record.registeredAt).toISOString(),
    updatedAt: changedAt,
    isLatest: true,
  }
  const meta = {
    'io.modelcontextprotocol.registry/official': official,
    'peerage/record': { id: record.record, owner: ownerToDid(record.owner), heads: record.heads.map(opIdToCid) },
  }
  return `{"server":${serverJson(record, await names.nameOf(record))},"_meta":${JSON.stringify(meta)}}`
}

const DEPRECATED: ReadonlySet<string> = new Set(['deprecated', 'legacy', 'archived'])
