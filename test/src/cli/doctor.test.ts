/** The doctor: each thing that can be wrong is made so, and has to be found, with the exit code that scripts look at. */
import { chmod, chown, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LevelDisk, nativeSuite, newToken } from '../../../node/index.ts'
import { FORMAT, framesFrom, metaKey, metaRow, opRows, readMeta, sealed, unsealed } from '../../../node/rows.ts'
import { otherOwner } from '../../../src/folder-owner.ts'
import { type Command, commandOn } from '../../support/command.ts'
import { freePorts } from '../../support/free-ports.ts'
import { startNode } from '../../support/start-node.ts'

const { sha256 } = nativeSuite
let folder: string
let peerage: Command
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-doctor-'))
  peerage = await commandOn(at('none'), at('config'))
  await using _node = await startNode({ data: at('stopped'), offline: true, more: ['--sample'] })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Line = { check: string; state: string; said: string; todo?: string }

/** The exit code, and what was found by check; every wrong thing says what to do. */
async function doctor(data: string, ...more: string[]) {
  const { code, lines, stderr } = await peerage(['doctor', '--json', '--data', at(data), ...more])
  expect(stderr).toBe('')
  const found = lines.map((line) => JSON.parse(line) as Line)
  for (const { state, todo, check } of found) if (state === 'wrong') expect(todo, check).toBeDefined()
  const wrong = found.filter(({ state }) => state === 'wrong').map(({ check }) => check)
  expect(code).toBe(wrong.length > 0 ? 1 : 0)
  const of = (check: string) => found.filter((line) => line.check === check)
  return { code, wrong, of, state: (check: string) => of(check).map(({ state }) => state) }
}

async function onRows(change: (disk: LevelDisk) => Promise<void>): Promise<void> {
  await using disk = await LevelDisk.open(join(at('stopped'), 'ops'))
  await change(disk)
}

test('a stopped folder that is well is said to be, also for people', async () => {
  const { wrong, of, state } = await doctor('stopped')
  expect(wrong).toEqual([])
  for (const check of ['runtime', 'folder', 'secrets', 'lock', 'format', 'ops', 'damage'])
    expect(state(check)).toEqual(['good'])
  expect(of('ops')[0]!.said).toMatch(/^109 ops, root [0-9a-f]{32}, as the last shutdown left them$/)
  const { stdout, code } = await peerage(['doctor', '--data', at('stopped')])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ok +format +format \d$/m)
})

test('two nodes that hold the same are well; one that is behind is told by how much', async () => {
  await using a = await startNode({ data: at('a'), more: ['--sample'] })
  await using b = await startNode({ data: at('b'), join: a.multiaddrs })
  await using _other = await startNode({ data: at('other'), offline: true })
  const opsOf = async (url: string) => (await (await fetch(`${url}/v1/status`)).json()).ops
  while ((await opsOf(b.http)) < (await opsOf(a.http))) await new Promise((done) => setTimeout(done, 50))
  const well = await doctor('b', '--peer', a.http)
  expect(well.wrong).toEqual([])
  expect(well.of('divergence')[0]!.said).toContain('holds the same 109 ops')
  expect(well.state('peers')).toEqual(['good'])
  expect(well.state('clock')).toEqual(['good'])
  expect(well.of('reachability').filter(({ said }) => said.endsWith('answers')).length).toBeGreaterThan(0)
  const apart = await doctor('other', '--peer', a.http)
  expect(apart.wrong).toEqual(['divergence'])
  expect(apart.of('divergence')[0]!.said).toContain('109 ops more (109, here 0)')
})

