/**
 * POST /mcp: the register as an MCP server over streamable HTTP, for reading. Every request stands alone: no session is
 * kept, and an answer is one JSON document. Whoever wants to publish runs `peerage mcp serve` with the node's token or
 * a key of their own.
 */
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { Context } from 'hono'
import { isHex, kindOf, toJson, type Value, valueFromJson } from '../../crdt/index.ts'
import { httpBodyBytesMax, type NodeFace } from '../../node/index.ts'
import { JSON_TYPES, readJsonBody } from '../body.ts'
import { describe, problems, requestBody } from '../openapi-parts.ts'
import { isProblem } from '../problem.ts'
import type { Answer, Route } from '../route.ts'
import { theirs } from './openapi.ts'

export type McpSearch = {
  readonly query?: string
  readonly kind?: string
  readonly filters?: Readonly<Record<string, unknown>>
  readonly facets?: readonly string[]
  readonly sort?: string
  readonly limit: number
  readonly cursor?: string
}
type Json = Readonly<Record<string, unknown>>

/** What the tools are made of. What is thrown is told to the model by its message. */
export type McpBackend = {
  /** `{items: [{record, score}], total, next_cursor?}` as POST /v1/search answers. */
  search(search: McpSearch): Promise<Json>
  get(id: string): Promise<Json>
  /** Left out where nothing may be written. */
  publish?(kind: string, slug: string | undefined, doc: Json): Promise<Json>
}

/** Makes an MCP server, not yet connected; given from outside, since the command line offers the same one. */
export type McpServerFactory = (backend: McpBackend, version: string) => Promise<Pick<Server, 'connect' | 'close'>>

/** The protocol version that the node's own card names. */
export const MCP_VERSION = '2025-11-25'

export function mcpRoutes(node: NodeFace, make: McpServerFactory): Route[] {
  return [
    {
      method: 'POST',
      path: '/mcp',
      handle: (c) => answer(node, make, c),
      operation: describe('interop')(
        'mcp',
        'The register as an MCP server (streamable HTTP, without sessions): the tools search and get',
        [],
        {
          ...theirs('A JSON-RPC response'),
          202: { description: 'A notification was taken' },
          406: {
            description: 'Accept has to name application/json and text/event-stream, says a JSON-RPC error',
            content: { 'application/json': { schema: { type: 'object' } } },
          },
          ...problems('bad-request', 'too-large', 'unsupported-type'),
        },
        requestBody({ type: 'object' }, JSON_TYPES),
      ),
    },
  ]
}

async function answer(node: NodeFace, make: McpServerFactory, c: Context): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: false })
  if (isProblem(body)) return body
  const { WebStandardStreamableHTTPServerTransport } = await import(
    '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
  )
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  const server = await make(backendOf(node), node.version)
  await server.connect(transport)
  try {
    return await transport.handleRequest(c.req.raw, { parsedBody: body.value })
  } finally {
    await server.close()
  }
}

function backendOf(node: NodeFace): McpBackend {
  return {
    async search({ kind, query, filters = {}, facets, sort, limit, cursor }) {
      const read: Record<string, Value> = Object.create(null)
      for (const [name, value] of Object.entries(filters)) {
        const one = valueFromJson(value)
        if (!one.ok) throw new Error(`filters: ${name}: not a value that a record can hold`)
        read[name] = one.value
      }
      const found = await node.catalogue.find({
        limit,
        filters: read,
        ...(kind !== undefined && { kinds: [kind] }),
        ...(query !== undefined && query !== '' && { query }),
        ...(facets !== undefined && { facets }),
        ...(sort !== undefined && { sort }),
        ...(cursor !== undefined && { cursor }),
      })
      if ('problem' in found) throw new Error(`${found.pointer ?? ''} ${found.problem}`.trim())
      return {
        items: found.items.map(({ record, score }) => ({ record: toJson(record, kindOf(record.kind)), score })),
        facets: found.facets,
        total: found.total,
        ...(found.nextCursor !== undefined && { next_cursor: found.nextCursor }),
      }
    },
    async get(id) {
      const record = isHex(id, 64) ? await node.replica.record(id) : undefined
      if (record?.live !== true) throw new Error('there is no such record')
      return toJson(record, kindOf(record.kind))
    },
  }
}
