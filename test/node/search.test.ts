/** One suite over both indexes, and the naive one as the oracle of the fast one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queryBytesMax, queryTermsMax, whereDepthMax, whereTestsMax } from '../../node/limits.ts'
import type { IndexEntry, QueryProblem, SearchIndex, SearchQuery, SearchResult } from '../../node/search.ts'
import type { Expression } from '../../node/search-expression.ts'
import { SegmentIndex } from '../../node/search-index.ts'
import { ScanIndex } from '../../node/search-scan.ts'
import { entry, entryArbitrary, queryArbitrary } from '../support/index-entries.ts'
import { seeded } from '../support/seed.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

const indexes: [name: string, open: () => Promise<SearchIndex>][] = [
  [
    'fts',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'peerage-search-'))
      folders.push(folder)
      return SegmentIndex.open(join(folder, 'search'))
    },
  ],
  ['scan', async () => new ScanIndex()],
]

let epochs = 0
async function fill(index: SearchIndex, entries: readonly IndexEntry[]): Promise<void> {
  await index.reset(`epoch ${++epochs}`)
  await index.apply({ seq: entries.length, entries, removed: [] })
}

async function ask(index: SearchIndex, query: Partial<SearchQuery>): Promise<SearchResult> {
  const answer = await index.search({ limit: 1_000, ...query })
  if ('problem' in answer) throw new Error(`${answer.problem} at ${answer.pointer}`)
  return answer
}

async function problemOf(index: SearchIndex, query: Partial<SearchQuery>): Promise<QueryProblem> {
  const answer = await index.search({ limit: 10, ...query })
  if (!('problem' in answer)) throw new Error(`expected a problem, got ${answer.total} records`)
  return answer
}

/** Slugs of what is found, in order. */
async function slugs(index: SearchIndex, entries: readonly IndexEntry[], query: Partial<SearchQuery>) {
  const { items } = await ask(index, query)
  return items.map(({ id }) => entries.find((each) => each.id === id)?.slug)
}

const catalogue = [
  entry(
    'model',
    'meta/Meta-Llama-3.1-8B-Instruct',
    { provider: 'meta', license: 'llama3.1', tags: ['chat', 'code'], downloads: 9 },
    1,
  ),
  entry('model', 'openai/whisper', { provider: 'openai', license: 'mit', framework: 'PyTorch', downloads: 100 }, 2),
  entry(
    'model',
    'acme/whisper',
    { provider: 'acme', licenses: ['mit', 'apache-2.0'], frameworks: ['PyTorch', 'JAX'] },
    3,
  ),
  entry('model', 'acme/tiny', { model_type: { Other: 'fill-mask' }, resource_requirements: { min_vram_gb: 0.5 } }, 4),
  entry('tool', 'home/home-assistant', { description: 'Lights and doors at home', license: 'MIT' }, 5),
  entry('tool', 'x/VirusTotal', { description: 'Threat intelligence for analysts', odd: { deep: 'a' } }, 6),
  entry(
    'agent',
    'y/writer',
    { display_name: '小红书风格文案写手', description: 'Écrit des résumés', tags: ['小红书'] },
    7,
  ),
  entry('gadget', 'z/unknown-kind', { description: 'A kind without a table', odd: { deep: 'b' } }, 8),
]

