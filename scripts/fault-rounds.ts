/**
 * What a machine does to a node, done to a real one: the disk fills up and has room again, the folder cannot be written,
 * a second process wants it, the clock jumps by a year, a backup is restored.
 * `npm run fault-rounds -- [--only TEXT] [--minutes 15]`
 *
 * One line each; exit 1 when a promise was broken. A full disk and a read-only folder are file systems of their own,
 * which takes the right to mount: without it these are skipped, and that is said.
 */
import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Running, startNode } from '../test/support/start-node.ts'
import { endingAfter } from './ending.ts'
import { read, request, Writer } from './fault-rounds/writer.ts'
import { later } from './flip-rounds/answers.ts'
import { command, filesOf } from './flip-rounds/folder.ts'

type Status = { ops: number; root: string | null; seq: number; peers: { root_equal?: boolean }[] }
type Record = { id: string; heads: string[]; description: string }

const { values: options } = parseArgs({
  options: { only: { type: 'string', default: '' }, minutes: { type: 'string', default: '0' } },
})
const folder = await mkdtemp(join(tmpdir(), 'peerage-fault-'))
const YEAR_MS = 365 * 24 * 60 * 60_000
const MIB = 1024 * 1024

/** Each answers what it has seen, or throws what should not be. */
const ROUNDS: readonly (readonly [name: string, run: () => Promise<string>])[] = [
  ['full disk', fullDisk],
  ['read-only folder', readOnlyFolder],
  ['second process', secondProcess],
  ['clock jumps', clockJumps],
  ['restored backup', restoredBackup],
]

class Skip extends Error {}

