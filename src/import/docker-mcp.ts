/**
 * server.yaml of the Docker MCP catalogue. YAML is read as data: tags of one's own are refused, and aliases may repeat
 * a block, not multiply one for ever.
 */
import { parseAllDocuments } from 'yaml'
import { kindServing } from '../../crdt/index.ts'
import { yamlAliasesMax } from '../limits.ts'
import { type Converter, type Found, type From, unreadable } from './converter.ts'
import { isObject, type Json, Shape, said } from './shape.ts'

export const dockerMcp: Converter = {
  files: /\.ya?ml$/i,

  begin(url) {
    return url
  },

  convert(text, from) {
    const documents = parseAllDocuments(text, {
      schema: 'core',
      uniqueKeys: true,
      prettyErrors: false,
      logLevel: 'silent',
    })
    const found: Found[] = []
    for (const [n, document] of (Array.isArray(documents) ? documents : []).entries()) {
      const at = documents.length > 1 ? `/${n}` : ''
      // A tag that is not YAML's own is a warning to the parser.
      const problems = [...document.errors, ...document.warnings]
      if (problems.length > 0) {
        found.push({ at, errors: problems.map(({ message }) => ({ pointer: '', message })) })
        continue
      }
      try {
        found.push(serverOf(document.toJS({ maxAliasCount: yamlAliasesMax }), at, text, from))
      } catch (error) {
        found.push(...unreadable(error).found)
      }
    }
    return found.length > 0 ? { found } : unreadable(new Error('there is nothing in it'))
  },
}

function serverOf(value: unknown, at: string, original: string, from: From): Found {
  if (!isObject(value)) return { at, errors: [{ pointer: '', message: 'expected a server' }] }
  const shape = new Shape()
  const name = shape.text(value, 'name')
  const type = shape.text(value, 'type')
  const about = shape.maybeObject(value, 'about') ?? {}
  const meta = shape.maybeObject(value, 'meta') ?? {}
  const source = shape.maybeObject(value, 'source') ?? {}
  const remote = shape.maybeObject(value, 'remote')
  const image = shape.maybeText(value, 'image')
  const project = shape.maybeText(source, 'project', ['source'])
  const commit = shape.maybeText(source, 'commit', ['source'])
  const settings = settingsOf(value, shape)
  const url = remote && shape.text(remote, 'url', ['remote'])
  if (type === 'remote' && remote === undefined) shape.wrong(['remote'], 'is missing')
  const entry = said({
    kind: kindServing('mcp').name,
    name,
    owner: ownerOf(project) ?? (image?.includes('/') ? image.slice(0, image.indexOf('/')) : undefined),
    display_name: shape.maybeText(about, 'title', ['about']),
    description: shape.maybeText(about, 'description', ['about'])?.trim(),
    icon: shape.maybeText(about, 'icon', ['about']),
    category: shape.maybeText(meta, 'category', ['meta']),
    tags: shape.texts(meta, 'tags', ['meta']),
    protocol: 'mcp',
    runtime: image === undefined ? undefined : 'docker',
    repository: project,
    integrity: /^[0-9a-f]{40}$/.test(commit ?? '') ? { git_sha1: commit } : undefined,
    packages: image === undefined ? undefined : [packageOf(image, settings)],
    endpoints: url === undefined ? undefined : [{ type: transportOf(remote as Json), url }],
    config: settings,
    _source: { source: 'docker-mcp', path: from.path, key: name },
  })
  if (name === undefined || shape.errors.length > 0) return { at, ...(name && { name }), errors: shape.errors }
  return { at, name, original, entry }
}

function ownerOf(project: string | undefined): string | undefined {
  if (project === undefined || !URL.canParse(project)) return undefined
  const [owner] = new URL(project).pathname.split('/').filter((part) => part !== '')
  return owner
}

function transportOf(remote: Json): string {
  return remote['transport_type'] === 'sse' ? 'sse' : 'streamable-http'
}

function packageOf(image: string, settings: readonly Json[]): Json {
  const environmentVariables = settings.map(({ name, description, required }) =>
    said({ name, description, isRequired: required }),
  )
  return said({ registryType: 'oci', identifier: image, transport: { type: 'stdio' }, environmentVariables })
}

/** Names of what must be set, never a value. */
function settingsOf(value: Json, shape: Shape): readonly Json[] {
  const config = shape.maybeObject(value, 'config') ?? {}
  const secrets = shape.objects(config, 'secrets', ['config'])
  const variables = shape.objects(config, 'env', ['config'])
  return [
    ...secrets.map((secret, n) =>
      said({
        name: shape.text(secret, 'env', ['config', 'secrets', n]),
        description: shape.maybeText(secret, 'description', ['config', 'secrets', n]),
        required: typeof secret['required'] === 'boolean' ? secret['required'] : undefined,
      }),
    ),
    ...variables.map((variable, n) =>
      said({
        name: shape.text(variable, 'name', ['config', 'env', n]),
        description: shape.maybeText(variable, 'description', ['config', 'env', n]),
      }),
    ),
  ]
}
