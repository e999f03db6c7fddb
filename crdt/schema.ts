/**
 * A kind's table as JSON Schema 2020-12, which is what OpenAPI 3.1 takes. The schemas describe what `validate`
 * accepts, no less and no more: every field optional and nullable, unknown fields allowed.
 */

import type { Json, JsonObject } from './json.ts'
import type { Field, FieldType, Items, Kind } from './kind.ts'

/** The body of a registration or replacement: the kind's fields, and any other. */
export function schemaOf(kind: Kind): JsonObject {
  return { title: titleOf(kind), description: kind.note, ...mapSchema(kind.fields) }
}

/** A record as it is returned: the same fields, and what the register says about it. */
export function recordSchemaOf(kind: Kind): JsonObject {
  const { properties } = mapSchema(kind.fields)
  const alias = kind.idAlias === undefined ? {} : { [kind.idAlias]: { ...REGISTER['id'], description: 'The same id.' } }
  return {
    title: `${titleOf(kind)}Record`,
    description: `${kind.note} With what the register says about it.`,
    type: 'object',
    required: ['id', 'owner_id', 'kind', 'heads', 'registered_at', 'changed_at'],
    properties: { ...(properties as JsonObject), ...REGISTER, ...alias, kind: { type: 'string', const: kind.name } },
    additionalProperties: true,
  }
}

const TIME = { type: 'integer', description: 'ms since 1970.' } as const

const REGISTER: { readonly [key: string]: JsonObject } = {
  id: { type: 'string', pattern: '^[0-9a-f]{64}$', description: "The record's id." },
  owner_id: { type: 'string', description: 'DID of the owner.' },
  slug: { type: 'string', description: "What the owner calls it; unique among the owner's records of the kind." },
  heads: { type: 'array', items: { type: 'string' }, description: 'Ids (CIDs) of the ops nothing builds on yet.' },
  registered_at: TIME,
  changed_at: TIME,
  conflicts: {
    type: 'object',
    description: 'By JSON Pointer: the values written at the same time, the shown one first.',
    additionalProperties: {
      type: 'array',
      items: {
        type: 'object',
        required: ['actor', 'w', 'op'],
        properties: {
          value: { description: 'What this side says; missing when it says absent.' },
          absent: { type: 'boolean', const: true },
          pointer: { type: 'string', description: 'When this side stands at another place.' },
          member: { description: 'The member of a set that it is about.' },
          actor: { type: 'string', description: 'DID of who says so.' },
          w: TIME,
          op: { type: 'string', description: 'Id (CID) of the op.' },
        },
      },
    },
  },
  equivocation: {
    type: 'boolean',
    const: true,
    description: 'A key signed two ops on equal parents; its heads list them.',
  },
  incomplete: { type: 'boolean', const: true, description: 'The body of an op is not held here.' },
  invalid_fields: {
    type: 'array',
    description: 'Fields that do not fit; they are kept and left out of search.',
    items: {
      type: 'object',
      required: ['pointer', 'message'],
      properties: { pointer: { type: 'string' }, message: { type: 'string' } },
    },
  },
}

/** `ml-model` is MlModel. */
function titleOf(kind: Kind): string {
  return kind.name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}

function mapSchema(fields: Readonly<Record<string, Field>> | undefined): JsonObject {
  if (fields === undefined) return { type: 'object', additionalProperties: true }
  const properties = Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, fieldSchema(field)]))
  return { type: 'object', properties, additionalProperties: true }
}

function fieldSchema(field: Field): JsonObject {
  const note = field.unit === undefined ? field.note : `${field.note} Unit: ${field.unit}.`
  return { description: note, ...shapes([field.type, ...(field.accepts ?? [])], field) }
}

function shapes(types: readonly FieldType[], of: Items | Field): JsonObject {
  if (types.includes('any')) return {}
  return { anyOf: [...types.map((type) => shape(type, of)), { type: 'null' }] }
}

function shape(type: FieldType, of: Items | Field): JsonObject {
  const bound: JsonObject = 'minimum' in of && of.minimum !== undefined ? { minimum: of.minimum } : {}
  switch (type) {
    case 'string':
      return { type: 'string' }
    case 'integer':
    case 'number':
      return { type, ...bound }
    case 'decimal':
      return {
        anyOf: [
          { type: 'number', ...bound },
          { type: 'string', pattern: DECIMAL_PATTERN },
        ],
      }
    case 'boolean':
      return { type: 'boolean' }
    case 'list':
      return { type: 'array', ...itemsSchema('items' in of ? of.items : undefined) }
    case 'map':
      return mapSchema(of.fields)
    case 'enum':
      return { anyOf: [{ type: 'string', examples: [...(of.values ?? [])] }, OTHER] }
    case 'any':
      return {}
  }
}

/** The same as validate's, without flags. */
const DECIMAL_PATTERN = '^[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d{1,4})?$'

const OTHER: Json = {
  type: 'object',
  description: 'A value outside the list, as an open enum writes it.',
  properties: { Other: { type: 'string' } },
  required: ['Other'],
  additionalProperties: false,
}

function itemsSchema(items: Field['items']): JsonObject {
  if (items === undefined) return {}
  const of: Items = typeof items === 'string' ? { type: items } : items
  return { items: shapes([of.type], of) }
}
