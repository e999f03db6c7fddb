/**
 * The values of one field in one segment: a small number a document, which leads to a value or to a list of them.
 *
 * Equal lists are kept once, numbers are as narrow as they can be, and a field that few documents have lists those
 * documents instead. A filter is then a look at one byte or two a document, and so is a facet.
 */
import type { Room } from './search-room.ts'
import type { ValuesMaker } from './search-values-maker.ts'

/** A column lists its documents when fewer than one in this many have it. */
const SPARSE_BELOW = 1 / 16

export type Codes = Uint8Array | Uint16Array | Uint32Array

export type Column = {
  /** Ascending numbers of the documents that have it; missing when `codes` has one for each document. */
  readonly docs: Uint32Array | undefined
  /** 0 = none, up to dict.length a value (dict[code - 1]), above it a list (number code - dict.length - 1). */
  readonly codes: Codes
  /** Codes of the index's values (search-values.ts). */
  readonly dict: Uint32Array
  /** Where each list ends in `items`, which are numbers of `dict` plus one. */
  readonly listEnds: Uint32Array
  readonly items: Uint32Array
}

/** What a document's code means. */
export function codeAt(column: Column, doc: number): number {
  const { docs, codes } = column
  if (!docs) return codes[doc] as number
  let low = 0
  let high = docs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((docs[middle] as number) < doc) low = middle + 1
    else high = middle
  }
  return docs[low] === doc ? (codes[low] as number) : 0
}

/** The values a code stands for, in the order of the document. */
export function valuesOf({ dict, listEnds, items }: Column, code: number): number[] {
  if (code === 0) return []
  if (code <= dict.length) return [dict[code - 1] as number]
  const list = code - dict.length - 1
  const found: number[] = []
  for (let i = list === 0 ? 0 : (listEnds[list - 1] as number); i < (listEnds[list] as number); i++) {
    found.push(dict[(items[i] as number) - 1] as number)
  }
  return found
}

/** The first value of a code that is not 0. */
export function firstValue({ dict, listEnds, items }: Column, code: number): number {
  if (code <= dict.length) return dict[code - 1] as number
  const list = code - dict.length - 1
  return dict[(items[list === 0 ? 0 : (listEnds[list - 1] as number)] as number) - 1] as number
}

/** By code, whether one of its values is accepted; `dict` says which of the values are. */
export function acceptedCodes({ dict, listEnds, items }: Column, isAccepted: Uint8Array): Uint8Array {
  const accepted = new Uint8Array(1 + dict.length + listEnds.length)
  accepted.set(isAccepted, 1)
  let at = 0
  for (let list = 0; list < listEnds.length; list++) {
    for (let found = 0; at < (listEnds[list] as number); at++) {
      if (found === 0 && isAccepted[(items[at] as number) - 1] === 1) {
        accepted[1 + dict.length + list] = 1
        found = 1
      }
    }
  }
  return accepted
}

/** Counts the documents of each value in or out of the index's values, in steps. */
export function* countUses(column: Column, values: ValuesMaker, sign: 1 | -1): Generator<undefined, void> {
  const { codes } = column
  const perCode = new Uint32Array(1 + column.dict.length + column.listEnds.length)
  for (let from = 0; from < codes.length; from += DOCS_A_STEP) {
    countCodes(codes, perCode, from, Math.min(from + DOCS_A_STEP, codes.length))
    yield
  }
  for (let from = 1; from < perCode.length; from += CODES_A_STEP) {
    useCodes(column, perCode, values, sign, from, Math.min(from + CODES_A_STEP, perCode.length))
    yield
  }
}

function countCodes(codes: Codes, perCode: Uint32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) perCode[codes[i] as number] = (perCode[codes[i] as number] as number) + 1
}

function useCodes(
  column: Column,
  perCode: Uint32Array,
  values: ValuesMaker,
  sign: 1 | -1,
  from: number,
  to: number,
): void {
  const { dict } = column
  for (let code = from; code < to; code++) {
    const times = perCode[code] as number
    if (times === 0) continue
    if (code <= dict.length) values.use(dict[code - 1] as number, sign * times)
    else for (const value of valuesOf(column, code)) values.use(value, sign * times)
  }
}

