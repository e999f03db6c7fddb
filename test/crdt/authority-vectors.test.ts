/** The stories of authority.json, told by the code and by the naive reading of the same rules. */
import { describe, expect, test } from 'vitest'
import { fromHex, isAuthorityType, merge, type Op, OwnerAuthority, openFrame, pureSuite } from '../../crdt/index.ts'
import { toJson } from '../../scripts/vectors/json.ts'
import { naiveAuthority, naiveVerdicts } from '../support/naive-authority.ts'
import { naiveMerge } from '../support/naive-merge.ts'
import { ownVectors } from '../support/vectors.ts'

type Case = {
  comment: string
  owner: string
  frames: string[]
  refused: { op: string; reason: string }[]
  voided: { op: string; by: string[] }[]
  erased: string[]
  live: boolean
  doc: unknown
  heads: string[]
  conflicts: number
}
const vectors = ownVectors('authority') as { net: string; cases: Case[] }

describe.each(vectors.cases)('$comment', (told) => {
  const ops = told.frames.map((frame): Op => {
    const opened = openFrame(fromHex(frame), vectors.net, pureSuite)
    if (!opened.ok) throw new Error(opened.reason)
    return opened.frame.entries[0]!.op
  })
  const refused = new Set(told.refused.map(({ op }) => op))

  test('by the code', () => {
    const authority = new OwnerAuthority(vectors.net, told.owner)
    const content: Op[] = []
    const reasons: Case['refused'] = []
    for (const op of ops) {
      const reason = authority.check(op, 'model')
      if (reason !== undefined) reasons.push({ op: op.id, reason })
      else if (isAuthorityType(op.header.type)) authority.add(op)
      else content.push(op)
    }
    expect(reasons).toEqual(told.refused)
    const merged = merge(content, undefined, authority)
    expect(toJson(merged.doc)).toEqual(told.doc)
    expect([merged.live, merged.heads, merged.conflicts.length]).toEqual([told.live, told.heads, told.conflicts])
    expect(merged.erased ?? []).toEqual(told.erased)
    const gone = authority.ops().filter(({ id }) => authority.voidedBy(id).length > 0)
    expect([...gone.map(({ id }) => id), ...(merged.voided ?? []).map(({ op }) => op)]).toEqual(
      told.voided.map(({ op }) => op),
    )
  })

  test('by the naive reading', () => {
    const verdicts = naiveVerdicts(ops)
    expect(ops.filter(({ id }) => verdicts.get(id) !== 'valid').map(({ id }) => id)).toEqual([...refused])
    const valid = ops.filter(({ id }) => !refused.has(id))
    const authority = naiveAuthority(valid, 'all')
    expect(authority.answers).toBe(1)
    expect([...authority.voided.keys()].sort()).toEqual(told.voided.map(({ op }) => op).sort())
    const merged = naiveMerge(
      valid.filter(({ header }) => !isAuthorityType(header.type)),
      authority,
    )
    expect(toJson(merged.doc)).toEqual(told.doc)
    expect([merged.live, merged.heads, merged.conflicts.length]).toEqual([told.live, told.heads, told.conflicts])
  })
})
