import { describe, expect, test } from 'vitest'
import {
  BODY_BYTES_MAX,
  type Draft,
  draftOp,
  encode,
  FRAME_BYTES_MAX,
  openFrame,
  ownerOfKey,
  prepareBatches,
  pureSuite,
  signBatch,
  signOps,
  toHex,
} from '../../crdt/index.ts'
import { genesis, KEY, NET, options } from '../support/batch.ts'

const PARENT = 'aa'.repeat(32)
const RECORD = 'bb'.repeat(32)

function patch(bytes: number, changes: Partial<Extract<Draft, { parents: unknown }>> = {}): Draft {
  return { type: 'patch', record: RECORD, parents: [PARENT], w: 1, body: new Uint8Array(bytes), ...changes }
}

describe('what is signed', () => {
  test('opens as the ops that were drafted, in order, and the frame says what parsing it would say', () => {
    const drafts: Draft[] = [
      genesis('x'),
      { type: 'put', record: RECORD, parents: [PARENT], w: 2, body: encode({}) },
      patch(10),
      { type: 'delete', record: RECORD, parents: [PARENT], w: 3, body: new Uint8Array(0) },
    ]
    const [signed, ...others] = signBatch(drafts, options)
    expect(others).toEqual([])
    const opened = openFrame(signed?.frame.bytes as Uint8Array, NET, pureSuite)
    expect(opened).toEqual({ ok: true, frame: signed?.frame })
    expect(signed?.frame.entries.map(({ op }) => op.header.type)).toEqual([1, 2, 3, 4])
    expect(signed?.frame.entries.map(({ op }) => op.id)).toEqual(drafts.map((draft) => draftOp(draft, options).id))
  })

  test('a draft may name as parent an op of the same batch', () => {
    const first = draftOp(genesis('x'), options)
    const next = draftOp(patch(3, { record: first.header.record, parents: [first.id] }), options)
    const [signed] = signOps([first, next], options)
    expect(signed?.frame.entries[1]?.op.header.parents).toEqual([first.id])
    expect(openFrame(signed?.frame.bytes as Uint8Array, NET, pureSuite).ok).toBe(true)
  })

  test('a signature that takes its time gives the same frame', () => {
    const ops = [draftOp(genesis('x'), options)]
    const [prepared] = prepareBatches(ops, options)
    const frame = prepared?.seal(options.sign(prepared.message))
    expect(frame).toEqual(signOps(ops, options)[0]?.frame)
    expect(() => prepared?.seal(new Uint8Array(63))).toThrow(RangeError)
  })

  test('parents are put in order', () => {
    const op = draftOp(patch(0, { parents: ['cc'.repeat(32), PARENT] }), options)
    expect(op.header.parents).toEqual([PARENT, 'cc'.repeat(32)])
  })
})

describe('batches', () => {
  test('hold up to 256 ops, with one signature each', () => {
    let signatures = 0
    const sign = (message: Uint8Array): Uint8Array => {
      signatures++
      return options.sign(message)
    }
    const drafts = Array.from({ length: 513 }, (_, i) => genesis(`model ${i}`))
    const signed = signBatch(drafts, { ...options, sign })
    expect(signed.map(({ frame }) => frame.n)).toEqual([256, 256, 1])
    expect(signatures).toBe(3)
    const ids = signed.flatMap(({ frame }) => frame.entries.map(({ op }) => op.id))
    expect(ids).toEqual(drafts.map((draft) => draftOp(draft, options).id))
    expect(signBatch([], options)).toEqual([])
  })

  test('stay below the size of a frame, or of a smaller bound', () => {
    const drafts = Array.from({ length: 9 }, () => patch(BODY_BYTES_MAX))
    const signed = signBatch(drafts, options)
    expect(signed.map(({ frame }) => frame.n)).toEqual([3, 3, 3])
    for (const { frame } of signed) {
      expect(frame.bytes.length).toBeLessThanOrEqual(FRAME_BYTES_MAX)
      expect(openFrame(frame.bytes, NET, pureSuite).ok).toBe(true)
    }
    const small = signBatch([...drafts, patch(1), patch(2)], { ...options, frameBytesMax: 4096 })
    expect(small.map(({ frame }) => frame.n)).toEqual([...drafts.map(() => 1), 2])
  })

  test('of the most parents and the longest names stay below it too', () => {
    const parents = Array.from({ length: 16 }, (_, i) => toHex(new Uint8Array(32).fill(i)))
    const slug = 'é'.repeat(128)
    const named: Draft = {
      type: 'genesis',
      owner: ownerOfKey(KEY),
      kind: 'k'.repeat(32),
      slug,
      w: 2 ** 43 - 1,
      body: encode(0),
    }
    const full = [
      ...Array.from({ length: 128 }, () => patch(3300, { parents, w: 2 ** 43 - 1 })),
      ...Array.from({ length: 128 }, () => named),
    ]
    for (const frameBytesMax of [2000, 65536, FRAME_BYTES_MAX]) {
      for (const { frame } of signBatch(full.slice(64, 192), { ...options, frameBytesMax })) {
        if (frame.n > 1) expect(frame.bytes.length).toBeLessThanOrEqual(frameBytesMax)
      }
    }
  })
})

test.each<[string, Draft]>([
  ['a body over 256 KiB', patch(BODY_BYTES_MAX + 1)],
  ['no parents', patch(0, { parents: [] })],
  ['a parent twice', patch(0, { parents: [PARENT, PARENT] })],
  ['17 parents', patch(0, { parents: Array.from({ length: 17 }, (_, i) => toHex(new Uint8Array(32).fill(i))) })],
  ['a parent that is no id', patch(0, { parents: ['aa'] })],
  ['a record that is none', patch(0, { record: 'bb' })],
  ['a time below 0', patch(0, { w: -1 })],
  ['a time with a fraction', patch(0, { w: 0.5 })],
  ['another owner', { ...genesis('x'), owner: ownerOfKey(PARENT) } as Draft],
  ['a blank slug', genesis(' ')],
  ['a kind that is none', { ...genesis('x'), kind: 'Model' } as Draft],
])('refuses to sign %s', (_, draft) => {
  expect(() => signBatch([draft], options)).toThrow(RangeError)
})
