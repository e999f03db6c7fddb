/**
 * The work item of the benchmarks: a realistic record of about 870 bytes of JSON, deterministic in its number, the same
 * one that other systems were measured with.
 */
const WORDS = (
  'instruct chat reasoning code vision multilingual distilled finetuned base long-context safety tool-use agentic math ' +
  'medical legal retrieval embedding reranker speech translation summarisation extraction classification planning ' +
  'robotics finance science dialogue story'
).split(' ')
const OWNERS = [
  'meta',
  'mistral',
  'qwen',
  'deepseek',
  'google',
  'ibm',
  'nvidia',
  'cohere',
  'microsoft',
  'stability',
  'tii',
  'alibaba',
  'eleuther',
  'bigcode',
  'allenai',
  'lab',
]
const FRAMEWORKS = ['PyTorch', 'TensorFlow', 'ONNX', 'JAX', 'CoreML', 'GGUF']
const TYPES = ['LLM', 'Embedding', 'Multimodal', 'AudioProcessing', 'ImageGeneration']
const QUANTIZATIONS = ['FP32', 'FP16', 'BF16', 'INT8', 'INT4', 'GPTQ', 'AWQ']
const LICENSES = ['apache-2.0', 'mit', 'llama3.1', 'cc-by-nc-4.0', 'gpl-3.0', 'proprietary']

export const KIND = 'model'

export type BenchItem = { readonly kind: string; readonly slug: string; readonly doc: Record<string, unknown> }

export function benchItem(i: number, revision = 0): BenchItem {
  const random = mulberry(i * 7919 + revision * 104729 + 1)
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)] as string
  const distinct = (count: number) => {
    const found = new Set<string>()
    while (found.size < count) found.add(pick(WORDS))
    return [...found]
  }
  let description = ''
  while (description.length < 195) description += `${pick(WORDS)} `
  const time = 1_750_000_000_000 + i * 1000
  const owner = OWNERS[i % 16] as string
  return {
    kind: KIND,
    slug: `model/${owner}/m-${String(i).padStart(7, '0')}`,
    doc: {
      name: `${pick(WORDS)}-${pick(WORDS)}-${i}`,
      provider: owner,
      version: `${1 + Math.floor(random() * 4)}.${Math.floor(random() * 20)}.${revision}`,
      description: description.trim(),
      license: pick(LICENSES),
      model_type: pick(TYPES),
      framework: pick(FRAMEWORKS),
      parameters: Math.floor(random() * 4e11),
      quantization: pick(QUANTIZATIONS),
      context_length: 1024 << Math.floor(random() * 8),
      tags: distinct(8),
      capabilities: distinct(6),
      resource_requirements: {
        min_vcpus: 2,
        recommended_vcpus: 8,
        min_memory_mb: 8192,
        recommended_memory_mb: 32768,
        min_disk_gb: 20,
        recommended_disk_gb: 80,
        requires_gpu: true,
        min_vram_gb: 16,
      },
      created_at: time,
      updated_at: time + revision,
    },
  }
}

export function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state |= 0
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
