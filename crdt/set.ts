/**
 * A set of op ids and its root: one hash that two replicas compare to see that they hold the same ops (SPEC.md, "The
 * root of a set").
 *
 * The set is a 16-ary trie over the ids' hex digits. Ids lie sorted in its leaves as bytes; hashes are made when they
 * are asked for and kept until something below them changes.
 */
import { compareBytes, fromHex, isHex, toHex } from './bytes.ts'
import { TRIE_LEAF_IDS } from './limits.ts'
import type { OpId } from './op.ts'
import { pureSha256, type Sha256 } from './suite.ts'

const ID_BYTES = 32
const ID_DIGITS = 64
const HASH_BYTES = 16
const CHILDREN = 16
const LEAF_MARK = 0x00
const INNER_MARK = 0x01

/** At most 32 ids, ascending. `bytes` begin as what the hash is over: the mark, then id by id. */
type Leaf = { readonly children: undefined; count: number; bytes: Uint8Array }
/** More than 32 ids. `bytes` are what the hash is over; bit d of `stale` says that child d's part is out of date. */
type Inner = { readonly children: Node[]; count: number; readonly bytes: Uint8Array; stale: number }
type Node = Leaf | Inner

export class IdSet {
  readonly #sha256: Sha256
  #top: Node = newLeaf()
  /** The root as last asked for, until the set changes. */
  #root: string | undefined
  /** Inner nodes passed on the way to the last leaf looked up: kept to make none anew for each id. */
  readonly #path: Inner[] = []

  constructor(sha256: Sha256 = pureSha256) {
    this.#sha256 = sha256
  }

  get size(): number {
    return this.#top.count
  }

