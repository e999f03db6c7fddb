/** Roots of sets of ids, small and large, and of ids that share their first digits. */
import { concat, IdSet, pureSha256, toHex, u32be, utf8 } from '../../crdt/index.ts'

export function setVectors(): unknown {
  return {
    comment:
      'SPEC.md section 8. `count`: the ids are SHA-256 of "id " and the decimal number, from 0 to count - 1. `ids`: as listed, in any order.',
    cases: [
      ...[0, 1, 2, 31, 32, 33, 100, 513, 1000, 5000].map((count) => ({
        comment: comments[count] ?? `${count} ids`,
        count,
        root: rootOf(numbered(count)),
      })),
      ...shared.map(({ comment, ids }) => ({ comment, ids: ids.map(toHex), root: rootOf(ids) })),
    ],
  }
}

const comments: Readonly<Record<number, string>> = {
  0: 'the empty set: the hash of one zero byte',
  32: 'as many as one leaf holds',
  33: 'one more than a leaf holds',
  513: 'more than 16 full leaves hold',
}

function numbered(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => pureSha256(utf8(`id ${i}`)))
}

function rootOf(ids: readonly Uint8Array[]): string {
  const set = new IdSet()
  for (const id of ids) set.add(id)
  return set.root()
}

/** Ids whose first 28 bytes are equal. */
function neighbours(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => concat(new Uint8Array(28).fill(0xab), u32be(i)))
}

const shared = [
  { comment: 'two ids that differ in their last digit', ids: neighbours(2) },
  { comment: '33 ids that share 62 digits: 16 of them differ in the last digit only', ids: neighbours(33) },
  { comment: '33 such ids among 10 others', ids: [...neighbours(33), ...numbered(10)] },
]
