import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { valueToJson } from '../../crdt/index.ts'
import { type Entry, Grouping, groupEntries, readEntries } from '../../src/import/catalogue.ts'
import { linesOf, linesOfFile } from '../../src/import/lines.ts'
import { lineBytesMax } from '../../src/limits.ts'
import { catalogueFiles, leftOut, readCatalogue } from '../support/catalogue-files.ts'

const fixture = resolve(import.meta.dirname, '../fixtures/catalogue.jsonl')
const plain = (value: unknown) => JSON.parse(JSON.stringify(valueToJson(value as never)))
const entry = (json: unknown, line = 1): Entry => ({ json, line })

async function docsOf(...entries: unknown[]) {
  const { records } = await groupEntries(entries.map((json, i) => entry(json, i + 1)))
  return records.map(({ slug, doc }) => ({ slug, doc: plain(doc) }))
}

describe('a file of entries', () => {
  const read = () => groupEntries(readEntries(linesOfFile(fixture), 'catalogue.jsonl'))

  test('every entry is part of a record or refused with its line and reason', async () => {
    const { entries, records, refused } = await read()
    expect(entries).toBe(15)
    expect(records.flatMap(({ from }) => from).length + refused.length).toBe(entries)
    expect(refused.map(({ line, reason }) => [line, reason])).toEqual([
      [7, 'no name'],
      [8, 'the name is blank'],
      [9, expect.stringMatching(/^unknown kind "gadget": expected one of model, agent, /)],
      [10, expect.stringMatching(/^not JSON: /)],
      [11, 'expected a map, got a list'],
      [12, 'no kind'],
      [13, expect.stringMatching(/^\/parameters: expected a whole number of at most 2\^53-1/)],
      [14, 'the name is not a text'],
      [15, 'the owner is not a text'],
    ])
    expect(refused[5]).toMatchObject({ file: 'catalogue.jsonl', name: 'no kind' })
  })

  test('names keep what stands in them: blanks at the ends, emoji, control characters', async () => {
    const { records } = await read()
    expect(records.map(({ slug }) => slug)).toEqual([
      'acme/tiny-1',
      'acme/@acme/hammer',
      ' Trailing blank ',
      '😀\u001e\u200b e\u0301 مرحبا',
    ])
  })

  test('entries of one slug are one record: the first value stays, what others say is in provenance', async () => {
    const [model] = (await read()).records
    expect(model?.from).toEqual([
      { file: 'catalogue.jsonl', line: 1 },
      { file: 'catalogue.jsonl', line: 4 },
      { file: 'catalogue.jsonl', line: 16 },
    ])
    expect(plain(model?.doc)).toEqual({
      name: 'tiny-1',
      provider: 'acme',
      model_type: 'LLM',
      context_length: 0,
      tags: ['small'],
      license: 'mit',
      provenance: [
        { source: 'first', path: 'models/tiny-1.toml' },
        { source: 'second', key: 'acme/tiny-1', other: { context_length: 4096 } },
        { source: 'third', key: 'acme/tiny-1', other: { context_length: 8192 } },
      ],
    })
  })

  test('a second reading gives the same', async () => {
    expect(JSON.stringify(await read())).toBe(JSON.stringify(await read()))
  })
})

describe('an entry', () => {
  test('says its owner as provider; a blank owner is none', async () => {
    expect(await docsOf({ kind: 'model', name: 'n', owner: 'o' })).toEqual([
      { slug: 'o/n', doc: { name: 'n', provider: 'o' } },
    ])
    expect(await docsOf({ kind: 'model', name: 'n', owner: ' ' })).toEqual([{ slug: 'n', doc: { name: 'n' } }])
    expect(await docsOf({ kind: 'model', name: 'n', owner: null })).toEqual([{ slug: 'n', doc: { name: 'n' } }])
  })

  test('of another kind is another record', async () => {
    expect(await docsOf({ kind: 'model', name: 'n' }, { kind: 'tool', name: 'n' })).toHaveLength(2)
  })

  test('loses nothing that it says under a name the register keeps', async () => {
    const said = { kind: 'model', name: 'n', owner: 'o', provider: 'p', id: 7, slug: 's', _source: { source: 'x' } }
    expect(await docsOf(said)).toEqual([
      {
        slug: 'o/n',
        doc: { name: 'n', provider: 'o', provenance: [{ source: 'x', other: { provider: 'p', id: 7, slug: 's' } }] },
      },
    ])
  })

  test('loses nothing that it says under a name that objects of JavaScript have', async () => {
    const said = (x: number) => JSON.parse(`{"kind":"model","name":"n","__proto__":{"x":${x}},"constructor":1}`)
    const { records } = await groupEntries([entry(said(1)), entry(said(2), 2)])
    const text = JSON.stringify(records[0]?.doc)
    expect(text).toBe('{"name":"n","__proto__":{"x":1},"constructor":1,"provenance":[{"other":{"__proto__":{"x":2}}}]}')
  })

  test('keeps earlier provenance, and a source that is no map', async () => {
    const earlier = [{ source: 'long ago' }]
    expect(await docsOf({ kind: 'model', name: 'n', provenance: earlier, _source: 'here' })).toEqual([
      { slug: 'n', doc: { name: 'n', provenance: [{ source: 'long ago' }, { source: 'here' }] } },
    ])
  })

  test('that is read twice counts once', async () => {
    const twice = { kind: 'model', name: 'n', version: '1', _source: { source: 'x' } }
    expect(await docsOf(twice, twice)).toEqual(await docsOf(twice))
  })

  test('with a slug of more than 256 bytes is refused', async () => {
    const { refused } = await groupEntries([entry({ kind: 'model', name: 'é'.repeat(120), owner: 'o'.repeat(16) })])
    expect(refused).toMatchObject([{ reason: 'owner/name is longer than 256 bytes' }])
    const { records } = await groupEntries([entry({ kind: 'model', name: 'é'.repeat(120), owner: 'o'.repeat(15) })])
    expect(records).toHaveLength(1)
  })

  test('is refused as it comes, for who shows progress', () => {
    const grouping = new Grouping()
    expect(grouping.add(entry({ kind: 'model', name: 'n' }))).toBeUndefined()
    expect(grouping.add(entry({ kind: 'model' }, 2))).toEqual({ line: 2, kind: 'model', reason: 'no name' })
  })
})