/** Makes a column document by document, in ascending order. */
export class ColumnMaker {
  readonly #docs: number[] = []
  /** Below 0: a list. */
  readonly #codes: number[] = []
  readonly #numbers = new Map<number, number>()
  readonly #dict: number[] = []
  readonly #lists = new Map<string, number>()
  readonly #listEnds: number[] = []
  readonly #items: number[] = []

  /** `values` are codes of the index's values, without repeats. None is nothing. */
  add(doc: number, values: readonly number[]): void {
    if (values.length === 0) return
    this.#docs.push(doc)
    if (values.length === 1) this.#codes.push(this.#numberOf(values[0] as number))
    else this.#codes.push(-1 - this.#listOf(values.map((value) => this.#numberOf(value))))
  }

  make(size: number, room: Room): Column {
    const kept = (numbers: readonly number[]) => {
      const array = room.take(Uint32Array, numbers.length)
      array.set(numbers)
      return array
    }
    const dict = kept(this.#dict)
    const isSparse = this.#docs.length < size * SPARSE_BELOW
    const codes = codesFor(dict.length + this.#listEnds.length, isSparse ? this.#docs.length : size, room)
    for (let i = 0; i < this.#docs.length; i++) {
      const code = this.#codes[i] as number
      codes[isSparse ? i : (this.#docs[i] as number)] = code < 0 ? dict.length - code : code
    }
    return {
      docs: isSparse ? kept(this.#docs) : undefined,
      codes,
      dict,
      listEnds: kept(this.#listEnds),
      items: kept(this.#items),
    }
  }

  #numberOf(value: number): number {
    let number = this.#numbers.get(value)
    if (number === undefined) {
      number = this.#dict.push(value)
      this.#numbers.set(value, number)
    }
    return number
  }

  #listOf(numbers: readonly number[]): number {
    const key = numbers.join()
    let list = this.#lists.get(key)
    if (list === undefined) {
      this.#items.push(...numbers)
      list = this.#listEnds.push(this.#items.length) - 1
      this.#lists.set(key, list)
    }
    return list
  }
}

/** Zeros, wide enough for codes up to `most`. */
function codesFor(most: number, count: number, room: Room): Codes {
  return room.take<Codes>(most < 256 ? Uint8Array : most < 65_536 ? Uint16Array : Uint32Array, count)
}

const CODES_A_STEP = 4_096
const DOCS_A_STEP = 65_536

/** One column to be merged: where its documents go to, -1 for those that are left out. */
export type ColumnPart = { readonly column: Column; readonly docs: number; readonly moved: Int32Array }

/**
 * Puts columns one after the other, in steps. Values and lists that only documents left out had are not kept. `seed`: any
 * number that strangers do not know.
 */
export function* mergeColumns(
  parts: readonly ColumnPart[],
  size: number,
  scratch: Uint32Array,
  seed: number,
  room: Room,
): Generator<undefined, Column> {
  const merging = new ColumnMerge(parts, scratch, seed, room)
  for (const part of parts) {
    const count = part.column.codes.length
    merging.begin(part)
    for (let from = 0; from < count; from += CODES_A_STEP) {
      merging.take(from, Math.min(from + CODES_A_STEP, count))
      yield
    }
  }
  for (let from = 0; from < merging.values; from += DOCS_A_STEP) {
    merging.clear(from, Math.min(from + DOCS_A_STEP, merging.values))
    yield
  }
  merging.lay(size)
  for (let from = 0; from < merging.have; from += DOCS_A_STEP) {
    merging.place(from, Math.min(from + DOCS_A_STEP, merging.have))
    yield
  }
  return merging.made()
}

/** Flat arrays with room for all that may come: what is never touched takes no memory, and nothing is copied to grow. */
class ColumnMerge {
  /** By value of the index, one more than its place in the dictionary; all 0 between columns. */
  readonly #scratch: Uint32Array
  readonly #dict: Uint32Array
  readonly #items: Uint32Array
  readonly #listEnds: Uint32Array
  /** By a hash of a list's items, one more than its number. */
  readonly #lists: Uint32Array
  /** By document that has it: where it goes to, and its code; those of lists are below 0, for their places are not known yet. */
  readonly #docs: Uint32Array
  readonly #kept: Int32Array
  readonly #seed: number
  readonly #room: Room
  values = 0
  have = 0
  #listCount = 0
  #part: ColumnPart | undefined
  #newOf = new Int32Array(0)
  #codes: Codes = new Uint8Array(0)
  #isSparse = false

  constructor(parts: readonly ColumnPart[], scratch: Uint32Array, seed: number, room: Room) {
    this.#seed = seed
    this.#room = room
    const sum = (of: (column: Column) => number) => parts.reduce((all, { column }) => all + of(column), 0)
    const lists = sum(({ listEnds }) => listEnds.length)
    this.#scratch = scratch
    this.#dict = new Uint32Array(sum(({ dict }) => dict.length))
    this.#items = new Uint32Array(sum(({ items }) => items.length))
    this.#listEnds = new Uint32Array(lists)
    this.#lists = new Uint32Array(2 ** Math.ceil(Math.log2(2 * lists + 1)))
    this.#docs = new Uint32Array(sum(({ codes }) => codes.length))
    this.#kept = new Int32Array(this.#docs.length)
  }

  begin(part: ColumnPart): void {
    this.#part = part
    this.#newOf = new Int32Array(1 + part.column.dict.length + part.column.listEnds.length)
  }

  take(from: number, to: number): void {
    const { column, moved } = this.#part as ColumnPart
    const { codes, docs } = column
    const newOf = this.#newOf
    for (let i = from; i < to; i++) {
      const code = codes[i] as number
      if (code === 0) continue
      const doc = moved[docs ? (docs[i] as number) : i] as number
      if (doc < 0) continue
      let renewed = newOf[code] as number
      if (renewed === 0) {
        renewed =
          code <= column.dict.length ? this.#valueOf(column.dict[code - 1] as number) : this.#listOf(column, code)
        newOf[code] = renewed
      }
      this.#docs[this.have] = doc
      this.#kept[this.have++] = renewed
    }
  }

  #valueOf(value: number): number {
    const known = this.#scratch[value] as number
    if (known !== 0) return known
    this.#dict[this.values++] = value
    this.#scratch[value] = this.values
    return this.values
  }

  #listOf(column: Column, code: number): number {
    const numbers = valuesOf(column, code).map((value) => this.#valueOf(value))
    // A list of one is its value.
    if (numbers.length === 1) return numbers[0] as number
    const mask = this.#lists.length - 1
    let slot = numbers.reduce((hash, number) => Math.imul(hash ^ number, 0x9e3779b1), this.#seed)
    for (slot = (slot ^ (slot >>> 15)) & mask; this.#lists[slot] !== 0; slot = (slot + 1) & mask) {
      const list = (this.#lists[slot] as number) - 1
      if (this.#isList(list, numbers)) return -1 - list
    }
    const begin = this.#listCount === 0 ? 0 : (this.#listEnds[this.#listCount - 1] as number)
    this.#items.set(numbers, begin)
    this.#listEnds[this.#listCount] = begin + numbers.length
    this.#lists[slot] = ++this.#listCount
    return -this.#listCount
  }

  #isList(list: number, numbers: readonly number[]): boolean {
    const begin = list === 0 ? 0 : (this.#listEnds[list - 1] as number)
    if ((this.#listEnds[list] as number) - begin !== numbers.length) return false
    for (let i = 0; i < numbers.length; i++) if (this.#items[begin + i] !== numbers[i]) return false
    return true
  }

  clear(from: number, to: number): void {
    for (let i = from; i < to; i++) this.#scratch[this.#dict[i] as number] = 0
  }

  lay(size: number): void {
    this.#isSparse = this.have < size * SPARSE_BELOW
    this.#codes = codesFor(this.values + this.#listCount, this.#isSparse ? this.have : size, this.#room)
  }

  place(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const each = this.#kept[i] as number
      this.#codes[this.#isSparse ? i : (this.#docs[i] as number)] = each < 0 ? this.values - each : each
    }
  }

  made(): Column {
    const items = this.#listCount === 0 ? 0 : (this.#listEnds[this.#listCount - 1] as number)
    const room = this.#room
    return {
      docs: this.#isSparse ? room.keep(this.#docs.subarray(0, this.have)) : undefined,
      codes: this.#codes,
      dict: room.keep(this.#dict.subarray(0, this.values)),
      listEnds: room.keep(this.#listEnds.subarray(0, this.#listCount)),
      items: room.keep(this.#items.subarray(0, items)),
    }
  }
}
