/** Damaged folders: what is wrong is named, what can be read is saved, and peers bring the rest. */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LevelDisk } from '../../node/disk-level.ts'
import { inspectStore } from '../../node/inspect.ts'
import { FileJournal } from '../../node/journal.ts'
import { zstdCodec } from '../../node/native.ts'
import { repairFolder } from '../../node/repair.ts'
import { countsKey, framesFrom, recordsAfter } from '../../node/rows.ts'
import { tallyFile } from '../../node/tally.ts'
import { Chance } from '../sim/chance.ts'
import { checkReplica } from '../support/check-replica.ts'
import { openReplica } from '../support/open-replica.ts'
import { net, publisher } from '../support/publisher.ts'
import { chosenSeed } from '../support/seed.ts'

const p = publisher(1)
let folder: string
let sent: Uint8Array[][]
let good: { readonly root: string; readonly stateHash: string }

/** A store of several tables and a log: 240 ops in lines, every open since making a table of the log before. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-repair-'))
  const heads = new Map(Array.from({ length: 40 }, (_, i) => [`r${i}`, p.genesis(`r${i}`)]))
  sent = [p.bytes([...heads.values()])]
  for (let round = 0; round < 5; round++) {
    for (const [slug, head] of heads)
      heads.set(slug, p.set(p.recordOf(slug), [head.id], `${slug} ${round} ${'x'.repeat(round * 40)}`))
    sent.push(p.bytes([...heads.values()]))
  }
  for (const frames of sent)
    good = await onStore('good', async (replica) => {
      await replica.admit(frames, { via: 'sync', peer: 'a' }, { sync: true })
      return { root: replica.root(), stateHash: await replica.stateHash() }
    })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function onStore<T>(
  name: string,
  work: (
    replica: Awaited<ReturnType<typeof openReplica>>['replica'],
    logged: Awaited<ReturnType<typeof openReplica>>['logged'],
  ) => Promise<T>,
): Promise<T> {
  await using disk = await LevelDisk.open(join(folder, name, 'ops'))
  const { replica, logged } = await openReplica({
    disk,
    codec: zstdCodec,
    tally: tallyFile(join(folder, name, 'tally')),
  })
  await using _ = replica
  return await work(replica, logged)
}

async function copyOf(name: string): Promise<string> {
  await rm(join(folder, name), { recursive: true, force: true })
  await cp(join(folder, 'good'), join(folder, name), { recursive: true })
  return join(folder, name)
}

/** Repaired, and with what a peer sends, it is the store that it was. */
async function isMended(name: string): Promise<void> {
  await onStore(name, async (replica) => {
    await checkReplica(replica)
    for (const frames of sent) await replica.admit(frames, { via: 'sync', peer: 'b' })
    expect([replica.root(), await replica.stateHash()]).toEqual([good.root, good.stateHash])
    expect(replica.counts().ops).toBe(240)
    await checkReplica(replica)
  })
}

const files = async (data: string, pattern: RegExp) =>
  (await readdir(join(data, 'ops'))).filter((name) => pattern.test(name))

test.each<[string, RegExp, (data: string) => Promise<void>]>([
  ['CURRENT deleted', /CURRENT/, (data) => rm(join(data, 'ops/CURRENT'))],
  ['MANIFEST cut', /./, async (data) => truncate(join(data, 'ops', (await files(data, /^MANIFEST/))[0]!), 20)],
  ['a table deleted', /./, async (data) => rm(join(data, 'ops', (await files(data, /ldb$/))[0]!))],
  ['a table cut', /ldb/, async (data) => truncate(join(data, 'ops', (await files(data, /ldb$/))[1]!), 900)],
])('%s: the damage is named with what to do, and repaired', async (name, named, damage) => {
  const data = await copyOf(name)
  await damage(data)
  const before = (await readdir(join(data, 'ops'))).length
  await expect(inspectStore(data)).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringMatching(named),
  })
  const repaired = await repairFolder(data, net)
  expect((await readdir(repaired.kept[0]!)).length).toBeGreaterThanOrEqual(before - 1)
  expect(repaired.ops + (repaired.lost ?? 0)).toBeLessThanOrEqual(240)
  expect((await inspectStore(data)).damagedFrames).toBe(0)
  await isMended(name)
})

test('a store that LevelDB cannot open says so, and what to run', async () => {
  const data = await copyOf('refused')
  await rm(join(data, 'ops/CURRENT'))
  const before = await readdir(join(data, 'ops'))
  await expect(LevelDisk.open(join(data, 'ops'))).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining('`peerage repair`'),
  })
  expect(await readdir(join(data, 'ops'))).toEqual(before)
})

test('any flipped bit of any file is named or harmless, and after repair and a peer all is as it was', async () => {
  const seed = chosenSeed()
  const chance = new Chance(seed, 'flips')
  const all = await files(join(folder, 'good'), /ldb$|log$|^MANIFEST|^CURRENT/)
  for (const name of chance.shuffled(all).slice(0, 2)) {
    const bytes = await readFile(join(folder, 'good/ops', name))
    if (bytes.length === 0) continue
    const data = await copyOf('flipped')
    const at = chance.int(0, bytes.length - 1)
    bytes[at]! ^= 1 << chance.int(0, 7)
    await writeFile(join(data, 'ops', name), bytes)
    const what = `SEED=${seed}: a bit at byte ${at} of ${name}`
    await expect(inspectStore(data), what).rejects.toMatchObject({ code: 'store-corrupt' })
    await repairFolder(data, net)
    await isMended('flipped')
  }
})

