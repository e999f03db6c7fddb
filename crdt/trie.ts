/**
 * How two replicas descend the tries of their sets (set.ts) to the ids in which they differ: what is asked, what is
 * answered, what follows (SPEC.md, "Descent"). Message in, messages out; nothing here knows of streams.
 *
 * It finds every difference that the hashes show, whatever ids authors have sought out: what a sketch cannot solve is
 * left to it. Of ids only the first eight bytes are told, and all 32 where those do not tell two sets apart.
 */
import { fromHex, toHex } from './bytes.ts'
import { SHORT_BYTES, TRIE_LEAF_IDS, TRIE_NODES_MAX } from './limits.ts'
import type { IdSet } from './set.ts'

/** How many bytes of each id are told. */
export type IdWidth = 8 | 32

const HASH_BYTES = 16
const CHILDREN = 16
const ID_DIGITS = 64
const INNER = 0xff
const HEX_DIGITS = '0123456789abcdef'

/** Nodes as they are asked for: of each how many digits lead to it, then these, two a byte, the last padded with 0. */
export function writePrefixes(prefixes: readonly string[]): Uint8Array {
  const bytes: number[] = []
  for (const prefix of prefixes) {
    bytes.push(prefix.length)
    for (const byte of fromHex(prefix.length % 2 === 0 ? prefix : `${prefix}0`)) bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

/** A stranger's; undefined when they are none, none at all, or more than TRIE_NODES_MAX. */
export function readPrefixes(bytes: Uint8Array): string[] | undefined {
  const prefixes: string[] = []
  let at = 0
  while (at < bytes.length) {
    const digits = bytes[at++] as number
    const length = (digits + 1) >> 1
    if (digits >= ID_DIGITS || at + length > bytes.length || prefixes.length === TRIE_NODES_MAX) return undefined
    const text = toHex(bytes.subarray(at, at + length))
    at += length
    if (digits % 2 === 1 && !text.endsWith('0')) return undefined
    prefixes.push(text.slice(0, digits))
  }
  return prefixes.length === 0 ? undefined : prefixes
}

/** What is at these nodes: of more than 32 ids the children's hashes, else the ids, ascending, `width` bytes of each. */
export function describeNodes(set: IdSet, prefixes: readonly string[], width: IdWidth): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  for (const prefix of prefixes) {
    const part = describeNode(set, prefix, width)
    parts.push(part)
    length += part.length
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function describeNode(set: IdSet, prefix: string, width: IdWidth): Uint8Array {
  const children = set.childrenAt(prefix)
  if (children !== undefined) {
    const inner = new Uint8Array(1 + children.length)
    inner[0] = INNER
    inner.set(children, 1)
    return inner
  }
  const leaf = new Uint8Array(1 + set.countAt(prefix) * width)
  let at = 1
  set.each((id) => {
    leaf.set(id.subarray(0, width), at)
    at += width
  }, prefix)
  leaf[0] = (leaf.length - 1) / width
  return leaf
}

export type Descent = {
  /** Nodes to ask for next, and those to ask for with all 32 bytes of each id. */
  readonly deeper: string[]
  readonly whole: string[]
  /** Ids that only they, only we, have: as many hex digits of each as were told. */
  readonly theirs: string[]
  readonly ours: string[]
}

/** What an answer to these nodes says about the difference; undefined when it is none. */
export function compareNodes(
  set: IdSet,
  prefixes: readonly string[],
  bytes: Uint8Array,
  width: IdWidth,
): Descent | undefined {
  const descent: Descent = { deeper: [], whole: [], theirs: [], ours: [] }
  let at = 0
  for (const prefix of prefixes) {
    const mark = bytes[at++]
    if (mark === undefined || (mark !== INNER && mark > TRIE_LEAF_IDS)) return undefined
    const length = mark === INNER ? CHILDREN * HASH_BYTES : mark * width
    const part = bytes.subarray(at, at + length)
    if (part.length < length) return undefined
    at += length
    const isGood =
      mark === INNER ? compareInner(set, prefix, part, descent) : compareLeaf(set, prefix, part, width, descent)
    if (!isGood) return undefined
  }
  return at === bytes.length ? descent : undefined
}

function compareInner(set: IdSet, prefix: string, theirs: Uint8Array, { deeper, whole }: Descent): boolean {
  // Below all digits there is one id, so that nothing is left to take apart.
  if (prefix.length >= ID_DIGITS - 1) return false
  const ours = set.childrenAt(prefix)
  for (let digit = 0; digit < CHILDREN; digit++) {
    const child = prefix + HEX_DIGITS[digit]
    const hash = theirs.subarray(digit * HASH_BYTES, (digit + 1) * HASH_BYTES)
    const isEqual = ours === undefined ? set.hashAt(child) === toHex(hash) : equalAt(ours, digit * HASH_BYTES, hash)
    if (isEqual) continue
    // Ids that agree in their first eight bytes can be told apart only whole.
    if (child.length > 2 * SHORT_BYTES) whole.push(child)
    else deeper.push(child)
  }
  return true
}

function compareLeaf(set: IdSet, prefix: string, part: Uint8Array, width: IdWidth, descent: Descent): boolean {
  const theirs = new Set<string>()
  let last = ''
  let isTwice = false
  for (let at = 0; at < part.length; at += width) {
    const id = toHex(part.subarray(at, at + width))
    if (id < last || !id.startsWith(prefix.slice(0, 2 * width))) return false
    isTwice ||= id === last
    theirs.add(id)
    last = id
  }
  const ours: string[] = []
  last = ''
  for (const id of set.ids(prefix)) {
    const text = id.slice(0, 2 * width)
    isTwice ||= text === last
    if (!theirs.delete(text)) ours.push(text)
    last = text
    if (ours.length === OURS_MAX) break
  }
  if (isTwice) {
    if (width !== SHORT_BYTES) return false
    descent.whole.push(prefix)
    return true
  }
  descent.theirs.push(...theirs)
  descent.ours.push(...ours)
  // The hashes differ, so the ids do, behind the bytes that were told.
  if (theirs.size === 0 && ours.length === 0 && width === SHORT_BYTES) descent.whole.push(prefix)
  return true
}

/** Of our own ids where the other side tells of few: whoever says that it has nothing does not get a list of all. */
const OURS_MAX = 4_096

function equalAt(bytes: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false
  return true
}
