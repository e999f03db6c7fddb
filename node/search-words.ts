/**
 * The words of one segment in order, and for each the documents that have it: where, and how much it says there.
 *
 *   chars, starts   the words' characters one after the other; word w is starts[w] .. starts[w + 1]
 *   docs            how many documents have word w
 *   offsets         where the postings of word w begin: a mark a document, then the documents' numbers, ascending, as
 *                   differences of 7 bits a byte
 *   masks           for corrections: which letters a word has; 0 for one that is no correction
 *
 * A mark holds the places of the word in the document and a weight: the more words share a place, the less each says.
 */

import type { Room } from './search-room.ts'

export const IN_NAMES = 0x80
export const IN_TAGS = 0x40
export const IN_TEXTS = 0x20
export const PLACES_MASK = IN_NAMES | IN_TAGS | IN_TEXTS
export const WEIGHT_MASK = 0x1f

export type Words = {
  readonly chars: Uint16Array
  readonly starts: Uint32Array
  readonly docs: Uint32Array
  readonly offsets: Uint32Array
  readonly postings: Uint8Array
  readonly masks: Uint32Array
}

const WEIGHTS = { names: 1, tags: 0.6, texts: 0.5 }
/** How many words a place has before a match in it counts half. */
const HALF_AT = { names: 60, tags: 90, texts: 500 }

/** What a word says in a place that has so many words: 0..1. */
export function weightIn(place: keyof typeof WEIGHTS, words: number): number {
  return (WEIGHTS[place] * HALF_AT[place]) / (HALF_AT[place] + words)
}

export function markOf(places: number, weight: number): number {
  return places | Math.max(1, Math.round(weight * WEIGHT_MASK))
}

export function wordAt({ chars, starts }: Words, word: number): string {
  return String.fromCharCode.apply(
    null,
    chars.subarray(starts[word] as number, starts[word + 1] as number) as unknown as number[],
  )
}

/** The number of the first word that is not before `text`; with `after`, of the first that does not begin with it. */
export function findWord(words: Words, text: string, after = false): number {
  let low = 0
  let high = words.docs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareWord(words, middle, text)
    if (order < 0 || (after && order <= 1)) low = middle + 1
    else high = middle
  }
  return low
}

/** The number of a word, or -1. */
export function wordNumber(words: Words, text: string): number {
  const word = findWord(words, text)
  return word < words.docs.length && compareWord(words, word, text) === 0 ? word : -1
}

/** -1: comes before `text`; 0: is it; 1: begins with it; 2: comes after it in another way. */
function compareWord({ chars, starts }: Words, word: number, text: string): number {
  const start = starts[word] as number
  const length = (starts[word + 1] as number) - start
  const shared = Math.min(length, text.length)
  for (let i = 0; i < shared; i++) {
    const difference = (chars[start + i] as number) - text.charCodeAt(i)
    if (difference !== 0) return difference < 0 ? -1 : 2
  }
  return length < text.length ? -1 : length === text.length ? 0 : 1
}

/** Below 0 when word `a` of one segment comes before word `b` of another. */
export function compareWords(one: Words, a: number, other: Words, b: number): number {
  const startA = one.starts[a] as number
  const startB = other.starts[b] as number
  const lengthA = (one.starts[a + 1] as number) - startA
  const lengthB = (other.starts[b + 1] as number) - startB
  const shared = Math.min(lengthA, lengthB)
  for (let i = 0; i < shared; i++) {
    const difference = (one.chars[startA + i] as number) - (other.chars[startB + i] as number)
    if (difference !== 0) return difference
  }
  return lengthA - lengthB
}

/** Writes the documents of a word to `into` and returns where their marks begin in `postings`. */
export function readPostings({ docs, offsets, postings }: Words, word: number, into: Uint32Array): number {
  const marks = offsets[word] as number
  const count = docs[word] as number
  let at = marks + count
  let doc = -1
  for (let i = 0; i < count; i++) {
    let byte = postings[at++] as number
    let step = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = postings[at++] as number
      step |= (byte & 0x7f) << shift
    }
    doc += step
    into[i] = doc
  }
  return marks
}

/** Does `accepts` take any of a word's documents? Those after it are not read. */
export function somePosting(
  { docs, offsets, postings }: Words,
  word: number,
  accepts: (doc: number, mark: number) => boolean,
): boolean {
  const marks = offsets[word] as number
  const count = docs[word] as number
  let at = marks + count
  let doc = -1
  for (let i = 0; i < count; i++) {
    let byte = postings[at++] as number
    let step = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = postings[at++] as number
      step |= (byte & 0x7f) << shift
    }
    doc += step
    if (accepts(doc, postings[marks + i] as number)) return true
  }
  return false
}

