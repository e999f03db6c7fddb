/** Other people's documents, all of them: what is valid becomes a record, what is not is refused with its places. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { kinds, validate } from '../../../crdt/index.ts'
import { type CatalogueRecord, Grouping } from '../../../src/import/catalogue.ts'
import type { Found } from '../../../src/import/converter.ts'
import { converters } from '../../../src/import/converters.ts'
import { secretErrors } from '../../../src/import/secrets.ts'
import { leftOutNote, othersFiles, vectorsLeftOut } from '../../support/vectors.ts'

function convert(format: string, path: string): readonly Found[] {
  return converters[format]?.convert(readFileSync(path, 'utf8'), { path: path.split('/').at(-1) as string }).found ?? []
}

/** How many entries are records, and what is wrong with the others. */
function read(format: string, folder: string, only = /./) {
  const files = othersFiles(folder).filter((path) => converters[format]?.files.test(path) && only.test(path))
  const refused: [string, string[]][] = []
  let records = 0
  for (const path of files) {
    for (const found of convert(format, path)) {
      if ('errors' in found) {
        refused.push([path.split('/').at(-1) as string, found.errors.map(({ pointer }) => pointer)])
      } else if ('entry' in found) {
        const grouping = new Grouping()
        expect(grouping.add({ line: 0, json: found.entry }), path).toBeUndefined()
        expect(secretErrors(found.entry, found.original), path).toEqual([])
        const { kind, doc } = grouping.catalogue().records[0] as CatalogueRecord
        expect(validate(kinds[kind], doc), path).toEqual([])
        records++
      }
    }
  }
  return { records, refused }
}

test.skipIf(vectorsLeftOut)(`MCP: 227 servers of the official seed${leftOutNote}`, () => {
  expect(read('mcp', 'mcp', /seed/)).toEqual({ records: 227, refused: [] })
  expect(read('mcp', 'mcp', /schema\.json$/)).toEqual({ records: 0, refused: [['schema.json', ['/name', '/version']]] })
  expect(read('mcp', 'agntcy-dir', /mcp-server\.json$/)).toEqual({ records: 1, refused: [] })
})

test.skipIf(vectorsLeftOut)(`MCP: the text of every server is kept character for character${leftOutNote}`, () => {
  const [path] = othersFiles('mcp').filter((name) => name.includes('seed'))
  const text = readFileSync(path as string, 'utf8')
  const values = JSON.parse(text) as unknown[]
  let from = 0
  for (const [n, found] of convert('mcp', path as string).entries()) {
    const { original } = found as { original: string }
    const at = text.indexOf(original, from)
    expect(at).toBeGreaterThanOrEqual(from)
    from = at + original.length
    expect(JSON.parse(original)).toEqual(values[n])
  }
})

test.skipIf(vectorsLeftOut)(`A2A: the valid card, and where the other one is wrong${leftOutNote}`, () => {
  const places = ['/capabilities', '/defaultInputModes', '/defaultOutputModes', '/skills']
  expect(read('a2a', 'a2a')).toEqual({ records: 1, refused: [['missing-required.json', places]] })
})

test.skipIf(vectorsLeftOut)(`OASF: 10 records; answers of a validator and a server.json are none${leftOutNote}`, () => {
  const { records, refused } = read('oasf', 'agntcy-dir')
  expect(records).toBe(10)
  expect(refused).toEqual([
    ...['invalid', 'valid', 'valid_with_warnings'].map((name) => [
      `schema_response_${name}.json`,
      ['/name', '/version', '/schema_version'],
    ]),
    ['mcp-server.json', ['/schema_version']],
  ])
})

test.skipIf(vectorsLeftOut)(`Docker: 163 servers${leftOutNote}`, () => {
  expect(read('docker-mcp', 'docker-mcp')).toEqual({ records: 163, refused: [] })
})
