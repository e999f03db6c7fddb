/**
 * Which records are copies of one thing: a model that many providers serve is listed by each of them under its own
 * spelling (`gpt-oss-120b`, `openai/gpt-oss-120b`, `accounts/fireworks/models/gpt-oss-120b`).
 *
 * Copies are records of one kind whose names are the same letters and digits after the last `/`. Of the real
 * catalogue's 16,315 models, 5,209 are copies of 1,030 others in this sense.
 */
import { type Bits, bitsOf, countBits, setBit } from './search-bits.ts'
import { docsIn, type Found, type Part } from './search-found.ts'
import { hint, mixed, wideHint } from './search-hash.ts'
import type { Arrays } from './search-segment.ts'
import { joined } from './search-text.ts'
import type { WorkBudget } from './search-work.ts'

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

/** Copies found together: the one that stands for all, by its number in the whole index, and how many others there are. */
export type Collapsed = { readonly found: Found; readonly copies: ReadonlyMap<number, number> }

/**
 * Leaves one document of all copies of a thing: the one that goes by its own name and whose publisher is the one that
 * the copies' names speak of most (`openai/gpt-oss-120b`), else the one with most to speak for it, else the oldest.
 * Documents that the budget does not reach are left out. `seed`: any number that strangers do not know.
 */
export function collapse(found: Found, seed: number, budget: WorkBudget): Collapsed {
  const { docs, partOf, groupOf, sizes, count } = groupsOf(found, seed, budget)
  const kept = found.parts.map(({ segment }) => bitsOf(segment.size))
  const copies = new Map<number, number>()
  // Where the documents of each group are in `members`; those that are copies of nothing need no place there.
  const ends = new Uint32Array(sizes.length)
  let end = 0
  for (let group = 0; group < sizes.length; group++) {
    ends[group] = end
    if ((sizes[group] as number) > 1) end += sizes[group] as number
  }
  const members = new Uint32Array(end)
  const next = ends.slice()
  for (let i = 0; i < count; i++) {
    const group = groupOf[i] as number
    if ((sizes[group] as number) === 1) setBit(kept[partOf[i] as number] as Bits, docs[i] as number)
    else {
      members[next[group] as number] = i
      next[group] = (next[group] as number) + 1
    }
  }
  for (let group = 0; group < sizes.length; group++) {
    const size = sizes[group] as number
    if (size === 1) continue
    if (group % CHECKED_EVERY === 0 && budget.isSpent()) break
    const from = ends[group] as number
    const candidates = Array.from(members.subarray(from, from + size), (i): Copy => {
      const part = found.parts[partOf[i] as number] as Part
      return { part, arrays: part.segment.arrays, doc: docs[i] as number }
    })
    const { part, doc } = standingOf(candidates)
    setBit(kept[found.parts.indexOf(part)] as Bits, doc)
    copies.set(part.base + doc, size - 1)
  }
  const parts = found.parts.map((part, at) => {
    const bits = kept[at] as Bits
    return { ...part, bits, count: countBits(bits) }
  })
  return { found: { parts, total: parts.reduce((sum, part) => sum + part.count, 0) }, copies }
}

/** Groups between looks at the clock, and documents. */
const CHECKED_EVERY = 256
const CHECKED_DOCUMENTS = 1_024

type Groups = {
  /** By found document: its number in its segment, its part and its group. */
  readonly docs: Uint32Array
  readonly partOf: Uint16Array
  readonly groupOf: Uint32Array
  /** By group. */
  readonly sizes: Uint32Array
  /** Documents that the budget reached. */
  readonly count: number
}

function groupsOf({ parts, total }: Found, seed: number, budget: WorkBudget): Groups {
  const docs = new Uint32Array(total)
  const partOf = new Uint16Array(total)
  const groupOf = new Uint32Array(total)
  const sizes = new Uint32Array(total)
  const keys = new Float64Array(total)
  // By key: one more than its group.
  const table = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, total * 2))))
  const mask = table.length - 1
  let groups = 0
  let count = 0
  for (const [at, { segment, bits }] of parts.entries()) {
    const { copyKeys } = segment.arrays
    for (const doc of docsIn(segment, bits)) {
      if (count % CHECKED_DOCUMENTS === 0 && budget.isSpent()) break
      const key = copyKeys[doc] as number
      let group = groups
      if (Number.isNaN(key)) {
        groups++
      } else {
        let slot = mixed(key, seed) & mask
        while (table[slot] !== 0 && keys[(table[slot] as number) - 1] !== key) slot = (slot + 1) & mask
        if (table[slot] === 0) {
          keys[groups++] = key
          table[slot] = groups
        }
        group = (table[slot] as number) - 1
      }
      sizes[group] = (sizes[group] as number) + 1
      docs[count] = doc
      partOf[count] = at
      groupOf[count++] = group
    }
  }
  return { docs, partOf, groupOf, sizes: sizes.subarray(0, groups), count }
}

type Copy = { readonly part: Part; readonly arrays: Arrays; readonly doc: number }

function standingOf(group: readonly Copy[]): Copy {
  const votes = new Map<number, number>()
  for (const { arrays, doc } of group) {
    if ((arrays.originality[doc] as number) >= OWN_NAME) continue
    const publisher = arrays.publishers[doc] as number
    votes.set(publisher, (votes.get(publisher) ?? 0) + 1)
  }
  const elected = [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0]
  return group.reduce((best, each) => (isBefore(each, best, elected) ? each : best))
}

function isBefore(one: Copy, other: Copy, elected: number | undefined): boolean {
  const difference = pointsOf(one, elected) - pointsOf(other, elected)
  if (difference !== 0) return difference > 0
  return (one.arrays.registeredAt[one.doc] as number) < (other.arrays.registeredAt[other.doc] as number)
}

function pointsOf({ part, arrays, doc }: Copy, elected: number | undefined): number {
  const points = arrays.originality[doc] as number
  const isElected = points >= OWN_NAME && arrays.publishers[doc] === elected
  return points + 2 * (part.segment.fame[doc] as number) + (isElected ? 1_000 : 0)
}
