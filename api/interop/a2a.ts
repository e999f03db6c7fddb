/** Agent cards where A2A clients look for them: the node's own, and one for each agent that can be called. */
import type { Context } from 'hono'
import { isHex, kindServing } from '../../crdt/index.ts'
import type { NodeFace } from '../../node/index.ts'
import { etagOf, tagged, taggedAs } from '../etag.ts'
import { describe, parameters, problems } from '../openapi-parts.ts'
import { type Answer, type Route, segmentsOf } from '../route.ts'
import { agentCard } from './agent-card.ts'
import { MCP_VERSION } from './mcp-endpoint.ts'
import { asked, theirs } from './openapi.ts'

const CARD_KIND = kindServing('a2a').name

/** `speaksMcp`: POST /mcp is there. */
export function a2aRoutes(node: NodeFace, speaksMcp: boolean): Route[] {
  const about = describe('interop')
  const read = { ...theirs('A2A agent card'), 304: { description: 'The reader has it' } }
  return [
    {
      method: 'GET',
      path: '/.well-known/agent-card.json',
      open: true,
      handle: (c, visit) => ownCard(node, c, visit.origin(), speaksMcp),
      operation: about('agent_card', "This node's own agent card", [parameters.ifNoneMatch], {
        ...read,
        ...problems('bad-request'),
      }),
    },
    {
      method: 'GET',
      kind: CARD_KIND,
      path: '/a2a/{record}/.well-known/agent-card.json',
      handle: (c) => cardOf(node, c),
      operation: about('record_agent_card', 'The agent card of a record', [asked.record, parameters.ifNoneMatch], {
        ...read,
        ...problems('not-found'),
      }),
    },
  ]
}

/** Cards are kept by clients for a while, and asked for again by their tag. */
const CACHED = { 'cache-control': 'public, max-age=60, must-revalidate' } as const

async function cardOf(node: NodeFace, c: Context): Promise<Answer> {
  const id = segmentsOf(c)?.[1] ?? ''
  const record = isHex(id, 64) ? await node.replica.record(id) : undefined
  if (record?.live !== true || record.kind !== CARD_KIND) {
    return { problem: 'not-found', detail: 'there is no such agent' }
  }
  const card = agentCard(record)
  if ('missing' in card) return { problem: 'not-found', detail: card.missing }
  return taggedAs(c, etagOf(record), () => card.text, 'application/json', CACHED)
}

/** The node is called over MCP and plain HTTP, and says so: it has no tasks that A2A's own bindings would be for. */
function ownCard(node: NodeFace, c: Context, origin: string, speaksMcp: boolean): Answer {
  const text = JSON.stringify({
    name: 'Peerage',
    description: `A peer-to-peer register of AI models, agents and what they need; a node of the network "${node.networkName}".`,
    version: node.version,
    documentationUrl: `${origin}/openapi.json`,
    provider: { organization: node.did ?? 'a node without a key', url: origin },
    supportedInterfaces: [
      ...(speaksMcp ? [{ url: `${origin}/mcp`, protocolBinding: 'MCP', protocolVersion: MCP_VERSION }] : []),
      { url: `${origin}/v1`, protocolBinding: 'OpenAPI', protocolVersion: '3.1' },
    ],
    capabilities: { streaming: false, pushNotifications: false },
    securitySchemes: { token: { httpAuthSecurityScheme: { scheme: 'Bearer', description: 'Publishing only.' } } },
    defaultInputModes: ['text/plain', 'application/json'],
    defaultOutputModes: ['application/json'],
    skills: SKILLS,
  })
  return tagged(c, text, 'application/json', { ...CACHED, vary: 'host' })
}

const SKILLS = [
  {
    id: 'search',
    name: 'Search',
    description: 'Finds models, agents, tools and everything else in the register by words and by fields.',
    tags: ['search', 'discovery'],
    examples: ['vision model below 8B parameters', 'an MCP server for PostgreSQL'],
  },
  {
    id: 'get',
    name: 'Get',
    description: 'Reads one record, with who signed it and what is in conflict.',
    tags: ['read', 'provenance'],
  },
  {
    id: 'publish',
    name: 'Publish',
    description:
      'Registers a record or changes one, signed by this node. Needs its token: POST /v1/{kinds}, or `peerage mcp serve`.',
    tags: ['write', 'registry'],
  },
] as const
