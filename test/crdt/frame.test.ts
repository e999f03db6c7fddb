import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decode,
  encode,
  encodeHeader,
  fromHex,
  networkId,
  openFrame,
  opId,
  type ParsedFrame,
  parseFrame,
  pureSha256,
  pureSuite,
  recordId,
  selectFromFrame,
  toHex,
  type Value,
} from '../../crdt/index.ts'
import { batchOf } from '../support/batch.ts'
import { seeded } from '../support/seed.ts'
import { ownVectors } from '../support/vectors.ts'

type Good = {
  comment: string
  bytes: string
  actor: string
  n: number
  ops: { index: number; id: string; record: string }[]
  refused: { index: number; id: string; reason: string }[]
}
const vectors: { net: string; frames: Good[]; refusedFrames: { comment: string; bytes: string; reason: string }[] } =
  ownVectors('frame')
const { net } = vectors

describe('openFrame', () => {
  test.each(vectors.frames)('$comment', ({ bytes, actor, n, ops, refused }) => {
    const frame = opened(fromHex(bytes))
    expect(frame.actor).toBe(actor)
    expect(frame.n).toBe(n)
    expect(frame.entries.map(({ index, op }) => ({ index, id: op.id, record: op.header.record }))).toEqual(ops)
    expect(frame.refused.map(({ index, op, reason }) => ({ index, id: op, reason }))).toEqual(refused)
  })

  test.each(vectors.refusedFrames)('refuses $comment', ({ bytes, reason }) => {
    expect(openFrame(fromHex(bytes), net, pureSuite)).toEqual({ ok: false, reason })
  })

  test('refuses a frame over 1 MiB before it reads it', () => {
    expect(openFrame(new Uint8Array(1024 * 1024 + 1), net, pureSuite)).toEqual({ ok: false, reason: 'too-large' })
    expect(openFrame(new Uint8Array(1024 * 1024), net, pureSuite)).toEqual({ ok: false, reason: 'malformed' })
  })

  test('refuses a frame in another network than it was signed for', () => {
    const { bytes } = vectors.frames[0] as Good
    expect(openFrame(fromHex(bytes), networkId('lab'), pureSuite)).toEqual({ ok: false, reason: 'bad-signature' })
  })

  test('derives headers whose bytes give the ids, and records whose names give theirs', () => {
    for (const { bytes } of vectors.frames) {
      for (const { op } of opened(fromHex(bytes)).entries) {
        expect(opId(op.header)).toBe(op.id)
        expect(decode(encodeHeader(op.header)).ok).toBe(true)
        if (!op.freed) {
          expect(op.header.bodyLength).toBe(op.body.length)
          expect(op.header.bodyHash).toBe(toHex(pureSha256(op.body)))
        }
        const { genesis } = op.header
        if (genesis !== undefined) expect(recordId({ net, ...genesis })).toBe(op.header.record)
      }
    }
  })

  test('refuses every single-bit change to the bytes', () => {
    // One whole frame and one with positions and hashes. No change leaves another good frame, in this network or none.
    for (const comment of ['one genesis', 'three of seven']) {
      const { bytes } = vectors.frames.find((frame) => frame.comment === comment) as Good
      const before = opened(fromHex(bytes))
      for (let bit = 0; bit < bytes.length * 4; bit++) {
        const changed = fromHex(bytes)
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        const parsed = parseFrame(changed, net)
        // Points take a millisecond each, so only what the cheap checks let through is verified.
        if (!parsed.ok) continue
        const same =
          toHex(parsed.frame.signedMessage) === toHex(before.signedMessage) &&
          toHex(parsed.frame.signature) === toHex(before.signature) &&
          parsed.frame.actor === before.actor
        expect(same, `bit ${bit}`).toBe(false)
        if (bit % 37 === 0) expect(openFrame(changed, net, pureSuite).ok, `bit ${bit}`).toBe(false)
      }
    }
  })

  test('answers any bytes, and any frame in which any part is replaced', () =>
    seeded((parameters) => {
      const frames = vectors.frames
        .map(({ bytes }) => decode(fromHex(bytes)))
        .filter((decoded) => decoded.ok)
        .map(({ value }) => value as Value[])
      const part = fc.oneof(
        fc.constantFrom<Value>(null, 0, 1, 256, -1, 1.5, '', new Uint8Array(32), [], {}, [[]]),
        fc.uint8Array({ maxLength: 70 }),
        fc.array(fc.nat({ max: 8 }), { maxLength: 8 }),
        fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 8 }),
      )
      fc.assert(
        fc.property(
          fc.nat(),
          fc.nat({ max: 5 }),
          fc.nat({ max: 8 }),
          part,
          fc.boolean(),
          (which, at, inner, part, deep) => {
            const frame = [...(frames[which % frames.length] as Value[])]
            if (!deep) frame[at] = part
            else {
              const entries = [...(frame[5] as Value[])]
              const entry = [...(entries[0] as Value[])]
              entry[Math.min(inner, entry.length)] = part
              entries[0] = entry
              frame[5] = entries
            }
            const bytes = encode(frame)
            const parsed = parseFrame(bytes, net)
            if (parsed.ok) expect(parsed.frame.entries.length + parsed.frame.refused.length).toBeGreaterThan(0)
            else expect(['malformed', 'bad-key', 'bad-proof', 'bad-signature']).toContain(parsed.reason)
          },
        ),
        { ...parameters, numRuns: 500 },
      )
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          expect(parseFrame(bytes, net).ok).toBe(false)
        }),
        parameters,
      )
    }))

  test('hashes nothing when positions and counts do not fit', () => {
    let hashed = 0
    const counting = (bytes: Uint8Array): Uint8Array => {
      hashed++
      return pureSha256(bytes)
    }
    for (const { bytes, reason } of vectors.refusedFrames) {
      hashed = 0
      parseFrame(fromHex(bytes), net, counting)
      if (reason === 'bad-proof' || reason === 'bad-key') expect(hashed).toBe(0)
    }
  })
})

