/**
 * A linear trace becomes the ops that its writers would have signed, had each seen another's edits only some time later.
 *
 * A writer sees what he wrote at once, what others wrote when it is `lag` seconds older by the trace's clock, and of
 * each op its past. An op's parents are the record's heads so seen. The catalogue's key owns all records; each writer
 * gets a grant first.
 */
import {
  authorityRecord,
  draftOp,
  encodeBody,
  encodeGrant,
  encodeVerbs,
  type Merged,
  merge,
  type NetworkId,
  type Op,
  type OpId,
  OwnerAuthority,
  ownerOfKey,
  type Path,
  recordId,
  type Value,
  type Verb,
} from '../../crdt/index.ts'
import { nativeSuite, signerFromSeed } from '../../node/native.ts'
import type { Signer } from '../../node/replica-types.ts'
import type { Edit } from './trace.ts'

export type Authored = {
  readonly op: Op
  readonly signer: Signer
  /** Ops of one commit by one writer are signed together. */
  readonly batch: string
}

/** What the writers made of one record. */
export type History = { readonly record: string; readonly ops: Op[] }

const { sha256 } = nativeSuite

export class Author {
  readonly #net: NetworkId
  readonly #kind: string
  readonly #lag: number
  readonly #owner = signer('catalogue')
  readonly #grants = new Map<string, { readonly signer: Signer; readonly grant: Op }>()
  readonly #records = new Map<string, { op: Op; writer: string; t: number }[]>()
  readonly authority: OwnerAuthority
  /** Ops that did not build on all that was there: they opened a branch or went on along one. */
  branches = 0
  /** Joins of branches that agreed, and that did not. */
  merged = 0
  conflicts = 0
  skipped = 0

