/**
 * The OpenAPI document in words: /openapi.md for people and agents, /llms.txt as a signpost. Made from the document
 * alone, so that it cannot say anything else. Routes that are the same for every kind are told once, with {kinds} for
 * the plural in their paths.
 */
import { kinds } from '../crdt/index.ts'
import { PROBLEMS } from './problem.ts'

type Part = Readonly<Record<string, unknown>>
type Operation = {
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly { readonly $ref: string }[]
  readonly requestBody?: { readonly description?: string; readonly content: Part }
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Part }>>
  readonly security: readonly unknown[]
}
type Item = { readonly method: string; readonly path: string; readonly operation: Operation }

export function openApiMarkdown(document: Part): string {
  const info = document['info'] as { title: string; version: string; description: string }
  const tags = document['tags'] as { name: string; description: string }[]
  const items = itemsOf(document)
  const sections = tags.flatMap((tag) => {
    const own = items.filter(({ operation }) => operation.tags[0] === tag.name)
    return own.length === 0
      ? []
      : [`## ${PLURALS.has(tag.name) ? 'Records' : titled(tag.name)}`, ...own.map((each) => textOf(each, document))]
  })
  return `${[
    `# ${info.title} ${info.version}`,
    info.description,
    'Machine-readable: [/openapi.json](/openapi.json).',
    '## Kinds',
    'Where a path says `{kinds}`, one of these stands. The paths without `/v1` answer the same.',
    table(
      ['{kinds}', 'of', 'what'],
      Object.values(kinds).map((kind) => [kind.plural, kind.name, kind.note]),
    ),
    ...sections,
    '## Fields',
    ...Object.values(kinds).map((kind) => fieldsOf(document, kind.name)),
    '## Problems',
    table(
      ['status', 'code', 'what to do'],
      Object.entries(PROBLEMS).map(([code, [status, , help]]) => [
        String(status),
        `[${code}](/problems/${code})`,
        help,
      ]),
    ),
  ].join('\n\n')}\n`
}

/** As llmstxt.org describes it: a title, a summary, lists of links. */
export function llmsText(document: Part): string {
  const info = document['info'] as { title: string; description: string }
  return `# ${info.title}

> ${info.description}

Records are read and searched without a token unless the operator has closed that. POST /v1/search with {"query": "..."} finds records of all kinds; GET /v1/{kinds}?field=value lists them; GET /v1/{kinds}/{id} reads one.

## The interface

- [In words](/openapi.md): every path, parameter and problem
- [OpenAPI 3.1](/openapi.json): the same for programs
- [Problems](/problems): what each error means and what to do

## Records

${Object.values(kinds)
  .map((kind) => `- [${kind.plural}](/v1/${kind.plural}): ${kind.note}`)
  .join('\n')}

## Optional

- [Changes](/v1/changes): every signed op in order of arrival, as JSON Lines or Server-Sent Events
- [Status](/v1/status): what this node is, holds and is connected to
`
}

const PLURALS = new Set<string>(Object.values(kinds).map((kind) => kind.plural))

/** In the order of the document; what another kind's route says already is left out. */
function itemsOf(document: Part): Item[] {
  const items: Item[] = []
  const seen = new Set<string>()
  for (const [path, methods] of Object.entries(document['paths'] as Record<string, Record<string, Operation>>)) {
    const [, plural = ''] = /^\/v1\/([a-z-]+)/.exec(path) ?? []
    for (const [method, operation] of Object.entries(methods)) {
      if (method === '$ref') continue
      const shown = PLURALS.has(plural) ? path.replace(`/v1/${plural}`, '/v1/{kinds}') : path
      if (seen.has(`${method} ${shown}`)) continue
      seen.add(`${method} ${shown}`)
      items.push({
        method: method.toUpperCase(),
        path: shown,
        operation: PLURALS.has(plural) ? general(operation, plural) : operation,
      })
    }
  }
  return items
}

/** "Reads a model" says less than "Reads a record". */
function general(operation: Operation, plural: string): Operation {
  const kind = Object.values(kinds).find((each) => each.plural === plural)
  if (kind === undefined) return operation
  const named = new RegExp(`\\b(an? )?(${kind.plural}|${kind.name})\\b`, 'g')
  const words = (text: string) =>
    text.replace(named, (_, article, name) => `${article ? 'a ' : ''}${name === kind.plural ? 'records' : 'record'}`)
  const responses = Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => [
      status,
      response.description === undefined ? response : { ...response, description: words(response.description) },
    ]),
  )
  return { ...operation, summary: words(operation.summary), responses }
}

function textOf({ method, path, operation }: Item, document: Part): string {
  const lines = [
    `### \`${method} ${path}\``,
    `${operation.summary}.${operation.security.length > 0 ? ' Needs a token that may write.' : ''}`,
  ]
  const taken = (operation.parameters ?? []).map(({ $ref }) => resolve(document, $ref))
  if (taken.length > 0)
    lines.push(taken.map((each) => `- \`${each['name']}\` (${each['in']}): ${each['description']}`).join('\n'))
  const body = operation.requestBody
  if (body !== undefined) {
    const types = Object.keys(body.content).map((type) => `\`${type}\``)
    lines.push(`Body: ${types.join(' or ')}. ${body.description ?? ''}`.trimEnd())
  }
  const answers = Object.entries(operation.responses).filter(([, response]) => !('$ref' in response))
  lines.push(answers.map(([status, response]) => `- ${status}: ${response.description}`).join('\n'))
  return lines.join('\n\n')
}

function fieldsOf(document: Part, name: string): string {
  const schema = resolve(document, `#/components/schemas/${name}`)
  const fields = Object.entries((schema['properties'] ?? {}) as Record<string, Part>)
  const rows = fields.map(([field, about]) => [`\`${field}\``, typeOf(about), String(about['description'] ?? '')])
  return `### ${titled(name)}\n\n${table(['field', 'type', 'what'], rows)}`
}

function typeOf(schema: Part): string {
  if (schema['anyOf'] !== undefined || schema['oneOf'] !== undefined) {
    return ((schema['anyOf'] ?? schema['oneOf']) as Part[]).map(typeOf).join(' or ')
  }
  if (schema['enum'] !== undefined) return (schema['enum'] as unknown[]).map((value) => `\`${value}\``).join(', ')
  if (schema['type'] === 'array') return `list of ${typeOf((schema['items'] ?? {}) as Part)}`
  return String(schema['type'] ?? 'any')
}

function resolve(document: Part, ref: string): Part {
  return ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, part) => (at as Part)[part.replaceAll('~1', '/').replaceAll('~0', '~')], document) as Part
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function titled(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
