/** What the index on disk promises beyond answers: it survives, or knows that it did not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { searchesMax } from '../../node/limits.ts'
import type { SearchResult } from '../../node/search.ts'
import { SegmentIndex } from '../../node/search-index.ts'
import { entry } from '../support/index-entries.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-index-'))
  path = join(folder, 'search')
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
  await using index = await SegmentIndex.open(path)
  await index.reset('e')
  await index.apply({ seq: 600, entries, removed: [] })
}

/** Everything that a search can tell of an index, in a form to compare. */
async function seen(index: SegmentIndex): Promise<unknown> {
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
  await using index = await SegmentIndex.open(path)
  expect([index.seq, index.epoch]).toEqual([600, 'e'])
  await using other = await SegmentIndex.open(join(folder, 'other'))
  await other.reset('e')
  await other.apply({ seq: 600, entries, removed: [] })
  expect(await seen(index)).toEqual(await seen(other))
})

test('numbers of removed records are used again and nothing of theirs comes back, also after opening', async () => {
  const ids = entries.map(({ id }) => id)
  {
    await using index = await SegmentIndex.open(path)
    await index.reset('e')
    await index.apply({ seq: 1, entries, removed: [] })
    await index.apply({ seq: 2, entries: [], removed: ids.slice(0, 300) })
  }
  await using index = await SegmentIndex.open(path)
  await index.apply({ seq: 3, entries: [entry('tool', 'one'), entry('tool', 'two')], removed: ids.slice(300, 400) })
  const all = (await index.search({ limit: 1_000 })) as SearchResult
  expect(all.total).toBe(202)
  expect(((await index.search({ limit: 10, query: 'number' })) as SearchResult).total).toBe(200)
  expect(((await index.search({ limit: 10, filters: { size_lte: 399 } })) as SearchResult).total).toBe(0)
})

/** The files of the index, of which some are damaged. */
async function files(prefix: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.startsWith(prefix)).map((name) => join(path, name))
}

test.each<[string, () => Promise<void>]>([
  ['missing', () => rm(path, { recursive: true })],
  [
    'a file',
    async () => {
      await rm(path, { recursive: true })
      await writeFile(path, 'something else entirely')
    },
  ],
  ['without its manifest', async () => rm(join(path, 'manifest'))],
  ['with a manifest that was changed', async () => overwrite(join(path, 'manifest'), 0.5, 0.6)],
  ['with an empty manifest', async () => truncate(join(path, 'manifest'), 0)],
  ['without a segment', async () => rm((await files('segment-'))[0] as string)],
  ['with an empty segment', async () => truncate((await files('segment-'))[0] as string, 0)],
  ['cut short', async () => cut((await files('segment-'))[0] as string)],
  ...[0, 0.5, 0.99].map((from): [string, () => Promise<void>] => [
    `overwritten at ${from}`,
    async () => overwrite((await files('segment-'))[0] as string, from, from + 0.01),
  ]),
])('an index that is %s is begun anew and never answers from what is left', async (_name, damage) => {
  await made()
  await damage()
  await using index = await SegmentIndex.open(path)
  // The damage may show only when the segments are read; then the index says so.
  await new Promise<void>((lost) => {
    if (index.epoch === '') lost()
    else index.onLost(() => lost())
  })
  expect([index.seq, index.epoch]).toEqual([0, ''])
  await index.reset('f')
  await index.apply({ seq: 600, entries, removed: [] })
  expect(((await index.search({ limit: 1 })) as SearchResult).total).toBe(600)
})

test('a folder that cannot be made is a loss, again and again', async () => {
  await writeFile(join(folder, 'file'), '')
  await using index = await SegmentIndex.open(join(folder, 'file', 'search'))
  expect([index.seq, index.epoch]).toEqual([0, ''])
  await expect(index.reset('f')).rejects.toMatchObject({ code: 'search-unavailable' })
})

async function overwrite(path: string, from: number, to: number): Promise<void> {
  const { size } = await stat(path)
  const file = await open(path, 'r+')
  await file.write(new Uint8Array(Math.ceil(size * (to - from))).fill(0x5a), 0, undefined, Math.floor(size * from))
  await file.close()
}

async function cut(path: string): Promise<void> {
  await truncate(path, Math.floor((await stat(path)).size / 2))
}

test('a loss while it is in use rejects what was asked and leaves an empty index that can be filled', async () => {
  await made()
  await using index = await SegmentIndex.open(path)
  await index.search({ limit: 1 })
  const reasons: string[] = []
  index.onLost((reason) => reasons.push(reason))
  // Another hand empties the file under it.
  for (const file of await files('segment-')) await truncate(file, 0)
  await expect(index.search({ limit: 1, query: 'model' })).rejects.toMatchObject({ code: 'search-unavailable' })
  expect(reasons.length).toBe(1)
  expect([index.seq, index.epoch]).toEqual([0, ''])
  await expect(index.search({ limit: 1 })).rejects.toMatchObject({ code: 'search-unavailable' })
  await expect(index.apply({ seq: 1, entries: [], removed: [] })).rejects.toMatchObject({ code: 'search-unavailable' })
  await index.reset('f')
  await index.apply({ seq: 5, entries: entries.slice(0, 5), removed: [] })
  expect(((await index.search({ limit: 10, query: 'model' })) as SearchResult).total).toBe(5)
})