  constructor(net: NetworkId, kind: string, lag: number) {
    this.#net = net
    this.#kind = kind
    this.#lag = lag
    this.authority = new OwnerAuthority(net, ownerOfKey(this.#owner.key), sha256)
  }

  get writers(): number {
    return this.#grants.size
  }

  histories(): History[] {
    return Array.from(this.#records, ([record, entries]) => ({ record, ops: entries.map(({ op }) => op) }))
  }

  /** The ops of one edit, in order; none for a touch, or for the deletion of what its writer never saw. */
  ops(edit: Edit): Authored[] {
    const batch = `${edit.commit} ${edit.writer}`
    const made: Authored[] = []
    const { signer: by, grant, isNew } = this.#writer(edit)
    if (isNew) made.push({ op: grant, signer: this.#owner, batch: 'grants' })
    for (const op of this.#edit(edit, by, grant.id)) made.push({ op, signer: by, batch })
    return made
  }

  /** What is still apart at the end counts like any other join. */
  finish(): void {
    for (const entries of this.#records.values()) {
      const merged = this.#merge(entries.map(({ op }) => op))
      if (merged.heads.length > 1) this.#count(merged)
    }
  }

  #edit(edit: Edit, by: Signer, via: OpId): Op[] {
    const { op: what, key } = edit
    if (what === 'touch') return []
    const seen = this.#seen(key, edit)
    if (what === 'delete') return this.#delete(key, edit, by, via, seen)
    if (what === 'rename') {
      const from = edit.from as string
      const before = this.#seen(from, edit)
      const doc = before.length === 0 ? {} : (this.#merge(before).doc as Readonly<Record<string, Value>>)
      const fields = flat(doc)
      for (const path of edit.unset ?? []) fields.delete(path)
      for (const [path, value] of Object.entries(edit.set ?? {})) fields.set(path, value)
      return [...this.#whole(key, edit, by, via, seen, fields), ...this.#delete(from, edit, by, via, before)]
    }
    const set = new Map(Object.entries(edit.set ?? {}))
    const live = seen.length > 0 && this.#merge(seen).live
    if (what === 'create' || !live) return this.#whole(key, edit, by, via, seen, set)
    const verbs: Verb[] = [
      ...(edit.unset ?? []).map((field): Verb => ['del', pathOf(field)]),
      ...Array.from(set, ([field, value]): Verb => ['set', pathOf(field), value]),
    ]
    return [this.#take(key, edit, by, { type: 'patch', via, seen, body: encodeVerbs(verbs) })]
  }

  #whole(key: string, edit: Edit, by: Signer, via: OpId, seen: readonly Op[], fields: Map<string, Value>): Op[] {
    const f = Array.from(fields, ([field, value]) => [pathOf(field), value] as const)
    const type = seen.length === 0 ? 'genesis' : 'put'
    const body = encodeBody({ ...(type === 'genesis' && { slug: key }), f, s: [], t: [] })
    return [this.#take(key, edit, by, { type, via, seen, body })]
  }

  #delete(key: string, edit: Edit, by: Signer, via: OpId, seen: readonly Op[]): Op[] {
    if (seen.length === 0) {
      this.skipped++
      return []
    }
    return [this.#take(key, edit, by, { type: 'delete', via, seen, body: new Uint8Array(0) })]
  }

  #take(
    key: string,
    edit: Edit,
    by: Signer,
    {
      type,
      via,
      seen,
      body,
    }: { type: 'genesis' | 'put' | 'patch' | 'delete'; via: OpId; seen: readonly Op[]; body: Uint8Array },
  ): Op {
    const id = this.#id(key)
    const w = edit.t * 1000
    const parents = headsOf(seen)
    const owner = ownerOfKey(this.#owner.key)
    const options = { net: this.#net, key: by.key, sha256 }
    const op =
      type === 'genesis'
        ? draftOp({ type, owner, kind: this.#kind, slug: key, w, body, via }, options)
        : draftOp({ type, record: id, parents: parents.slice(0, 16), w, body, via }, options)
    const entries = this.#records.get(id) ?? []
    const heads = headsOf(entries.map((entry) => entry.op))
    if (heads.some((head) => !parents.includes(head))) this.branches++
    if (parents.length > 1) this.#count(this.#merge(seen))
    // The same edit twice in one second of one writer is one op.
    if (!entries.some((entry) => entry.op.id === op.id)) entries.push({ op, writer: edit.writer, t: edit.t })
    this.#records.set(id, entries)
    return op
  }

  /** The ops of a record that the writer of this edit sees, each with its past. */
  #seen(key: string, { writer, t }: Edit): Op[] {
    const entries = this.#records.get(this.#id(key)) ?? []
    const seen = new Set<OpId>()
    const byId = new Map(entries.map(({ op }) => [op.id, op]))
    const work = entries.filter((entry) => entry.writer === writer || entry.t <= t - this.#lag).map(({ op }) => op.id)
    for (let id = work.pop(); id !== undefined; id = work.pop()) {
      if (seen.has(id)) continue
      seen.add(id)
      work.push(...(byId.get(id) as Op).header.parents)
    }
    return entries.flatMap(({ op }) => (seen.has(op.id) ? [op] : []))
  }

  #count({ conflicts }: Merged): void {
    if (conflicts.length === 0) this.merged++
    else this.conflicts++
  }

  #merge(ops: readonly Op[]): Merged {
    return merge(ops, sha256, this.authority)
  }

  #writer({ writer, t }: Edit): { signer: Signer; grant: Op; isNew: boolean } {
    const known = this.#grants.get(writer)
    if (known !== undefined) return { ...known, isNew: false }
    const by = signer(writer)
    const owner = ownerOfKey(this.#owner.key)
    const grant = draftOp(
      {
        type: 'grant',
        record: authorityRecord(this.#net, owner, sha256),
        parents: this.authority.heads().slice(0, 16),
        w: t * 1000,
        body: encodeGrant({ to: by.key, rights: ['create', 'delete', 'write'], kinds: [this.#kind] }),
      },
      { net: this.#net, key: this.#owner.key, sha256 },
    )
    this.authority.add(grant)
    this.#grants.set(writer, { signer: by, grant })
    return { signer: by, grant, isNew: true }
  }

  #id(slug: string): string {
    return recordId({ net: this.#net, owner: ownerOfKey(this.#owner.key), kind: this.#kind, slug }, sha256)
  }
}

export function pathOf(field: string): Path {
  return field.split('.')
}

function signer(name: string): Signer {
  return signerFromSeed(sha256(new TextEncoder().encode(`replay ${name}`)))
}

function headsOf(ops: readonly Op[]): OpId[] {
  const parents = new Set(ops.flatMap(({ header }) => header.parents))
  return ops.flatMap(({ id }) => (parents.has(id) ? [] : [id])).sort()
}

/** A document as the trace writes one: leaves by their dotted path. */
function flat(doc: Readonly<Record<string, Value>>, prefix = ''): Map<string, Value> {
  const fields = new Map<string, Value>()
  for (const [key, value] of Object.entries(doc)) {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    if (isMap) for (const [path, leaf] of flat(value as never, `${prefix}${key}.`)) fields.set(path, leaf)
    else fields.set(prefix + key, value)
  }
  return fields
}
