/** A2A agent cards, protocol 0.2 to 1.0: one or a list. The card is kept as it is, for it may be signed. */
import { kindServing } from '../../crdt/index.ts'
import { type Converter, type Found, type From, type Part, unreadable } from './converter.ts'
import { partsOf } from './parts.ts'
import { isObject, type Json, Shape, said } from './shape.ts'

export const a2a: Converter = {
  files: /\.json(l)?$/i,

  /** The address of an agent stands for its card. */
  begin(url) {
    return url.pathname.endsWith('/') ? new URL('.well-known/agent-card.json', url) : url
  },

  convert(text, from) {
    let parts: readonly Part[]
    try {
      parts = partsOf(text)
    } catch (error) {
      return unreadable(error)
    }
    return { found: parts.map((part) => agentOf(part, from)) }
  },
}

function agentOf({ at, value, raw }: Part, from: From): Found {
  const shape = new Shape()
  if (!isObject(value)) return { at, errors: [{ pointer: '', message: 'expected an agent card' }] }
  const facts = cardFacts(value, shape)
  const name = typeof value['name'] === 'string' ? value['name'] : undefined
  if (shape.errors.length > 0 || name === undefined) return { at, ...(name && { name }), errors: shape.errors }
  const slug = slugOf(name, facts)
  return {
    at,
    name,
    original: raw,
    ...(slug !== undefined && { slug }),
    entry: said({
      kind: kindServing('a2a').name,
      ...facts,
      _source: { source: 'a2a', path: from.path, key: name },
    }),
  }
}

/** Names of agents are short and common: one whose maker is not named is told from others by the host it answers at. */
function slugOf(name: string, { owner, endpoints }: Json): string | undefined {
  const [first] = endpoints as readonly Json[]
  const url = String(first?.['url'] ?? '')
  return owner === undefined && URL.canParse(url) ? `${new URL(url).host}/${name}` : undefined
}

/** A card as fields of a record. What the protocol requires and is not there is noted in `shape`. */
export function cardFacts(card: Json, shape: Shape, path: readonly string[] = []): Json {
  const name = shape.text(card, 'name', path)
  const description = shape.text(card, 'description', path)
  const version = shape.text(card, 'version', path)
  for (const [key, form] of Object.entries(REQUIRED)) {
    shape.needed(card, key, path)
    shape[form](card, key, path)
  }
  const provider = shape.maybeObject(card, 'provider', path)
  const skills = Array.isArray(card['skills']) ? card['skills'].filter(isObject) : []
  for (const [n, skill] of skills.entries()) {
    shape.text(skill, 'id', [...path, 'skills', n])
    shape.text(skill, 'name', [...path, 'skills', n])
    shape.text(skill, 'description', [...path, 'skills', n])
  }
  return {
    name,
    owner: provider && shape.maybeText(provider, 'organization', [...path, 'provider']),
    description,
    version,
    homepage: shape.maybeText(card, 'documentationUrl', path),
    icon: shape.maybeText(card, 'iconUrl', path),
    endpoints: interfacesOf(card, shape, path),
    capabilities: unique(skills.map((skill) => skill['id'])),
    tags: unique(skills.flatMap((skill) => skill['tags'])),
    example_inputs: unique(skills.flatMap((skill) => skill['examples'])).slice(0, EXAMPLES_MAX),
    skills,
  }
}

/** What the protocol requires beside the texts. */
const REQUIRED = {
  capabilities: 'maybeObject',
  defaultInputModes: 'texts',
  defaultOutputModes: 'texts',
  skills: 'objects',
} as const
const EXAMPLES_MAX = 20

function unique(values: readonly unknown[]): readonly string[] {
  return [...new Set(values.filter((value) => typeof value === 'string' && value !== ''))] as string[]
}

/** Where the agent is called: since 1.0 a list, before it one address and further ones. */
function interfacesOf(card: Json, shape: Shape, path: readonly string[]): readonly Json[] {
  const interfaces = shape.objects(card, 'supportedInterfaces', path).map((one, n) =>
    said({
      type: shape.maybeText(one, 'protocolBinding', [...path, 'supportedInterfaces', n]) ?? 'JSONRPC',
      url: shape.text(one, 'url', [...path, 'supportedInterfaces', n]),
      protocol_version: shape.maybeText(one, 'protocolVersion', [...path, 'supportedInterfaces', n]),
    }),
  )
  const url = shape.maybeText(card, 'url', path)
  if (interfaces.length > 0 || url === undefined) return interfaces
  const protocol_version = shape.maybeText(card, 'protocolVersion', path) ?? '0.3.0'
  const first = { type: shape.maybeText(card, 'preferredTransport', path) ?? 'JSONRPC', url, protocol_version }
  const others = shape.objects(card, 'additionalInterfaces', path).map((one, n) => ({
    type: shape.maybeText(one, 'transport', [...path, 'additionalInterfaces', n]) ?? 'JSONRPC',
    url: shape.text(one, 'url', [...path, 'additionalInterfaces', n]),
    protocol_version,
  }))
  return [first, ...others.filter((other) => other.url !== url || other.type !== first.type)]
}
