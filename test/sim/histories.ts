/**
 * Histories of owners who share their records: random ops of every type there is (grant, revoke, keep, rotate, erase and
 * what is written under them), some of them spoiled, signed by whoever they say. What they come to, the naive versions
 * say, which know of no order.
 */
import fc from 'fast-check'
import { type Op, type OpId, type Owner, type RecordId, signOps } from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import { signerOf, worlds } from '../support/authority-arbitrary.ts'
import { naiveVerdicts } from '../support/naive-authority.ts'

export type History = {
  readonly owner: Owner
  /** The authority record. */
  readonly record: RecordId
  readonly ops: readonly Op[]
  readonly valid: ReadonlySet<OpId>
}

const histories = new Map<number, History>()

/** The history of this number; the same number, the same history. */
export function historyOf(number: number): History {
  let history = histories.get(number)
  if (history === undefined) {
    const [world] = fc.sample(worlds({ min: 6, max: 14, spoil: 6 }), { seed: number, numRuns: 1 })
    const verdicts = naiveVerdicts(world!.ops)
    const valid = world!.ops.flatMap(({ id }) => (verdicts.get(id) === 'valid' ? [id] : []))
    history = { ...world!, valid: new Set(valid) }
    if (histories.size > 100) histories.clear()
    histories.set(number, history)
  }
  return history
}

/** One op as its signer would send it. */
export function frameOf(op: Op): Uint8Array {
  const { net, actor } = op.header
  const { sign } = signerOf(actor)
  return signOps([op], { net, key: actor, sha256: nativeSuite.sha256, sign })[0]!.frame.bytes
}