describe('lines', () => {
  const split = async (...chunks: string[]) => {
    const lines: string[] = []
    for await (const line of linesOf(chunks.map((chunk) => Buffer.from(chunk, 'latin1')))) lines.push(line)
    return lines
  }
  const latin = (text: string) => Buffer.from(text).toString('latin1')

  test('end at a line feed alone, wherever the chunks end', async () => {
    const text = latin('{"a":"\u2028\u0085"}\r\nnext\n\nlast 😀')
    for (let i = 0; i < text.length; i++) {
      expect(await split(text.slice(0, i), text.slice(i))).toEqual(['{"a":"\u2028\u0085"}', 'next', '', 'last 😀'])
    }
    expect(await split('a\n')).toEqual(['a'])
    expect(await split()).toEqual([])
  })

  test('that are too long are said to be, and the next is read', async () => {
    const [long, next] = await split('x'.repeat(lineBytesMax), 'x', '\nnext')
    expect(long).toMatch(/^\(a line of \d+ bytes/)
    expect(next).toBe('next')
  })

  test('come from plain and gzipped files alike; a damaged file is an error', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'peerage-lines-'))
    try {
      const text = `\uFEFF${JSON.stringify({ kind: 'model', name: 'n' })}\n`
      const zipped = gzipSync(text)
      await writeFile(join(folder, 'a.jsonl'), text)
      await writeFile(join(folder, 'a.jsonl.gz'), zipped)
      await writeFile(join(folder, 'cut.jsonl.gz'), zipped.subarray(0, zipped.length - 9))
      for (const name of ['a.jsonl', 'a.jsonl.gz']) {
        expect((await groupEntries(readEntries(linesOfFile(join(folder, name))))).records).toHaveLength(1)
      }
      await expect(groupEntries(readEntries(linesOfFile(join(folder, 'cut.jsonl.gz'))))).rejects.toThrow()
      await expect(groupEntries(readEntries(linesOfFile(join(folder, 'none.jsonl.gz'))))).rejects.toThrow(/ENOENT/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

test.skipIf(catalogueFiles === undefined)(`the nine real files are 23,948 records${leftOut}`, async () => {
  const { entries, records, refused } = await readCatalogue(catalogueFiles as readonly string[])
  expect({ entries, records: records.length }).toEqual({ entries: 24_675, records: 23_948 })
  expect(refused.map(({ reason }) => reason)).toEqual(['no name', 'no name'])
  expect(records.reduce((sum, { from }) => sum + from.length, 0)).toBe(24_673)
})

test.skipIf(catalogueFiles === undefined)(`nothing of a real entry is lost${leftOut}`, async () => {
  const files = (catalogueFiles as readonly string[]).filter((path) => !path.includes('models'))
  const { records } = await readCatalogue(files)
  const byLine = new Map(
    records.flatMap(({ doc, from }) => from.map(({ file, line }) => [`${file}:${line}`, plain(doc)])),
  )
  let checked = 0
  for (const file of files) {
    for await (const read of readEntries(linesOfFile(file), file)) {
      const doc = byLine.get(`${file}:${read.line}`)
      if (doc === undefined || !('json' in read)) continue
      const { kind: _kind, _source, owner, ...fields } = read.json as Record<string, unknown>
      const origin = doc.provenance.find(
        (one: object) => JSON.stringify({ ...one, other: undefined }) === JSON.stringify(_source),
      )
      const said = { ...fields, ...(owner === undefined ? {} : { provider: owner }) }
      expect({ ...doc, ...origin?.other }).toMatchObject(said)
      checked++
    }
  }
  expect(checked).toBeGreaterThan(8_000)
})
