/**
 * The values of one field in one segment: a small number a document, which leads to a value or to a list of them.
 *
 * Equal lists are kept once, numbers are as narrow as they can be, and a field that few documents have lists those
 * documents instead. A filter is then a look at one byte or two a document, and so is a facet.
 */
import type { Values } from './search-values.ts'

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

/** Counts the documents of each value in or out of the index's values. */
export function countUses(column: Column, values: Values, sign: 1 | -1): void {
  const perCode = new Uint32Array(1 + column.dict.length + column.listEnds.length)
  for (let i = 0; i < column.codes.length; i++) {
    const code = column.codes[i] as number
    perCode[code] = (perCode[code] as number) + 1
  }
  for (let code = 1; code < perCode.length; code++) {
    const times = perCode[code] as number
    if (times === 0) continue
    for (const value of valuesOf(column, code)) values.use(value, sign * times)
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

  make(size: number): Column {
    const dict = Uint32Array.from(this.#dict)
    const isSparse = this.#docs.length < size * SPARSE_BELOW
    const codes = codesFor(dict.length + this.#listEnds.length, isSparse ? this.#docs.length : size)
    for (let i = 0; i < this.#docs.length; i++) {
      const code = this.#codes[i] as number
      codes[isSparse ? i : (this.#docs[i] as number)] = code < 0 ? dict.length - code : code
    }
    return {
      docs: isSparse ? Uint32Array.from(this.#docs) : undefined,
      codes,
      dict,
      listEnds: Uint32Array.from(this.#listEnds),
      items: Uint32Array.from(this.#items),
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
export function codesFor(most: number, count: number): Codes {
  return most < 256 ? new Uint8Array(count) : most < 65_536 ? new Uint16Array(count) : new Uint32Array(count)
}

const CODES_A_STEP = 4_096

/** One column to be merged: where its documents go to, -1 for those that are left out. */
export type ColumnPart = { readonly column: Column; readonly docs: number; readonly moved: Int32Array }

/** Puts columns one after the other, in steps. Values and lists that only documents left out had are not kept. */
export function* mergeColumns(
  parts: readonly ColumnPart[],
  size: number,
  scratch: Uint32Array,
): Generator<undefined, Column> {
  const dict: number[] = []
  const listEnds: number[] = []
  const items: number[] = []
  const lists = new Map<string, number>()
  /** Codes of lists are counted from 1 behind those of values, which are not all known yet. */
  const kept: { doc: Uint32Array; code: Int32Array; count: number }[] = []
  let have = 0
  for (const { column, docs: partSize, moved } of parts) {
    const { codes } = column
    const count = column.docs ? column.docs.length : partSize
    const newOf = new Int32Array(1 + column.dict.length + column.listEnds.length)
    const into = { doc: new Uint32Array(count), code: new Int32Array(count), count: 0 }
    for (let i = 0; i < count; i++) {
      if (i % CODES_A_STEP === CODES_A_STEP - 1) yield
      const code = codes[i] as number
      if (code === 0) continue
      const doc = moved[column.docs ? (column.docs[i] as number) : i] as number
      if (doc < 0) continue
      let renewed = newOf[code] as number
      if (renewed === 0) {
        const numbers = valuesOf(column, code).map((value) => {
          if (scratch[value] === 0) scratch[value] = dict.push(value)
          return scratch[value] as number
        })
        if (numbers.length === 1) {
          renewed = numbers[0] as number
        } else {
          const key = numbers.join()
          let list = lists.get(key)
          if (list === undefined) {
            items.push(...numbers)
            list = listEnds.push(items.length)
            lists.set(key, list)
          }
          renewed = -list
        }
        newOf[code] = renewed
      }
      into.doc[into.count] = doc
      into.code[into.count++] = renewed
    }
    have += into.count
    kept.push(into)
  }
  for (const value of dict) scratch[value] = 0
  const isSparse = have < size * SPARSE_BELOW
  const codes = codesFor(dict.length + listEnds.length, isSparse ? have : size)
  let at = 0
  const sparse = isSparse ? new Uint32Array(have) : undefined
  for (const { doc, code, count } of kept) {
    for (let i = 0; i < count; i++) {
      const each = code[i] as number
      const number = each < 0 ? dict.length - each : each
      if (sparse) {
        sparse[at] = doc[i] as number
        codes[at++] = number
      } else {
        codes[doc[i] as number] = number
      }
    }
    yield
  }
  return {
    docs: sparse,
    codes,
    dict: Uint32Array.from(dict),
    listEnds: Uint32Array.from(listEnds),
    items: Uint32Array.from(items),
  }
}
