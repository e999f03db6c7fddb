/**
 * Every storage call of a script of 200 ops fails once, in both ways: not written; written, which shows after a restart.
 * Nothing that was acknowledged is lost, nothing half-written is seen, and the replica can be written again.
 *
 * EXHAUSTIVE=1 takes every call; without it every ninth, from a place of its own each day.
 */
import { expect, test } from 'vitest'
import type { OpId } from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import type { LocalWrite } from '../../node/replica-types.ts'
import { checkReplica } from '../support/check-replica.ts'
import { Chance } from './chance.ts'
import { type Failure, SimDisk } from './disk.ts'
import { SimJournal } from './journal.ts'
import { draft, KIND, ownerOf, recordOf, sealed } from './library.ts'
import { ProcessClock, Scheduler } from './scheduler.ts'
import { Signatures } from './signatures.ts'
import { NET } from './sim-node.ts'
import { saySomething } from './writes.ts'

const STEPS = 40
const OPS_A_STEP = 5

/** Runs the script with the n-th call failing; answers how many calls there were. */
async function runScript(n: number, failure: Failure): Promise<number> {
  const scheduler = new Scheduler()
  const chance = new Chance('every call')
  const disk = new SimDisk(scheduler, chance, { cut: 'tail', syncMs: 1, slowReads: 0 })
  const journal = new SimJournal(chance)
  const signatures = new Signatures(false)
  const signer = signatures.signer(1)
  const publisher = signatures.signer(2)
  const open = () => {
    const clock = new ProcessClock(
      scheduler,
      (call) => call(),
      () => 0,
    )
    const parts = { disk: disk.attach(clock), journal: journal.attach(clock), signer, checker: signatures }
    return Replica.open({ ...parts, environment: { clock, random: chance }, suite: nativeSuite, net: NET })
  }
  /** Lets simulated time pass until it is settled. */
  const settled = async <T>(promise: Promise<T>): Promise<T | Error> => {
    let answer: T | Error | undefined
    promise.then(
      (value) => {
        answer = value
      },
      (error) => {
        answer = error as Error
      },
    )
    const isOver = await scheduler.runUntil(scheduler.now + 60_000, () => answer !== undefined)
    if (!isOver) throw new Error('a call that never comes back')
    return answer as T | Error
  }
  const reopen = async (): Promise<Replica> => {
    for (let tries = 0; tries < 3; tries++) {
      const opened = await settled(open())
      if (opened instanceof Error) continue
      if (!((await settled(opened.ready.then(() => true))) instanceof Error)) return opened
    }
    throw new Error('it does not open')
  }

  let failed = false
  disk.decide = (call) => {
    if (call !== n) return undefined
    failed = true
    return failure
  }
  const acknowledged: OpId[] = []
  let replica = await reopen()
  for (let step = 0; step < STEPS; step++) {
    const said = new Chance('step', step)
    if (step % 2 === 0) {
      const writes = Array.from({ length: OPS_A_STEP }, (): LocalWrite => {
        const slug = `own ${said.int(0, 9)}`
        const decide: LocalWrite['decide'] = (before) => saySomething(said, before, slug)
        return { record: recordOf(ownerOf(signer), slug), kind: KIND, slug, decide }
      })
      const outcomes = await settled(replica.write(writes))
      if (!(outcomes instanceof Error))
        for (const one of outcomes) if (one.outcome === 'written') acknowledged.push(one.op)
    } else {
      const ops = Array.from({ length: OPS_A_STEP }, (_, i) => {
        const slug = `record ${step} ${i}`
        const { body } = saySomething(said, undefined, slug)
        return draft(publisher, { type: 'genesis', owner: ownerOf(publisher), kind: KIND, slug, w: step, body })
      })
      const admitted = await settled(replica.admit(sealed(publisher, ops), { via: 'http' }, { sync: true }))
      if (!(admitted instanceof Error))
        for (const { op, verdict } of admitted.results) if (verdict === 'applied') acknowledged.push(op)
    }
    if (!disk.isStuck) continue
    disk.crash('kill')
    journal.crash('kill')
    replica = await reopen()
  }
  const calls = disk.calls
  disk.decide = undefined
  const lost = async () => (await replica.has(acknowledged)).filter((held) => !held).length
  expect(await settled(lost()), `call ${n} ${failure}`).toBe(0)
  expect(await settled(checkReplica(replica).then(() => 'good')), `call ${n} ${failure}`).toBe('good')
  disk.crash('kill')
  journal.crash('kill')
  replica = await reopen()
  expect(await settled(lost()), `call ${n} ${failure}, after a restart`).toBe(0)
  expect(await settled(checkReplica(replica).then(() => 'good')), `call ${n} ${failure}`).toBe('good')
  expect(replica.health().forkedRecords).toBe(0)
  expect(failed || n > calls).toBe(true)
  return calls
}

test('no storage call may fail in a way that loses or spoils anything', { timeout: 600_000 }, async () => {
  const calls = await runScript(Number.POSITIVE_INFINITY, 'unwritten')
  const stride = process.env['EXHAUSTIVE'] === undefined ? 9 : 1
  const from = 1 + (stride === 1 ? 0 : Math.floor(Date.now() / 86_400_000) % stride)
  for (let n = from; n <= calls; n += stride) {
    for (const failure of ['unwritten', 'written'] as const) await runScript(n, failure)
  }
  console.log(`${Math.ceil((calls - from + 1) / stride)} of ${calls} storage calls failed, each in both ways`)
})
