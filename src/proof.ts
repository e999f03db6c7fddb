/**
 * Records that need no trust: a node is asked for the ops, each is checked here (signature, hash, record, parents),
 * and the record is merged on this side. A node can leave out what is new; it cannot make anything up.
 */
import {
  cidToOpId,
  extend,
  isAuthorityType,
  type Merged,
  merge,
  type Op,
  type OpId,
  type Owner,
  OwnerAuthority,
  openFrame,
  opIdToCid,
  ownerToDid,
  type Suite,
  toHex,
  type Verify,
} from '../crdt/index.ts'
import { ClientError } from './client-error.ts'
import { type Http, query } from './http.ts'
import {
  pageItems,
  provenOpsMax,
  provenOwnersMax,
  provenRecordsMax,
  provenSignaturesMax,
  requestsInFlightMax,
} from './limits.ts'

/** A record's place on a node: /v1/{plural}/{id}. */
export type Place = { readonly plural: string; readonly id: string }
export type Proven = { readonly ops: ReadonlyMap<OpId, Op>; readonly merged: Merged }

export class Prover {
  readonly #http: Http
  readonly #net: () => Promise<string>
  readonly #suite: Suite
  /** Oldest use first. */
  readonly #records = new Map<string, { ops: Map<OpId, Op>; merged: Merged }>()
  readonly #authorities = new Map<Owner, OwnerAuthority>()

  constructor(http: Http, net: () => Promise<string>, suite: Suite) {
    this.#http = http
    this.#net = net
    this.#suite = { sha256: suite.sha256, verify: remembering(suite.verify) }
  }

