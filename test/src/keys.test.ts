import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { didToKey, fromHex, utf8, verifySignature } from '../../crdt/index.ts'
import { keyPath, listKeys, newKeyFile, readKeyFile, readSecretFile } from '../../src/keys.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-keys-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a new key reads back as the same key, and its signatures hold by the rule of the wire', async () => {
  const path = join(folder, 'deep', 'alice.json')
  const made = await newKeyFile(path)
  const read = await readKeyFile(path)
  expect([read.key, read.did]).toEqual([made.key, made.did])
  expect(didToKey(made.did)).toBe(made.key)
  const message = utf8('hello')
  expect(verifySignature(fromHex(made.key), message, await read.sign(message))).toBe(true)
})

test('a key file is its owner’s alone and never overwritten', async () => {
  const path = join(folder, 'bob.json')
  await newKeyFile(path)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const before = await readFile(path, 'utf8')
  await expect(newKeyFile(path)).rejects.toMatchObject({ name: 'KeyError', code: 'exists' })
  expect(await readFile(path, 'utf8')).toBe(before)
})

test.each([0o640, 0o604, 0o660, 0o644])('refuses a file of mode %o', async (mode) => {
  const path = join(folder, `open-${mode}.json`)
  await newKeyFile(path)
  await chmod(path, mode)
  await expect(readKeyFile(path)).rejects.toMatchObject({ code: 'unsafe' })
  await expect(readSecretFile(path)).rejects.toMatchObject({ code: 'unsafe' })
})

test('takes a bare seed, as 32 bytes or 64 hex digits', async () => {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i)
  const [raw, hex] = [join(folder, 'raw'), join(folder, 'hex')]
  await writeFile(raw, seed, { mode: 0o600 })
  await writeFile(hex, `${Buffer.from(seed).toString('hex')}\n`, { mode: 0o600 })
  expect((await readKeyFile(raw)).did).toBe((await readKeyFile(hex)).did)
})

test('says what is wrong with a file without quoting it', async () => {
  const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I'
  const wrong = {
    'not JSON': `{"seed": "${secret}"`,
    'another version': JSON.stringify({ peerage_key: 2, seed: secret }),
    'a short seed': JSON.stringify({ peerage_key: 1, did: 'did:key:z6Mk', seed: secret.slice(0, 20) }),
    'another did': JSON.stringify({ peerage_key: 1, did: 'did:key:z6MkOther', seed: secret }),
  }
  for (const [name, text] of Object.entries(wrong)) {
    const path = join(folder, `wrong ${name}.json`)
    await writeFile(path, text, { mode: 0o600 })
    const error = await readKeyFile(path).catch((caught: unknown) => caught)
    expect(error, name).toMatchObject({ code: 'malformed' })
    expect(String(error)).not.toContain(secret.slice(0, 16))
  }
  await expect(readKeyFile(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'missing' })
})

test('lists usable keys with their did, and the others with the reason', async () => {
  const keys = join(folder, 'list')
  expect(await listKeys(keys)).toEqual([])
  const { did } = await newKeyFile(keyPath('good', keys))
  await newKeyFile(keyPath('open', keys))
  await chmod(keyPath('open', keys), 0o644)
  const listed = await listKeys(keys)
  expect(listed.map(({ name, did }) => [name, did])).toEqual([
    ['good', did],
    ['open', undefined],
  ])
  expect(listed[1]?.problem).toContain('others can read')
})

test('a bare word is a name among our keys, anything else a path', () => {
  expect(keyPath('alice', '/keys')).toBe('/keys/alice.json')
  expect([keyPath('./alice', '/keys'), keyPath('alice.json', '/keys')]).toEqual(['./alice', 'alice.json'])
})
