/**
 * What a replica does with the ops of one record as they come in: an op whose parents are not held waits; any other is
 * folded on top where that is enough, and else all that is held is merged, in the order in which it was taken.
 */
import { extend, type Merged, merge, type Op } from '../../crdt/index.ts'

export type Arrived = {
  /** Ops held, in the order in which they were taken. */
  readonly held: readonly Op[]
  readonly waiting: readonly Op[]
  readonly merged: Merged | undefined
}

export const NOTHING_ARRIVED: Arrived = { held: [], waiting: [], merged: undefined }

/** `take` gives the record after one more op; tests may remember its answers. */
export function arrive(before: Arrived, op: Op, take: Take = extendOrMerge): Arrived {
  let { held, merged } = before
  let waiting = [...before.waiting, op]
  for (let next = ready(held, waiting); next !== undefined; next = ready(held, waiting)) {
    const one = next
    waiting = waiting.filter((other) => other !== one)
    merged = take(merged, held, one)
    held = [...held, one]
  }
  return { held, waiting, merged }
}

export type Take = (merged: Merged | undefined, held: readonly Op[], op: Op) => Merged

export const extendOrMerge: Take = (merged, held, op) => extend(merged, op) ?? merge([...held, op])

function ready(held: readonly Op[], waiting: readonly Op[]): Op | undefined {
  const ids = new Set(held.map(({ id }) => id))
  return waiting.find(({ header }) => header.parents.every((parent) => ids.has(parent)))
}
