/**
 * Stores of older formats: brought to the present one, also when that is cut off at any step, and refused when they are
 * newer. The rows in fixtures/format-1.json were written by version 0.1.0.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fromHex, merge, recordStateHash, stateHash, toHex } from '../../crdt/index.ts'
import { nativeSuite, zstdCodec } from '../../node/native.ts'
import { FORMAT, type Meta, metaKey, metaRow, readMeta, sealed, unsealed } from '../../node/rows.ts'
import { checkReplica } from '../support/check-replica.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { openReplica } from '../support/open-replica.ts'
import { net, publisher } from '../support/publisher.ts'

const { sha256 } = nativeSuite
const fixture = JSON.parse(readFileSync(new URL('../fixtures/format-1.json', import.meta.url), 'utf8')) as {
  root: string
  state_hash: string
  counts: { ops: number; seq: number }
  rows: [string, string][]
}

async function oldDisk(): Promise<FaultyDisk> {
  const disk = new FaultyDisk()
  await disk.batch(fixture.rows.map(([key, value]) => ({ key: fromHex(key), value: fromHex(value) })))
  disk.batches = []
  return disk
}

async function metaOf(disk: FaultyDisk): Promise<Meta> {
  return readMeta(unsealed((await disk.get(metaKey))!, sha256)!)!
}

async function rowsOf(disk: FaultyDisk): Promise<string[]> {
  const rows: string[] = []
  for await (const [key, value] of disk.entries({})) rows.push(`${toHex(key)} ${toHex(value)}`)
  return rows
}

const open = (disk: FaultyDisk) => openReplica({ disk, codec: zstdCodec })

test('a store of format 1 opens, holds the same ops, and its records are as today’s rules make them', async () => {
  const disk = await oldDisk()
  expect(await metaOf(disk)).toMatchObject({ format: 1 })
  const { epoch } = await metaOf(disk)
  const { replica, logged } = await open(disk)
  expect(await metaOf(disk)).toEqual({ format: FORMAT, net, epoch })
  expect(replica.root()).toBe(fixture.root)
  expect(replica.counts()).toMatchObject(fixture.counts)
  // The hash names the rules, whose number has grown since; what they make of these ops is the same.
  const records = await replica.list({ limit: Number.MAX_SAFE_INTEGER })
  expect(
    stateHash(
      records.map((merged) => recordStateHash(merged)),
      1,
    ),
  ).toBe(fixture.state_hash)
  expect(logged.map(({ message }) => message)).toContain('the store has the newer format')
  // What the old program could not say of two heads by one key.
  const branched = (await replica.list({ limit: 10 })).filter(({ heads }) => heads.length > 1)
  expect(branched.map(({ equivocations }) => equivocations?.length)).toEqual([1])
  for (const record of await replica.list({ limit: 10 })) {
    const { items } = await replica.history(record.record, { limit: 100 })
    expect(record).toEqual(merge(items, sha256))
  }
  await checkReplica(replica)
  // It goes on as any other, and the next start has nothing to bring up.
  const p = publisher(1)
  const { results } = await replica.admit(p.bytes([p.genesis('new')]), { via: 'http' })
  expect(results.map(({ verdict }) => verdict)).toEqual(['applied'])
  await replica[Symbol.asyncDispose]()
  const again = await open(disk)
  expect(again.logged).toEqual([])
  await again.replica[Symbol.asyncDispose]()
})

test('cut off at any write, it is done again, and comes to the same rows', async () => {
  const whole = await oldDisk()
  const first = await open(whole)
  const writes = whole.batches.length
  await first.replica[Symbol.asyncDispose]()
  expect(writes).toBeGreaterThanOrEqual(3)
  const wanted = await rowsOf(whole)
  for (const written of [false, true]) {
    for (let cut = 0; cut < writes; cut++) {
      const disk = await oldDisk()
      const isCut = cutAt(disk, cut, written)
      await expect(open(disk)).rejects.toThrow('EIO')
      expect(isCut()).toBe(true)
      const { format, from } = await metaOf(disk)
      // From the first changed row on an older program refuses it.
      expect([format, from]).toEqual(format === 1 ? [1, undefined] : [FORMAT, from])
      const { replica } = await open(disk)
      await replica[Symbol.asyncDispose]()
      expect(await rowsOf(disk)).toEqual(wanted)
    }
  }
})

/** Fails the write of this number, having written it or not; what comes later fails too, as after a kill. */
function cutAt(disk: FaultyDisk, number: number, written: boolean): () => boolean {
  const batch = disk.batch.bind(disk)
  let count = 0
  let isCut = false
  disk.batch = async (changes, options) => {
    if (count++ < number) return batch(changes, options)
    isCut = true
    if (written) await batch(changes, options)
    disk.batch = batch
    throw new Error('EIO')
  }
  return () => isCut
}

test('a store of a newer format is refused by name and left as it is', async () => {
  const disk = await oldDisk()
  const meta = { ...(await metaOf(disk)), format: FORMAT + 1 }
  await disk.batch([{ key: metaKey, value: sealed(metaRow(meta), sha256) }])
  const before = await rowsOf(disk)
  await expect(open(disk)).rejects.toMatchObject({
    code: 'store-format',
    message: expect.stringContaining(`format ${FORMAT + 1}`),
  })
  expect(await rowsOf(disk)).toEqual(before)
})

test('what each owner and actor has is counted as if it had arrived now', async () => {
  const { replica: old } = await open(await oldDisk())
  const { replica: fresh } = await openReplica()
  const frames: Uint8Array[] = []
  for await (const { bytes } of old.log(0)) frames.push(bytes)
  await fresh.admit(frames, { via: 'sync', peer: 'x' })
  expect(fresh.root()).toBe(old.root())
  const owners = new Set((await old.list({ limit: 100 })).map(({ owner }) => owner))
  expect(owners.size).toBeGreaterThan(0)
  for (const owner of owners) {
    const usage = await old.usage(owner)
    expect(usage).toEqual(await fresh.usage(owner))
    expect(usage.records).toBeGreaterThan(0)
  }
})
