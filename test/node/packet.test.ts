import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRAME_BYTES_MAX, toHex } from '../../crdt/index.ts'
import { packetFramesMax, syncInflatedBytesMax } from '../../node/limits.ts'
import { pack, packetBytes, plainPackets, unpack, zstdPackets } from '../../node/packet.ts'
import { seeded } from '../support/seed.ts'

const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { maxLength: 12 })

function zstd(raw: Uint8Array): Uint8Array {
  return Uint8Array.from([1, ...zstdCompressSync(raw)])
}

test('gives back the frames it was made of, with and without compression', async () => {
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(frames, async (made) => {
        for (const codec of [zstdPackets, plainPackets]) {
          const packet = await pack(made, codec)
          expect(packet.length).toBeLessThanOrEqual(packetBytes(made))
          expect(await unpack(packet, zstdPackets)).toEqual({ ok: true, frames: made })
        }
      }),
      { ...parameters, numRuns: 60 },
    ),
  )
})

test('compresses on another thread what is large, with the same result', async () => {
  const large = Array.from({ length: 4 }, (_, i) => new Uint8Array(200_000).fill(i))
  const packet = await pack(large, zstdPackets)
  expect(packet.length).toBeLessThan(1_000)
  expect(await unpack(packet, zstdPackets)).toEqual({ ok: true, frames: large })
})

test('frames of a packet share no memory, so that keeping one does not keep all', async () => {
  const packet = await pack([new Uint8Array(10).fill(1), new Uint8Array(10).fill(2)], plainPackets)
  const unpacked = await unpack(packet, plainPackets)
  if (!unpacked.ok) throw new Error(unpacked.reason)
  for (const frame of unpacked.frames) expect(frame.buffer.byteLength).toBe(10)
})

test.each([
  ['nothing', new Uint8Array(0)],
  ['an unknown form', Uint8Array.of(2, 0, 0, 0, 1, 7)],
  ['a length cut off', Uint8Array.of(0, 0, 0)],
  ['a frame of no bytes', Uint8Array.of(0, 0, 0, 0, 0)],
  ['a frame longer than the packet', Uint8Array.of(0, 0, 0, 0, 9, 1)],
  ['zstd that is none', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9)],
  ['zstd cut off', zstd(new Uint8Array(5_000)).subarray(0, 12)],
])('refuses %s as malformed', async (_, packet) => {
  expect(await unpack(packet, zstdPackets)).toEqual({ ok: false, reason: 'malformed' })
})

test('stops a compressed bomb at the bound, before the memory is taken', async () => {
  const bomb = zstd(new Uint8Array(256 * 1024 * 1024))
  expect(bomb.length).toBeLessThan(32 * 1024)
  const before = process.memoryUsage().rss
  expect(await unpack(bomb, zstdPackets)).toEqual({ ok: false, reason: 'too-large' })
  expect(process.memoryUsage().rss - before).toBeLessThan(16 * syncInflatedBytesMax)
})

test.each([
  ['a window of 128 MiB', Uint8Array.of(0, 0x88)],
  ['128 MiB of content in one segment', Uint8Array.of(0xa0, 0, 0, 0, 8)],
])('refuses a header that asks for %s before the memory is taken', async (_, header) => {
  const [block, rest] = [Uint8Array.of(1 | (5 << 3), 0, 0), Uint8Array.of(1, 2, 3, 4, 5)]
  const packet = Uint8Array.of(1, 0x28, 0xb5, 0x2f, 0xfd, ...header, ...block, ...rest)
  expect(await unpack(packet, zstdPackets)).toEqual({ ok: false, reason: 'too-large' })
})

test('refuses the packet that kept the fuzzer longest: eight frames of 426 bytes, and two bytes not as they were', async () => {
  const frame = Uint8Array.from({ length: 426 }, (_, i) => i % 251)
  const packet = await pack(
    Array.from({ length: 8 }, () => frame),
    zstdPackets,
  )
  expect(toHex(packet).startsWith('0128b52ffd60700c')).toBe(true)
  packet[11]! ^= 0xff
  packet[12]! ^= 0x55
  expect(await unpack(packet, zstdPackets)).toEqual({ ok: false, reason: 'malformed' })
})

test('refuses more frames than a packet may hold, and a frame larger than any', async () => {
  const many = new Uint8Array(5 * (packetFramesMax + 1))
  for (let at = 3; at < many.length; at += 5) many[at] = 1
  expect(await unpack(zstd(many), zstdPackets)).toEqual({ ok: false, reason: 'too-large' })
  const large = await pack([new Uint8Array(FRAME_BYTES_MAX + 1)], plainPackets)
  expect(await unpack(large, zstdPackets)).toEqual({ ok: false, reason: 'too-large' })
})

test('answers any bytes with frames or a reason, and never throws', async () => {
  const packet = await pack([new Uint8Array(400).fill(5), new Uint8Array(300).fill(6)], zstdPackets)
  await seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(packet.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.uint8Array(),
        async (at, flip, any) => {
          const changed = packet.slice()
          changed[at]! ^= flip
          for (const bytes of [changed, any]) {
            const unpacked = await unpack(bytes, zstdPackets)
            if (!unpacked.ok) expect(['malformed', 'too-large']).toContain(unpacked.reason)
          }
        },
      ),
      { ...parameters, numRuns: 400 },
    ),
  )
})
