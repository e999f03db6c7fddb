/** The indexer over a real replica: whatever happens, the index ends up saying what the replica says. */
import { access, mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { begin, merge, type Op } from '../../crdt/index.ts'
import { NodeError } from '../../node/errors.ts'
import { Indexer } from '../../node/indexer.ts'
import { indexBulkRecords, indexHoldMs, indexLullMs, indexRetryMs, searchWaitMsMax } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import { blockTarget } from '../../node/policy.ts'
import type { Replica } from '../../node/replica.ts'
import type { Source } from '../../node/replica-types.ts'
import type { IndexRow, SearchIndex, SearchQuery, SearchResult } from '../../node/search.ts'
import { entryOf, receivedOf, sentOf } from '../../node/search-entry.ts'
import { SegmentIndex } from '../../node/search-index.ts'
import { isRow } from '../../node/search-rows.ts'
import { ScanIndex } from '../../node/search-scan.ts'
import { entry } from '../support/index-entries.ts'
import { idle, manualEnvironment } from '../support/manual-clock.ts'
import { openReplica } from '../support/open-replica.ts'
import { publisher } from '../support/publisher.ts'
import { seeded } from '../support/seed.ts'

const alice = publisher(1, { kind: 'model' })

async function admit(replica: Replica, ops: readonly Op[], source: Source = { via: 'http' }): Promise<void> {
  const { results } = await replica.admit(alice.bytes(ops), source)
  expect(new Set(results.map(({ verdict }) => verdict))).toEqual(new Set(['applied']))
}

const geneses = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => alice.genesis(`m${from + i}`, `Name ${from + i}`))

/** An index that can be made to wait, and counts what reaches it. */
class SlowIndex extends ScanIndex {
  applied = 0
  rows = 0
  resets = 0
  #gate: Promise<void> = Promise.resolve()

