/**
 * A set of op ids and its root: one hash that two replicas compare to see that they hold the same ops (SPEC.md, "The
 * root of a set").
 *
 * The set is a 16-ary trie over the ids' hex digits. Ids lie sorted in its leaves as bytes, about 90 bytes an id in
 * all; hashes are made when they are asked for and kept until something below them changes.
 */
import { compareBytes, compareParts, concat, fromHex, isHex, toHex } from './bytes.ts'
import { SHORT_BYTES, TRIE_LEAF_IDS } from './limits.ts'
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
  readonly #blocks = new Blocks()
  #top: Node = newLeaf()
  /** The root as last asked for, until the set changes. */
  #root: string | undefined
  /** Inner nodes passed on the way to the last leaf looked up: kept to make none anew for each id. */
  readonly #path: Inner[] = []

  constructor(sha256: Sha256 = pureSha256) {
    this.#sha256 = sha256
  }

  /** Of ids that lie one after the other, ascending and distinct: ten times as fast as adding them. */
  static ofSorted(ids: Uint8Array, sha256: Sha256 = pureSha256): IdSet {
    const steps = IdSet.sortedSteps(ids, sha256)
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
    }
  }

  /** The same in steps of a few milliseconds, of which the last ones make the root. */
  static *sortedSteps(ids: Uint8Array, sha256: Sha256 = pureSha256): Generator<undefined, IdSet> {
    if (ids.length % ID_BYTES !== 0) throw new RangeError(`expected whole ids, got ${ids.length} bytes`)
    const set = new IdSet(sha256)
    set.#top = yield* set.#ofSorted(ids)
    if (set.#top.children === undefined) return set
    for (const child of set.#top.children) {
      for (const node of child.children ?? []) if (node.children !== undefined) set.#hash(node)
      yield
    }
    return set
  }

  get size(): number {
    return this.#top.count
  }

  /** Takes 64 hex digits or 32 bytes, which are copied. False when the set holds it; RangeError when it is no id. */
  add(id: OpId | Uint8Array): boolean {
    const bytes = idBytes(id)
    let leaf = this.#find(bytes)
    if (placeOf(leaf, bytes) >= 0) return false
    while (leaf.count === TRIE_LEAF_IDS) {
      this.#replace(bytes, this.#split(leaf, this.#path.length))
      leaf = this.#find(bytes)
    }
    this.#insert(leaf, ~placeOf(leaf, bytes), bytes)
    this.#changed(bytes, 1)
    return true
  }

  /** False when the set did not hold it; RangeError when it is no id. */
  delete(id: OpId | Uint8Array): boolean {
    const bytes = idBytes(id)
    const leaf = this.#find(bytes)
    const place = placeOf(leaf, bytes)
    if (place < 0) return false
    remove(leaf, place)
    this.#changed(bytes, -1)
    // Whatever holds 32 or fewer is a leaf, so that the shape tells nothing of the past.
    const small = this.#path.findIndex((inner) => inner.count <= TRIE_LEAF_IDS)
    if (small >= 0) {
      const gathered = newLeaf()
      for (const below of leavesOf(this.#path[small] as Inner)) {
        for (let index = 0; index < below.count; index++) this.#insert(gathered, gathered.count, idAt(below, index))
        this.#blocks.give(below.bytes)
      }
      this.#path.length = small
      this.#replace(bytes, gathered)
    }
    return true
  }

  has(id: OpId | Uint8Array): boolean {
    const bytes = idBytes(id)
    return placeOf(this.#find(bytes), bytes) >= 0
  }

  /** The ids that begin with these bytes, eight at least: two of them that differ are somebody's hard work. */
  startingWith(bytes: Uint8Array): OpId[] {
    if (bytes.length < SHORT_BYTES) throw new RangeError(`expected at least ${SHORT_BYTES} bytes, got ${bytes.length}`)
    const first = new Uint8Array(ID_BYTES)
    first.set(bytes)
    const leaf = this.#find(first)
    const found: OpId[] = []
    const place = placeOf(leaf, first)
    for (let index = place < 0 ? ~place : place; index < leaf.count; index++) {
      const id = idAt(leaf, index)
      if (compareBytes(id.subarray(0, bytes.length), bytes) !== 0) break
      found.push(toHex(id))
    }
    return found
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

  /** The 16 children's hashes of the node of these digits, joined; undefined where a leaf holds its ids. */
  childrenAt(prefix: string): Uint8Array | undefined {
    const node = this.#under(prefix)
    if (node.children === undefined) return undefined
    this.#hash(node)
    return node.bytes.subarray(1)
  }

  /** Calls with the bytes of each id that begins with these hex digits, ascending; they are good until the call ends. */
  each(call: (id: Uint8Array) => void, prefix = ''): void {
    for (const leaf of leavesOf(this.#under(prefix))) {
      for (let index = 0; index < leaf.count; index++) call(idAt(leaf, index))
    }
  }

  /** The ids that begin with these hex digits, ascending. The set must not change while they are read. */
  *ids(prefix = ''): IterableIterator<OpId> {
    for (const leaf of leavesOf(this.#under(prefix))) {
      for (let index = 0; index < leaf.count; index++) yield toHex(idAt(leaf, index))
    }
  }

  /** Pauses after each sixteenth of the whole. */
  *#ofSorted(ids: Uint8Array): Generator<undefined, Node> {
    const count = ids.length / ID_BYTES
    if (count <= TRIE_LEAF_IDS) {
      checkAscending(ids)
      return this.#nodeOf(ids, 0)
    }
    const children: Node[] = []
    let from = 0
    for (let digit = 0; digit < CHILDREN; digit++) {
      const to = endOf(ids, from, digit, 0)
      const part = ids.subarray(from, to)
      checkAscending(part)
      children.push(this.#nodeOf(part, 1))
      from = to
      yield
    }
    if (from < ids.length) throw new RangeError('expected ids that ascend')
    return innerOf(children, count)
  }

  /** Of ids that ascend and have all digits before this depth in common. */
  #nodeOf(ids: Uint8Array, depth: number): Node {
    const count = ids.length / ID_BYTES
    if (count <= TRIE_LEAF_IDS) {
      if (count === 0) return newLeaf()
      let room = ROOM_MIN
      while (room < count) room *= 2
      const block = this.#blocks.take(room)
      block.set(ids, 1)
      return { children: undefined, count, bytes: block }
    }
    const children: Node[] = []
    let from = 0
    for (let digit = 0; digit < CHILDREN; digit++) {
      const to = endOf(ids, from, digit, depth)
      children.push(this.#nodeOf(ids.subarray(from, to), depth + 1))
      from = to
    }
    return innerOf(children, count)
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

  #insert(leaf: Leaf, index: number, id: Uint8Array): void {
    const end = 1 + leaf.count * ID_BYTES
    if (end === leaf.bytes.length) {
      const bytes = this.#blocks.take(leaf.count === 0 ? ROOM_MIN : leaf.count * 2)
      bytes.set(leaf.bytes)
      this.#blocks.give(leaf.bytes)
      leaf.bytes = bytes
    }
    const at = 1 + index * ID_BYTES
    leaf.bytes.copyWithin(at + ID_BYTES, at, end)
    leaf.bytes.set(id, at)
    leaf.count++
  }

  /** The inner node of what a full leaf at this depth holds. */
  #split(leaf: Leaf, depth: number): Inner {
    const children = Array.from({ length: CHILDREN }, newLeaf)
    for (let index = 0; index < leaf.count; index++) {
      const id = idAt(leaf, index)
      const child = children[digitAt(id, depth)] as Leaf
      this.#insert(child, child.count, id)
    }
    this.#blocks.give(leaf.bytes)
    return innerOf(children, leaf.count)
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
/** Ids that the smallest block has room for; each further size has room for twice as many. */
const ROOM_MIN = 2
const SLAB_BYTES = 64 * 1024

/**
 * Room for leaves, cut from larger pieces: a buffer of its own for each would cost more than its ids, and leaves grow
 * and shrink too often to leave it to the collector. A block given back is taken again at its size.
 */
class Blocks {
  #slab = new Uint8Array(0)
  #used = 0
  readonly #free = new Map<number, Uint8Array[]>()

  /** Begins with the mark of a leaf; what follows is left over from before. */
  take(ids: number): Uint8Array {
    const bytes = 1 + ids * ID_BYTES
    const again = this.#free.get(bytes)?.pop()
    if (again !== undefined) return again
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES)
      this.#used = 0
    }
    this.#used += bytes
    return this.#slab.subarray(this.#used - bytes, this.#used)
  }

  give(block: Uint8Array): void {
    if (block === NO_IDS) return
    const others = this.#free.get(block.length)
    if (others === undefined) this.#free.set(block.length, [block])
    else others.push(block)
  }
}

function newLeaf(): Leaf {
  return { children: undefined, count: 0, bytes: NO_IDS }
}

function innerOf(children: Node[], count: number): Inner {
  const bytes = new Uint8Array(1 + CHILDREN * HASH_BYTES)
  bytes[0] = INNER_MARK
  return { children, count, bytes, stale: 0xffff }
}

function checkAscending(ids: Uint8Array): void {
  for (let at = ID_BYTES; at < ids.length; at += ID_BYTES) {
    if (compareParts(ids, at - ID_BYTES, ids, at, ID_BYTES) >= 0) throw new RangeError('expected ids that ascend')
  }
}

/** Where the ids end that have this digit at this depth, from `from` on. */
function endOf(ids: Uint8Array, from: number, digit: number, depth: number): number {
  let to = from
  while (to < ids.length && digitOf(ids[to + (depth >> 1)] as number, depth) === digit) to += ID_BYTES
  return to
}

function* leavesOf(node: Node): IterableIterator<Leaf> {
  if (node.children === undefined) yield node
  else for (const child of node.children) yield* leavesOf(child)
}

/** What of a leaf begins with these digits: not part of the trie. */
function partOf(leaf: Leaf, prefix: string): Leaf {
  const ids = Array.from({ length: leaf.count }, (_, index) => idAt(leaf, index))
  const part = ids.filter((id) => toHex(id).startsWith(prefix))
  return { children: undefined, count: part.length, bytes: concat(NO_IDS, ...part) }
}

/** Where an id lies in a leaf; below 0, the complement of where it belongs. */
function placeOf({ bytes, count }: Leaf, id: Uint8Array): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >> 1
    const order = compareParts(bytes, 1 + middle * ID_BYTES, id, 0, ID_BYTES)
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle
  }
  return ~low
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
  return digitOf(id[depth >> 1] as number, depth)
}

function digitOf(byte: number, depth: number): number {
  return (depth & 1) === 0 ? byte >> 4 : byte & 15
}

function idBytes(id: OpId | Uint8Array): Uint8Array {
  const bytes = typeof id === 'string' ? fromHex(id) : id
  if (bytes.length !== ID_BYTES) throw new RangeError(`expected an id of ${ID_BYTES} bytes, got ${bytes.length}`)
  return bytes
}
