import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  type Doc,
  type Kind,
  kindOf,
  kinds,
  recordSchemaOf,
  schemaOf,
  toJson,
  validate,
  valueToJson,
} from '../../crdt/index.ts'
import { sample } from '../../src/sample/index.ts'
import { History } from '../support/author-history.ts'
import { catalogueFiles, leftOut, readCatalogue } from '../support/catalogue-files.ts'

/** Somebody else's reading of the schema. */
const reader = (schema: unknown) => z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
const readers = new Map(Object.values(kinds).map((kind) => [kind.name, reader(schemaOf(kind))]))
const model = kindOf('model') as Kind

describe.each(Object.values(kinds))('$name', (kind) => {
  test('the schema describes every field, asks for none, and lets others through', () => {
    const schema = schemaOf(kind) as Record<string, unknown>
    expect(Object.keys(schema['properties'] as object)).toEqual(Object.keys(kind.fields))
    expect(schema['required']).toBeUndefined()
    expect(schema['additionalProperties']).toBe(true)
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema)
    expect(readers.get(kind.name)?.safeParse({}).success).toBe(true)
  })

  test('the schema of a record takes what toJson gives', () => {
    const { doc } = sample.find((record) => record.kind === kind.name) as { doc: Doc }
    const view = JSON.parse(JSON.stringify(toJson(new History(kind, doc).merged(), kind)))
    const read = reader(recordSchemaOf(kind)).safeParse(view)
    expect(read.error?.issues ?? []).toEqual([])
    expect(reader(recordSchemaOf(kind)).safeParse({ ...view, id: 'x' }).success).toBe(false)
  })
})

test.each<[string, Doc]>([
  ['enums', { model_type: 'LLM' }],
  ['open enums', { model_type: { Other: 'x' } }],
  ['enums with more', { model_type: { Other: 'x', more: 1 } }],
  ['exact prices', { cost: { prompt: '3e-8' } }],
  ['inexact prices', { cost: { prompt: 'cheap' } }],
  ['fractions of memory', { resource_requirements: { min_vram_gb: 0.5 } }],
  ['negative memory', { resource_requirements: { min_vram_gb: -0.5 } }],
  ['lists in place of maps', { modality: ['text'] }],
  ['texts in place of maps', { modality: 'text' }],
  ['null', { tags: null, parameters: null }],
  ['wrong items', { tags: ['a', 1] }],
  ['unknown fields', { colour: { a: 1 } }],
])('schema and validator agree about %s', (_, doc) => {
  expect(readers.get('model')?.safeParse(doc).success).toBe(validate(model, doc).length === 0)
})

test.skipIf(catalogueFiles === undefined)(`real records fit their schemas${leftOut}`, async () => {
  const { records } = await readCatalogue(catalogueFiles as readonly string[])
  const some = records.filter((_, i) => i % 20 === 0)
  expect(some.length).toBeGreaterThan(1000)
  for (const { kind, doc, slug } of some) {
    const read = readers.get(kind)?.safeParse(JSON.parse(JSON.stringify(valueToJson(doc))))
    expect(read?.error?.issues ?? [], slug).toEqual([])
  }
})
