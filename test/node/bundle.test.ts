/**
 * Bundles: what is written is what is read, a part of the catalogue is whole by itself, and whatever is done to the file
 * costs no more than the parts that it was done to.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, ownerOfKey, u32be, utf8 } from '../../crdt/index.ts'
import {
  type BundleItem,
  type BundleOf,
  bundleHeadBytes,
  bundleNet,
  readBundle,
  writeBundle,
} from '../../node/bundle.ts'
import { bundleDamageMax } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import { zstdPackets } from '../../node/packet.ts'
import type { ReplicaFace } from '../../node/replica-types.ts'
import { openReplica } from '../support/open-replica.ts'
import { geneses, NET, patches, signerOf } from '../support/peer.ts'
import { seeded } from '../support/seed.ts'

const suite = { codec: zstdPackets, sha256: nativeSuite.sha256 }

async function replicaOf(frames: readonly Uint8Array[]): Promise<ReplicaFace> {
  const { replica } = await openReplica({ net: NET })
  await replica.admit(frames, { via: 'sync', peer: 'x' })
  return replica
}

async function bytesOf(replica: ReplicaFace, of: BundleOf = {}): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of writeBundle(replica, of, suite)) pieces.push(piece)
  return concat(...pieces)
}

async function itemsOf(bytes: Uint8Array, chunk = 10_000): Promise<BundleItem[]> {
  const chunks = async function* () {
    for (let at = bundleHeadBytes; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
  }
  const items: BundleItem[] = []
  for await (const item of readBundle(NET, chunks(), suite)) items.push(item)
  return items
}

const framesOf = (items: readonly BundleItem[]) => items.flatMap((item) => (item.is === 'part' ? item.frames : []))
const partsOf = (items: readonly BundleItem[]) => items.filter(({ is }) => is === 'part')

// Long enough that there are several parts.
const text = Array.from({ length: 80 }, (_, i) => Math.sin(i).toString(36)).join('')
const models = geneses(1, 600, { batch: 20 })
const agents = geneses(2, 300, { batch: 20, kind: 'agent', pad: 3_000 })
const changes = patches(
  1,
  Array.from({ length: 100 }, (_, i) => ({ record: models.records[i]!, head: models.ids[i]! })),
  text,
)
const full = await replicaOf([...models.frames, ...agents.frames, ...changes.frames])
const whole = await bytesOf(full)

test('holds everything, in an order in which it can be taken in, and says so', async () => {
  expect(bundleNet(whole)).toBe(NET)
  const items = await itemsOf(whole)
  expect(partsOf(items).length).toBeGreaterThan(3)
  expect(items.at(-1)).toMatchObject({ is: 'end', isWhole: true })
  const { replica } = await openReplica({ net: NET })
  for (const item of items) {
    if (item.is !== 'part') continue
    const admitted = await replica.admit(item.frames, { via: 'file' })
    expect(admitted.missing).toEqual([])
  }
  expect(replica.root()).toBe(full.root())
})

test('of a kind, an owner or some records it holds all their ops and no others', async () => {
  const owner = ownerOfKey(signerOf(1).key)
  const cases: [BundleOf, number][] = [
    [{ kinds: ['agent'] }, 300],
    [{ kinds: ['agent', 'model'] }, 1_000],
    [{ owners: [owner] }, 700],
    [{ owners: [owner], kinds: ['agent'] }, 0],
    [{ records: new Set(models.records.slice(0, 5)) }, 10],
    [{ records: new Set(models.records.slice(0, 5)), kinds: ['agent'] }, 0],
  ]
  for (const [of, ops] of cases) {
    const items = await itemsOf(await bytesOf(full, of))
    const taken = await replicaOf(framesOf(items))
    expect([taken.counts().ops, items.at(-1)]).toMatchObject([ops, { is: 'end', isWhole: true }])
    expect(taken.pending().ops).toBe(0)
  }
})

test('cut anywhere, it gives the parts before the cut and says that its end is missing', async () => {
  const all = partsOf(await itemsOf(whole))
  for (const share of [0.001, 0.2, 0.5, 0.77, 0.999]) {
    const length = Math.max(bundleHeadBytes, Math.floor(whole.length * share))
    const items = await itemsOf(whole.subarray(0, length), 777)
    const parts = partsOf(items)
    expect(parts).toEqual(all.slice(0, parts.length))
    expect(items.at(-2)).toMatchObject({ is: 'damage' })
    expect(items.at(-1)).toMatchObject({ is: 'end', isWhole: false })
  }
})

test('a flipped bit costs the part that it is in, which is named', async () => {
  const all = partsOf(await itemsOf(whole))
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(fc.nat(whole.length - bundleHeadBytes - 17), fc.nat(7), async (where, bit) => {
        const at = bundleHeadBytes + where
        const damaged = whole.slice()
        damaged[at]! ^= 1 << bit
        const items = await itemsOf(damaged)
        const lost = all.findIndex((part, i) => part.at <= at && at < (all[i + 1]?.at ?? whole.length))
        expect(partsOf(items)).toEqual(all.filter((_, i) => i !== lost))
        expect(items.filter(({ is }) => is === 'damage')).toMatchObject([{ at: all[lost]!.at }])
        expect(items.at(-1)).toMatchObject({ is: 'end', isWhole: false })
      }),
      { ...parameters, numRuns: 25 },
    ),
  )
})

test('a part that is taken out is missed at the end', async () => {
  const [, second, third] = partsOf(await itemsOf(whole))
  const items = await itemsOf(concat(whole.subarray(0, second!.at), whole.subarray(third!.at)))
  expect(items.slice(-2)).toMatchObject([
    { is: 'damage', why: '1 parts are missing' },
    { is: 'end', isWhole: false },
  ])
})

test('any bytes behind the head end in bounded work', async () => {
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), async (bytes) => {
        const items = await itemsOf(concat(whole.subarray(0, bundleHeadBytes), bytes), 100)
        expect(items.at(-1)).toMatchObject({ is: 'end', isWhole: false })
      }),
      { ...parameters, numRuns: 50 },
    ),
  )
  // Nothing but beginnings of parts, each of which claims to be large.
  const begin = concat(utf8('part'), u32be(4_000), new Uint8Array(8))
  const many = concat(whole.subarray(0, bundleHeadBytes), ...Array(20_000).fill(begin))
  const items = await itemsOf(many, 65_536)
  expect(items).toMatchObject([{ is: 'damage', why: 'too much of it is damaged' }, { is: 'end' }])
  expect((items[1] as { at: number }).at).toBeLessThan(20 * bundleDamageMax)
})

test('what is no bundle has no network', () => {
  expect(bundleNet(utf8('{"name":"a model in a catalogue file"}'))).toBeUndefined()
  expect(bundleNet(whole.subarray(0, bundleHeadBytes - 1))).toBeUndefined()
})
