/**
 * Records for the search benchmark, as many as wanted and the same every time: the real catalogue again and again under
 * other names, or made ones whose words are as unequally common as those of a language (Zipf).
 */
import type { Doc } from '../../crdt/index.ts'

export type BenchRecord = { readonly kind: string; readonly slug: string; readonly doc: Doc }
export type Source = (number: number) => BenchRecord

/** Copies after the first carry another last word in name and slug, and count other downloads. */
export function renamed(records: readonly BenchRecord[]): Source {
  return (number) => {
    const record = records[number % records.length] as BenchRecord
    const copy = Math.floor(number / records.length)
    if (copy === 0) return record
    const suffix = `-${wordOf(copy)}`
    const { name, downloads } = record.doc
    const doc = {
      ...record.doc,
      ...(typeof name === 'string' && { name: name + suffix }),
      ...(typeof downloads === 'number' && { downloads: Math.floor(downloads * (0.5 + random(number)())) }),
    }
    return { kind: record.kind, slug: record.slug + suffix, doc }
  }
}

const VOCABULARY = 300_000
const TYPES = ['LLM', 'Embedding', 'Multimodal', 'AudioProcessing', 'ImageGeneration', 'Reranker']
const LICENSES = ['apache-2.0', 'mit', 'other', 'llama3.1', 'cc-by-nc-4.0', 'gpl-3.0', 'openrail', 'gemma']

export function made(): Source {
  return (number) => {
    const next = random(number)
    const word = () => wordOf(Math.floor(VOCABULARY ** next()))
    const words = (count: number) => Array.from({ length: count }, word)
    const some = (from: readonly string[]) => from[Math.floor(from.length ** next()) - 1] as string
    const provider = wordOf(Math.floor(20_000 ** next()))
    const name = `${words(3).join('-')}-${number.toString(36)}`
    const doc = {
      name,
      provider,
      description: words(25).join(' '),
      license: some(LICENSES),
      model_type: some(TYPES),
      tags: [...new Set(words(5))],
      downloads: Math.floor(1e8 ** next()),
      context_length: 2 ** (11 + Math.floor(10 * next())),
      parameters: Math.floor(1e12 ** next()),
      updated_at: 1_600_000_000 + Math.floor(1.5e8 * next()),
      open_weights: next() < 0.7,
    }
    return { kind: 'model', slug: `${provider}/${name}`, doc }
  }
}

const SYLLABLES =
  'ba be bi co da di do fa ga go ka ki la le lo ma mi mo na ne ni pa pe ra re ri ro sa se si so ta te ti to va ve vi zo'.split(
    ' ',
  )

/** A word that can be said, another for each number; common ones are short. */
export function wordOf(number: number): string {
  let word = ''
  for (let left = number + SYLLABLES.length; left > 0; left = Math.floor(left / SYLLABLES.length)) {
    word += SYLLABLES[left % SYLLABLES.length]
  }
  return word
}

/** mulberry32: numbers from 0 to 1, the same for the same seed. */
export function random(seed: number): () => number {
  let state = (seed * 7919 + 12_345) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
