import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp, PAGE_PATHS } from '../../api/index.ts'
import { kinds } from '../../crdt/index.ts'
import { mcpServer } from '../../src/mcp-server.ts'
import { type HttpNode, jsonOf, startHttpNode, TOKEN } from '../support/http-node.ts'

type Operation = {
  operationId: string
  security: unknown[]
  responses: Record<string, unknown>
  parameters?: unknown[]
}
type Document = {
  openapi: string
  paths: Record<string, Record<string, Operation> & { $ref?: string }>
  components: Record<string, Record<string, unknown>>
}

let http: HttpNode
let document: Document
beforeAll(async () => {
  http = await startHttpNode()
  document = await jsonOf<Document>(await fetch(`${http.url}/openapi.json`))
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

function resolve(ref: string): Record<string, string> | undefined {
  let at: unknown = document
  for (const part of ref.slice(2).split('/')) {
    at = (at as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at as Record<string, string> | undefined
}

/** Every operation, also under the paths that refer to another. */
function operations(): { method: string; path: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item.$ref === undefined ? item : (resolve(item.$ref) as unknown as Record<string, Operation>)).map(
      ([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation: operation as Operation,
      }),
    ),
  )
}

test('every route is in the document, or is a page and no more', () => {
  const app = createApp(http.node, { token: TOKEN, mcp: mcpServer })
  const routed = app.routes.map((route) => `${route.method} ${route.path.replace(/:(\w+)(\{\.\+\})?/g, '{$1}')}`)
  const described = operations().map(({ method, path }) => `${method} ${path}`)
  const pages = PAGE_PATHS.map((path) => `GET ${path}`)
  expect([...described, ...pages].toSorted()).toEqual([...new Set(routed)].toSorted())
  expect(routed.length).toBeGreaterThan(100)
})

test('what the document leaves out as a page answers with a page or a file, never with JSON', async () => {
  for (const path of PAGE_PATHS) {
    const answer = await fetch(http.url + path.replace(/\{\w+\}/, 'x'), { headers: { accept: 'text/html' } })
    expect(answer.headers.get('content-type'), path).toMatch(/^text\/html/)
    await answer.body?.cancel()
  }
})

test('every reference leads somewhere, and every operation has a name of its own', () => {
  const refs: string[] = []
  JSON.stringify(document, (key, value) => {
    if (key === '$ref') refs.push(value)
    return value
  })
  expect(refs.filter((ref) => resolve(ref) === undefined)).toEqual([])
  const ids = Object.values(document.paths).flatMap((item) =>
    item.$ref === undefined
      ? Object.values(item as Record<string, Operation>).map((operation) => operation.operationId)
      : [],
  )
  expect(new Set(ids).size).toBe(ids.length)
  expect(document.openapi).toBe('3.1.0')
})

test('path parameters are described, and every operation says what it answers', () => {
  for (const { path, operation } of operations()) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
    const described = (operation.parameters ?? [])
      .map((each) => resolve((each as { $ref: string }).$ref))
      .filter((each) => each?.['in'] === 'path')
    expect(
      described.map((each) => each?.['name']),
      path,
    ).toEqual(named)
    expect(Object.keys(operation.responses).length).toBeGreaterThan(0)
  }
})

test('every operation that needs a token answers 401 without one, and with a wrong one, and writes nothing', async () => {
  const { ops } = http.replica.counts()
  const guarded = operations().filter(({ operation }) => operation.security.length > 0)
  expect(guarded.length).toBeGreaterThan(50)
  for (const { method, path } of guarded) {
    const url = http.url + path.replace('{id}', '0'.repeat(64)).replace('{owner}', 'did:key:z').replace('{slug}', 'x')
    for (const authorization of [
      undefined,
      'Bearer wrong',
      `Basic ${TOKEN}`,
      TOKEN,
      `Bearer ${TOKEN}x`,
      'Bearer ',
      `Bearer ${TOKEN} ${TOKEN}`,
    ]) {
      const answer = await fetch(url, {
        method,
        ...(method !== 'DELETE' && method !== 'GET' && { body: '{"name":"x"}' }),
        headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
      })
      expect(answer.status, `${method} ${path}`).toBe(401)
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="peerage"/)
      await answer.body?.cancel()
      if (path.startsWith('/v1/agents')) continue
      break // every form of a wrong token on one kind is enough
    }
  }
  expect(http.replica.counts().ops).toBe(ops)
})

test('what anybody may read needs no token', () => {
  const open = operations().filter(({ operation }) => operation.security.length === 0)
  for (const { method, path } of open)
    expect(
      method === 'GET' || /search$|explore$|\/v1\/bundle$|^\/mcp$|\/v1\/ops$/.test(path),
      `${method} ${path}`,
    ).toBe(true)
})

test('all kinds have their schemas', () => {
  for (const kind of Object.values(kinds)) {
    for (const name of [kind.name, `${kind.name}_record`, `${kind.name}_list`])
      expect(document.components['schemas']).toHaveProperty(name)
    expect(document.paths).toHaveProperty(`/v1/${kind.plural}`)
  }
})
