/** Models as the API of the Hugging Face hub describes them: one, a list, or its pages. */
import { kindServing, MODEL_TASKS } from '../../crdt/index.ts'
import { type Converter, type Found, type From, type Part, unreadable } from './converter.ts'
import { partsOf } from './parts.ts'
import { isObject, type Json, Shape, said, secondsOf } from './shape.ts'

export const hf: Converter = {
  files: /\.json(l)?$/i,

  /** The root of a hub stands for its models, the page of a model for what the API says of it. */
  begin(url) {
    if (url.pathname.startsWith('/api/')) return url
    const list = new URL(url.pathname === '/' ? '/api/models' : `/api/models${url.pathname}`, url)
    list.search = url.search
    if (url.pathname === '/') {
      if (!list.searchParams.has('limit')) list.searchParams.set('limit', '500')
      list.searchParams.set('full', 'true')
      list.searchParams.set('cardData', 'true')
    }
    return list
  },

  convert(text, from) {
    let parts: readonly Part[]
    try {
      parts = partsOf(text)
    } catch (error) {
      return unreadable(error)
    }
    return { found: parts.map((part) => modelOf(part, from)), ...(from.link !== undefined && { next: from.link }) }
  },
}

function modelOf({ at, value }: Part, from: From): Found {
  if (!isObject(value)) return { at, errors: [{ pointer: '', message: 'expected a model' }] }
  const shape = new Shape()
  const id = shape.text(value, value['id'] === undefined && value['modelId'] !== undefined ? 'modelId' : 'id')
  const tags = shape.texts(value, 'tags')
  const card = shape.maybeObject(value, 'cardData') ?? {}
  const safetensors = shape.maybeObject(value, 'safetensors')
  const facts = {
    version: undefined,
    model_type: typeOf(shape.maybeText(value, 'pipeline_tag')),
    downloads: shape.maybeNumber(value, 'downloads'),
    likes: shape.maybeNumber(value, 'likes'),
    created_at: secondsOf(shape.maybeText(value, 'createdAt')),
    updated_at: secondsOf(shape.maybeText(value, 'lastModified')),
    parameters: safetensors && shape.maybeNumber(safetensors, 'total', ['safetensors']),
  }
  const sha = shape.maybeText(value, 'sha')
  if (id === undefined || shape.errors.length > 0) return { at, ...(id && { name: id }), errors: shape.errors }
  if (value['private'] === true) return { at, name: id, skipped: 'it is private' }
  const slash = id.indexOf('/')
  return {
    at,
    name: id,
    entry: said({
      kind: kindServing('hub').name,
      name: id.slice(slash + 1),
      owner: slash < 0 ? undefined : id.slice(0, slash),
      ...facts,
      ...licenceOf(card, tags),
      ...frameworksOf(tags),
      tags: tags.filter((tag) => !/^(license|region):/.test(tag)),
      base_model: firstText(card['base_model']),
      hugging_face_id: id,
      homepage: from.url === undefined ? undefined : new URL(`/${id}`, from.url).href,
      access: value['gated'] === undefined || value['gated'] === false ? undefined : 'gated',
      integrity: sha === undefined ? undefined : { git_sha1: sha },
      _source: { source: 'huggingface', path: from.path, key: id },
    }),
  }
}

/** In the seed's words where it has one, else the task itself. */
function typeOf(task: string | undefined): unknown {
  if (task === undefined) return undefined
  return Object.entries(MODEL_TASKS).find(([, tasks]) => tasks.includes(task))?.[0] ?? { Other: task }
}

function firstText(value: unknown): string | undefined {
  const first = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' && first !== '' ? first : undefined
}

function licenceOf(card: Json, tags: readonly string[]): Json {
  const { license } = card
  const named = (Array.isArray(license) ? license : [license]).filter((name) => typeof name === 'string' && name !== '')
  const tagged = tags.filter((tag) => tag.startsWith('license:')).map((tag) => tag.slice('license:'.length))
  const all = [...new Set(named.length > 0 ? named : tagged)]
  return all.length > 1 ? { licenses: all } : { license: all[0] }
}

const FRAMEWORKS: Readonly<Record<string, string>> = {
  pytorch: 'PyTorch',
  tf: 'TensorFlow',
  jax: 'JAX',
  onnx: 'ONNX',
  coreml: 'CoreML',
}

function frameworksOf(tags: readonly string[]): Json {
  const all = tags.flatMap((tag) => FRAMEWORKS[tag] ?? [])
  return all.length > 1 ? { frameworks: all } : { framework: all[0] }
}
