/** When a peer is asked again, by what the sessions with it have shown. */
import { expect, test } from 'vitest'
import {
  syncAgainMax,
  syncBackoffMs,
  syncBackoffMsMax,
  syncBulkMax,
  syncBulkMs,
  syncDeepMs,
  syncUnequalMax,
} from '../../node/limits.ts'
import { PeerState } from '../../node/sync-peer.ts'
import type { SessionResult } from '../../node/sync-session.ts'
import { NOTHING } from '../../node/sync-together.ts'

/** Judges sessions one after the other; answers after how many ms the next one is wanted, undefined where none is. */
function judge(peer: PeerState, now: number, result: Partial<SessionResult>): number | undefined {
  const wanted: number[] = []
  peer.judge(
    { ...NOTHING, peer: 'b', ...result },
    {
      now,
      random: { bytes: () => new Uint8Array(), float: () => 0.5 },
      isServing: false,
      soon: (delayMs = 0) => wanted.push(delayMs),
    },
  )
  return wanted[0]
}

test('a peer whose sessions fail is left alone for longer each time, up to a bound, until one ends well', () => {
  const peer = new PeerState()
  const waits = Array.from({ length: 12 }, () => {
    expect(judge(peer, 1_000, { end: 'gone' })).toBe(0)
    return peer.notBefore - 1_000
  })
  expect(waits[0]).toBe(syncBackoffMs)
  expect(waits[1]).toBe(2 * syncBackoffMs)
  expect(waits.at(-1)).toBe(syncBackoffMsMax)
  judge(peer, 1_000, { rootEqual: true })
  judge(peer, 1_000, { end: 'gone' })
  expect(peer.notBefore - 1_000).toBe(syncBackoffMs)
})

test('one that refuses or speaks another protocol is not asked soon', () => {
  const peer = new PeerState()
  expect(judge(peer, 0, { end: 'refused' })).toBeUndefined()
  expect(judge(peer, 0, { end: 'unsupported' })).toBeUndefined()
  expect(peer.notBefore).toBe(syncBackoffMsMax)
})

test('one that differs is asked again while ops move, a bounded number of times; one that agrees is not', () => {
  const peer = new PeerState()
  const moves = Array.from({ length: syncAgainMax + 3 }, () => judge(peer, 0, { rootEqual: false, opsIn: 5 }))
  expect(moves.filter((delay) => delay !== undefined)).toHaveLength(syncAgainMax)
  expect(judge(peer, 0, { rootEqual: true, opsIn: 5 })).toBeUndefined()
  expect(judge(peer, 0, { rootEqual: false, opsIn: 5 })).toBeGreaterThan(0)
})

test('one that differs for good and gives nothing is asked less and less often', () => {
  const peer = new PeerState()
  for (let n = 0; n <= syncUnequalMax; n++) judge(peer, 0, { rootEqual: false })
  const first = peer.notBefore
  judge(peer, 0, { rootEqual: false })
  expect(first).toBeGreaterThan(0)
  expect(peer.notBefore).toBe(2 * first)
})

test('the dear comparison is asked for where roots stay apart, and then not for a while', () => {
  const peer = new PeerState()
  expect(peer.deepWhenOpening(0)).toBe('when-quiet')
  for (let n = 0; n < syncUnequalMax; n++) judge(peer, 0, { rootEqual: false })
  expect(peer.deepWhenOpening(0)).toBe('now')
  judge(peer, 0, { rootEqual: false, deep: true })
  expect(peer.deepWhenOpening(syncDeepMs - 1)).toBe('no')
  expect(peer.deepWhenOpening(syncDeepMs)).toBe('when-quiet')
})

test('the whole log is given a few times in ten minutes', () => {
  const peer = new PeerState()
  const asked = Array.from({ length: syncBulkMax + 2 }, (_, n) => peer.mayReadAll(n))
  expect(asked.filter(Boolean)).toHaveLength(syncBulkMax)
  expect(peer.mayReadAll(syncBulkMs)).toBe(true)
})

test('what a peer said before it left is forgotten when it comes back', () => {
  const peer = new PeerState()
  peer.learn({ ...NOTHING, peer: 'b', can: ['root'], rootEqual: true })
  peer.learnLack('k model')
  expect([peer.isBrief, peer.lacks('k model')]).toEqual([true, true])
  peer.met()
  expect([peer.isBrief, peer.lacks('k model'), peer.isNew]).toEqual([false, false, true])
})
