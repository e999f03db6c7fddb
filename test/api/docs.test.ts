/** What is said about the interface: it lints, is complete, and can be read. */
import { readFile } from 'node:fs/promises'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PROBLEMS } from '../../api/index.ts'
import { kinds } from '../../crdt/index.ts'
import { type HttpNode, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

const textOf = async (path: string) => (await fetch(http.url + path)).text()

test('the OpenAPI document lints clean', async () => {
  const config = await createConfig({ extends: ['recommended'] })
  const source = await textOf('/openapi.json')
  const found = await lintFromString({ source, config, absoluteRef: 'openapi.json' })
  expect(found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
})

test('the type of every problem leads to a page that needs no script', async () => {
  const missing = await (await fetch(`${http.url}/v1/none`)).json()
  const page = await fetch(new URL(missing.type, http.url))
  expect(page.status).toBe(200)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const list = await textOf('/problems')
  for (const [code, [status, title]] of Object.entries(PROBLEMS)) {
    const text = await textOf(`/problems/${code}`)
    expect(text, code).toContain(`<h1>${title}</h1>`)
    expect(text, code).toContain(`<code>${code}</code>, HTTP status ${status}`)
    expect(list).toContain(`href="/problems/${code}"`)
  }
  for (const code of ['none', '__proto__', 'constructor', 'exists%00', 'exists.']) {
    expect((await fetch(`${http.url}/problems/${code}`)).status, code).toBe(404)
  }
})

test('the README lists every problem code', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const errors = readme.slice(readme.indexOf('## Errors'))
  expect(Object.keys(PROBLEMS).filter((code) => !errors.includes(`\`${code}\``))).toEqual([])
})

test('the interface in words has every path, every kind with its fields, and every problem', async () => {
  const markdown = await textOf('/openapi.md')
  const { paths } = JSON.parse(await textOf('/openapi.json')) as { paths: Record<string, Record<string, unknown>> }
  const plurals = Object.values(kinds).map(({ plural }) => plural)
  const general = (path: string) => path.replace(new RegExp(`^/v1/(${plurals.join('|')})(?=/|$)`), '/v1/{kinds}')
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      if (method !== '$ref') expect(markdown).toContain(`\`${method.toUpperCase()} ${general(path)}\``)
    }
  }
  for (const kind of Object.values(kinds))
    expect(markdown).toContain(`| ${kind.plural} | ${kind.name} | ${kind.note} |`)
  for (const code of Object.keys(PROBLEMS)) expect(markdown).toContain(`[${code}](/problems/${code})`)
  const page = await fetch(`${http.url}/docs`)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const html = await page.text()
  expect(html).toContain('<code>GET /v1/{kinds}/{id}</code>')
  expect(html).not.toMatch(/https?:\/\/(?!127\.0\.0\.1|www\.w3\.org)[^"'<\s]*\.(js|css)/)
  expect(html).not.toMatch(/<script(?![^>]* src="\/assets\/)/)
})

test('llms.txt leads to what there is', async () => {
  const text = await textOf('/llms.txt')
  expect(text).toMatch(/^# Peerage\n\n> /)
  for (const [, path] of text.matchAll(/\]\((\/[^)]*)\)/g)) {
    const answer = await fetch(http.url + path)
    expect(answer.status, path).toBe(200)
    await answer.body?.cancel()
  }
})

test('who has a document or a page is told so', async () => {
  for (const path of ['/openapi.json', '/openapi.md', '/llms.txt', '/docs', '/problems', '/problems/exists']) {
    const etag = (await fetch(http.url + path)).headers.get('etag') as string
    expect(etag, path).toBeTruthy()
    expect((await fetch(http.url + path, { headers: { 'if-none-match': etag } })).status, path).toBe(304)
  }
})