describe.each(indexes)('%s', (_, open) => {
  let index: SearchIndex
  beforeAll(async () => {
    index = await open()
  })
  afterAll(() => index[Symbol.asyncDispose]())

  describe('filters', () => {
    test.each<[string, Partial<SearchQuery>, string[]]>([
      ['equality is exact', { filters: { license: 'MIT' } }, ['home/home-assistant']],
      [
        'license looks into licenses, as framework does',
        { filters: { license: 'mit' } },
        ['acme/whisper', 'openai/whisper'],
      ],
      ['framework looks into frameworks', { filters: { framework: 'PyTorch' } }, ['acme/whisper', 'openai/whisper']],
      ['an array asks for all', { filters: { tags: ['code', 'chat'] } }, ['meta/Meta-Llama-3.1-8B-Instruct']],
      [
        'an array asks for all, in one field or the other',
        { filters: { license: ['mit', 'apache-2.0'] } },
        ['acme/whisper'],
      ],
      ['an array of which one is missing matches nothing', { filters: { tags: ['code', 'art'] } }, []],
      ['an empty array asks for nothing', { kinds: ['agent'], filters: { tags: [] } }, ['y/writer']],
      ['{Other: x} is x', { filters: { model_type: 'fill-mask' } }, ['acme/tiny']],
      ['x is {Other: x}', { filters: { license: { Other: 'llama3.1' } } }, ['meta/Meta-Llama-3.1-8B-Instruct']],
      ['owner is the provider', { filters: { owner: 'openai' } }, ['openai/whisper']],
      [
        'owner as a did is the owner',
        { kinds: ['tool'], filters: { owner: 'did:key:z6MkTest' } },
        ['x/VirusTotal', 'home/home-assistant'],
      ],
      ['owner as a did that nobody is', { filters: { owner: 'did:key:z6Mkother' } }, []],
      ['bounds', { filters: { downloads_gte: 9, downloads_lte: 99 } }, ['meta/Meta-Llama-3.1-8B-Instruct']],
      ['bounds only meet numbers', { filters: { license_gte: 0 } }, []],
      ['a last segment', { filters: { min_vram_gb_lte: 1 } }, ['acme/tiny']],
      ['a path', { filters: { 'resource_requirements.min_vram_gb': 0.5 } }, ['acme/tiny']],
      ['a pointer', { filters: { '/resource_requirements/min_vram_gb': 0.5 } }, ['acme/tiny']],
      ['a field of no table', { filters: { 'odd.deep': 'a' } }, ['x/VirusTotal']],
      ['its last segment', { filters: { deep: 'b' } }, ['z/unknown-kind']],
      ['a field that nobody has', { filters: { nobody: 'has this' } }, []],
      ['all of several', { filters: { provider: 'acme', license: 'mit' } }, ['acme/whisper']],
      ['the kind', { kinds: ['gadget'] }, ['z/unknown-kind']],
      ['no kind', { kinds: [] }, []],
      ['the slug', { filters: { slug: 'acme/tiny' } }, ['acme/tiny']],
      ['the id', { filters: { id: (catalogue[3] as IndexEntry).id } }, ['acme/tiny']],
      [
        'an expression',
        {
          where: {
            all: [
              {
                any: [
                  { field: 'owner', op: '=', value: 'acme' },
                  { field: 'downloads', op: '>', value: 9 },
                ],
              },
              { not: { field: 'description', op: 'exists' } },
              { field: 'name', op: 'contains', value: 'WHISP' },
            ],
          },
        },
        ['acme/whisper', 'openai/whisper'],
      ],
      [
        'an expression and filters',
        { filters: { license: 'mit' }, where: { field: 'tags', op: '!=', value: 'chat' } },
        ['acme/whisper', 'openai/whisper'],
      ],
      ['text and a filter', { query: 'whisper', filters: { provider: 'acme' } }, ['acme/whisper']],
    ])('%s', async (_name, query, expected) => {
      await fill(index, catalogue)
      expect(await slugs(index, catalogue, query)).toEqual(expected)
      expect((await ask(index, query)).total).toBe(expected.length)
    })
  })

  test.each<[string, string[]]>([
    ['llama3.1 8b instruct', ['meta/Meta-Llama-3.1-8B-Instruct']],
    ['meta llama', ['meta/Meta-Llama-3.1-8B-Instruct']],
    ['instr', ['meta/Meta-Llama-3.1-8B-Instruct']],
    ['home assis', ['home/home-assistant']],
    ['homeassistant', ['home/home-assistant']],
    ['virus total', ['x/VirusTotal']],
    ['wisper', ['acme/whisper', 'openai/whisper']],
    ['whipser', ['acme/whisper', 'openai/whisper']],
    ['intelligent threats', ['x/VirusTotal']],
    ['小红', ['y/writer']],
    ['红书', ['y/writer']],
    ['resume', ['y/writer']],
    ['"whisper" OR name:*', ['acme/whisper', 'openai/whisper']],
    ['!!', []],
    ['zzzzzz', []],
  ])('text %s', async (query, expected) => {
    await fill(index, catalogue)
    expect((await slugs(index, catalogue, { query })).sort()).toEqual(expected)
  })

  test('counts facets over all that is found, not over the page, and says what a filter would find', async () => {
    await fill(index, catalogue)
    const { facets, total } = await ask(index, {
      kinds: ['model'],
      facets: ['license', 'owner', 'model_type'],
      limit: 1,
    })
    expect(total).toBe(4)
    expect(facets).toEqual({
      license: [
        { value: 'mit', count: 2 },
        { value: 'apache-2.0', count: 1 },
        { value: 'llama3.1', count: 1 },
      ],
      owner: [
        { value: 'acme', count: 1 },
        { value: 'meta', count: 1 },
        { value: 'openai', count: 1 },
      ],
      model_type: [{ value: 'fill-mask', count: 1 }],
    })
    for (const { value, count } of facets['license'] ?? []) {
      expect((await ask(index, { kinds: ['model'], filters: { license: value } })).total).toBe(count)
    }
  })

  test('lists the fields that records have, with types and the commonest values', async () => {
    await fill(index, catalogue)
    const { fields } = await index.fields(['model'])
    expect(fields.find(({ name }) => name === 'provider')).toEqual({
      name: 'provider',
      types: ['string'],
      records: 3,
      values: [
        { value: 'acme', count: 1 },
        { value: 'meta', count: 1 },
        { value: 'openai', count: 1 },
      ],
    })
    expect(fields.map(({ name }) => name)).not.toContain('odd.deep')
  })

  test('orders by a field in both directions, numbers before strings, without it last; newest first by default', async () => {
    const entries = [
      entry('model', 'a', { size: 2 }, 1),
      entry('model', 'b', { size: 'x' }, 2),
      entry('model', 'c', {}, 3),
      entry('model', 'd', { size: 10 }, 4),
      entry('model', 'e', { size: null }, 5),
    ]
    await fill(index, entries)
    const last = entries
      .filter(({ slug }) => 'ce'.includes(slug))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ slug }) => slug)
    expect(await slugs(index, entries, { sort: 'size' })).toEqual(['a', 'd', 'b', ...last])
    expect(await slugs(index, entries, { sort: '-size' })).toEqual(['b', 'd', 'a', ...last])
    expect(await slugs(index, entries, {})).toEqual(['e', 'd', 'c', 'b', 'a'])
    expect(await slugs(index, entries, { sort: 'registered_at' })).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('pages through everything once, also while records come and go', async () => {
    const entries = Array.from({ length: 25 }, (_, i) => entry('model', `m${i}`, { size: i % 3 }, i))
    await fill(index, entries)
    const seen: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < 20; page++) {
      const answer = await ask(index, { sort: '-size', limit: 3, cursor })
      seen.push(...answer.items.map(({ id }) => id))
      cursor = answer.nextCursor
      if (page === 2)
        await index.apply({ seq: 30, entries: [entry('model', 'new', { size: 9 })], removed: [seen[0] as string] })
      if (cursor === undefined) break
    }
    expect(seen.length).toBe(25)
    expect(new Set(seen)).toEqual(new Set(entries.map(({ id }) => id)))
  })

  test('refuses a cursor that was changed, or made for another query', async () => {
    await fill(index, catalogue)
    const { nextCursor } = await ask(index, { sort: 'name', limit: 2 })
    if (nextCursor === undefined) throw new Error('expected another page')
    for (let at = 0; at < nextCursor.length; at += 3) {
      const other = nextCursor[at] === 'A' ? 'B' : 'A'
      const changed = nextCursor.slice(0, at) + other + nextCursor.slice(at + 1)
      if (Buffer.from(changed, 'base64url').equals(Buffer.from(nextCursor, 'base64url'))) continue
      expect((await problemOf(index, { sort: 'name', cursor: changed })).pointer).toBe('/cursor')
    }
    expect((await problemOf(index, { sort: '-name', cursor: nextCursor })).pointer).toBe('/cursor')
    expect((await problemOf(index, { sort: 'name', cursor: '' })).pointer).toBe('/cursor')
    // Another page size or other facets are the same query.
    expect((await ask(index, { sort: 'name', cursor: nextCursor, limit: 1, facets: ['kind'] })).items.length).toBe(1)
  })

  test.each<[string, Partial<SearchQuery>, string]>([
    ['too long a text', { query: 'x'.repeat(queryBytesMax + 1) }, '/query'],
    ['too many words', { query: Array.from({ length: queryTermsMax + 1 }, (_, i) => `w${i}`).join(' ') }, '/query'],
    ['no page', { limit: 0 }, '/limit'],
    ['a page that is too large', { limit: 1_001 }, '/limit'],
    ['half a record', { limit: 1.5 }, '/limit'],
    ['a map as a value', { filters: { license: { a: 1 } } }, '/filters/license'],
    ['a list in a list', { filters: { tags: [['a']] } }, '/filters/tags/0'],
    ['bytes as a value', { filters: { tags: new Uint8Array(2) } }, '/filters/tags'],
    ['a bound that is no number', { filters: { downloads_gte: '5' } }, '/filters/downloads_gte'],
    ['a bound that is endless', { filters: { downloads_gte: Number.POSITIVE_INFINITY } }, '/filters/downloads_gte'],
    ['a field without a name', { filters: { '': 1 } }, '/filters/'],
    [
      'too many filters',
      { filters: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`f${i}`, 1])) },
      '/filters',
    ],
    ['too many facets', { facets: Array.from({ length: 33 }, (_, i) => `f${i}`) }, '/facets'],
    [
      'too deep an expression',
      { where: Array.from({ length: whereDepthMax }).reduce<Expression>((inner) => ({ not: inner }), { all: [] }) },
      '/where',
    ],
    [
      'too wide an expression',
      { where: { all: Array.from({ length: whereTestsMax + 1 }, () => ({ all: [] })) } },
      '/where',
    ],
    ['an expression with a field that nobody has', { where: { field: 'nobody', op: 'exists' } }, '/where'],
    [
      'an expression with a field of two paths',
      { kinds: ['model'], where: { field: 'input', op: 'exists' } },
      '/where',
    ],
    ['a sort by nothing', { sort: '-' }, '/sort'],
    ['a last segment of two fields', { kinds: ['model'], filters: { input: 'text' } }, '/filters/input'],
  ])('answers %s with the place', async (_name, query, pointer) => {
    await fill(index, catalogue)
    expect(await problemOf(index, query)).toMatchObject({ pointer })
  })

  test('an update replaces what was found by the old words and values', async () => {
    await fill(index, catalogue)
    await index.apply({
      seq: 20,
      entries: [entry('model', 'openai/whisper', { name: 'Murmur', license: 'gpl-3.0' }, 2)],
      removed: [],
    })
    expect(index.seq).toBe(20)
    expect(await slugs(index, catalogue, { query: 'murmur' })).toEqual(['openai/whisper'])
    expect(await slugs(index, catalogue, { filters: { license: 'mit' } })).toEqual(['acme/whisper'])
    expect((await ask(index, {})).total).toBe(catalogue.length)
    const [before, after] = ['early', 'late'].map((name) => entry('model', 'owner/twice', { name })) as [
      IndexEntry,
      IndexEntry,
    ]
    await index.apply({ seq: 100, entries: [before, after], removed: [] })
    expect((await ask(index, { query: 'early' })).total).toBe(0)
    expect((await ask(index, { query: 'late' })).items.map(({ id }) => id)).toEqual([after.id])
  })

  test('a word that no record has any more finds nothing and is no correction', async () => {
    await fill(index, catalogue)
    expect(await slugs(index, catalogue, { query: 'lights' })).toEqual(['home/home-assistant'])
    await index.apply({ seq: 20, entries: [entry('tool', 'home/home-assistant')], removed: [] })
    expect(await slugs(index, catalogue, { query: 'lights' })).toEqual([])
    await index.apply({ seq: 21, entries: [], removed: catalogue.slice(1, 3).map(({ id }) => id) })
    expect(await slugs(index, catalogue, { query: 'wisper' })).toEqual([])
  })

  test('reset forgets everything', async () => {
    await fill(index, catalogue)
    await index.reset('f')
    expect([index.seq, index.epoch]).toEqual([0, 'f'])
    expect((await ask(index, {})).total).toBe(0)
    expect((await ask(index, { query: 'whisper' })).total).toBe(0)
  })

  test('names such as __proto__ are names like any other', async () => {
    const odd = entry('model', 'odd', JSON.parse('{"__proto__": "a", "constructor": {"name2": "b"}}'))
    await fill(index, [odd])
    expect((await ask(index, { filters: JSON.parse('{"__proto__": "a", "name2": "b"}') })).total).toBe(1)
    const { facets } = await ask(index, { facets: ['__proto__'] })
    expect(Object.getOwnPropertyDescriptor(facets, '__proto__')?.value).toEqual([{ value: 'a', count: 1 }])
    expect((await ask(index, { kinds: ['__proto__'] })).total).toBe(0)
  })
})

