/**
 * Backup and restore with real nodes: taken while writes go on, whole or refused, and the key of a restored folder signs
 * nothing that would stand beside what it has signed since.
 */
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { networkId } from '../../../crdt/index.ts'
import { backupFiles } from '../../../node/backup.ts'
import {
  backupStoppedStore,
  LevelDisk,
  machineEnvironment,
  nativeSuite,
  newToken,
  Replica,
  restoreFolder,
  Verifier,
  zstdCodec,
} from '../../../node/index.ts'
import { checkReplica } from '../../support/check-replica.ts'
import { type Command, commandOn } from '../../support/command.ts'
import { type Running, startNode } from '../../support/start-node.ts'

let folder: string
let peerage: Command
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-backup-'))
  peerage = await commandOn(at('none'), at('config'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function ok(args: readonly string[]): Promise<string> {
  const ran = await peerage(args)
  expect(ran, ran.stderr).toMatchObject({ code: 0 })
  return ran.stdout.trim()
}

async function call(
  node: Running,
  method: string,
  path: string,
  body?: unknown,
  token = node.token,
): Promise<Response> {
  const type =
    path === '/v1/batch'
      ? 'application/jsonl'
      : method === 'PATCH'
        ? 'application/merge-patch+json'
        : 'application/json'
  return fetch(node.http + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
}

const status = async (node: Running) =>
  (await (await call(node, 'GET', '/v1/status')).json()) as { root: string; ops: number }

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, 50))
}

/** Writes batches until it is told to stop, and remembers what was acknowledged. */
function writer(node: Running) {
  const acknowledged: string[] = []
  let isStopped = false
  const done = (async () => {
    for (let n = 0; !isStopped; n++) {
      const lines = Array.from({ length: 40 }, (_, i) =>
        JSON.stringify({
          kind: 'model',
          slug: `w/${n}-${i}`,
          doc: { name: `model ${n}-${i}`, description: 'x'.repeat(400) },
        }),
      )
      const answer = await call(node, 'POST', '/v1/batch', lines.join('\n'))
      for (const line of (await answer.text()).trim().split('\n')) acknowledged.push(JSON.parse(line).id)
    }
  })()
  const stop = async () => {
    isStopped = true
    await done
  }
  return { acknowledged, stop }
}

/** The restored store by itself: every invariant, and which records it has. */
async function recordsIn(data: string): Promise<Set<string>> {
  await using disk = await LevelDisk.open(join(data, 'ops'))
  await using checker = new Verifier()
  await using replica = await Replica.open({
    disk,
    environment: machineEnvironment,
    suite: nativeSuite,
    checker,
    net: networkId('peerage'),
    codec: zstdCodec,
  })
  await checkReplica(replica)
  expect(replica.health()).toMatchObject({ set: 'good', damagedOps: 0, damagedFrames: 0 })
  return new Set((await replica.list({ limit: 1_000_000 })).map(({ record }) => record))
}

test('a backup under load is one moment of the store; restored, the node signs again once it has met a peer', async () => {
  await using peer = await startNode({ data: at('peer') })
  const backup = at('under-load.backup')
  let last: string
  let subject: string
  {
    await using node = await startNode({ data: at('first'), join: peer.multiaddrs })
    subject = (await (await call(node, 'POST', '/v1/models', { name: 'subject' })).json()).id
    const load = writer(node)
    await until(async () => load.acknowledged.length >= 400)
    const before = [...load.acknowledged]
    await ok(['backup', backup, '--data', at('first')])
    const after = load.acknowledged.length
    await until(async () => load.acknowledged.length > after)
    await load.stop()
    expect(load.acknowledged.length).toBeGreaterThan(before.length)
    // What the backup does not know of, the peer does.
    expect((await call(node, 'PATCH', `/v1/models/${subject}`, { description: 'after the backup' })).status).toBe(200)
    last = (await status(node)).root
    await until(async () => (await status(peer)).root === last)
    expect((await stat(backup)).mode & 0o777).toBe(0o600)
    expect(await ok(['restore', backup, '--data', at('second')])).toContain('second')
    const restored = await recordsIn(at('second'))
    expect(before.filter((id) => !restored.has(id))).toEqual([])
    expect(restored.size).toBeLessThanOrEqual(load.acknowledged.length + 1)
    for (const name of ['key', 'peer-key', 'token', 'webhook-secret']) {
      expect(await readFile(join(at('second'), name), 'utf8'), name).toBe(
        await readFile(join(at('first'), name), 'utf8'),
      )
      expect((await stat(join(at('second'), name))).mode & 0o777).toBe(0o600)
    }
  }
  {
    await using alone = await startNode({ data: at('second'), offline: true })
    const refused = await call(alone, 'PATCH', `/v1/models/${subject}`, { description: 'too early' })
    expect([refused.status, (await refused.json()).node_error]).toEqual([503, 'key-journal'])
    expect((await call(alone, 'GET', `/v1/models/${subject}`)).status).toBe(200)
  }
  await using again = await startNode({ data: at('second'), join: peer.multiaddrs })
  await until(async () => (await status(again)).root === last)
  await until(async () => (await call(again, 'PATCH', `/v1/models/${subject}`, { version: '2' })).status === 200)
  const record = await (await call(again, 'GET', `/v1/models/${subject}`)).json()
  expect(record).toMatchObject({ description: 'after the backup', version: '2' })
  const heads = await (await call(again, 'GET', `/v1/models/${subject}/heads`)).json()
  expect(heads).toMatchObject({ heads: [expect.any(String)], conflicts: {} })
  expect(again.log()).toContain('has met a peer and signs again')
})

