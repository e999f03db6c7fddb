/**
 * Owners whose keys can be replaced, as whoever holds the seed knows them: the key of each step, and the op that it
 * relies on. Here all keys follow from a number; what a thief has is an old key and not the one that comes after it.
 */
import {
  commitment,
  encodeIdentity,
  encodeRotate,
  type Op,
  type OpId,
  type Owner,
  ownerOfIdentity,
  type RecordId,
} from '../../crdt/index.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Signer } from '../../node/replica-types.ts'
import { draft, sealed } from './library.ts'
import { START_MS } from './scheduler.ts'

const { sha256 } = nativeSuite
/** Keys of one identity. */
export const STEPS = 4

export type Step = { readonly op: Op; readonly frame: Uint8Array }

export class SimIdentity {
  readonly owner: Owner
  /** The authority record. */
  readonly record: RecordId
  /** What founded it and each rotate since: the op that the key of that step relies on. */
  readonly steps: Step[] = []
  readonly #signers: readonly Signer[]
  readonly #commitments: readonly string[]

  /** `signers`: of each step, the first founds it. */
  constructor(signers: readonly Signer[]) {
    this.#signers = signers
    let next = 'ed'.repeat(32)
    const commitments = [next]
    for (const { key } of signers.slice(1).toReversed()) {
      next = commitment(key, next, sha256)
      commitments.unshift(next)
    }
    this.#commitments = commitments
    const first = this.signer(0)
    const op = draft(first, { type: 'identity', w: START_MS, body: encodeIdentity({ commitment: commitments[0]! }) })
    this.record = op.header.record
    this.owner = ownerOfIdentity(this.record)
    this.steps.push({ op, frame: sealed(first, [op])[0]! })
  }

  /** Whose turn it is, from 0. */
  get step(): number {
    return this.steps.length - 1
  }

  get mayRotate(): boolean {
    return this.steps.length < this.#signers.length
  }

  signer(step: number): Signer {
    return this.#signers[step]!
  }

  /** Hands it on to the next key. What the last one did stays as far as `keep` says. */
  rotate(parents: readonly OpId[], keep: readonly OpId[], w: number): Step {
    const next = this.signer(this.steps.length)
    const body = encodeRotate({ commitment: this.#commitments[this.steps.length]!, keep })
    const via = this.steps.at(-1)!.op.id
    const op = draft(next, { type: 'rotate', record: this.record, parents, via, w, body })
    const step = { op, frame: sealed(next, [op])[0]! }
    this.steps.push(step)
    return step
  }
}
