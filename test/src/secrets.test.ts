/**
 * What a node tells the world in its whole life: every line of its log is JSON, and no secret of it is in anything that
 * leaves it: logs, answers, metrics, pages, what commands print, its command line. The secrets are put there first, so
 * that they can be looked for.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LevelDisk, newToken } from '../../node/index.ts'
import { framesFrom } from '../../node/rows.ts'
import { type Command, commandOn } from '../support/command.ts'
import { type Running, startNode } from '../support/start-node.ts'

const SEED = 'c0ffee5eedc0ffee5eedc0ffee5eedc0ffee5eedc0ffee5eedc0ffee5eedc0ff'
const PEER_SEED = 'decade5eeddecade5eeddecade5eeddecade5eeddecade5eeddecade5eedaaaa'
const TOKEN = 'canary-token-canary-token-canary-token-canX'
const HOOKS = 'canary-hooks-canary-hooks-canary-hooks-canX'

let folder: string
let data: string
let peerage: Command
let further: string
/** Everything that came out, by where it came from. */
const told: [where: string, text: string][] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-secrets-'))
  data = join(folder, 'data')
  await mkdir(data, { mode: 0o700 })
  const files = { key: SEED, 'peer-key': PEER_SEED, token: TOKEN, 'webhook-secret': HOOKS }
  for (const [name, text] of Object.entries(files)) await writeFile(join(data, name), `${text}\n`, { mode: 0o600 })
  further = (await newToken(data, { name: 'further', may: 'write', created: 1 }))!
  peerage = await commandOn(data, join(folder, 'config'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** As they are, and in the other clothes that such bytes usually wear. */
function secrets(): string[] {
  const bytes = [SEED, PEER_SEED].map((hex) => Buffer.from(hex, 'hex'))
  const encoded = bytes.flatMap((seed) => [
    seed.toString('base64').slice(0, 40),
    seed.toString('base64url').slice(0, 40),
  ])
  return [SEED, PEER_SEED, TOKEN, HOOKS, further, ...encoded, Buffer.from(TOKEN).toString('base64').slice(0, 56)]
}

async function ask(
  node: Running,
  method: string,
  path: string,
  options: { body?: string; headers?: Record<string, string> } = {},
) {
  const { body, headers } = options
  const answer = await fetch(node.http + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await answer.text()
  told.push([`${method} ${path}`, `${JSON.stringify([...answer.headers])}\n${text}`])
  return { status: answer.status, text }
}

async function run(...args: string[]) {
  const ran = await peerage(args)
  told.push([`peerage ${args.join(' ')}`, ran.stdout + ran.stderr])
  return ran
}

async function tellOf(node: Running): Promise<void> {
  for (const file of ['cmdline', 'environ']) {
    told.push([file, await readFile(`/proc/${node.process.pid}/${file}`, 'utf8').catch(() => '')])
  }
}

test('a life of a node, in which much goes wrong', async () => {
  const more = ['--log-level', 'debug', '--trusted-proxies', '127.0.0.1', '--sample']
  let record: string
  {
    await using node = await startNode({ data, more, env: { PEERAGE_NETWROK: 'x', NODE_OPTIONS: '--trace-warnings' } })
    await using other = await startNode({ data: join(folder, 'other'), join: node.multiaddrs })
    const made = await ask(node, 'POST', '/v1/models', { body: '{"name":"seen"}' })
    record = JSON.parse(made.text).id
    await ask(node, 'PATCH', `/v1/models/${record}`, {
      body: '{"description":"x"}',
      headers: { 'content-type': 'application/merge-patch+json' },
    })
    // Wrong in as many ways as there are doors.
    await ask(node, 'POST', '/v1/models', { body: `{"name": "${'x'.repeat(100)}` })
    await ask(node, 'POST', '/v1/models', { body: '{"name":7}', headers: { authorization: `Bearer ${further}x` } })
    await ask(node, 'POST', '/v1/models', { body: '{}', headers: { authorization: `Basic ${TOKEN}` } })
    await ask(node, 'GET', `/v1/models/${TOKEN.slice(0, 8)}`)
    await ask(node, 'POST', '/v1/ops', { body: 'junk', headers: { 'content-type': 'application/cbor' } })
    const { text: hook } = await ask(node, 'POST', '/v1/webhooks', { body: '{"url":"http://127.0.0.1:9/"}' })
    expect(hook).not.toBe('')
    // Everything that can be read without naming anything, as data and as a page.
    const { text } = await ask(node, 'GET', '/openapi.json')
    const paths = Object.entries(JSON.parse(text).paths as Record<string, Record<string, unknown>>)
    for (const [path, methods] of paths) {
      if (!('get' in methods) || path.includes('{')) continue
      await ask(node, 'GET', path)
      await ask(node, 'GET', path, { headers: { accept: 'text/html' } })
    }
    for (const path of ['/', '/node', `/models/${record}`, '/docs'])
      await ask(node, 'GET', path, { headers: { accept: 'text/html' } })
    for (const args of [
      ['status'],
      ['doctor'],
      ['doctor', '--json'],
      ['config', 'show', '--origin'],
      ['tokens', 'list'],
      ['peers'],
      ['get', record],
      ['publish', '/nowhere'],
    ]) {
      await run(...args)
    }
    await tellOf(node)
    await other.stop()
    expect(await node.stop()).toBe(0)
    told.push(['log', node.log()])
    told.push(['other log', other.log()])
  }
  // A frame that is damaged makes a request fail for a reason of ours.
  {
    await using disk = await LevelDisk.open(join(data, 'ops'))
    for await (const [key, row] of disk.entries({ ...framesFrom(0) }))
      await disk.batch([{ key, value: row.subarray(0, 12) }])
  }
  await using node = await startNode({ data, offline: true, more: ['--log-level', 'debug'] })
  const failed = await ask(node, 'GET', `/v1/models/${record}/history`, {
    headers: { 'x-request-id': 'asked-by-a-test' },
  })
  expect(failed.status).toBe(503)
  await node.stop()
  told.push(['log after damage', node.log()])
})

test('every line of the log is JSON with level, time and message, and a failed request has its id', () => {
  const lines = told
    .filter(([where]) => /^(other )?log( |$)/.test(where))
    .flatMap(([, text]) => text.trim().split('\n'))
  expect(lines.length).toBeGreaterThan(5)
  const read = lines.map((line) => {
    const fact = JSON.parse(line) as Record<string, unknown>
    expect(fact).toMatchObject({ message: expect.any(String), time: expect.stringMatching(/^\d{4}-.*Z$/) })
    expect(['debug', 'info', 'warn', 'error', 'fatal']).toContain(fact['level'])
    return fact
  })
  const failed = read.find(({ message }) => message === 'a request failed')
  expect(failed).toMatchObject({
    request_id: 'asked-by-a-test',
    problem: 'store-corrupt',
    route: '/v1/models/{id}/history',
  })
  expect(read.find(({ message }) => message === 'sync session')).toMatchObject({ peer_id: expect.any(String) })
  expect(read.map(({ message }) => message).join()).toContain('PEERAGE_NETWROK')
})

test('nothing that came out holds a secret', () => {
  expect(told.length).toBeGreaterThan(60)
  for (const [where, text] of told) {
    for (const secret of secrets())
      expect(text.includes(secret), `${where} tells ${secret.slice(0, 12)}...`).toBe(false)
  }
})