test('a start on a damaged log keeps the log, and a repair takes from it what the start left out', async () => {
  const data = await copyOf('log')
  await onStore('log', async (replica) => {
    await replica.admit(p.bytes([p.genesis('late')]), { via: 'http' }, { sync: true })
    for (const slug of ['later', 'last'])
      await replica.admit(p.bytes([p.genesis(slug)]), { via: 'http' }, { sync: true })
    const [log] = await files(data, /log$/)
    await cp(join(data, 'ops', log!), join(folder, 'log.copy'))
  })
  // The store is as after a kill, with a bit flipped in what was written first since.
  const data2 = await copyOf('log')
  const [log] = await files(data2, /log$/)
  const bytes = await readFile(join(folder, 'log.copy'))
  bytes[30]! ^= 1
  await writeFile(join(data2, 'ops', log!), bytes)
  const held = await onStore('log', async (replica) => replica.counts().ops)
  expect(held).toBeLessThan(243)
  const { logsKept } = await inspectStore(data2)
  expect(logsKept.length).toBe(1)
  const repaired = await repairFolder(data2, net)
  expect(repaired.ops).toBeGreaterThanOrEqual(held)
  await onStore('log', async (replica) => {
    const late = [p.genesis('later'), p.genesis('last')].map(({ id }) => id)
    expect(await replica.has(late)).toEqual([true, true])
    await checkReplica(replica)
  })
})

test('the end of a log that is gone with all that would tell of it shows by the tally, until a peer was met', async () => {
  const data = await copyOf('cut')
  const [log] = await files(data, /log$/)
  await truncate(join(data, 'ops', log!), 0)
  expect(await inspectStore(data)).toMatchObject({ lostOps: 40, ops: 200, counted: 200 })
  await onStore('cut', async (replica, logged) => {
    expect(replica.health()).toMatchObject({ lostOps: 40, set: 'good' })
    expect(logged).toContainEqual(expect.objectContaining({ level: 'error', facts: { lost: 40, of: 240 } }))
    await replica.admit(sent.at(-1)!, { via: 'sync', peer: 'b' })
    expect(replica.root()).toBe(good.root)
    replica.metPeer()
    expect(replica.health().lostOps).toBe(0)
  })
  expect((await inspectStore(data)).lostOps).toBe(0)
})

test('damaged counts and records cost nothing but time', async () => {
  for (const range of [{ gte: countsKey, lte: countsKey }, recordsAfter(undefined)]) {
    const data = await copyOf('rows')
    {
      await using disk = await LevelDisk.open(join(data, 'ops'))
      for await (const [key, row] of disk.entries({ ...range, limit: 1 })) {
        const flipped = row.slice()
        flipped[12]! ^= 4
        await disk.batch([{ key, value: flipped }])
      }
    }
    await onStore('rows', async (replica) => {
      expect([replica.root(), await replica.stateHash()]).toEqual([good.root, good.stateHash])
      await checkReplica(replica)
    })
  }
})

test('ops whose past is lost are kept aside, over restarts, and go in when it has come', async () => {
  const data = await copyOf('aside')
  {
    await using disk = await LevelDisk.open(join(data, 'ops'))
    const [second] = await Array.fromAsync(disk.keys({ ...framesFrom(2), limit: 1 }))
    await disk.batch([{ key: second! }])
  }
  const repaired = await repairFolder(data, net)
  expect(repaired).toMatchObject({ ops: 40, lost: 200, waiting: 4 })
  expect(await inspectStore(data)).toMatchObject({ waitingFrames: 4, ops: 40 })
  await onStore('aside', async (replica) => {
    expect(replica.health()).toMatchObject({ waitingFrames: 4 })
    await checkReplica(replica)
    await replica.admit(sent[1]!, { via: 'sync', peer: 'b' })
    expect(replica.root()).toBe(good.root)
  })
  await onStore('aside', async (replica) => {
    expect(replica.health()).toMatchObject({ waitingFrames: 0 })
    expect(await replica.stateHash()).toBe(good.stateHash)
  })
})

test('a damaged journal keeps what it says for certain, and nothing is signed before a peer was met', async () => {
  const data = await copyOf('journal')
  const entry = (n: number) => ({ record: `${n}`.repeat(64), op: `${n}`.repeat(64) })
  {
    await using journal = await FileJournal.open(join(data, 'journal'))
    for (const n of [1, 2, 3]) {
      await journal.append([entry(n)])
      await journal.settle()
    }
  }
  const bytes = await readFile(join(data, 'journal'))
  bytes[2 * 69 + 5]! ^= 1
  await writeFile(join(data, 'journal'), bytes)
  expect((await inspectStore(data)).journal).toContain('damaged at byte 138')
  const repaired = await repairFolder(data, net)
  expect(repaired.journal).toBe('repaired')
  expect(await readFile(repaired.kept[1]!)).toEqual(bytes)
  await using journal = await FileJournal.open(join(data, 'journal'))
  expect((await Array.fromAsync(journal.entries())).map(({ op }) => op[0])).toEqual(['1', '3'])
  await onStore('journal', async (replica) => expect(replica.health().restored).toBe(true))
})
