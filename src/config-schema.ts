/** The settings table as JSON Schema, for editors and for whoever checks a configuration before it is rolled out. */
import { LOG_LEVELS, SETTINGS, type Setting } from './config.ts'

export function configSchema(): Record<string, unknown> {
  const properties = Object.entries<Setting>(SETTINGS).map(([name, setting]) => [name, schemaOf(name, setting)])
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of Peerage',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  }
}

function schemaOf(name: string, { type, note, unit, default: usual }: Setting): Record<string, unknown> {
  const description = unit === undefined || name === 'log_level' ? note : `${note} (${unit})`
  // Folders of the user's are elsewhere on each machine.
  const known = usual !== undefined && type !== 'path' ? { default: usual } : {}
  return { description, ...valueSchema(name, type), ...known }
}

function valueSchema(name: string, type: Setting['type']): Record<string, unknown> {
  if (type === 'switch') return { type: 'boolean' }
  if (type === 'count') return { type: 'integer', minimum: 0, maximum: 999_999_999_999_999 }
  if (name === 'log_level') return { enum: LOG_LEVELS }
  if (type !== 'list') return { type: 'string', ...(name === 'url' && { pattern: '^https?://.' }) }
  const texts = { type: 'array', items: { type: 'string' } }
  if (name !== 'search_weights') return texts
  return { anyOf: [texts, { type: 'object', additionalProperties: { type: 'number' } }] }
}
