/**
 * The sets by which nodes compare what they hold: loaded again quickly, whole after any damage, told apart by kind and
 * owner, and with what a node knows and does not hold.
 */
import { expect, test } from 'vitest'
import { IdSet, type Op, Sketch } from '../../crdt/index.ts'
import { idChunkOps, setCheckAfterMs } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Replica } from '../../node/replica.ts'
import { turn } from '../../node/turn.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { idle } from '../support/manual-clock.ts'
import { openReplica } from '../support/open-replica.ts'
import { publisher } from '../support/publisher.ts'

const [p, q, other] = [publisher(1), publisher(2), publisher(1, { kind: 'other' })]
const SYNC = { via: 'sync', peer: 'x' } as const

/** A disk that says whether all rows of ops were read at once, as a slow start does. */
class WatchedDisk extends FaultyDisk {
  scans = 0
  override entries(range: Parameters<FaultyDisk['entries']>[0]) {
    if (range.gte?.[0] === 'o'.charCodeAt(0) && range.gte.length === 1) this.scans++
    return super.entries(range)
  }
}

const many = Array.from({ length: 5_000 }, (_, i) => p.genesis(`many ${i}`))
const few = Array.from({ length: 40 }, (_, i) => (i % 2 ? q.genesis(`few ${i}`) : other.genesis(`few ${i}`)))

/** 5,040 ops on a disk: more than one row of ids holds. */
async function filled() {
  const { replica, disk } = await openReplica({ disk: new WatchedDisk() })
  await replica.admit(
    [...p.bytes(many), ...q.bytes(few.filter((_, i) => i % 2)), ...other.bytes(few.filter((_, i) => !(i % 2)))],
    SYNC,
  )
  const { root, ops } = { root: replica.root(), ops: replica.counts().ops }
  expect(ops).toBe(5_040)
  return { replica, disk, root }
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    if (await done()) return
    await idle()
  }
  throw new Error('expected it by now')
}

const rowsOf = (disk: FaultyDisk) => disk.keysFrom('i')
const sketchOf = async (replica: Replica, name = 'all') => [
  ...(await (await replica.reconciled(name))!.sketch(turn)).words,
]
function freshSketch(ids: Iterable<string>, symbols: number): number[] {
  const sketch = new Sketch(symbols)
  for (const id of ids) sketch.add(Buffer.from(id, 'hex'))
  return [...sketch.words]
}

const made = await filled()

test('a clean restart reads rows of ids and the last frames, and comes to the same set and sketch', async () => {
  const { disk, root } = made
  await until(async () => (await rowsOf(disk)).length === 1)
  await made.replica[Symbol.asyncDispose]()
  const { replica } = await openReplica({ disk })
  expect(replica.root()).toBe(root)
  expect(replica.health().set).toBe('good')
  expect(disk.scans).toBe(1) // the first, on an empty disk
  const all = (await replica.reconciled('all'))!
  expect(await sketchOf(replica)).toEqual(freshSketch(all.ids.ids(), (await all.sketch(turn)).symbols))
  await replica[Symbol.asyncDispose]()
})

test('after a crash too', async () => {
  const { disk, root } = made
  const { replica } = await openReplica({ disk })
  expect(replica.root()).toBe(root)
  // Nobody closed it.
  disk.scans = 0
  const { replica: again } = await openReplica({ disk })
  expect(again.root()).toBe(root)
  expect(disk.scans).toBe(0)
  await again[Symbol.asyncDispose]()
})

test('a damaged row of ids costs a slow start, and is written anew', async () => {
  const { disk, root } = made
  await disk.damage('i', 0, 500)
  disk.scans = 0
  const { replica } = await openReplica({ disk })
  expect(replica.root()).toBe(root)
  expect(disk.scans).toBe(1)
  await until(async () => (await rowsOf(disk)).length === 1)
  await replica[Symbol.asyncDispose]()
  disk.scans = 0
  const { replica: again } = await openReplica({ disk })
  expect(again.root()).toBe(root)
  expect(disk.scans).toBe(0)
  await again[Symbol.asyncDispose]()
})

test('an op that went missing on disk is noticed after a quick start, and peers are asked for it', async () => {
  const { disk, root } = made
  const key = (await disk.keysFrom('o'))[77]!
  const value = (await disk.get(key))!
  await disk.batch([{ key }])
  const { replica, logged, clock } = await openReplica({ disk })
  expect(replica.health().set).toBe('good')
  await clock.advance(setCheckAfterMs)
  await until(() => replica.health().set === 'differs')
  expect(logged.at(-1)).toMatchObject({ level: 'error', facts: { lost: 1 } })
  expect(await replica.has([Buffer.from(key.subarray(1)).toString('hex')])).toEqual([false])
  expect(replica.root()).not.toBe(root)
  const all = (await replica.reconciled('all'))!
  expect(await sketchOf(replica)).toEqual(freshSketch(all.ids.ids(), (await all.sketch(turn)).symbols))
  await replica[Symbol.asyncDispose]()
  await disk.batch([{ key, value }])
})

