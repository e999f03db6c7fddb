/**
 * Sorts many ids, as bytes one after the other, without stopping the process for long: by their first bits into about as
 * many places as there are ids, then the few that share a place among themselves. What is there twice is left once.
 */
import { compareBytes, compareParts } from '../crdt/index.ts'

const ID_BYTES = 32
/** A place for each id up to a million, then more ids a place. */
const PLACE_BITS_MAX = 20
/** Ids, or places, between two moments for others: a few milliseconds. */
const A_STRETCH = 32_768

/** Each `yield` is a moment to let others run; the sorted ids are what is returned. */
export function* sortIds(parts: readonly Uint8Array[]): Generator<undefined, Uint8Array> {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  const bits = Math.min(PLACE_BITS_MAX, Math.max(1, Math.ceil(Math.log2(bytes / ID_BYTES + 1))))
  const shift = 32 - bits
  const ends = new Uint32Array(2 ** bits)
  for (const [part, from, to] of stretches(parts)) {
    count(part, from, to, ends, shift)
    yield
  }
  for (let place = 1; place < ends.length; place++) ends[place]! += ends[place - 1]!
  const sorted = new Uint8Array(bytes)
  // Filled from its end, so that what was each place's end becomes its begin.
  for (const [part, from, to] of stretches(parts)) {
    put(part, from, to, sorted, ends, shift)
    yield
  }
  for (let from = 0; from < ends.length; from += A_STRETCH) {
    for (let place = from; place < Math.min(from + A_STRETCH, ends.length); place++) {
      sortRange(sorted, ends[place]!, place + 1 < ends.length ? ends[place + 1]! : bytes / ID_BYTES)
    }
    yield
  }
  return yield* distinct(sorted)
}

function* stretches(parts: readonly Uint8Array[]): Generator<[part: Uint8Array, from: number, to: number]> {
  for (const part of parts) {
    for (let from = 0; from < part.length; from += A_STRETCH * ID_BYTES) {
      yield [part, from, Math.min(from + A_STRETCH * ID_BYTES, part.length)]
    }
  }
}

function count(part: Uint8Array, from: number, to: number, ends: Uint32Array, shift: number): void {
  for (let at = from; at < to; at += ID_BYTES) ends[placeOf(part, at, shift)]! += 1
}

function put(part: Uint8Array, from: number, to: number, sorted: Uint8Array, ends: Uint32Array, shift: number): void {
  for (let at = from; at < to; at += ID_BYTES) {
    const place = placeOf(part, at, shift)
    const into = (ends[place]! - 1) * ID_BYTES
    ends[place]! -= 1
    for (let i = 0; i < ID_BYTES; i++) sorted[into + i] = part[at + i]!
  }
}

function placeOf(bytes: Uint8Array, at: number, shift: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> shift
}

/** By insertion: few share a place. */
function sortRange(ids: Uint8Array, from: number, to: number): void {
  if (to - from > INSERTED_MAX) {
    const slices = Array.from({ length: to - from }, (_, i) => idAt(ids, from + i).slice()).sort(compareBytes)
    for (const [i, id] of slices.entries()) ids.set(id, (from + i) * ID_BYTES)
    return
  }
  for (let i = from + 1; i < to; i++) {
    let at = i
    while (at > from && order(ids, at - 1, i) > 0) at--
    if (at === i) continue
    const held = idAt(ids, i).slice()
    ids.copyWithin((at + 1) * ID_BYTES, at * ID_BYTES, i * ID_BYTES)
    ids.set(held, at * ID_BYTES)
  }
}

/** More than this in one place come from somebody who sought them, and are sorted in another way. */
const INSERTED_MAX = 128

function* distinct(sorted: Uint8Array): Generator<undefined, Uint8Array> {
  const ids = sorted.length / ID_BYTES
  let kept = Math.min(1, ids)
  for (let index = 1; index < ids; index++) {
    if (index % A_STRETCH === 0) yield
    if (order(sorted, kept - 1, index) === 0) continue
    if (kept !== index) sorted.copyWithin(kept * ID_BYTES, index * ID_BYTES, (index + 1) * ID_BYTES)
    kept++
  }
  return sorted.subarray(0, kept * ID_BYTES)
}

/** Of two ids by their numbers: negative, zero or positive. */
function order(ids: Uint8Array, one: number, other: number): number {
  return compareParts(ids, one * ID_BYTES, ids, other * ID_BYTES, ID_BYTES)
}

function idAt(ids: Uint8Array, index: number): Uint8Array {
  return ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES)
}
