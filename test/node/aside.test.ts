/** A store that lost some of what it had written is built anew from its frames, and peers bring the rest. */
import { describe, expect, test } from 'vitest'
import type { Del, Put } from '../../node/disk.ts'
import { MemoryDisk } from '../../node/disk-memory.ts'
import { NodeError } from '../../node/errors.ts'
import { chunkRows } from '../../node/id-rows.ts'
import { nativeSuite } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import { asideMarkKey, opRows } from '../../node/rows.ts'
import { checkReplica } from '../support/check-replica.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { idle, manualEnvironment } from '../support/manual-clock.ts'
import { openReplica } from '../support/open-replica.ts'
import { inlineChecker } from '../support/peer.ts'
import { net, publisher } from '../support/publisher.ts'

const p = publisher(1)
const sync = { via: 'sync', peer: 'a' } as const

/** Remembers its batches. */
class RecordingDisk extends MemoryDisk {
  readonly written: (readonly (Put | Del)[])[] = []

  override async batch(changes: readonly (Put | Del)[], options?: { readonly sync?: boolean }): Promise<void> {
    this.written.push(changes)
    await super.batch(changes, options)
  }
}

/** Three records in lines, a batch for each step, and one record that comes last. */
async function written() {
  const heads = ['a', 'b', 'c'].map((slug) => p.genesis(slug))
  const sent = [p.bytes(heads)]
  for (let step = 0; step < 3; step++) {
    for (const [i, slug] of ['a', 'b', 'c'].entries()) heads[i] = p.set(p.recordOf(slug), [heads[i]!.id], `${step}`)
    sent.push(p.bytes([heads[step]!]), p.bytes(heads.filter((_, i) => i !== step)))
  }
  sent.push(p.bytes([p.genesis('d')]))
  const disk = new RecordingDisk()
  const { replica } = await openReplica({ disk })
  const begun = disk.written.length
  for (const frames of sent) await replica.admit(frames, sync)
  return {
    sent,
    begun,
    batches: disk.written,
    root: replica.root(),
    stateHash: await replica.stateHash(),
    ops: replica.counts().ops,
  }
}

async function diskOf<D extends MemoryDisk>(disk: D, batches: readonly (readonly (Put | Del)[])[]): Promise<D> {
  for (const changes of batches) await disk.batch(changes, { sync: true })
  return disk
}

describe('a power cut', () => {
  test('that takes any of the last batches, whichever they are, costs nothing that peers have', async () => {
    const { sent, begun, batches, root, stateHash, ops } = await written()
    const count = batches.length - begun
    for (let lost = 1; lost < 2 ** count; lost += count > 6 ? 11 : 1) {
      const kept = batches.filter((_, at) => at < begun || ((lost >> (at - begun)) & 1) === 0)
      const disk = await diskOf(new MemoryDisk(), kept)
      const { replica } = await openReplica({ disk })
      await checkReplica(replica)
      for (const frames of sent) await replica.admit(frames, { via: 'sync', peer: 'b' })
      expect([replica.root(), await replica.stateHash(), replica.counts().ops], `lost ${lost.toString(2)}`).toEqual([
        root,
        stateHash,
        ops,
      ])
      await checkReplica(replica)
    }
  })

  test('again while the store is built anew, at any write, is gone on from', async () => {
    const { sent, begun, batches, root } = await written()
    const damaged = batches.filter((_, at) => at !== begun + 1)
    for (let n = 0, isOver = false; !isOver; n++) {
      const disk = await diskOf(new FaultyDisk(), damaged)
      disk.batches = []
      let left = n
      const { batch } = disk
      disk.batch = async (...args) => {
        if (left-- <= 0) throw new NodeError('store-failed', 'cut off')
        return batch.apply(disk, args)
      }
      isOver = await openReplica({ disk }).then(
        () => true,
        () => false,
      )
      disk.batch = batch
      const { replica } = await openReplica({ disk })
      await checkReplica(replica)
      expect(await disk.get(asideMarkKey)).toBeUndefined()
      await replica.admit(sent[1]!, sync)
      expect(replica.root(), `cut off at write ${n}`).toBe(root)
    }
  })
})

test('an op whose past is lost is neither shown nor counted, and waits over restarts', async () => {
  const { sent, begun, batches, root, stateHash } = await written()
  const disk = await diskOf(
    new MemoryDisk(),
    batches.filter((_, at) => at !== begun),
  )
  for (let start = 0; start < 2; start++) {
    const { replica } = await openReplica({ disk })
    expect(replica.counts()).toMatchObject({ ops: 1, seq: 1 })
    expect(replica.health()).toMatchObject({ set: 'good', waitingFrames: 6 })
    await checkReplica(replica)
    await replica[Symbol.asyncDispose]()
  }
  const { replica, clock } = await openReplica({ disk })
  await replica.admit(sent[0]!, sync)
  await clock.runUntil(() => replica.health().waitingFrames === 0, 60_000)
  expect([replica.root(), await replica.stateHash()]).toEqual([root, stateHash])
})

test('reads that fail while the set loads are tried again, and the node gets ready by itself', async () => {
  const disk = new FaultyDisk()
  const { replica: first } = await openReplica({ disk })
  await first.admit(p.bytes([p.genesis('a')]), sync)
  await first[Symbol.asyncDispose]()
  const { entries } = disk
  let failures = 3
  disk.entries = (range) => {
    const isOfSet = range === chunkRows || range === opRows
    if (isOfSet && failures-- > 0) throw new NodeError('store-failed', "couldn't read the store: EIO")
    return entries.call(disk, range)
  }
  const environment = manualEnvironment()
  const replica = await Replica.open({ disk, environment, net, suite: nativeSuite, checker: inlineChecker })
  await idle()
  expect(replica.health().set).toBe('loading')
  expect(await replica.record(p.recordOf('a'))).toMatchObject({ doc: { name: 'a' } })
  await replica.admit(p.bytes([p.genesis('b')]), sync)
  await environment.clock.runUntil(() => replica.health().set === 'good', 60_000)
  expect(failures).toBeLessThanOrEqual(0)
  await checkReplica(replica)
})
