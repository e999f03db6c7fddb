/**
 * Owners' authority as its ops on the disk say it, and the records that rely on them.
 */
import {
  authorityRecord,
  IDENTITY,
  type Op,
  type OpId,
  type Owner,
  OwnerAuthority,
  ownerOfIdentity,
  ownerOfKey,
  type RecordId,
} from '../crdt/index.ts'
import { authorityCacheOpsMax } from './limits.ts'
import { Lru } from './lru.ts'
import { authorityRows, idOfKey, viaKey, viaRows, waitingRows } from './rows.ts'
import type { StoreFrames } from './store-frames.ts'
import type { Prepared, StoreParts } from './store-types.ts'

export class StoreAuthority {
  readonly #parts: StoreParts
  readonly #frames: StoreFrames
  readonly #authorities = new Lru<RecordId, OwnerAuthority>(authorityCacheOpsMax)
  /** Of authority records with damaged ops: which. */
  readonly #gaps = new Map<RecordId, readonly OpId[]>()

  constructor(parts: StoreParts, frames: StoreFrames) {
    this.#parts = parts
    this.#frames = frames
  }

  /** What is on disk now. */
  committed({ authorities }: Prepared): void {
    for (const authority of authorities) this.#authorities.set(authority.record, authority, authority.size + 1)
  }

  /** What is known of an owner's authority; of one who never said anything, the owner's own key alone. */
  async authority(owner: Owner): Promise<OwnerAuthority> {
    const { net } = this.#parts
    const record = authorityRecord(net, owner, this.#parts.sha256)
    const cached = this.#authorities.get(record)
    if (cached !== undefined) return cached
    const commits = this.#parts.commits()
    const authority = await this.readAuthority(owner, [])
    if (commits === this.#parts.commits()) this.#authorities.set(record, authority, authority.size + 1)
    return authority
  }

  /** The same from its rows, with ops that are not on disk yet, or not in a good copy. */
  async readAuthority(owner: Owner, more: readonly Op[]): Promise<OwnerAuthority> {
    const { net } = this.#parts
    const authority = new OwnerAuthority(net, owner, this.#parts.sha256)
    const ids: OpId[] = []
    for await (const key of this.#parts.disk.keys(authorityRows(authority.record))) ids.push(idOfKey(key))
    const ops = await this.#frames.ops(ids)
    for (const op of more) if (op.header.record === authority.record) ops.set(op.id, op)
    const gaps = ids.filter((id) => !ops.has(id))
    if (gaps.length > 0) this.#gaps.set(authority.record, gaps)
    else this.#gaps.delete(authority.record)
    // What rests on a damaged op has no authority until that op has been fetched again.
    for (const op of withPastsFirst(ops)) authority.add(op)
    return authority
  }

  /** Ops of an authority record that are held and could not be read: what rests on them cannot be judged without. */
  gaps(record: RecordId): readonly OpId[] {
    return this.#gaps.get(record) ?? []
  }

  /** Whose authority record this is; undefined when no op of it is held. */
  async ownerOfAuthority(record: RecordId): Promise<Owner | undefined> {
    const cached = this.#authorities.get(record)
    if (cached !== undefined) return cached.size > 0 ? cached.owner : undefined
    const gaps: OpId[] = []
    for await (const key of this.#parts.disk.keys(authorityRows(record))) {
      const id = idOfKey(key)
      const [op] = (await this.#frames.ops([id])).values()
      if (op === undefined) gaps.push(id)
      if (op?.header.type === IDENTITY) return ownerOfIdentity(record)
      if (op !== undefined && op.header.via === undefined) return ownerOfKey(op.header.actor)
    }
    if (gaps.length > 0) this.#gaps.set(record, gaps)
    return undefined
  }

  /** What lost or regained authority, with records still to be merged again. */
  async waiting(): Promise<OpId[]> {
    const vias: OpId[] = []
    for await (const key of this.#parts.disk.keys(waitingRows)) vias.push(idOfKey(key))
    return vias
  }

  /** Records with an op that relies on this one, from after `after`. */
  async relying(via: OpId, after: RecordId | undefined, limit: number): Promise<RecordId[]> {
    const records: RecordId[] = []
    const range = viaRows(via)
    const from = after === undefined ? range : { gt: viaKey(via, after), lte: range.lte }
    for await (const key of this.#parts.disk.keys({ ...from, limit })) records.push(idOfKey(key))
    return records
  }
}

/** Ops in an order in which each comes after what it names; what rests on an op that is not there is left out. */
function withPastsFirst(ops: ReadonlyMap<OpId, Op>): Op[] {
  const users = new Map<OpId, Op[]>()
  const lacking = new Map<OpId, number>()
  const ready: Op[] = []
  for (const op of ops.values()) {
    const { parents, via } = op.header
    const named = new Set(via === undefined ? parents : [...parents, via])
    lacking.set(op.id, named.size)
    if (named.size === 0) ready.push(op)
    for (const id of named) {
      const others = users.get(id)
      if (others === undefined) users.set(id, [op])
      else others.push(op)
    }
  }
  // `ready` grows while it is read.
  for (const { id } of ready) {
    for (const user of users.get(id) ?? []) {
      const left = lacking.get(user.id)! - 1
      lacking.set(user.id, left)
      if (left === 0) ready.push(user)
    }
  }
  return ready
}
