/** api.json of models.dev: providers, and under each the models it serves. */
import { kindServing } from '../../crdt/index.ts'
import { type Converter, type Found, type From, unreadable } from './converter.ts'
import { isObject, Shape, said, secondsOf } from './shape.ts'

export const modelsDev: Converter = {
  files: /\.json$/i,

  /** The root of the site stands for its API. */
  begin(url) {
    return url.pathname === '/' ? new URL('/api.json', url) : url
  },

  convert(text, from) {
    let providers: unknown
    try {
      providers = JSON.parse(text)
    } catch (error) {
      return unreadable(error)
    }
    if (!isObject(providers))
      return { found: [{ at: '', errors: [{ pointer: '', message: 'expected providers by id' }] }] }
    return { found: Object.entries(providers).flatMap(([id, provider]) => modelsOf(id, provider, from)) }
  },
}

function modelsOf(id: string, provider: unknown, from: From): readonly Found[] {
  const at = `/${id.replaceAll('~', '~0').replaceAll('/', '~1')}`
  const { models } = isObject(provider) ? (provider as { readonly models?: unknown }) : {}
  if (!isObject(models))
    return [{ at, name: id, errors: [{ pointer: '', message: 'expected a provider with models' }] }]
  return Object.entries(models).map(([key, model]) => {
    const place = `${at}/models/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    return modelOf(id, key, model, place, from)
  })
}

function modelOf(provider: string, key: string, model: unknown, at: string, from: From): Found {
  const name = `${provider}/${key}`
  if (!isObject(model)) return { at, name, errors: [{ pointer: '', message: 'expected a model' }] }
  const shape = new Shape()
  const modalities = shape.maybeObject(model, 'modalities')
  const limit = shape.maybeObject(model, 'limit')
  const input = modalities ? shape.texts(modalities, 'input', ['modalities']) : []
  const output = modalities ? shape.texts(modalities, 'output', ['modalities']) : []
  const updated = shape.maybeText(model, 'last_updated')
  const released = shape.maybeText(model, 'release_date')
  const flags = Object.entries(FLAGS).flatMap(([flag, said]) => (model[flag] === true ? [said] : []))
  const entry = said({
    kind: kindServing('hub').name,
    name: key,
    owner: provider,
    display_name: shape.maybeText(model, 'name'),
    model_type: typeOf(input, output),
    context_length: limit && shape.maybeNumber(limit, 'context', ['limit']),
    max_output_tokens: limit && shape.maybeNumber(limit, 'output', ['limit']),
    modality: modalities && said({ input, output }),
    family: shape.maybeText(model, 'family'),
    release_date: released,
    knowledge: shape.maybeText(model, 'knowledge'),
    created_at: secondsOf(released),
    updated_at: secondsOf(updated),
    open_weights: typeof model['open_weights'] === 'boolean' ? model['open_weights'] : undefined,
    status: shape.maybeText(model, 'status'),
    capabilities: flags,
    cost: shape.maybeObject(model, 'cost'),
    _source: { source: 'models.dev', path: from.path, key: name },
  })
  return shape.errors.length > 0 ? { at, name, errors: shape.errors } : { at, name, entry }
}

const FLAGS: Readonly<Record<string, string>> = {
  attachment: 'attachment',
  reasoning: 'reasoning',
  tool_call: 'tool_call',
  structured_output: 'structured_output',
  temperature: 'temperature',
}

function typeOf(input: readonly string[], output: readonly string[]): unknown {
  if (output.includes('video')) return { Other: 'video-generation' }
  if (output.includes('image') && !output.includes('text')) return 'ImageGeneration'
  if (output.includes('audio') && !output.includes('text')) return 'AudioProcessing'
  if (output.length === 0) return undefined
  return input.some((one) => one !== 'text') || output.some((one) => one !== 'text') ? 'Multimodal' : 'LLM'
}
