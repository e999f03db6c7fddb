/** Puts the sample catalogue into a node. A record that is there already, changed or deleted, stays as it is. */
import { ownerOfKey } from '../../crdt/index.ts'
import type { NodeFace } from '../../node/index.ts'
import { sample } from './index.ts'

export async function loadSample(node: NodeFace): Promise<void> {
  const actor = node.replica.actor
  if (actor === undefined) return
  const owner = ownerOfKey(actor)
  const known = await Promise.all(sample.map(({ kind, slug }) => node.catalogue.readAny({ kind, owner, slug })))
  await node.catalogue.batch(sample.filter((_, at) => known[at] === undefined))
}
