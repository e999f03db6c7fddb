/**
 * The OpenAPI 3.1 document, built from the kinds' tables and the routes themselves, so that neither can be forgotten.
 */
import { kinds } from '../crdt/index.ts'
import { namedParameters } from './openapi-parameters.ts'
import { problems, parameters as ref } from './openapi-parts.ts'
import { schemas } from './openapi-schemas.ts'
import { PROBLEMS, type ProblemCode } from './problem.ts'
import type { Route } from './route.ts'

export function openApi(routes: readonly Route[], version: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Peerage',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'A peer-to-peer register of AI models, agents and everything they need. Errors are RFC 9457 problem documents. Lists end in `next_cursor` and a `Link` with rel="next" while there is more. Answers carry `X-Request-Id`, and where requests are counted `RateLimit` and `RateLimit-Policy`.',
    },
    servers: [{ url: '/' }],
    tags: [
      ...Object.values(kinds).map((kind) => ({ name: kind.plural, description: kind.note })),
      { name: 'search', description: 'Over all kinds.' },
      { name: 'batch', description: 'Many records at once.' },
      { name: 'ops', description: 'Signed changes, as peers exchange them.' },
      { name: 'authority', description: 'Who may write.' },
      { name: 'changes', description: 'What arrives, in order.' },
      { name: 'webhooks', description: 'Changes, told to a URL of yours.' },
      { name: 'policy', description: 'What this node refuses, and how much of one hand it takes.' },
      { name: 'node', description: 'The node itself.' },
      { name: 'interop', description: 'For clients of other registers: MCP, A2A, Hugging Face, AI Catalog.' },
    ],
    paths: pathsOf(routes),
    components: {
      securitySchemes,
      parameters: namedParameters,
      headers,
      responses: problems(...DOOR),
      schemas: schemas(),
    },
  }
}

/** What can be answered before a handler runs, or when the world fails under it. */
const DOOR = [
  'bad-request',
  'unauthorised',
  'forbidden',
  'origin-not-allowed',
  'timeout',
  'too-large',
  'key-reused',
  'rate-limited',
  'headers-too-large',
  'internal',
  'busy',
  'unavailable',
  'store-full',
] as const satisfies readonly ProblemCode[]

const PUBLIC: readonly unknown[] = []
const TOKEN = [{ token: [] }]

function pathsOf(routes: readonly Route[]): Record<string, Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const { path, method, operation, sameAs } = route
    if (sameAs !== undefined) paths[path] = { $ref: `#/paths/${sameAs.replaceAll('~', '~0').replaceAll('/', '~1')}` }
    else paths[path] = { ...paths[path], [method.toLowerCase()]: { ...operation, ...doorOf(route) } }
  }
  return paths
}

/** What holds for a route whatever it does: whom it answers, and what it may be answered before its handler runs. */
function doorOf(route: Route): Record<string, unknown> {
  const { method, operation, token, open } = route
  const writes = method !== 'GET'
  const keyed = token && method === 'POST'
  const statuses = [
    ...statusesOf(['host-not-allowed', 'timeout', 'rate-limited', 'headers-too-large', 'internal', 'busy']),
    ...(open ? [] : statusesOf(['unauthorised'])),
    ...(writes ? statusesOf(['bad-request', 'too-large']) : []),
    ...(token ? statusesOf(['store-full']) : []),
    ...(keyed ? statusesOf(['key-reused']) : []),
  ]
  const parameters = [...((operation['parameters'] ?? []) as unknown[]), ...(keyed ? [ref.idempotencyKey] : [])]
  return {
    ...(parameters.length > 0 && { parameters }),
    security: token ? TOKEN : PUBLIC,
    responses: {
      ...Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }])),
      ...(operation['responses'] as object),
    },
  }
}

function statusesOf(codes: readonly ProblemCode[]): number[] {
  return codes.map((code) => PROBLEMS[code][0])
}

const securitySchemes = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description: "The main token in the node's data folder, or one made with `peerage tokens new`.",
  },
}

const headers = {
  ETag: { description: 'Made of the heads: equal tags are equal answers.', schema: { type: 'string' } },
}
