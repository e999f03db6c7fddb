/**
 * The graph of one record's ops: its heads, an order with parents first, and which op lies in whose past.
 *
 * Nothing here recurses: a line of 100,000 ops is as good as one of three. Merging asks "is x in the past of y?" far
 * more often than a record has ops, so the answer is kept as chains: every op stands at a position of one chain (a
 * line of ops, each a parent of the next), and an op knows for each chain how far its past reaches along it. A record
 * edited in turns has one chain; memory grows with the places where branches meet, times the number of branches.
 */
import type { Op, OpId } from './op.ts'

export class Dag {
  /** Each op once, parents first: by the length of the longest way to a genesis, then by id. */
  readonly ops: readonly Op[]
  /** Ops that are no parent of another, ascending. */
  readonly heads: readonly OpId[]
  /** One genesis, and each op has the one before it as a parent. */
  readonly isLine: boolean
  readonly #chainOf: Int32Array
  readonly #positionOf: Int32Array
  /** Per op and chain other than its own: how many of the chain's ops are in its past. Shared along a chain. */
  readonly #reach: readonly Int32Array[]

  /** RangeError when a parent is not among the ops, or when they form a circle: such a set is never to be merged. */
  constructor(ops: readonly Op[]) {
    this.ops = topological(ops)
    this.heads = headsOf(this.ops)
    const count = this.ops.length
    const at = new Map<OpId, number>()
    const chainOf = new Int32Array(count)
    const positionOf = new Int32Array(count)
    const tails: number[] = []
    const reach: Int32Array[] = []
    let isLine = count > 0
    for (let i = 0; i < count; i++) {
      const { id, header } = this.ops[i] as Op
      at.set(id, i)
      const parents = header.parents.map((parent) => at.get(parent) as number)
      if (i === 0 ? parents.length > 0 : !parents.includes(i - 1)) isLine = false
      const before = parents.find((parent) => tails[chainOf[parent] as number] === parent)
      const chain = before === undefined ? tails.length : (chainOf[before] as number)
      chainOf[i] = chain
      positionOf[i] = before === undefined ? 0 : (positionOf[before] as number) + 1
      tails[chain] = i
      reach.push(
        before !== undefined && parents.length === 1
          ? (reach[before] as Int32Array)
          : joined(parents, reach, chainOf, positionOf),
      )
    }
    this.isLine = isLine
    this.#chainOf = chainOf
    this.#positionOf = positionOf
    this.#reach = reach
  }

  /** Whether the op at index x of `ops` is in the past of the op at index y. No op is in its own past. */
  isPast(x: number, y: number): boolean {
    const chain = this.#chainOf[x] as number
    const position = this.#positionOf[x] as number
    if (chain === this.#chainOf[y]) return position < (this.#positionOf[y] as number)
    return position < ((this.#reach[y] as Int32Array)[chain] ?? 0)
  }
}

/** Ids of the ops that are no parent of another, ascending. */
export function headsOf(ops: readonly Op[]): OpId[] {
  const heads = new Set<OpId>()
  for (const op of ops) heads.add(op.id)
  for (const op of ops) for (const parent of op.header.parents) heads.delete(parent)
  return [...heads].sort()
}

/** Each op once, parents first, the same for every order of arrival. RangeError as for `Dag`. */
export function topological(ops: readonly Op[]): Op[] {
  const byId = new Map<OpId, Op>()
  for (const op of ops) byId.set(op.id, op)
  const waiting = new Map<OpId, number>()
  const children = new Map<OpId, Op[]>()
  const depth = new Map<OpId, number>()
  const ready: Op[] = []
  for (const op of byId.values()) {
    const { parents } = op.header
    if (parents.length === 0) {
      depth.set(op.id, 0)
      ready.push(op)
    }
    waiting.set(op.id, parents.length)
    for (const parent of parents) {
      if (!byId.has(parent)) throw new RangeError(`expected all parents, got none of id ${parent}`)
      const others = children.get(parent)
      if (others === undefined) children.set(parent, [op])
      else others.push(op)
    }
  }
  // `ready` grows while it is read.
  for (const op of ready) {
    const below = (depth.get(op.id) as number) + 1
    for (const child of children.get(op.id) ?? []) {
      depth.set(child.id, Math.max(below, depth.get(child.id) ?? 0))
      const left = (waiting.get(child.id) as number) - 1
      waiting.set(child.id, left)
      if (left === 0) ready.push(child)
    }
  }
  if (ready.length < byId.size) throw new RangeError('expected ops without a circle of parents')
  return ready.sort((a, b) => (depth.get(a.id) as number) - (depth.get(b.id) as number) || (a.id < b.id ? -1 : 1))
}

/** How far along each chain the parents reach, they themselves included. */
function joined(
  parents: readonly number[],
  reach: readonly Int32Array[],
  chainOf: Int32Array,
  positionOf: Int32Array,
): Int32Array {
  let length = 0
  for (const parent of parents) {
    length = Math.max(length, (reach[parent] as Int32Array).length, (chainOf[parent] as number) + 1)
  }
  const whole = new Int32Array(length)
  for (const parent of parents) {
    const from = reach[parent] as Int32Array
    for (let chain = 0; chain < from.length; chain++) {
      if ((from[chain] as number) > (whole[chain] as number)) whole[chain] = from[chain] as number
    }
    const own = chainOf[parent] as number
    whole[own] = Math.max(whole[own] as number, (positionOf[parent] as number) + 1)
  }
  return whole
}
