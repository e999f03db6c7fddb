import { expect, test } from 'vitest'
import { addWords, joined, stem, termsOf } from '../../node/search-text.ts'

test.each<[string, string[]]>([
  ['VirusTotal', ['virustotal', 'virus', 'total']],
  ['home-assistant', ['home', 'assistant', 'homeassistant']],
  ['Llama-3.1', ['llama', '3', '1', '3·1', '31']],
  ['gpt4o', ['gpt4o', 'gpt', '4']],
  ['Ünïcode Ｆｕｌｌ', ['unicode', 'full']],
  ['王阳明', ['王', '阳', '明', '王阳', '阳明']],
  ['Python开发', ['python', '开', '发', '开发']],
  ['… — !', []],
])('%s gives at least %j', (text, expected) => {
  const words = new Set<string>()
  addWords(text, words, 100, true)
  expect([...words]).toEqual(expect.arrayContaining(expected))
  if (expected.length === 0) expect(words.size).toBe(0)
})

test('forms of one English word have one stem', () => {
  for (const forms of [
    'negotiate negotiating negotiation negotiations',
    'detect detects detected detecting detection',
    'summary summaries',
    'plan',
  ])
    expect(new Set(forms.split(' ').map(stem)).size, forms).toBe(1)
})

test('spellings of one name have the same letters', () => {
  expect(new Set(['Meta-Llama 3.1', 'meta_llama-3-1', 'METALLAMA31'].map(joined)).size).toBe(1)
})

test('only the last word is still being typed, and not when a space follows or it is a stop word alone', () => {
  const prefixes = (query: string) => termsOf(query)?.map(({ prefix }) => prefix)
  expect(prefixes('stable diff')).toEqual([false, true])
  expect(prefixes('stable diff ')).toEqual([false, false])
  expect(prefixes('小红书')).toEqual([false, false])
  expect(termsOf('the server for my phone')?.map(({ text }) => text)).toEqual(['server', 'phone'])
  expect(termsOf('the')?.map(({ text }) => text)).toEqual(['the'])
})
