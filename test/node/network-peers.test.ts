import { expect, test } from 'vitest'
import { banMs, dialBackoffMs, dialBackoffMsMax, peersOnDiskMax, penaltyForgetMsPerPoint } from '../../node/limits.ts'
import { KnownPeers } from '../../node/network-peers.ts'
import { Penalties } from '../../node/network-penalties.ts'
import { manualEnvironment } from '../support/manual-clock.ts'

const nobody = () => false
const keys = (known: KnownPeers, wanted = 100) => known.due(nobody, wanted).map(({ key }) => key)

test('--join addresses are dialled for ever, less and less often, and others only while peers are few', async () => {
  const environment = manualEnvironment()
  const known = new KnownPeers(environment)
  known.join('/ip4/1.1.1.1/tcp/1')
  known.hint('p', ['/ip4/2.2.2.2/tcp/1'])
  expect(keys(known, 0)).toEqual(['/ip4/1.1.1.1/tcp/1'])
  expect(keys(known, 5)).toEqual(['/ip4/1.1.1.1/tcp/1', 'p'])
  const tries: number[] = []
  while (tries.length < 12) {
    if (keys(known, 0).length > 0) {
      tries.push(environment.clock.monotonic())
      known.dialled('/ip4/1.1.1.1/tcp/1', undefined)
    }
    await environment.clock.advance(100)
  }
  const gaps = tries.slice(1).map((at, i) => at - tries[i]!)
  expect(gaps[0]).toBeLessThan(2 * dialBackoffMs)
  expect(Math.max(...gaps)).toBeGreaterThan(dialBackoffMsMax / 2)
  expect(Math.max(...gaps)).toBeLessThan(2 * dialBackoffMsMax)
})

test('a --join address whose peer is connected is left alone, and dialled again when it is gone', () => {
  const known = new KnownPeers(manualEnvironment())
  known.join('/ip4/1.1.1.1/tcp/1')
  known.dialled('/ip4/1.1.1.1/tcp/1', 'p')
  expect(known.due((peer) => peer === 'p', 5)).toEqual([])
})

test('peers that were reached are known after a restart, the two known longest first', async () => {
  const environment = manualEnvironment()
  const before = new KnownPeers(environment)
  for (let i = 0; i < 30; i++) {
    before.met(`p${i}`, [`/ip4/1.1.1.${i}/tcp/1`])
    await environment.clock.advance(1_000)
  }
  before.hint('never-reached', ['/ip4/9.9.9.9/tcp/1'])
  const rows = before.rows()!
  expect(before.rows()).toBeUndefined()
  const after = new KnownPeers(environment)
  after.restore(rows)
  expect(keys(after).slice(0, 2).sort()).toEqual(['p0', 'p1'])
  expect(keys(after)).toHaveLength(30)
})

test('rows that are damaged, or too many, are no harm', () => {
  const environment = manualEnvironment()
  const known = new KnownPeers(environment)
  known.restore(Uint8Array.of(1, 2, 3))
  expect(keys(known)).toEqual([])
  for (let i = 0; i < 3 * peersOnDiskMax; i++) known.hint(`p${i}`, ['/ip4/1.1.1.1/tcp/1'])
  expect(keys(known, 10_000).length).toBeLessThanOrEqual(2 * peersOnDiskMax)
})

test('a flood of hints does not push out peers that were reached', () => {
  const known = new KnownPeers(manualEnvironment())
  known.met('friend', ['/ip4/1.1.1.1/tcp/1'])
  for (let i = 0; i < 5 * peersOnDiskMax; i++) known.hint(`sybil-${i}`, ['/ip4/6.6.6.6/tcp/1'])
  expect(keys(known, 10_000)).toContain('friend')
})

test('misdeeds add up to a ban, small ones are forgotten, and who returns is banned for longer', async () => {
  const { clock } = manualEnvironment()
  const penalties = new Penalties(clock)
  expect([1, 2].map(() => penalties.add('p', 'malformed'))).toEqual([false, false])
  expect(penalties.isBanned('p')).toBe(false)
  expect(penalties.add('p', 'malformed')).toBe(true)
  expect(penalties.isBanned('p')).toBe(true)
  expect(penalties.isBanned('q')).toBe(false)
  await clock.advance(banMs)
  expect(penalties.isBanned('p')).toBe(false)
  for (let i = 0; i < 3; i++) penalties.add('p', 'malformed')
  await clock.advance(banMs)
  expect(penalties.isBanned('p')).toBe(true)
  for (let i = 0; i < 50; i++) {
    expect(penalties.add('slow', 'slow')).toBe(false)
    await clock.advance(10 * penaltyForgetMsPerPoint)
  }
})
