/**
 * A record as an MCP server.json (schema 2025-12-11): the document that its publisher gave, word for word, while it
 * still says what the record says; one made from the record's fields otherwise.
 */
import {
  type Doc,
  equalValues,
  fromJson,
  type Merged,
  type Value,
  type ValueMap,
  valueToJson,
} from '../../crdt/index.ts'
import { cut, mapsOf, objectOf, originalOf, textOf, webAddress } from './fields.ts'

export const SERVER_SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'
const DESCRIPTION_CHARS_MAX = 100
const TITLE_CHARS_MAX = 100
const VERSION_CHARS_MAX = 255
const NAME = /^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/
const NAME_CHARS_MAX = 200

type Json = Readonly<Record<string, unknown>>

export function isServerName(name: unknown): name is string {
  return typeof name === 'string' && name.length >= 3 && name.length <= NAME_CHARS_MAX && NAME.test(name)
}

/**
 * What a server is called: its provider and its name with exactly one slash between them, every character that the
 * registry does not take as `-`. Several records may come to the same name.
 */
export function serverNameOf({ doc, slug = '' }: Merged): string {
  const own = objectOf(originalOf(doc, 'mcp'))?.['name']
  const name = textOf(doc['name']) ?? slug
  const whole = textOf(doc['provider']) === undefined ? name : `${textOf(doc['provider'])}/${name}`
  if (own === whole && isServerName(own)) return own
  const slash = whole.indexOf('/')
  const space = slash < 0 ? 'unknown' : whole.slice(0, slash)
  const rest = slash < 0 ? whole : whole.slice(slash + 1)
  return `${space.replace(/[^a-zA-Z0-9.-]/g, '-').slice(0, 90)}/${rest.replace(/[^a-zA-Z0-9._-]/g, '-').slice(0, 90)}`
}

export function versionOf(doc: Doc): string {
  return (textOf(doc['version']) ?? '0.0.0').slice(0, VERSION_CHARS_MAX)
}

/** The text of the server.json as `name`. `exact` leaves an original of an older schema as it is. */
export function serverJson(record: Merged, name: string, exact = false): string {
  const text = originalOf(record.doc, 'mcp')
  const original = objectOf(text)
  const says = original !== undefined && saysTheSame(original, record)
  if (says && exact) return text as string
  if (says && original['name'] === name && isCurrent(original)) return text as string
  return JSON.stringify(made(record, name, original !== undefined && isCurrent(original) ? original : {}))
}

/** Whether nobody has changed the record since it was made from this document, as far as the document speaks of it. */
function saysTheSame(original: Json, { doc }: Merged): boolean {
  const detail = original['version_detail'] as Json | undefined
  const said: Json = {
    name: original['name'],
    description: original['description'] === '' ? undefined : original['description'],
    version: original['version'] ?? detail?.['version'],
    display_name: original['title'],
  }
  const provider = textOf(doc['provider'])
  const is: Json = { ...doc, name: provider === undefined ? doc['name'] : `${provider}/${doc['name']}` }
  if (Object.entries(said).some(([field, value]) => is[field] !== value)) return false
  if (!isCurrent(original)) return true
  return same(original['packages'], doc['packages']) && same(original['remotes'], doc['endpoints'])
}

function same(json: unknown, value: Value | undefined): boolean {
  const read = fromJson({ value: json ?? [] })
  return read.ok && equalValues(read.value['value'], value ?? [])
}

/** What clients of today can read; earlier schemas named the same things differently. */
function isCurrent(server: Json): boolean {
  const { name, description, version, title, packages = [], remotes = [] } = server
  return (
    isServerName(name) &&
    isText(description, DESCRIPTION_CHARS_MAX) &&
    isText(version, VERSION_CHARS_MAX) &&
    (title === undefined || isText(title, TITLE_CHARS_MAX)) &&
    isListOf(packages, isPackage) &&
    isListOf(remotes, (remote) => typeof remote['type'] === 'string' && typeof remote['url'] === 'string')
  )
}

