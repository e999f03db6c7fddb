/**
 * Every operation that the OpenAPI document names, tried with what callers get wrong: no token, somebody else's record,
 * too large a body, one of another type, one that is not what was asked for, one that never ends, another method. The
 * answer is always one of those that the document says, and a refusal is always a problem document.
 */
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Draft, encodeBody, keyToDid, ownerOfKey, recordId, kinds as tables } from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { framesBy, type HttpNode, jsonOf, NET, signerOf, startHttpNode, TOKEN } from '../support/http-node.ts'

type Operation = {
  readonly security: readonly unknown[]
  readonly parameters?: readonly { readonly $ref: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
  readonly responses: Readonly<Record<string, { readonly content?: object; readonly $ref?: string }>>
}
type Case = { readonly method: string; readonly path: string; readonly operation: Operation }

let http: HttpNode
let webhook: string
let cases: readonly Case[]
let paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>

beforeAll(async () => {
  http = await startHttpNode()
  const document = await jsonOf(await fetch(`${http.url}/openapi.json`))
  paths = document['paths']
  cases = Object.entries(paths).flatMap(([path, item]) =>
    '$ref' in item
      ? []
      : Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  expect(cases.length).toBeGreaterThan(150)
})
beforeEach(async () => {
  const hook = await jsonOf(await http.call('POST', '/v1/webhooks', { url: 'http://127.0.0.1:9/' }))
  webhook = hook['id']
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

/** A path with something well-formed in each place. */
function filled(path: string, values: Readonly<Record<string, string>> = {}): string {
  const usual: Record<string, string> = {
    id: '0'.repeat(64),
    owner: http.node.did ?? '',
    slug: 'none',
    webhook,
    ...values,
  }
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(usual[name] ?? 'none'))
}

async function expectDocumented({ method, path, operation }: Case, answer: Response, what: string): Promise<void> {
  const where = `${what}: ${method} ${path} -> ${answer.status}`
  const statuses = Object.keys(operation.responses)
  expect(statuses.includes(String(answer.status)) || statuses.includes('default'), where).toBe(true)
  const text = await answer.text()
  expect(text, where).not.toMatch(/node:internal|\.ts:\d|Error: /)
  const said = operation.responses[String(answer.status)]
  if (answer.status < 400 || (said?.content !== undefined && !('application/problem+json' in said.content))) return
  expect(answer.headers.get('content-type'), where).toBe('application/problem+json')
  const problem = JSON.parse(text)
  expect(problem, where).toMatchObject({ status: answer.status, type: `/problems/${problem.code}` })
  expect(problem.request_id, where).toBe(answer.headers.get('x-request-id'))
}

const withToken = { authorization: `Bearer ${TOKEN}` }
const typeOf = ({ operation }: Case) => Object.keys(operation.requestBody?.content ?? {})[0] ?? 'application/json'

function send(each: Case, body: BodyInit | undefined, headers: Record<string, string>, path = filled(each.path)) {
  const bodyOf = each.method === 'GET' ? {} : { body, duplex: 'half' }
  return fetch(http.url + path, { method: each.method, headers, ...bodyOf } as RequestInit)
}

/** Some at a time: the machine is small. */
async function forEach(some: readonly Case[], call: (each: Case) => Promise<void>): Promise<void> {
  const left = [...some]
  const lane = async () => {
    for (let each = left.shift(); each !== undefined; each = left.shift()) await call(each)
  }
  await Promise.all(Array.from({ length: 16 }, lane))
}

test('with a token and nothing else, every operation answers as documented', async () => {
  await forEach(cases, async (each) => {
    // What follows changes has no end.
    if (each.path.endsWith('/stream') || each.path.endsWith('/events')) return
    const answer = await send(each, undefined, withToken)
    await expectDocumented(each, answer, 'plain')
  })
})

test('without a token nothing that needs one is done', async () => {
  const { ops } = http.replica.counts()
  await forEach(
    cases.filter(({ operation }) => operation.security.length > 0),
    async (each) => {
      for (const authorization of ['', 'Bearer', 'Bearer x', `Basic ${TOKEN}`, 'Bearer eyJhbGciOiJub25lIn0.e30.']) {
        const answer = await send(each, '{"name":"x"}', { 'content-type': typeOf(each), authorization })
        expect(answer.status, `${each.method} ${each.path}`).toBe(401)
        await expectDocumented(each, answer, 'no token')
      }
    },
  )
  expect(http.replica.counts().ops).toBe(ops)
})

test('a record of another owner is changed by nobody else', async () => {
  const stranger = signerOf(77)
  const owned = cases.filter(({ path }) => /^\/v1\/[a-z]+\/\{(id|owner)\}/.test(path))
  const kinds = [...new Set(owned.map(({ path }) => path.split('/')[2] as string))]
  expect(kinds.length).toBeGreaterThan(5)
  const owner = ownerOfKey(stranger.key)
  const ids = new Map<string, string>()
  for (const { name, plural } of Object.values(tables)) {
    ids.set(plural, recordId({ net: NET, owner, kind: name, slug: 'theirs' }, nativeSuite.sha256))
    await http.replica.admit(framesBy(stranger, [genesisOf(name, owner)]), { via: 'http' }, { sync: true })
    expect(await http.replica.record(ids.get(plural) as string), name).toBeDefined()
  }
  const { ops } = http.replica.counts()
  const writes = owned.filter(({ method }) => method !== 'GET')
  expect(writes.length).toBeGreaterThan(30)
  await forEach(writes, async (each) => {
    const id = ids.get(each.path.split('/')[2] as string) as string
    const path = filled(each.path, { id, owner: keyToDid(stranger.key), slug: 'theirs' })
    const answer = await send(each, '{"name":"mine now"}', { ...withToken, 'content-type': typeOf(each) }, path)
    // Actions on a record take bodies of their own, and may say so first.
    const refusals = each.method === 'POST' ? [403, 404, 422] : [403, 404]
    expect(refusals, `${each.method} ${path}`).toContain(answer.status)
    await expectDocumented(each, answer, 'wrong owner')
  })
  expect(http.replica.counts().ops).toBe(ops)
})

function genesisOf(kind: string, owner: string): Draft {
  const body = encodeBody({ slug: 'theirs', f: [[['name'], 'theirs']], s: [], t: [] })
  return { type: 'genesis', owner, kind, slug: 'theirs', w: 1, body }
}

/** What the path names may not be there, and some routes say so before they look at the body. */
function orMissing({ path }: Case, status: number): readonly number[] {
  return /\{(?!id|owner|slug|webhook)/.test(path) ? [status, 404] : [status]
}

const withBody = () => cases.filter(({ operation }) => operation.requestBody !== undefined)

test('a body of another type, a compressed one and one that is no JSON are refused', async () => {
  expect(withBody().length).toBeGreaterThan(40)
  await forEach(withBody(), async (each) => {
    const type = { ...withToken, 'content-type': typeOf(each) }
    const form = await send(each, 'a=b', { ...withToken, 'content-type': 'application/x-www-form-urlencoded' })
    expect(orMissing(each, 415), `${each.method} ${each.path}`).toContain(form.status)
    await expectDocumented(each, form, 'wrong type')
    const gzip = await send(each, 'x', { ...type, 'content-encoding': 'gzip' })
    expect(orMissing(each, 415), `${each.method} ${each.path}`).toContain(gzip.status)
    await expectDocumented(each, gzip, 'compressed')
    for (const odd of ['', '{', '[1,2', '{"a":1,"a":2}', '\ufeff{}', '[]', 'null', '"x"', '[['.repeat(5_000)]) {
      await expectDocumented(each, await send(each, odd, type), `body ${odd.slice(0, 10)}`)
    }
  })
})

test('a body that says it is huge is refused before it is read', async () => {
  await forEach(withBody(), async (each) => {
    const answer = await raw(each, `content-length: ${2 ** 30}\r\n\r\n`)
    expect(orMissing(each, 413), `${each.method} ${each.path}`).toContain(Number(answer.slice(9, 12)))
  })
})

test('a body that never ends is cut off', async () => {
  await using slow = await startHttpNode({ seed: 2, requestTimeoutMs: 400, headerTimeoutMs: 300 })
  await forEach(withBody(), async (each) => {
    const answer = await raw(each, 'content-length: 1000\r\n\r\n{', slow)
    // What is not there is said before the body has come.
    expect(answer, `${each.method} ${each.path}`).toMatch(/^(HTTP\/1\.1 (408|404) |$)/)
  })
})

/** What comes back on a socket of its own until the server closes it. */
function raw(each: Case, rest: string, node = http): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(node.server.port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('error', () => {}) // a reset is also an end
    socket.once('close', () => resolve(answer))
    const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: ${typeOf(each)}\r\n`
    socket.write(`${each.method} ${filled(each.path)} HTTP/1.1\r\n${head}${rest}`)
  })
}

test('a method that a path does not take is refused, with those that it does', async () => {
  for (const [path, item] of Object.entries(paths)) {
    if ('$ref' in item) continue
    const taken = Object.keys(item).map((method) => method.toUpperCase())
    const other = ['PUT', 'DELETE', 'PATCH', 'POST'].find((method) => !taken.includes(method))
    if (other === undefined) continue
    const answer = await fetch(http.url + filled(path), { method: other, headers: withToken })
    // Two paths of the document can be one for the router: /{id}/history is also an owner and a slug.
    if (answer.status !== 405) {
      expect(
        Object.keys(paths).filter((each) => new RegExp(`^${each.replace(/\{\w+\}/g, '[^/]+')}$`).test(filled(path)))
          .length,
        `${other} ${path} -> ${answer.status}`,
      ).toBeGreaterThan(1)
      continue
    }
    expect(answer.headers.get('allow')?.split(', '), path).toEqual(expect.arrayContaining(taken))
    expect((await jsonOf(answer))['code']).toBe('method-not-allowed')
  }
})
