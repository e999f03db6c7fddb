/** The signing journal on disk: what a crash, a full disk or a flipped bit leaves of it. */
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileJournal } from '../../node/journal.ts'

let path: string
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'peerage-journal-')), 'journal')
})
afterEach(async () => rm(join(path, '..'), { recursive: true, force: true }))

const id = (n: number) => n.toString(16).padStart(64, '0')
const entry = (n: number) => ({ record: id(n), op: id(1_000 + n) })
async function entriesOf(): Promise<[number, boolean][]> {
  await using journal = await FileJournal.open(path)
  return (await Array.fromAsync(journal.entries())).map(({ record, op, settled }) => {
    expect(Number.parseInt(op, 16)).toBe(Number.parseInt(record, 16) + 1_000)
    return [Number.parseInt(record, 16), settled]
  })
}

test('gives back what was signed, and whether it reached the store', async () => {
  {
    await using journal = await FileJournal.open(path)
    await journal.settle()
    await journal.append([entry(1), entry(2)])
    await journal.settle()
    await journal.append([entry(3)])
    await journal.abandon()
    await journal.append([entry(4)])
    await journal.settle()
    await journal.append([entry(5)])
  }
  const wanted = [
    [1, true],
    [2, true],
    [4, true],
    [5, false],
  ]
  expect(await entriesOf()).toEqual(wanted)
  expect(await entriesOf()).toEqual(wanted)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('tells the same before it is opened again', async () => {
  await using journal = await FileJournal.open(path)
  await journal.append([entry(1)])
  await journal.abandon()
  await journal.append([entry(2)])
  await journal.settle()
  expect((await Array.fromAsync(journal.entries())).map(({ record, settled }) => [record, settled])).toEqual([
    [id(2), true],
  ])
})

test('holds tens of thousands', async () => {
  {
    await using journal = await FileJournal.open(path)
    for (let from = 0; from < 20_000; from += 5_000)
      await journal.append(Array.from({ length: 5_000 }, (_, i) => entry(from + i)))
    await journal.settle()
  }
  expect((await entriesOf()).every(([n, settled], i) => n === i && settled)).toBe(true)
})

test('cut anywhere, it opens with what is whole, and goes on', async () => {
  {
    await using journal = await FileJournal.open(path)
    await journal.append([entry(1), entry(2), entry(3)])
  }
  const whole = await readFile(path)
  for (let length = 0; length <= whole.length; length += 13) {
    await writeFile(path, whole)
    await truncate(path, length)
    const left = Math.floor(length / (whole.length / 3))
    expect((await entriesOf()).map(([n]) => n)).toEqual([1, 2, 3].slice(0, left))
    await using journal = await FileJournal.open(path)
    await journal.append([entry(9)])
    await journal.settle()
    expect((await entriesOf()).map(([n]) => n)).toEqual([...[1, 2, 3].slice(0, left), 9])
  }
})

test('what a power cut leaves behind the end is cut off', async () => {
  {
    await using journal = await FileJournal.open(path)
    await journal.append([entry(1)])
    await journal.settle()
  }
  await appendFile(path, new Uint8Array(500))
  expect(await entriesOf()).toEqual([[1, true]])
  expect((await stat(path)).size).toBe(2 * 69)
})

test('a flipped bit before the end is damage, not an end', async () => {
  {
    await using journal = await FileJournal.open(path)
    await journal.append([entry(1), entry(2), entry(3)])
  }
  const whole = await readFile(path)
  for (let bit = 0; bit < 2 * 69 * 8; bit += 7) {
    const copy = Buffer.from(whole)
    copy[bit >> 3]! ^= 1 << (bit & 7)
    await writeFile(path, copy)
    await expect(FileJournal.open(path)).rejects.toMatchObject({
      code: 'key-journal',
      message: expect.stringContaining(path),
    })
  }
})

test('a folder that is not there is a failure with the path in it', async () => {
  await expect(FileJournal.open('/dev/null/journal')).rejects.toMatchObject({
    code: 'store-failed',
    message: expect.stringContaining('/dev/null/journal'),
  })
})
