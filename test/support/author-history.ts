/** Histories of one record for authoring tests: ops by several keys, made without signatures, merged as they stand. */
import {
  bodyOf,
  type Doc,
  draftOp,
  encodeBody,
  encodeVerbs,
  type Kind,
  type Merged,
  merge,
  networkId,
  type Op,
  type OpId,
  ownerOfKey,
  type Value,
  type Verb,
} from '../../crdt/index.ts'

const net = networkId('authoring')
const owner = 'aa'.repeat(32)

export class History {
  readonly ops: Op[] = []
  #w = 1_000

  constructor(kind: Kind | undefined, doc: Doc) {
    const name = kind?.name ?? 'gadget'
    const body = encodeBody(bodyOf(kind, 'slug', doc))
    this.#add({ type: 'genesis', owner: ownerOfKey(owner), kind: name, slug: 'slug', w: this.#w, body })
  }

  get head(): OpId {
    return (this.ops.at(-1) as Op).id
  }

  merged(ops: readonly Op[] = this.ops): Merged {
    return merge(ops)
  }

  /** An op above `parents`, all heads when left out. `w` moves its clock against the others'. */
  patch(verbs: readonly Verb[], parents?: readonly OpId[], w = 0): OpId {
    const { record, heads } = this.merged()
    this.#w += 10
    const body = encodeVerbs(verbs)
    return this.#add({ type: 'patch', record, parents: parents ?? heads, w: this.#w + w, body })
  }

  /** The ops that `id` has seen, itself included. */
  pastOf(id: OpId): Op[] {
    const byId = new Map(this.ops.map((op) => [op.id, op]))
    const seen = new Set<OpId>()
    const visit = (at: OpId): void => {
      if (seen.has(at)) return
      seen.add(at)
      for (const parent of (byId.get(at) as Op).header.parents) visit(parent)
    }
    visit(id)
    return this.ops.filter((op) => seen.has(op.id))
  }

  #add(draft: Parameters<typeof draftOp>[0]): OpId {
    const op = draftOp(draft, { net, key: owner })
    if (!this.ops.some(({ id }) => id === op.id)) this.ops.push(op)
    return op.id
  }
}

/** A document as plain JSON-like text in which the order of set members and of keys does not show. */
export function shape(doc: Doc, sets: Merged['sets']): string {
  const isSet = new Set(sets.map((path) => JSON.stringify(path)))
  const write = (path: readonly string[], value: Value): unknown => {
    if (value instanceof Uint8Array) return { bytes: [...value] }
    if (Array.isArray(value)) {
      const items = value.map((item) => write([...path, '[]'], item))
      return isSet.has(JSON.stringify(path)) ? items.map((item) => JSON.stringify(item)).sort() : items
    }
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return { map: entries.map(([key, inner]) => [key, write([...path, key], inner as Value)]) }
  }
  return JSON.stringify(write([], doc))
}
