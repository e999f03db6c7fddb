/**
 * The filterable values of all records in memory, one column a path: a document number leads to a code, a code to one
 * value or a list of them. Values are kept once for all columns.
 *
 * A filter is a scan of one column, a facet a count over the records found; both stay under some milliseconds at a
 * million records. Document numbers are small and used again, so that columns can be flat arrays; a column that few
 * records have is a map instead, so that strangers' fields cost what they hold and no more.
 */
import type { Leaf } from './search-fields.ts'

/** A column becomes flat when one in this many documents has it. */
const FLAT_SHARE = 16

/** 0 = absent, above 0 a value, below 0 a list. */
type Code = number

export class Column {
  readonly path: string
  /** Documents that have it. */
  count = 0
  #flat: Int32Array | undefined
  #sparse = new Map<number, Code>()

  constructor(path: string) {
    this.path = path
  }

  get(doc: number): Code {
    return this.#flat ? (this.#flat[doc] ?? 0) : (this.#sparse.get(doc) ?? 0)
  }

  /** Documents that have the column, in no order. */
  *docs(): Iterable<number> {
    if (!this.#flat) return yield* this.#sparse.keys()
    for (let doc = 0; doc < this.#flat.length; doc++) if (this.#flat[doc] !== 0) yield doc
  }

  get isFlat(): boolean {
    return this.#flat !== undefined
  }

  set(doc: number, code: Code, docs: number): void {
    const before = this.get(doc)
    if (before === 0 && code !== 0) this.count++
    if (before !== 0 && code === 0) this.count--
    if (!this.#flat && this.count * FLAT_SHARE > docs) this.#flatten(docs)
    if (this.#flat) {
      if (doc >= this.#flat.length && code !== 0) this.#grow(Math.max(doc + 1, docs))
      if (doc < this.#flat.length) this.#flat[doc] = code
    } else if (code === 0) {
      this.#sparse.delete(doc)
    } else {
      this.#sparse.set(doc, code)
    }
  }

  #flatten(docs: number): void {
    let last = docs
    for (const doc of this.#sparse.keys()) if (doc >= last) last = doc + 1
    this.#flat = new Int32Array(last)
    for (const [doc, code] of this.#sparse) this.#flat[doc] = code
    this.#sparse = new Map()
  }

  #grow(docs: number): void {
    const grown = new Int32Array(docs + (docs >> 1))
    grown.set(this.#flat as Int32Array)
    this.#flat = grown
  }
}

export class Columns {
  readonly #columns = new Map<string, Column>()
  readonly #byLastSegment = new Map<string, Set<string>>()
  readonly #codes = new Map<Leaf, number>()
  /** By code; code 0 stands for nothing. */
  readonly #values: Leaf[] = [null]
  /** Documents and columns that have the code; a code without any is given to another value. */
  readonly #uses: number[] = [0]
  readonly #freeCodes: number[] = []
  readonly #lists: (Int32Array | undefined)[] = [undefined]
  readonly #freeLists: number[] = []
  readonly #paths = new Map<number, readonly Column[]>()
  readonly #shapes = new Map<string, { columns: readonly Column[]; docs: number }>()
  #docs = 0
  /** Room for counting, all zero between counts. */
  #counts = new Int32Array(0)

  /** How often the document's own value of this column stands elsewhere: what refers to its slug. */
  references(column: Column, doc: number): number {
    const code = column.get(doc)
    return code > 0 ? (this.#uses[code] as number) - 1 : 0
  }

  /** Gives the document these values and no others. */
  set(doc: number, leaves: Iterable<readonly [string, readonly Leaf[]]>): void {
    this.clear(doc)
    if (doc >= this.#docs) this.#docs = doc + 1
    const columns: Column[] = []
    for (const [path, values] of leaves) {
      const column = this.#columnOf(path)
      column.set(doc, values.length === 1 ? this.#codeOf(values[0] as Leaf) : this.#listOf(values), this.#docs)
      columns.push(column)
    }
    this.#paths.set(doc, this.#shapeOf(columns))
  }

  clear(doc: number): void {
    for (const column of this.#paths.get(doc) ?? []) {
      const code = column.get(doc)
      if (code < 0) {
        for (const each of this.#lists[-code] as Int32Array) this.#release(each)
        this.#lists[-code] = undefined
        this.#freeLists.push(-code)
      } else if (code > 0) {
        this.#release(code)
      }
      column.set(doc, 0, this.#docs)
      if (column.count === 0) this.#forget(column.path)
    }
    const columns = this.#paths.get(doc)
    if (columns) this.#releaseShape(columns)
    this.#paths.delete(doc)
  }

  column(path: string): Column | undefined {
    return this.#columns.get(path)
  }

  paths(): Iterable<string> {
    return this.#columns.keys()
  }

  /** Paths with this last segment that are longer than it. */
  endingWith(segment: string): Iterable<string> {
    return this.#byLastSegment.get(segment) ?? []
  }

  values(column: Column, doc: number): readonly Leaf[] {
    const code = column.get(doc)
    if (code === 0) return []
    if (code > 0) return [this.#values[code] as Leaf]
    return Array.from(this.#lists[-code] as Int32Array, (each) => this.#values[each] as Leaf)
  }

  /** The first value; undefined when the document has none. */
  first(column: Column, doc: number): Leaf | undefined {
    const code = column.get(doc)
    if (code === 0) return undefined
    return this.#values[code > 0 ? code : ((this.#lists[-code] as Int32Array)[0] as number)]
  }

  /** A test of one document for one value, or undefined when no record has it. */
  equals(column: Column, leaf: Leaf): ((doc: number) => boolean) | undefined {
    const wanted = this.#codes.get(leaf)
    if (wanted === undefined) return undefined
    return (doc) => {
      const code = column.get(doc)
      return code === wanted || (code < 0 && (this.#lists[-code] as Int32Array).includes(wanted))
    }
  }

  /** A test of one document for a number within bounds. */
  within(column: Column, least: number, most: number): (doc: number) => boolean {
    const fits = (code: number) => {
      const value = this.#values[code]
      return typeof value === 'number' && value >= least && value <= most
    }
    return (doc) => {
      const code = column.get(doc)
      if (code >= 0) return code > 0 && fits(code)
      return (this.#lists[-code] as Int32Array).some(fits)
    }
  }

  /** How many of the documents have each value; one with a value in several of the columns counts once. */
  count(columns: readonly Column[], docs: readonly number[]): Map<Leaf, number> {
    if (this.#counts.length < this.#values.length) this.#counts = new Int32Array(this.#values.length * 2)
    const counts = this.#counts
    const met: number[] = []
    const add = (code: number): void => {
      if (counts[code] === 0) met.push(code)
      counts[code] = (counts[code] as number) + 1
    }
    for (const doc of docs) {
      for (let at = 0; at < columns.length; at++) {
        const code = (columns[at] as Column).get(doc)
        if (code > 0) {
          if (at === 0 || !this.#isBefore(columns, at, doc, code)) add(code)
        } else if (code < 0) {
          for (const each of this.#lists[-code] as Int32Array) {
            if (at === 0 || !this.#isBefore(columns, at, doc, each)) add(each)
          }
        }
      }
    }
    const found = new Map<Leaf, number>()
    for (const code of met) {
      found.set(this.#values[code] as Leaf, counts[code] as number)
      counts[code] = 0
    }
    return found
  }

  /** Has the document the code in a column before this one? */
  #isBefore(columns: readonly Column[], at: number, doc: number, wanted: number): boolean {
    for (let i = 0; i < at; i++) {
      const code = (columns[i] as Column).get(doc)
      if (code === wanted || (code < 0 && (this.#lists[-code] as Int32Array).includes(wanted))) return true
    }
    return false
  }

  #columnOf(path: string): Column {
    const known = this.#columns.get(path)
    if (known) return known
    const column = new Column(path)
    this.#columns.set(path, column)
    const dot = path.lastIndexOf('.')
    if (dot >= 0) {
      const segment = path.slice(dot + 1)
      const paths = this.#byLastSegment.get(segment)
      if (paths) paths.add(path)
      else this.#byLastSegment.set(segment, new Set([path]))
    }
    return column
  }

  #forget(path: string): void {
    this.#columns.delete(path)
    const segment = path.slice(path.lastIndexOf('.') + 1)
    const paths = this.#byLastSegment.get(segment)
    if (paths?.delete(path) && paths.size === 0) this.#byLastSegment.delete(segment)
  }

  /** The code of a value, counted as used once more. */
  #codeOf(leaf: Leaf): number {
    let code = this.#codes.get(leaf)
    if (code === undefined) {
      code = this.#freeCodes.pop() ?? this.#values.length
      this.#values[code] = leaf
      this.#uses[code] = 0
      this.#codes.set(leaf, code)
    }
    this.#uses[code] = (this.#uses[code] as number) + 1
    return code
  }

  #release(code: number): void {
    const left = (this.#uses[code] as number) - 1
    this.#uses[code] = left
    if (left > 0) return
    this.#codes.delete(this.#values[code] as Leaf)
    this.#values[code] = null
    this.#freeCodes.push(code)
  }

  #listOf(values: readonly Leaf[]): Code {
    if (values.length === 0) return 0
    const slot = this.#freeLists.pop() ?? this.#lists.length
    this.#lists[slot] = Int32Array.from(values, (value) => this.#codeOf(value))
    return -slot
  }

  /** Records of one source have the same fields: their list of columns is kept once. */
  #shapeOf(columns: readonly Column[]): readonly Column[] {
    const key = shapeKey(columns)
    const known = this.#shapes.get(key)
    if (known) {
      known.docs++
      return known.columns
    }
    this.#shapes.set(key, { columns, docs: 1 })
    return columns
  }

  #releaseShape(columns: readonly Column[]): void {
    const key = shapeKey(columns)
    const shape = this.#shapes.get(key)
    if (shape && --shape.docs === 0) this.#shapes.delete(key)
  }
}

function shapeKey(columns: readonly Column[]): string {
  return columns.map((column) => column.path).join('\0')
}
