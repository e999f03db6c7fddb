/** The secrets of a data folder: made once, readable by their owner alone, never shown. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFolder, openPeerSeed, openSigner, openToken, tokenFile } from '../../node/keys.ts'
import { nameChangedSecrets } from '../../node/secrets-seen.ts'

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'peerage-keys-')), 'data')
  await openFolder(folder)
})
afterEach(async () => rm(join(folder, '..'), { recursive: true, force: true }))

test('each is made at the first call, mode 0600, and is the same at the next', async () => {
  const first = [
    (await openSigner(folder)).key,
    Buffer.from(await openPeerSeed(folder)).toString('hex'),
    await openToken(folder),
  ]
  const again = [
    (await openSigner(folder)).key,
    Buffer.from(await openPeerSeed(folder)).toString('hex'),
    await openToken(folder),
  ]
  expect(again).toEqual(first)
  expect(new Set(first).size).toBe(3)
  expect((await readdir(folder)).sort()).toEqual(['key', 'peer-key', 'token'])
  for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
})

test('many at once agree on one key', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, async () => (await openSigner(folder)).key))
  expect(new Set(keys).size).toBe(1)
  expect(await readdir(folder)).toEqual(['key'])
})

test.each(['key', 'peer-key', 'token'])('%s is refused when others can read or write it', async (name) => {
  const open = { key: openSigner, 'peer-key': openPeerSeed, token: openToken }[name]!
  await open(folder)
  const secret = (await readFile(join(folder, name), 'utf8')).trim()
  for (const mode of [0o640, 0o604, 0o620, 0o601, 0o644]) {
    await chmod(join(folder, name), mode)
    const refused = await open(folder).then(
      () => undefined,
      (error) => error,
    )
    expect(refused).toMatchObject({ name: 'NodeError', code: 'key-unsafe' })
    expect(refused.message).toContain(join(folder, name))
    expect(refused.message).not.toContain(secret)
  }
  await chmod(join(folder, name), 0o600)
  await open(folder)
})

test('a file that holds no key is refused without telling what it holds', async () => {
  await writeFile(join(folder, 'key'), 'not a key', { mode: 0o600 })
  const refused = await openSigner(folder).then(
    () => undefined,
    (error) => error,
  )
  expect(refused).toMatchObject({ code: 'key-unsafe' })
  expect(refused.message).not.toContain('not a key')
  await writeFile(tokenFile(folder), '', { mode: 0o600 })
  await expect(openToken(folder)).rejects.toMatchObject({ code: 'key-unsafe' })
})

test('a folder that others can look into is a warning; a new one is closed to them', async () => {
  expect(await openFolder(folder)).toBeUndefined()
  const open = join(folder, 'open')
  await mkdir(open)
  await chmod(open, 0o755)
  expect(await openFolder(open)).toContain('0755')
})

test('a secret that is another one, or gone, is named at the next start, once', async () => {
  const rows = new Map<string, Uint8Array>()
  const notes = {
    note: async (name: string) => rows.get(name),
    setNote: async (name: string, value: Uint8Array) => void rows.set(name, value),
  }
  const told = async () => {
    const said: string[] = []
    await nameChangedSecrets(folder, notes, (level, message) => said.push(`${level} ${message.split(' is ')[0]}`))
    return said
  }
  await openSigner(folder)
  expect(await told()).toEqual([])
  await openToken(folder)
  expect(await told()).toEqual([])
  // The last bit of a hex digit: a key like any other.
  const key = await readFile(join(folder, 'key'))
  key[7]! ^= 1
  await writeFile(join(folder, 'key'), key)
  await rm(tokenFile(folder))
  expect(await told()).toEqual(['warn the file key', 'warn the file token'])
  expect(await told()).toEqual([])
  expect(Buffer.from(rows.get('secrets')!).toString()).not.toContain(key.toString().trim().slice(0, 16))
})
