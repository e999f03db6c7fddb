/** What an import remembers between two runs, and what it does not believe. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Progress } from '../../../src/import/progress.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-progress-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const open = (source = 'mcp http://a', restart = false) => Progress.open(folder, source, restart)

test('a document goes on behind what is stored of it, but only while it is the same text', async () => {
  const first = await open()
  expect(first.at).toBeUndefined()
  await first.note('page 2', 'text', 1000)
  const second = await open()
  expect([second.at, second.storedOf('page 2', 'text')]).toEqual(['page 2', 1000])
  expect(second.storedOf('page 2', 'other text')).toBe(0)
  expect(second.storedOf('page 3', 'text')).toBe(0)
  await second.finish('page 2', { etag: '"2"', next: 'page 3' }, 'page 3')
  const third = await open()
  expect([third.at, third.storedOf('page 2', 'text'), third.page('page 2')]).toEqual([
    'page 3',
    0,
    { etag: '"2"', next: 'page 3' },
  ])
  await third.finish('page 3', {}, undefined)
  expect((await open()).at).toBeUndefined()
})

test('sources are told apart, a restart forgets, and a damaged file counts as none', async () => {
  const one = await open()
  await one.note('p', 't', 1)
  expect((await open('hf http://a')).at).toBeUndefined()
  expect((await open('mcp http://a', true)).at).toBeUndefined()
  const [name] = await readdir(join(folder, 'imports'))
  const path = join(folder, 'imports', name as string)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readFile(path, 'utf8')).toContain('"source":"mcp http://a"')
  for (const text of ['', '{', '{"version":9}', '[]']) {
    await writeFile(path, text)
    expect((await open()).at, text).toBeUndefined()
  }
})

test('a page called __proto__ is a page', async () => {
  const progress = await open()
  await progress.finish('__proto__', { etag: '"x"' }, undefined)
  expect((await open()).page('__proto__')).toEqual({ etag: '"x"' })
  expect((await open()).page('toString')).toBeUndefined()
})