function isText(value: unknown, charsMax: number): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= charsMax
}

function isListOf(value: unknown, test: (item: Json) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && test(item))
}

function isPackage(item: Json): boolean {
  const { registryType, identifier, transport } = item
  return (
    typeof registryType === 'string' &&
    REGISTRIES.has(registryType) &&
    typeof identifier === 'string' &&
    typeof (transport as Json | undefined)?.['type'] === 'string'
  )
}

const REGISTRIES: ReadonlySet<string> = new Set(['npm', 'pypi', 'cargo', 'oci', 'nuget', 'mcpb'])

function made({ doc, slug = '' }: Merged, name: string, base: Json): Json {
  const { description, display_name: title, homepage, icon } = doc
  const source = webAddress(doc['repository']) ?? (hostOf(homepage) === undefined ? undefined : webAddress(homepage))
  const packages = packagesOf(doc)
  const remotes = mapsOf(doc['endpoints']).flatMap(remoteOf)
  const image = webAddress(icon)
  const { packages: _packages, remotes: _remotes, ...rest } = base
  return {
    $schema: SERVER_SCHEMA,
    ...rest,
    name,
    description: cut(textOf(description) ?? textOf(title) ?? textOf(doc['name']) ?? slug, DESCRIPTION_CHARS_MAX),
    version: versionOf(doc),
    ...(textOf(title) !== undefined && { title: cut(textOf(title) as string, TITLE_CHARS_MAX) }),
    ...(source !== undefined && {
      repository: { ...(base['repository'] as Json), url: source, source: hostOf(source) ?? 'git' },
    }),
    ...(webAddress(homepage) !== undefined && webAddress(homepage) !== source && { websiteUrl: webAddress(homepage) }),
    ...(image !== undefined && { icons: base['icons'] ?? [{ src: image }] }),
    ...(packages.length > 0 && { packages }),
    ...(remotes.length > 0 && { remotes }),
  }
}

/** `github` or `gitlab`, which is how the registry names where source lies. */
function hostOf(address: Value | undefined): string | undefined {
  const url = webAddress(address)
  return url === undefined ? undefined : /^https?:\/\/(?:www\.)?(github|gitlab)\.com\//i.exec(url)?.[1]?.toLowerCase()
}

const REGISTRY_OF_RUNTIME: Readonly<Record<string, string>> = { node: 'npm', python: 'pypi', docker: 'oci' }

/** As server.json says it; else the package that the record names, if its runtime says from which registry. */
function packagesOf(doc: Doc): readonly Json[] {
  const given = mapsOf(doc['packages']).map((item) => valueToJson(item) as Json)
  if (given.length > 0) return given.map(withTransport).filter(isPackage)
  const identifier = textOf(doc['package'])
  const registryType = REGISTRY_OF_RUNTIME[textOf(doc['runtime']) ?? '']
  if (identifier === undefined || registryType === undefined) return []
  const environmentVariables = mapsOf(doc['config']).flatMap(variableOf)
  return [
    {
      registryType,
      identifier,
      ...(textOf(doc['version']) !== undefined && { version: doc['version'] }),
      transport: { type: 'stdio' },
      ...(environmentVariables.length > 0 && { environmentVariables }),
    },
  ]
}

function withTransport(item: Json): Json {
  return typeof item['transport'] === 'object' ? item : { ...item, transport: { type: 'stdio' } }
}

function variableOf({ name, description, required }: ValueMap): readonly Json[] {
  if (textOf(name) === undefined) return []
  return [
    { name, ...(textOf(description) !== undefined && { description }), ...(required === true && { isRequired: true }) },
  ]
}

/** Variables may stand in the address, so that it need not parse as one. */
function remoteOf(endpoint: ValueMap): readonly Json[] {
  const { type, url } = endpoint
  if ((type !== 'streamable-http' && type !== 'sse') || !/^https?:\/\//i.test(textOf(url) ?? '')) return []
  return [valueToJson(endpoint) as Json]
}
