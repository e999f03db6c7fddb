/**
 * Which records are copies of one thing: a model that many providers serve is listed by each of them under its own
 * spelling (`gpt-oss-120b`, `openai/gpt-oss-120b`, `accounts/fireworks/models/gpt-oss-120b`).
 *
 * Copies are records of one kind whose names are the same letters and digits after the last `/`. Of the real
 * catalogue's 16,315 models, 5,209 are copies of 1,030 others in this sense.
 */
import type { Found } from './search-found.ts'
import { hint, wideHint } from './search-hash.ts'
import type { Arrays } from './search-segment.ts'
import { joined } from './search-text.ts'

/** Equal for copies of one thing; NaN for a name without a letter or digit, which is a copy of nothing. */
export function copyKey(kind: string, name: string): number {
  const letters = joined(lastPart(name))
  return letters === '' ? Number.NaN : wideHint(`${kind} ${letters}`)
}

/** A mark of who publishes it: the namespace that its name gives, else its provider. */
export function publisherMark(name: string, provider: unknown): number {
  const slash = name.lastIndexOf('/')
  const publisher = slash < 0 ? (typeof provider === 'string' ? provider : '') : lastPart(name.slice(0, slash))
  return hint(joined(publisher))
}

/** Whether a record goes under its own name, without the namespace of another. */
export const OWN_NAME = 100

/**
 * How much speaks for the original, 0..255, by the record alone: it goes under its own name; its family is named after
 * its maker (`deepseek-v3` of deepseek); its slug says the same name.
 */
export function originality(name: string, provider: unknown, slug: string): number {
  const publisher = typeof provider === 'string' ? joined(provider) : ''
  let points = name.includes('/') ? 0 : OWN_NAME
  if (publisher.length > 2 && joined(lastPart(name)).startsWith(publisher)) points += 80
  if (lastPart(slug) === lastPart(name)) points += 20
  return points
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

/** Copies found together: the one that stands for all, and how many there are. */
export type Collapsed = { readonly found: Found; readonly copies: ReadonlyMap<number, number> }

/**
 * Leaves one document of all copies of a thing: the one that goes by its own name and whose publisher is the one that
 * the copies' names speak of most (`openai/gpt-oss-120b`), else the one with most to speak for it, else the oldest.
 */
export function collapse(found: Found): Collapsed {
  const groups = groupsOf(found)
  const copies = new Map<number, number>()
  const dropped = new Set<number>()
  for (const group of groups.values()) {
    if (group.length === 1) continue
    const votes = new Map<number, number>()
    for (const { arrays, doc } of group) {
      if ((arrays.originality[doc] as number) >= OWN_NAME) continue
      const publisher = arrays.publishers[doc] as number
      votes.set(publisher, (votes.get(publisher) ?? 0) + 1)
    }
    const elected = [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0]
    const standing = group.reduce((best, each) => (isBefore(each, best, elected) ? each : best))
    copies.set(standing.at, group.length - 1)
    for (const each of group) if (each !== standing) dropped.add(each.at)
  }
  return { found: without(found, dropped), copies }
}

type Copy = { readonly at: number; readonly arrays: Arrays; readonly fame: Uint8Array; readonly doc: number }

function groupsOf({ docs, parts }: Found): Map<number, Copy[]> {
  const groups = new Map<number, Copy[]>()
  for (const { segment, base, from, to } of parts) {
    for (let i = from; i < to; i++) {
      const at = docs[i] as number
      const doc = at - base
      const key = segment.arrays.copyKeys[doc] as number
      if (Number.isNaN(key)) continue
      const copy = { at, arrays: segment.arrays, fame: segment.fame, doc }
      const group = groups.get(key)
      if (group) group.push(copy)
      else groups.set(key, [copy])
    }
  }
  return groups
}

function isBefore(one: Copy, other: Copy, elected: number | undefined): boolean {
  const difference = pointsOf(one, elected) - pointsOf(other, elected)
  if (difference !== 0) return difference > 0
  return (one.arrays.registeredAt[one.doc] as number) < (other.arrays.registeredAt[other.doc] as number)
}

function pointsOf({ arrays, fame, doc }: Copy, elected: number | undefined): number {
  const points = arrays.originality[doc] as number
  const isElected = points >= OWN_NAME && arrays.publishers[doc] === elected
  return points + 2 * (fame[doc] as number) + (isElected ? 1_000 : 0)
}

function without({ docs, parts }: Found, dropped: ReadonlySet<number>): Found {
  if (dropped.size === 0) return { docs, parts }
  const kept = new Uint32Array(docs.length)
  let end = 0
  const moved = parts.map((part) => {
    const from = end
    for (let i = part.from; i < part.to; i++) if (!dropped.has(docs[i] as number)) kept[end++] = docs[i] as number
    return { ...part, from, to: end }
  })
  return { docs: kept.subarray(0, end), parts: moved }
}
