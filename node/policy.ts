/**
 * What the operator of this node refuses, and how much of one hand it takes: lists of blocked owners, peers and records,
 * and quotas. Small rows on disk, read at open; every answer here is given from memory.
 *
 * A block is this node's own opinion and says nothing about validity: what it refuses is known, is not served and not
 * shown, and is taken again once the block is gone. Ops of authority records are never refused: who may write must be
 * the same everywhere, and without them nobody could tell which of the refused ops are valid, and so known.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import {
  type ActorKey,
  decode,
  didToOwner,
  encode,
  isHex,
  isMap,
  type Owner,
  ownerOfKey,
  ownerToDid,
  type RecordId,
} from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { policyRowsMax } from './limits.ts'
import { NO_QUOTA, type Quota } from './quota.ts'

/** `name`: as it is written and listed. */
export type Target =
  | { readonly is: 'did'; readonly name: string; readonly owner: Owner }
  | { readonly is: 'record'; readonly name: RecordId }
  | { readonly is: 'peer'; readonly name: string }
/** `at`: ms since 1970. */
export type Block = Target & { readonly at: number; readonly reason?: string }
/** Of one owner or actor; what is not set is as for everybody. */
export type QuotaOverride = Partial<Quota>

/** Small durable rows by name. */
export type PolicyStore = {
  notes(prefix: string): AsyncIterable<readonly [name: string, value: Uint8Array]>
  setNote(name: string, value: Uint8Array | undefined, options?: { readonly sync?: boolean }): Promise<void>
}

export type PolicyOptions = {
  /** For everybody who has none of his own; no bounds unless told. */
  readonly quota?: Quota
  /** The node's own key, which is neither blocked nor bounded. */
  readonly own?: ActorKey
}

/** Why an op is known and not held. */
export const BLOCKED = 'blocked'

const BLOCK = 'policy/block/'
const QUOTA = 'policy/quota/'
const UNSHOWN = 'policy/unshown/'

export class Policy {
  readonly own: ActorKey | undefined
  readonly quota: Quota
  readonly #store: PolicyStore
  readonly #blocks = new Map<string, Block>()
  readonly #owners = new Set<Owner>()
  readonly #quotas = new Map<Owner, QuotaOverride>()
  readonly #unshown = new Map<string, Target>()
  readonly #subscribers = new Set<(target: Target) => void>()
  #peers = 0
  #version = 0

  private constructor(store: PolicyStore, { quota = NO_QUOTA, own }: PolicyOptions) {
    this.#store = store
    this.quota = quota
    this.own = own
  }

  static async open(store: PolicyStore, options: PolicyOptions = {}): Promise<Policy> {
    const policy = new Policy(store, options)
    for await (const [name, value] of store.notes(BLOCK)) {
      const target = blockTarget(name)
      const { at, reason } = readMap(value)
      if (target === undefined || typeof at !== 'number') continue
      policy.#keep({ ...target, at, ...(typeof reason === 'string' && { reason }) })
    }
    for await (const [name, value] of store.notes(QUOTA)) {
      const owner = didToOwner(name)
      if (owner !== undefined) policy.#quotas.set(owner, readOverride(readMap(value)))
    }
    for await (const [name] of store.notes(UNSHOWN)) {
      const target = blockTarget(name)
      if (target !== undefined) policy.#unshown.set(name, target)
    }
    return policy
  }

  /** Another number after each change of the blocks. */
  get version(): number {
    return this.#version
  }

  /** No op is refused by a block. */
  get isOpen(): boolean {
    return this.#blocks.size === this.#peers
  }

  /** The node's own key: it cannot be blocked. */
  isOwn(target: Target): boolean {
    return target.is === 'did' && this.own !== undefined && target.owner === ownerOfKey(this.own)
  }

  blocks(): readonly Block[] {
    return [...this.#blocks.values()]
  }

  block(name: string): Block | undefined {
    return this.#blocks.get(name)
  }

  /** The record is not shown, and no op of it taken or served. */
  blocksRecord(record: RecordId, owner: Owner | undefined): boolean {
    return this.#blocks.has(record) || (owner !== undefined && this.#owners.has(owner))
  }

  blocksActor(actor: ActorKey): boolean {
    return this.#owners.size > 0 && this.#owners.has(ownerOfKey(actor))
  }

  blocksPeer(peer: string): boolean {
    return this.#peers > 0 && this.#blocks.get(peer)?.is === 'peer'
  }

  /**
   * Durable when it resolves. NodeError('busy') when there are policyRowsMax already; RangeError for the node's own key.
   * Called inside the writer, so that no group is judged half by the old lists and half by the new.
   */
  async add(block: Block): Promise<void> {
    if (this.isOwn(block)) throw new RangeError("this node's own key cannot be blocked")
    if (!this.#blocks.has(block.name) && this.#blocks.size >= policyRowsMax)
      throw new NodeError('busy', `there are ${policyRowsMax} blocks already`)
    const { at, reason } = block
    await this.#noteUnshown(block)
    await this.#store.setNote(BLOCK + block.name, encode({ at, ...(reason !== undefined && { reason }) }), {
      sync: true,
    })
    this.#keep(block)
  }

