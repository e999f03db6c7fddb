/**
 * The side of a session that finds out in what two sets differ: by their sketches, and where these do not say it, by
 * descending their tries (SPEC.md, section 10).
 *
 * One question is under way at a time, and how many there may be is bounded, so a peer that answers nonsense for ever
 * costs a bounded number of bytes. What is found is a claim; that the ops exist shows when they come.
 */
import {
  compareNodes,
  type IdWidth,
  readSymbols,
  SHORT_BYTES,
  SKETCH_SYMBOLS_MAX,
  SketchSolver,
  TRIE_NODES_MAX,
} from '../crdt/index.ts'
import {
  syncFarIdsMin,
  syncFarShare,
  syncFoundIdsMax,
  syncSketchIdsMax,
  syncSymbolsFirst,
  syncSymbolsPerMessage,
  syncTrieNodesMax,
} from './limits.ts'
import type { ReconciledSet } from './reconciled-set.ts'
import type { Link } from './sync-link.ts'
import { type Comparison, writeMessage } from './sync-messages.ts'
import { turn } from './turn.ts'

/** Ids, or their first bytes, that only one side has. */
export type Found = { readonly width: IdWidth; readonly theirs: readonly string[]; readonly ours: readonly string[] }
/** `far`: they differ in so much that reading the whole log is cheaper; `stuck`: the sketch does not tell. */
export type Solved = Found | 'far' | 'stuck'

export class Comparer {
  readonly #link: Link
  readonly #set: ReconciledSet
  #lastQ = 0
  #asked: { readonly q: number; readonly m: Comparison['m']; readonly take: (answer: Comparison) => void } | undefined
  /** Questions asked: each is a round trip. */
  rounds = 0

  constructor(link: Link, set: ReconciledSet) {
    this.#link = link
    this.#set = set
  }

  /** An answer arrived. */
  answer(message: Comparison): void {
    const asked = this.#asked
    if (asked?.q !== message.q || asked.m !== message.m) {
      throw this.#link.fail('misbehaved', 'an answer to nothing', 'protocol')
    }
    this.#asked = undefined
    asked.take(message)
  }

  /** Solves the sketches of a set of `theirs` ids and ours. */
  async solve(theirs: number): Promise<Solved> {
    const ours = (await this.#set.sketch(turn)).copy()
    const both = theirs + this.#set.size
    const isFar = (differ: number) => differ > syncFarIdsMin && differ > syncFarShare * both
    const apart = Math.abs(theirs - this.#set.size)
    if (isFar(apart)) return 'far'
    if (apart > syncSketchIdsMax) return 'stuck'
    const solver = new SketchSolver(ours)
    let wanted = Math.max(syncSymbolsFirst, symbolsFor(apart))
    while (solver.symbols < ours.symbols) {
      const from = solver.symbols
      const to = Math.min(wanted, ours.symbols, from + syncSymbolsPerMessage)
      const answer = await this.#ask('symbols', (q) => writeMessage({ m: 'sketch', q, from, to }))
      if (answer.m !== 'symbols') break
      const symbols = readSymbols(answer.z, from, answer.ops)
      if (symbols === undefined || symbols.count > to - from) {
        throw this.#link.fail('misbehaved', 'symbols that are none', 'malformed')
      }
      solver.take(symbols)
      const { difference, estimate } = solver
      if (difference !== undefined) return { width: SHORT_BYTES, ...difference }
      if (isFar(estimate)) return 'far'
      if (symbols.count < to - from || solver.isBad || solver.isStuck || estimate > syncSketchIdsMax) break
      wanted = Math.min(SKETCH_SYMBOLS_MAX, Math.max(symbolsFor(estimate), Math.ceil(solver.symbols * MORE)))
    }
    return 'stuck'
  }

  /** Descends the tries to all that differs, in parts that are to be dealt with before the next is asked for. */
  async *descend(): AsyncGenerator<Found> {
    // The deepest is asked for first, so that what waits is bounded by the depth and not by the width.
    const waiting: { prefixes: string[]; width: IdWidth }[] = [{ prefixes: [''], width: SHORT_BYTES }]
    let asked = 0
    let told = 0
    const found = { 8: new Gathered(8), 32: new Gathered(32) }
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const at = next.prefixes.splice(0, TRIE_NODES_MAX)
      if (next.prefixes.length > 0) waiting.push(next)
      const { width } = next
      asked += at.length
      if (asked > syncTrieNodesMax) throw this.#link.fail('items', 'more nodes than one session may ask for')
      // Below every hash that differs there is an id that does, a few nodes down.
      if (asked > IDLE_NODES_MAX + NODES_PER_ID * told) {
        throw this.#link.fail('misbehaved', 'hashes that lead to nothing', 'useless')
      }
      const answer = await this.#ask('nodes', (q) => writeMessage({ m: 'trie', q, w: width, at }))
      const descent = answer.m === 'nodes' ? compareNodes(this.#set.ids, at, answer.z, width) : undefined
      if (descent === undefined) throw this.#link.fail('misbehaved', 'nodes that are none', 'malformed')
      if (descent.whole.length > 0) waiting.push({ prefixes: descent.whole, width: 32 })
      if (descent.deeper.length > 0) waiting.push({ prefixes: descent.deeper, width: SHORT_BYTES })
      found[width].add(descent)
      told += descent.theirs.length + descent.ours.length
      if (found[width].size < syncFoundIdsMax) continue
      yield found[width]
      found[width] = new Gathered(width)
    }
    for (const gathered of Object.values(found)) if (gathered.size > 0) yield gathered
  }

  async #ask(m: Comparison['m'], write: (q: number) => Uint8Array): Promise<Comparison> {
    const q = ++this.#lastQ
    const { promise, resolve } = Promise.withResolvers<Comparison>()
    this.#asked = { q, m, take: resolve }
    this.rounds++
    await this.#link.send(write(q))
    return this.#link.until(promise)
  }
}

/** Symbols that a difference of so many ids is solved with, nine times in ten. */
function symbolsFor(ids: number): number {
  return Math.ceil(1.45 * ids) + 12
}

/** Nodes asked for before the first id that differs, and for each: honest tries are a few nodes deep. */
const IDLE_NODES_MAX = 8_192
const NODES_PER_ID = 16

/** When they were not enough: so many times as many. */
const MORE = 1.25

class Gathered implements Found {
  readonly width: IdWidth
  readonly theirs: string[] = []
  readonly ours: string[] = []

  constructor(width: IdWidth) {
    this.width = width
  }

  get size(): number {
    return this.theirs.length + this.ours.length
  }

  add({ theirs, ours }: { readonly theirs: readonly string[]; readonly ours: readonly string[] }): void {
    this.theirs.push(...theirs)
    this.ours.push(...ours)
  }
}
