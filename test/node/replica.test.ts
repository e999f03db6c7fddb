/** One replica: local writes, what is acknowledged, and what survives. One suite over both disks, and faults on one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Body, encodeBody, encodeVerbs, networkId, openFrame, type Value, type Verb } from '../../crdt/index.ts'
import type { Disk } from '../../node/disk.ts'
import { LevelDisk } from '../../node/disk-level.ts'
import { MemoryDisk } from '../../node/disk-memory.ts'
import { FileJournal } from '../../node/journal.ts'
import { nativeSuite, zstdCodec } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import type { Appended, Intent, LocalWrite } from '../../node/replica-types.ts'
import { FORMAT, frameKey, isGoneFrame, metaKey, metaRow, sealed, unsealed } from '../../node/rows.ts'
import { checkReplica } from '../support/check-replica.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { idle, manualEnvironment } from '../support/manual-clock.ts'
import { MemoryJournal } from '../support/memory-journal.ts'
import { CountingChecker, openReplica } from '../support/open-replica.ts'
import { named, net, publisher } from '../support/publisher.ts'

const me = publisher(9)
const sync = (peer: string) => ({ via: 'sync', peer }) as const

function writing(slug: string, decide: LocalWrite['decide'], owner = me): LocalWrite {
  return { record: owner.recordOf(slug), kind: owner.kind, slug, decide }
}
const genesis = (body: Body): Intent => ({ do: 'genesis', body: encodeBody(body) })
const patch = (verbs: readonly Verb[]): Intent => ({ do: 'patch', body: encodeVerbs(verbs) })
const deletion: Intent = { do: 'delete', body: new Uint8Array(0) }
const creating = (slug: string, body: Body = named(slug, slug)) => writing(slug, () => genesis(body))
const setting = (slug: string, key: string, value: Value) => writing(slug, () => patch([['set', [key], value]]))

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})
const kinds: [name: string, make: () => Promise<() => Promise<Disk>>][] = [
  [
    'level',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'peerage-replica-'))
      folders.push(folder)
      return () => LevelDisk.open(join(folder, 'store'))
    },
  ],
  [
    'memory',
    async () => {
      const disk = new MemoryDisk()
      return async () => disk
    },
  ],
]

describe.each(kinds)('on %s', (_, make) => {
  test('writes, reads back, and is the same after it was opened again', async () => {
    const open = await make()
    const p = publisher(1)
    let before: unknown[]
    {
      await using disk = await open()
      const { replica } = await openReplica({ disk, signer: me.signer, codec: zstdCodec })
      const genesis = p.genesis('theirs')
      await replica.admit(p.bytes([genesis, p.set(p.recordOf('theirs'), [genesis.id], 'changed')]), sync('a'))
      await replica.write([creating('a'), creating('b', named('x'.repeat(5_000), 'b')), setting('a', 'size', 3)])
      await replica.write([writing('b', () => deletion), setting('a', 'size', 4)])
      await replica.setNote('cursor', Uint8Array.of(1, 2, 3))
      await checkReplica(replica)
      before = [replica.counts(), replica.root(), await replica.stateHash(), replica.epoch]
      await replica[Symbol.asyncDispose]()
    }
    await using disk = await open()
    const { replica, logged } = await openReplica({ disk, signer: me.signer, codec: zstdCodec })
    expect([replica.counts(), replica.root(), await replica.stateHash(), replica.epoch]).toEqual(before)
    expect(replica.counts()).toMatchObject({ ops: 7, seq: 7, records: { thing: 2 } })
    expect(replica.health()).toMatchObject({
      set: 'good',
      damagedFrames: 0,
      damagedOps: 0,
      forkedRecords: 0,
      waitingFrames: 0,
    })
    expect([...(await replica.note('cursor'))!]).toEqual([1, 2, 3])
    await replica.setNote('cursor', undefined)
    expect(await replica.note('cursor')).toBeUndefined()
    expect(await replica.record(me.recordOf('a'))).toMatchObject({ doc: { size: 4 }, live: true, opCount: 3 })
    expect(logged).toEqual([])
    await checkReplica(replica)
    await replica[Symbol.asyncDispose]()
  })

  test('goes on after it was not closed', async () => {
    const open = await make()
    const p = publisher(1)
    {
      await using disk = await open()
      const { replica } = await openReplica({ disk, signer: me.signer })
      await replica.write([creating('a')])
      await replica.admit(p.bytes([p.genesis('b')]), sync('a'))
    }
    await using disk = await open()
    const { replica, logged } = await openReplica({ disk, signer: me.signer })
    expect(logged).toEqual([])
    expect(replica.counts().ops).toBe(2)
    await replica.write([setting('a', 'size', 1)])
    await checkReplica(replica)
  })

  test('reads and takes ops before the set is loaded', async () => {
    const open = await make()
    const p = publisher(1)
    const ops = Array.from({ length: 50 }, (_, i) => p.genesis(`s${i}`))
    {
      await using disk = await open()
      const { replica } = await openReplica({ disk })
      await replica.admit(p.bytes(ops), sync('a'))
      await replica[Symbol.asyncDispose]()
    }
    await using disk = await open()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    // The scan that loads the set waits; all else goes through.
    const slow: Disk = {
      get: (key) => disk.get(key),
      getMany: (keys) => disk.getMany(keys),
      batch: (changes, options) => disk.batch(changes, options),
      keys: (range) => disk.keys(range),
      async *entries(range) {
        if (range.gte?.[0] === 0x6f) await held
        yield* disk.entries(range)
      },
      async [Symbol.asyncDispose]() {},
    }
    const replica = await Replica.open({
      disk: slow,
      environment: manualEnvironment(),
      suite: nativeSuite,
      checker: new CountingChecker(),
      net,
    })
    expect(() => replica.root()).toThrow(expect.objectContaining({ code: 'busy' }))
    expect(await replica.has([ops[0]!.id, 'ab'.repeat(32)])).toEqual([true, false])
    const more = p.set(p.recordOf('s0'), [ops[0]!.id], 'more')
    const admitted = await replica.admit(p.bytes([ops[1]!, more]), sync('a'))
    expect(admitted.results.map(({ verdict }) => verdict)).toEqual(['duplicate', 'applied'])
    release()
    await replica.ready
    expect(replica.health().set).toBe('good')
    expect(replica.counts().ops).toBe(51)
    await checkReplica(replica)
  })
})

describe('local writes', () => {
  test('those that wait while the disk is busy go in one synced batch, in order', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    await replica.write([creating('a')])
    disk.batches = []
    let release = () => {}
    disk.gate = new Promise((resolve) => {
      release = resolve
    })
    const first = replica.write([creating('b')])
    await idle()
    const waiting = Array.from({ length: 50 }, (_, i) => replica.write([setting('a', 'n', i)]))
    await idle()
    release()
    const outcomes = await Promise.all([first, ...waiting])
    expect(disk.batches.map(({ sync }) => sync)).toEqual([true, true])
    expect(outcomes.every(([outcome]) => outcome!.outcome === 'written')).toBe(true)
    expect(await replica.record(me.recordOf('a'))).toMatchObject({ doc: { n: 49 }, opCount: 51, line: true })
    await checkReplica(replica)
  })

  test('a write decides on the writes before it', async () => {
    const { replica } = await openReplica({ signer: me.signer })
    const counting: LocalWrite['decide'] = (before) =>
      before === undefined
        ? genesis({ slug: 'n', f: [[['n'], 1]], s: [], t: [] })
        : patch([['set', ['n'], (before.doc['n'] as number) + 1]])
    const outcomes = await replica.write(Array.from({ length: 300 }, () => writing('n', counting)))
    expect(outcomes.map((outcome) => (outcome.outcome === 'written' ? outcome.after.doc['n'] : outcome))).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1),
    )
    expect(outcomes[1]).toMatchObject({ outcome: 'written', before: { doc: { n: 1 } } })
    await checkReplica(replica)
  })

  test('nothing to do and refusals cost no op', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    await replica.write([creating('a')])
    disk.batches = []
    const outcomes = await replica.write([
      writing('a', () => ({ do: 'nothing' })),
      writing('a', () => ({ do: 'refuse', problem: 'no' })),
      writing('none', () => ({ do: 'nothing' })),
    ])
    expect(outcomes).toMatchObject([
      { outcome: 'unchanged', after: { opCount: 1 } },
      { outcome: 'refused', problem: 'no', before: { opCount: 1 } },
      { outcome: 'unchanged', after: undefined },
    ])
    expect(disk.batches).toEqual([])
    expect(replica.counts().seq).toBe(1)
  })

  test('a write that cannot be made rejects its call, and no other write', async () => {
    const { replica } = await openReplica({ signer: me.signer })
    const bad: [string, (before: unknown) => Intent][] = [
      [
        'throws',
        () => {
          throw new TypeError('a bug of the caller')
        },
      ],
      ['too large', () => genesis(named('x'.repeat(300_000), 'too large'))],
      ['no genesis', () => deletion],
      ['another slug', () => genesis(named('x', 'x'))],
    ]
    const slugs = { 'another slug': 'x' } as Record<string, string>
    const calls = bad.map(([slug, decide]) =>
      replica.write([
        creating(`before ${slug}`),
        { ...writing(slug, decide), slug: slugs[slug] ?? slug },
        creating(`after ${slug}`),
      ]),
    )
    const good = replica.write([creating('good')])
    const settled = await Promise.allSettled([...calls, good])
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(replica.counts().records).toEqual({ thing: 9 })
    await checkReplica(replica)
  })

  test('a key that cannot sign fails the writes, and not the strangers’ ops that came with them', async () => {
    const p = publisher(1)
    const sign = () => {
      throw new Error('the key is gone')
    }
    const { replica, disk } = await openReplica({ signer: { key: me.signer.key, sign } })
    let release = () => {}
    disk.gate = new Promise((resolve) => {
      release = resolve
    })
    const first = replica.admit(p.bytes([p.genesis('a')]), sync('a'))
    await idle()
    // These wait together, and go as one group.
    const calls = [replica.write([creating('a')]), replica.admit(p.bytes([p.genesis('b')]), sync('a')), first]
    await idle()
    release()
    const settled = await Promise.allSettled(calls)
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(replica.counts().ops).toBe(2)
    await checkReplica(replica)
  })

  test('a record of another owner is not written', async () => {
    const { replica } = await openReplica({ signer: me.signer })
    const p = publisher(1)
    await replica.admit(p.bytes([p.genesis('a')]), sync('a'))
    expect(await replica.write([writing('a', () => deletion, p)])).toMatchObject([{ outcome: 'not-authorised' }])
    expect(replica.counts().ops).toBe(1)
  })

  test('a write builds on every head, also when they are more than an op can name', async () => {
    const { replica } = await openReplica({ signer: me.signer })
    const genesis = me.genesis('a')
    const record = me.recordOf('a')
    const branches = Array.from({ length: 300 }, (_, i) => me.patch(record, [genesis.id], [['set', [`k${i}`], i]]))
    await replica.admit(me.bytes([genesis, ...branches]), sync('a'))
    expect((await replica.record(record))!.heads.length).toBe(300)
    const [outcome] = await replica.write([setting('a', 'joined', true)])
    expect(outcome).toMatchObject({ outcome: 'written', after: { heads: [(outcome as { op: string }).op] } })
    expect(Object.keys((await replica.record(record))!.doc).length).toBe(302)
    await checkReplica(replica)
  })

  test('what no peer would ask a replica of some kinds for is not written', async () => {
    const { replica } = await openReplica({ signer: me.signer, sets: [`kind:other-than-${me.kind}`] })
    expect(await replica.write([creating('a')])).toEqual([{ outcome: 'outside', before: undefined }])
    expect(replica.counts().ops).toBe(0)
  })

  test('a delete and a put on top of it count as one live record less and one more', async () => {
    const { replica } = await openReplica({ signer: me.signer })
    await replica.write([creating('a'), creating('b')])
    await replica.write([writing('a', () => deletion)])
    expect(replica.counts().records).toEqual({ thing: 1 })
    expect(await replica.list({ kind: 'thing', limit: 10, live: true })).toHaveLength(1)
    expect(await replica.list({ kind: 'thing', limit: 10 })).toHaveLength(2)
    await replica.write([writing('a', () => ({ do: 'put', body: encodeBody(named('again')) }))])
    expect(replica.counts().records).toEqual({ thing: 2 })
    await checkReplica(replica)
  })

  test('without a signer there are none', async () => {
    const { replica } = await openReplica()
    await expect(replica.write([creating('a')])).rejects.toThrow(TypeError)
  })

  test('a closed replica takes nothing more, and finishes what it took', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    const waiting = replica.write([creating('a')])
    await idle()
    await Promise.all([replica[Symbol.asyncDispose](), waiting])
    await expect(replica.write([creating('b')])).rejects.toMatchObject({ code: 'closed' })
    const { replica: again } = await openReplica({ disk })
    expect(again.counts().ops).toBe(1)
    expect(again.health().set).toBe('good')
  })
})

describe('subscribers', () => {
  test('hear everything once, in order, after it is on disk, though one of them throws', async () => {
    const { replica, logged } = await openReplica({ signer: me.signer })
    const heard: Appended[] = []
    replica.onAppended(() => {
      throw new Error('a bug of the subscriber')
    })
    const stop = replica.onAppended((appended) => heard.push(appended))
    const p = publisher(1)
    const [one, two] = [p.genesis('one'), p.genesis('two')]
    await Promise.all([
      replica.write([creating('a')]),
      replica.admit(p.bytes([one]), sync('peer')),
      replica.admit(p.bytes([two]), sync('other')),
    ])
    stop()
    await replica.write([creating('b')])
    const ranges = heard.map(({ first, last }) => [first, last])
    expect(ranges.flat()).toEqual(ranges.flat().sort())
    expect(
      heard.flatMap(({ frames }) => frames.flatMap(({ frame }) => frame.entries.map(({ op }) => op.id))).length,
    ).toBe(3)
    expect(heard.filter(({ local }) => !local).flatMap(({ frames }) => frames.map(({ origin }) => origin))).toEqual([
      'peer',
      'other',
    ])
    for (const { frames, records } of heard) {
      const touched = frames.flatMap(({ frame }) => frame.entries.map(({ op }) => op.header.record))
      expect(records.map(({ merged }) => merged.record).sort()).toEqual([...new Set(touched)].sort())
    }
    expect(logged.map(({ message }) => message)).toContain('a subscriber to appended ops failed')
  })
})

describe('reads', () => {
  async function filled() {
    const opened = await openReplica({ signer: me.signer })
    const p = publisher(1)
    const genesis = p.genesis('a', 'a', 1_000)
    const record = p.recordOf('a')
    const left = p.set(record, [genesis.id], 'left', 3_000)
    const right = p.set(record, [genesis.id], 'right', 2_000)
    const joined = p.set(record, [left.id, right.id].sort(), 'joined', 1_500)
    await opened.replica.admit(p.bytes([genesis, left]), sync('x'))
    await opened.replica.admit(p.bytes([right, joined]), sync('y'))
    return { ...opened, p, record, ops: { genesis, left, right, joined } }
  }

  test('history goes from the newest to the oldest, children first, page by page', async () => {
    const { replica, record, ops } = await filled()
    const wanted = [ops.joined, ops.left, ops.right, ops.genesis].map(({ id }) => id)
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await replica.history(record, { limit: 1, after })
      seen.push(...page.items.map(({ id }) => id))
      after = page.next
    } while (after !== undefined)
    expect(seen).toEqual(wanted)
    expect((await replica.history(record, { limit: 10 })).items.map(({ id }) => id)).toEqual(wanted)
    expect(await replica.history('ab'.repeat(32), { limit: 10 })).toEqual({ items: [] })
  })

  test('changes and log start anywhere, and log leaves out what came from the asker', async () => {
    const { replica, ops } = await filled()
    expect((await replica.changes(1, 2)).map(({ seq, op, type }) => [seq, op, type])).toEqual([
      [2, ops.left.id, 'patch'],
      [3, ops.right.id, 'patch'],
    ])
    const from = async (since: number, notFrom?: string) =>
      (await Array.fromAsync(replica.log(since, { notFrom }))).map(({ seq, ids }) => [seq, ids])
    expect(await from(1)).toEqual([
      [2, [ops.left.id]],
      [4, [ops.right.id, ops.joined.id]],
    ])
    expect(await from(0, 'x')).toEqual([[4, [ops.right.id, ops.joined.id]]])
    expect(await from(0, 'y')).toEqual([[2, [ops.genesis.id, ops.left.id]]])
    expect(await from(4)).toEqual([])
    expect(await from(99)).toEqual([])
  })

  test('frames carry exactly what was asked for, up to the bound, and name the rest', async () => {
    const { replica, ops } = await filled()
    const ids = [ops.joined.id, ops.genesis.id, 'ab'.repeat(32)]
    const all = await replica.frames(ids)
    expect(all.left).toEqual([])
    const { replica: other } = await openReplica()
    const admitted = await other.admit(all.frames, sync('z'))
    expect(admitted.results.map(({ op }) => op).sort()).toEqual(ids.slice(0, 2).sort())
    expect(admitted.refusedFrames).toEqual([])
    const bounded = await replica.frames(ids, 10)
    expect(bounded.frames.length).toBe(1)
    expect(bounded.left.length).toBe(1)
    expect((await replica.op(ops.left.id))?.header).toEqual(ops.left.header)
    expect(await replica.op('ab'.repeat(32))).toBeUndefined()
  })

  test('lists records by id, of one kind or all, from any of them', async () => {
    const { replica } = await openReplica({ signer: me.signer })
    const other = publisher(9, { kind: 'other' })
    await replica.write([...Array.from({ length: 150 }, (_, i) => creating(`s${i}`))])
    await replica.write([{ ...creating('o'), record: other.recordOf('o'), kind: 'other' }])
    const ids = async (options: Parameters<typeof replica.list>[0]) =>
      (await replica.list(options)).map(({ record }) => record)
    const all = await ids({ limit: 1_000 })
    expect(all).toEqual(all.toSorted())
    expect(all.length).toBe(151)
    const things = await ids({ kind: 'thing', limit: 1_000 })
    expect(things).toEqual(all.filter((id) => id !== other.recordOf('o')))
    expect(await ids({ kind: 'thing', after: things[99], limit: 7 })).toEqual(things.slice(100, 107))
    expect(await ids({ after: all[99], limit: 7 })).toEqual(all.slice(100, 107))
    expect(await ids({ kind: 'thin', limit: 7 })).toEqual([])
    expect(await ids({ limit: 0 })).toEqual([])
  })
})

describe('a failing disk', () => {
  test.each(['EIO', 'ENOSPC'] as const)(
    '%s, nothing written: the write fails, nothing of it shows, later ones work',
    async (code) => {
      const journal = new MemoryJournal()
      const { replica, disk } = await openReplica({ signer: me.signer, journal })
      await replica.write([creating('a')])
      const before = [replica.counts(), replica.root(), await replica.stateHash()]
      const heard: Appended[] = []
      replica.onAppended((appended) => heard.push(appended))
      disk.fail(code, { written: false })
      await expect(replica.write([creating('b'), setting('a', 'x', 1)])).rejects.toMatchObject({ code: 'store-failed' })
      expect([replica.counts(), replica.root(), await replica.stateHash()]).toEqual(before)
      expect(heard).toEqual([])
      // Other ops than those that failed, which are in the journal and never in the store.
      await replica.write([creating('c'), setting('a', 'x', 2)])
      expect(replica.counts().ops).toBe(3)
      await checkReplica(replica)
      const { replica: again } = await openReplica({ disk, signer: me.signer, journal })
      expect(again.health().forkedRecords).toBe(0)
      await checkReplica(again)
    },
  )

  test('a journal that could not be marked is marked later, and a group that fails meanwhile takes nothing from it', async () => {
    const journal = new MemoryJournal()
    const { replica, disk, clock } = await openReplica({ signer: me.signer, journal })
    journal.failingMarks = true
    await replica.write([creating('a')])
    expect(journal.list.map(({ settled }) => settled)).toEqual([false])
    journal.failingMarks = false
    await clock.runUntil(() => journal.list.every(({ settled }) => settled), 60_000)

    journal.failingMarks = true
    await replica.write([creating('b')])
    disk.fail('EIO', { written: false })
    await expect(replica.write([creating('c')])).rejects.toMatchObject({ code: 'store-failed' })
    journal.failingMarks = false
    await replica.write([creating('d')])
    const own = (await replica.list({ limit: 10 })).flatMap(({ heads }) => heads)
    expect(own.length).toBe(3)
    expect(new Set(journal.list.filter(({ settled }) => settled).map(({ op }) => op))).toEqual(new Set(own))
  })

  test('failed but written: after a restart the set is whole and can be written', async () => {
    const journal = new MemoryJournal()
    const { replica, disk } = await openReplica({ signer: me.signer, journal })
    await replica.write([creating('a')])
    disk.fail('EIO', { written: true })
    await expect(replica.write([creating('b')])).rejects.toMatchObject({ code: 'store-failed' })
    const { replica: again } = await openReplica({ disk, signer: me.signer, journal })
    expect(again.health()).toMatchObject({ set: 'good', forkedRecords: 0 })
    expect(again.counts().ops).toBe(2)
    await again.write([setting('b', 'x', 1), setting('a', 'x', 1)])
    await checkReplica(again)
  })

  test('strangers’ ops that could not be stored can be sent again, and those that waited still wait', async () => {
    const { replica, disk } = await openReplica()
    const p = publisher(1)
    const genesis = p.genesis('a')
    const child = p.set(p.recordOf('a'), [genesis.id], 'child')
    await replica.admit(p.bytes([child]), sync('a'))
    disk.fail('EIO', { written: false })
    await expect(replica.admit(p.bytes([genesis]), sync('a'))).rejects.toMatchObject({ code: 'store-failed' })
    expect(replica.pending().ops).toBe(1)
    expect(replica.counts().ops).toBe(0)
    await replica.admit(p.bytes([genesis]), sync('a'))
    expect(replica.counts().ops).toBe(2)
    await checkReplica(replica)
  })

  test('a crash loses no acknowledged write, and of others’ ops only what came last', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    const p = publisher(1)
    await replica.admit(p.bytes([p.genesis('early')]), sync('a'))
    await replica.write([creating('mine')])
    await replica.admit(p.bytes([p.genesis('late')]), sync('a'))
    await replica.admit(p.bytes([p.genesis('latest')]), { via: 'http' }, { sync: true })
    await replica.admit(p.bytes([p.genesis('lost')]), sync('a'))
    disk.crash()
    const { replica: again, logged } = await openReplica({ disk, signer: me.signer })
    expect(logged).toEqual([])
    expect(again.counts().ops).toBe(4)
    await checkReplica(again)
  })
})

describe('a damaged disk', () => {
  async function damagedFrame() {
    const disk = new FaultyDisk()
    const p = publisher(1)
    const ops = [p.genesis('a'), p.genesis('b')]
    ops.push(p.set(p.recordOf('a'), [ops[0]!.id], 'second'))
    const bytes = p.bytes(ops)
    const first = await openReplica({ disk })
    await first.replica.admit(bytes, sync('a'))
    await first.replica[Symbol.asyncDispose]()
    await disk.damage('f', 0, 100)
    const opened = await openReplica({ disk, signer: p.signer })
    return { ...opened, p, ops, bytes }
  }

  test('a damaged frame is not served, counted once, and its ops are taken again from anyone', async () => {
    const { replica, disk, ops, bytes, logged } = await damagedFrame()
    const ids = ops.map(({ id }) => id)
    expect(await replica.frames(ids)).toEqual({ frames: [], left: [] })
    expect(await Array.fromAsync(replica.log(0))).toEqual([])
    await idle()
    expect(replica.health()).toMatchObject({ damagedFrames: 1, damagedOps: 3 })
    expect(logged.filter(({ level }) => level === 'error').length).toBe(1)
    expect(await replica.has(ids)).toEqual([false, false, false])
    expect(replica.damaged(10).toSorted()).toEqual(ids.toSorted())
    expect(replica.damaged(1).length).toBe(1)
    // What the records say is still known.
    expect(await replica.record(ops[0]!.header.record)).toMatchObject({ doc: { name: 'second' } })
    const admitted = await replica.admit(bytes, sync('b'))
    expect(admitted.results.map(({ verdict }) => verdict)).toEqual(['applied', 'applied', 'applied'])
    expect(replica.health()).toMatchObject({ damagedOps: 0 })
    expect(replica.counts()).toMatchObject({ ops: 3, records: { thing: 2 } })
    expect((await replica.frames(ids)).frames.length).toBe(1)
    expect(await replica.has(ids)).toEqual([true, true, true])
    expect((await replica.history(ops[0]!.header.record, { limit: 9 })).items.length).toBe(2)
    // The next who meets the damaged row finds that nothing is lost with it any more.
    const { replica: again } = await openReplica({ disk })
    expect((await Array.fromAsync(again.log(0))).map((item) => item.ids)).toEqual([ids])
    await idle()
    expect(again.health()).toMatchObject({
      set: 'good',
      damagedFrames: 0,
      damagedOps: 0,
      forkedRecords: 0,
      waitingFrames: 0,
    })
    expect(isGoneFrame((await disk.get(frameKey(1)))!)).toBe(true)
  })

  test('no op leaves that is not what its id says, whatever bit of whatever row is flipped', async () => {
    const { disk: good } = await openReplica()
    const { replica } = await openReplica({ disk: good })
    const p = publisher(1)
    const genesis = p.genesis('a')
    const ops = [genesis, p.set(p.recordOf('a'), [genesis.id], 'second'), p.genesis('b')]
    for (const op of ops) await replica.admit(p.bytes([op]), sync('a'))
    await replica[Symbol.asyncDispose]()
    const ids = ops.map(({ id }) => id)
    const rows = await Array.fromAsync(good.entries({}))
    for (const prefix of ['f', 'o']) {
      for (let at = 0; at < (prefix === 'f' ? 400 : 24); at += prefix === 'f' ? 9 : 1) {
        const disk = new FaultyDisk()
        await disk.batch(rows.map(([key, value]) => ({ key, value })))
        await disk.damage(prefix, at % 3, at)
        const { replica: damaged } = await openReplica({ disk })
        const sent = [
          (await damaged.frames(ids)).frames,
          (await Array.fromAsync(damaged.log(0))).map(({ bytes }) => bytes),
        ]
        for (const frames of sent) {
          const read = frames.map((bytes) => openFrame(bytes, net, nativeSuite))
          const left = read.flatMap((frame) => (frame.ok ? frame.frame.entries.map(({ op }) => op.id) : ['bad']))
          expect(left.length, `byte ${at} of a row ${prefix}`).toBeGreaterThanOrEqual(2)
          expect(ids).toEqual(expect.arrayContaining(left))
        }
        for (const id of ids) expect([undefined, id]).toContain((await damaged.op(id))?.id)
      }
    }
  })

  test('an op whose record cannot be merged for damage waits, and its sender is asked for what is damaged', async () => {
    const { replica, p, ops, bytes } = await damagedFrame()
    const branch = p.patch(p.recordOf('a'), [ops[0]!.id], [['set', ['other'], 1]])
    const admitted = await replica.admit(p.bytes([branch]), sync('b'))
    expect(admitted.results.map(({ verdict }) => verdict)).toEqual(['pending'])
    expect(admitted.misbehaved).toBe(false)
    expect(admitted.missing.every((id) => ops.some((op) => op.id === id))).toBe(true)
    expect(admitted.missing.length).toBeGreaterThan(0)
    await replica.admit(bytes, sync('b'))
    expect(replica.pending().ops).toBe(0)
    expect(await replica.record(p.recordOf('a'))).toMatchObject({ opCount: 3, doc: { name: 'second', other: 1 } })
  })

  test('a straight write above a damaged op goes on', async () => {
    const { replica, p } = await damagedFrame()
    const set: readonly Verb[] = [['set', ['x'], 1]]
    await replica.write([writing('a', () => patch(set), p)])
    expect(await replica.record(p.recordOf('a'))).toMatchObject({ opCount: 3, doc: { x: 1 } })
  })

  test('a damaged record is merged again from its ops', async () => {
    const disk = new FaultyDisk()
    const { replica } = await openReplica({ disk, signer: me.signer })
    await replica.write([creating('a'), creating('b'), setting('a', 'x', 1)])
    await replica[Symbol.asyncDispose]()
    await disk.damage('r', 0, 40)
    await disk.damage('r', 1, 40)
    const { replica: again, logged } = await openReplica({ disk, signer: me.signer })
    await checkReplica(again)
    expect(logged.some(({ message }) => message.includes('record on disk is damaged'))).toBe(true)
    await again.write([setting('a', 'y', 2)])
    expect(await again.record(me.recordOf('a'))).toMatchObject({ doc: { x: 1, y: 2 } })
    await checkReplica(again)
  })

  test('ops that went missing under a clean shutdown are noticed at open', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    await replica.write([creating('a'), creating('b')])
    await replica[Symbol.asyncDispose]()
    await disk.batch([{ key: (await disk.keysFrom('o'))[0]! }])
    const { replica: again, logged } = await openReplica({ disk, signer: me.signer })
    expect(again.health().set).toBe('differs')
    expect(logged).toMatchObject([{ level: 'error', facts: { ops: 1, wanted: 2, lost: 1 } }])
  })

  test('an op that was exchanged for another under a clean shutdown is noticed at open', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    await replica.write([creating('a'), creating('b')])
    await replica[Symbol.asyncDispose]()
    const [key] = await disk.keysFrom('o')
    const other = key!.slice()
    other[10]! ^= 1
    await disk.batch([{ key: key! }, { key: other, value: (await disk.get(key!))! }])
    const { replica: again } = await openReplica({ disk, signer: me.signer })
    expect(again.health().set).toBe('differs')
  })

  test('after a crash the count of the last commit is compared', async () => {
    const { replica, disk } = await openReplica({ signer: me.signer })
    await replica.write([creating('a'), creating('b')])
    await disk.batch([{ key: (await disk.keysFrom('o'))[0]! }])
    const { replica: again } = await openReplica({ disk, signer: me.signer })
    expect(again.health().set).toBe('differs')
  })
})

describe('a foreign folder', () => {
  test('of another network is refused', async () => {
    const { disk } = await openReplica()
    await expect(openReplica({ disk, net: networkId('other') })).rejects.toMatchObject({ code: 'wrong-network' })
  })

  test('of a newer format is refused, and of no format at all', async () => {
    const { disk } = await openReplica()
    const meta = { format: FORMAT + 1, net: networkId('test'), epoch: '00' }
    await disk.batch([{ key: metaKey, value: sealed(metaRow(meta), nativeSuite.sha256) }])
    await expect(openReplica({ disk })).rejects.toMatchObject({ code: 'store-format' })
    await disk.damage('m')
    await expect(openReplica({ disk })).rejects.toMatchObject({ code: 'store-corrupt' })
    await disk.batch([{ key: metaKey }])
    await expect(openReplica({ disk })).rejects.toMatchObject({ code: 'store-corrupt' })
  })
})

describe('the signing journal', () => {
  test('holds what was signed before the write is acknowledged, once for a group', async () => {
    const journal = new MemoryJournal()
    const { replica } = await openReplica({ signer: me.signer, journal })
    const outcomes = (await Promise.all([replica.write([creating('a')]), replica.write([creating('b')])])).flat()
    const ops = outcomes.map((outcome) => (outcome as { op: string }).op)
    expect(journal.list.map(({ op, settled }) => [op, settled])).toEqual(ops.map((op) => [op, true]))
    expect(journal.appends).toBe(1)
  })

  test('after the store was set back, its records are not signed until a peer sends what is missing', async () => {
    const journal = new MemoryJournal()
    const backup = new FaultyDisk()
    const { replica, disk } = await openReplica({ signer: me.signer, journal })
    await replica.write([creating('a'), creating('b')])
    for await (const [key, value] of disk.entries({})) await backup.batch([{ key, value }], { sync: true })
    await replica.write([setting('a', 'x', 1)])
    const late = (await Array.fromAsync(replica.log(2))).map(({ bytes }) => bytes)
    const { replica: restored, logged } = await openReplica({ disk: backup, signer: me.signer, journal })
    await expect(restored.write([setting('a', 'x', 2)])).rejects.toMatchObject({ code: 'key-journal' })
    expect(restored.health().forkedRecords).toBe(1)
    expect(logged.some(({ level }) => level === 'error')).toBe(true)
    await restored.write([setting('b', 'x', 2)])
    await restored.admit(late, sync('peer'))
    expect(restored.health().forkedRecords).toBe(0)
    await restored.write([setting('a', 'x', 2)])
    expect((await restored.record(me.recordOf('a')))!.line).toBe(true)
    await checkReplica(restored)
  })

  test.each<[string, (journal: MemoryJournal) => void]>([
    [
      'gone',
      (journal) => {
        journal.list = []
        journal.size = 0
      },
    ],
    [
      'cut',
      (journal) => {
        journal.list.length = 1
        journal.size = 1
      },
    ],
  ])('one that is %s says nothing of what was signed: that is waited for, and written down again', async (_, lose) => {
    const journal = new MemoryJournal()
    const backup = new FaultyDisk()
    const { replica, disk } = await openReplica({ signer: me.signer, journal })
    for (const slug of ['a', 'b', 'c']) await replica.write([creating(slug)])
    for await (const [key, value] of disk.entries({})) await backup.batch([{ key, value }], { sync: true })
    await replica.write([setting('a', 'x', 1)])
    const late = (await Array.fromAsync(replica.log(3))).map(({ bytes }) => bytes)
    lose(journal)
    const { replica: restored, logged } = await openReplica({ disk: backup, signer: me.signer, journal })
    expect(logged).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringMatching(/journal/) }),
    )
    for (const slug of ['a', 'b'])
      await expect(restored.write([setting(slug, 'x', 2)])).rejects.toMatchObject({ code: 'key-journal' })
    await restored.admit(late, sync('peer'))
    restored.metPeer()
    await expect.poll(() => restored.health().restored).toBeUndefined()
    expect(journal.list.length).toBe(4)
    await restored.write([setting('a', 'x', 2)])
    expect((await restored.record(me.recordOf('a')))!.line).toBe(true)
    await restored[Symbol.asyncDispose]()
    const { replica: again } = await openReplica({ disk: backup, signer: me.signer, journal })
    await again.write([setting('a', 'x', 3)])
  })

  test('one that is gone is waited for, too, when the start that found it so could not note it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'peerage-replica-'))
    folders.push(folder)
    const path = join(folder, 'journal')
    const disk = new FaultyDisk()
    const starting = async (check: (opened: ReturnType<typeof openReplica>) => Promise<unknown>) => {
      await using journal = await FileJournal.open(path)
      await check(openReplica({ disk, signer: me.signer, journal }))
    }
    // Only just made, and no write was noted with it but the first.
    await starting(async (opened) => (await opened).replica.write([creating('a')]))
    await rm(path)
    disk.fail('EIO', { written: false, times: Number.POSITIVE_INFINITY })
    await starting((opened) => expect(opened).rejects.toMatchObject({ code: 'store-failed' }))
    disk.fail('EIO', { written: false, times: 0 })
    await starting(async (opened) => {
      const { replica } = await opened
      await expect(replica.write([setting('a', 'x', 1)])).rejects.toMatchObject({ code: 'key-journal' })
      replica.metPeer()
      await expect.poll(() => replica.health().restored).toBeUndefined()
    })
    await starting(async (opened) => (await opened).replica.write([setting('a', 'x', 1)]))
  })

  test('an op signed just before a crash, which the store never got, stops nothing', async () => {
    const journal = new MemoryJournal()
    const { replica, disk } = await openReplica({ signer: me.signer, journal })
    await replica.write([creating('a')])
    await journal.append([{ record: me.recordOf('a'), op: 'ab'.repeat(32) }])
    const { replica: again } = await openReplica({ disk, signer: me.signer, journal })
    await again.write([setting('a', 'x', 1)])
    expect(again.health().forkedRecords).toBe(0)
    expect(journal.list.some(({ op }) => op === 'ab'.repeat(32))).toBe(false)
  })

  test('when it cannot be written the write fails, and what was stored is told with the next', async () => {
    const journal = new MemoryJournal()
    const { replica } = await openReplica({ signer: me.signer, journal })
    const p = publisher(1)
    journal.failing = true
    const [write, admit] = await Promise.allSettled([
      replica.write([creating('a')]),
      replica.admit(p.bytes([p.genesis('x')]), sync('a')),
    ])
    expect([write.status, admit.status]).toEqual(['rejected', 'fulfilled'])
    journal.failing = false
    await replica.write([creating('b')])
    expect(journal.list.length).toBe(replica.counts().ops - 1)
    await checkReplica(replica)
  })
})

test('rows are sealed: no flip of one bit in any value goes unnoticed', async () => {
  const row = sealed(Uint8Array.of(1, 2, 3), nativeSuite.sha256)
  expect(unsealed(row, nativeSuite.sha256)).toEqual(Uint8Array.of(1, 2, 3))
  for (let bit = 0; bit < row.length * 8; bit++) {
    const copy = row.slice()
    copy[bit >> 3]! ^= 1 << (bit & 7)
    expect(unsealed(copy, nativeSuite.sha256)).toBeUndefined()
  }
})
