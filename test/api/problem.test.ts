import { expect, test } from 'vitest'
import { hostCheck, tokenCheck } from '../../api/auth.ts'
import { etagOf, noneMatch, writeCondition } from '../../api/etag.ts'
import { PROBLEMS, problemBody, problemOfError } from '../../api/problem.ts'
import type { Merged } from '../../crdt/index.ts'
import { NodeError } from '../../node/errors.ts'
import { TOKEN } from '../support/http-node.ts'

const statusOf = (error: unknown) => PROBLEMS[problemOfError(error).problem][0]

test('what is worth another try says so, and what is not is our own fault', () => {
  for (const code of ['busy', 'search-unavailable', 'closed', 'store-failed'] as const) {
    const problem = problemOfError(new NodeError(code, 'x'))
    expect(PROBLEMS[problem.problem][0], code).toBe(503)
    expect(problem.headers?.['retry-after'], code).toBe('1')
  }
  // A store that was set back waits for a peer, and so does damage: not a matter of a second.
  for (const [code, problem] of [
    ['key-journal', 'unavailable'],
    ['store-corrupt', 'store-corrupt'],
  ] as const)
    expect(problemOfError(new NodeError(code, 'x'))).toMatchObject({ problem, headers: { 'retry-after': '60' } })
  const full = Object.assign(new Error('write failed'), { code: 'ENOSPC' })
  expect(statusOf(new NodeError('store-failed', 'x', { cause: new Error('batch', { cause: full }) }))).toBe(507)
  for (const error of [new NodeError('store-format', 'x'), new TypeError('x'), 'x', undefined]) {
    expect(statusOf(error)).toBe(500)
  }
})

test('a problem tells nothing of this machine', () => {
  const secret = `/home/operator/.peerage/key ${TOKEN}`
  for (const error of [new NodeError('store-failed', secret, { cause: new Error(secret) }), new Error(secret)]) {
    const body = problemBody(problemOfError(error), 'id')
    expect(body).not.toContain('operator')
    expect(body).not.toContain(TOKEN)
    expect(JSON.parse(body)).not.toHaveProperty('stack')
  }
})

test('a token is one word behind Bearer, and only the right one', async () => {
  const check = tokenCheck('secret')
  for (const good of ['Bearer secret', 'bearer secret', 'BEARER   secret'])
    expect(check(good)).toMatchObject({ may: 'write' })
  for (const bad of [
    '',
    'secret',
    'Bearer',
    'Bearer ',
    'Bearer Secret',
    'Bearer secretx',
    'Bearer secre',
    'Bearer secret x',
    'Token secret',
    'Bearer\tsecret',
    `Bearer ${'x'.repeat(10_000)}`,
  ]) {
    expect(await check(bad), bad).toBeUndefined()
  }
})

test('names: loopback, those given, and literal addresses when all of the machine is listened on', () => {
  const loopback = hostCheck(['Peerage.Example'], false)
  for (const good of [
    'localhost',
    'localhost:7070',
    '127.0.0.1:1',
    '[::1]',
    '[::1]:7070',
    'peerage.example',
    'PEERAGE.example.:80',
    undefined,
  ]) {
    expect(loopback.host(good), good).toBeUndefined()
  }
  for (const bad of [
    '',
    'evil.example',
    '192.168.1.5',
    '127.0.0.1.nip.io',
    'localhost.evil.example',
    'x@localhost',
    'localhost/',
    '::1',
    '[::1',
    'localhost:',
    'localhost:123456',
  ]) {
    expect(loopback.host(bad)?.problem, bad).toBe('host-not-allowed')
  }
  const all = hostCheck([], true)
  for (const good of ['192.168.1.5:7070', '[fe80::1]', '10.0.0.1']) expect(all.host(good), good).toBeUndefined()
  for (const bad of ['evil.example', '1.2.3', '0x7f.1']) expect(all.host(bad)?.problem, bad).toBe('host-not-allowed')
  expect(loopback.origin('http://localhost:3000')).toBeUndefined()
  for (const bad of [
    'null',
    'http://evil.example',
    'localhost',
    'file:///x',
    'http://localhost@evil.example',
    'http://localhost/x',
  ]) {
    expect(loopback.origin(bad)?.problem, bad).toBe('origin-not-allowed')
  }
})

const record = (heads: readonly string[], live = true) => ({ heads, live }) as unknown as Merged
const [a, b] = ['a'.repeat(64), 'b'.repeat(64)]

test('entity tags are those of the heads', () => {
  expect(etagOf(record([a]))).toBe(etagOf(record([a])))
  const tags = [[a], [b], [a, b], []].map((heads) => etagOf(record(heads)))
  expect(new Set(tags).size).toBe(4)
  for (const tag of tags) expect(tag).toMatch(/^"[0-9a-f]{32}"$/)
})

test('conditions hold as RFC 9110 says', () => {
  const now = record([a])
  const etag = etagOf(now)
  expect(noneMatch(undefined, etag)).toBe(true)
  expect(noneMatch(`W/${etag}`, etag)).toBe(false)
  expect(noneMatch('"x", *', etag)).toBe(true)
  expect(writeCondition(undefined, undefined)).toBeUndefined()
  const holds = (ifMatch: string | undefined, ifNoneMatch: string | undefined, of: Merged | undefined) =>
    writeCondition(ifMatch, ifNoneMatch)?.(of)
  expect(holds(etag, undefined, now)).toBe(true)
  expect(holds(`W/${etag}`, undefined, now)).toBe(false)
  expect(holds('', undefined, now)).toBe(false)
  expect(holds('*', undefined, now)).toBe(true)
  expect(holds('*', undefined, undefined)).toBe(false)
  expect(holds('*', undefined, record([a], false))).toBe(false)
  expect(holds(undefined, '*', undefined)).toBe(true)
  expect(holds(undefined, '*', record([a], false))).toBe(true)
  expect(holds(undefined, '*', now)).toBe(false)
  expect(holds(undefined, etag, now)).toBe(false)
})
