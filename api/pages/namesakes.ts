/** Records of the same name and kind under other keys: a name is free to take, and only the key says who it is. */
import { type Merged, ownerToDid } from '../../crdt/index.ts'
import type { NodeFace } from '../../node/index.ts'
import { textAt } from './doc.ts'

/** How many other keys have one. Never fails: without an index there is no hint. */
export async function namesakes(node: NodeFace, record: Merged): Promise<number> {
  const name = textAt(record.doc, 'name') ?? record.slug
  if (name === undefined || !record.live) return 0
  try {
    const found = await node.catalogue.find({
      kinds: [record.kind],
      filters: { name },
      facets: ['owner_id'],
      limit: 1,
    })
    if ('problem' in found) return 0
    const own = ownerToDid(record.owner)
    return (found.facets['owner_id'] ?? []).filter(({ value }) => value !== own).length
  } catch {
    return 0
  }
}