  /** Takes 64 hex digits or 32 bytes, which are copied. False when the set holds it; RangeError when it is no id. */
  add(id: OpId | Uint8Array): boolean {
    const bytes = idBytes(id)
    let leaf = this.#find(bytes)
    if (placeOf(leaf, bytes).held) return false
    while (leaf.count === TRIE_LEAF_IDS) {
      const inner = split(leaf, this.#path.length)
      this.#replace(bytes, inner)
      leaf = this.#find(bytes)
    }
    insert(leaf, placeOf(leaf, bytes).index, bytes)
    this.#changed(bytes, 1)
    return true
  }

  /** False when the set did not hold it; RangeError when it is no id. */
  delete(id: OpId | Uint8Array): boolean {
    const bytes = idBytes(id)
    const leaf = this.#find(bytes)
    const place = placeOf(leaf, bytes)
    if (!place.held) return false
    remove(leaf, place.index)
    this.#changed(bytes, -1)
    // Whatever holds 32 or fewer is a leaf, so that the shape tells nothing of the past.
    const small = this.#path.findIndex((inner) => inner.count <= TRIE_LEAF_IDS)
    if (small >= 0) {
      const gathered = newLeaf()
      for (const below of leavesOf(this.#path[small] as Inner)) append(gathered, below)
      this.#path.length = small
      this.#replace(bytes, gathered)
    }
    return true
  }

  has(id: OpId | Uint8Array): boolean {
    const bytes = idBytes(id)
    return placeOf(this.#find(bytes), bytes).held
  }

  /** 32 hex digits: the same for the same ids, whatever their order and past. */
  root(): string {
    this.#root ??= this.hashAt('')
    return this.#root
  }

  /** The hash over the ids that begin with these hex digits: of the node that holds them, or would. */
  hashAt(prefix: string): string {
    return toHex(this.#hash(this.#under(prefix)))
  }

  countAt(prefix: string): number {
    return this.#under(prefix).count
  }

  /** The ids that begin with these hex digits, ascending. The set must not change while they are read. */
  *ids(prefix = ''): IterableIterator<OpId> {
    for (const leaf of leavesOf(this.#under(prefix))) {
      for (let index = 0; index < leaf.count; index++) yield toHex(idAt(leaf, index))
    }
  }

  /** The leaf where an id belongs, with the way to it in `#path`. */
  #find(id: Uint8Array): Leaf {
    this.#path.length = 0
    let node = this.#top
    while (node.children !== undefined) {
      const depth = this.#path.push(node) - 1
      node = node.children[digitAt(id, depth)] as Node
    }
    return node
  }

  /** Puts a node where the path ends. */
  #replace(id: Uint8Array, node: Node): void {
    const depth = this.#path.length - 1
    const parent = this.#path[depth]
    if (parent === undefined) this.#top = node
    else parent.children[digitAt(id, depth)] = node
  }

  #changed(id: Uint8Array, by: number): void {
    this.#root = undefined
    for (let depth = 0; depth < this.#path.length; depth++) {
      const inner = this.#path[depth] as Inner
      inner.count += by
      inner.stale |= 1 << digitAt(id, depth)
    }
  }

  #hash(node: Node): Uint8Array {
    if (node.children === undefined) {
      return this.#sha256(node.bytes.subarray(0, 1 + node.count * ID_BYTES)).subarray(0, HASH_BYTES)
    }
    for (let digit = 0; node.stale !== 0; digit++) {
      const bit = 1 << digit
      if ((node.stale & bit) === 0) continue
      node.bytes.set(this.#hash(node.children[digit] as Node), 1 + digit * HASH_BYTES)
      node.stale &= ~bit
    }
    return this.#sha256(node.bytes).subarray(0, HASH_BYTES)
  }

  #under(prefix: string): Node {
    if (prefix.length > ID_DIGITS || !isHex(prefix, prefix.length)) {
      throw new RangeError(`expected up to ${ID_DIGITS} hex digits, got ${JSON.stringify(prefix.slice(0, 80))}`)
    }
    let node = this.#top
    for (let depth = 0; depth < prefix.length; depth++) {
      if (node.children === undefined) return partOf(node, prefix)
      node = node.children[Number.parseInt(prefix[depth] as string, 16)] as Node
    }
    return node
  }
}

const NO_IDS = Uint8Array.of(LEAF_MARK)

function newLeaf(): Leaf {
  return { children: undefined, count: 0, bytes: NO_IDS }
}

/** The inner node of what a full leaf at this depth holds. */
function split(leaf: Leaf, depth: number): Inner {
  const children = Array.from({ length: CHILDREN }, newLeaf)
  for (let index = 0; index < leaf.count; index++) {
    const id = idAt(leaf, index)
    const child = children[digitAt(id, depth)] as Leaf
    insert(child, child.count, id)
  }
  const bytes = new Uint8Array(1 + CHILDREN * HASH_BYTES)
  bytes[0] = INNER_MARK
  return { children, count: leaf.count, bytes, stale: 0xffff }
}

function* leavesOf(node: Node): IterableIterator<Leaf> {
  if (node.children === undefined) yield node
  else for (const child of node.children) yield* leavesOf(child)
}

function partOf(leaf: Leaf, prefix: string): Leaf {
  const part = newLeaf()
  for (let index = 0; index < leaf.count; index++) {
    const id = idAt(leaf, index)
    if (toHex(id).startsWith(prefix)) insert(part, part.count, id)
  }
  return part
}

function append(leaf: Leaf, more: Leaf): void {
  for (let index = 0; index < more.count; index++) insert(leaf, leaf.count, idAt(more, index))
}

/** Where an id lies in a leaf, or belongs. */
function placeOf(leaf: Leaf, id: Uint8Array): { index: number; held: boolean } {
  let low = 0
  let high = leaf.count
  while (low < high) {
    const middle = (low + high) >> 1
    const order = compareBytes(idAt(leaf, middle), id)
    if (order === 0) return { index: middle, held: true }
    if (order < 0) low = middle + 1
    else high = middle
  }
  return { index: low, held: false }
}

function insert(leaf: Leaf, index: number, id: Uint8Array): void {
  const end = 1 + leaf.count * ID_BYTES
  if (end === leaf.bytes.length) {
    // Room for a quarter more, and for no more ids than a leaf may hold.
    const room = Math.min(TRIE_LEAF_IDS, leaf.count + Math.max(4, leaf.count >> 2))
    const bytes = new Uint8Array(1 + room * ID_BYTES)
    bytes.set(leaf.bytes)
    leaf.bytes = bytes
  }
  const at = 1 + index * ID_BYTES
  leaf.bytes.copyWithin(at + ID_BYTES, at, end)
  leaf.bytes.set(id, at)
  leaf.count++
}

function remove(leaf: Leaf, index: number): void {
  const at = 1 + index * ID_BYTES
  leaf.bytes.copyWithin(at, at + ID_BYTES, 1 + leaf.count * ID_BYTES)
  leaf.count--
}

function idAt(leaf: Leaf, index: number): Uint8Array {
  const at = 1 + index * ID_BYTES
  return leaf.bytes.subarray(at, at + ID_BYTES)
}

function digitAt(id: Uint8Array, depth: number): number {
  const byte = id[depth >> 1] as number
  return (depth & 1) === 0 ? byte >> 4 : byte & 15
}

function idBytes(id: OpId | Uint8Array): Uint8Array {
  const bytes = typeof id === 'string' ? fromHex(id) : id
  if (bytes.length !== ID_BYTES) throw new RangeError(`expected an id of ${ID_BYTES} bytes, got ${bytes.length}`)
  return bytes
}
