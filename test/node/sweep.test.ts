/** What nobody reads is read all the same: damage is found, what follows from good frames is mended, the rest is asked for. */
import { describe, expect, test } from 'vitest'
import { encodeBody, encodeVerbs } from '../../crdt/index.ts'
import { sweepBytes, sweepMs, sweepRestMs } from '../../node/limits.ts'
import type { ReplicaFace } from '../../node/replica-types.ts'
import { checkReplica } from '../support/check-replica.ts'
import type { FaultyDisk } from '../support/faulty-disk.ts'
import { MemoryJournal } from '../support/memory-journal.ts'
import { openReplica } from '../support/open-replica.ts'
import { named, publisher } from '../support/publisher.ts'

const p = publisher(1)
const sync = { via: 'sync', peer: 'a' } as const
/** What a write says. */
const said = (say: 'genesis' | 'patch', slug: string) =>
  say === 'genesis'
    ? ({ do: say, body: encodeBody(named(slug, slug)) } as const)
    : ({ do: say, body: encodeVerbs([['set', ['again'], true]]) } as const)
const idsOf = async (replica: ReplicaFace) => (await replica.changes(0, 99)).map(({ op }) => op)
const gone = async (disk: FaultyDisk, prefix: string, n = 0) => disk.batch([{ key: (await disk.keysFrom(prefix))[n]! }])

/** A bit of the key is flipped. */
const moved = async (disk: FaultyDisk, prefix: string) => {
  const [key] = await disk.keysFrom(prefix)
  const value = (await disk.get(key!))!
  await disk.batch([{ key: key! }, { key: key!.map((byte, at) => (at === 9 ? byte ^ 1 : byte)), value }])
}

/** Two records in lines of three, a frame for each op. */
async function swept() {
  const sent = ['a', 'b'].flatMap((slug) => {
    const genesis = p.genesis(slug)
    const second = p.set(p.recordOf(slug), [genesis.id], 'second')
    return [[genesis], [second], [p.set(p.recordOf(slug), [second.id], 'third')]].map((ops) => p.bytes(ops))
  })
  const opened = await openReplica()
  for (const frames of sent) await opened.replica.admit(frames, sync)
  return { ...opened, sent, root: opened.replica.root(), stateHash: await opened.replica.stateHash() }
}

