/** Groups: folding in memory gives what merging everything gives, however the ops are cut into groups and frames. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Op, stateBytes } from '../../crdt/index.ts'
import { carry, Group } from '../../node/append.ts'
import { arrivalsSince } from '../../node/id-log.ts'
import { nativeSuite, zstdCodec } from '../../node/native.ts'
import { OpSet } from '../../node/op-set.ts'
import { Store } from '../../node/store.ts'
import { checkReplica } from '../support/check-replica.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { naiveMerge } from '../support/naive-merge.ts'
import { openReplica } from '../support/open-replica.ts'
import { net, publisher } from '../support/publisher.ts'
import { randomOps } from '../support/random-ops.ts'
import { seeded } from '../support/seed.ts'

const p = publisher(1)
const { sha256 } = nativeSuite
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

async function opened() {
  const disk = new FaultyDisk()
  const options = { disk, environment: manualEnvironment(), net, sha256, codec: zstdCodec, log: () => {} }
  const store = await Store.open(options)
  const set = new OpSet({
    disk,
    clock: options.environment.clock,
    sha256,
    log: () => {},
    opsSince: (seq) => arrivalsSince(store, seq),
  })
  await set.load(store.counts, store.marker, new AbortController().signal)
  return { disk, store, set, again: () => Store.open(options) }
}

async function appendAll(store: Store, set: OpSet, ops: readonly Op[]): Promise<void> {
  const group = new Group(store, set)
  await group.prefetch(ops)
  for (const frame of p.frames(ops)) {
    const carrier = carry(frame, 'peer')
    for (const { op } of frame.entries) expect(await group.take(op, carrier)).toBeUndefined()
  }
  await store.commit(await group.finish([]), false)
  set.append(
    ops.map(({ id }, i) => ({ id, seq: store.counts.seq - ops.length + i + 1, of: { kind: p.kind, owner: p.owner } })),
  )
}

test('records are as the naive merge of their ops makes them, after every group and after reopening', async () => {
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        randomOps(p, { minLength: 1, maxLength: 24 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        async (ops, sizes) => {
          const { store, set, again } = await opened()
          for (let from = 0; from < ops.length; ) {
            const some = ops.slice(from, from + sizes.next().value)
            from += some.length
            await appendAll(store, set, some)
            const byRecord = Map.groupBy(ops.slice(0, from), (op) => op.header.record)
            for (const each of [store, await again()]) {
              for (const [id, held] of byRecord) {
                const merged = (await each.record(id))!
                expect(hex(stateBytes(merged))).toBe(hex(stateBytes(naiveMerge(held))))
                expect(merged.opCount).toBe(held.length)
              }
              expect(each.counts.ops).toBe(from)
              const live = [...byRecord.values()].filter((held) => naiveMerge(held).live).length
              expect(each.counts.records['thing'] ?? 0).toBe(live)
            }
          }
        },
      ),
      { ...parameters, numRuns: 40 },
    ),
  )
})

test('strangers send the same ops in any order and cut: every replica ends in one state', async () => {
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        randomOps(p, { minLength: 1, maxLength: 20 }).chain((ops) =>
          fc.tuple(fc.shuffledSubarray(ops, { minLength: ops.length }), fc.constant(ops)),
        ),
        fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
        async ([order, ops], sizes) => {
          const { replica } = await openReplica()
          for (let from = 0; from < order.length; ) {
            const some = order.slice(from, from + sizes.next().value)
            from += some.length
            const admitted = await replica.admit(p.bytes(some), { via: 'sync', peer: 'a' })
            expect(admitted.misbehaved).toBe(false)
          }
          expect(replica.counts().ops).toBe(ops.length)
          expect(replica.pending()).toEqual({ ops: 0, bytes: 0 })
          await checkReplica(replica)
        },
      ),
      { ...parameters, numRuns: 40 },
    ),
  )
})

test('a group that is not committed leaves nothing behind', async () => {
  const { disk, store, set } = await opened()
  const genesis = p.genesis('a')
  await appendAll(store, set, [genesis])
  const rows = (await disk.keysFrom('f')).length
  const before = [store.counts, await store.record(p.recordOf('a'))]
  const group = new Group(store, set)
  const ops = [p.set(p.recordOf('a'), [genesis.id], 'x'), p.genesis('b')]
  await group.prefetch(ops)
  const carrier = carry(p.frames(ops)[0]!)
  for (const op of ops) await group.take(op, carrier)
  expect(await group.current(p.recordOf('a'))).toMatchObject({ doc: { name: 'x' } })
  const prepared = await group.finish([])
  disk.fail('ENOSPC', { written: false })
  await expect(store.commit(prepared, true)).rejects.toMatchObject({ code: 'store-failed' })
  expect([store.counts, await store.record(p.recordOf('a'))]).toEqual(before)
  expect(await store.record(p.recordOf('b'))).toBeUndefined()
  expect((await disk.keysFrom('f')).length).toBe(rows)
})

test('a kind may have any name, also one that every object has', async () => {
  const other = publisher(1, { kind: 'constructor' })
  const { replica } = await openReplica()
  await replica.admit(other.bytes([other.genesis('a'), other.genesis('b')]), { via: 'sync', peer: 'a' })
  expect(Object.entries(replica.counts().records)).toEqual([['constructor', 2]])
  await checkReplica(replica)
})
