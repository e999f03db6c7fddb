/** Bundles as a person carries them: from one node to a file, from the file to a node that has never met the first. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../../src/cli.ts'
import { type HttpNode, startHttpNode } from '../../support/http-node.ts'

let folder: string
let from: HttpNode
let to: HttpNode
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-bundle-'))
  ;[from, to] = await Promise.all([startHttpNode({ seed: 1 }), startHttpNode({ seed: 2 })])
  const records = Array.from({ length: 40 }, (_, i) => ({
    kind: i % 4 ? 'model' : 'agent',
    doc: { name: `record ${i}`, description: i % 2 ? 'sees pictures' : 'writes' },
  }))
  const body = records.map((record) => JSON.stringify(record)).join('\n')
  const answer = await from.call('POST', '/v1/batch', body, { 'content-type': 'application/x-ndjson' })
  expect(answer.status).toBe(200)
})
afterAll(async () => {
  await from[Symbol.asyncDispose]()
  await to[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function peerage(node: HttpNode, ...args: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const stdin = Readable.from([]) as unknown as NodeJS.ReadStream
  const env = { PEERAGE_DATA: folder, PEERAGE_CONFIG: '' }
  const code = await run([...args, '--url', node.url], { stdin, stdout, stderr, env })
  stdout.end()
  stderr.end()
  const text = async (stream: PassThrough) => Buffer.concat(await stream.toArray()).toString()
  return { code, stdout: await text(stdout), stderr: await text(stderr) }
}

test('what one node writes, another takes in, verified; a second time it changes nothing', async () => {
  const file = join(folder, 'all.bundle')
  expect((await peerage(from, 'export', '--bundle', file)).code).toBe(0)
  const dry = await peerage(to, 'import', file, '--dry-run')
  expect(dry.code).toBe(0)
  expect(to.replica.counts().ops).toBe(0)
  const first = await peerage(to, 'import', file)
  expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('40 applied') })
  expect(to.replica.root()).toBe(from.replica.root())
  const second = await peerage(to, 'import', file, '--json')
  expect(JSON.parse(second.stdout)).toMatchObject({ ops: 40, applied: 0, duplicate: 40, damage: [] })
})

test('of a kind, an owner or a search', async () => {
  const owner = (await (await from.call('GET', '/v1/status')).json()).did as string
  const cases: [string[], number][] = [
    [['--kind', 'agents'], 10],
    [['--kind', 'model', '--owner', owner], 30],
    [['--query', 'pictures'], 20],
    [['--query', 'pictures', '--kind', 'agents'], 0],
  ]
  for (const [args, ops] of cases) {
    const file = join(folder, 'some.bundle')
    expect((await peerage(from, 'export', '--bundle', file, ...args)).code).toBe(0)
    const read = await peerage(to, 'import', file, '--json')
    expect(JSON.parse(read.stdout), args.join(' ')).toMatchObject({ ops })
  }
})

test('a damaged file leaves with 6 and names the place; what is good of it goes in', async () => {
  const file = join(folder, 'cut.bundle')
  await peerage(from, 'export', '--bundle', file)
  await writeFile(file, (await readFile(file)).subarray(0, -10))
  const cut = await peerage(to, 'import', file)
  expect(cut).toMatchObject({ code: 6, stdout: expect.stringContaining('40 duplicate') })
  expect(cut.stderr).toMatch(/cut\.bundle: bytes \d+ to \d+: /)
})

test('a bundle of another network, and a file that is none beside one, are refused', async () => {
  const file = join(folder, 'other.bundle')
  await peerage(from, 'export', '--bundle', file)
  const bytes = await readFile(file)
  bytes[20]! ^= 1
  await writeFile(file, bytes)
  expect(await peerage(to, 'import', file)).toMatchObject({ code: 1, stderr: expect.stringContaining('network') })
  const lines = join(folder, 'lines.jsonl')
  await writeFile(lines, '{}\n')
  const good = join(folder, 'all.bundle')
  expect(await peerage(to, 'import', good, lines)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no bundle'),
  })
  expect((await peerage(from, 'export', '--query', 'x')).code).toBe(2)
})

test.each([
  ['not an object', [1]],
  ['an unknown field', { kind: ['model'] }],
  ['kinds that are none', { kinds: ['Not A Kind'] }],
  ['kinds that are no list', { kinds: 'model' }],
  ['an owner that is none', { owners: ['me'] }],
  ['records that are none', { records: ['abc'] }],
  ['too many records', { records: Array(10_001).fill('a'.repeat(64)) }],
])('POST /v1/bundle refuses %s', async (_, body) => {
  const answer = await from.call('POST', '/v1/bundle', body)
  expect([answer.status, (await answer.json()).code]).toEqual([400, 'bad-request'])
})