const ending = endingAfter(Number(options.minutes))
let ran = 0
let failed = 0
let skipped = 0
try {
  for (const [name, run] of ROUNDS.filter(([name]) => name.includes(options.only))) {
    if (ending.why !== undefined) break
    ran++
    try {
      console.log(`${name}: ok, ${await run()}`)
    } catch (error) {
      if (error instanceof Skip) skipped++
      else failed++
      console.log(`${name}: ${error instanceof Skip ? 'skipped' : 'FAILED'}, ${(error as Error).message}`)
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
console.log(JSON.stringify({ rounds: ran, failed, skipped }))
process.exitCode = failed === 0 ? 0 : 1

/** No write half done, reads go on, writing does as soon as there is room, and a kill then loses nothing. */
async function fullDisk(): Promise<string> {
  await using disk = await mounted('full', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs'])
  const data = join(disk.path, 'data')
  const ballast = join(disk.path, 'ballast')
  await writeFile(ballast, Buffer.alloc(76 * MIB, 1))
  const writer = new Writer()
  let full = 0
  {
    await using node = await startNode({ data, offline: true })
    for (let batches = 0; full === 0; batches++) {
      const { status, type, body } = await writer.batch(node, 500)
      if (status === 200) expect(batches < 400, 'the disk is never full')
      else {
        expect(status === 507 && type === 'application/problem+json', `a full disk answers ${status} ${type}: ${body}`)
        full = writer.acknowledged.size
      }
    }
    const single = await request(node, 'POST', '/v1/models', { name: 'single' })
    expect(single.status === 507, `a single write answers ${single.status}: ${single.body}`)
    const before = await read<Status>(node, '/v1/status')
    // Longer than the index waits before it brings what came to the disk.
    for (const until = performance.now() + 7_000; performance.now() < until; await later(100))
      for (const path of ['/v1/status', '/v1/changes?limit=1000', '/v1/models?limit=5', '/livez', '/readyz']) {
        const { status, body } = await request(node, 'GET', path)
        expect(status === 200, `${path} answers ${status} while the disk is full: ${body}`)
      }
    expect((await read<Status>(node, '/v1/status')).ops === before.ops, 'the ops are others though nothing was written')
    await rm(ballast)
    for (const until = performance.now() + 20_000; (await writer.batch(node, 500)).status !== 200; await later(200))
      expect(performance.now() < until, 'there is room again, and nothing can be written')
    for (let more = 0; more < 10; more++) expect((await writer.batch(node, 500)).status === 200, 'refused with room')
    await node.kill()
  }
  await using again = await startNode({ data, offline: true })
  const missing = await writer.missing(again)
  expect(missing === 0, `${missing} of ${writer.acknowledged.size} acknowledged records are lost after a kill`)
  const after = writer.acknowledged.size - full
  return `507 after ${full} records, ${after} more without a restart when there was room, 0 lost by a kill then`
}

/** A start says what is wrong and changes nothing; when the folder can be written it is as before. */
async function readOnlyFolder(): Promise<string> {
  const data = join(folder, 'read-only')
  const writer = new Writer()
  {
    await using node = await startNode({ data, offline: true })
    await writer.batch(node, 500)
  }
  const files = (await filesOf(data)).join()
  {
    await using _ = await mounted('read-only', ['--bind', data])
    remountReadOnly(data)
    const error = await startNode({ data, offline: true }).then(
      async (node) => {
        await node.stop()
        return undefined
      },
      (error: Error) => error,
    )
    expect(error !== undefined, 'a node starts on a folder that cannot be written')
    expect(/read-only/i.test(error!.message), `the start says ${error!.message}`)
    const doctor = await command(['doctor', '--data', data])
    expect(doctor.code !== 0, 'the doctor finds nothing wrong')
  }
  expect((await filesOf(data)).join() === files, 'the start has changed the folder')
  await using again = await startNode({ data, offline: true })
  expect((await writer.missing(again)) === 0, 'something is lost')
  return 'the start is refused by name, the doctor says so, and nothing is lost'
}

/** The second is refused and told who has the folder; the first does not notice. */
async function secondProcess(): Promise<string> {
  const data = join(folder, 'second')
  const writer = new Writer()
  await using node = await startNode({ data, offline: true })
  await writer.batch(node, 200)
  const second = await startNode({ data, offline: true }).catch((error: Error) => error)
  if (!(second instanceof Error)) await second.kill()
  const said = second instanceof Error ? second.message : ''
  expect(said.includes(`process ${node.process.pid} has the store`), `the second says ${said}`)
  await writer.batch(node, 200)
  expect((await writer.missing(node)) === 0, 'the first lost something')
  return 'refused, with the process that has it; the first writes on'
}

/** Every write is taken, no record forks, a peer whose clock is right holds what is not of the future, and none is blocked. */
async function clockJumps(): Promise<string> {
  const [data, shift] = [join(folder, 'clock'), join(folder, 'shift')]
  const env = {
    CLOCK_SHIFT_FILE: shift,
    NODE_OPTIONS: `--import=${new URL('./fault-rounds/shifted-clock.ts', import.meta.url).href}`,
  }
  const writer = new Writer()
  await writeFile(shift, '0')
  await using peer = await startNode({ data: join(folder, 'clock-peer') })
  let past = 0
  let future = 0
  {
    await using node = await startNode({ data, join: peer.multiaddrs, env })
    const id = await create(node, 'first')
    for (const [years, name] of [
      [1, 'in a year'],
      [-1, 'a year ago'],
      [0, 'now'],
    ] as const) {
      await writeFile(shift, String(years * YEAR_MS))
      await later(120)
      const own = await create(node, name)
      const told = await read<{ registered_at: number }>(node, `/v1/models/${own}`)
      const off = (told.registered_at - Date.now()) / YEAR_MS
      expect(Math.abs(off - years) < 0.01, `a record of ${name} says ${off.toFixed(2)} years`)
      expect((await writer.batch(node, 50)).status === 200, `a batch ${name} is not taken`)
      if (years === 1) future += 51
      else past += 51
      const patched = await request(node, 'PATCH', `/v1/models/${id}`, { description: name })
      expect(patched.status === 200, `a change ${name} answers ${patched.status}: ${patched.body}`)
      const { heads, description } = await read<Record>(node, `/v1/models/${id}`)
      expect(
        heads.length === 1 && description === name,
        `after a change ${name}: ${description}, ${heads.length} heads`,
      )
    }
    // The first record, and all whose ops no clock of today refuses.
    for (const until = performance.now() + 30_000; ; await later(200)) {
      const { ops } = await read<Status>(peer, '/v1/status')
      if (ops >= 1 + past) break
      expect(performance.now() < until, `the peer holds ${ops} ops of ${1 + past} that are not of the future`)
    }
    expect((await read<Status>(peer, '/v1/status')).ops === 1 + past, 'the peer took ops of the future')
    expect((await read<Status>(node, '/v1/status')).peers.length === 1, 'the peer has blocked the node for its clock')
  }
  await using again = await startNode({ data, offline: true })
  expect((await writer.missing(again)) === 0, 'something is lost')
  const { ops } = await read<Status>(again, '/v1/status')
  return `${ops} ops written a year ahead, behind and now; a peer holds the ${1 + past} that are not of the future (${future + 3} wait)`
}

/** The key does not sign over what it signed after the backup; with a peer that has it, it goes on from there. */
async function restoredBackup(): Promise<string> {
  const [data, backup, copy] = [join(folder, 'kept'), join(folder, 'kept.backup'), join(folder, 'kept.copy')]
  await using peer = await startNode({ data: join(folder, 'kept-peer') })
  const ids: string[] = []
  const change = async (node: Running, text: string) => {
    for (const id of ids) {
      // A restored node signs again when the session that made it equal has ended, a moment later.
      for (const until = performance.now() + 10_000; ; await later(100)) {
        const { status, body } = await request(node, 'PATCH', `/v1/models/${id}`, { description: text })
        if (status === 200) break
        expect(status === 503 && performance.now() < until, `a change answers ${status}: ${body}`)
      }
    }
  }
  {
    await using node = await startNode({ data, join: peer.multiaddrs })
    for (let i = 0; i < 20; i++) ids.push(await create(node, `kept ${i}`))
    await change(node, 'before')
    const made = await command(['backup', backup, '--data', data])
    expect(made.code === 0, `the backup fails: ${made.said}`)
  }
  await cp(data, copy, { recursive: true })
  {
    await using node = await startNode({ data, join: peer.multiaddrs })
    await change(node, 'after')
    await equal(node, peer)
  }
  const told: string[] = []
  for (const journal of ['kept', 'lost', 'lost beside a copied store'] as const) {
    const restored = join(folder, `restored ${journal}`)
    // On the machine that was set back the journal is still there; on a new one it is not.
    if (journal === 'kept') {
      await cp(data, restored, { recursive: true })
      await rm(join(restored, 'ops'), { recursive: true })
    }
    if (journal === 'lost beside a copied store') {
      await cp(copy, restored, { recursive: true })
      await rm(join(restored, 'journal'))
    } else {
      const { code, said } = await command(['restore', backup, '--data', restored])
      expect(code === 0, `the restore fails: ${said}`)
    }
    {
      await using alone = await startNode({ data: restored, offline: true })
      for (const id of ids) {
        const { status, body } = await request(alone, 'PATCH', `/v1/models/${id}`, { description: 'over old heads' })
        expect(status === 503, `journal ${journal}: a change over old heads answers ${status}: ${body}`)
      }
      const { description } = await read<Record>(alone, `/v1/models/${ids[0]}`)
      expect(description === 'before', `journal ${journal}: reads "${description}"`)
    }
    await using node = await startNode({ data: restored, join: peer.multiaddrs })
    await equal(node, peer)
    await change(node, `again, journal ${journal}`)
    await equal(node, peer)
    for (const at of [node, peer])
      for (const id of ids) {
        const { heads } = await read<Record>(at, `/v1/models/${id}`)
        expect(heads.length === 1, `journal ${journal}: a record has ${heads.length} heads`)
      }
    told.push(`journal ${journal}: 20 of 20 writes refused, 20 of 20 taken once a peer was met`)
  }
  return `${told.join('; ')}; 0 forks`
}

async function create(node: Running, name: string): Promise<string> {
  const { status, body } = await request(node, 'POST', '/v1/models', { name, provider: 'clockmaker' })
  expect(status === 201, `"${name}" is not taken: ${status} ${body}`)
  return (JSON.parse(body) as Record).id
}

async function equal(a: Running, b: Running): Promise<void> {
  for (const until = performance.now() + 30_000; ; await later(100)) {
    const [one, other] = [await read<Status>(a, '/v1/status'), await read<Status>(b, '/v1/status')]
    if (one.root !== null && one.root === other.root) return
    expect(performance.now() < until, `two nodes do not come to the same: ${one.ops} and ${other.ops} ops`)
  }
}

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}

/** A file system at a place of its own, or at the folder it binds; taken away at the end. */
async function mounted(name: string, args: readonly string[]): Promise<AsyncDisposable & { readonly path: string }> {
  const path = args[0] === '--bind' ? args[1]! : join(folder, name)
  await mkdir(path, { recursive: true })
  const { status, stderr } = spawnSync('mount', [...args, path], { encoding: 'utf8' })
  if (status !== 0) throw new Skip(`mounting needs rights that are not here: ${stderr?.trim()}`)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      spawnSync('umount', [path])
    },
  }
}

function remountReadOnly(path: string): void {
  const { status, stderr } = spawnSync('mount', ['-o', 'remount,ro,bind', path], { encoding: 'utf8' })
  expect(status === 0, `it cannot be made read-only: ${stderr}`)
}