describe('selectFromFrame', () => {
  const seven = opened(fromHex((vectors.frames.find(({ comment }) => comment === 'seven ops') as Good).bytes))
  const ids = seven.entries.map(({ op }) => op.id)

  test('any part of any part opens, and is the same as that part of the whole', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(
          fc
            .subarray(ids, { minLength: 1 })
            .chain((outer) => fc.tuple(fc.constant(outer), fc.subarray(outer, { minLength: 1 }))),
          ([outer, inner]) => {
            const part = parsed(selectFromFrame(seven, new Set(outer)))
            expect(part.entries.map(({ op }) => op.id)).toEqual(outer)
            // The signature is over the same bytes as the whole batch's, which was opened above.
            expect(part.signedMessage).toEqual(seven.signedMessage)
            expect(part.signature).toEqual(seven.signature)
            expect(part.entries.every(({ index }) => ids[index] === seven.entries[index]?.op.id)).toBe(true)
            const innermost = selectFromFrame(part, new Set(inner))
            expect(toHex(innermost)).toBe(toHex(selectFromFrame(seven, new Set(inner))))
          },
        ),
        { ...parameters, numRuns: 40 },
      ),
    ))

  test('all ops are the frame itself, and ids that it does not carry are passed over', () => {
    expect(selectFromFrame(seven, new Set([...ids, 'ff'.repeat(32)]))).toBe(seven.bytes)
    expect(() => selectFromFrame(seven, new Set(['ff'.repeat(32)]))).toThrow(RangeError)
  })

  test('leaves out ops that were refused, and keeps them when they are wanted', () => {
    const mixed = opened(
      fromHex((vectors.frames.find(({ comment }) => comment === 'a bad op between good ones') as Good).bytes),
    )
    const good = opened(selectFromFrame(mixed, new Set(mixed.entries.map(({ op }) => op.id))))
    expect([good.entries.length, good.refused.length]).toEqual([2, 0])
    const bad = opened(selectFromFrame(mixed, new Set([mixed.refused[0]?.op as string])))
    expect([bad.entries.length, bad.refused.length]).toEqual([0, 1])
  })

  test('one op of the largest batch is proved by 8 hashes', () => {
    const frame = batchOf(256)
    const part = selectFromFrame(frame, new Set([frame.entries[200]?.op.id as string]))
    expect(part.length).toBeLessThan(256 + 8 * 34 + 200)
    expect(opened(part).entries.map(({ index }) => index)).toEqual([200])
  })
})

function opened(bytes: Uint8Array): ParsedFrame {
  const result = openFrame(bytes, net, pureSuite)
  if (!result.ok) throw new Error(result.reason)
  return result.frame
}

function parsed(bytes: Uint8Array): ParsedFrame {
  const result = parseFrame(bytes, net)
  if (!result.ok) throw new Error(result.reason)
  return result.frame
}
