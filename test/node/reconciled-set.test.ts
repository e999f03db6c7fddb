import { expect, test } from 'vitest'
import { fromHex, IdSet, Sketch, toHex } from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { ReconciledSet } from '../../node/reconciled-set.ts'
import { turn } from '../../node/turn.ts'

const { sha256 } = nativeSuite
const id = (n: number) => toHex(sha256(new TextEncoder().encode(`id ${n}`)))

test('a sketch made bit by bit is that of the set, whatever comes and goes meanwhile', async () => {
  const set = new ReconciledSet('all', new IdSet(sha256))
  for (let n = 0; n < 33_000; n++) set.add(id(n))
  let next = 33_000
  await set.prepare(async () => {
    for (let i = 0; i < 20; i++) set.add(id(next++))
    set.delete(id(next - 30_000))
  })
  expect(set.kept?.symbols).toBe(65_536)
  const fresh = new Sketch(65_536)
  for (const held of set.ids.ids()) fresh.add(fromHex(held))
  expect(set.kept!.toBytes()).toEqual(fresh.toBytes())
})

test('forgotten while it is being made, it is not kept', async () => {
  const set = new ReconciledSet('all', new IdSet(sha256))
  for (let n = 0; n < 33_000; n++) set.add(id(n))
  await set.prepare(async () => set.forgetSketch())
  expect(set.kept).toBeUndefined()
})

test('two who ask at one time wait for one, and a set that has outgrown its sketch gets a larger one', async () => {
  const set = new ReconciledSet('all', new IdSet(sha256))
  for (let n = 0; n < 5_000; n++) set.add(id(n))
  let turns = 0
  const counted = async () => {
    turns++
  }
  const [one, other] = await Promise.all([set.sketch(counted), set.sketch(counted)])
  expect(one).toBe(other)
  expect([one.symbols, one.size, turns]).toEqual([16_384, 5_000, 4])
  for (let n = 5_000; n < 17_000; n++) set.add(id(n))
  const larger = await set.sketch(async () => void set.add(id(20_000 + turns++)))
  const fresh = new Sketch(65_536)
  for (const held of set.ids.ids()) fresh.add(fromHex(held))
  expect(larger.toBytes()).toEqual(fresh.toBytes())
})

test('what is added twice or deleted without being there leaves set and sketch as they are', async () => {
  const set = new ReconciledSet('all', new IdSet(sha256))
  await set.sketch(turn)
  expect([set.add(id(1)), set.add(id(1)), set.delete(id(2)), set.has(id(1)), set.size]).toEqual([
    true,
    false,
    false,
    true,
    1,
  ])
  expect((await set.sketch(turn)).size).toBe(1)
  expect(set.startingWith(id(1).slice(0, 16))).toEqual([id(1)])
})
