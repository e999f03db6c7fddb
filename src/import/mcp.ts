/**
 * server.json of the MCP Registry, in every schema it has had (2025-05-16 until 2025-12-11): one, a list, or pages of
 * a registry. What earlier schemas called otherwise is read in today's words, and the text itself is kept.
 */
import { kindServing } from '../../crdt/index.ts'
import { type Converted, type Converter, type Found, type From, type Part, unreadable } from './converter.ts'
import { partsOf, partsOfValue } from './parts.ts'
import { rawAt } from './raw-json.ts'
import { isObject, type Json, Shape, said, secondsOf } from './shape.ts'

export const mcp: Converter = {
  files: /\.json(l)?$/i,

  /** The root of a registry stands for its list. */
  begin(url) {
    if (url.pathname !== '/' && url.pathname !== '') return url
    const list = new URL('/v0.1/servers', url)
    list.search = '?limit=100&version=latest'
    return list
  },

  convert(text, from) {
    let parts: readonly Part[]
    try {
      parts = partsOf(text)
    } catch (error) {
      return unreadable(error)
    }
    const [only] = parts
    const list = parts.length === 1 && isObject(only?.value) ? only.value['servers'] : undefined
    if (!Array.isArray(list)) return { found: parts.map((part) => serverOf(part, from)) }
    const found = partsOfValue(list, rawAt(text, ['servers']) as string, '/servers').map((part) => serverOf(part, from))
    return { found, ...nextOf((only as Part).value as Json, from) }
  },
}

function nextOf(page: Json, { url }: From): Pick<Converted, 'next'> {
  const metadata = isObject(page['metadata']) ? page['metadata'] : {}
  const cursor = metadata['nextCursor'] ?? metadata['next_cursor']
  if (typeof cursor !== 'string' || cursor === '' || url === undefined) return {}
  const next = new URL(url)
  next.searchParams.set('cursor', cursor)
  return { next: next.href }
}

const NAME = /^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/
const OFFICIAL = 'io.modelcontextprotocol.registry/official'

function serverOf({ at, value, raw }: Part, from: From): Found {
  const shape = new Shape()
  if (!isObject(value)) return { at, errors: [{ pointer: '', message: 'expected a server.json' }] }
  const wrapped = isObject(value['server'])
  const server = wrapped ? (value['server'] as Json) : value
  const meta = isObject(value['_meta']) && isObject(value['_meta'][OFFICIAL]) ? value['_meta'][OFFICIAL] : {}
  const name = shape.text(server, 'name')
  if (name !== undefined && (name.length > 200 || !NAME.test(name))) {
    shape.wrong(['name'], 'expected namespace/name of letters, digits, dots and dashes, at most 200 characters')
  }
  const facts = factsOf(server, shape)
  if (name === undefined || shape.errors.length > 0) return { at, ...(name && { name }), errors: shape.errors }
  if (meta['status'] === 'deleted') return { at, name, skipped: 'deleted at its source' }
  const slash = name.indexOf('/')
  return {
    at,
    name,
    original: wrapped ? (rawAt(raw, ['server']) as string) : raw,
    entry: said({
      kind: kindServing('mcp').name,
      name: name.slice(slash + 1),
      owner: name.slice(0, slash),
      protocol: 'mcp',
      ...facts,
      status: typeof meta['status'] === 'string' && meta['status'] !== 'active' ? meta['status'] : undefined,
      created_at: secondsOf(meta['publishedAt'] as string | undefined),
      updated_at: secondsOf(meta['updatedAt'] as string | undefined),
      _source: { source: 'mcp', path: from.path, key: name },
    }),
  }
}

