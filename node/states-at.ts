/**
 * A record as it was: made of the ops that had arrived here by some moment of the log, under the authority that was
 * known then. What a reader of the log had seen of it, whatever has come since.
 */
import {
  ERASE,
  type Merged,
  merge,
  type Op,
  type OpId,
  type Owner,
  OwnerAuthority,
  type RecordId,
} from '../crdt/index.ts'
import { relyingRecords, statesAtOpsMax } from './limits.ts'
import type { Store } from './store.ts'

/**
 * One answer for each arrival number, undefined where no op of the record had arrived. Undefined as a whole when its
 * past is too dear to make again, or not known any more: more than `statesAtOpsMax` ops, erased ones, damaged ones.
 */
export async function statesAt(
  store: Store,
  record: RecordId,
  seqs: readonly number[],
): Promise<readonly (Merged | undefined)[] | undefined> {
  const now = await store.record(record)
  if (now === undefined) return seqs.map(() => undefined)
  if (now.opCount > statesAtOpsMax) return undefined
  const loaded = await store.opsOf(now)
  if ('damaged' in loaded || loaded.ops.some(({ freed, header }) => freed || header.type === ERASE)) return undefined
  const arrived = await inOrder(store, loaded.ops)
  const judges = now.judged && (await AuthorityAt.open(store, now.owner))
  const made = new Map<string, Merged | undefined>()
  return seqs.map((seq) => {
    const ops = whole(arrived.filter((each) => each.seq <= seq).map(({ op }) => op))
    const key = `${ops.length} ${judges?.countAt(seq)}`
    if (!made.has(key)) made.set(key, ops.length === 0 ? undefined : merge(ops, store.sha256, judges?.at(seq)))
    return made.get(key)
  })
}

/** Records that an op of an authority record, which arrived as number `seq`, made other than they were. */
export async function touchedAt(store: Store, owner: Owner, seq: number): Promise<readonly RecordId[]> {
  const judges = await AuthorityAt.open(store, owner)
  const [before, after] = [judges.at(seq - 1), judges.at(seq)]
  const touched = new Set<RecordId>()
  for (const via of before.vias()) {
    if (before.stamp([via]) === after.stamp([via])) continue
    for (let last: RecordId | undefined, more = true; more; ) {
      const some: RecordId[] = await store.relying(via, last, relyingRecords)
      for (const record of some) touched.add(record)
      last = some.at(-1)
      more = some.length === relyingRecords
    }
  }
  return [...touched]
}

/** An owner's authority as it was known at moments of the log. */
class AuthorityAt {
  readonly #store: Store
  readonly #now: OwnerAuthority
  readonly #arrived: readonly Arrived[]

  static async open(store: Store, owner: Owner): Promise<AuthorityAt> {
    const now = await store.authority(owner)
    return new AuthorityAt(store, now, await inOrder(store, now.ops()))
  }

  private constructor(store: Store, now: OwnerAuthority, arrived: readonly Arrived[]) {
    this.#store = store
    this.#now = now
    this.#arrived = arrived
  }

  /** How many of its ops had arrived. */
  countAt(seq: number): number {
    return this.#arrived.filter((each) => each.seq <= seq).length
  }

  at(seq: number): OwnerAuthority {
    const authority = new OwnerAuthority(this.#now.net, this.#now.owner, this.#store.sha256)
    for (const op of whole(this.#arrived.filter((each) => each.seq <= seq).map((each) => each.op))) authority.add(op)
    return authority
  }
}

type Arrived = { readonly op: Op; readonly seq: number }

async function inOrder(store: Store, ops: readonly Op[]): Promise<Arrived[]> {
  const locations = await store.locate(ops.map(({ id }) => id))
  const arrived = ops.map((op, at) => {
    const location = locations[at]
    return { op, seq: location === undefined ? 0 : location.seq + location.place }
  })
  return arrived.sort((a, b) => a.seq - b.seq)
}

/**
 * Those whose past is there too, pasts first: an op that was stored again, since its copy was damaged, counts from then
 * on. Ops of authority records also rest on what they name.
 */
function whole(ops: readonly Op[]): Op[] {
  const held = new Set<OpId>()
  const found: Op[] = []
  const inside = new Set(ops.map(({ id }) => id))
  let left = [...ops]
  for (let before = -1; before !== left.length; ) {
    before = left.length
    left = left.filter((op) => {
      const { parents, via } = op.header
      const rests = via !== undefined && inside.has(via) && !held.has(via)
      if (rests || !parents.every((parent) => held.has(parent))) return true
      held.add(op.id)
      found.push(op)
      return false
    })
  }
  return found
}
