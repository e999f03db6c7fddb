/**
 * The postings of one segment laid out by document: who has a word, or any word of a range, and with which mark. This
 * is what matching and ranking look at, for a look at one byte a document is the cheapest there is.
 *
 * To lay them out is most of what a search costs. What many documents have is therefore kept with its segment, which
 * never changes; the rest goes to arrays that are used again.
 */
import { layoutsKept } from './limits.ts'
import { type Bits, bitsOf, setBit } from './search-bits.ts'
import type { Scratch } from './search-scratch.ts'
import type { Segment } from './search-segment.ts'
import { IN_NAMES, PLACES_MASK, readPostings, somePosting, WEIGHT_MASK } from './search-words.ts'
import type { WorkBudget } from './search-work.ts'

export type Layout = {
  /** By document; 0 = it has none of the words. Of several words the places of all and the greatest weight. */
  readonly marks: Uint8Array
  readonly bits: Bits
  /** The documents that have it in their names. */
  readonly named: Bits
  /** The greatest weight of all, and of the documents that do not have it in their names. */
  most: number
  plainMost: number
}

/** A layout is kept when more than one in this many documents have it, or when it is of more words than this. */
const KEPT_SHARE = 16
const KEPT_WORDS = 64
/** Words of a range between looks at the clock. */
const CHECKED_EVERY = 64

/** Of all words from `from` up to `to`, which is not among them; what the budget does not reach is left out. */
export function layoutOfRange(
  segment: Segment,
  from: number,
  to: number,
  scratch: Scratch,
  budget: WorkBudget,
): Layout {
  const name = `${from} ${to}`
  const kept = segment.layouts.get(name)
  if (kept) {
    // The one used last is the last to go.
    segment.layouts.delete(name)
    segment.layouts.set(name, kept)
    return kept
  }
  const { words, size } = segment
  let postings = 0
  for (let word = from; word < to; word++) postings += words.docs[word] as number
  const isKept = postings * KEPT_SHARE > size || to - from > KEPT_WORDS
  const layout = isKept
    ? emptyLayout(new Uint8Array(size), bitsOf(size), bitsOf(size))
    : emptyLayout(scratch.bytes(size), scratch.bits(size), scratch.bits(size))
  const docs = roomFor(size, 0)
  for (let word = from; word < to; word++) {
    const marksAt = readPostings(words, word, docs)
    lay(layout, docs, words.postings, marksAt, words.docs[word] as number)
    if (word % CHECKED_EVERY === 0 && budget.isSpent()) return layout
  }
  if (!isKept) return layout
  const [oldest] = segment.layouts.keys()
  if (segment.layouts.size >= layoutsKept && oldest !== undefined) segment.layouts.delete(oldest)
  segment.layouts.set(name, layout)
  return layout
}

/** Of documents that have all of the words in one place: with the places that they share and the least of the weights. */
export function layoutOfAll(segment: Segment, all: readonly number[], scratch: Scratch): Layout {
  const { size } = segment
  const layout = emptyLayout(scratch.bytes(size), scratch.bits(size), scratch.bits(size))
  const { docs, marks, count } = documentsWith(segment, all)
  lay(layout, docs, marks, 0, count)
  return layout
}

function emptyLayout(marks: Uint8Array, bits: Bits, named: Bits): Layout {
  return { marks, bits, named, most: 0, plainMost: 0 }
}

function lay(layout: Layout, docs: Uint32Array, from: Uint8Array, at: number, count: number): void {
  const { marks, bits, named } = layout
  let { most, plainMost } = layout
  for (let i = 0; i < count; i++) {
    const doc = docs[i] as number
    const mark = from[at + i] as number
    const before = marks[doc] as number
    const weight = mark & WEIGHT_MASK
    if (before === 0) {
      setBit(bits, doc)
      marks[doc] = mark
    } else {
      marks[doc] = ((before | mark) & PLACES_MASK) | Math.max(before & WEIGHT_MASK, weight)
    }
    if (mark >= IN_NAMES) setBit(named, doc)
    else if (weight > plainMost) plainMost = weight
    if (weight > most) most = weight
  }
  layout.most = most
  layout.plainMost = plainMost
}

/** Room for the numbers of one list of documents, of which two are looked at together. */
const room = [new Uint32Array(1_024), new Uint32Array(1_024)]
function roomFor(size: number, which: 0 | 1): Uint32Array {
  if ((room[which] as Uint32Array).length < size) room[which] = new Uint32Array(size * 2)
  return room[which] as Uint32Array
}

/** The first `count` of both are meant; good until the next call. */
function documentsWith({ words, size }: Segment, all: readonly number[]) {
  const docs = roomFor(size, 0)
  const others = roomFor(size, 1)
  const first = all[0] as number
  const from = readPostings(words, first, docs)
  let count = words.docs[first] as number
  const marks = words.postings.slice(from, from + count)
  for (const word of all.slice(1)) {
    const otherAt = readPostings(words, word, others)
    const otherCount = words.docs[word] as number
    let kept = 0
    for (let i = 0, j = 0; i < count && j < otherCount; ) {
      const difference = (docs[i] as number) - (others[j] as number)
      if (difference === 0) {
        const [one, other] = [marks[i] as number, words.postings[otherAt + j] as number]
        const places = one & other & PLACES_MASK
        docs[kept] = docs[i] as number
        marks[kept] = places | Math.min(one & WEIGHT_MASK, other & WEIGHT_MASK)
        if (places !== 0) kept++
      }
      if (difference <= 0) i++
      if (difference >= 0) j++
    }
    count = kept
  }
  return { docs, marks, count }
}

/** Is there a document that has all of the words in one of these places and that `accepts` takes? */
export function someDocument(
  segment: Segment,
  all: readonly number[],
  places: number,
  accepts: (doc: number) => boolean,
): boolean {
  if (all.length === 1) {
    return somePosting(segment.words, all[0] as number, (doc, mark) => (mark & places) !== 0 && accepts(doc))
  }
  const { docs, marks, count } = documentsWith(segment, all)
  for (let i = 0; i < count; i++) {
    if (((marks[i] as number) & places) !== 0 && accepts(docs[i] as number)) return true
  }
  return false
}
