/**
 * One pass over bytes that says whether they are canonical and within the limits (SPEC.md, "Canonical bytes").
 *
 * Nothing is built, nothing recursed into: memory is a few numbers for each open container, of which there are at most
 * as many as the limits allow. Bytes pass iff they equal encode(decode(bytes)); test/crdt/cbor.test.ts holds the two
 * against each other.
 */
export type CborReason =
  | 'truncated'
  | 'trailing-bytes'
  | 'not-minimal'
  | 'unsupported'
  | 'number-range'
  | 'bad-text'
  | 'bad-key'
  | 'key-order'
  | 'too-deep'
  | 'too-many-items'

/** How large a value may be: containers within one another, and items of one container. */
export type ValueLimits = { readonly depth: number; readonly items: number }

/**
 * Asks where the values of some keys of the outermost map begin: `at` is filled in the order of `keys`, -1 = not there;
 * `others` counts the keys that were not asked for.
 */
export type Sought = { readonly keys: readonly Uint8Array[]; readonly at: number[]; others: number }

const NEGATIVE = 1
const TEXT = 3
const MAP = 5
const TAG = 6

/** The reason why the bytes are refused, undefined when they are canonical. */
export function scan(bytes: Uint8Array, limits: ValueLimits, sought?: Sought): CborReason | undefined {
  const end = bytes.length
  // Of each open container: items still to come (of a map, keys and values together), and where its last key lies.
  const left: number[] = []
  const isMap: boolean[] = []
  const lastKeyAt: number[] = []
  const lastKeyEnd: number[] = []
  let depth = 0
  let at = 0

  do {
    if (at >= end) return 'truncated'
    const head = bytes[at] as number
    const major = head >> 5
    const minor = head & 31
    const inner = depth - 1
    const key = depth > 0 && isMap[inner] === true && ((left[inner] as number) & 1) === 0
    if (depth > 0) (left[inner] as number)--
    at++

    if (key && major !== TEXT) return 'bad-key'
    if (major > MAP) {
      if (major === TAG) return 'unsupported'
      if (minor === 27) {
        if (at + 8 > end) return 'truncated'
        const float = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0)
        if (!Number.isFinite(float)) return 'number-range'
        // True for -0 too: what has an integer form is written as an integer.
        if (Number.isSafeInteger(float)) return 'not-minimal'
        at += 8
      } else if (minor < 20 || minor > 22) return 'unsupported'
    } else {
      let argument = minor
      if (minor >= 24) {
        if (minor > 27) return 'unsupported'
        const size = 1 << (minor - 24)
        if (at + size > end) return 'truncated'
        argument = 0
        for (let i = 0; i < size; i++) argument = argument * 256 + (bytes[at + i] as number)
        // Rounding above 2^53 only ever moves a number that is refused as out of range or as truncated anyway.
        if (argument < (MINIMUM[size] as number)) return 'not-minimal'
        at += size
      }
      if (major <= NEGATIVE) {
        if (argument > Number.MAX_SAFE_INTEGER - major) return 'number-range'
      } else if (major <= TEXT) {
        const stop = at + argument
        if (stop > end) return 'truncated'
        if (major === TEXT && !isUtf8(bytes, at, stop)) return 'bad-text'
        if (key) {
          if (!follows(bytes, lastKeyAt[inner] as number, lastKeyEnd[inner] as number, at, stop)) return 'key-order'
          lastKeyAt[inner] = at
          lastKeyEnd[inner] = stop
          if (sought !== undefined && depth === 1) note(sought, bytes, at, stop)
        }
        at = stop
      } else {
        if (depth === limits.depth) return 'too-deep'
        if (argument > limits.items) return 'too-many-items'
        left[depth] = major === MAP ? argument * 2 : argument
        isMap[depth] = major === MAP
        lastKeyAt[depth] = lastKeyEnd[depth] = 0
        depth++
      }
    }
    while (depth > 0 && left[depth - 1] === 0) depth--
  } while (depth > 0)

  return at === end ? undefined : 'trailing-bytes'
}

/** Where the text that begins at `at` has its UTF-8; undefined when something else begins there. For scanned bytes. */
export function textRange(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  const head = bytes[at] as number
  if (head >> 5 !== TEXT) return undefined
  const minor = head & 31
  const size = minor < 24 ? 0 : 1 << (minor - 24)
  let length = size === 0 ? minor : 0
  for (let i = 1; i <= size; i++) length = length * 256 + (bytes[at + i] as number)
  const start = at + 1 + size
  return { start, end: start + length }
}

/** The smallest number that may be written in 1, 2, 4 or 8 bytes after the head. */
const MINIMUM: Readonly<Record<number, number>> = { 1: 24, 2: 0x100, 4: 0x10000, 8: 0x100000000 }

/** Whether the key at `at` comes after the one before it: shorter first, then by bytes; never equal. */
function follows(bytes: Uint8Array, lastAt: number, lastEnd: number, at: number, end: number): boolean {
  if (lastAt === 0) return true
  const length = end - at
  const lastLength = lastEnd - lastAt
  if (length !== lastLength) return length > lastLength
  for (let i = 0; i < length; i++) {
    const difference = (bytes[at + i] as number) - (bytes[lastAt + i] as number)
    if (difference !== 0) return difference > 0
  }
  return false
}

function note(sought: Sought, bytes: Uint8Array, at: number, stop: number): void {
  for (let place = 0; place < sought.keys.length; place++) {
    if (!holds(bytes, at, stop, sought.keys[place] as Uint8Array)) continue
    sought.at[place] = stop
    return
  }
  sought.others++
}

function holds(bytes: Uint8Array, at: number, end: number, wanted: Uint8Array): boolean {
  if (end - at !== wanted.length) return false
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}

/** No overlong form, no surrogate, nothing above U+10FFFF, nothing cut short. */
function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    const first = bytes[at++] as number
    if (first < 0x80) continue
    let more: number
    // What the second byte may be is where overlong forms, surrogates and the upper end are ruled out.
    let low = 0x80
    let high = 0xbf
    if (first >= 0xc2 && first <= 0xdf) more = 1
    else if (first >= 0xe0 && first <= 0xef) {
      more = 2
      if (first === 0xe0) low = 0xa0
      else if (first === 0xed) high = 0x9f
    } else if (first >= 0xf0 && first <= 0xf4) {
      more = 3
      if (first === 0xf0) low = 0x90
      else if (first === 0xf4) high = 0x8f
    } else return false
    if (at + more > end) return false
    const second = bytes[at] as number
    if (second < low || second > high) return false
    for (let i = 1; i < more; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return false
    at += more
  }
  return true
}
