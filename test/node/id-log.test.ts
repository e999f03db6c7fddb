/** The rows that make a start quick: they say what arrived, the sketch that of these rows and nothing else. */
import { beforeAll, expect, test } from 'vitest'
import { IdSet, Sketch, toHex } from '../../crdt/index.ts'
import { IdLog } from '../../node/id-log.ts'
import type { Arrival } from '../../node/id-rows.ts'
import { idChunkOps, idRestOpsMin, idSketchChunks } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import { ReconciledSet } from '../../node/reconciled-set.ts'
import { turn } from '../../node/turn.ts'
import { FaultyDisk } from '../support/faulty-disk.ts'
import { idle } from '../support/manual-clock.ts'

const { sha256 } = nativeSuite
const chunks = idSketchChunks + 1
const owners = ['a', 'b', 'c'].map((digit) => `01${digit.repeat(64)}`)
const id = (n: number) => toHex(sha256(Uint8Array.of(n >>> 16, n >>> 8, n)))
const arrivals: Arrival[] = Array.from({ length: chunks * idChunkOps + 90 }, (_, n) => ({
  id: id(n),
  seq: n + 1,
  of: { kind: n % 2 ? 'model' : '', owner: owners[n % 3]! },
}))
const other = 'ff'.repeat(32)
const logged: string[] = []
const open = (disk: FaultyDisk) =>
  new IdLog({ disk, sha256, log: (_, message) => logged.push(message), others: () => [other] })

const disk = new FaultyDisk()
beforeAll(async () => {
  const all = new ReconciledSet('all', new IdSet(sha256))
  for (const arrival of arrivals) all.add(arrival.id)
  await all.sketch(turn)
  // Known, and no arrival.
  all.add(other)
  const log = open(disk)
  await log.open()
  log.resume([], 0)
  for (let from = 0; from < arrivals.length; from += 500) {
    log.append(arrivals.slice(from, from + 500), all)
    await idle()
  }
  await log.close(all)
})

test('every full row is read back, the rest is for the frames to tell', async () => {
  const read = await open(disk).open()
  expect(read.parts.map(({ length }) => length / 32)).toEqual(Array(chunks).fill(idChunkOps))
  expect(read.upto).toBe(chunks * idChunkOps)
  expect(toHex(read.parts[1]!.subarray(0, 32))).toBe(id(idChunkOps))
})

test('the sketch is that of the rows that it names, without what came later or never arrived', async () => {
  const read = await open(disk).open()
  expect(read.sketchParts).toBe(chunks)
  const fresh = new Sketch(65_536)
  for (const part of read.parts) for (let at = 0; at < part.length; at += 32) fresh.add(part.subarray(at, at + 32))
  expect(read.sketch!.toBytes()).toEqual(fresh.toBytes())
})

test('what arrived is told in order with where it belongs, once the log is whole', async () => {
  const log = open(disk)
  await log.open()
  await expect(log.arrivals()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'busy' })
  log.resume(arrivals.slice(chunks * idChunkOps), arrivals.length)
  let n = 0
  for await (const told of log.arrivals()) {
    const { id, of } = arrivals[n++]!
    if (told.id !== id || told.of.kind !== of.kind || told.of.owner !== of.owner) expect(told).toEqual({ id, of })
  }
  expect(n).toBe(arrivals.length)
})

test('a log that is closed leaves little to the frames, and goes on behind its last row', async () => {
  const disk = new FaultyDisk()
  const none = new ReconciledSet('all', new IdSet(sha256))
  const count = 2 * idChunkOps + 2 * idRestOpsMin
  const steps = [idRestOpsMin, idChunkOps + idRestOpsMin, count]
  for (const [step, to] of steps.entries()) {
    const log = open(disk)
    const { upto } = await log.open()
    expect(upto).toBe(steps[step - 1] ?? 0)
    log.resume([], upto)
    log.append(arrivals.slice(upto, to), none)
    await log.close(none)
  }
  const { parts } = await open(disk).open()
  const ids = parts.flatMap((part) =>
    Array.from({ length: part.length / 32 }, (_, i) => part.subarray(32 * i, 32 * i + 32)),
  )
  expect(ids.map(toHex)).toEqual(arrivals.slice(0, count).map((arrival) => arrival.id))
})

test('rows behind a damaged one are given up, and the sketch that speaks of them', async () => {
  const damaged = new FaultyDisk()
  for await (const [key, value] of disk.entries({})) await damaged.batch([{ key, value }])
  await damaged.damage('i', 5, 700)
  const read = await open(damaged).open()
  expect([read.parts.length, read.sketch, await damaged.keysFrom('i')]).toMatchObject([5, undefined, { length: 5 }])
  expect(logged.at(-1)).toMatch('damaged')

  const noSketch = new FaultyDisk()
  for await (const [key, value] of disk.entries({})) await noSketch.batch([{ key, value }])
  await noSketch.damage('s', 0, 700)
  expect(await open(noSketch).open()).toMatchObject({ sketch: undefined, sketchParts: 0, parts: { length: chunks } })
})