describe('a pass over the store', () => {
  test.each<[string, (disk: FaultyDisk) => Promise<void>]>([
    ['a place of an op that is wrong', (disk) => disk.damage('o', 2, 5)],
    ['a place of an op that is gone', (disk) => gone(disk, 'o', 3)],
    ['a damaged record', (disk) => disk.damage('r', 1, 30)],
    ['a record that is gone', (disk) => gone(disk, 'r')],
    ['a record that no kind lists', (disk) => gone(disk, 'k')],
    ['a record under a key that is not its own', (disk) => moved(disk, 'r')],
  ])('mends %s, from frames that are good', async (_name, damage) => {
    const { disk, root, stateHash, replica: first } = await swept()
    await first[Symbol.asyncDispose]()
    await damage(disk)
    const { replica, clock, logged } = await openReplica({ disk })
    await clock.runUntil(() => replica.health().sweptAt !== undefined, 60_000)
    expect(replica.health()).toMatchObject({ damagedOps: 0, damagedFrames: 0 })
    expect(logged.at(-1)).toMatchObject({ level: 'error', facts: { mended_rows: 1, damaged_ops: 0 } })
    await replica[Symbol.asyncDispose]()
    const { replica: again } = await openReplica({ disk })
    await checkReplica(again)
    expect([again.root(), await again.stateHash()]).toEqual([root, stateHash])
  })

  test('mends the place of an op under a key that is no op’s, and the root with it', async () => {
    const { disk, root, replica: first } = await swept()
    await first[Symbol.asyncDispose]()
    await moved(disk, 'o')
    const { replica, clock } = await openReplica({ disk })
    expect(replica.health().set).toBe('differs')
    await clock.runUntil(() => replica.health().sweptAt !== undefined, 60_000)
    expect(replica.root()).toBe(root)
    await replica[Symbol.asyncDispose]()
    const { replica: again } = await openReplica({ disk })
    await checkReplica(again)
  })

  test.each<[string, (disk: FaultyDisk) => Promise<void>, number]>([
    ['a damaged frame', (disk) => disk.damage('f', 1, 60), 1],
    ['a frame that is gone', (disk) => gone(disk, 'f', 2), 1],
    ['the last frame gone', (disk) => gone(disk, 'f', 5), 1],
    [
      'several frames gone at once',
      async (disk) => {
        for (let n = 0; n < 3; n++) await gone(disk, 'f', 1)
      },
      3,
    ],
  ])('finds %s, and its ops are taken again from anyone', async (_name, damage, lost) => {
    const { disk, replica, clock, sent, root, stateHash } = await swept()
    await damage(disk)
    await clock.runUntil(() => replica.health().sweptAt !== undefined, 60_000)
    expect(replica.damaged(9).length).toBe(lost)
    expect(replica.counts().ops).toBe(6)
    for (const frames of sent) await replica.admit(frames, { via: 'gossip', peer: 'b' })
    await clock.runUntil(() => replica.health().damagedFrames === 0, 60_000)
    expect(replica.damaged(9)).toEqual([])
    expect([replica.root(), await replica.stateHash(), replica.counts().ops]).toEqual([root, stateHash, 6])
    await replica[Symbol.asyncDispose]()
    const { replica: again, clock: later } = await openReplica({ disk })
    await later.runUntil(() => again.health().sweptAt !== undefined, 60_000)
    expect(again.health()).toMatchObject({ set: 'good', damagedOps: 0, damagedFrames: 0 })
    expect((await again.frames(await idsOf(again))).left).toEqual([])
    expect([again.root(), await again.stateHash()]).toEqual([root, stateHash])
  })

  test('a record whose row is damaged, and ops of it too, is itself again when they have come', async () => {
    const { disk, replica: first, sent } = await swept()
    await first[Symbol.asyncDispose]()
    await disk.damage('r', 0, 30)
    await disk.damage('f', 0, 60)
    await disk.damage('f', 4, 60)
    const { replica, clock } = await openReplica({ disk })
    await clock.runUntil(() => replica.damaged(9).length === 2, 60_000)
    await expect(replica.stateHash()).rejects.toMatchObject({ code: 'store-corrupt' })
    // Nothing new of it can be judged, and nobody is blamed.
    const [id] = [p.recordOf('a'), p.recordOf('b')].sort()
    const slug = id === p.recordOf('a') ? 'a' : 'b'
    const second = p.set(id!, [p.genesis(slug).id], 'second')
    const after = p.set(id!, [p.set(id!, [second.id], 'third').id], 'fourth')
    const { results, misbehaved } = await replica.admit(p.bytes([after]), sync)
    expect([results[0]!.verdict, misbehaved]).toEqual(['pending', false])
    for (const frames of sent) await replica.admit(frames, { via: 'sync', peer: 'b' })
    await clock.runUntil(() => replica.health().damagedFrames === 0, 60_000)
    await replica.admit(p.bytes([after]), sync)
    expect(await replica.record(id!)).toMatchObject({ doc: { name: 'fourth' } })
    await replica[Symbol.asyncDispose]()
  })

  test('comes again after a rest, and takes bounded steps', async () => {
    const { disk, replica, clock } = await swept()
    await replica.admit(p.bytes([p.genesis('large', 'x'.repeat(60_000))]), sync)
    await clock.runUntil(() => replica.health().sweptAt !== undefined, 60_000)
    const before = replica.health().sweptAt!
    await clock.runUntil(() => replica.health().sweptAt !== before, sweepRestMs + 2 * sweepMs)
    expect(replica.health().sweptAt! - before).toBeGreaterThanOrEqual(sweepRestMs)
    let read = 0
    const { entries } = disk
    disk.entries = async function* (range) {
      for await (const row of entries.call(disk, range)) {
        read += row[1].length
        yield row
      }
    }
    for (let n = 0; n < 5; n++) await replica.admit(p.bytes([p.genesis(`l${n}`, 'x'.repeat(60_000))]), sync)
    await clock.advance(sweepRestMs)
    expect(read).toBeGreaterThan(sweepBytes)
    read = 0
    await clock.advance(sweepMs)
    expect(read).toBeLessThan(2 * sweepBytes)
  })
})

test('while an op of our own is damaged, its record is not signed', async () => {
  const me = publisher(7)
  const journal = new MemoryJournal()
  const { disk, replica, clock } = await openReplica({ signer: me.signer, journal })
  const write = (slug: string, say: 'genesis' | 'patch') =>
    replica.write([{ record: me.recordOf(slug), kind: me.kind, slug, decide: () => said(say, slug) }])
  await write('a', 'genesis')
  await write('b', 'genesis')
  const { frames: copies } = await replica.frames([...(await replica.record(me.recordOf('a')))!.heads])
  await disk.damage('f', 0, 60)
  await clock.runUntil(() => replica.health().forkedRecords === 1, 60_000)
  await expect(write('a', 'patch')).rejects.toMatchObject({ code: 'key-journal' })
  expect(await write('b', 'patch')).toMatchObject([{ outcome: 'written' }])
  await replica.admit(copies, { via: 'sync', peer: 'b' })
  expect(await write('a', 'patch')).toMatchObject([{ outcome: 'written' }])
})
