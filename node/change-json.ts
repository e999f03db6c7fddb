/** One change of the arrival log in JSON, as /v1/changes and webhooks tell it. */
import { keyToDid, opIdToCid } from '../crdt/index.ts'
import type { Change } from './replica-types.ts'

export function changeToJson({ seq, op, kind, record, type, actor, w }: Change) {
  return { seq, op: opIdToCid(op), kind, id: record, type, actor: keyToDid(actor), w }
}