  /** The record as its ops on the node make it now; undefined when the node holds none. Deleted records included. */
  async record(place: Place, signal?: AbortSignal): Promise<Proven | undefined> {
    const known = this.#records.get(place.id)
    const missing: OpId[] = []
    for await (const id of this.#opIds(place, signal)) if (!known?.ops.has(id)) missing.push(id)
    if (known === undefined && missing.length === 0) return undefined
    const fetched = await inParallel(missing, requestsInFlightMax, (id) => this.#op(id, place.id, signal))
    if (known?.merged.judged !== undefined || fetched.some(({ header }) => header.via !== undefined)) {
      const owner = known?.merged.owner ?? ownerIn(fetched)
      if (owner !== undefined) await this.authority(owner, signal)
    }
    this.add(place.id, fetched)
    return this.#records.get(place.id)
  }

  /** Who may write an owner's records, from authority ops that were fetched and checked here. */
  async authority(owner: Owner, signal?: AbortSignal): Promise<OwnerAuthority> {
    const known = this.#authorities.get(owner)
    const authority = known?.clone() ?? new OwnerAuthority(await this.#net(), owner, this.#suite.sha256)
    const { ops } = await this.#http.json<{ ops: string[] }>(
      `/v1/authority/${encodeURIComponent(ownerToDid(owner))}`,
      signal ? { signal } : {},
    )
    if (ops.length > provenOpsMax)
      throw new ClientError('failed', `the owner has more than ${provenOpsMax} authority ops`)
    const ids = ops.flatMap((cid) => cidToOpId(cid) ?? []).filter((id) => !authority.has(id))
    const fetched = await inParallel(ids, requestsInFlightMax, (id) => this.#op(id, authority.record, signal))
    for (const op of sortedByParents(fetched, new Map(authority.ops().map((held) => [held.id, held])))) {
      const { parents, via } = op.header
      const lacking = [...parents, ...(via === undefined ? [] : [via])].find((id) => !authority.has(id))
      const wrong =
        lacking === undefined ? authority.check(op) : `it names ${opIdToCid(lacking)}, which the node holds back`
      if (wrong !== undefined) throw new ClientError('integrity', `${opIdToCid(op.id)} gives no authority: ${wrong}`)
      authority.add(op)
    }
    if (this.#authorities.size >= provenOwnersMax) this.#authorities.clear()
    this.#authorities.set(owner, authority)
    return authority
  }

  /** The record as last proven here, without asking. */
  known(record: string): Merged | undefined {
    return this.#records.get(record)?.merged
  }

  /** Takes an op that was just signed here, where what it builds on is known here too. */
  note(op: Op): void {
    const known = this.#records.get(op.header.record)
    for (const authority of this.#authorities.values()) if (authority.record === op.header.record) authority.add(op)
    if (isAuthorityType(op.header.type)) return
    if (op.header.parents.every((parent) => known?.ops.has(parent))) this.add(op.header.record, [op])
  }

  /** Takes ops whose signature is known to hold: fetched and checked here, or just signed. */
  add(record: string, fetched: readonly Op[]): void {
    const known = this.#records.get(record)
    const ops = new Map<OpId, Op>(known?.ops)
    const owner = known?.merged.owner ?? ownerIn(fetched)
    if (owner === undefined) throw new ClientError('integrity', 'the node shows a record without a beginning')
    const authority = this.#authorities.get(owner)
    let merged = known?.merged
    let folded = merged?.judged === undefined || authority?.stamp(merged.judged.vias) === merged.judged.stamp
    for (const op of sortedByParents(fetched, ops)) {
      const held = op.header.parents.find((parent) => !ops.has(parent))
      if (held !== undefined) {
        throw new ClientError('integrity', `the node holds back ${opIdToCid(held)}, a parent of an op it showed`)
      }
      ops.set(op.id, op)
      const next: Merged | undefined = folded ? extend(merged, op, this.#suite.sha256, authority) : undefined
      if (next === undefined) folded = false
      else merged = next
    }
    // A good signature by somebody who may not write there proves nothing.
    const kind = known?.merged.kind ?? fetched.find(({ header }) => header.genesis !== undefined)?.header.genesis?.kind
    for (const op of fetched) {
      const wrong = op.header.via === undefined ? signedByOwner(op, owner) : (authority?.check(op, kind) ?? undefined)
      const unknown = op.header.via !== undefined && authority?.has(op.header.via) !== true
      if (wrong === undefined && !unknown) continue
      throw new ClientError('integrity', `${opIdToCid(op.id)} is signed by nobody who may write there`)
    }
    if (!folded || merged === undefined) merged = merge([...ops.values()], this.#suite.sha256, authority)
    this.#records.delete(record)
    this.#records.set(record, { ops, merged })
    if (this.#records.size > provenRecordsMax) this.#records.delete(this.#records.keys().next().value as string)
  }

  async *#opIds(place: Place, signal: AbortSignal | undefined): AsyncGenerator<OpId> {
    let cursor: string | undefined
    let count = 0
    do {
      const path = `/v1/${place.plural}/${place.id}/history${query({ limit: pageItems, cursor })}`
      let page: { items: { op: string }[]; next_cursor?: string }
      try {
        page = await this.#http.json(path, signal ? { signal } : {})
      } catch (error) {
        if (error instanceof ClientError && error.code === 'not-found' && count === 0) return
        throw error
      }
      for (const item of page.items) {
        const id = cidToOpId(item.op)
        if (id === undefined) throw new ClientError('integrity', `the node named an op ${JSON.stringify(item.op)}`)
        if (++count > provenOpsMax) throw new ClientError('failed', `the record has more than ${provenOpsMax} ops`)
        yield id
      }
      cursor = page.next_cursor
    } while (cursor !== undefined)
  }

  async #op(id: OpId, record: string, signal: AbortSignal | undefined): Promise<Op> {
    const cid = opIdToCid(id)
    const response = await this.#http.send(`/v1/ops/${cid}`, { accept: '*/*', ...(signal && { signal }) })
    const opened = openFrame(new Uint8Array(await response.arrayBuffer()), await this.#net(), this.#suite)
    if (!opened.ok) throw new ClientError('integrity', `what the node sent for ${cid} proves nothing: ${opened.reason}`)
    const op = opened.frame.entries.find((entry) => entry.op.id === id)?.op
    if (op === undefined) throw new ClientError('integrity', `the node sent another op for ${cid}`)
    if (op.header.record !== record) throw new ClientError('integrity', `${cid} is an op of another record`)
    return op
  }
}

/**
 * Ops of one batch are proven by one signature: it is checked once, not once for each of them. Only what held is
 * remembered, by all of its bytes.
 */
function remembering(verify: Verify): Verify {
  const held = new Set<string>()
  return (key, message, signature) => {
    const bytes = `${toHex(key)} ${toHex(message)} ${toHex(signature)}`
    if (held.has(bytes)) return true
    if (!verify(key, message, signature)) return false
    if (held.size >= provenSignaturesMax) held.clear()
    held.add(bytes)
    return true
  }
}

function ownerIn(ops: readonly Op[]): Owner | undefined {
  return ops.find(({ header }) => header.genesis !== undefined)?.header.genesis?.owner
}

function signedByOwner({ header }: Op, owner: Owner): string | undefined {
  return owner === `01${header.actor}` ? undefined : 'not-authorised'
}

/** Parents, and what is relied on, before those who name them, as far as the given ops go. */
function sortedByParents(ops: readonly Op[], known: ReadonlyMap<OpId, Op>): Op[] {
  const waiting = new Map(ops.map((op) => [op.id, op]))
  const sorted: Op[] = []
  // A stack instead of recursion: a record's history can be a hundred thousand ops deep.
  const stack = [...ops].reverse()
  const opened = new Set<OpId>()
  while (stack.length > 0) {
    const op = stack.pop() as Op
    if (known.has(op.id) || !waiting.has(op.id)) continue
    const { parents, via } = op.header
    const named = via === undefined ? parents : [...parents, via]
    const open = opened.has(op.id) ? [] : named.flatMap((id) => waiting.get(id) ?? [])
    opened.add(op.id)
    if (open.length > 0) {
      stack.push(op, ...open)
    } else {
      waiting.delete(op.id)
      sorted.push(op)
    }
  }
  return sorted
}

/** Runs `work` over all items, at most `width` at a time; results in order. The first error stops the rest. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length)
  let next = 0
  let failed = false
  const lanes = Array.from({ length: Math.min(width, items.length) }, async () => {
    while (next < items.length && !failed) {
      const at = next++
      try {
        results[at] = await work(items[at] as T)
      } catch (error) {
        failed = true
        throw error
      }
    }
  })
  await Promise.all(lanes)
  return results
}
