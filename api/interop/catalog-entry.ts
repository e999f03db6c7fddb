/** A record as an entry of an AI catalogue (AI Catalog 1.0, ARD 0.9): what it is, and where to read it in which format. */
import { type Kind, kindOf, kindServing, type Merged, ownerToDid } from '../../crdt/index.ts'
import { agentCard } from './agent-card.ts'
import { textOf, textsOf } from './fields.ts'
import { isServer } from './server-names.ts'

export const CATALOG_TYPE = 'application/ai-catalog+json'
const MCP_TYPE = 'application/mcp-server-card+json'
const A2A_TYPE = 'application/a2a-agent-card+json'

export type CatalogEntry = Readonly<Record<string, unknown>>

/** Our own type of a kind's records. */
export function recordType(kind: string): string {
  return `application/vnd.peerage.${kind}+json`
}

/** The kind whose records have a type. Records of two kinds have a type of their protocol where they speak it. */
export function kindOfType(type: string): string | undefined {
  if (type === MCP_TYPE) return kindServing('mcp').name
  if (type === A2A_TYPE) return kindServing('a2a').name
  const [, name = ''] = /^application\/vnd\.peerage\.([\w-]+)\+json$/.exec(type) ?? []
  return kindOf(name)?.name
}

export function catalogEntry(record: Merged, origin: string): CatalogEntry {
  const { doc, slug = '', kind, owner } = record
  const did = ownerToDid(owner)
  const plural = kindOf(kind)?.plural ?? kind
  const name = textOf(doc['display_name']) ?? textOf(doc['name']) ?? slug
  const tags = textsOf(doc['tags'])
  return {
    identifier: `${did}/${plural}/${encodeURIComponent(slug)}`,
    displayName: name,
    ...placeOf(record, plural, origin),
    ...(textOf(doc['version']) !== undefined && { version: doc['version'] }),
    ...(textOf(doc['description']) !== undefined && { description: doc['description'] }),
    ...(tags.length > 0 && { tags }),
    updatedAt: new Date(record.changedAt).toISOString(),
    publisher: { identifier: did, displayName: textOf(doc['provider']) ?? did },
    trustManifest: { identity: did, identityType: 'did' },
    metadata: { 'peerage/record': { id: record.record, kind, url: `${origin}/v1/${plural}/${record.record}` } },
  }
}

function placeOf(record: Merged, plural: string, origin: string): { readonly type: string; readonly url: string } {
  if (isServer(record)) return { type: MCP_TYPE, url: `${origin}/mcp/${record.record}/server.json` }
  if (servesCards(kindOf(record.kind)) && 'text' in agentCard(record)) {
    return { type: A2A_TYPE, url: `${origin}/a2a/${record.record}/.well-known/agent-card.json` }
  }
  return { type: recordType(record.kind), url: `${origin}/v1/${plural}/${record.record}` }
}

function servesCards(kind: Kind | undefined): boolean {
  return kind?.serves?.includes('a2a') === true
}
