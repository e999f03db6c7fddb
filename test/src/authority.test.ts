/** Who may write, from the command line: with the node's key, with keys on this side, and with an identity that rotates. */
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Command, commandOn } from '../support/command.ts'
import { type Running, startNode } from '../support/start-node.ts'

let folder: string
let node: Running
let peerage: Command
let network: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-authority-'))
  peerage = await commandOn(join(folder, 'data'), join(folder, 'config'))
  node = await startNode({ data: join(folder, 'data'), offline: true })
  network = (await json(['status'])).network as string
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at member by member
async function json(args: readonly string[], stdin?: string): Promise<Record<string, any>> {
  const { code, stdout, stderr } = await peerage([...args, '--json'], { stdin })
  expect([code, stderr]).toEqual([0, expect.anything()])
  return JSON.parse(stdout.split('\n')[0] as string)
}

async function ok(args: readonly string[], stdin?: string): Promise<string[]> {
  const { code, stderr, lines } = await peerage(args, { stdin })
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  return lines
}

const publish = (name: string, key?: string) =>
  ok(
    ['publish', '-', '-q', ...(key === undefined ? [] : ['--key', key])],
    JSON.stringify({ kind: 'agent', name, version: '1', tags: ['a'] }),
  )

test('a key that the node lets write signs on its own side, within the fields it was given', async () => {
  const [did] = (await ok(['keys', 'new', 'ci'])) as [string]
  const [id] = (await publish('shared')) as [string]
  expect((await peerage(['set', id, 'version=2', '--key', 'ci'])).code).not.toBe(0)
  const [grant] = await ok(['grant', id, did, '--rights', 'write', '--fields', 'version', '--expires', '90d'])
  await ok(['set', id, 'version=2', '--key', 'ci'])
  expect((await peerage(['set', id, 'description=taken', '--key', 'ci'])).stderr).toContain('no grant for it')
  const record = await json(['get', id])
  expect(record['version']).toBe('2')
  expect(record['description']).toBeUndefined()
  const verified = await ok(['verify', id])
  expect(verified).toHaveLength(2)
  expect(verified[1]).toContain(`${grant} to ${did}`)
  expect(await ok(['diff', id])).toEqual(['/version', '- 1', '+ 2'])
  expect((await ok(['authority', id]))[0]).toContain('/version')
  const revoked = await json(['revoke', did])
  expect(revoked).toMatchObject({ kept: 1 })
  expect((await json(['get', id]))['version']).toBe('2')
  expect((await peerage(['set', id, 'version=3', '--key', 'ci'])).code).not.toBe(0)
  expect((await peerage(['revoke', did])).code).toBe(3)
})

test('a revoke that drops voids what was done, and says so', async () => {
  const [did] = (await ok(['keys', 'new', 'dropped'])) as [string]
  const [id] = (await publish('dropped')) as [string]
  const [grant] = (await ok(['grant', '*', did, '--rights', 'write,delete', '--fields', 'version'])) as [string]
  await ok(['set', id, 'version=2', '--key', 'dropped'])
  await ok(['revoke', grant, '--drop'])
  expect((await json(['get', id]))['version']).toBe('1')
  const verified = await ok(['verify', id])
  expect(verified.filter((line) => line.includes('voided by'))).toHaveLength(1)
})

test('an identity publishes, grants and goes on under its next key; the old one is worth nothing', async () => {
  const made = await json(['keys', 'new', 'org', '--identity', '--network', network])
  const did = made['did'] as string
  expect(did).toMatch(/^did:peerage:[0-9a-f]{64}$/)
  const files = { key: made['path'] as string, seed: made['seed'] as string, stolen: join(folder, 'stolen.json') }
  for (const path of [files.key, files.seed]) expect((await stat(path)).mode & 0o077).toBe(0)
  const [id] = (await publish('org-agent', 'org')) as [string]
  expect((await json(['get', id]))['owner_id']).toBe(did)
  expect((await json(['get', `agents/${did}/org-agent`]))['id']).toBe(id)
  const [ciDid] = (await ok(['keys', 'new', 'org-ci'])) as [string]
  await ok(['grant', '*', ciDid, '--rights', 'write', '--key', 'org'])
  await ok(['set', id, 'version=2', '--key', 'org-ci'])
  await copyFile(files.key, files.stolen)
  const rotated = await json(['keys', 'rotate', 'org', '--seed', files.seed])
  expect(rotated).toMatchObject({ did, step: 2 })
  // What both did before stays; the grant too.
  expect((await json(['get', id]))['version']).toBe('2')
  await ok(['set', id, 'version=3', '--key', 'org-ci'])
  await ok(['set', id, 'version=4', '--key', 'org'])
  const before = await json(['get', id])
  await peerage(['set', id, 'version=stolen', '--key', files.stolen])
  expect((await json(['get', id]))['version']).toBe(before['version'])
  expect((await ok(['verify', id])).length).toBeGreaterThanOrEqual(4)
  // Again, as after a cut: from the old file, what is signed already is not signed again.
  await copyFile(files.stolen, files.key)
  expect(await json(['keys', 'rotate', 'org', '--seed', files.seed])).toMatchObject({
    step: 2,
    rotate: rotated['rotate'],
  })
  expect(JSON.parse(await readFile(files.key, 'utf8'))).toMatchObject({ identity: did })
  expect((await peerage(['keys', 'rotate', 'org-ci', '--seed', files.seed])).code).toBe(2)
})

test('an erase takes what a record said, by the node or by its own key', async () => {
  const [id] = (await publish('leaky')) as [string]
  await ok(['set', id, 'description=hf_secret'])
  const [newest] = (await ok(['history', id, '-q'])) as [string]
  await ok(['erase', id, '--op', newest, '--reason', 'a token', '--yes'])
  expect((await json(['get', id]))['description']).toBeUndefined()
  await ok(['erase', id, '--yes'])
  expect((await peerage(['get', id])).code).toBe(3)
  await ok(['keys', 'new', 'eraser'])
  const [mine] = (await publish('mine', 'eraser')) as [string]
  await ok(['erase', mine, '--yes', '--key', 'eraser'])
  expect((await peerage(['get', mine])).code).toBe(3)
})

test.each<[string[], number, RegExp]>([
  [['grant', '*', 'did:web:x', '--rights', 'write'], 2, /no did:key/],
  [['grant', '*', 'DID', '--rights', 'wrote'], 2, /did you mean write/],
  [['grant', 'agents/nobody', 'DID', '--rights', 'write', '--expires', 'yesterday'], 2, /expected a date/],
  [['revoke', 'x', '--since', 'y', '--drop'], 2, /one of/],
  [['verify', 'ab'.repeat(32)], 3, /no record/],
])('%j leaves with %i', async (args, code, said) => {
  const [did] = (await ok(['keys', 'show', 'ci'])) as [string]
  const ran = await peerage(args.map((arg) => (arg === 'DID' ? did : arg)))
  expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(said)])
})