  /** Nothing goes in until what this returns is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gate = promise
    return resolve
  }

  override async apply(change: Parameters<SearchIndex['apply']>[0]): Promise<void> {
    await this.#gate
    this.applied += change.entries.length
    this.rows += change.entries.filter(isRow).length
    await super.apply(change)
  }

  override async reset(epoch: string): Promise<void> {
    this.resets++
    await super.reset(epoch)
  }
}

async function start(
  replica: Replica,
  index: SearchIndex,
  options: { queueRecords?: number; batchRecords?: number } = {},
) {
  const environment = manualEnvironment()
  const indexer = await Indexer.open({ replica, index, environment, ...options })
  return { indexer, clock: environment.clock }
}

/** By a manual clock no time passes, so this waits as long as it takes. */
async function caughtUp(indexer: Indexer, replica: Replica): Promise<void> {
  expect(await indexer.waitFor(replica.counts().seq, 1)).toBe(true)
  expect(indexer.behind).toBe(0)
}

async function found(indexer: Indexer, query: Partial<SearchQuery> = {}): Promise<string[]> {
  const answer = (await indexer.search({ limit: 1_000, ...query })) as SearchResult
  return answer.items.map(({ id }) => id).sort()
}

/** Live records of the replica, by id. */
async function live(replica: Replica): Promise<string[]> {
  return (await replica.list({ limit: 1_000, live: true })).map(({ record }) => record).sort()
}

test('what is written can be found, what changes is found as it is now, what is deleted is not', async () => {
  const { replica } = await openReplica()
  await using index = new ScanIndex()
  const { indexer } = await start(replica, index)
  await using _ = indexer
  const [first, second] = geneses(0, 2) as [Op, Op]
  await admit(replica, [first, second])
  await caughtUp(indexer, replica)
  expect(await found(indexer, { query: 'name' })).toEqual([first.header.record, second.header.record].sort())
  await admit(replica, [alice.set(first.header.record, [first.id], 'Other words')])
  await admit(replica, [alice.delete(second.header.record, [second.id])])
  await caughtUp(indexer, replica)
  expect(await found(indexer, { query: 'words' })).toEqual([first.header.record])
  expect(await found(indexer)).toEqual([first.header.record])
})

test('goes on where the index stands, reading only what it missed', async () => {
  const { replica } = await openReplica()
  await using index = new SlowIndex()
  {
    await using indexer = (await start(replica, index)).indexer
    await admit(replica, geneses(0, 20))
    await caughtUp(indexer, replica)
  }
  await admit(replica, geneses(20, 25))
  index.applied = 0
  await using indexer = (await start(replica, index)).indexer
  await caughtUp(indexer, replica)
  expect([index.applied, index.resets]).toEqual([5, 1])
  expect(await found(indexer)).toEqual(await live(replica))
})

test.each<[string, (index: ScanIndex, replica: Replica) => Promise<void>]>([
  ['of another log', async (index) => index.reset('another epoch')],
  [
    'that is ahead of the log',
    async (index, replica) => index.reset(replica.epoch).then(() => index.apply({ seq: 99, entries: [], removed: [] })),
  ],
  ['that was never filled to the end', async (index, replica) => index.reset(replica.epoch)],
])('an index %s is filled anew, without what it held', async (_name, prepare) => {
  const { replica } = await openReplica()
  await admit(replica, geneses(0, 10))
  await using index = new SlowIndex()
  await prepare(index, replica)
  await index.apply({ seq: index.seq, entries: [entry('model', 'a stranger')], removed: [] })
  await using indexer = (await start(replica, index)).indexer
  expect(await found(indexer)).toEqual(await live(replica))
})

test('what is written while an index is being filled is not lost, and writing does not wait', async () => {
  const { replica } = await openReplica()
  await admit(replica, geneses(0, 10))
  await using index = new SlowIndex()
  const release = index.hold()
  await using indexer = (await start(replica, index)).indexer
  const [changed] = geneses(0, 1) as [Op]
  await admit(replica, [...geneses(10, 15), alice.delete(changed.header.record, [changed.id])])
  expect(indexer.seq).toBe(0)
  expect(indexer.behind).toBe(16)
  release()
  await caughtUp(indexer, replica)
  expect(await found(indexer)).toEqual(await live(replica))
  expect(await found(indexer)).not.toContain(changed.header.record)
})

test('an index that is behind by a bulk from peers, or has been for as long as a search waits, is not waited for', async () => {
  const { replica } = await openReplica()
  await using index = new SlowIndex()
  const { indexer, clock } = await start(replica, index)
  await using _ = indexer
  const later = (ms: number) => clock.advance(ms)
  let release = index.hold()
  await admit(replica, geneses(0, indexBulkRecords))
  await later(searchWaitMsMax - 1)
  expect(indexer.isOutrun).toBe(false)
  await later(1)
  expect(indexer.isOutrun).toBe(true)
  release()
  await caughtUp(indexer, replica)
  expect(indexer.isOutrun).toBe(false)
  release = index.hold()
  await admit(replica, geneses(40, 41))
  await later(2 * searchWaitMsMax)
  expect([indexer.behind, indexer.isOutrun]).toEqual([1, false])
  release()
  await caughtUp(indexer, replica)
  release = index.hold()
  await admit(replica, geneses(50, 50 + indexBulkRecords), { via: 'sync', peer: 'a peer' })
  expect(indexer.isOutrun).toBe(true)
  await admit(replica, geneses(90, 91))
  expect(indexer.isOutrun).toBe(false)
  release()
})

test('while an index is being filled, searches wait a second and are then told so', async () => {
  const { replica } = await openReplica()
  await admit(replica, geneses(0, 3))
  await using index = new SlowIndex()
  const release = index.hold()
  const { indexer, clock } = await start(replica, index)
  await using _ = indexer
  const told: unknown[] = []
  indexer.search({ limit: 1 }).catch((error) => told.push(error))
  await clock.runUntil(() => told.length > 0, searchWaitMsMax)
  expect(told).toMatchObject([{ code: 'search-unavailable' }])
  const patient = found(indexer)
  release()
  expect(await patient).toEqual(await live(replica))
})

test('more changes than may wait are read back from the replica', async () => {
  const { replica } = await openReplica()
  await using index = new SlowIndex()
  await using indexer = (await start(replica, index, { queueRecords: 5 })).indexer
  await admit(replica, geneses(0, 1))
  await caughtUp(indexer, replica)
  const changes = vi.spyOn(replica, 'changes')
  const release = index.hold()
  for (let i = 1; i < 40; i++) await admit(replica, geneses(i, i + 1))
  release()
  await caughtUp(indexer, replica)
  expect(await found(indexer)).toEqual(await live(replica))
  expect(index.resets).toBe(1)
  expect(changes).toHaveBeenCalled()
})

test('a bulk goes before the index: to its end, for a while, or until somebody searches', async () => {
  const { replica } = await openReplica()
  await using index = new SlowIndex()
  const { indexer, clock } = await start(replica, index)
  await using _ = indexer
  await admit(replica, geneses(0, 1))
  await caughtUp(indexer, replica)
  const step = async () => {
    await admit(replica, geneses(replica.counts().ops, replica.counts().ops + indexBulkRecords))
    await idle()
  }
  await step()
  expect(index.applied).toBe(1)
  await clock.advance(indexLullMs)
  expect(index.applied, 'nothing more came').toBe(1 + indexBulkRecords)

  await step()
  await caughtUp(indexer, replica)
  expect(index.applied, 'somebody waited').toBe(1 + 2 * indexBulkRecords)

  await clock.advance(indexLullMs)
  await step()
  await found(indexer)
  await step()
  expect(index.applied, 'somebody searched').toBe(1 + 4 * indexBulkRecords)

  await clock.advance(indexLullMs)
  const began = clock.monotonic()
  for (await step(); index.applied === 1 + 4 * indexBulkRecords; await step()) await clock.advance(indexLullMs / 2)
  expect(clock.monotonic() - began, 'it went on and on').toBeGreaterThanOrEqual(indexHoldMs)
  const [applied, since] = [index.applied, clock.monotonic()]
  for (await step(); index.applied === applied; await step()) await clock.advance(indexLullMs / 2)
  expect(clock.monotonic() - since, 'and was not waited for again').toBeLessThan(indexHoldMs / 2)
  await caughtUp(indexer, replica)
  expect(await found(indexer)).toEqual(await live(replica))
})

test('a bulk goes to the index as its rows; what changes or is hidden while it waits is seen', async () => {
  const { replica } = await openReplica()
  await using index = new SlowIndex()
  await using indexer = (await start(replica, index)).indexer
  await admit(replica, geneses(0, 1))
  await caughtUp(indexer, replica)
  const ops = geneses(1, 4 * indexBulkRecords)
  const read = vi.spyOn(replica, 'recordsOrBroken')
  await admit(replica, ops)
  await caughtUp(indexer, replica)
  expect(read).not.toHaveBeenCalled()
  expect(index.rows).toBe(ops.length)
  expect(await found(indexer, { query: 'name' })).toEqual(await live(replica))

  const release = index.hold()
  const deleted = ops[0]!
  const hidden = ops[indexBulkRecords]!
  const change = (some: readonly Op[], name: string) =>
    admit(
      replica,
      some.map((op) => alice.set(op.header.record, [op.id], name)),
    )
  await change(ops.slice(0, indexBulkRecords), 'Held')
  const held = indexer.waitFor(replica.counts().seq, 1)
  await idle()
  await change(ops.slice(indexBulkRecords, 2 * indexBulkRecords), 'Waiting')
  await admit(replica, [alice.delete(deleted.header.record, [deleted.id])])
  await replica.block(blockTarget(hidden.header.record)!)
  release()
  expect(await held).toBe(true)
  await caughtUp(indexer, replica)
  await vi.waitFor(async () => expect(await found(indexer)).toEqual(await live(replica)))
  expect(await found(indexer)).not.toContain(hidden.header.record)
  for (const text of ['held', 'waiting', 'name']) {
    const hits = await Promise.all((await found(indexer, { query: text })).map((id) => replica.record(id)))
    expect(new Set(hits.map((merged) => String(merged?.doc['name']).toLowerCase().split(' ')[0]))).toEqual(
      new Set([text]),
    )
  }
})

test('waiting for an arrival ends when it is reached, or when the time is up', async () => {
  const { replica } = await openReplica()
  await using index = new SlowIndex()
  const { indexer, clock } = await start(replica, index)
  await using _ = indexer
  await admit(replica, geneses(0, 1))
  await caughtUp(indexer, replica)
  const release = index.hold()
  await admit(replica, geneses(1, 3))
  let answers: boolean[] = []
  void indexer.waitFor(3, 1_000).then((reached) => answers.push(reached))
  await clock.runUntil(() => answers.length > 0, 2_000)
  expect(answers).toEqual([false])
  answers = []
  const reached = indexer.waitFor(3, 1_000)
  release()
  expect(await reached).toBe(true)
  expect(await indexer.waitFor(2, 0)).toBe(true)
})

test('an index that the disk refuses is tried again and again, with pauses', async () => {
  const { replica } = await openReplica()
  await admit(replica, geneses(0, 3))
  let refusals = 3
  class RefusedIndex extends SlowIndex {
    override async reset(epoch: string): Promise<void> {
      if (refusals-- > 0) throw new NodeError('search-unavailable', 'the disk is full')
      await super.reset(epoch)
    }
  }
  await using index = new RefusedIndex()
  const { indexer, clock } = await start(replica, index)
  await using _ = indexer
  const before = clock.now()
  await clock.runUntil(() => refusals < 0, 3 * indexRetryMs)
  // At once after the first refusal, then with a pause after each.
  expect(clock.now() - before).toBe(2 * indexRetryMs)
  await caughtUp(indexer, replica)
  expect(await found(indexer)).toEqual(await live(replica))
})

test('an index that is lost in use is filled anew by itself', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-indexer-'))
  try {
    const { replica } = await openReplica()
    await admit(replica, geneses(0, 30))
    const path = join(folder, 'search')
    await using index = await SegmentIndex.open(path, { keptRecords: 1 })
    await using indexer = (await start(replica, index)).indexer
    expect(await found(indexer, { query: 'name' })).toEqual(await live(replica))
    await vi.waitFor(() => access(join(path, 'manifest')))
    for (const file of await readdir(path)) if (file.startsWith('segment-')) await truncate(join(path, file), 0)
    const lost = Promise.withResolvers<void>()
    index.onLost(() => lost.resolve())
    await expect(indexer.search({ limit: 1, query: 'name' })).rejects.toMatchObject({ code: 'search-unavailable' })
    await lost.promise
    await admit(replica, geneses(30, 32))
    expect(await indexer.waitFor(32, 1)).toBe(true)
    expect(await found(indexer, { query: 'name' })).toEqual(await live(replica))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('leaves out the fields that do not fit their table, and keeps the others', async () => {
  const { replica } = await openReplica()
  const [genesis] = geneses(0, 1) as [Op]
  await admit(replica, [genesis])
  const merged = await replica.record(genesis.header.record)
  if (!merged) throw new Error('expected the record')
  const doc = {
    name: 'odd',
    downloads: 'many',
    license: 'mit',
    resource_requirements: { min_vram_gb: 'some', min_vcpus: 2 },
  }
  expect(entryOf({ ...merged, doc }).doc).toEqual({
    name: 'odd',
    license: 'mit',
    resource_requirements: { min_vcpus: 2 },
  })
})

test('after any writes, losses and restarts the index says what the replica says', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('change' as const, 'delete' as const), at: fc.nat(30) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('restart' as const, 'forget' as const, 'hold' as const, 'wait' as const),
      }),
    },
  )
  await seeded(({ seed }) =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const { replica } = await openReplica()
        const index = new SlowIndex()
        let release = () => {}
        const small = { queueRecords: 8, batchRecords: 3 }
        let { indexer } = await start(replica, index, small)
        let created = 0
        for (const each of steps) {
          if (each.do === 'create') {
            await admit(replica, geneses(created, created + each.count))
            created += each.count
          } else if (each.do === 'change' || each.do === 'delete') {
            const merged = (await replica.list({ limit: 100, live: true }))[each.at]
            if (!merged) continue
            const op =
              each.do === 'delete'
                ? alice.delete(merged.record, merged.heads)
                : alice.set(merged.record, merged.heads, `Changed ${each.at}`)
            await admit(replica, [op])
          } else if (each.do === 'hold') {
            release()
            release = index.hold()
          } else {
            release()
            if (each.do === 'wait') await caughtUp(indexer, replica)
            if (each.do === 'wait') continue
            await indexer[Symbol.asyncDispose]()
            if (each.do === 'forget') await index.reset('nothing')
            indexer = (await start(replica, index, small)).indexer
          }
        }
        release()
        await caughtUp(indexer, replica)
        expect(await found(indexer)).toEqual(await live(replica))
        const names = (await replica.list({ limit: 100, live: true })).map(({ doc }) => doc['name'])
        for (const name of new Set(names)) {
          const hits = await found(indexer, { filters: { name: name as string } })
          expect(hits.length).toBe(names.filter((each) => each === name).length)
        }
        await indexer[Symbol.asyncDispose]()
      }),
      { seed, numRuns: 30 },
    ),
  )
})

test('of many, a record that nobody has looked into is read by the index’s thread, into the same entry', () => {
  const op = alice.genesis('acme/tiny', 'Tiny')
  const looked = merge([op], nativeSuite.sha256)
  const entry = entryOf(begin(op, nativeSuite.sha256)!, true)
  const sent = structuredClone(sentOf(Array(indexBulkRecords).fill(entry)))
  expect(sent[0]).toEqual({ row: expect.any(Uint8Array), isOwn: true })
  expect(receivedOf(sent[0] as IndexRow)).toEqual(entryOf(looked, true))
  // A few are looked into here. Another index takes the entry as it is.
  expect(sentOf([entry])).toEqual([entryOf(looked, true)])
  expect(entry.doc).toEqual(entryOf(looked, true).doc)
})
