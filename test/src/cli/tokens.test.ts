/** `tokens` on the folder of a node that runs: what is made opens it, what is revoked does not. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../../src/cli.ts'
import { type Running, startNode } from '../../support/start-node.ts'

let data: string
let node: Running
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'peerage-cli-tokens-'))
  node = await startNode({ data, offline: true, more: ['--no-public-reads'] })
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await rm(data, { recursive: true, force: true })
})

async function tokens(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const read = async (stream: PassThrough) => Buffer.concat(await stream.toArray()).toString()
  const [out, err] = [read(stdout), read(stderr)]
  const code = await run(['tokens', ...args, '--data', data], { stdin: process.stdin, stdout, stderr, env: {} })
  stdout.end()
  stderr.end()
  return { code, out: (await out).trim(), err: await err }
}

async function asked(token: string, method = 'GET', kind = 'models'): Promise<number> {
  const answer = await fetch(`${node.http}/v1/${kind}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(method === 'POST' && { body: JSON.stringify({ name: `t-${Math.random()}` }) }),
  })
  await answer.body?.cancel()
  return answer.status
}

test('new, list and revoke, seen by the running node at once', async () => {
  expect(await asked('')).toBe(401)
  const reader = await tokens('new', 'reader', '-q')
  expect(reader).toMatchObject({ code: 0, out: expect.stringMatching(/^peerage_[\w-]{43}$/) })
  expect([await asked(reader.out), await asked(reader.out, 'POST')]).toEqual([200, 403])
  const ci = JSON.parse((await tokens('new', 'ci', '--write', '--kind', 'models', '--expires', '90d', '--json')).out)
  expect(ci).toMatchObject({ name: 'ci', may: 'write', kinds: ['model'] })
  expect(ci.expires - ci.created).toBe(90 * 86_400_000)
  expect([await asked(ci.token, 'POST'), await asked(ci.token, 'POST', 'agents')]).toEqual([201, 403])
  const listed = await tokens('list')
  expect(listed.out).toMatch(/^ci +write, model, since .*, until /m)
  expect(listed.out).toMatch(/^reader +read, all kinds, since /m)
  for (const secret of [reader.out, ci.token]) expect(listed.out + node.log()).not.toContain(secret)
  expect((await tokens('revoke', 'ci')).code).toBe(0)
  expect([await asked(ci.token), await asked(reader.out)]).toEqual([401, 200])
  expect((await tokens('revoke', 'ci')).code).toBe(3)
  expect((await tokens('new', 'reader')).code).toBe(5)
})

test('commands show the token to a node whose reads need one', async () => {
  const read = async (...more: string[]) => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const env = { PEERAGE_DATA: data }
    return run(['list', 'models', '-q', ...more], { stdin: process.stdin, stdout, stderr, env })
  }
  expect(await read()).toBe(0)
  expect(await read('--url', node.http, '--token-file', '/dev/null')).not.toBe(0)
})

test.each([
  [['new', 'a/b'], 2],
  [['new', 'x', '--read', '--write'], 2],
  [['new', 'x', '--kind', 'spaceship'], 2],
  [['new', 'x', '--expires', 'yesterday'], 2],
  [['new', 'x', '--expires', '2001-01-01'], 2],
])('tokens %j leaves with %i and makes none', async (args, code) => {
  expect((await tokens(...args)).code).toBe(code)
  expect((await tokens('list', '-q')).out.split('\n')).not.toContain('x')
})