  /**
   * `release` lets go of what the block refused, and is called when it holds no more; only then is its row removed. So
   * after a kill anywhere the block may still be there, and never what it refused without it.
   */
  async remove(block: Block, release: () => Promise<void>): Promise<void> {
    await this.#noteUnshown(block)
    this.#forget(block)
    try {
      await release()
      await this.#store.setNote(BLOCK + block.name, undefined, { sync: true })
    } catch (error) {
      this.#keep(block)
      throw error
    }
  }

  /** Calls after each change of the blocks, when it is in force. Returns how to stop. */
  onChange(call: (target: Target) => void): () => void {
    const subscriber = (target: Target) => call(target)
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  /** For whoever changed them. */
  changed(target: Target): void {
    this.#version++
    for (const call of this.#subscribers) call(target)
  }

  /** Targets whose records the search index may still show, or not show, as before. */
  unshown(): readonly Target[] {
    return [...this.#unshown.values()]
  }

  /** The index says of this target's records what the lists say. */
  async shown(target: Target): Promise<void> {
    this.#unshown.delete(target.name)
    await this.#store.setNote(UNSHOWN + target.name, undefined)
  }

  /** What is in force for this owner or actor. */
  quotaOf(owner: Owner): Quota {
    if (this.own !== undefined && owner === ownerOfKey(this.own)) return NO_QUOTA
    const own = this.#quotas.get(owner)
    return own === undefined ? this.quota : { ...this.quota, ...own }
  }

  hasOwnQuota(owner: Owner): boolean {
    return this.#quotas.has(owner)
  }

  /** Those who have one of their own, with what differs from everybody's. */
  quotas(): readonly { readonly did: string; readonly quota: QuotaOverride }[] {
    return Array.from(this.#quotas, ([owner, quota]) => ({ did: ownerToDid(owner), quota }))
  }

  /** Undefined: as everybody. Durable when it resolves; NodeError('busy') when there are policyRowsMax already. */
  async setQuota(owner: Owner, quota: QuotaOverride | undefined): Promise<void> {
    if (quota !== undefined && !this.#quotas.has(owner) && this.#quotas.size >= policyRowsMax)
      throw new NodeError('busy', `there are ${policyRowsMax} quotas already`)
    await this.#store.setNote(QUOTA + ownerToDid(owner), quota && encode({ ...quota }), { sync: true })
    if (quota === undefined) this.#quotas.delete(owner)
    else this.#quotas.set(owner, quota)
  }

  async #noteUnshown(target: Target): Promise<void> {
    if (target.is === 'peer') return
    await this.#store.setNote(UNSHOWN + target.name, encode({}))
    this.#unshown.set(target.name, target)
  }

  #forget(block: Block): void {
    this.#blocks.delete(block.name)
    if (block.is === 'did') this.#owners.delete(block.owner)
    if (block.is === 'peer') this.#peers--
  }

  #keep(block: Block): void {
    if (block.is === 'peer' && !this.#blocks.has(block.name)) this.#peers++
    this.#blocks.set(block.name, block)
    if (block.is === 'did') this.#owners.add(block.owner)
  }
}

/** Of a did, a peer id or 64 hex digits; undefined for what is none of them. */
export function blockTarget(text: string): Target | undefined {
  if (text.startsWith('did:')) {
    const owner = didToOwner(text)
    return owner === undefined ? undefined : { is: 'did', name: ownerToDid(owner), owner }
  }
  if (isHex(text, 64)) return { is: 'record', name: text }
  if (text.length > PEER_CHARS_MAX) return undefined
  try {
    return { is: 'peer', name: peerIdFromString(text).toString() }
  } catch {
    return undefined
  }
}

/** Reading base58 takes time that grows with the square of its length. */
const PEER_CHARS_MAX = 128

function readOverride(map: Readonly<Record<string, unknown>>): QuotaOverride {
  const quota: Record<string, number> = {}
  for (const name of ['opsPerHour', 'records', 'bytes']) if (typeof map[name] === 'number') quota[name] = map[name]
  return quota
}

function readMap(value: Uint8Array): Readonly<Record<string, unknown>> {
  const read = decode(value)
  return read.ok && isMap(read.value) ? read.value : {}
}
