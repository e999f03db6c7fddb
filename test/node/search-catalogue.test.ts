/** The real catalogue, when CATALOG_DATA names it: real searches find what they should, and both indexes agree. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fitting, kindOf } from '../../crdt/index.ts'
import { indexBatchRecords } from '../../node/limits.ts'
import type { IndexEntry, SearchQuery, SearchResult } from '../../node/search.ts'
import { SegmentIndex } from '../../node/search-index.ts'
import { ScanIndex } from '../../node/search-scan.ts'
import { catalogueFiles, leftOut, readCatalogue } from '../support/catalogue-files.ts'
import { entry } from '../support/index-entries.ts'

type Query = {
  readonly query: string
  readonly kind?: string
  readonly filters?: SearchQuery['filters']
  readonly expect_name: string
  readonly expect_owner?: string | readonly string[]
  readonly within?: number
  readonly expect_count?: number
}

const whenThere = test.skipIf(catalogueFiles === undefined)
let folder: string
let fts: SegmentIndex
let scan: ScanIndex
let queries: readonly Query[]
const byId = new Map<string, IndexEntry>()

beforeAll(async () => {
  if (catalogueFiles === undefined) return
  folder = await mkdtemp(join(tmpdir(), 'peerage-catalogue-'))
  fts = await SegmentIndex.open(join(folder, 'search'))
  scan = new ScanIndex()
  const { records } = await readCatalogue(catalogueFiles)
  const entries = records.map(({ kind, slug, doc }, at) => entry(kind, slug, fitting(kindOf(kind), doc), at))
  for (const each of entries) byId.set(each.id, each)
  for (const index of [fts, scan]) await index.reset('e')
  for (let at = 0; at < entries.length; at += indexBatchRecords) {
    const some = entries.slice(at, at + indexBatchRecords)
    for (const index of [fts, scan]) await index.apply({ seq: at + some.length, entries: some, removed: [] })
  }
  const file = join(resolve(process.env['CATALOG_DATA'] ?? ''), 'queries.jsonl.gz')
  queries = gunzipSync(await readFile(file))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
})

afterAll(async () => {
  if (catalogueFiles === undefined) return
  await fts[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

function asked({ query, kind, filters }: Query, limit: number): SearchQuery {
  return { query, limit, ...(kind !== undefined && { kinds: [kind] }), ...(filters && { filters }) }
}

whenThere(
  `at least 40 of 43 real searches find their record where it should be, and all counts are right${leftOut}`,
  async () => {
    const missed: string[] = []
    let texts = 0
    for (const query of queries) {
      const answer = (await fts.search(asked(query, query.within ?? 10))) as SearchResult
      if (query.expect_count !== undefined)
        expect({ ...query, total: answer.total }).toEqual({ ...query, total: query.expect_count })
      if (query.query === '') continue
      texts++
      const owners = query.expect_owner === undefined ? [] : [query.expect_owner].flat()
      const isHit = answer.items.some(({ id }) => {
        const doc = byId.get(id)?.doc
        return (
          doc?.['name'] === query.expect_name && (owners.length === 0 || owners.includes(doc['provider'] as string))
        )
      })
      if (!isHit) missed.push(query.query)
    }
    expect(texts).toBe(43)
    expect(missed.length, missed.join(', ')).toBeLessThanOrEqual(3)
  },
)

whenThere(`a look at every record finds, counts and facets the same${leftOut}`, async () => {
  for (const query of queries.filter((_, at) => at % 4 === 0 || queries[at]?.filters)) {
    const wanted: SearchQuery = { ...asked(query, 1_000), facets: ['license', 'owner', 'tags'] }
    const [fast, naive] = [(await fts.search(wanted)) as SearchResult, (await scan.search(wanted)) as SearchResult]
    expect(fast.total, query.query).toBe(naive.total)
    expect(fast.facets).toEqual(naive.facets)
    if (fast.total > 1_000) continue
    const idsOf = ({ items }: SearchResult) => items.map(({ id }) => id).sort()
    expect(idsOf(fast)).toEqual(idsOf(naive))
  }
})
