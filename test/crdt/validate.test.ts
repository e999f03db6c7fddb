import { describe, expect, test } from 'vitest'
import { type Doc, fitting, INVALID_FIELDS_MAX, type Kind, kindOf, kinds, otherOf, validate } from '../../crdt/index.ts'
import { sample } from '../../src/sample/index.ts'
import { catalogueFiles, leftOut, readCatalogue } from '../support/catalogue-files.ts'

const model = kindOf('model') as Kind
const tool = kindOf('tool') as Kind
const at = (kind: Kind, doc: Doc) => validate(kind, doc).map(({ pointer }) => pointer)

test('an empty document fits every kind', () => {
  for (const kind of Object.values(kinds)) expect(validate(kind, {})).toEqual([])
})

test.each<[string, Doc]>([
  ['a listed enum value', { model_type: 'LLM' }],
  ['an unlisted enum value in the written form', { model_type: { Other: 'fill-mask' } }],
  ['an unlisted enum value as a bare text', { model_type: 'fill-mask' }],
  ['fractional memory', { resource_requirements: { min_vram_gb: 0.5 } }],
  ['several frameworks, listed or not', { frameworks: ['PyTorch', { Other: 'mlx' }, 'keras'] }],
  ['several licences', { licenses: ['MIT', 'Apache-2.0'] }],
  ['a licence outside SPDX', { license: 'llama3.1' }],
  ['a context of nothing', { context_length: 0 }],
  ['a huge context', { context_length: 99_999_999 }],
  [
    'prices as texts, with exponents, negative, zero',
    { cost: { prompt: '3e-8', completion: '-1', input: 0, output: -0.5 } },
  ],
  ['modality as a list', { modality: ['text', 'image'] }],
  ['null for any field', { quantization: null, resource_requirements: { min_vram_gb: null } }],
  ['unknown fields of any shape', { colour: { deep: [1, { a: null }] }, resource_requirements: { fans: 'two' } }],
  ['unknown fields named like parts of every object', { constructor: 1, toString: 'x', hasOwnProperty: [] }],
])('%s fits', (_, doc) => {
  expect(validate(model, doc)).toEqual([])
  expect(fitting(model, doc)).toBe(doc)
})

test.each<[string, Doc, string, string]>([
  [
    'a text where a number is wanted',
    { context_length: '128k' },
    '/context_length',
    'expected a whole number, got the text "128k"',
  ],
  ['a fraction where a whole number is wanted', { parameters: 1.5 }, '/parameters', 'expected a whole number, got 1.5'],
  ['less than the least', { downloads: -1 }, '/downloads', 'expected at least 0, got -1'],
  ['a number where a text is wanted', { description: 7 }, '/description', 'expected a text, got 7'],
  ['a text where a list is wanted', { tags: 'a, b' }, '/tags', 'expected a list, got the text "a, b"'],
  ['a wrong item', { tags: ['a', 2] }, '/tags/1', 'expected a text, got 2'],
  [
    'a wrong field of a map',
    { resource_requirements: { requires_gpu: 'yes' } },
    '/resource_requirements/requires_gpu',
    'expected true or false, got the text "yes"',
  ],
  ['a list where a map is wanted', { cost: [1] }, '/cost', 'expected a map, got a list'],
  [
    'a price that is no number',
    { cost: { input: 'cheap' } },
    '/cost/input',
    'expected a number, also written as a text, got the text "cheap"',
  ],
  [
    'an enum with a second key',
    { model_type: { Other: 'x', more: 1 } },
    '/model_type',
    'expected a text or {"Other": text}, got a map',
  ],
  [
    'what none of several shapes takes',
    { modality: 'text' },
    '/modality',
    'expected a map, or a list, got the text "text"',
  ],
  ['bytes where a text is wanted', { version: new Uint8Array(2) }, '/version', 'expected a text, got bytes'],
])('%s does not fit, and the message says where and why', (_, doc, pointer, message) => {
  expect(validate(model, doc)).toEqual([{ pointer, message }])
})

test('a pointer escapes what stands in a key', () => {
  const kind: Kind = {
    name: 'x',
    plural: 'xs',
    note: '',
    fields: { 'a/b~c': { type: 'string', merge: 'register', note: '' } },
  }
  expect(at(kind, { 'a/b~c': 1 })).toEqual(['/a~1b~0c'])
})

test('all misfits are told at once, up to a bound', () => {
  expect(at(model, { parameters: 'x', tags: 1, cost: { input: true, output: [] } }).sort()).toEqual(
    ['/cost/input', '/cost/output', '/parameters', '/tags'].sort(),
  )
  expect(validate(model, { tags: Array.from({ length: 1000 }, (_, i) => i) })).toHaveLength(INVALID_FIELDS_MAX)
})

test('a kind without a table knows no field', () => {
  expect(validate(undefined, { name: 7 })).toEqual([])
})

describe('fitting', () => {
  test('leaves out just the fields that do not fit, and a whole list for one item', () => {
    const doc = {
      name: 'x',
      tools: [{ name: 'ok' }, { name: 3 }],
      integrity: { bytes: 'many', sha256: 'ab' },
      extra: 1,
    }
    expect({ ...fitting(tool, doc) }).toEqual({ name: 'x', integrity: { sha256: 'ab' }, extra: 1 })
  })

  test('leaves out more than are told at once', () => {
    const fields = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`f${i}`, { type: 'string', merge: 'register', note: '' } as const]),
    )
    const doc = Object.fromEntries(Object.keys(fields).map((key) => [key, 1]))
    expect(Object.keys(fitting({ name: 'x', plural: 'xs', note: '', fields }, doc))).toEqual([])
  })
})

test('the text of {"Other": text} and of nothing else', () => {
  expect(otherOf({ Other: 'x' })).toBe('x')
  expect(otherOf({ Other: 1 })).toBeUndefined()
  expect(otherOf({ Other: 'x', y: 1 })).toBeUndefined()
  expect(otherOf('x')).toBeUndefined()
})

test('the sample catalogue fits, has about a hundred records of all kinds, and says who provides them', () => {
  expect(sample.length).toBeGreaterThan(90)
  expect(new Set(sample.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)))
  expect(new Set(sample.map(({ kind, slug }) => `${kind} ${slug}`)).size).toBe(sample.length)
  for (const { kind, slug, doc } of sample) {
    expect(validate(kindOf(kind), doc), slug).toEqual([])
    const unknown = Object.keys(doc).filter((key) => !Object.hasOwn((kindOf(kind) as Kind).fields, key))
    expect(unknown, slug).toEqual([])
  }
})

test.skipIf(catalogueFiles === undefined)(`real records all fit${leftOut}`, async () => {
  const { records } = await readCatalogue(catalogueFiles as readonly string[])
  const misfits = new Map<string, number>()
  for (const { kind, doc } of records) {
    for (const { pointer } of validate(kindOf(kind), doc)) {
      const place = `${kind} ${pointer.replace(/\d+/g, 'n')}`
      misfits.set(place, (misfits.get(place) ?? 0) + 1)
    }
  }
  expect(records.length).toBeGreaterThan(20_000)
  expect(Object.fromEntries(misfits)).toEqual({})
})
