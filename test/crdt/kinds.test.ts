import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  type Field,
  fieldAt,
  fieldsOf,
  findField,
  type Kind,
  kindOf,
  kindOfPlural,
  kinds,
  type Model,
  pluralOf,
  RESERVED_FIELDS,
} from '../../crdt/index.ts'
import { isKind } from '../../crdt/names.ts'

const all = Object.values(kinds)
const table = (name: string): Kind => kindOf(name) as Kind

test('there are nine kinds, each found by its name and by its plural', () => {
  expect(Object.keys(kinds).sort()).toEqual(
    ['agent', 'algorithm', 'capability', 'model', 'persona', 'service', 'template', 'tool', 'workflow'].sort(),
  )
  for (const kind of all) {
    expect(kindOf(kind.name)).toBe(kind)
    expect(kindOfPlural(kind.plural)).toBe(kind)
    expect(pluralOf(kind.name)).toBe(kind.plural)
    expect(isKind(kind.name)).toBe(true)
  }
  expect(kindOf('toString')).toBeUndefined()
  expect(kindOfPlural('__proto__')).toBeUndefined()
  expect(pluralOf('gadget')).toBe('gadget')
})

test('a kind is one file and one line: every file in crdt/kinds but the shared ones is in the index', () => {
  const index = readFileSync(resolve(import.meta.dirname, '../../crdt/kinds/index.ts'), 'utf8')
  for (const { name } of all) expect(index).toContain(`from './${name}.ts'`)
})

describe.each(all)('$name', (kind) => {
  test('every field fits the vocabulary', () => {
    for (const { path, field } of fieldsOf(kind)) {
      const at = `${kind.name} ${path.join('/')}`
      expect(field.note, at).not.toBe('')
      if (field.merge === 'set') expect(field.type, at).toBe('list')
      if (field.merge === 'text') expect(field.type, at).toBe('string')
      if (field.merge === 'map') expect(field.type, at).toBe('map')
      if (field.type === 'enum') expect(field.values, at).toBeDefined()
      if (field.fields !== undefined) expect(field.type, at).toBe('map')
      if (field.items !== undefined) expect([field.type, ...(field.accepts ?? [])], at).toContain('list')
      if (field.also !== undefined) expect(kind.fields[field.also]?.search, at).toBe('value')
      if (field.facet) expect(field.search, at).toBe('value')
    }
  })

  test('no field takes a name that the register keeps for itself', () => {
    for (const name of Object.keys(kind.fields)) expect(RESERVED_FIELDS).not.toContain(name)
  })

  test('has a name to search for, a provider, and both licence fields', () => {
    expect(kind.fields['name']?.search).toBe('name')
    expect(kind.fields['provider']?.search).toBe('value')
    expect(kind.fields['license']?.also).toBe('licenses')
    expect(kind.fields['licenses']?.merge).toBe('set')
    expect(kind.fields['provenance']?.type).toBe('list')
  })
})

// The registry plan that the product grows from names these fields and values.
const RESOURCES = [
  'min_vcpus',
  'recommended_vcpus',
  'min_memory_mb',
  'recommended_memory_mb',
  'min_disk_gb',
  'recommended_disk_gb',
]
const SHARED = [
  'name',
  'version',
  'description',
  'license',
  'framework',
  'tags',
  'created_at',
  'updated_at',
  'formfile_template',
  'resource_requirements',
  'capabilities',
]

