/** What the index on disk promises beyond answers: it survives, or knows that it did not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { searchesMax } from '../../node/limits.ts'
import type { SearchResult } from '../../node/search.ts'
import { FtsIndex } from '../../node/search-fts.ts'
import { entry } from '../support/index-entries.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-fts-'))
  path = join(folder, 'search.db')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const entries = Array.from({ length: 600 }, (_, i) =>
  entry(
    'model',
    `maker${i % 7}/model-${i}`,
    { description: `Number ${i} of many`, provider: `maker${i % 7}`, size: i },
    i,
  ),
)

async function made(): Promise<void> {
  await using index = await FtsIndex.open(path)
  await index.reset('e')
  await index.apply({ seq: 600, entries, removed: [] })
}

/** Everything that a search can tell of an index, in a form to compare. */
async function seen(index: FtsIndex): Promise<unknown> {
  const answers = []
  for (const query of [
    {},
    { query: 'model 5' },
    { query: 'nubmer maker3' },
    { filters: { size_gte: 590 }, facets: ['owner'] },
  ]) {
    answers.push(await index.search({ limit: 50, ...query }))
  }
  return answers
}

test('opens with the seq, epoch and answers that it was closed with', async () => {
  await made()
  await using index = await FtsIndex.open(path)
  expect([index.seq, index.epoch]).toEqual([600, 'e'])
  await using other = await FtsIndex.open(join(folder, 'other.db'))
  await other.reset('e')
  await other.apply({ seq: 600, entries, removed: [] })
  expect(await seen(index)).toEqual(await seen(other))
})

test('numbers of removed records are used again and nothing of theirs comes back, also after opening', async () => {
  const ids = entries.map(({ id }) => id)
  {
    await using index = await FtsIndex.open(path)
    await index.reset('e')
    await index.apply({ seq: 1, entries, removed: [] })
    await index.apply({ seq: 2, entries: [], removed: ids.slice(0, 300) })
  }
  await using index = await FtsIndex.open(path)
  await index.apply({ seq: 3, entries: [entry('tool', 'one'), entry('tool', 'two')], removed: ids.slice(300, 400) })
  const all = (await index.search({ limit: 1_000 })) as SearchResult
  expect(all.total).toBe(202)
  expect(((await index.search({ limit: 10, query: 'number' })) as SearchResult).total).toBe(200)
  expect(((await index.search({ limit: 10, filters: { size_lte: 399 } })) as SearchResult).total).toBe(0)
})

test.each<[string, () => Promise<void>]>([
  ['missing', () => rm(path)],
  ['no database', () => writeFile(path, 'something else entirely, and long enough to look like a file')],
  ['empty', () => truncate(path, 0)],
  ['cut short', async () => truncate(path, Math.floor((await stat(path)).size / 2))],
  ['overwritten in the middle', () => overwrite(0.3, 0.9)],
  [
    'a folder',
    async () => {
      await rm(path)
      await mkdir(path)
    },
  ],
])('an index that is %s is begun anew and never answers from what is left', async (_name, damage) => {
  await made()
  await damage()
  await using index = await FtsIndex.open(path)
  // The damage may show only when the pages are read; then the index says so.
  await new Promise<void>((lost) => {
    if (index.epoch === '') lost()
    else index.onLost(() => lost())
  })
  expect([index.seq, index.epoch]).toEqual([0, ''])
  if (_name !== 'a folder') {
    await index.reset('f')
    await index.apply({ seq: 600, entries, removed: [] })
    expect(((await index.search({ limit: 1 })) as SearchResult).total).toBe(600)
  } else {
    await expect(index.reset('f')).rejects.toMatchObject({ code: 'search-unavailable' })
  }
})

async function overwrite(from: number, to: number): Promise<void> {
  const { size } = await stat(path)
  const file = await open(path, 'r+')
  await file.write(new Uint8Array(Math.floor(size * (to - from))).fill(0x5a), 0, undefined, Math.floor(size * from))
  await file.close()
}