test('peers that are not there, of another network, or with another clock', async () => {
  const [closed] = await freePorts(1)
  const server = createServer((_, answer) => {
    answer.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString())
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({ network: 'other', network_id: '00', root: null, ops: 0, peers: [], multiaddrs: [] }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const found = await doctor('stopped', '--peer', url, '--peer', `http://127.0.0.1:${closed}`)
    expect(found.wrong).toEqual(['clock', 'divergence', 'divergence'])
    expect(found.of('clock')[0]!.said).toMatch(/^3(599|600|601) s ahead of/)
    expect(
      found
        .of('divergence')
        .map(({ said }) => said)
        .join(),
    ).toMatch(/another network \(other\).*:\d+: /)
  } finally {
    server.close()
  }
})

test('key and token files that others can read, and a token file that is none', async () => {
  const data = at('stopped')
  await newToken(data, { name: 'ci', may: 'read', created: 1 })
  await chmod(join(data, 'key'), 0o644)
  await chmod(join(data, 'tokens/ci.json'), 0o640)
  await chmod(data, 0o755)
  const found = await doctor('stopped')
  expect(found.wrong).toEqual(['secrets', 'secrets'])
  expect(found.state('folder')).toEqual(['unsure'])
  await chmod(join(data, 'key'), 0o600)
  await rm(join(data, 'tokens'), { recursive: true })
  await chmod(data, 0o700)
  expect((await doctor('stopped')).wrong).toEqual([])
})

test('a join address that nobody answers at, and a process that has the store and does not answer', async () => {
  const [closed] = await freePorts(1)
  const { code, stdout } = await peerage(['doctor', '--json', '--data', at('stopped')], {
    env: { PEERAGE_JOIN: `/ip4/127.0.0.1/tcp/${closed}` },
  })
  expect(code).toBe(1)
  expect(stdout).toContain('(join) does not answer')
  await onRows(async () => {
    const found = await doctor('stopped')
    expect(found.wrong).toEqual(['lock'])
    expect(found.of('lock')[0]!.said).toContain(`process ${process.pid} has the store`)
  })
  await writeFile(join(at('stopped'), 'node.json'), '{"http":"http://127.0.0.1:1","pid":1}')
  expect((await doctor('stopped')).state('lock')).toEqual(['unsure'])
  await rm(join(at('stopped'), 'node.json'))
})

test('a store that does not open is named, with the command that repairs it, and is well afterwards', async () => {
  await cp(at('stopped'), at('broken'), { recursive: true })
  await rm(join(at('broken'), 'ops/CURRENT'))
  const found = await doctor('broken')
  expect(found.wrong).toEqual(['damage'])
  expect(found.of('damage')[0]).toMatchObject({
    said: expect.stringContaining('CURRENT'),
    todo: expect.stringContaining('`peerage repair`'),
  })
  const { code, lines } = await peerage(['repair', '--json', '--data', at('broken')])
  expect(code).toBe(0)
  expect(JSON.parse(lines[0]!)).toMatchObject({ ops: 109, lost: 0, waiting_frames: 0, journal: 'good' })
  await rm(join(at('broken'), 'journal'))
  const lost = await doctor('broken')
  expect(lost.wrong).toEqual(['signing'])
  expect(lost.of('signing')[0]!.todo).toContain('`peerage repair --alone`')
  expect((await peerage(['repair', '--alone', '--data', at('broken')])).code).toBe(0)
  expect((await doctor('broken')).wrong).toEqual([])
})

test('damaged frames, lost ops, and a newer format, one after the other', async () => {
  await onRows(async (disk) => {
    for await (const [key, row] of disk.entries({ ...framesFrom(0), limit: 1 })) {
      const damaged = row.slice()
      damaged[row.length - 1]! ^= 1
      await disk.batch([{ key, value: damaged }])
    }
  })
  expect((await doctor('stopped')).wrong).toEqual(['damage'])
  await onRows(async (disk) => {
    for await (const key of disk.keys({ ...opRows, limit: 1 })) await disk.batch([{ key }])
  })
  const found = await doctor('stopped')
  expect(found.wrong).toEqual(['ops', 'damage'])
  expect(found.of('ops')[0]!.said).toBe('108 ops are there, and 109 were counted')
  await onRows(async (disk) => {
    const meta = readMeta(unsealed((await disk.get(metaKey))!, sha256)!)!
    await disk.batch([{ key: metaKey, value: sealed(metaRow({ ...meta, format: FORMAT + 1 }), sha256) }])
  })
  expect((await doctor('stopped')).wrong).toEqual(['format', 'ops', 'damage'])
})

test('the folder of another user is not opened, by the doctor or for a backup', async () => {
  // Only root can make a folder another's; anybody else has one at hand.
  if (process.getuid?.() !== 0) return expect(otherOwner('/')).toBe(0)
  const data = at('stopped')
  await chown(data, 4_711, 4_711)
  try {
    const before = await readdir(join(data, 'ops'))
    const found = await doctor('stopped')
    expect(found.wrong).toContain('folder')
    expect(found.state('ops')).toEqual(['unknown'])
    expect((await peerage(['backup', at('no.backup'), '--data', data])).code).toBe(2)
    expect(await readdir(join(data, 'ops'))).toEqual(before)
  } finally {
    await chown(data, process.getuid!(), process.getgid!())
  }
})
