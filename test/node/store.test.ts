/** Rows and reads of the store below the replica: order, packing, and readers beside the writer. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { carry, Group } from '../../node/append.ts'
import { arrivalsSince } from '../../node/id-log.ts'
import { nativeSuite, zstdCodec } from '../../node/native.ts'
import { OpSet } from '../../node/op-set.ts'
import { frameKey, frameRow, locationRow, readFrameRow, readLocation, seqOfFrameKey } from '../../node/rows.ts'
import { Store } from '../../node/store.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { net, publisher } from '../support/publisher.ts'
import { seeded } from '../support/seed.ts'

const p = publisher(1)
const { sha256 } = nativeSuite

async function opened(disk = new FaultyDisk()) {
  const environment = manualEnvironment()
  const store = await Store.open({
    disk,
    environment,
    net,
    sha256,
    codec: zstdCodec,
    log: () => {},
  })
  const set = new OpSet({
    disk,
    clock: environment.clock,
    sha256,
    log: () => {},
    opsSince: (seq) => arrivalsSince(store, seq),
  })
  await set.load(store.counts, store.marker, new AbortController().signal)
  const append = async (ops: Parameters<typeof p.frames>[0], origin?: string) => {
    const group = new Group(store, set)
    await group.prefetch(ops)
    for (const frame of p.frames(ops)) {
      const carrier = carry(frame, origin)
      for (const { op } of frame.entries) await group.take(op, carrier)
    }
    const prepared = await group.finish([])
    return { commit: () => store.commit(prepared, false) }
  }
  return { disk, store, append }
}

test('arrival numbers up to 48 bits lie in order and read back', async () => {
  const seq = fc.nat({ max: 2 ** 48 - 1 })
  await seeded((parameters) =>
    fc.assert(
      fc.property(seq, seq, fc.nat({ max: 255 }), (a, b, place) => {
        expect(seqOfFrameKey(frameKey(a))).toBe(a)
        expect(Math.sign(Buffer.compare(frameKey(a), frameKey(b)))).toBe(Math.sign(a - b))
        expect(readLocation(locationRow({ seq: a, place }))).toEqual({ seq: a, place })
      }),
      { ...parameters, numRuns: 300 },
    ),
  )
  expect(readLocation(new Uint8Array(7))).toBeUndefined()
})

test('a frame row reads back, and cut anywhere in its head it does not', () => {
  for (const origin of [undefined, 'peer', '12D3KooWÄ'.padEnd(60, 'x')]) {
    const row = { count: 256, origin, packed: true, bytes: Uint8Array.of(1, 2, 3) }
    const written = frameRow(row)
    expect(readFrameRow(written)).toEqual(row)
    for (let length = 0; length < written.length - 3; length++)
      expect(readFrameRow(written.subarray(0, length))).toBeUndefined()
  }
})

test('large frames are packed, small ones are not, and both read back as they came', async () => {
  const { disk, append } = await opened()
  const large = p.frames(Array.from({ length: 100 }, (_, i) => p.genesis(`large ${i}`)))[0]!
  const small = p.frames([p.genesis('small')])[0]!
  for (const frame of [large, small]) await (await append(frame.entries.map(({ op }) => op))).commit()
  const sizes = await Promise.all((await disk.keysFrom('f')).map(async (key) => (await disk.get(key))!.length))
  expect(sizes[0]).toBeLessThan(large.bytes.length)
  expect(sizes[1]).toBeGreaterThan(small.bytes.length)
  const again = await opened(disk)
  expect((await again.store.frame(1))!.frame.bytes).toEqual(large.bytes)
  expect((await again.store.frame(101))!.frame.bytes).toEqual(small.bytes)
  expect(await again.store.frame(2)).toBeUndefined()
})

test('a reader that began before a commit does not bring the old record back', async () => {
  const disk = new FaultyDisk()
  const genesis = p.genesis('a')
  await (await (await opened(disk)).append([genesis])).commit()
  // Opened again, so that nothing is in its caches.
  const { store, append } = await opened(disk)
  const { getMany } = disk
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  disk.getMany = async (keys) => {
    const rows = await getMany.call(disk, keys)
    await held
    return rows
  }
  const reading = store.record(p.recordOf('a'))
  disk.getMany = getMany
  await (await append([p.set(p.recordOf('a'), [genesis.id], 'next')])).commit()
  release()
  expect(await reading).toMatchObject({ doc: { name: 'a' } })
  expect(await store.record(p.recordOf('a'))).toMatchObject({ doc: { name: 'next' } })
})
