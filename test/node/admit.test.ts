/** What strangers may and may not do to a replica. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, encode, fromHex, type Op, parseFrame, selectFromFrame } from '../../crdt/index.ts'
import { clockAheadMsMax, pendingBytesPerPeerMax, pendingOpsPerPeerMax, pendingTimeMs } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Appended } from '../../node/replica-types.ts'
import { checkReplica } from '../support/check-replica.ts'
import { openReplica } from '../support/open-replica.ts'
import { net, publisher } from '../support/publisher.ts'
import { seeded } from '../support/seed.ts'

const sync = (peer: string) => ({ via: 'sync', peer }) as const
const gossip = (peer: string) => ({ via: 'gossip', peer }) as const
const verdicts = (admitted: { results: readonly { verdict: string; reason?: string }[] }) =>
  admitted.results.map(({ verdict, reason }) => (reason === undefined ? verdict : `${verdict} ${reason}`))

test('takes a batch of new records and counts them', async () => {
  const { replica, checker } = await openReplica()
  const p = publisher(1)
  const admitted = await replica.admit(p.bytes(Array.from({ length: 300 }, (_, i) => p.genesis(`s${i}`))), sync('a'))
  expect(new Set(verdicts(admitted))).toEqual(new Set(['applied']))
  expect(admitted).toMatchObject({ refusedFrames: [], missing: [], misbehaved: false })
  expect(replica.counts()).toMatchObject({ ops: 300, seq: 300, records: { thing: 300 } })
  expect(checker.checked).toBe(2)
  await checkReplica(replica)
})

test('what is held is a duplicate, and its signature is not checked again', async () => {
  const { replica, checker } = await openReplica()
  const p = publisher(1)
  const bytes = p.bytes([p.genesis('a'), p.genesis('b')])
  await replica.admit(bytes, sync('a'))
  const again = await replica.admit([...bytes, ...bytes], sync('b'))
  expect(verdicts(again)).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate'])
  expect(checker.checked).toBe(1)
  expect(replica.counts().seq).toBe(2)
})

test('the same new op twice in one call goes in once', async () => {
  const { replica, checker } = await openReplica()
  const p = publisher(1)
  const bytes = p.bytes([p.genesis('a')])
  expect(verdicts(await replica.admit([...bytes, ...bytes], sync('a')))).toEqual(['applied', 'duplicate'])
  expect(checker.checked).toBe(1)
  await checkReplica(replica)
})

test('a forged copy does not keep the honest one out', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const [honest] = p.bytes([p.genesis('a')])
  const forged = honest!.slice()
  // The last byte of S is below the group order for any flip of its lowest bits.
  const signature = parseFrame(honest!, net, nativeSuite.sha256)
  if (!signature.ok) throw new Error('not a frame')
  const at = Buffer.from(forged).indexOf(signature.frame.signature) + 40
  forged[at]! ^= 1
  const admitted = await replica.admit([forged, honest!], gossip('a'))
  expect(admitted.refusedFrames).toEqual([{ at: 0, reason: 'bad-signature' }])
  expect(verdicts(admitted)).toEqual(['applied'])
  expect(admitted.misbehaved).toBe(true)
  await checkReplica(replica)
})

test('rejects every single-bit change to a frame, and stores nothing of it', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const [frame] = p.bytes([p.genesis('a'), p.genesis('b')])
  const changed = Array.from({ length: frame!.length * 8 }, (_, bit) => {
    const copy = frame!.slice()
    copy[bit >> 3]! ^= 1 << (bit & 7)
    return copy
  })
  const admitted = await replica.admit(changed, gossip('liar'))
  expect(admitted.results).toEqual([])
  expect(admitted.refusedFrames.length).toBe(changed.length)
  expect(admitted.misbehaved).toBe(true)
  expect(replica.counts().ops).toBe(0)
  expect(replica.pending()).toEqual({ ops: 0, bytes: 0 })
})

test('answers garbage with verdicts, whatever it is', async () => {
  const { replica } = await openReplica()
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), async (frames) => {
        const admitted = await replica.admit(frames, gossip('liar'))
        expect(admitted.refusedFrames.length).toBe(frames.length)
      }),
      { ...parameters, numRuns: 200 },
    ),
  )
  expect(replica.counts().ops).toBe(0)
})

test('refuses who is not the owner, at once and for good, also when the parents are missing', async () => {
  const { replica } = await openReplica()
  const [p, thief] = [publisher(1), publisher(2)]
  const genesis = p.genesis('a')
  const record = p.recordOf('a')
  await replica.admit(p.bytes([genesis]), sync('a'))
  const stolen = thief.set(record, [genesis.id], 'mine')
  const above = thief.set(record, [stolen.id], 'mine still')
  const admitted = await replica.admit(thief.bytes([stolen, above]), sync('b'))
  expect(verdicts(admitted)).toEqual(['refused not-authorised', 'refused not-authorised'])
  expect(admitted).toMatchObject({ missing: [], misbehaved: true })
  const again = await replica.admit(thief.bytes([stolen]), sync('c'))
  expect(verdicts(again)).toEqual(['refused not-authorised'])
  expect(replica.pending().ops).toBe(0)
  await checkReplica(replica)
})

test('refuses a parent of another record', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const [a, b] = [p.genesis('a'), p.genesis('b')]
  const wrong = p.set(p.recordOf('a'), [a.id, b.id], 'both')
  const alone = p.set(p.recordOf('a'), [b.id], 'other')
  const inNone = p.set('ab'.repeat(32), [b.id], 'none')
  const admitted = await replica.admit(p.bytes([a, b, wrong, alone, inNone]), sync('a'))
  expect(verdicts(admitted).slice(2)).toEqual(['refused wrong-record', 'refused wrong-record', 'refused wrong-record'])
  expect(admitted.misbehaved).toBe(true)
  // Not heads any more, their record is read from the disk.
  const next = p.set(p.recordOf('b'), [b.id], 'b2')
  await replica.admit(p.bytes([next]), sync('a'))
  const later = p.set(p.recordOf('a'), [b.id], 'later')
  expect(verdicts(await replica.admit(p.bytes([later]), sync('a')))).toEqual(['refused wrong-record'])
  await checkReplica(replica)
})

test('refuses what builds on a refused op, in the same call and later', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const [a, b] = [p.genesis('a'), p.genesis('b')]
  const wrong = p.set(p.recordOf('a'), [b.id], 'wrong')
  const child = p.set(p.recordOf('a'), [wrong.id], 'child')
  const grandchild = p.set(p.recordOf('a'), [child.id], 'grandchild')
  // Children first: they wait for it, and fall with it.
  expect(verdicts(await replica.admit(p.bytes([a, b, grandchild]), sync('a')))[2]).toBe('pending missing-parents')
  const admitted = await replica.admit(p.bytes([child, wrong]), sync('a'))
  expect(verdicts(admitted)).toEqual(['refused bad-parents', 'refused wrong-record'])
  expect(replica.pending().ops).toBe(0)
  expect(verdicts(await replica.admit(p.bytes([grandchild]), sync('b')))).toEqual(['refused bad-parents'])
  await checkReplica(replica)
})

test('keeps the neighbours of a refused op', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const ops = Array.from({ length: 9 }, (_, i) => p.genesis(`s${i}`))
  const wrong = p.set(p.recordOf('s0'), [ops[1]!.id], 'wrong')
  const admitted = await replica.admit(p.bytes([...ops.slice(0, 4), wrong, ...ops.slice(4)]), sync('a'))
  expect(verdicts(admitted).filter((verdict) => verdict === 'applied').length).toBe(9)
  expect(replica.counts().ops).toBe(9)
  expect(await replica.has([wrong.id])).toEqual([false])
  await checkReplica(replica)
})

test('keeps the neighbours of an op that the wire refuses, and of one of a reserved type without blame', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const good = p.genesis('a')
  const reserved: Op = reservedOp(p, 'a', good.id)
  const heard: Appended[] = []
  replica.onAppended((appended) => heard.push(appended))
  const admitted = await replica.admit(p.bytes([good, reserved]), sync('a'))
  expect(verdicts(admitted)).toEqual(['applied', 'refused reserved'])
  expect(admitted.misbehaved).toBe(false)
  // The frame is kept without it.
  expect(heard.map(({ frames }) => frames.map(({ frame }) => [frame.entries.length, frame.refused.length]))).toEqual([
    [[1, 0]],
  ])
  // What an honest later node builds on it is refused, and that is no blame either.
  const child = p.set(p.recordOf('a'), [reserved.id], 'child')
  const later = await replica.admit(p.bytes([child]), sync('a'))
  expect(verdicts(later)).toEqual(['refused bad-parents'])
  expect(later.misbehaved).toBe(false)
  await checkReplica(replica)
})

test('an op waits for its parents and goes in with them, whatever the order', async () => {
  const p = publisher(1)
  const record = p.recordOf('a')
  const ops = [p.genesis('a')]
  for (let i = 0; i < 6; i++) ops.push(p.set(record, [ops.at(-1)!.id], `v${i}`))
  ops.push(p.set(record, [ops[2]!.id], 'branch'))
  ops.push(p.set(record, [ops[6]!.id, ops[7]!.id].sort(), 'joined'))
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(ops, { minLength: ops.length }),
        fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
        async (order, sizes) => {
          const { replica } = await openReplica()
          const missing = new Set<string>()
          for (let from = 0; from < order.length; ) {
            const some = order.slice(from, from + sizes.next().value)
            from += some.length
            const admitted = await replica.admit(p.bytes(some), sync('a'))
            for (const id of admitted.missing) missing.add(id)
            const pending = admitted.results.filter(({ verdict }) => verdict === 'pending')
            expect(admitted.misbehaved).toBe(false)
            // Whoever waits, something that we lack is asked for.
            expect(admitted.missing.length > 0).toBe(pending.length > 0)
            expect((await replica.has(admitted.missing)).includes(true)).toBe(false)
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

test('a batch that waited together is stored as the frame it came in', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const record = p.recordOf('a')
  const genesis = p.genesis('a')
  const line = [p.set(record, [genesis.id], 'v0')]
  for (let i = 1; i < 50; i++) line.push(p.set(record, [line.at(-1)!.id], `v${i}`))
  const [frame] = p.bytes(line)
  await replica.admit([frame!], sync('a'))
  expect(replica.pending().ops).toBe(50)
  await replica.admit(p.bytes([genesis]), sync('a'))
  const log = await Array.fromAsync(replica.log(0))
  expect(log.map(({ ids }) => ids.length)).toEqual([1, 50])
  expect(Buffer.compare(log[1]!.bytes, frame!)).toBe(0)
  await checkReplica(replica)
})

test('asks again for what pending ops miss when they are sent again', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const genesis = p.genesis('a')
  const one = p.set(p.recordOf('a'), [genesis.id], 'one')
  const two = p.set(p.recordOf('a'), [one.id], 'two')
  const first = await replica.admit(p.bytes([one]), gossip('a'))
  expect(first.missing).toEqual([genesis.id])
  const again = await replica.admit(p.bytes([one]), gossip('b'))
  expect(verdicts(again)).toEqual(['pending missing-parents'])
  expect(again.missing).toEqual([genesis.id])
  // Waiting for one that waits itself: what that one lacks is asked for, not it.
  expect((await replica.admit(p.bytes([two]), gossip('c'))).missing).toEqual([genesis.id])
  expect(replica.pending().ops).toBe(2)
})

test('a flood of ops that wait for ever stays in its bounds and hurts no one else', async () => {
  const { replica } = await openReplica()
  const [honest, liar] = [publisher(1), publisher(2)]
  const genesis = honest.genesis('a')
  const waiting = honest.set(honest.recordOf('a'), [genesis.id], 'honest')
  await replica.admit(honest.bytes([waiting]), gossip('honest'))
  const text = 'x'.repeat(200_000)
  for (let i = 0; i < 30; i++) {
    const small = Array.from({ length: 60 }, (_, j) => liar.set(liar.recordOf('none'), [hex(i * 60 + j)], `${i}/${j}`))
    await replica.admit(liar.bytes(small), gossip('liar'))
    const large = Array.from({ length: 4 }, (_, j) =>
      liar.set(liar.recordOf('none'), [hex(9_000 + i * 4 + j)], `${i}${j}${text}`),
    )
    await replica.admit(liar.bytes(large), gossip('liar'))
    const { ops, bytes } = replica.pending()
    expect(ops).toBeLessThanOrEqual(pendingOpsPerPeerMax + 1)
    expect(bytes).toBeLessThanOrEqual(pendingBytesPerPeerMax + 10_000)
  }
  expect(replica.pending().ops).toBeGreaterThan(10)
  // The honest one's still waits, and goes in.
  await replica.admit(honest.bytes([genesis]), gossip('honest'))
  expect(await replica.record(honest.recordOf('a'))).toMatchObject({ doc: { name: 'honest' }, opCount: 2 })
})

test('what waits too long is given up', async () => {
  const { replica, clock } = await openReplica()
  const p = publisher(1)
  await replica.admit(p.bytes([p.set(p.recordOf('a'), [hex(1)], 'late')]), gossip('a'))
  await clock.advance(pendingTimeMs - 1)
  expect(replica.pending().ops).toBe(1)
  await clock.advance(1)
  expect(replica.pending()).toEqual({ ops: 0, bytes: 0 })
})

test('an op from the future waits until its time comes, and what builds on it too', async () => {
  const { replica, clock } = await openReplica()
  const p = publisher(1, { now: () => clock.now() })
  const w = clock.now() + clockAheadMsMax + 5_000
  const genesis = p.genesis('a', 'a', w)
  const child = p.set(p.recordOf('a'), [genesis.id], 'child')
  const just = p.genesis('b', 'b', clock.now() + clockAheadMsMax)
  const admitted = await replica.admit(p.bytes([genesis, child, just]), gossip('a'))
  expect(verdicts(admitted)).toEqual(['pending future', 'pending missing-parents', 'applied'])
  expect(admitted).toMatchObject({ missing: [], misbehaved: false })
  expect(verdicts(await replica.admit(p.bytes([genesis]), { via: 'http' }))).toEqual(['pending future'])
  await clock.advance(4_999)
  expect(replica.counts().ops).toBe(1)
  await clock.advance(1_000)
  await clock.runUntil(() => replica.counts().ops === 3, 60_000)
  expect(replica.pending()).toEqual({ ops: 0, bytes: 0 })
  await checkReplica(replica)
})

test('an op whose time has come but whose parent is missing waits for that, like any other', async () => {
  const { replica, clock } = await openReplica()
  const p = publisher(1)
  const genesis = p.genesis('a')
  const child = p.set(p.recordOf('a'), [genesis.id], 'child', clock.now() + clockAheadMsMax + 1_000)
  await replica.admit(p.bytes([child]), gossip('a'))
  await clock.advance(2_000)
  const again = await replica.admit(p.bytes([child]), gossip('a'))
  expect(verdicts(again)).toEqual(['pending missing-parents'])
  expect(again.missing).toEqual([genesis.id])
  await replica.admit(p.bytes([genesis]), gossip('a'))
  expect(replica.counts().ops).toBe(2)
  expect(replica.pending()).toEqual({ ops: 0, bytes: 0 })
  await checkReplica(replica)
})

test('catch-up takes an op from the future, also one that live intake holds back', async () => {
  const { replica, clock } = await openReplica()
  const p = publisher(1)
  const genesis = p.genesis('a', 'a', clock.now() + 10 * clockAheadMsMax)
  await replica.admit(p.bytes([genesis]), gossip('a'))
  expect(replica.counts().ops).toBe(0)
  expect(verdicts(await replica.admit(p.bytes([genesis]), sync('b')))).toEqual(['applied'])
  expect(replica.pending()).toEqual({ ops: 0, bytes: 0 })
  await checkReplica(replica)
})

test('parts of one batch that arrive apart cost one signature check', async () => {
  const { replica, checker } = await openReplica()
  const p = publisher(1)
  const ops = Array.from({ length: 20 }, (_, i) => p.genesis(`s${i}`))
  const [frame] = p.frames(ops)
  for (const op of ops)
    await replica.admit([selectFromFrame(frame!, new Set([op.id]), nativeSuite.sha256)], gossip('a'))
  expect(replica.counts().ops).toBe(20)
  expect(checker.checked).toBe(1)
  await checkReplica(replica)
})

test('only what is new of a frame is stored', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const ops = Array.from({ length: 20 }, (_, i) => p.genesis(`s${i}`))
  const [frame] = p.frames(ops)
  const some = new Set(ops.slice(3, 9).map(({ id }) => id))
  await replica.admit([selectFromFrame(frame!, some, nativeSuite.sha256)], sync('a'))
  const admitted = await replica.admit([frame!.bytes], sync('a'))
  expect(verdicts(admitted).filter((verdict) => verdict === 'applied').length).toBe(14)
  expect((await Array.fromAsync(replica.log(0))).map(({ ids }) => ids.length)).toEqual([6, 14])
  await checkReplica(replica)
})

test('many calls at once over the same ops end in one set', async () => {
  const { replica } = await openReplica()
  const p = publisher(1)
  const ops = Array.from({ length: 40 }, (_, i) => p.genesis(`s${i}`))
  const children = ops.map((op, i) => p.set(op.header.record, [op.id], `child ${i}`))
  const calls = [ops, children, [...children, ...ops], ops.slice(10), children.slice(0, 30)]
  const all = await Promise.all(calls.map((some, i) => replica.admit(p.bytes(some), sync(`peer ${i}`))))
  expect(all.some(({ misbehaved }) => misbehaved)).toBe(false)
  expect(replica.counts().ops).toBe(80)
  await checkReplica(replica)
})

function hex(n: number): string {
  return n.toString(16).padStart(64, '0')
}

/** A grant, which this version refuses as reserved; made by hand, since no draft makes one. */
function reservedOp(p: ReturnType<typeof publisher>, slug: string, parent: string): Op {
  const draft = p.delete(p.recordOf(slug), [parent])
  const header = { ...draft.header, type: 11 }
  const bytes = encode({
    v: 1,
    n: fromHex(header.net),
    t: header.type,
    r: fromHex(header.record),
    k: fromHex(header.actor),
    p: header.parents.map(fromHex),
    w: header.w,
    l: 0,
    h: fromHex(header.bodyHash),
  })
  const id = nativeSuite.sha256(concat(new TextEncoder().encode('peerage/1/op\0'), bytes))
  return { id: Buffer.from(id).toString('hex'), header, body: draft.body }
}