function factsOf(server: Json, shape: Shape): Json {
  const detail = shape.maybeObject(server, 'version_detail')
  const version =
    detail === undefined ? shape.text(server, 'version') : shape.text(detail, 'version', ['version_detail'])
  if (server['description'] === undefined) shape.wrong(['description'], 'is missing')
  if (version !== undefined && version.length > 255) shape.wrong(['version'], 'expected at most 255 characters')
  if (version === 'latest') shape.wrong(['version'], '`latest` is no version')
  const repository = shape.maybeObject(server, 'repository')
  const packages = shape.objects(server, 'packages').map((item, n) => packageOf(item, shape, ['packages', n]))
  const remotes = shape.objects(server, 'remotes').map((item, n) => remoteOf(item, shape, ['remotes', n]))
  const [icon] = shape.objects(server, 'icons')
  const [first] = packages
  return {
    display_name: shape.maybeText(server, 'title'),
    description: shape.maybeText(server, 'description'),
    version,
    homepage: shape.maybeText(server, 'websiteUrl') ?? shape.maybeText(server, 'website_url'),
    repository: repository && shape.maybeText(repository, 'url', ['repository']),
    icon: typeof icon?.['src'] === 'string' ? icon['src'] : undefined,
    runtime: RUNTIME_OF_REGISTRY[String(first?.['registryType'])],
    package: first?.['identifier'],
    packages,
    endpoints: remotes,
    config: packages.flatMap(settingsOf),
  }
}

const RUNTIME_OF_REGISTRY: Readonly<Record<string, string>> = { npm: 'node', pypi: 'python', oci: 'docker' }

function packageOf(given: Json, shape: Shape, path: readonly (string | number)[]): Json {
  const isEarlier = given['registry_name'] !== undefined || given['registry_type'] !== undefined
  const named = given['registry_name'] === undefined ? 'identifier' : 'name'
  shape.text(
    given,
    given['registry_name'] !== undefined ? 'registry_name' : isEarlier ? 'registry_type' : 'registryType',
    path,
  )
  shape.text(given, named, path)
  shape.maybeText(given, 'version', path)
  const transport = shape.maybeObject(given, 'transport', path)
  if (transport !== undefined) shape.text(transport, 'type', [...path, 'transport'])
  for (const key of ['environmentVariables', 'environment_variables']) {
    for (const [n, variable] of shape.objects(given, key, path).entries())
      shape.text(variable, 'name', [...path, key, n])
  }
  for (const key of ['runtimeArguments', 'runtime_arguments', 'packageArguments', 'package_arguments']) {
    shape.objects(given, key, path)
  }
  if (!isEarlier) return given
  const { registryName, registryType = registryName, name, identifier = name, ...rest } = today(given) as Json
  return { registryType: registryType === 'docker' ? 'oci' : registryType, identifier, ...rest }
}

function remoteOf(given: Json, shape: Shape, path: readonly (string | number)[]): Json {
  const isEarlier = given['transport_type'] !== undefined
  const type = shape.text(given, isEarlier ? 'transport_type' : 'type', path)
  shape.text(given, 'url', path)
  for (const [n, header] of shape.objects(given, 'headers', path).entries())
    shape.text(header, 'name', [...path, 'headers', n])
  if (!isEarlier) return given
  const { transportType: _, ...rest } = today(given) as Json
  return { type: type === 'streamable' ? 'streamable-http' : type, ...rest }
}

/** Names as today's schema writes them; what is under `variables` is named by the publisher. */
function today(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(today)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === 'variables' && isObject(item)) {
        return [key, Object.fromEntries(Object.entries(item).map(([name, input]) => [name, today(input)]))]
      }
      return [key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), today(item)]
    }),
  )
}

/** Never the value: it may be what its publisher uses. */
function settingsOf(item: Json): readonly Json[] {
  const variables = item['environmentVariables']
  if (!Array.isArray(variables)) return []
  return variables.filter(isObject).map(({ name, description, isRequired }) =>
    said({
      name,
      description: typeof description === 'string' && description !== '' ? description : undefined,
      required: typeof isRequired === 'boolean' ? isRequired : undefined,
    }),
  )
}