/** Collects the postings of words, which come in order, and makes `Words` of them. */
export class WordsMaker {
  #chars: Uint16Array
  #charsEnd = 0
  #starts: Uint32Array
  #docs: Uint32Array
  #offsets: Uint32Array
  #masks: Uint32Array
  #count = 0
  #postings: Uint8Array
  #end = 0
  readonly #room: Room
  /** The postings are where they stay. */
  #isRoomed: boolean

  /**
   * What is made lies in the room. Of a hundred MB of postings, if so many are expected, there need be no copy: what is
   * never touched of the memory for them takes none.
   */
  constructor(room: Room, postingBytes = 16_384, words = 1_024, chars = 4_096) {
    this.#room = room
    this.#isRoomed = postingBytes >= ROOMED_BYTES
    this.#postings = this.#isRoomed ? room.take(Uint8Array, postingBytes) : new Uint8Array(postingBytes)
    this.#chars = new Uint16Array(chars)
    this.#starts = new Uint32Array(words + 1)
    this.#docs = new Uint32Array(words + 1)
    this.#offsets = new Uint32Array(words + 1)
    this.#masks = new Uint32Array(words + 1)
  }

  addText(text: string): void {
    this.#reserve(text.length)
    for (let i = 0; i < text.length; i++) this.#chars[this.#charsEnd + i] = text.charCodeAt(i)
    this.#charsEnd += text.length
  }

  addWord({ chars, starts }: Words, word: number): void {
    const from = starts[word] as number
    const to = starts[word + 1] as number
    this.#reserve(to - from)
    this.#chars.set(chars.subarray(from, to), this.#charsEnd)
    this.#charsEnd += to - from
  }

  /** The postings of the word whose characters were added last: those of both from `from` to `to`, at least one. */
  addPostings(docs: Uint32Array, marks: Uint8Array, from: number, to: number): void {
    // A mark and at most five bytes each.
    const room = this.#end + (to - from) * 6
    if (room > this.#postings.length) {
      this.#postings = grown(this.#postings, room)
      this.#isRoomed = false
    }
    const postings = this.#postings
    let at = this.#end
    let places = 0
    for (let i = from; i < to; i++) {
      postings[at++] = marks[i] as number
      places |= marks[i] as number
    }
    let before = -1
    for (let i = from; i < to; i++) {
      let step = (docs[i] as number) - before
      before = docs[i] as number
      for (; step >= 0x80; step >>>= 7) postings[at++] = (step & 0x7f) | 0x80
      postings[at++] = step
    }
    const word = this.#count++
    const start = word === 0 ? 0 : (this.#starts[word] as number)
    this.#starts[word + 1] = this.#charsEnd
    this.#docs[word] = to - from
    this.#offsets[word] = this.#end
    this.#masks[word] = (places & (IN_NAMES | IN_TAGS)) === 0 ? 0 : maskOf(this.#chars, start, this.#charsEnd)
    this.#end = at
  }

  make(): Words {
    const room = this.#room
    const postings = this.#postings.subarray(0, this.#end)
    return {
      chars: room.keep(this.#chars.subarray(0, this.#charsEnd)),
      starts: room.keep(this.#starts.subarray(0, this.#count + 1)),
      docs: room.keep(this.#docs.subarray(0, this.#count)),
      offsets: room.keep(this.#offsets.subarray(0, this.#count)),
      postings: this.#isRoomed ? postings : room.keep(postings),
      masks: room.keep(this.#masks.subarray(0, this.#count)),
    }
  }

  #reserve(characters: number): void {
    if (this.#charsEnd + characters > this.#chars.length) {
      this.#chars = grown(this.#chars, this.#charsEnd + characters)
    }
    if (this.#count + 2 > this.#docs.length) {
      this.#starts = grown(this.#starts, this.#count + 2)
      this.#docs = grown(this.#docs, this.#count + 2)
      this.#offsets = grown(this.#offsets, this.#count + 2)
      this.#masks = grown(this.#masks, this.#count + 2)
    }
  }
}

const CORRECTABLE_LEAST = 4
const CORRECTABLE_MOST = 32

/** The letters of a word, one bit for several; 0 when it is too short, too long or not made of letters alone. */
export function maskOf(chars: ArrayLike<number>, from: number, to: number): number {
  if (to - from < CORRECTABLE_LEAST || to - from > CORRECTABLE_MOST) return 0
  let mask = 0
  let isPlain = true
  for (let i = from; i < to; i++) {
    const char = chars[i] as number
    if (char < 128 && (char < 97 || char > 122)) return 0
    if (char >= 128) isPlain = false
    mask |= 1 << (char & 31)
  }
  if (isPlain) return mask
  let text = ''
  for (let i = from; i < to; i++) text += String.fromCharCode(chars[i] as number)
  return /^\p{L}+$/u.test(text) ? mask : 0
}

const ROOMED_BYTES = 1 << 20

function grown<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, least: number): T {
  const to = new (from.constructor as new (size: number) => T)(Math.max(least, from.length * 2))
  to.set(from as never)
  return to
}
