/** What an answer is made of besides the records: copies, parts of a score, phrases, cuts; and words in many languages. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { kinds } from '../../crdt/index.ts'
import type { IndexEntry, SearchQuery, SearchResult } from '../../node/search.ts'
import { tablesOf } from '../../node/search-fields.ts'
import { drained, WorkBudget } from '../../node/search-work.ts'
import { entry } from '../support/index-entries.ts'
import { LocalIndex } from '../support/local-index.ts'

const endless = new WorkBudget(Number.POSITIVE_INFINITY)

function indexOf(entries: readonly IndexEntry[]): LocalIndex {
  const index = new LocalIndex(tablesOf(kinds))
  index.take(entries)
  return index
}

function ask(index: LocalIndex, query: Partial<SearchQuery>, budget = endless): SearchResult {
  const answer = index.search({ limit: 100, ...query }, budget)
  if ('problem' in answer) throw new Error(answer.problem)
  return answer
}

const slugsOf = (entries: readonly IndexEntry[], { items }: SearchResult) =>
  items.map(({ id }) => entries.find((each) => each.id === id)?.slug)

const served = (provider: string, name: string, at: number) =>
  entry('model', `${provider}/${name}`, { name, provider }, at)

test('copies of one model stand under the one that their names speak of, with a count, and page by page', () => {
  const entries = [
    served('cheap-cloud', 'gpt-oss-120b', 1),
    served('router', 'openai/gpt-oss-120b', 2),
    served('fireworks', 'accounts/openai/gpt_oss_120b', 3),
    served('openai', 'gpt-oss-120b', 4),
    served('openai', 'gpt-oss-20b', 5),
    entry('tool', 'x/gpt-oss-120b', { name: 'gpt-oss-120b', provider: 'x' }, 6),
  ]
  const index = indexOf(entries)
  const all = ask(index, { query: 'gpt oss', collapse: true })
  const standing = all.items.find(({ copies }) => copies !== undefined)
  expect([standing?.id, standing?.copies]).toEqual([entries[3]?.id, 3])
  expect(all.total).toBe(3)
  expect(ask(index, { query: 'gpt oss' }).total).toBe(6)
  // Without text too, and only what is found counts.
  expect(slugsOf(entries, ask(index, { filters: { provider: 'router' }, collapse: true }))).toEqual([
    'router/openai/gpt-oss-120b',
  ])
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = ask(index, { collapse: true, sort: 'name', limit: 1, ...(cursor !== undefined && { cursor }) })
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  } while (cursor !== undefined)
  expect(new Set(seen)).toEqual(new Set(all.items.map(({ id }) => id)))
  expect(seen.length).toBe(3)
})

test('the parts of a score add up to it, and weights change the order', () => {
  const entries = [
    entry('model', 'a/llama', { downloads: 5, release_date: '2020-01-01' }),
    entry('model', 'b/llama-chat', { downloads: 50_000_000, release_date: '2026-01-01', license: 'mit' }),
    entry('model', 'c/llama-chat', { integrity: { sha256: 'ab' }, release_date: '2020-01-01' }),
  ]
  const index = indexOf(entries)
  const { items } = ask(index, { query: 'llama', explain: true })
  for (const { score, parts } of items) {
    expect(Object.values(parts ?? {}).reduce((sum, part) => sum + part, 0)).toBeCloseTo(score, 12)
  }
  expect(items[0]?.parts?.exactness).toBeGreaterThan(0)
  expect(slugsOf(entries, ask(index, { query: 'llama' }))[0]).toBe('a/llama')
  const weighed = (weights: SearchQuery['weights']) =>
    slugsOf(entries, ask(index, { query: 'llama', ...(weights && { weights }) }))[0]
  expect(weighed({ exactness: 0, name: 0, popularity: 5 })).toBe('b/llama-chat')
  expect(weighed({ exactness: 0, name: 0, popularity: 0, freshness: 0, completeness: 0, trust: 5 })).toBe(
    'c/llama-chat',
  )
  expect(items.every(({ parts }) => parts !== undefined)).toBe(true)
  expect(ask(index, { query: 'llama' }).items[0]?.parts).toBeUndefined()
})

test('owner and name come before all that have the words', () => {
  const entries = [
    entry('model', 'meta/llama', { provider: 'meta', name: 'llama' }),
    ...Array.from({ length: 30 }, (_, i) =>
      entry('model', `x${i}/meta-llama`, { provider: `x${i}`, name: `meta-llama`, downloads: 9_999_999 }, i),
    ),
  ]
  expect(slugsOf(entries, ask(indexOf(entries), { query: 'meta/llama' }))[0]).toBe('meta/llama')
})

test('a page of the best is the beginning of all that is found, wherever the words stand', () => {
  const names = ['alpha', 'alpha beta', 'gamma', 'alphabet', 'beta alpha gamma', 'delta']
  const entries = Array.from({ length: 240 }, (_, i) =>
    entry(
      'model',
      `${names[i % 6]?.replaceAll(' ', '-')}-${i % 5 === 0 ? 'x' : `y-${i}`}`,
      {
        name: `${names[i % 6]} ${'and more '.repeat((i % 4) * 2)}`,
        description: i % 3 === 0 ? 'about alpha' : 'about beta and alpha',
        downloads: 10 ** (i % 8),
        tags: i % 7 === 0 ? ['beta'] : [],
      },
      i,
    ),
  )
  const index = indexOf([])
  for (let at = 0; at < entries.length; at += 60) index.take(entries.slice(at, at + 60))
  for (const query of [
    'alpha',
    'alpha ',
    'beta alpha ',
    'gamma',
    'alpha beta gamma delta ',
    'about ',
    'delta about ',
  ]) {
    for (const weights of [{}, { name: 0, relevance: 0 }, { popularity: 5 }, { freshness: 3 }]) {
      const all = ask(index, { query, weights, limit: 1_000 }).items.map(({ id }) => id)
      expect(all.length).toBeGreaterThan(5)
      for (const limit of [1, 5]) {
        expect(ask(index, { query, weights, limit }).items.map(({ id }) => id)).toEqual(all.slice(0, limit))
      }
    }
  }
})

test('a phrase stands as it is quoted, in any one text; the words alone may stand anywhere', () => {
  const entries = [
    entry('tool', 'a', { description: 'A threat-intelligence feed' }),
    entry('tool', 'b', { description: 'Intelligence against every threat' }),
    entry('tool', 'c', { description: 'What a threat', tags: ['intelligence'] }),
    entry('agent', 'd', { description: '小红书风格文案' }),
    entry('agent', 'e', { description: '红小书' }),
  ]
  const index = indexOf(entries)
  expect(ask(index, { query: 'threat intelligence' }).total).toBe(3)
  expect(slugsOf(entries, ask(index, { query: '"threat intelligence"' }))).toEqual(['a'])
  expect(slugsOf(entries, ask(index, { query: 'feed "THREAT  intelligence" against' }))).toEqual(['a'])
  expect(ask(index, { query: '"intelligence threat"' }).total).toBe(0)
  expect(slugsOf(entries, ask(index, { query: '"红书"' }))).toEqual(['d'])
  // A quote without its other is no operator.
  expect(ask(index, { query: '"threat intelligence' }).total).toBe(3)
})

test('a query whose budget is spent answers with what it has, and says so', () => {
  const entries = Array.from({ length: 3_000 }, (_, i) => entry('model', `m${i}`, { description: `text ${i}` }, i))
  const index = indexOf(entries)
  let looks = 0
  // Time passes with every look at the clock.
  const short = () => new WorkBudget(2, () => looks++)
  const cut = ask(index, { where: { field: 'description', op: 'contains', value: '9' } }, short())
  const whole = ask(index, { where: { field: 'description', op: 'contains', value: '9' } })
  expect([cut.partial, cut.totalCapped]).toEqual([true, true])
  expect(cut.total).toBeLessThan(whole.total)
  expect(whole.partial).toBeUndefined()
  looks = 0
  const phrases = ask(index, { query: '"text"' }, short())
  expect(phrases.partial).toBe(true)
  looks = 0
  const collapsed = ask(index, { collapse: true }, short())
  expect([collapsed.partial, collapsed.total < 3_000]).toEqual([true, true])
  looks = 0
  expect(index.fields(short()).partial).toBe(true)
  expect(index.fields(endless).partial).toBeUndefined()
  expect(phrases.total).toBeLessThan(3_000)
})

test('joining segments changes no answer, whatever left them meanwhile', () => {
  const entries = Array.from({ length: 400 }, (_, i) =>
    entry('model', `r${i}`, { description: `many words ${i % 7}`, tags: [`t${i % 5}`], size: i }, i),
  )
  const index = indexOf([])
  for (let at = 0; at < 400; at += 20) index.take(entries.slice(at, at + 20))
  const queries: Partial<SearchQuery>[] = [
    { query: 'words 3', facets: ['tags'] },
    { sort: '-size', filters: { tags: 't2' } },
    { where: { field: 'size', op: '<', value: 77 }, facets: ['tags', 'size'], sort: 'name' },
  ]
  const before = () => queries.map((query) => ask(index, query))
  for (let round = 0, left = 0; ; round++) {
    const steps = index.upkeep()
    for (let step = steps.next(), n = 0; ; step = steps.next(), n++) {
      if (step.done) {
        if (!step.value) return expect(round).toBeGreaterThan(0)
        break
      }
      if (n % 5 === 0 && left < 60) index.take([], [entries[left++ * 6]?.id ?? ''])
      if (n % 120 === 0) {
        const plain = indexOf(entries.filter(({ id }) => ask(index, { filters: { id } }).total === 1))
        const seen = ({ total, facets, items }: SearchResult, at: number) => ({
          total,
          facets,
          ...(queries[at]?.sort && { ids: items.map(({ id }) => id) }),
        })
        expect(before().map(seen)).toEqual(queries.map((query) => ask(plain, query)).map(seen))
      }
    }
  }
})

test('a large segment is put in order in steps, once, and joining it keeps the order', () => {
  const size = 8_200
  const sizeOf = (i: number) => (i * 7_919) % size
  const entries = Array.from({ length: size }, (_, i) => entry('model', `m${i}`, { size: sizeOf(i) }, i))
  const index = indexOf(entries)
  const stepsFor = (query: SearchQuery): { steps: number; answer: SearchResult } => {
    const answering = index.engine.answer(query, () => endless)
    for (let steps = 1; ; steps++) {
      const { done, value } = answering.next()
      if (done) return { steps, answer: value as SearchResult }
    }
  }
  const largest = { sort: '-size', limit: 3 }
  const expected = entries
    .filter((_, i) => sizeOf(i) >= size - 3)
    .sort((a, b) => Number(b.doc['size']) - Number(a.doc['size']))
  const first = stepsFor(largest)
  expect(first.steps).toBeGreaterThan(2)
  expect(first.answer.items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
  const second = stepsFor(largest)
  expect(second).toEqual({ steps: 1, answer: first.answer })
  // A third of them leaves, so that the segment is written anew.
  const leaving = entries.filter((_, i) => sizeOf(i) % 3 !== 0 && sizeOf(i) < size - 3)
  index.take(
    [],
    leaving.map(({ id }) => id),
  )
  while (drained(index.upkeep()));
  expect(index.engine.segments.map((segment) => segment.size)).toEqual([size - leaving.length])
  expect(stepsFor({ ...largest, sort: 'size' }).steps).toBe(1)
  expect(stepsFor(largest).answer.items).toEqual(first.answer.items)
})

const data = process.env['CATALOG_DATA']
test.skipIf(data === undefined)(
  `a text in any of 18 languages is found by its words${data === undefined ? ' (left out: CATALOG_DATA is not set)' : ''}`,
  () => {
    type Line = { locale?: string; name?: string; display_name?: string; description?: string }
    const lines: Line[] = gunzipSync(readFileSync(join(data ?? '', 'agent-locales.jsonl.gz')))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const byLocale = Map.groupBy(lines, ({ locale }) => locale)
    expect(byLocale.size).toBe(18)
    for (const [locale, texts] of byLocale) {
      const some = texts.slice(0, 60)
      const entries = some.map(({ display_name = '', description = '' }, i) =>
        entry('agent', `a${i}`, { display_name, description }, i),
      )
      const index = indexOf(entries)
      for (const [i, { display_name = '', description = '' }] of some.entries()) {
        // As much as may be asked for in a script without spaces, where each pair of characters is a term.
        for (const query of [display_name, description].map((text) => [...text].slice(0, 30).join(''))) {
          if (!/\p{L}/u.test(query)) continue
          const found = slugsOf(entries, ask(index, { query, limit: 10 }))
          expect(found, `${locale}: ${query}`).toContain(`a${i}`)
        }
      }
    }
  },
)
