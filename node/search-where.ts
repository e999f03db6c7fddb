/**
 * Which documents of a segment meet a query's kinds, filters and expression: every test becomes a set of the values
 * that meet it, and then one look at a column.
 */
import { testedKept } from './limits.ts'
import type { SearchQuery } from './search.ts'
import { addBits, type Bits, bitsOf, dropBits, fullBits, hasBit, keepBits, setBit } from './search-bits.ts'
import { acceptedCodes, type Column } from './search-column.ts'
import type { Expression, Test } from './search-expression.ts'
import { testOf } from './search-expression.ts'
import { type Leaf, leafOf } from './search-fields.ts'
import type { Plan, Want } from './search-filter.ts'
import { docOf, idAt, type Segment } from './search-segment.ts'
import { NULL_CODE, type Values } from './search-values.ts'
import type { WorkBudget } from './search-work.ts'

/** A test of values: by all that meet it, or by one look at each. */
type ValueTest = {
  /** Equal for tests that the same values meet. */
  readonly name: string
  readonly equals?: readonly Leaf[]
  readonly exists?: true
  /** Only numbers meet it. */
  readonly number?: (value: number) => boolean
  readonly leaf: (leaf: Leaf) => boolean
}

type Tree =
  | { readonly all: readonly Tree[] }
  | { readonly any: readonly Tree[] }
  | { readonly not: Tree }
  | { readonly paths: readonly string[]; readonly test: ValueTest }

/** What a query asks besides its text, ready to be asked of every segment. */
export class Filter {
  readonly #tree: Tree
  readonly #values: Values

