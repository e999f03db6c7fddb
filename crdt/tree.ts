/**
 * The hash tree over the ops of a batch: RFC 9162's, over op ids (SPEC.md, "Batches and frames").
 *
 * One signature over the root speaks for all ops; a part of them is proved by the hashes of the largest subtrees that
 * hold none of it. Ids and hashes are 32 bytes here. Positions are ascending and below n, which callers see to.
 */
import { equalBytes } from './bytes.ts'
import type { Sha256 } from './suite.ts'

const HASH_BYTES = 32

// Filled anew for each hash: a batch takes hundreds of them.
const leafBytes = Uint8Array.of(0, ...new Uint8Array(HASH_BYTES))
const innerBytes = Uint8Array.of(1, ...new Uint8Array(2 * HASH_BYTES))

export function leafHash(id: Uint8Array, sha256: Sha256): Uint8Array {
  leafBytes.set(id, 1)
  return sha256(leafBytes)
}

export function innerHash(left: Uint8Array, right: Uint8Array, sha256: Sha256): Uint8Array {
  innerBytes.set(left, 1)
  innerBytes.set(right, 1 + HASH_BYTES)
  return sha256(innerBytes)
}

/** The root over at least one id. */
export function treeRoot(ids: readonly Uint8Array[], sha256: Sha256): Uint8Array {
  const level = (start: number, end: number): Uint8Array => {
    if (end - start === 1) return leafHash(ids[start] as Uint8Array, sha256)
    const middle = start + split(end - start)
    return innerHash(level(start, middle), level(middle, end), sha256)
  }
  if (ids.length === 0) throw new RangeError('expected at least one id')
  return level(0, ids.length)
}

/** RFC 9162's inclusion proof of the id at `index`: from the leaf up. */
export function auditPath(ids: readonly Uint8Array[], index: number, sha256: Sha256): Uint8Array[] {
  const path: Uint8Array[] = []
  let start = 0
  let end = ids.length
  if (!(index >= 0 && index < end)) throw new RangeError(`expected an index below ${end}, got ${index}`)
  while (end - start > 1) {
    const middle = start + split(end - start)
    path.push(treeRoot(index < middle ? ids.slice(middle, end) : ids.slice(start, middle), sha256))
    if (index < middle) end = middle
    else start = middle
  }
  return path.reverse()
}

/** Whether `path` leads from `id` at `index` of `n` to `root`. Answers any input. */
export function verifyInclusion(
  id: Uint8Array,
  index: number,
  n: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
  sha256: Sha256,
): boolean {
  return verifyLeafInclusion(leafHash(id, sha256), index, n, path, root, sha256)
}

/** The same for a leaf that was hashed already. */
export function verifyLeafInclusion(
  leaf: Uint8Array,
  index: number,
  n: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
  sha256: Sha256,
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(n) || index < 0 || index >= n) return false
  // Which side each hash of the path is on, from the root down; its length is settled before anything is hashed.
  const onLeft: boolean[] = []
  let at = index
  let size = n
  while (size > 1) {
    const left = split(size)
    const right = at >= left
    onLeft.push(right)
    if (right) at -= left
    size = right ? size - left : left
  }
  if (path.length !== onLeft.length || path.some((hash) => hash.length !== HASH_BYTES)) return false
  let hash = leaf
  for (const sibling of path) hash = onLeft.pop() ? innerHash(sibling, hash, sha256) : innerHash(hash, sibling, sha256)
  return equalBytes(hash, root)
}

/** How many hashes prove the ops at `positions`: one for each largest subtree that holds none of them. */
export function proofLength(n: number, positions: readonly number[]): number {
  const count = (start: number, end: number, low: number, high: number): number => {
    if (low === high) return 1
    if (end - start === 1) return 0
    const middle = start + split(end - start)
    const cut = firstFrom(positions, middle, low, high)
    return count(start, middle, low, cut) + count(middle, end, cut, high)
  }
  return count(0, n, 0, positions.length)
}

/** Some leaves of a tree over n, and the hashes that stand for the rest of it, left to right: `proofLength` of them. */
export type Part = {
  readonly n: number
  readonly positions: readonly number[]
  readonly leaves: readonly Uint8Array[]
  readonly hashes: readonly Uint8Array[]
}

export function rootOfPart(part: Part, sha256: Sha256): Uint8Array {
  return fold(part, sha256)(0, part.n, 0, part.positions.length)
}

/** The hashes that prove only those ops of a part that stand at `wanted`, which is some of its positions. */
export function narrowProof(part: Part, wanted: readonly number[], sha256: Sha256): Uint8Array[] {
  const { positions } = part
  const hashes: Uint8Array[] = []
  const hashOf = fold(part, sha256)
  const visit = (
    start: number,
    end: number,
    low: number,
    high: number,
    wantedLow: number,
    wantedHigh: number,
  ): void => {
    if (wantedLow === wantedHigh) {
      hashes.push(hashOf(start, end, low, high))
    } else if (end - start > 1) {
      const middle = start + split(end - start)
      const cut = firstFrom(positions, middle, low, high)
      const wantedCut = firstFrom(wanted, middle, wantedLow, wantedHigh)
      visit(start, middle, low, cut, wantedLow, wantedCut)
      visit(middle, end, cut, high, wantedCut, wantedHigh)
    }
  }
  visit(0, part.n, 0, positions.length, 0, wanted.length)
  return hashes
}

/** Hashes subtrees of a part: leaves [start, end), of which positions[low] up to positions[high] are known. */
function fold(part: Part, sha256: Sha256): (start: number, end: number, low: number, high: number) => Uint8Array {
  const { positions, leaves, hashes } = part
  // Subtrees are asked for from left to right, each once, so the hashes are used up in order.
  let next = 0
  const hashOf = (start: number, end: number, low: number, high: number): Uint8Array => {
    if (low === high) return hashes[next++] as Uint8Array
    if (end - start === 1) return leaves[low] as Uint8Array
    const middle = start + split(end - start)
    const cut = firstFrom(positions, middle, low, high)
    const left = hashOf(start, middle, low, cut)
    return innerHash(left, hashOf(middle, end, cut, high), sha256)
  }
  return hashOf
}

/** The index, from `low` up to `high`, of the first position that is not below `limit`. */
function firstFrom(positions: readonly number[], limit: number, low: number, high: number): number {
  let index = low
  while (index < high && (positions[index] as number) < limit) index++
  return index
}

/** How many of `size` > 1 leaves are on the left: the largest power of two below it. */
function split(size: number): number {
  let left = 1
  while (left * 2 < size) left *= 2
  return left
}