test('finds, counts and orders what a look at every record does, through updates and removals', async () => {
  await using fts = await (indexes[0] as (typeof indexes)[0])[1]()
  await using scan = new ScanIndex()
  let round = 0
  const change = fc.record({
    entries: fc.uniqueArray(entryArbitrary, { selector: ({ id }) => id, maxLength: 40 }),
    removed: fc.array(fc.nat(40), { maxLength: 10 }),
    queries: fc.array(queryArbitrary, { minLength: 1, maxLength: 12 }),
  })
  await seeded(({ seed }) =>
    fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        round++
        for (const index of [fts, scan]) await index.reset(`round ${round}`)
        let held: string[] = []
        for (const { entries, removed, queries } of changes) {
          const gone = [...new Set(removed.flatMap((at) => held[at] ?? []))].filter((id) =>
            entries.every((each) => each.id !== id),
          )
          held = [...new Set([...held.filter((id) => !gone.includes(id)), ...entries.map(({ id }) => id)])]
          for (const index of [fts, scan]) await index.apply({ seq: round, entries, removed: gone })
          for (const query of queries) await expectSame(fts, scan, query)
          for (const kinds of [undefined, ['tool']]) expect(await fts.fields(kinds)).toEqual(await scan.fields(kinds))
        }
      }),
      { seed, numRuns: 40 },
    ),
  )
})