  constructor(values: Values, kinds: readonly string[] | undefined, plan?: Plan, where?: SearchQuery['where']) {
    this.#values = values
    this.#tree = {
      all: [
        ...(kinds === undefined ? [] : [{ paths: ['kind'], test: equalTo(kinds) }]),
        ...(plan?.wants.map(treeOfWant) ?? []),
        ...(plan && where ? [treeOf(where, plan.where)] : []),
      ],
    }
  }

  /** Live documents that meet it, in a set that is not to be changed. What the budget does not reach is taken for not met. */
  match(segment: Segment, budget: WorkBudget): Bits {
    if (!('all' in this.#tree) || this.#tree.all.length === 0) return segment.live
    const bits = segment.live.slice()
    for (const tree of this.#tree.all) keepBits(bits, this.#match(segment, tree, budget))
    return bits
  }

  #match(segment: Segment, tree: Tree, budget: WorkBudget): Bits {
    if ('not' in tree) {
      const bits = fullBits(segment.size)
      dropBits(bits, this.#match(segment, tree.not, budget))
      return bits
    }
    if ('all' in tree) {
      const bits = fullBits(segment.size)
      for (const each of tree.all) keepBits(bits, this.#match(segment, each, budget))
      return bits
    }
    if ('any' in tree) {
      const bits = bitsOf(segment.size)
      for (const each of tree.any) addBits(bits, this.#match(segment, each, budget))
      return bits
    }
    return this.#tested(segment, tree.paths, tree.test, budget)
  }

  /** The same tests are asked again and again: what meets them is kept with the segment, and not to be changed. */
  #tested(segment: Segment, paths: readonly string[], test: ValueTest, budget: WorkBudget): Bits {
    const name = JSON.stringify([paths, test.name])
    const { tested } = segment
    const known = tested.get(name)
    if (known) {
      // The one used last is the last to go.
      tested.delete(name)
      tested.set(name, known)
      return known
    }
    const bits = bitsOf(segment.size)
    for (const path of paths) this.#test(segment, path, test, bits, budget)
    // Ids are looked up faster than kept, and only among the living.
    if (budget.wasSpent || paths.includes('id')) return bits
    const [oldest] = tested.keys()
    if (tested.size >= testedKept && oldest !== undefined) tested.delete(oldest)
    tested.set(name, bits)
    return bits
  }

  #test(segment: Segment, path: string, test: ValueTest, bits: Bits, budget: WorkBudget): void {
    if (path === 'id') testIds(segment, test, bits, budget)
    if (path === 'registered_at') testNumbers(segment.arrays.registeredAt, test, bits)
    if (path === 'changed_at') testNumbers(segment.arrays.changedAt, test, bits)
    const column = segment.columns.get(path)
    if (!column) return
    const accepted = this.#accepted(column, test, budget)
    if (accepted) markAccepted(column, acceptedCodes(column, accepted), bits)
  }

  /** By value of the column, 1 when it meets the test; undefined when none does. */
  #accepted({ dict }: Column, test: ValueTest, budget: WorkBudget): Uint8Array | undefined {
    const accepted = new Uint8Array(dict.length)
    let some = false
    const accept = (at: number): void => {
      accepted[at] = 1
      some = true
    }
    const { equals, exists, number } = test
    const values = this.#values
    if (equals) {
      for (const leaf of equals) {
        const code = values.find(leaf)
        const at = code === undefined ? -1 : dict.indexOf(code)
        if (at >= 0) accept(at)
      }
    } else if (exists) {
      for (let i = 0; i < dict.length; i++) if (dict[i] !== NULL_CODE) accept(i)
    } else if (number) {
      for (let i = 0; i < dict.length; i++) {
        const value = values.number(dict[i] as number)
        if (!Number.isNaN(value) && number(value)) accept(i)
      }
    } else {
      for (let i = 0; i < dict.length; i++) {
        if (i % 512 === 511 && budget.isSpent()) break
        if (test.leaf(values.leaf(dict[i] as number))) accept(i)
      }
    }
    return some ? accepted : undefined
  }
}

function markAccepted({ docs, codes }: Column, accepted: Uint8Array, bits: Bits): void {
  if (docs) {
    for (let i = 0; i < docs.length; i++) if (accepted[codes[i] as number] === 1) setBit(bits, docs[i] as number)
    return
  }
  const size = codes.length
  for (let at = 0, word = 0; at < size; word++) {
    let found = 0
    const end = Math.min(32, size - at)
    for (let bit = 0; bit < end; bit++, at++) found |= (accepted[codes[at] as number] as number) << bit
    bits[word] = (bits[word] as number) | found
  }
}

function testNumbers(numbers: Float64Array, test: ValueTest, bits: Bits): void {
  for (let doc = 0; doc < numbers.length; doc++) if (test.leaf(numbers[doc] as number)) setBit(bits, doc)
}

function testIds(segment: Segment, test: ValueTest, bits: Bits, budget: WorkBudget): void {
  if (test.equals) {
    for (const leaf of test.equals) {
      const doc = typeof leaf === 'string' ? docOf(segment, Buffer.from(leaf, 'hex')) : -1
      if (doc >= 0 && idAt(segment, doc) === leaf) setBit(bits, doc)
    }
    return
  }
  for (let doc = 0; doc < segment.size; doc++) {
    if (doc % 512 === 511 && budget.isSpent()) return
    if (hasBit(segment.live, doc) && test.leaf(idAt(segment, doc))) setBit(bits, doc)
  }
}

function equalTo(leaves: readonly Leaf[]): ValueTest {
  return { name: `= ${nameOf(leaves)}`, equals: leaves, leaf: (leaf) => leaves.includes(leaf) }
}

function treeOfWant(want: Want): Tree {
  const { paths } = want
  if (want.is === 'equal') return { paths, test: equalTo([want.leaf]) }
  const { number } = want
  const isIn = want.is === 'at-least' ? (value: number) => value >= number : (value: number) => value <= number
  const name = `${want.is} ${number}`
  return { paths, test: { name, number: isIn, leaf: (leaf) => typeof leaf === 'number' && isIn(leaf) } }
}

function treeOf(expression: Expression, fields: Plan['where']): Tree {
  if ('all' in expression) return { all: expression.all.map((each) => treeOf(each, fields)) }
  if ('any' in expression) return { any: expression.any.map((each) => treeOf(each, fields)) }
  if ('not' in expression) return { not: treeOf(expression.not, fields) }
  const tree = { paths: fields.get(expression.field) ?? [], test: valueTest(expression) }
  return expression.op === '!=' ? { not: tree } : tree
}

function valueTest(test: Test): ValueTest {
  const leaf = testOf(test)
  const { op, value } = test
  const name = `${op} ${nameOf(value)}`
  if (op === '=' || op === '!=' || op === 'in') {
    const wanted = (op === 'in' ? (Array.isArray(value) ? value : []) : Array.isArray(value) ? [] : [value]).map(
      (each) => (each === undefined ? undefined : leafOf(each)),
    )
    return { name, equals: wanted.filter((each) => each !== undefined), leaf }
  }
  if (op === 'exists') return { name, exists: true, leaf }
  return { name, ...(typeof value === 'number' && op !== 'contains' && { number: leaf }), leaf }
}

/** Numbers that JSON does not know would otherwise go by the name of null. */
function nameOf(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (Math.abs(each) === Number.POSITIVE_INFINITY ? { is: `${each}` } : each))
}
