import { expect, test } from 'vitest'
import { oddities, skeleton } from '../../../api/pages/oddities.ts'

test('flags words that mix scripts which look alike, turned and unseen characters', () => {
  expect(oddities('p\u0430ypal')).toEqual(['mixes Latin and Cyrillic letters in a word'])
  expect(oddities('g\u03bfogle')).toEqual(['mixes Latin and Greek letters in a word'])
  expect(oddities('a\u202etxt.exe')).toEqual(['turns the direction of text'])
  expect(oddities('open\u200bai')).toEqual(['holds characters that cannot be seen'])
  expect(oddities('Z\u0351\u036b\u0343\u036aalgo')).toEqual(['stacks marks on a letter'])
})

test('leaves alone what people call things', () => {
  for (const name of [
    'Llama-3.1-8B-Instruct',
    'DeepSeek 深度求索',
    'Qwen2.5のモデル',
    '中日双语翻译专家',
    'Модель для GPT',
    'β-VAE',
    'naïve café',
    'Ελληνικά',
    '👩‍👩‍👧‍👦 family',
    'क्षत्रिय',
    'مدل زبان فارسی',
    '한국어 LLM',
  ]) {
    expect(oddities(name), name).toEqual([])
  }
})

test('names that are easily taken for each other have one skeleton, others have not', () => {
  for (const [a, b] of [
    ['OpenAI', '\u041e\u0440enAI'],
    ['google', 'g00gle'],
    ['microsoft', 'rnicrosoft'],
    ['mistral-ai', 'Mistral_AI'],
    ['meta', 'm\u00e9ta'],
    ['paypal', '\u0440\u0430\u0443\u0440\u0430\u04cf'],
  ] as const) {
    expect(skeleton(b), `${a} and ${b}`).toBe(skeleton(a))
  }
  expect(skeleton('qwen')).not.toBe(skeleton('gwen'))
  expect(skeleton('openai')).not.toBe(skeleton('openchat'))
})
