/** The README's filters, asked of a node with the sample catalogue: each is understood and finds something. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSample } from '../src/sample/load.ts'
import { type HttpNode, jsonOf, startHttpNode } from './support/http-node.ts'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
const typed = [...readme.matchAll(/--where '([^']+)'/g)].map((match) => match[1] as string)
const [, table = ''] = /\n\| filter \| means \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(readme) ?? []
const listed = [...table.matchAll(/^\|(.+?)\|/gm)].flatMap((row) =>
  [...(row[1] as string).matchAll(/`([^`]+)`/g)].map((cell) => cell[1] as string),
)

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
  await loadSample(http.node)
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

test.each([...typed, ...listed])('%s', async (filters) => {
  const answer = await http.call('POST', '/v1/search', { filters })
  const body = await jsonOf(answer)
  expect([answer.status, body['detail']]).toEqual([200, undefined])
  // Nothing in the sample has these.
  if (!/downloads|min_vram_gb|quantization exists|"Mistral AI"/.test(filters)) expect(body['total']).toBeGreaterThan(0)
})

test('there are filters in the README', () => {
  expect(typed.length).toBeGreaterThanOrEqual(4)
  expect(listed.length).toBeGreaterThanOrEqual(14)
})
