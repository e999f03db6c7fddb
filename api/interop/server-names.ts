/**
 * Which record a server name means. Several records can come to one name: the oldest registration has it, and every
 * other one has `-` and the first 8 digits of its record id behind it.
 *
 * The names are made when they are first asked for and then follow the replica. One entry a live record of the kind,
 * about 300 bytes.
 */
import { kindServing, type Merged, type RecordId } from '../../crdt/index.ts'
import type { ReplicaFace } from '../../node/index.ts'
import { pageItemsMax } from '../../node/index.ts'
import { serverNameOf } from './server-json.ts'

export const SERVER_KIND = kindServing('mcp')

/** Whether the record is called by MCP. */
export function isServer(record: Merged): boolean {
  return record.kind === SERVER_KIND.name && record.live && record.doc['protocol'] === 'mcp'
}

type Named = { readonly id: RecordId; readonly registeredAt: number; readonly base: string }

export class ServerNames {
  readonly #replica: ReplicaFace
  readonly #closing: AbortSignal
  readonly #byId = new Map<RecordId, Named>()
  /** Oldest registration first. */
  readonly #byName = new Map<string, Named[]>()
  #loaded: Promise<void> | undefined
  #stopFollowing = () => {}

  constructor(replica: ReplicaFace, closing: AbortSignal) {
    this.#replica = replica
    this.#closing = closing
    // Records come and go with a block, without an op.
    const stop = replica.policy.onChange(() => {
      this.#stopFollowing()
      this.#byId.clear()
      this.#byName.clear()
      this.#loaded = undefined
    })
    closing.addEventListener('abort', stop, { once: true })
  }

  async idOf(name: string): Promise<RecordId | undefined> {
    await this.#load()
    const [first] = this.#byName.get(name) ?? []
    if (first !== undefined) return first.id
    const [, base = '', digits = ''] = /^(.*)-([0-9a-f]{8})$/s.exec(name) ?? []
    return this.#byName.get(base)?.find(({ id }, at) => at > 0 && id.startsWith(digits))?.id
  }

  async nameOf(record: Merged): Promise<string> {
    await this.#load()
    const base = serverNameOf(record)
    const [first] = this.#byName.get(base) ?? []
    return first === undefined || first.id === record.record ? base : `${base}-${record.record.slice(0, 8)}`
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#read().catch((error: unknown) => {
      this.#loaded = undefined
      throw error
    })
    return this.#loaded
  }

  async #read(): Promise<void> {
    // What is appended meanwhile is newer than any page that was read.
    const newer = new Set<RecordId>()
    let loading = true
    const stop = this.#replica.onAppended(({ records }) => {
      for (const { merged } of records) {
        if (loading) newer.add(merged.record)
        this.#note(merged)
      }
    })
    this.#stopFollowing = stop
    this.#closing.addEventListener('abort', stop, { once: true })
    try {
      let after: RecordId | undefined
      for (;;) {
        const page = await this.#replica.list({ kind: SERVER_KIND.name, after, limit: pageItemsMax, live: true })
        for (const record of page) if (!newer.has(record.record)) this.#note(record)
        after = page.at(-1)?.record
        if (page.length < pageItemsMax) break
      }
      loading = false
    } catch (error) {
      stop()
      throw error
    }
  }

  #note(record: Merged): void {
    if (record.kind !== SERVER_KIND.name) return
    const before = this.#byId.get(record.record)
    const base = isServer(record) ? serverNameOf(record) : undefined
    if (before?.base === base && before?.registeredAt === record.registeredAt) return
    if (before !== undefined) this.#forget(before)
    if (base === undefined) return
    const named = { id: record.record, registeredAt: record.registeredAt, base }
    this.#byId.set(named.id, named)
    const all = this.#byName.get(base) ?? []
    const later = all.findIndex((other) => isOlder(named, other))
    all.splice(later < 0 ? all.length : later, 0, named)
    this.#byName.set(base, all)
  }

  #forget({ id, base }: Named): void {
    this.#byId.delete(id)
    const left = (this.#byName.get(base) ?? []).filter((named) => named.id !== id)
    if (left.length > 0) this.#byName.set(base, left)
    else this.#byName.delete(base)
  }
}

function isOlder(a: Named, b: Named): boolean {
  return a.registeredAt < b.registeredAt || (a.registeredAt === b.registeredAt && a.id < b.id)
}
