/**
 * Gives values their codes (search-values.ts). `use` counts the documents and columns that have a value; values without
 * any are swept away when they are most of all, and their codes given to others.
 *
 * Whoever looks at the values by an older view finds there all that it had: arrays that become too small, or that are
 * swept, are replaced and not changed.
 */
import type { Leaf } from './search-fields.ts'
import { copied, Room } from './search-room.ts'
import {
  BLOCK_BYTES,
  emptyView,
  FALSE_CODE,
  FIRST_CODE,
  hashOf,
  NULL_CODE,
  NUMBER,
  TRUE_CODE,
  Values,
  type ValuesView,
  WIDE,
} from './search-values.ts'

/** Sweeping fewer is not worth the time. */
const SWEPT_LEAST = 50_000
const SWEPT_A_STEP = 4_096
/** Slots that a new value moves: all have moved long before the next table is outgrown. */
const MOVED_AT_ONCE = 16
const ROOM_AT_FIRST = 1_024

export class ValuesMaker {
  /** All values so far; another object when one of its arrays is another. */
  values: Values
  /** Documents and columns that have the value, by code. */
  uses = new Uint32Array(ROOM_AT_FIRST)
  #unused = 0
  #end = 0
  /** Slots of what the table has outgrown that have moved. */
  #moved = 0
  #tabled = 0
  #free: number[] = []

  /** `seed` makes collisions that strangers could look for ours alone. */
  constructor(seed: number) {
    this.values = new Values(emptyView(seed, ROOM_AT_FIRST, ROOM_AT_FIRST * 2), FIRST_CODE)
  }

  /** The code of a value, new if need be. Its uses are for the caller to count (`use`). */
  codeOf(leaf: Leaf): number {
    if (leaf === null) return NULL_CODE
    if (typeof leaf === 'boolean') return leaf ? TRUE_CODE : FALSE_CODE
    const hash = hashOf(leaf, this.values.seed)
    const known = this.values.known(leaf, hash)
    if (known !== 0) return known
    const code = this.#free.pop() ?? this.values.size++
    if (code >= this.uses.length) this.#grow()
    this.#write(code, leaf)
    this.values.view.hashes[code] = hash
    this.#unused++
    if (++this.#tabled * 3 > this.values.view.table.length * 2) this.#outgrow()
    enter(this.values.view.table, code, hash)
    this.#moveSome(MOVED_AT_ONCE)
    return code
  }

  use(code: number, times: number): void {
    const before = this.uses[code] as number
    if (before === 0 && times > 0) this.#unused--
    this.uses[code] = before + times
    if (before > 0 && before + times === 0) this.#unused++
  }

  /**
   * Frees what nobody uses, once that is most of all, in steps. Codes in use stay as they are. No value may be given a
   * code, or its first use, before it has ended.
   */
  *sweep(): Generator<undefined, void> {
    const { values } = this
    if (this.#unused < SWEPT_LEAST || this.#unused * 2 < values.size) return
    const { seed, starts, table } = values.view
    const swept = new Swept(emptyView(seed, starts.length, table.length))
    for (let from = FIRST_CODE; from < values.size; from += SWEPT_A_STEP) {
      swept.take(values.view, this.uses, from, Math.min(from + SWEPT_A_STEP, values.size))
      yield
    }
    this.#unused -= swept.free.length - this.#free.length
    this.#free = swept.free
    this.#end = swept.end
    this.#tabled = swept.kept
    this.#replace(swept.view)
  }

  #replace(parts: Partial<ValuesView>): void {
    this.values = new Values({ ...this.values.view, ...parts }, this.values.size)
  }

  #write(code: number, leaf: string | number): void {
    const isWide = typeof leaf === 'string' && !isLatin1(leaf)
    const bytes = typeof leaf === 'string' ? leaf.length * (isWide ? 2 : 1) : 8
    const { blocks } = this.values.view
    const start = placeFor(bytes, this.#end)
    if (start >= blocks.length * BLOCK_BYTES) this.#replace({ blocks: [...blocks, newBlock()] })
    const { starts, lengths, blocks: all } = this.values.view
    const block = all[Math.floor(start / BLOCK_BYTES)] as Buffer
    const at = start % BLOCK_BYTES
    starts[code] = start
    if (typeof leaf === 'number') {
      block.writeDoubleLE(leaf, at)
      lengths[code] = NUMBER
    } else {
      block.write(leaf, at, isWide ? 'utf16le' : 'latin1')
      lengths[code] = leaf.length | (isWide ? WIDE : 0)
    }
    this.#end = start + bytes
  }

  /** Twice the room. Millions of codes to move at once would take a tenth of a second: each new value moves some. */
  #outgrow(): void {
    this.#moveSome(Number.POSITIVE_INFINITY)
    this.#moved = 0
    const { table } = this.values.view
    this.#replace({ table: new Room().take(Uint32Array, table.length * 2), outgrown: table })
  }