test('a loss while it is in use rejects what was asked and leaves an empty index that can be filled', async () => {
  await made()
  await using index = await FtsIndex.open(path)
  await index.search({ limit: 1 })
  const reasons: string[] = []
  index.onLost((reason) => reasons.push(reason))
  // Another hand drops the table under it.
  const other = new DatabaseSync(path)
  other.exec('DROP TABLE word')
  other.close()
  await expect(index.search({ limit: 1, query: 'model' })).rejects.toMatchObject({ code: 'search-unavailable' })
  expect(reasons.length).toBe(1)
  expect([index.seq, index.epoch]).toEqual([0, ''])
  await expect(index.search({ limit: 1 })).rejects.toMatchObject({ code: 'search-unavailable' })
  await expect(index.apply({ seq: 1, entries: [], removed: [] })).rejects.toMatchObject({ code: 'search-unavailable' })
  await index.reset('f')
  await index.apply({ seq: 5, entries: entries.slice(0, 5), removed: [] })
  expect(((await index.search({ limit: 10, query: 'model' })) as SearchResult).total).toBe(5)
})

test('a record that cannot be read is left out and reported, and the others are found', async () => {
  const logged: unknown[] = []
  await using index = await FtsIndex.open(path, { log: (_level, message, facts) => logged.push([message, facts]) })
  await index.reset('e')
  const broken = { ...entry('model', 'broken'), slug: 5 as unknown as string }
  await index.apply({ seq: 3, entries: [entry('model', 'a'), broken, entry('model', 'b')], removed: [] })
  expect(index.seq).toBe(3)
  expect(((await index.search({ limit: 10 })) as SearchResult).total).toBe(2)
  expect(JSON.stringify(logged)).toContain(broken.id)
})

test('too many searches at once are answered busy, and the others all the same', async () => {
  await made()
  await using index = await FtsIndex.open(path)
  const answers = await Promise.allSettled(
    Array.from({ length: searchesMax + 20 }, () => index.search({ limit: 1, query: 'model' })),
  )
  expect(answers.filter(({ status }) => status === 'fulfilled').length).toBe(searchesMax)
  for (const answer of answers.slice(searchesMax)) {
    expect(answer.status === 'rejected' && answer.reason).toMatchObject({ code: 'busy' })
  }
})

test('highlights name the field and mark the words, in any script and spelling', async () => {
  await using index = await FtsIndex.open(path)
  await index.reset('e')
  await index.apply({
    seq: 1,
    removed: [],
    entries: [
      entry('agent', 'writer', {
        display_name: '小红书风格',
        description: `${'padding '.repeat(80)}Un RÉSUMÉ for you`,
      }),
    ],
  })
  const highlights = async (query: string) =>
    ((await index.search({ limit: 1, query })) as SearchResult).items[0]?.highlights
  expect(await highlights('小红书')).toEqual({ display_name: '**小红书**风格' })
  expect((await highlights('resume'))?.['description']).toMatch(/^… .*Un \*\*RÉSUMÉ\*\* for you$/)
  expect(await highlights('wri')).toEqual({ name: '**writer**' })
})

test('closing twice is closing once, and a closed index says so', async () => {
  const index = await FtsIndex.open(path)
  await index[Symbol.asyncDispose]()
  await index[Symbol.asyncDispose]()
  await expect(index.search({ limit: 1 })).rejects.toMatchObject({ code: 'closed' })
})

test('killed while it indexes, it opens with a seq whose records are all there', async () => {
  const script = join(folder, 'writer.ts')
  await writeFile(script, writerSource())
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const acknowledged = await killAfter(child, 2 + round * 3)
    await using index = await FtsIndex.open(path)
    expect(index.epoch).toBe('e')
    expect(index.seq).toBeGreaterThanOrEqual(acknowledged)
    const { total } = (await index.search({ limit: 1, filters: { size_lte: index.seq } })) as SearchResult
    expect(total).toBe(index.seq)
  }
  expect(existsSync(path)).toBe(true)
})

/** Adds ten records at a time for ever, going on where the index stands, and prints each seq that is in. */
function writerSource(): string {
  const at = (file: string) => JSON.stringify(resolve(file))
  return `
    import { FtsIndex } from ${at('node/search-fts.ts')}
    import { entry } from ${at('test/support/index-entries.ts')}
    const index = await FtsIndex.open(process.argv[2])
    if (index.epoch === '') await index.reset('e')
    for (let seq = index.seq + 10; ; seq += 10) {
      const entries = Array.from({ length: 10 }, (_, i) => entry('model', 'r' + (seq - i), { size: seq - i }))
      await index.apply({ seq, entries, removed: [] })
      console.log(seq)
    }`
}

async function killAfter(child: ChildProcess, lines: number): Promise<number> {
  let last = 0
  for await (const line of createInterface({ input: child.stdout! })) {
    last = Number(line)
    if (--lines === 0) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return last
}
