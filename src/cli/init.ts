/**
 * init: a manifest to fill in, made from the kind's table, so that it never says less than the software knows. Every
 * field but the name is a comment: what is not known stays out.
 */
import { writeFile } from 'node:fs/promises'
import { type Field, type Items, type Kind, kinds } from '../../crdt/index.ts'
import { closest } from '../closest.ts'
import { kindNamed } from '../reference.ts'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'

export async function run({ out, options }: Context, name: string): Promise<void> {
  const kind = kindNamed(name)
  if (kind === undefined) {
    const near = closest(name, Object.keys(kinds))
    const known = Object.keys(kinds).join(', ')
    throw new Failure(
      EXIT.usage,
      `unknown kind ${name}; ${near === undefined ? `expected one of ${known}` : `did you mean ${near}?`}`,
    )
  }
  const text = manifestOf(kind)
  if (options.out === undefined) return out.data(text.trimEnd())
  const path = options.out as string
  await writeFile(path, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    throw new Failure(EXIT.error, cause.code === 'EEXIST' ? `${path} exists already` : cause.message, { cause })
  })
  out.talk(`wrote ${path}; fill it in, then: peerage publish ${path}`)
}

export function manifestOf(kind: Kind): string {
  const lines = [
    `# ${kind.note}`,
    '# Publish it with: peerage publish FILE',
    '# Take the # away where you know something, and leave the rest: a field that is absent says nothing.',
    `kind: ${kind.name}`,
    '',
    '# What it is called in your namespace, for ever. Its name, when left out; may hold any characters.',
    '# slug: my-name/my-thing',
    '',
  ]
  for (const [name, field] of Object.entries(kind.fields)) {
    lines.push(...describe(name, field, 0))
    if (name === 'name') lines.push(`name: My ${kind.name}`)
    else lines.push(...example(name, field, 0).map(comment))
    lines.push('')
  }
  lines.push('# Fields that are not listed here are kept as you write them.')
  return `${lines.join('\n')}\n`
}

function describe(_name: string, field: Field, depth: number): string[] {
  const facts = [
    ...new Set([
      typeOf(field),
      field.unit,
      field.minimum === undefined ? undefined : `at least ${field.minimum}`,
      field.format,
    ]),
  ]
  const line = `# ${'  '.repeat(depth)}${field.note} (${facts.filter(Boolean).join(', ')})`
  const values = valuesOf(field)
  return values.length === 0 ? [line] : [line, `# ${'  '.repeat(depth)}One of ${values.join(', ')}, or any other.`]
}

function typeOf({ type, items, merge }: Field): string {
  if (merge === 'text') return 'text, several people may edit it at once'
  if (type !== 'list') return TYPES[type] ?? type
  const item = typeof items === 'string' ? items : items?.type
  return `list${item === undefined ? '' : ` of ${TYPES[item] ?? item}`}`
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  decimal: 'number, or text where digits count',
  boolean: 'true or false',
  enum: 'text',
}

function valuesOf(field: Field | Items): readonly string[] {
  if (field.values !== undefined) return field.values
  return 'items' in field && typeof field.items === 'object' ? valuesOf(field.items) : []
}

/** The lines of one field with a value that fits it. */
function example(name: string, field: Field, depth: number): string[] {
  const indent = '  '.repeat(depth)
  const inner = Object.entries(field.fields ?? {})
  if (inner.length === 0) return [`${indent}${name}: ${sample(field)}`]
  return [`${indent}${name}:`, ...inner.flatMap(([key, below]) => example(key, below, depth + 1))]
}

function sample(field: Field | Items): string {
  const [first] = valuesOf(field)
  switch (field.type) {
    case 'integer':
    case 'number':
      return String(Math.max(1, 'minimum' in field ? (field.minimum ?? 1) : 1))
    case 'decimal':
      return '"0.10"'
    case 'boolean':
      return 'true'
    case 'list': {
      const items = 'items' in field ? field.items : undefined
      return items === undefined ? '[]' : `[${sample(typeof items === 'string' ? { type: items } : items)}]`
    }
    case 'map':
      return '{}'
    case 'enum':
      return first ?? '...'
    default:
      return 'format' in field && field.format === 'uri' ? 'https://example.org/' : '...'
  }
}

function comment(line: string): string {
  return `# ${line}`
}
