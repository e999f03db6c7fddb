/**
 * A real replica takes random owners' ops in any order and in any portions, over its store, and ends as the naive
 * versions say, which know of no order. RUNS= says how many owners, SEED= which.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { freeBodies, type Op, parseFrame, signOps } from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Replica } from '../../node/replica.ts'
import { type Answers, mergedHex, naiveAnswers, sortedById } from '../support/authority-answers.ts'
import { describeWorld, signerOf, type World, worlds } from '../support/authority-arbitrary.ts'
import { checkReplica } from '../support/check-replica.ts'
import { naiveVerdicts } from '../support/naive-authority.ts'
import { openReplica } from '../support/open-replica.ts'
import { chosenSeed } from '../support/seed.ts'

const seed = chosenSeed()
const runs = Number(process.env['RUNS'] ?? 24)
const timeout = process.env['RUNS'] === undefined ? 60_000 : 24 * 3600_000

test('a replica ends the same, whichever way the ops of an owner come', { timeout }, async () => {
  const arrivals = worlds({ min: 5, max: 24, spoil: 8 }).chain((world) => {
    const order = fc.shuffledSubarray([...world.ops], { minLength: world.ops.length })
    return fc.record({
      world: fc.constant(world),
      orders: fc.tuple(order, order),
      portions: fc.array(fc.integer({ min: 1, max: 8 })),
    })
  })
  const run = await fc.check(
    fc.asyncProperty(arrivals, async ({ world, orders, portions }) => {
      const expected = naiveAnswers(world, 'fixpoint')
      for (const order of [world.ops, ...orders]) expect(await answersOf(world, order, portions)).toEqual(expected)
    }),
    { seed, numRuns: runs },
  )
  if (!run.failed) return
  const [{ world, orders, portions }] = run.counterexample!
  const told = orders.map((order) => order.map((op) => `#${world.ops.indexOf(op)}`).join(' ')).join('\n')
  throw new Error(`SEED=${seed}\n${describeWorld(world)}\n${told}\n${portions}\n${(run.errorInstance as Error).stack}`)
})

test('every order of arrival of five ops gives the same', { timeout }, async () => {
  const run = await fc.check(
    fc.asyncProperty(worlds({ min: 5, max: 5 }), async (world) => {
      const expected = naiveAnswers(world, 'all')
      for (const order of permutations(world.ops)) expect(await answersOf(world, order, [])).toEqual(expected)
    }),
    { seed, numRuns: Math.ceil(runs / 20) },
  )
  if (!run.failed) return
  throw new Error(`SEED=${seed}\n${describeWorld(run.counterexample![0])}\n${(run.errorInstance as Error).stack}`)
})

test('a liar who leaves bodies out is made good by whoever has them', { timeout }, async () => {
  const arrivals = worlds({ min: 5, max: 20 }).chain((world) =>
    fc.record({
      world: fc.constant(world),
      bare: fc.subarray([...world.ops]),
      order: fc.shuffledSubarray([...world.ops], { minLength: world.ops.length }),
    }),
  )
  const run = await fc.check(
    fc.asyncProperty(arrivals, async ({ world, bare, order }) => {
      const { replica } = await openReplica({ net: world.ops[0]!.header.net })
      await using _ = replica
      for (const bytes of framesOf(order.filter((op) => bare.includes(op)))) {
        const read = parseFrame(bytes, replica.net, nativeSuite.sha256)
        if (!read.ok) throw new Error(`the frame does not read back: ${read.reason}`)
        const ids = new Set(read.frame.entries.map(({ op }) => op.id))
        await replica.admit([freeBodies(read.frame, ids, nativeSuite.sha256)], { via: 'sync', peer: 'liar' })
      }
      const honest = await replica.admit(framesOf(order), { via: 'sync', peer: 'honest' })
      // Nothing is held against an op because it came without its body first.
      const verdicts = naiveVerdicts(world.ops)
      for (const { op, verdict } of honest.results)
        if (verdicts.get(op) === 'valid') expect(['applied', 'duplicate']).toContain(verdict)
      while (replica.rejudging() > 0) await new Promise((resolve) => setImmediate(resolve))
      expect(await answers(replica, world)).toEqual(naiveAnswers(world, 'fixpoint'))
    }),
    { seed, numRuns: runs },
  )
  if (!run.failed) return
  const [{ world, bare, order }] = run.counterexample!
  const told = [bare, order].map((ops) => ops.map((op) => `#${world.ops.indexOf(op)}`).join(' ')).join('\n')
  throw new Error(`SEED=${seed}\n${describeWorld(world)}\n${told}\n${(run.errorInstance as Error).stack}`)
})

async function answersOf(world: World, order: readonly Op[], portions: readonly number[]): Promise<Answers> {
  const { net } = world.ops[0]!.header
  const { replica, disk } = await openReplica({ net })
  for (let from = 0, i = 0; from < order.length; i++) {
    const portion = order.slice(from, from + (portions[i % portions.length] ?? 1))
    from += portion.length
    await replica.admit(framesOf(portion), { via: 'sync', peer: 'a' })
  }
  // Read before records were merged again, and after, and from what is on disk: it is one answer.
  const atOnce = await answers(replica, world)
  while (replica.rejudging() > 0) await new Promise((resolve) => setImmediate(resolve))
  await checkReplica(replica)
  expect(await answers(replica, world)).toEqual(atOnce)
  await replica[Symbol.asyncDispose]()
  const { replica: again } = await openReplica({ net, disk })
  await using _ = again
  expect(await answers(again, world)).toEqual(atOnce)
  return atOnce
}

async function answers(replica: Replica, { ops, owner, record }: World): Promise<Answers> {
  const has = await replica.has(ops.map(({ id }) => id))
  const held = ops.filter((_, i) => has[i])
  const merged = await replica.list({ limit: 100 })
  const authority = await replica.authority(owner)
  const here = held.filter((op) => op.header.record === record).map(({ id }) => [id, authority.voidedBy(id)] as const)
  const there = merged.flatMap(({ voided = [] }) => voided.map(({ op, by }) => [op, by] as const))
  return {
    held: held.map(({ id }) => id).sort(),
    voided: sortedById([...here, ...there].filter(([, by]) => by.length > 0)),
    records: merged.map((one) => ({ erased: [...(one.erased ?? [])].sort(), merged: mergedHex(one) })),
  }
}

/** One frame for each signer in turn: what one signed in a row is one batch. */
function framesOf(ops: readonly Op[]): Uint8Array[] {
  const rows: Op[][] = []
  for (const op of ops) {
    const row = rows.at(-1)
    if (row?.[0]?.header.actor === op.header.actor) row.push(op)
    else rows.push([op])
  }
  return rows.flatMap((row) => {
    const { net, actor } = row[0]!.header
    const { sign } = signerOf(actor)
    return signOps(row, { net, key: actor, sha256: nativeSuite.sha256, sign }).map(({ frame }) => frame.bytes)
  })
}

function* permutations<Item>(items: readonly Item[]): Generator<Item[]> {
  if (items.length === 0) yield []
  for (const [i, item] of items.entries()) {
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)])) yield [item, ...rest]
  }
}
