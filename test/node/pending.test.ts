/** What waits: counted exactly, bounded, and fair. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pendingBytesMax, pendingBytesPerPeerMax, pendingOpsPerPeerMax, pendingTimeMs } from '../../node/limits.ts'
import { Pending } from '../../node/pending.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { publisher } from '../support/publisher.ts'
import { seeded } from '../support/seed.ts'

const p = publisher(1)
const record = p.recordOf('a')
const hex = (n: number) => n.toString(16).padStart(64, '0')
let made = 0

/** A frame of ops that each miss one parent of their own. */
function waiting(count: number, options: { text?: string; due?: number } = {}) {
  const ops = Array.from({ length: count }, () => p.set(record, [hex(++made)], `${made}${options.text ?? ''}`))
  const entries = ops.map((op) => ({
    op,
    missing: options.due === undefined ? op.header.parents : [],
    due: options.due,
  }))
  return {
    frame: p.frames(ops)[0]!,
    entries,
    ids: ops.map(({ id }) => id),
    parents: ops.map((op) => op.header.parents[0]!),
  }
}

test('answers who waits for a parent until it is removed, and is empty then', () => {
  const pending = new Pending(new ManualClock())
  const { frame, entries, ids, parents } = waiting(3)
  pending.add(frame, entries, 'peer', 'peer')
  expect(pending.ops).toBe(3)
  expect(pending.bytes).toBeGreaterThanOrEqual(frame.bytes.length)
  expect(pending.waitingFor(parents[1]!).map(({ op }) => op.id)).toEqual([ids[1]])
  // The frame's bytes are kept for the last of its ops.
  const bytes = pending.bytes
  pending.remove(ids[1]!)
  pending.remove(ids[1]!)
  expect([pending.ops, pending.bytes]).toEqual([2, bytes])
  expect(pending.waitingFor(parents[1]!)).toEqual([])
  pending.remove(ids[0]!)
  pending.remove(ids[2]!)
  expect([pending.ops, pending.bytes]).toEqual([0, 0])
})

test('the same op twice is kept once', () => {
  const pending = new Pending(new ManualClock())
  const { frame, entries } = waiting(2)
  pending.add(frame, entries, 'one')
  const bytes = pending.bytes
  pending.add(frame, entries, 'other')
  expect([pending.ops, pending.bytes]).toEqual([2, bytes])
})

test('who sends too many loses his own oldest', () => {
  const pending = new Pending(new ManualClock())
  const honest = waiting(1)
  pending.add(honest.frame, honest.entries, 'honest')
  const all = Array.from({ length: 12 }, () => waiting(100))
  for (const { frame, entries } of all) pending.add(frame, entries, 'flood')
  expect(pending.ops).toBe(pendingOpsPerPeerMax + 1)
  expect(pending.get(honest.ids[0]!)).toBeDefined()
  expect(all.map(({ ids }) => pending.get(ids[0]!) !== undefined)).toEqual([false, false, ...Array(10).fill(true)])
})

test('when all together hold too much, the one with most loses', () => {
  const pending = new Pending(new ManualClock())
  const small = waiting(1)
  pending.add(small.frame, small.entries, 'small')
  let last = ''
  for (let peer = 0; peer < 6; peer++) {
    for (let i = 0; i < 16; i++) {
      const { frame, entries, ids } = waiting(4)
      last = ids[0]!
      // Only the length of its bytes is looked at.
      pending.add({ ...frame, bytes: new Uint8Array(2 ** 20) }, entries, `peer ${peer}`)
      expect(pending.bytes).toBeLessThanOrEqual(pendingBytesMax)
    }
  }
  expect(pending.bytes).toBeGreaterThan(pendingBytesMax - 2 * 2 ** 20)
  expect(pending.get(small.ids[0]!)).toBeDefined()
  // Who comes last gets room as well.
  expect(pending.get(last)).toBeDefined()
})

test('what has left makes room for others of the same peer', () => {
  const pending = new Pending(new ManualClock())
  const all = Array.from({ length: 10 }, () => waiting(100))
  for (const { frame, entries } of all) pending.add(frame, entries, 'peer')
  for (const { ids } of all) for (const id of ids.slice(1)) pending.remove(id)
  for (let i = 0; i < 9; i++) {
    const { frame, entries } = waiting(100)
    pending.add(frame, entries, 'peer')
  }
  expect(pending.ops).toBe(10 + 900)
})

test('waits for ten minutes by the monotonic clock; what is parked waits until it is due', async () => {
  const clock = new ManualClock()
  const pending = new Pending(clock)
  const parked = waiting(1, { due: clock.now() + 3 * pendingTimeMs })
  pending.add(parked.frame, parked.entries, 'a')
  const early = waiting(2)
  pending.add(early.frame, early.entries, 'a')
  await clock.advance(1_000)
  const late = waiting(2)
  pending.add(late.frame, late.entries, 'a')
  await clock.advance(pendingTimeMs - 1_000)
  pending.expire()
  expect(pending.ops).toBe(3)
  expect(pending.get(early.ids[0]!)).toBeUndefined()
  expect(pending.nextDue()).toBe(parked.entries[0]!.due)
  expect(pending.due(clock.now())).toEqual([])
  await clock.advance(2 * pendingTimeMs)
  expect(pending.due(clock.now()).map(({ op }) => op.id)).toEqual(parked.ids)
  pending.expire()
  expect(pending.ops).toBe(1)
})

test('counts stay exact through any run of adds, removals and time', async () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 40 }), peer: fc.nat(3), large: fc.boolean(), parked: fc.boolean() }),
    fc.record({ remove: fc.nat() }),
    fc.record({ advance: fc.integer({ min: 1, max: pendingTimeMs }) }),
  )
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = new ManualClock()
        const pending = new Pending(clock)
        const ids: string[] = []
        for (const one of steps) {
          if ('add' in one) {
            const made = waiting(one.add, {
              text: one.large ? 'x'.repeat(20_000) : '',
              due: one.parked ? clock.now() + 1 : undefined,
            })
            pending.add(made.frame, made.entries, String(one.peer))
            ids.push(...made.ids)
          } else if ('remove' in one) {
            if (ids.length > 0) pending.remove(ids[one.remove % ids.length]!)
          } else {
            await clock.advance(one.advance)
            pending.expire()
          }
          expect(pending.ops).toBe(ids.filter((id) => pending.get(id) !== undefined).length)
          expect(pending.bytes).toBeLessThanOrEqual(4 * pendingBytesPerPeerMax)
          expect(pending.bytes > 0).toBe(pending.ops > 0)
        }
        for (const id of ids) pending.remove(id)
        expect([pending.ops, pending.bytes, pending.nextDue()]).toEqual([0, 0, undefined])
      }),
      { ...parameters, numRuns: 10 },
    ),
  )
})
