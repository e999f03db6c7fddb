/** Signatures checked in threads have the answers that they have in this one. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex } from '../../crdt/index.ts'
import { verifyQueueMax } from '../../node/limits.ts'
import { nativeSuite, signerFromSeed } from '../../node/native.ts'
import type { Signature } from '../../node/replica-types.ts'
import { Verifier } from '../../node/verifier.ts'
import { packGroup, unpackGroup } from '../../node/verify-group.ts'
import { seeded } from '../support/seed.ts'

const signers = [1, 2, 3].map((n) => signerFromSeed(new Uint8Array(32).fill(n)))

function signature(n: number): Signature {
  const signer = signers[n % signers.length]!
  const message = new Uint8Array((n * 7) % 200).fill(n)
  return { key: fromHex(signer.key), message, signature: signer.sign(message) }
}

/** Some good, some by another key, some over another message, some of wrong lengths. */
function mixed(count: number): { items: Signature[]; wanted: boolean[] } {
  const items = Array.from({ length: count }, (_, i) => {
    const good = signature(i)
    if (i % 5 === 1) return { ...good, key: fromHex(signers[(i + 1) % signers.length]!.key) }
    if (i % 5 === 2) return { ...good, message: Uint8Array.of(...good.message, 1) }
    if (i % 25 === 3) return { ...good, signature: good.signature.subarray(0, 63) }
    if (i % 25 === 8) return { ...good, key: new Uint8Array(33) }
    return good
  })
  return { items, wanted: items.map(({ key, message, signature }) => nativeSuite.verify(key, message, signature)) }
}

test('a group reads back as it was packed', async () => {
  const item = fc.record({
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    message: fc.uint8Array({ maxLength: 300 }),
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  })
  await seeded((parameters) =>
    fc.assert(
      fc.property(fc.array(item, { maxLength: 10 }), (items) => {
        expect(unpackGroup(packGroup(items))).toEqual(items)
      }),
      { ...parameters, numRuns: 50 },
    ),
  )
})

test.each([0, 1, 2])(
  'with %i threads every verdict is in its place, whatever the size of the group',
  async (threads) => {
    await using verifier = new Verifier({ threads })
    for (const size of [0, 1, 2, 3, 17, 600]) {
      const { items, wanted } = mixed(size)
      expect(await verifier.verify(items)).toEqual(wanted)
    }
    expect(verifier.waiting).toBe(0)
  },
)

test('many groups at once do not mix', async () => {
  await using verifier = new Verifier({ threads: 2 })
  const groups = Array.from({ length: 20 }, (_, i) => mixed(10 + i))
  const answers = await Promise.all(groups.map(({ items }) => verifier.verify(items)))
  expect(answers).toEqual(groups.map(({ wanted }) => wanted))
})

test('what would wait beyond the bound is refused, and nothing before it is lost', async () => {
  await using verifier = new Verifier({ threads: 1 })
  const { items, wanted } = mixed(10)
  const waiting = verifier.verify(items)
  const flood = Array.from({ length: verifyQueueMax }, () => items[0]!)
  await expect(verifier.verify(flood)).rejects.toMatchObject({ code: 'busy' })
  expect(await waiting).toEqual(wanted)
  expect(verifier.waiting).toBe(0)
})

test('callers are answered though threads die', async () => {
  const { items, wanted } = mixed(40)
  await using verifier = new Verifier({ threads: 2 })
  await verifier.verify(items)
  const waiting = [verifier.verify(items), verifier.verify(items)]
  await verifier.killThreads()
  expect(await Promise.all(waiting)).toEqual([wanted, wanted])
  expect(await verifier.verify(items)).toEqual(wanted)
})

test('threads end when there is nothing to do, and start again', async () => {
  const { items, wanted } = mixed(17)
  await using verifier = new Verifier({ threads: 1, restMs: 1 })
  for (let round = 0; round < 2; round++) {
    expect(await verifier.verify(items)).toEqual(wanted)
    await expect.poll(() => verifier.threads).toBe(0)
  }
})

test('a closed verifier says so', async () => {
  const verifier = new Verifier({ threads: 1 })
  await verifier[Symbol.asyncDispose]()
  await expect(verifier.verify([signature(1)])).rejects.toMatchObject({ code: 'closed' })
})
