/**
 * A replica whose records are made when they are asked for, for measuring what follows it: it holds no op and no row, and
 * takes in what it is told to. Record 0 came first, and so on; ids say which is which.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { bodyOf, encodeBody, encodeMerged, kindOf, type Merged, readLater, toHex, utf8 } from '../../crdt/index.ts'
import type { Appended, Change, Followed, ListOptions } from '../../node/index.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Source } from './index-records.ts'

const MADE_AT_ONCE = 25
const OWNER = `01${'ab'.repeat(32)}`
/** Odd, so that every number has an id and every id a number; the index looks for ids by their beginning. */
const SPREAD = 0x9e3779b1
const GATHERED = 0x0e8b2f51

export class FedReplica {
  readonly epoch = 'bench'
  readonly actor = undefined
  readonly policy = { isOpen: true, unshown: () => [], onChange: () => () => {} }
  readonly #source: Source
  readonly #first: number
  /** Numbers of the records behind the first, in the order of arrival. */
  readonly #log: number[] = []
  readonly #followers = new Set<(appended: Appended) => void>()
  #revision = 0

  /** With the first `count` records of the source. */
  constructor(source: Source, count: number) {
    this.#source = source
    this.#first = count
  }

  get face(): Followed {
    return this as unknown as Followed
  }

  counts() {
    const seq = this.#first + this.#log.length
    return { ops: seq, seq, records: {} }
  }

  onAppended(call: (appended: Appended) => void): () => void {
    this.#followers.add(call)
    return () => this.#followers.delete(call)
  }

  /** Takes these records in, new ones and ones that were there and have changed. */
  append(numbers: readonly number[]): void {
    const { seq } = this.counts()
    this.#revision++
    this.#log.push(...numbers)
    const records = numbers.map((number) => {
      const merged = this.#recordOf(number)
      return { merged, row: encodeMerged(merged) }
    })
    const appended = { first: seq + 1, last: seq + numbers.length, local: false, frames: [], records }
    for (const call of this.#followers) call(appended)
  }

  async list({ after, limit }: ListOptions): Promise<readonly Merged[]> {
    const from = after === undefined ? 0 : numberOf(after) + 1
    return Array.from({ length: Math.min(limit, this.#first - from) }, (_, i) => this.#recordOf(from + i))
  }

  /** With pauses: to read records back is quicker in a node than it is to make them here. */
  async recordsOrBroken(ids: readonly string[]): Promise<Merged[]> {
    const records: Merged[] = []
    for (const [at, id] of ids.entries()) {
      records.push(this.#recordOf(numberOf(id)))
      if (at % MADE_AT_ONCE === MADE_AT_ONCE - 1) await nextTurn()
    }
    return records
  }

  async changes(since: number, limit: number): Promise<readonly Change[]> {
    const to = Math.min(since + limit, this.counts().seq)
    return Array.from({ length: to - since }, (_, i) => {
      const at = since + i
      const number = at < this.#first ? at : (this.#log[at - this.#first] as number)
      return { seq: at + 1, record: idOf(number) } as Change
    })
  }

  #recordOf(number: number): Merged {
    const { kind, slug, doc } = this.#source(number)
    const id = idOf(number)
    const body = encodeBody(bodyOf(kindOf(kind), slug, doc))
    const slugHash = toHex(nativeSuite.sha256(utf8(slug)))
    const w = 1_700_000_000_000 + number + this.#revision
    return readLater({ id, record: id, owner: OWNER, kind, slugHash, w, body }, nativeSuite.sha256)
  }
}

function idOf(number: number): string {
  return (Math.imul(number, SPREAD) >>> 0).toString(16).padStart(8, '0').repeat(8)
}

function numberOf(id: string): number {
  return Math.imul(Number.parseInt(id.slice(0, 8), 16), GATHERED) >>> 0
}