test('a change is found as soon as it is told to be in, however much is being asked', async () => {
  await made()
  await using index = await SegmentIndex.open(path)
  await index.search({ limit: 1 })
  const others = Array.from({ length: 150 }, () => index.search({ limit: 50, query: 'model' }))
  await index.apply({ seq: 601, entries: [entry('tool', 'new')], removed: entries.slice(0, 100).map(({ id }) => id) })
  const { total } = (await index.search({ limit: 1 })) as SearchResult
  expect([index.seq, total]).toEqual([601, 501])
  // Before it, or after it: nothing between is found.
  const totals = (await Promise.all(others)).map((answer) => (answer as SearchResult).total)
  expect(totals.filter((found) => found !== 600 && found !== 500)).toEqual([])
})

test('when the thread that answers dies, its questions fail and nothing else is lost', async () => {
  await using index = await SegmentIndex.open(path)
  await index.reset('e')
  await index.apply({ seq: 5, entries: entries.slice(0, 5), removed: [] })
  const asked = [index.search({ limit: 10 }), index.fields()]
  const died = index.killAnswers()
  for (const question of asked) await expect(question).rejects.toMatchObject({ code: 'search-unavailable' })
  await died
  await index.apply({ seq: 6, entries: entries.slice(5, 6), removed: [] })
  expect([index.seq, index.epoch]).toEqual([6, 'e'])
  expect(((await index.search({ limit: 10 })) as SearchResult).total).toBe(6)
})

test('a record that cannot be read is left out and reported, and the others are found', async () => {
  const logged: unknown[] = []
  await using index = await SegmentIndex.open(path, { log: (_level, message, facts) => logged.push([message, facts]) })
  await index.reset('e')
  const broken = { ...entry('model', 'broken'), slug: 5 as unknown as string }
  await index.apply({ seq: 3, entries: [entry('model', 'a'), broken, entry('model', 'b')], removed: [] })
  expect(index.seq).toBe(3)
  expect(((await index.search({ limit: 10 })) as SearchResult).total).toBe(2)
  expect(JSON.stringify(logged)).toContain(broken.id)
})

test('too many searches at once are answered busy, and the others all the same', async () => {
  await made()
  await using index = await SegmentIndex.open(path)
  const answers = await Promise.allSettled(
    Array.from({ length: searchesMax + 20 }, () => index.search({ limit: 1, query: 'model' })),
  )
  expect(answers.filter(({ status }) => status === 'fulfilled').length).toBe(searchesMax)
  for (const answer of answers.slice(searchesMax)) {
    expect(answer.status === 'rejected' && answer.reason).toMatchObject({ code: 'busy' })
  }
})

test('highlights name the field and mark the words, in any script and spelling', async () => {
  await using index = await SegmentIndex.open(path)
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
  const index = await SegmentIndex.open(path)
  await index[Symbol.asyncDispose]()
  await index[Symbol.asyncDispose]()
  await expect(index.search({ limit: 1 })).rejects.toMatchObject({ code: 'closed' })
})

test('killed while it indexes, it opens with a seq whose records are all there, and no others', async () => {
  const script = join(folder, 'writer.ts')
  await writeFile(script, writerSource())
  const reasons: unknown[] = []
  let kept = 0
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    await killAfter(child, 2 + round)
    await using index = await SegmentIndex.open(path, { log: (...told) => reasons.push(told) })
    expect([index.epoch, reasons]).toEqual(['e', []])
    // What it said to have on disk is there.
    expect(index.seq).toBeGreaterThan(kept)
    kept = index.seq
    const { total } = (await index.search({ limit: 1 })) as SearchResult
    expect(total).toBe(index.seq)
  }
})

/** Adds records for ever, going on where the index stands, and prints a line whenever the files have moved. */
function writerSource(): string {
  const at = (file: string) => JSON.stringify(resolve(file))
  return `
    import { statSync } from 'node:fs'
    import { SegmentIndex } from ${at('node/search-index.ts')}
    import { entry } from ${at('test/support/index-entries.ts')}
    const index = await SegmentIndex.open(process.argv[2], { keptRecords: 400 })
    if (index.epoch === '') await index.reset('e')
    let kept = 0
    for (let seq = index.seq + 200; ; seq += 200) {
      const entries = Array.from({ length: 200 }, (_, i) => entry('model', 'r' + (seq - i), { size: seq - i }))
      await index.apply({ seq, entries, removed: [] })
      const now = statSync(process.argv[2] + '/manifest', { throwIfNoEntry: false })?.mtimeMs ?? 0
      if (now > kept) console.log(seq)
      kept = now
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
