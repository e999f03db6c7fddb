import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  auditPath,
  leafHash,
  narrowProof,
  proofLength,
  pureSha256,
  rootOfPart,
  toHex,
  treeRoot,
  utf8,
  verifyInclusion,
  verifyLeafInclusion,
} from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'
import { leftOutNote, othersFiles, vectorsLeftOut } from '../support/vectors.ts'

const ids = Array.from({ length: 256 }, (_, i) => pureSha256(utf8(`id ${i}`)))

test('the root of RFC 9162 by its own words, for every size of a batch', () => {
  // MTH(D[n]) = H(0x01 | MTH(D[0:k]) | MTH(D[k:n])), k the largest power of two below n.
  const plain = (part: readonly Uint8Array[]): Buffer => {
    if (part.length === 1) return Buffer.from(pureSha256(Buffer.concat([Buffer.of(0), part[0] as Uint8Array])))
    let k = 1
    while (k * 2 < part.length) k *= 2
    return Buffer.from(pureSha256(Buffer.concat([Buffer.of(1), plain(part.slice(0, k)), plain(part.slice(k))])))
  }
  for (const n of [1, 2, 3, 4, 5, 7, 8, 9, 100, 255, 256]) {
    expect(toHex(treeRoot(ids.slice(0, n), pureSha256)), `${n}`).toBe(plain(ids.slice(0, n)).toString('hex'))
  }
  expect(() => treeRoot([], pureSha256)).toThrow(RangeError)
})

describe('audit paths', () => {
  test('lead from every id to the root, and from no other position or size of tree', () => {
    for (const n of [1, 2, 3, 6, 7, 8]) {
      const part = ids.slice(0, n)
      const root = treeRoot(part, pureSha256)
      for (let index = 0; index < n; index++) {
        const id = part[index] as Uint8Array
        const path = auditPath(part, index, pureSha256)
        expect(verifyInclusion(id, index, n, path, root, pureSha256)).toBe(true)
        for (let other = 0; other < n; other++) {
          expect(verifyInclusion(id, other, n, path, root, pureSha256)).toBe(other === index)
        }
        expect(verifyInclusion(id, index, n, [...path, root], root, pureSha256)).toBe(false)
        if (n > 1) expect(verifyInclusion(id, index, n, path.slice(1), root, pureSha256)).toBe(false)
      }
    }
    expect(() => auditPath(ids, 256, pureSha256)).toThrow(RangeError)
  })

  test.skipIf(vectorsLeftOut)(`answer every case of RFC 6962 and 9162 implementations${leftOutNote}`, () => {
    const files = othersFiles('merkle/testdata/inclusion')
    expect(files.length).toBeGreaterThan(40)
    for (const file of files) {
      const { leafIdx, treeSize, root, leafHash, proof, desc, wantErr } = JSON.parse(readFileSync(file, 'utf8'))
      const path = (proof ?? []).map(base64)
      const answer = verifyLeafInclusion(base64(leafHash), leafIdx, treeSize, path, base64(root), pureSha256)
      expect(answer, `${file} ${desc}`).toBe(!wantErr)
    }
  })

  test.each([[-1], [1.5], [Number.NaN], [2 ** 60]])('answer an index of %s', (index) => {
    expect(verifyInclusion(ids[0] as Uint8Array, index, 1, [], new Uint8Array(32), pureSha256)).toBe(false)
  })
})

describe('parts', () => {
  test('any ops of any batch have a proof of as many hashes as it must have, and it gives the root', () =>
    seeded((parameters) =>
      fc.assert(
        fc.property(subsets(), ({ n, outer, inner }) => {
          const whole = { n, positions: range(n), leaves: range(n).map(leaf), hashes: [] }
          const root = treeRoot(ids.slice(0, n), pureSha256)
          const part = { n, positions: outer, leaves: outer.map(leaf), hashes: narrowProof(whole, outer, pureSha256) }
          expect(part.hashes).toHaveLength(proofLength(n, outer))
          expect(rootOfPart(part, pureSha256)).toEqual(root)
          // A part of a part is the same as a part of the whole.
          expect(narrowProof(part, inner, pureSha256)).toEqual(narrowProof(whole, inner, pureSha256))
        }),
        { ...parameters, numRuns: 60 },
      ),
    ))

  test('one op has the hashes of its audit path, from left to right', () => {
    for (const [n, index] of [
      [7, 2],
      [7, 6],
      [256, 100],
      [1, 0],
    ] as const) {
      const whole = { n, positions: range(n), leaves: range(n).map(leaf), hashes: [] }
      const proof = narrowProof(whole, [index], pureSha256)
      const path = auditPath(ids.slice(0, n), index, pureSha256)
      expect(new Set(proof.map(toHex))).toEqual(new Set(path.map(toHex)))
      expect(proof).toHaveLength(path.length)
    }
  })

  test('all ops need no hash', () => {
    for (let n = 1; n <= 256; n += 15) expect(proofLength(n, range(n))).toBe(0)
  })
})

function leaf(index: number): Uint8Array {
  return leafHash(ids[index] as Uint8Array, pureSha256)
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index)
}

/** A batch, some of its positions, and some of those. */
function subsets() {
  return fc
    .integer({ min: 1, max: 256 })
    .chain((n) =>
      fc
        .subarray(range(n), { minLength: 1 })
        .chain((outer) => fc.subarray(outer, { minLength: 1 }).map((inner) => ({ n, outer, inner }))),
    )
}

function base64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text ?? '', 'base64'))
}