  #moveSome(slots: number): void {
    const { outgrown, table, hashes } = this.values.view
    if (!outgrown) return
    const end = Math.min(this.#moved + slots, outgrown.length)
    for (let slot = this.#moved; slot < end; slot++) {
      const code = outgrown[slot] as number
      if (code !== 0) enter(table, code, hashes[code] as number)
    }
    this.#moved = end
    if (end === outgrown.length) this.#replace({ outgrown: undefined })
  }

  #grow(): void {
    const { starts, lengths, hashes } = this.values.view
    const size = starts.length * 2
    const room = new Room()
    this.#replace({
      starts: copied(room.take(Uint32Array, size), starts),
      lengths: copied(room.take(Uint16Array, size), lengths),
      hashes: copied(room.take(Uint32Array, size), hashes),
    })
    this.uses = copied(new Uint32Array(size), this.uses)
  }
}

/** The values that are kept, by the codes that they have. */
class Swept {
  readonly view: ValuesView
  readonly #blocks: Buffer[] = []
  /** Codes of the others. */
  readonly free: number[] = []
  kept = 0
  end = 0

  constructor(view: ValuesView) {
    this.view = { ...view, blocks: this.#blocks }
  }

  take(from: ValuesView, uses: Uint32Array, first: number, end: number): void {
    const { starts, lengths, hashes, table } = this.view
    for (let code = first; code < end; code++) {
      if (uses[code] === 0) {
        this.free.push(code)
        continue
      }
      const length = from.lengths[code] as number
      const bytes = length === NUMBER ? 8 : length & WIDE ? (length & ~WIDE) * 2 : length
      const start = placeFor(bytes, this.end)
      if (start >= this.#blocks.length * BLOCK_BYTES) this.#blocks.push(newBlock())
      const source = from.starts[code] as number
      const at = source % BLOCK_BYTES
      const block = from.blocks[Math.floor(source / BLOCK_BYTES)] as Uint8Array
      const into = this.#blocks.at(-1) as Buffer
      for (let i = 0; i < bytes; i++) into[(start % BLOCK_BYTES) + i] = block[at + i] as number
      this.end = start + bytes
      starts[code] = start
      lengths[code] = length
      hashes[code] = from.hashes[code] as number
      enter(table, code, hashes[code] as number)
      this.kept++
    }
  }
}

/** Where a value goes when the one before ends there: none lies in two blocks. */
function placeFor(bytes: number, end: number): number {
  return (end % BLOCK_BYTES) + bytes > BLOCK_BYTES ? Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES : end
}

function newBlock(): Buffer {
  return Buffer.from(new SharedArrayBuffer(BLOCK_BYTES))
}

/** Puts a code that is not in the table into it. */
function enter(table: Uint32Array, code: number, hash: number): void {
  const mask = table.length - 1
  let slot = hash & mask
  while (table[slot] !== 0) slot = (slot + 1) & mask
  table[slot] = code
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false
  return true
}
