/**
 * Places: where a write lands, and the orders in which places, members and keys are listed.
 *
 * All orders here are those of canonical bytes (SPEC.md, "Canonical bytes"), computed without making the bytes where
 * that is easy. Nothing here compares by locale or by UTF-16 units, which differ from bytes above U+FFFF.
 */
import { compareBytes, compareText, utf8Length } from './bytes.ts'
import { encode } from './cbor.ts'
import { KEY_BYTES_MAX, PATH_SEGMENTS_MAX } from './limits.ts'
import type { Path, Scalar, Value } from './value.ts'

/** Whether a stranger's value is a path: 0 to 16 text segments of at most 128 bytes each. */
export function isPath(value: Value | undefined): value is Path {
  if (!Array.isArray(value) || value.length > PATH_SEGMENTS_MAX) return false
  for (const segment of value) if (typeof segment !== 'string' || !isKey(segment)) return false
  return true
}

/** Whether text is short enough for a key or segment: at most 128 bytes. */
export function isKey(text: string): boolean {
  // A UTF-16 unit is at most three bytes, so that short text need not be counted.
  return text.length * 3 <= KEY_BYTES_MAX || utf8Length(text) <= KEY_BYTES_MAX
}

/** One text a path, for use as the key of a Map. */
export function pathKey(path: Path): string {
  return path.length === 1 ? `1${path[0]}` : JSON.stringify(path)
}

/** By canonical bytes: fewer segments first, then segment by segment. */
export function comparePaths(a: Path, b: Path): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    const difference = compareText(a[i] as string, b[i] as string)
    if (difference !== 0) return difference
  }
  return 0
}

/** By canonical bytes. The order in which a set lists its members. */
export function compareMembers(a: Scalar, b: Scalar): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  return compareBytes(encode(a), encode(b))
}

/** The length of the shortest beginning of the path that an op so limited may write; more than its length: none. */
export function writableFrom(path: Path, limits: readonly (readonly Path[])[]): number {
  let from = 0
  for (const places of limits) {
    let shortest = Number.POSITIVE_INFINITY
    for (const place of places) {
      if (place.length < shortest && place.length <= path.length && place.every((segment, i) => segment === path[i])) {
        shortest = place.length
      }
    }
    from = Math.max(from, shortest)
  }
  return from
}