test('any text in records and queries is answered, and the same by both', async () => {
  await using fts = await (indexes[0] as (typeof indexes)[0])[1]()
  await using scan = new ScanIndex()
  const odd = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.toWellFormed()),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.array(fc.constantFrom(...oddities), { maxLength: 4 }).map((some) => some.join(' ')),
    fc.array(fc.constantFrom(...oddities), { maxLength: 4 }).map((some) => some.join('')),
  )
  await seeded(({ seed }) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(odd, { minLength: 2, maxLength: 20 }),
        fc.array(odd, { maxLength: 6 }),
        async (texts, queries) => {
          const entries = texts.map((text, i) =>
            entry('model', `${i}/${text}`, { name: text, description: texts[i - 1] ?? '', tags: [text] }),
          )
          for (const index of [fts, scan]) await fill(index, entries)
          for (const query of [...queries, ...texts]) {
            await expectSame(fts, scan, { query })
            await expectSame(fts, scan, { filters: { name: query }, facets: ['tags'], sort: 'name' })
          }
        },
      ),
      { seed, numRuns: 25 },
    ),
  )
})

/** Operators of FTS5 and SQL, joiners, marks, cases without a counterpart, scripts without spaces, halves of words. */
const oddities = [
  '"',
  '""',
  "'",
  '*',
  ':',
  '^',
  '(',
  ')',
  '{names}',
  'NEAR(',
  'AND',
  'or',
  'NOT',
  '-',
  '+',
  '\0',
  '\u00b7',
  '\u200d',
  '\u0301',
  'İstanbul',
  'ß',
  'ﬁ',
  'Ａ１',
  '²',
  '½',
  '3.1.4',
  'a.b',
  '1.',
  '.5',
  'x86_64',
  'HTML5Parser',
  'iPhone',
  '漢字',
  'カタカナ',
  'ー',
  '한국',
  'ไทย',
  'हिन्दी',
  'עִבְרִית',
  '👩‍👩‍👧',
  '🇩🇪',
  '\u{10ffff}',
  'ﷺ',
  'ǆ',
  'the',
  'a',
  'names',
  'rowid',
  "'; DROP TABLE word; --",
]

/** The same problem, or the same records, total and facets; and the same order where a field gives it. */
async function expectSame(fts: SearchIndex, scan: SearchIndex, asked: Partial<SearchQuery>): Promise<void> {
  const query = { limit: 1_000, ...asked }
  const [fast, naive] = [await fts.search(query), await scan.search(query)]
  if ('problem' in naive || 'problem' in fast) {
    expect(fast).toEqual(naive)
    return
  }
  const idsOf = ({ items }: SearchResult) => items.map(({ id }) => id)
  const isOrdered = query.sort !== undefined || (query.query ?? '').trim() === ''
  expect(isOrdered ? idsOf(fast) : idsOf(fast).sort()).toEqual(isOrdered ? idsOf(naive) : idsOf(naive).sort())
  if (isOrdered) {
    const page = (await fts.search({ ...query, limit: 4 })) as SearchResult
    expect(idsOf(page)).toEqual(idsOf(naive).slice(0, 4))
  }
  expect({ total: fast.total, facets: fast.facets }).toEqual({ total: naive.total, facets: naive.facets })
  expect(fast.items.every(({ score }) => Number.isFinite(score))).toBe(true)
}
