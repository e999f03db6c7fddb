/** A record as the model entry of the Hugging Face hub's API, as far as the record says it. */
import { type Doc, type Merged, MODEL_TASKS, otherOf, type Value, valueToJson } from '../../crdt/index.ts'
import { numberOf, textOf, textsOf } from './fields.ts'

const TASKS: Readonly<Record<string, readonly string[]>> = MODEL_TASKS

/** The model type in which a task is registered. */
export function typeOfTask(task: string): string {
  return Object.keys(TASKS).find((type) => TASKS[type]?.includes(task)) ?? task
}

/** A type with several tasks says which by a tag. */
export function taskOf(doc: Doc): string | undefined {
  const type = doc['model_type']
  const name = typeof type === 'string' ? type : otherOf(type)
  if (name === undefined) return undefined
  const tasks = TASKS[name]
  if (tasks === undefined) return name
  const tags = new Set(textsOf(doc['tags']))
  return tasks.find((task) => tags.has(task)) ?? tasks[0]
}

/** `provider/name`; the name alone where nobody is named. */
export function modelIdOf({ doc, slug = '' }: Merged): string {
  const name = textOf(doc['name']) ?? slug
  const provider = textOf(doc['provider'])
  return provider === undefined ? name : `${provider}/${name}`
}

export type HubModel = Readonly<Record<string, unknown>>

/** What a list gives without being asked for more. */
const STANDARD = ['tags', 'library_name', 'createdAt', 'author', 'sha'] as const

/** The entry with the keys that are always there and those of `expand` that the record can fill. */
export function hubModel(record: Merged, expand: readonly string[]): HubModel {
  const { doc } = record
  const id = modelIdOf(record)
  const task = taskOf(doc)
  const known = expandable(record)
  const wanted = expand.length > 0 ? expand : STANDARD
  return {
    _id: record.record,
    id,
    modelId: id,
    private: false,
    gated: false,
    ...(task !== undefined && { pipeline_tag: task }),
    downloads: numberOf(doc['downloads']) ?? 0,
    likes: numberOf(doc['likes']) ?? 0,
    lastModified: timeOf(doc['updated_at']) ?? new Date(record.changedAt).toISOString(),
    ...Object.fromEntries(wanted.flatMap((key) => (known[key] === undefined ? [] : [[key, known[key]]]))),
  }
}

/** Everything, as for a single model. */
export const ALL_KEYS = [
  'author',
  'cardData',
  'createdAt',
  'library_name',
  'safetensors',
  'sha',
  'siblings',
  'tags',
  'disabled',
] as const

function expandable(record: Merged): Record<string, unknown> {
  const { doc } = record
  const tags = textsOf(doc['tags'])
  const licences = textOf(doc['license']) === undefined ? textsOf(doc['licenses']) : [doc['license'] as string]
  const parameters = numberOf(doc['parameters'])
  const library = LIBRARIES.find((name) => tags.includes(name))
  const base = textOf(doc['base_model'])
  const found: Record<string, unknown> = Object.create(null)
  found['author'] = textOf(doc['provider'])
  found['createdAt'] = timeOf(doc['created_at']) ?? new Date(record.registeredAt).toISOString()
  found['tags'] = [...new Set([...tags, ...licences.map((name) => `license:${name.toLowerCase()}`)])]
  found['sha'] = shaOf(doc)
  found['library_name'] = library
  found['siblings'] = []
  found['disabled'] = false
  found['safetensors'] = parameters === undefined ? undefined : { parameters: {}, total: parameters }
  found['cardData'] = {
    ...(licences.length > 0 && { license: licences.length === 1 ? licences[0] : licences }),
    ...(library !== undefined && { library_name: library }),
    ...(base !== undefined && { base_model: base }),
    ...(tags.length > 0 && { tags }),
    ...(textOf(doc['description']) !== undefined && { description: valueToJson(doc['description'] as Value) }),
  }
  return found
}

export function shaOf(doc: Doc): string | undefined {
  const integrity = doc['integrity']
  return typeof integrity === 'object' &&
    integrity !== null &&
    !Array.isArray(integrity) &&
    !(integrity instanceof Uint8Array)
    ? textOf((integrity as Doc)['git_sha1'])
    : undefined
}

const LIBRARIES = [
  'transformers',
  'diffusers',
  'sentence-transformers',
  'timm',
  'peft',
  'keras',
  'gguf',
  'mlx',
  'onnx',
  'flair',
  'spacy',
  'speechbrain',
  'nemo',
  'espnet',
  'adapter-transformers',
  'span-marker',
  'open_clip',
  'fastai',
  'stable-baselines3',
]

/** Seconds since 1970 as the hub writes times; undefined for what no date can hold. */
function timeOf(seconds: Value | undefined): string | undefined {
  if (typeof seconds !== 'number' || Math.abs(seconds) > 8.64e12) return undefined
  return new Date(seconds * 1000).toISOString()
}
