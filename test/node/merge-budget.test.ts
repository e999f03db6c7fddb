/** Records with many writes side by side: strangers cannot keep a node merging, and nothing is lost by it. */
import { expect, test } from 'vitest'
import { mergeFreeOps, mergePauseMsPerOp } from '../../node/limits.ts'
import { mergePause } from '../../node/merge-budget.ts'
import { openReplica } from '../support/open-replica.ts'
import { publisher } from '../support/publisher.ts'

const p = publisher(1)
const GOSSIP = { via: 'gossip', peer: 'x' } as const
const SYNC = { via: 'sync', peer: 'y' } as const
const told = (results: readonly { verdict: string; reason?: string }[]) =>
  results.map(({ verdict, reason }) => reason ?? verdict)

test('a record of many concurrent ops is merged for live ones only now and then, and catch-up brings what had to wait', async () => {
  const { replica, clock } = await openReplica()
  const [crowded, quiet] = [p.genesis('crowded'), p.genesis('quiet')]
  const beside = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => p.set(crowded.header.record, [crowded.id], `name ${from + i}`))
  await replica.admit(p.bytes([crowded, quiet]), GOSSIP)
  // Small ones are always merged.
  for (const op of beside(0, mergeFreeOps - 1)) {
    expect(told((await replica.admit(p.bytes([op]), GOSSIP)).results)).toEqual(['applied'])
  }
  const [a, b, c, ...many] = beside(mergeFreeOps, 203)
  const bulk = await replica.admit(p.bytes(many), SYNC)
  expect(new Set(told(bulk.results))).toEqual(new Set(['applied']))
  expect(bulk.mergedOps).toBe(mergeFreeOps)

  await clock.advance(1_000)
  const ops = mergeFreeOps + many.length
  // What comes together is merged together.
  expect(told((await replica.admit(p.bytes([a!, b!]), GOSSIP)).results)).toEqual(['applied', 'applied'])
  const waits = await replica.admit(p.bytes([c!]), GOSSIP)
  expect(waits).toMatchObject({ results: [{ verdict: 'refused', reason: 'crowded' }], misbehaved: false, missing: [] })
  // Nor is what builds on it a reason to fetch it.
  const after = p.set(crowded.header.record, [c!.id], 'after')
  expect(await replica.admit(p.bytes([after]), GOSSIP)).toMatchObject({ results: [{ reason: 'crowded' }], missing: [] })
  expect(told((await replica.admit(p.bytes([p.set(quiet.header.record, [quiet.id], 'x')]), GOSSIP)).results)).toEqual([
    'applied',
  ])
  expect(await replica.knows([c!.id])).toEqual([false])

  const caught = await replica.admit(p.bytes([c!]), SYNC)
  expect(told(caught.results)).toEqual(['applied'])
  expect(caught.mergedOps).toBe(ops + 2)
  expect(mergePause(caught.mergedOps)).toBeGreaterThanOrEqual((ops + 2) * mergePauseMsPerOp)
  expect(told((await replica.admit(p.bytes([after]), GOSSIP)).results)).toEqual(['crowded'])
  await clock.advance((ops + 3) * mergePauseMsPerOp)
  expect(told((await replica.admit(p.bytes([after]), GOSSIP)).results)).toEqual(['applied'])
  expect((await replica.record(crowded.header.record))?.opCount).toBe(ops + 4)
})
