/**
 * Sorts many ids, as bytes one after the other, without stopping the process for long: by their first two bytes into
 * places, then the few that share a place among themselves. What is there twice is left once.
 */
import { compareBytes } from '../crdt/index.ts'

const ID_BYTES = 32
const PLACES = 65_536

/** Each `yield` is a moment to let others run; the sorted ids are what is returned. */
export function* sortIds(parts: readonly Uint8Array[]): Generator<void, Uint8Array> {
  const ends = new Uint32Array(PLACES)
  for (const part of parts) for (let at = 0; at < part.length; at += ID_BYTES) ends[placeOf(part, at)]! += 1
  for (let place = 1; place < PLACES; place++) ends[place]! += ends[place - 1]!
  const count = ends[PLACES - 1]!
  const sorted = new Uint8Array(count * ID_BYTES)
  // Filled from its end, so that what was each place's end becomes its begin.
  for (const part of parts) {
    for (let at = 0; at < part.length; at += ID_BYTES) {
      const to = --ends[placeOf(part, at)]!
      sorted.set(part.subarray(at, at + ID_BYTES), to * ID_BYTES)
    }
    yield
  }
  for (let place = 0; place < PLACES; place++) {
    sortRange(sorted, ends[place]!, place + 1 < PLACES ? ends[place + 1]! : count)
    if (place % 4_096 === 0) yield
  }
  return distinct(sorted)
}

function placeOf(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** By insertion: of a million ids, 15 share a place. */
function sortRange(ids: Uint8Array, from: number, to: number): void {
  if (to - from > INSERTED_MAX) {
    const slices = Array.from({ length: to - from }, (_, i) => idAt(ids, from + i).slice()).sort(compareBytes)
    for (const [i, id] of slices.entries()) ids.set(id, (from + i) * ID_BYTES)
    return
  }
  const held = new Uint8Array(ID_BYTES)
  for (let i = from + 1; i < to; i++) {
    held.set(idAt(ids, i))
    let at = i
    while (at > from && compareBytes(idAt(ids, at - 1), held) > 0) at--
    if (at === i) continue
    ids.copyWithin((at + 1) * ID_BYTES, at * ID_BYTES, i * ID_BYTES)
    ids.set(held, at * ID_BYTES)
  }
}

/** More than this in one place come from somebody who sought them, and are sorted in another way. */
const INSERTED_MAX = 128

function distinct(sorted: Uint8Array): Uint8Array {
  let to = 0
  for (let at = 0; at < sorted.length; at += ID_BYTES) {
    if (to > 0 && compareBytes(sorted.subarray(to - ID_BYTES, to), sorted.subarray(at, at + ID_BYTES)) === 0) continue
    if (to !== at) sorted.copyWithin(to, at, at + ID_BYTES)
    to += ID_BYTES
  }
  return sorted.subarray(0, to)
}

function idAt(ids: Uint8Array, index: number): Uint8Array {
  return ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES)
}
