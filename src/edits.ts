/** What lies between two documents, or two texts, in the forms that an editing surface needs. */
import { type Doc, equalValues, isMap, type Value } from '../crdt/index.ts'

/** A merge patch that names only what differs; undefined where it would have to say null, which means "remove" there. */
export function mergePatchBetween(before: Doc, after: Doc): Doc | undefined {
  const patch: Record<string, Value> = Object.create(null)
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch[key] = null
  for (const [key, value] of Object.entries(after)) {
    const was = Object.hasOwn(before, key) ? before[key] : undefined
    if (equalValues(was, value)) continue
    if (isMap(was) && isMap(value)) {
      const inner = mergePatchBetween(was, value)
      if (inner === undefined) return undefined
      patch[key] = inner
    } else if (hasNull(value)) {
      return undefined
    } else {
      patch[key] = value
    }
  }
  return patch
}

function hasNull(value: Value): boolean {
  return value === null || (isMap(value) && Object.values(value).some(hasNull))
}

/** The one stretch that differs, never cutting a surrogate pair in two. */
export function spliceBetween(from: string, to: string): { at: number; del: number; ins: string } {
  const most = Math.min(from.length, to.length)
  let at = 0
  while (at < most && from[at] === to[at]) at++
  let tail = 0
  while (tail < most - at && from[from.length - 1 - tail] === to[to.length - 1 - tail]) tail++
  if (at > 0 && isHigh(from, at - 1)) at--
  if (tail > 0 && isHigh(from, from.length - tail - 1)) tail--
  return { at, del: from.length - tail - at, ins: to.slice(at, to.length - tail) }
}

function isHigh(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800
}
