/** What the vectors of bodies and merging hold: values are JSON, with {"/": {"bytes": base64}} for bytes. */
import { isMap, type Op, type Value } from '../../crdt/index.ts'

export function fromJson(json: Value): Value {
  if (Array.isArray(json)) return json.map(fromJson)
  if (!isMap(json)) return json
  const link = json['/']
  if (isMap(link) && typeof link['bytes'] === 'string') return new Uint8Array(Buffer.from(link['bytes'], 'base64'))
  const map: Record<string, Value> = Object.create(null)
  for (const [key, value] of Object.entries(json)) map[key] = fromJson(value)
  return map
}

export type MergeVectors = {
  readonly record: string
  readonly actor: string
  readonly owner: string
  readonly kind: string
  readonly slug_hash: string
  readonly cases: readonly {
    readonly comment: string
    readonly ops: readonly { id: string; type: number; parents: string[]; w: number; body: string }[]
    readonly live: boolean
    readonly heads: readonly string[]
    readonly document: Value
    readonly conflicts: readonly unknown[]
    readonly state: string
  }[]
}

export function opsOf(vectors: MergeVectors, ops: MergeVectors['cases'][number]['ops']): Op[] {
  const genesis = { owner: vectors.owner, kind: vectors.kind, slugHash: vectors.slug_hash }
  return ops.map(({ id, type, parents, w, body }) => {
    const bytes = new Uint8Array(Buffer.from(body, 'hex'))
    const { record, actor } = vectors
    const header = { net: '00'.repeat(16), type, record, actor, parents, w, bodyLength: bytes.length, bodyHash: '' }
    return { id, header: type === 1 ? { ...header, genesis } : header, body: bytes }
  })
}