test('beside a journal that is newer than the backup, only what it knows better is not signed', async () => {
  const data = at('third')
  let [kept, changed] = ['', '']
  const backup = at('older.backup')
  {
    await using node = await startNode({ data, offline: true })
    const make = async (name: string) => (await (await call(node, 'POST', '/v1/models', { name })).json()).id as string
    ;[kept, changed] = [await make('kept'), await make('changed')]
    await ok(['backup', backup, '--data', data])
    expect((await call(node, 'PATCH', `/v1/models/${changed}`, { description: 'later' })).status).toBe(200)
    expect((await peerage(['restore', backup, '--data', data])).stderr).toContain('has a store already')
  }
  await rename(join(data, 'ops'), at('moved-away'))
  const ran = await peerage(['restore', backup, '--data', data])
  expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('left as they were: journal') })
  await using node = await startNode({ data, offline: true })
  expect((await call(node, 'PATCH', `/v1/models/${kept}`, { description: 'fine' })).status).toBe(200)
  const refused = await call(node, 'PATCH', `/v1/models/${changed}`, { description: 'beside the later one' })
  expect([refused.status, (await refused.json()).node_error]).toEqual([503, 'key-journal'])
})

test('a restore that was cut off is done again, and what it left is not taken for a newer journal', async () => {
  const [data, backup] = [at('cut-off'), at('older.backup')]
  // As far as a first attempt came: all files, a part of the rows, no store.
  await restoreFolder(backup, data)
  await rename(join(data, 'ops'), join(data, 'ops.restoring'))
  await rm(join(data, 'journal'))
  const { waits } = await restoreFolder(backup, data)
  expect(waits).toBe(true)
  expect((await readdir(data)).filter((name) => name.includes('restoring'))).toEqual([])
  expect((await recordsIn(data)).size).toBe(2)
})

test('a stopped folder is backed up too, and with --alone the restored node signs at once', async () => {
  const data = at('fourth')
  {
    await using node = await startNode({ data, offline: true })
    expect((await call(node, 'POST', '/v1/models', { name: 'one' })).status).toBe(201)
    await newToken(data, { name: 'ci', may: 'write', created: 1 })
  }
  const file = await ok(['backup', folder, '--data', data])
  expect(file).toMatch(/peerage-\d{8}T\d{6}Z\.backup$/)
  expect((await peerage(['backup', file, '--data', data])).code).toBe(5)
  await ok(['restore', file, '--data', at('fifth'), '--alone'])
  expect(await readdir(join(at('fifth'), 'tokens'))).toEqual(['ci.json'])
  await using node = await startNode({ data: at('fifth'), offline: true })
  expect((await call(node, 'POST', '/v1/models', { name: 'two' })).status).toBe(201)
  // Another key's folder is not mixed with this one.
  await rm(join(at('none'), 'ops'), { recursive: true, force: true })
  expect((await peerage(['restore', file, '--data', at('peer')])).stderr).toContain('has a store already')
  await rename(join(at('peer'), 'ops'), at('peer-ops'))
  expect((await peerage(['restore', file, '--data', at('peer')])).stderr).toContain('another key')
})

test('a backup that was cut off or damaged anywhere is refused, and leaves no store', async () => {
  const file = await ok(['backup', at('whole.backup'), '--data', at('fourth')])
  const whole = await readFile(file)
  const [broken, into] = [at('broken.backup'), at('sixth')]
  const places = Array.from({ length: 40 }, (_, n) => Math.floor((n * whole.length) / 40))
  for (const place of places) {
    const flipped = Buffer.from(whole)
    flipped[place]! ^= 0x10
    for (const bytes of [whole.subarray(0, place), flipped, Buffer.concat([whole, whole.subarray(0, place + 1)])]) {
      await writeFile(broken, bytes)
      await expect(restoreFolder(broken, into)).rejects.toMatchObject({ code: 'store-corrupt' })
    }
  }
  await expect(stat(into)).rejects.toThrow('ENOENT')
  expect((await peerage(['restore', broken, '--data', into])).code).not.toBe(0)
})

test('a backup writes nowhere but into the folder', async () => {
  const [broken, into] = [at('names.backup'), at('seventh')]
  const rows = await Array.fromAsync(backupStoppedStore(at('fourth')))
  for (const name of ['../outside', 'a/../../outside', '/tmp/outside', 'ops/CURRENT', 'a//b', 'c:\\x', '..', '']) {
    const files = (async function* () {
      yield { name, pieces: (async function* () {})() }
    })()
    await writeFile(broken, Buffer.concat([...(await Array.fromAsync(backupFiles(files))), ...rows]))
    await expect(restoreFolder(broken, into), name).rejects.toMatchObject({ code: 'store-corrupt' })
  }
  expect((await readdir(into)).filter((name) => name !== '.restoring')).toEqual([])
  await expect(stat(at('outside'))).rejects.toThrow('ENOENT')
})

test('the rows are for the main token only, and hold no secret of the node', async () => {
  await using node = await startNode({ data: at('fourth'), offline: true })
  const secret = (await newToken(at('fourth'), { name: 'writer', may: 'write', created: 1 }))!
  expect((await fetch(`${node.http}/v1/backup`)).status).toBe(401)
  expect((await call(node, 'GET', '/v1/backup', undefined, secret)).status).toBe(403)
  const whole = await call(node, 'GET', '/v1/backup')
  expect(whole.status).toBe(200)
  const bytes = Buffer.from(await whole.arrayBuffer())
  for (const name of ['key', 'token', 'peer-key', 'webhook-secret']) {
    expect(bytes.includes((await readFile(join(at('fourth'), name), 'utf8')).trim())).toBe(false)
  }
})