test('of a kind and of an owner there are sets of their own, before and after more arrives', async () => {
  const { replica } = await openReplica({ disk: made.disk })
  await until(() => replica.health().set === 'good')
  const ofKind = (await replica.reconciled('kind:other'))!
  const ofOwner = (await replica.reconciled(`owner:${q.owner}`))!
  const first = { kind: few.filter((_, i) => !(i % 2)), owner: few.filter((_, i) => i % 2) }
  expect(ofKind.root()).toBe(rootOf(first.kind))
  expect(ofOwner.root()).toBe(rootOf(first.owner))
  expect((await replica.reconciled('kind:none'))!.size).toBe(0)
  expect((await replica.reconciled('authority'))!.size).toBe(0)
  expect(await replica.reconciled('kind:Not A Kind')).toBeUndefined()

  const [genesis] = first.kind as [Op]
  const more = [other.genesis('more'), other.patch(genesis.header.record, [genesis.id], [['set', ['x'], 1]])]
  await replica.admit(other.bytes(more), SYNC)
  expect(ofKind.root()).toBe(rootOf([...first.kind, ...more]))
  expect(ofOwner.root()).toBe(rootOf(first.owner))
  expect((await replica.reconciled(`owner:${p.owner}`))!.size).toBe(5_000 + 20 + 2)
  expect(await sketchOf(replica, 'kind:other')).toEqual(freshSketch(ofKind.ids.ids(), 1_024))
  const streamed: string[] = []
  for await (const { ids } of replica.log(0, { of: ofKind })) streamed.push(...ids)
  expect(streamed.sort()).toEqual([...ofKind.ids.ids()])
  await replica[Symbol.asyncDispose]()

  const { replica: again } = await openReplica({ disk: made.disk })
  expect((await again.reconciled('kind:other'))!.root()).toBe(rootOf([...first.kind, ...more]))
  await again[Symbol.asyncDispose]()
})

test('what a policy refuses is known and not served, held or not, over restarts, until it is released', async () => {
  const { replica, disk } = await openReplica()
  const [held, refused] = [p.genesis('held'), p.genesis('refused')]
  await replica.admit(p.bytes([held]), SYNC)
  const full = new IdSet(nativeSuite.sha256)
  for (const { id } of [held, refused]) full.add(id)
  await replica.withhold([
    { id: held.id, reason: 'blocked' },
    { id: refused.id, reason: 'blocked', of: { kind: p.kind, owner: p.owner } },
  ])
  const check = async (it: Replica) => {
    expect(it.root()).toBe(full.root())
    expect(await it.has([held.id, refused.id])).toEqual([true, false])
    expect(await it.knows([held.id, refused.id, 'a'.repeat(64)])).toEqual([true, true, false])
    expect((await it.frames([held.id, refused.id])).frames).toEqual([])
    for await (const { ids } of it.log(0)) expect(ids).toEqual([])
    expect((await it.reconciled(`kind:${p.kind}`))!.root()).toBe(full.root())
    expect(it.counts().ops).toBe(1)
  }
  await check(replica)
  await replica[Symbol.asyncDispose]()
  const { replica: again } = await openReplica({ disk })
  expect(again.health().set).toBe('good')
  await check(again)
  await again.release([held.id, refused.id])
  expect(again.root()).toBe(rootOf([held]))
  expect((await again.frames([held.id])).frames).toHaveLength(1)
  await again[Symbol.asyncDispose]()
  const { replica: third } = await openReplica({ disk })
  expect(third.root()).toBe(rootOf([held]))
})

test('an op whose clock is ahead is known while it waits, and given to whoever asks for it', async () => {
  const { replica, disk, clock } = await openReplica()
  const late = p.genesis('late', 'late', clock.now() + 60 * 60_000)
  const admitted = await replica.admit(p.bytes([late]), { via: 'gossip', peer: 'x' })
  expect(admitted.results).toMatchObject([{ verdict: 'pending', reason: 'future' }])
  expect(replica.root()).toBe(rootOf([late]))
  expect(await replica.has([late.id])).toEqual([false])
  expect(await replica.knows([late.id])).toEqual([true])
  const { frames } = await replica.frames([late.id])
  const taker = await openReplica()
  await taker.replica.admit(frames, SYNC)
  expect(taker.replica.root()).toBe(replica.root())
  // It is not on disk, so after a restart it is asked of peers again.
  await replica[Symbol.asyncDispose]()
  const { replica: again } = await openReplica({ disk })
  expect(again.health().set).toBe('good')
  expect(await again.knows([late.id])).toEqual([false])
  // Taken by catch-up it is held, and stays.
  await again.admit(frames, SYNC)
  expect(await again.has([late.id])).toEqual([true])
  expect(again.root()).toBe(rootOf([late]))
})

test('when its time has come it is held, and known all the while', async () => {
  const { replica, clock } = await openReplica()
  const late = p.genesis('late', 'late', clock.now() + 60 * 60_000)
  await replica.admit(p.bytes([late]), { via: 'gossip', peer: 'x' })
  await clock.advance(61 * 60_000)
  await until(async () => (await replica.has([late.id]))[0] === true)
  expect(replica.root()).toBe(rootOf([late]))
  expect(replica.counts().ops).toBe(1)
})

test(`a row of ids holds ${idChunkOps}`, async () => {
  const [key] = await rowsOf(made.disk)
  expect((await made.disk.get(key!))!.length).toBeGreaterThan(32 * idChunkOps)
})

function rootOf(ops: readonly Op[]): string {
  const set = new IdSet(nativeSuite.sha256)
  for (const { id } of ops) set.add(id)
  return set.root()
}
