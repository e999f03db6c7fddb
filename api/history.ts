/**
 * One op as the history shows it. `patch` is what it wrote, in order, as verbs of SPEC.md with JSON Pointers for paths;
 * of a genesis and a put, what they say from nothing. What is inert in a body is left out, as merging leaves it out.
 */
import { keyToDid, OP_TYPES, type Op, opIdToCid, pointerOf, readBody, valueToJson, type Write } from '../crdt/index.ts'

export function opToJson(op: Op) {
  const { actor, w, type, parents } = op.header
  const { effective, writes } = readBody(op)
  return {
    op: opIdToCid(op.id),
    actor: keyToDid(actor),
    w,
    type: OP_TYPES[type - 1] ?? `unknown-${type}`,
    patch: patchToJson(writes),
    parents: parents.map(opIdToCid),
    ...(!effective && { inert: true }),
  }
}

function patchToJson(writes: readonly Write[]): unknown[][] {
  const verbs: unknown[][] = []
  for (const [at, write] of writes.entries()) {
    const place = pointerOf(write.path)
    switch (write.says) {
      case 'value':
        verbs.push(['set', place, valueToJson(write.value)])
        break
      case 'absent':
        // A genesis and a put begin with it: nothing was there, or nothing of it stays.
        if (at > 0 || write.path.length > 0) verbs.push(['del', place])
        break
      case 'text':
        verbs.push(['text', place, write.text])
        break
      case 'member':
      case 'no-member': {
        const verb = write.says === 'member' ? 'add' : 'rem'
        const last = verbs.at(-1)
        if (last?.[0] === verb && last[1] === place) (last[2] as unknown[]).push(valueToJson(write.member))
        else verbs.push([verb, place, [valueToJson(write.member)]])
        break
      }
      case 'splice':
        verbs.push(['splice', place, opIdToCid(write.epoch), write.at, write.del, write.ins])
    }
  }
  return verbs
}
