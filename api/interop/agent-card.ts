/**
 * A record as an A2A agent card (protocol 1.0): the publisher's own, character for character, when it is signed or
 * still says what the record says; one made from the record's fields otherwise. Without an address at which the agent
 * speaks A2A there is no card, for a card exists to be called.
 */
import { type Doc, type Merged, type ValueMap, valueToJson } from '../../crdt/index.ts'
import { mapsOf, objectOf, originalOf, textOf, textsOf, webAddress } from './fields.ts'

type Json = Readonly<Record<string, unknown>>
export type Card = { readonly text: string } | { readonly missing: string }

export const A2A_VERSION = '1.0'

export function agentCard(record: Merged): Card {
  const { doc } = record
  const text = originalOf(doc, 'a2a')
  const original = objectOf(text)
  const interfaces = mapsOf(doc['endpoints']).flatMap(interfaceOf)
  if (original !== undefined) {
    const signed = Array.isArray(original['signatures']) && original['signatures'].length > 0
    const callable = signed && (hasItems(original['supportedInterfaces']) || typeof original['url'] === 'string')
    if (callable || (isComplete(original) && saysTheSame(original, doc, interfaces))) return { text: text as string }
  }
  if (interfaces.length === 0) {
    const has =
      mapsOf(doc['endpoints']).length > 0 ? 'none of the endpoints that it names speaks A2A' : 'it names no endpoint'
    return { missing: `the agent has no card: ${has}` }
  }
  return { text: JSON.stringify(made(record, original ?? {}, interfaces)) }
}

const BINDINGS: Readonly<Record<string, string>> = {
  a2a: 'JSONRPC',
  jsonrpc: 'JSONRPC',
  'json-rpc': 'JSONRPC',
  grpc: 'GRPC',
  'http+json': 'HTTP+JSON',
  rest: 'HTTP+JSON',
}

/** An endpoint whose type is one of A2A's bindings, in the form of the protocol. */
function interfaceOf({ type, url, protocol_version: version, tenant }: ValueMap): readonly Json[] {
  const protocolBinding = BINDINGS[textOf(type)?.toLowerCase() ?? '']
  // gRPC addresses need no scheme.
  const address = protocolBinding === 'GRPC' ? textOf(url) : webAddress(url)
  if (protocolBinding === undefined || address === undefined) return []
  return [
    {
      url: address,
      protocolBinding,
      protocolVersion: textOf(version) ?? A2A_VERSION,
      ...(textOf(tenant) !== undefined && { tenant }),
    },
  ]
}

function hasItems(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0
}

/** Everything that the protocol requires of a card is there. */
function isComplete(card: Json): boolean {
  const {
    name,
    description,
    version,
    capabilities,
    defaultInputModes,
    defaultOutputModes,
    supportedInterfaces,
    skills,
  } = card
  return (
    [name, description, version].every((value) => typeof value === 'string') &&
    typeof capabilities === 'object' &&
    capabilities !== null &&
    Array.isArray(defaultInputModes) &&
    Array.isArray(defaultOutputModes) &&
    hasItems(supportedInterfaces) &&
    supportedInterfaces.every((one) => hasTexts(one, ['url', 'protocolBinding', 'protocolVersion'])) &&
    Array.isArray(skills) &&
    skills.every((skill) => hasTexts(skill, ['id', 'name', 'description']) && Array.isArray((skill as Json)['tags']))
  )
}

function hasTexts(value: unknown, names: readonly string[]): boolean {
  return typeof value === 'object' && value !== null && names.every((name) => typeof (value as Json)[name] === 'string')
}

function saysTheSame(card: Json, doc: Doc, interfaces: readonly Json[]): boolean {
  const urls = (list: readonly unknown[]) => JSON.stringify(list.map((one) => (one as Json)['url']))
  return (
    card['name'] === (doc['display_name'] ?? doc['name']) &&
    card['description'] === doc['description'] &&
    card['version'] === doc['version'] &&
    urls(card['supportedInterfaces'] as readonly unknown[]) === urls(interfaces)
  )
}

function made({ doc, slug = '' }: Merged, base: Json, supportedInterfaces: readonly Json[]): Json {
  const name = textOf(doc['display_name']) ?? textOf(doc['name']) ?? slug
  const description = textOf(doc['description']) ?? name
  const organization = textOf(doc['provider'])
  const homepage = webAddress(doc['homepage'])
  const icon = webAddress(doc['icon'])
  // What earlier protocol versions said at the top is in the interfaces now.
  const {
    url: _url,
    preferredTransport: _transport,
    additionalInterfaces: _more,
    protocolVersion: _version,
    capabilities,
    ...rest
  } = base
  const skills = mapsOf(doc['skills']).map((skill) => valueToJson(skill) as Json)
  return {
    ...(homepage !== undefined && { documentationUrl: homepage }),
    ...(icon !== undefined && { iconUrl: icon }),
    ...(organization !== undefined && { provider: { organization, url: homepage ?? '' } }),
    ...rest,
    // It would not be true of what has been changed.
    signatures: undefined,
    name,
    description,
    version: textOf(doc['version']) ?? '0.0.0',
    supportedInterfaces,
    capabilities: capabilities ?? {},
    defaultInputModes: base['defaultInputModes'] ?? ['text/plain'],
    defaultOutputModes: base['defaultOutputModes'] ?? ['text/plain'],
    skills: skills.length > 0 ? skills.map(wholeSkill) : [oneSkill(doc, name, description)],
  }
}

function wholeSkill(skill: Json, at: number): Json {
  const name = typeof skill['name'] === 'string' ? skill['name'] : `skill ${at + 1}`
  const id = typeof skill['id'] === 'string' || typeof skill['id'] === 'number' ? String(skill['id']) : name
  const tags = Array.isArray(skill['tags']) ? skill['tags'].filter((tag) => typeof tag === 'string') : []
  return {
    ...skill,
    id,
    name,
    description: typeof skill['description'] === 'string' ? skill['description'] : name,
    tags,
  }
}

/** An agent that lists no skills has the one that it is described by. */
function oneSkill(doc: Doc, name: string, description: string): Json {
  const { tags, capabilities } = doc
  const examples = textsOf(doc['example_inputs'])
  return {
    id: 'default',
    name,
    description,
    tags: [...new Set([...textsOf(tags), ...textsOf(capabilities)])],
    ...(examples.length > 0 && { examples }),
  }
}
