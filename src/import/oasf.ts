/**
 * Records of the Open Agentic Schema Framework (AGNTCY directories), schema 0.7 to 1.1: one or a list. A record that
 * claims no skills and is reached over MCP alone is a server; every other one is an agent. What its modules carry in
 * other formats is kept as given: an agent card opens in A2A clients.
 */
import { kindServing } from '../../crdt/index.ts'
import { cardFacts } from './a2a.ts'
import { type Converter, type Found, type From, type Part, unreadable } from './converter.ts'
import { partsOf } from './parts.ts'
import { rawAt, rawItems } from './raw-json.ts'
import { isObject, type Json, Shape, said, secondsOf } from './shape.ts'

export const oasf: Converter = {
  files: /\.json(l)?$/i,

  begin(url) {
    return url
  },

  convert(text, from) {
    let parts: readonly Part[]
    try {
      parts = partsOf(text)
    } catch (error) {
      return unreadable(error)
    }
    return { found: parts.map((part) => recordOf(part, from)) }
  },
}

function recordOf({ at, value, raw }: Part, from: From): Found {
  if (!isObject(value)) return { at, errors: [{ pointer: '', message: 'expected a record' }] }
  const shape = new Shape()
  const name = shape.text(value, 'name')
  const version = shape.text(value, 'version')
  shape.text(value, 'schema_version')
  const skills = namesOf(value, 'skills', shape)
  const locators = shape.objects(value, 'locators')
  const modules = shape.objects(value, 'modules')
  for (const [n, module] of modules.entries()) shape.text(module, 'name', ['modules', n])
  const servers = modules.flatMap((module, n) => (isMcp(module) ? serverFacts(module, shape, n) : []))
  const isServer = servers.length > 0 && skills.length === 0 && !modules.some(isA2a)
  const cardAt = modules.findIndex((module) => isA2a(module) && isObject(dataOf(module)['card_data']))
  const card = cardAt < 0 ? undefined : (dataOf(modules[cardAt] as Json)['card_data'] as Json)
  const address = addressOf(locators[0])
  const facts = {
    version,
    description: shape.maybeText(value, 'description'),
    author: shape.texts(value, 'authors').join(', ') || undefined,
    created_at: secondsOf(shape.maybeText(value, 'created_at')),
    tags: namesOf(value, 'domains', shape),
    capabilities: skills,
    download: address === undefined ? undefined : { url: address },
    locators,
    annotations: shape.maybeObject(value, 'annotations'),
    modules: modules.map((module) => module['name']),
    ...(isServer && { protocol: 'mcp', ...(servers[0] as Json) }),
    ...(card !== undefined && agentFacts(card)),
    ...(card !== undefined && { originals: { a2a: rawCard(raw, cardAt) ?? JSON.stringify(card) } }),
  }
  if (name === undefined || shape.errors.length > 0) return { at, ...(name && { name }), errors: shape.errors }
  const slash = name.lastIndexOf('/')
  return {
    at,
    name,
    original: raw,
    entry: said({
      kind: kindServing(isServer ? 'mcp' : 'a2a').name,
      name: name.slice(slash + 1),
      owner: slash < 0 ? undefined : name.slice(0, slash),
      ...facts,
      _source: { source: 'oasf', path: from.path, key: name },
    }),
  }
}

function dataOf(module: Json): Json {
  return isObject(module['data']) ? module['data'] : {}
}

function isMcp({ name }: Json): boolean {
  return typeof name === 'string' && /(^|\/)mcp$/.test(name)
}

function isA2a({ name }: Json): boolean {
  return typeof name === 'string' && /(^|\/)a2a$/.test(name)
}

/** A skill or a domain has a name, a number, or both. */
function namesOf(record: Json, key: string, shape: Shape): readonly string[] {
  return shape.objects(record, key).flatMap((one, n) => {
    if (one['name'] === undefined && typeof one['id'] === 'number') return [String(one['id'])]
    return shape.text(one, 'name', [key, n]) ?? []
  })
}

function addressOf(locator: Json | undefined): string | undefined {
  const urls = locator?.['urls']
  const url = Array.isArray(urls) ? urls[0] : locator?.['url']
  return typeof url === 'string' && url !== '' ? url : undefined
}

/** How it is started stays as it is written: it is data here, and never run. */
function serverFacts(module: Json, shape: Shape, at: number): Json {
  const path = ['modules', at, 'data']
  const connections = shape.objects(dataOf(module), 'connections', path)
  return {
    connections,
    endpoints: connections.flatMap(({ type, url }) => (typeof url === 'string' ? [{ type, url }] : [])),
    config: connections.flatMap((connection, n) =>
      shape
        .objects(connection, 'env_vars', [...path, 'connections', n])
        .map(({ name, description, required }) =>
          said({ name, description: description === '' ? undefined : description, required }),
        ),
    ),
  }
}

/** Of the card only what the record itself does not say. A card with gaps is still a card to whom it belongs. */
function agentFacts(card: Json): Json {
  const { endpoints, example_inputs, skills, homepage, icon } = cardFacts(card, new Shape())
  return { endpoints, example_inputs, skills, homepage, icon }
}

function rawCard(raw: string, at: number): string | undefined {
  const module = rawItems(rawAt(raw, ['modules']) ?? '')[at]
  return module === undefined ? undefined : rawAt(module, ['data', 'card_data'])
}
