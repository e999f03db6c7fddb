/** Bodies that are not there: kept back by a liar and had from somebody honest, or freed for good after an erase. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freeBodies, type Op, openFrame, parseFrame } from '../../crdt/index.ts'
import { LevelDisk } from '../../node/disk-level.ts'
import { eraseGraceMs, tidyMs } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Replica } from '../../node/replica.ts'
import { checkReplica } from '../support/check-replica.ts'
import { openReplica } from '../support/open-replica.ts'
import { authorityOf, identityOf, relying } from '../support/owner.ts'
import { net, type Publisher, publisher } from '../support/publisher.ts'

const owner = publisher(1)

/** The same frames without any body. */
function stripped(frames: readonly Uint8Array[]): Uint8Array[] {
  return frames.map((bytes) => {
    const read = parseFrame(bytes, net, nativeSuite.sha256)
    if (!read.ok) throw new Error(read.reason)
    return freeBodies(read.frame, new Set(read.frame.entries.map(({ op }) => op.id)), nativeSuite.sha256)
  })
}

async function admitted(replica: Replica, frames: readonly Uint8Array[], peer = 'a') {
  const { results, refusedFrames } = await replica.admit(frames, { via: 'sync', peer })
  return [...results.map(({ verdict }) => verdict), ...refusedFrames.map(({ reason }) => reason)]
}

test('a body that a peer kept back is asked of others, and then the record is what it should be', async () => {
  const { replica, disk } = await openReplica()
  const genesis = owner.genesis('a', 'first')
  const record = owner.recordOf('a')
  const set = owner.set(record, [genesis.id], 'second')
  const frames = owner.bytes([genesis, set])
  expect(await admitted(replica, stripped(frames), 'liar')).toEqual(['applied', 'applied'])
  expect(await replica.record(record)).toMatchObject({ doc: {}, incomplete: [genesis.id, set.id] })
  expect(await replica.has([genesis.id, set.id])).toEqual([false, false])
  expect([...replica.damaged(9)].sort()).toEqual([genesis.id, set.id].sort())
  // Without a body again it is no news.
  expect(await admitted(replica, stripped(frames), 'liar')).toEqual(['duplicate', 'duplicate'])
  await replica[Symbol.asyncDispose]()
  const again = await openReplica({ disk })
  expect(await again.replica.has([genesis.id])).toEqual([false])
  await admitted(again.replica, frames, 'honest')
  const merged = (await again.replica.record(record))!
  expect(merged).toMatchObject({ doc: { name: 'second' }, slug: 'a', live: true })
  expect(merged.incomplete).toBeUndefined()
  expect(again.replica.damaged(9)).toEqual([])
  expect(again.replica.counts()).toMatchObject({ ops: 2, records: { thing: 1 } })
})

test('a relay cannot take the sense out of a grant, a revoke or an erase', async () => {
  const { replica } = await openReplica()
  const genesis = owner.genesis('a')
  const authority = authorityOf(owner)
  const grant = authority.grant(publisher(2), { rights: ['write'] })
  await admitted(replica, owner.bytes([genesis, grant]))
  for (const op of [grant, authority.revoke(grant), authority.erase(genesis, [genesis], [genesis])]) {
    const [bytes] = owner.bytes([op]) as [Uint8Array]
    const read = parseFrame(bytes, net, nativeSuite.sha256)
    if (!read.ok) throw new Error(read.reason)
    const without = freeBodies(read.frame, new Set([op.id]), nativeSuite.sha256)
    expect(openFrame(without, net, nativeSuite)).toEqual({ ok: false, reason: 'malformed' })
    // And no refusal of it is remembered: the op itself is as good as ever.
    expect((await admitted(replica, [without], 'liar'))[0]).toBe('malformed')
    expect(['applied', 'duplicate']).toContain((await admitted(replica, [bytes], 'honest'))[0])
  }
})

/** A record of which one op is erased, on any disk; time goes by. */
async function erasing(disk?: LevelDisk) {
  const opened = await openReplica(disk === undefined ? {} : { disk: disk as never })
  const { replica, clock } = opened
  const genesis = owner.genesis('a', 'first')
  const record = owner.recordOf('a')
  const secret = owner.set(record, [genesis.id], `hf_${'secret'.repeat(200)}`)
  const later = owner.patch(record, [secret.id], [['set', ['x'], 1]])
  const erase = authorityOf(owner).erase(genesis, [secret], [later])
  await admitted(replica, owner.bytes([genesis, secret, later, erase]))
  return { ...opened, record, secret, frames: owner.bytes([genesis, secret, later, erase]), clock }
}

test('an erased body is freed after its days of grace, and what is left still proves every op', async () => {
  const { replica, clock, record, secret } = await erasing()
  await clock.advance(eraseGraceMs - tidyMs)
  expect((await replica.op(secret.id))!.body.length).toBeGreaterThan(0)
  await clock.advance(3 * tidyMs)
  expect(await replica.op(secret.id)).toMatchObject({ freed: true, body: new Uint8Array(0) })
  expect(await replica.record(record)).toMatchObject({ doc: { name: 'first', x: 1 }, erased: [secret.id] })
  await checkReplica(replica)
  // Who comes later gets it without the body, and misses nothing.
  const other = await openReplica()
  for await (const { bytes } of replica.log(0)) await admitted(other.replica, [bytes])
  const merged = (await other.replica.record(record))!
  expect(merged.doc).toEqual({ name: 'first', x: 1 })
  expect(merged.incomplete).toBeUndefined()
  expect(other.replica.damaged(9)).toEqual([])
  expect(other.replica.root()).toBe(replica.root())
  expect(await other.replica.stateHash()).toBe(await replica.stateHash())
})

test('freed is freed: the files do not hold it either', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-bodies-'))
  const disk = await LevelDisk.open(join(folder, 'ops'))
  const { replica, clock, secret } = await erasing(disk)
  await clock.advance(eraseGraceMs)
  // The disk is a real one, for which this clock does not wait.
  while (!(await replica.op(secret.id))!.freed) await clock.advance(tidyMs)
  await replica[Symbol.asyncDispose]()
  await disk[Symbol.asyncDispose]()
  for (const file of await readdir(join(folder, 'ops'))) {
    const bytes = await readFile(join(folder, 'ops', file))
    expect([file, bytes.includes('secretsecretsecret')]).toEqual([file, false])
  }
  await rm(folder, { recursive: true, force: true })
})

test('the erase of a stolen key is voided when the key is replaced, and nothing has been freed', async () => {
  const keys = [publisher(21), publisher(22)] as [Publisher, Publisher]
  const [one] = keys
  const identity = identityOf(keys)
  const { replica, clock } = await openReplica()
  const genesis = relying(one, one.genesis('a'), identity.op, identity.owner)
  const { record } = genesis.header
  const erase = authorityOf(one, identity.owner, identity.op.id).erase(genesis, [genesis], [genesis])
  const take = (ops: readonly Op[], by: Publisher) => admitted(replica, by.bytes(ops))
  await take([identity.op, genesis, erase], one)
  expect((await replica.record(record))!.live).toBe(false)
  await take([identity.rotate(1, identity.op, [genesis])], keys[1])
  while (replica.rejudging() > 0) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(eraseGraceMs + 2 * tidyMs)
  expect(await replica.record(record)).toMatchObject({ live: true, doc: { name: 'a' } })
  expect((await replica.op(genesis.id))!.freed).toBeUndefined()
  await checkReplica(replica)
})
