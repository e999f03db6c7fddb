/** The machine's primitives answer as the pure ones do. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex, pureSuite } from '../../crdt/index.ts'
import { checkRuntime, machineClock, machineRandom, nativeSuite, signerFromSeed, zstdCodec } from '../../node/native.ts'
import { seeded } from '../support/seed.ts'

const bytes = (options?: fc.IntArrayConstraints) => fc.uint8Array(options)

test('hashes as the pure code does', async () => {
  await seeded((parameters) =>
    fc.assert(
      fc.property(bytes({ maxLength: 300 }), (message) => {
        expect(nativeSuite.sha256(message)).toEqual(pureSuite.sha256(message))
      }),
      { ...parameters, numRuns: 200 },
    ),
  )
  // A copy, not a view of a pool: what slice gives must be the caller's own.
  const hash = nativeSuite.sha256(new Uint8Array(1))
  expect(hash.constructor).toBe(Uint8Array)
})

test('accepts and refuses the signatures that the pure code does', async () => {
  const signer = signerFromSeed(new Uint8Array(32).fill(3))
  const key = fromHex(signer.key)
  const message = Uint8Array.of(1, 2, 3)
  const signature = signer.sign(message)
  expect(nativeSuite.verify(key, message, signature)).toBe(true)
  await seeded((parameters) =>
    fc.assert(
      fc.property(fc.nat(64 * 8 - 1), fc.constantFrom('key', 'message', 'signature'), (bit, where) => {
        const parts = { key: key.slice(), message: message.slice(), signature: signature.slice() }
        const part = parts[where as keyof typeof parts]
        part[(bit >> 3) % part.length]! ^= 1 << (bit & 7)
        const answer = nativeSuite.verify(parts.key, parts.message, parts.signature)
        expect(answer).toBe(false)
        expect(answer).toBe(pureSuite.verify(parts.key, parts.message, parts.signature))
      }),
      { ...parameters, numRuns: 60 },
    ),
  )
})

test('answers false for keys and signatures of any length, and never throws', async () => {
  await seeded((parameters) =>
    fc.assert(
      fc.property(
        bytes({ maxLength: 70 }),
        bytes({ maxLength: 5 }),
        bytes({ maxLength: 70 }),
        (key, message, signature) => {
          expect(nativeSuite.verify(key, message, signature)).toBe(false)
        },
      ),
      { ...parameters, numRuns: 300 },
    ),
  )
})

test('this runtime passes the signature test', () => {
  expect(() => checkRuntime()).not.toThrow()
})

test('signs as RFC 8032 says', () => {
  const signer = signerFromSeed(fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))
  expect(signer.key).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
  expect(Buffer.from(signer.sign(new Uint8Array(0))).toString('hex')).toBe(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  )
  expect(() => signerFromSeed(new Uint8Array(31))).toThrow(RangeError)
})

test('gives back what it packed, and stops at the bound', async () => {
  const text = new TextEncoder().encode('instruct chat reasoning code vision '.repeat(100))
  const packed = await zstdCodec.compress(text)
  expect(packed.length).toBeLessThan(text.length / 10)
  expect(zstdCodec.decompress(packed, text.length)).toEqual(text)
  expect(() => zstdCodec.decompress(packed, text.length - 1)).toThrow()
  expect(() => zstdCodec.decompress(text, 1_000_000)).toThrow()
})

test('the clock calls once, and not when it was cancelled', async () => {
  let calls = 0
  const cancel = machineClock.after(1, () => calls++)
  cancel()
  await new Promise<void>((resolve) => machineClock.after(5, resolve) && setTimeout(() => {}, 20))
  expect(calls).toBe(0)
  expect(machineClock.monotonic()).toBeLessThanOrEqual(machineClock.monotonic())
  expect(machineRandom.bytes(16).length).toBe(16)
})