test('model and agent have every field and value of the registry plan', () => {
  const model = table('model')
  const agent = table('agent')
  for (const name of [
    ...SHARED,
    'model_type',
    'parameters',
    'quantization',
    'context_length',
    'input_tokens_per_second',
    'output_tokens_per_second',
  ]) {
    expect(Object.keys(model.fields)).toContain(name)
  }
  for (const name of [...SHARED, 'agent_type', 'compatible_model_types', 'preferred_models', 'tools']) {
    expect(Object.keys(agent.fields)).toContain(name)
  }
  for (const name of [...RESOURCES, 'requires_gpu', 'min_vram_gb', 'cuda_cores', 'tensor_cores']) {
    expect(fieldAt(model, ['resource_requirements', name])).toBeDefined()
  }
  for (const name of RESOURCES) expect(fieldAt(agent, ['resource_requirements', name])).toBeDefined()
  expect(model.idAlias).toBe('model_id')
  expect(agent.idAlias).toBe('agent_id')
  expect(model.fields['model_type']?.values).toEqual([
    'LLM',
    'Embedding',
    'Multimodal',
    'AudioProcessing',
    'ImageGeneration',
  ])
  expect(model.fields['framework']?.values).toEqual(['PyTorch', 'TensorFlow', 'ONNX', 'JAX', 'CoreML'])
  expect(model.fields['quantization']?.values).toEqual(['FP32', 'FP16', 'BF16', 'INT8', 'INT4', 'GPTQ', 'GGUF', 'AWQ'])
  expect(agent.fields['framework']?.values).toEqual([
    'LangChain',
    'AutoGPT',
    'CrewAI',
    'LlamaIndex',
    'BabyAGI',
    'CustomRust',
    'CustomPython',
    'CustomJS',
  ])
  expect(agent.fields['agent_type']?.values).toEqual([
    'Chatbot',
    'Assistant',
    'DataAnalyst',
    'CodeGenerator',
    'ContentCreator',
    'Researcher',
  ])
})

// Manifests of the file registry that came before.
test('the manifests of models, algorithms and services have their fields', () => {
  const manifest = [
    'provider',
    'version',
    'license',
    'description',
    'download',
    'integrity',
    'compat',
    'configurable',
    'auto_update',
    'admin_approval_required',
  ]
  for (const name of [...manifest, 'release_date', 'modality', 'access', 'resources'])
    expect(table('model').fields[name]).toBeDefined()
  for (const name of [...manifest, 'category']) expect(table('service').fields[name]).toBeDefined()
  for (const name of [
    'type',
    'entrypoint',
    'inputs',
    'outputs',
    'depends_on',
    'compat',
    'policies',
    'version',
    'integrity',
  ]) {
    expect(table('algorithm').fields[name]).toBeDefined()
  }
  expect(fieldAt(table('model'), ['download', 'install_script'])).toBeDefined()
})

test('a field is found by its path, by a JSON Pointer, and by its last segment where that is unique', () => {
  const model = table('model')
  const vram = ['resource_requirements', 'min_vram_gb']
  expect(findField(model, 'min_vram_gb')?.path).toEqual(vram)
  expect(findField(model, 'resource_requirements.min_vram_gb')?.path).toEqual(vram)
  expect(findField(model, '/resource_requirements/min_vram_gb')?.path).toEqual(vram)
  expect(findField(model, 'tags')?.path).toEqual(['tags'])
  // modality.input and cost.input
  expect(findField(model, 'input')).toBeUndefined()
  expect(findField(model, 'toString')).toBeUndefined()
  expect(findField(model, '__proto__')).toBeUndefined()
  expect(fieldAt(model, ['cost', 'input', 'deeper'])).toBeUndefined()
  expect(fieldAt(undefined, ['name'])).toBeUndefined()
})

test('from the table comes the TypeScript type: all optional, enums open, maps nested', () => {
  expectTypeOf<Model['context_length']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<{ readonly Other: string }>().toExtend<Model['model_type']>()
  expectTypeOf<'LLM'>().toExtend<Model['model_type']>()
  expectTypeOf<readonly string[]>().toExtend<Model['tags']>()
  const model: Model = {
    model_type: 'a type nobody listed',
    resource_requirements: { min_vram_gb: 0.5 },
    cost: { prompt: '3e-8', input: -1 },
    modality: ['text'],
  }
  expect(model.resource_requirements?.min_vram_gb).toBe(0.5)
  // @ts-expect-error a context window is a number
  const wrong: Model = { context_length: 'long' }
  expect(wrong).toBeDefined()
})

test('every field of a kind is listed with its path', () => {
  const field: Field = { type: 'string', merge: 'text', note: 'A note.' }
  expect(fieldsOf({ name: 'x', plural: 'xs', note: '', fields: { a: field } })).toEqual([{ path: ['a'], field }])
})
