import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listTokens, newToken, revokeToken, TokenStore } from '../../node/index.ts'

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'peerage-tokens-'))
})
afterEach(() => rm(data, { recursive: true, force: true }))

const ci = { name: 'ci', may: 'write', created: 1 } as const

test('a token is found by its secret, which is kept nowhere', async () => {
  const secret = await newToken(data, { ...ci, kinds: ['model'] })
  expect(secret).toMatch(/^peerage_[\w-]{43}$/)
  const store = new TokenStore(data)
  expect(await store.find(secret as string)).toEqual({ ...ci, kinds: ['model'] })
  for (const other of ['', 'peerage_', `${secret}x`, (secret as string).toUpperCase()]) {
    expect(await store.find(other)).toBeUndefined()
  }
  const [file] = await readdir(join(data, 'tokens'))
  const path = join(data, 'tokens', file as string)
  expect(await readFile(path, 'utf8')).not.toContain((secret as string).slice('peerage_'.length))
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('a running node sees new tokens and revoked ones at the next request, however fast they follow', async () => {
  const store = new TokenStore(data)
  for (let n = 0; n < 20; n++) {
    const secret = (await newToken(data, ci)) as string
    expect(await store.find(secret), `made ${n}`).toBeDefined()
    expect(await revokeToken(data, 'ci')).toBe(true)
    expect(await store.find(secret), `revoked ${n}`).toBeUndefined()
  }
})

test('an expired token is good for nothing', async () => {
  let now = 1_000
  const store = new TokenStore(data, { now: () => now })
  const secret = (await newToken(data, { ...ci, expires: 2_000 })) as string
  now = 1_999
  expect(await store.find(secret)).toBeDefined()
  now = 2_000
  expect(await store.find(secret)).toBeUndefined()
})

test('a name is taken once, and names no other file', async () => {
  expect(await newToken(data, ci)).toBeDefined()
  expect(await newToken(data, ci)).toBeUndefined()
  for (const name of ['../ci', '', '.', 'a/b', '(main)', 'x'.repeat(65)]) {
    await expect(newToken(data, { ...ci, name })).rejects.toThrow(RangeError)
    expect(await revokeToken(data, name)).toBe(false)
  }
})

test('a file that others can read, or that is no token, opens nothing and is told', async () => {
  const secret = (await newToken(data, ci)) as string
  await chmod(join(data, 'tokens/ci.json'), 0o644)
  await writeFile(join(data, 'tokens/odd.json'), '{"may":"write"}', { mode: 0o600 })
  const told: unknown[] = []
  const store = new TokenStore(data, { log: (_level, _message, facts) => told.push(facts?.['token']) })
  expect(await store.find(secret)).toBeUndefined()
  expect(told.toSorted()).toEqual(['ci', 'odd'])
  expect(await listTokens(data)).toEqual([
    { name: 'ci', problem: expect.stringContaining('0644') },
    { name: 'odd', problem: expect.stringContaining('not a token file') },
  ])
})

test('a file in which a digit of the hash has become another is told, and not taken for another token', async () => {
  const secret = (await newToken(data, ci)) as string
  const path = join(data, 'tokens', 'ci.json')
  const text = await readFile(path, 'utf8')
  await writeFile(
    path,
    text.replace(/"sha256":"./, (start) => start.slice(0, -1) + (start.endsWith('0') ? '1' : '0')),
  )
  const said: string[] = []
  const store = new TokenStore(data, { log: (_, message) => said.push(message) })
  expect(await store.find(secret)).toBeUndefined()
  expect(said).toEqual(['a token is not used'])
  expect(await listTokens(data)).toMatchObject([{ name: 'ci', problem: expect.any(String) }])
})

test('what was set up with a token goes on for as long as the token may do it', async () => {
  const store = new TokenStore(data)
  await newToken(data, { ...ci, kinds: ['model', 'tool'] })
  await newToken(data, { ...ci, name: 'reader', may: 'read' })
  expect(await store.allows('(main)', undefined)).toBe(true)
  expect(await store.allows('ci', ['tool'])).toBe(true)
  for (const [name, kinds] of [
    ['ci', undefined],
    ['ci', ['agent']],
    ['reader', ['tool']],
    ['gone', ['tool']],
  ] as const) {
    expect(await store.allows(name, kinds), name).toBe(false)
  }
})
