/**
 * Records become a segment: each is read once for its words, values and texts, and the whole is put in order at the
 * end. `make` pauses between its steps, since putting thousands of words in order takes milliseconds.
 */
import { indexColumnsMax, searchShownCharsMax } from './limits.ts'
import type { IndexEntry } from './search.ts'
import { inOrder } from './search-alphabet.ts'
import { type Column, ColumnMaker } from './search-column.ts'
import { copyKey, originality, publisherMark } from './search-copies.ts'
import { addWordsOf, leavesOf, type Table, type Texts, textsOf } from './search-fields.ts'
import { exactHints } from './search-hash.ts'
import { completenessOf, freshnessOf, popularityOf, trustOf } from './search-rank.ts'
import { Room } from './search-room.ts'
import { type Arrays, type Segment, segmentOf } from './search-segment.ts'
import type { Run } from './search-text.ts'
import { memoryTexts } from './search-texts.ts'
import type { ValuesMaker } from './search-values-maker.ts'
import { IN_NAMES, IN_TAGS, IN_TEXTS, markOf, type Words, WordsMaker, weightIn } from './search-words.ts'

/** Kept in arrays of their own. */
const OWN_ARRAYS = new Set(['id', 'registered_at', 'changed_at'])
const PLACES = [
  ['names', IN_NAMES],
  ['tags', IN_TAGS],
  ['texts', IN_TEXTS],
] as const

export class SegmentBuilder {
  readonly #values: ValuesMaker
  readonly #arrays: Omit<Arrays, 'hints' | 'hintDocs' | 'textEnds'>
  readonly #hints: number[] = []
  readonly #hintDocs: number[] = []
  #texts = Buffer.allocUnsafeSlow(64 << 10)
  readonly #textEnds: number[] = []
  readonly #columns = new Map<string, ColumnMaker>()
  readonly #words: Lexicon
  #size = 0

  /**
   * For so many records at most. One at a time may be built with a vocabulary. Nothing of an entry is held when it has
   * been added, so that a batch of them never lies in memory as a whole.
   */
  constructor(values: ValuesMaker, vocabulary: Vocabulary, most: number) {
    this.#values = values
    this.#words = new Lexicon(vocabulary)
    this.#arrays = {
      ids: new Uint8Array(most * 32),
      registeredAt: new Float64Array(most),
      changedAt: new Float64Array(most),
      copyKeys: new Float64Array(most),
      publishers: new Uint32Array(most),
      originality: new Uint8Array(most),
      nameWords: new Uint8Array(most),
      popularity: new Uint8Array(most),
      freshness: new Uint8Array(most),
      completeness: new Uint8Array(most),
      trust: new Uint8Array(most),
    }
  }

  /** Records added so far; the next is the document of this number. */
  get size(): number {
    return this.#size
  }

  /** Throws when the record trips over a mistake of ours; nothing of it is kept then. */
  add(entry: IndexEntry, table: Table | undefined): void {
    const texts = textsOf(table, entry)
    const leaves = leavesOf(entry)
    const first = (path: string) => leaves.get(path)?.[0]
    const name = String(first('name') ?? entry.slug)
    const provider = first('provider')
    const doc = this.#size
    const shown = [...texts.shown].map(([path, text]) => [path, text.slice(0, searchShownCharsMax)] as const)
    const stored = JSON.stringify([shown, texts.tags])
    const arrays = this.#arrays
    arrays.ids.set(Buffer.from(entry.id, 'hex'), doc * 32)
    arrays.registeredAt[doc] = entry.registeredAt
    arrays.changedAt[doc] = entry.changedAt
    arrays.copyKeys[doc] = copyKey(entry.kind, name)
    arrays.publishers[doc] = publisherMark(name, provider)
    arrays.originality[doc] = originality(name, provider, entry.slug)
    arrays.popularity[doc] = popularityOf(first)
    arrays.freshness[doc] = freshnessOf(first)
    arrays.completeness[doc] = completenessOf(entry.doc, table)
    arrays.trust[doc] = trustOf(entry, first)
    const hints = exactHints(texts.names, entry.slug, `${provider ?? ''}/${name}`)
    // What throws has thrown when this has: from here on the record is kept.
    arrays.nameWords[doc] = Math.min(255, this.#words.addDoc(doc, texts))
    this.#size++
    for (const hint of hints) {
      this.#hints.push(hint)
      this.#hintDocs.push(doc)
    }
    this.#addText(stored)
    for (const [path, values] of leaves) {
      if (OWN_ARRAYS.has(path)) continue
      let column = this.#columns.get(path)
      if (!column) {
        if (this.#columns.size >= indexColumnsMax) continue
        column = new ColumnMaker()
        this.#columns.set(path, column)
      }
      column.add(
        doc,
        values.map((leaf) => this.#values.codeOf(leaf)),
      )
    }
  }

  /** The segment, after some pauses. Its values are not counted as used yet. */
  *make(): Generator<undefined, Segment> {
    const size = this.#size
    const room = new Room()
    const words = yield* this.#words.make(room)
    const columns = new Map<string, Column>()
    for (const [path, column] of this.#columns) {
      columns.set(path, column.make(size, room))
      if (columns.size % COLUMNS_A_STEP === 0) yield
    }
    const texts = room.take(Uint8Array, this.#textEnds.at(-1) ?? 0)
    texts.set(this.#texts.subarray(0, texts.length))
    yield
    return yield* segmentOf({ size, arrays: this.#made(room), words, columns, texts: memoryTexts(texts) }, room)
  }

  #addText(text: string): void {
    const from = this.#textEnds.at(-1) ?? 0
    // A character takes three bytes at most.
    if (from + text.length * 3 > this.#texts.length) {
      const room = Buffer.allocUnsafeSlow(Math.max(from + text.length * 3, this.#texts.length * 2))
      this.#texts.copy(room, 0, 0, from)
      this.#texts = room
    }
    this.#textEnds.push(from + this.#texts.write(text, from))
  }

  #made(room: Room): Arrays {
    const size = this.#size
    const { ids, ...others } = this.#arrays
    const cut = Object.entries(others).map(([name, array]) => [name, room.keep(array.subarray(0, size))])
    const { hints, hintDocs } = hintsInOrder(this.#hints, this.#hintDocs)
    return {
      ...(Object.fromEntries(cut) as typeof others),
      ids: room.keep(ids.subarray(0, size * 32)),
      hints: room.keep(hints),
      hintDocs: room.keep(hintDocs),
      textEnds: room.keep(Uint32Array.from(this.#textEnds)),
    }
  }
}

/** By hint, those of one in the order of the documents. */
function hintsInOrder(hints: readonly number[], docs: readonly number[]): Pick<Arrays, 'hints' | 'hintDocs'> {
  // A hint and its place in one number, which the engine sorts without asking back.
  const both = Float64Array.from(hints, (hint, at) => hint * HINTS_MOST + at).sort()
  return {
    hints: Uint32Array.from(both, (each) => Math.floor(each / HINTS_MOST)),
    hintDocs: Uint32Array.from(both, (each) => docs[each % HINTS_MOST] as number),
  }
}

/** More than the hints of one batch, and with 32 bits of a hint still a whole number. */
const HINTS_MOST = 2 ** 21
const COLUMNS_A_STEP = 32

let vocabularies = 0

/** A number for each word of an index, which stays the same while segments are built one after the other. */
export class Vocabulary {
  readonly #self = ++vocabularies
  readonly #numbers = new Map<string, number>()
  readonly words: string[] = []
  /** By word: one more than its last posting in the segment that is being built. All 0 between segments. */
  last = new Uint32Array(1_024)

  /** Few runs make most of all text: the numbers of their words are kept with them. */
  numbersOf(run: Run): readonly number[] {
    if (run.numbersOf !== this.#self) {
      run.numbers = run.words.map((word) => this.numberOf(word))
      run.numbersOf = this.#self
    }
    return run.numbers
  }

  numberOf(word: string): number {
    let number = this.#numbers.get(word)
    if (number === undefined) {
      number = this.words.push(word) - 1
      this.#numbers.set(word, number)
      if (number === this.last.length) this.last = doubled(this.last)
    }
    return number
  }
}

/** The words of a builder's documents and their postings, in the order of the documents. */
class Lexicon {
  readonly #vocabulary: Vocabulary
  /** By posting: the word, the document, and the places, which become the mark. */
  #word = new Uint32Array(4_096)
  #doc = new Uint32Array(4_096)
  #mark = new Uint8Array(4_096)
  #end = 0
  #begin = 0
  #place = 0
  /** Of the document at hand, by the places of a word. */
  readonly #marks = new Uint8Array(256)
  /** Words of the document in the place at hand; for `addWords`. */
  size = 0

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
    vocabulary.last.fill(0)
  }

  /** Returns how many words its names have. When it throws, nothing of the document is kept. */
  addDoc(doc: number, texts: Texts): number {
    this.#begin = this.#end
    const sizes = { names: 0, tags: 0, texts: 0 }
    try {
      for (const [role, place] of PLACES) {
        this.#place = place
        this.size = 0
        addWordsOf(texts, role, this)
        sizes[role] = this.size
      }
    } catch (error) {
      this.#end = this.#begin
      throw error
    }
    // What a word says in the best of its places.
    const [inNames, inTags] = [weightIn('names', sizes.names), weightIn('tags', sizes.tags)]
    const inTexts = weightIn('texts', sizes.texts)
    const marks = this.#marks
    for (let places = IN_TEXTS; places < 256; places += IN_TEXTS) {
      const weight = Math.max(
        (places & IN_NAMES) === 0 ? 0 : inNames,
        (places & IN_TAGS) === 0 ? 0 : inTags,
        (places & IN_TEXTS) === 0 ? 0 : inTexts,
      )
      marks[places] = markOf(places, weight)
    }
    for (let at = this.#begin; at < this.#end; at++) {
      this.#doc[at] = doc
      this.#mark[at] = marks[this.#mark[at] as number] as number
    }
    return sizes.names
  }

  add(word: string): void {
    this.#addNumber(this.#vocabulary.numberOf(word))
  }

  addRun(run: Run): void {
    for (const number of this.#vocabulary.numbersOf(run)) this.#addNumber(number)
  }

  #addNumber(number: number): void {
    const { last } = this.#vocabulary
    const known = (last[number] as number) - 1
    if (known >= this.#begin && this.#word[known] === number && known < this.#end) {
      if (((this.#mark[known] as number) & this.#place) !== 0) return
      this.#mark[known] = (this.#mark[known] as number) | this.#place
    } else {
      if (this.#end === this.#word.length) {
        this.#word = doubled(this.#word)
        this.#doc = doubled(this.#doc)
        this.#mark = doubled(this.#mark)
      }
      this.#word[this.#end] = number
      this.#mark[this.#end] = this.#place
      last[number] = ++this.#end
    }
    this.size++
  }

  /** Its loops are functions of their own: the engine never makes good code of long ones that pause. */
  *make(room: Room): Generator<undefined, Words> {
    const texts = this.#textsUsed()
    yield
    const order = yield* inOrder(texts)
    yield
    const laid = this.#byWord(texts.length)
    yield
    const maker = new WordsMaker(room)
    for (let from = 0; from < order.length; from += WORDS_A_STEP) {
      addWordsTo(maker, texts, laid, order.subarray(from, from + WORDS_A_STEP))
      yield
    }
    return maker.make()
  }

  /** The words that have postings, by the number that each posting has from now on. */
  #textsUsed(): string[] {
    const { words, last } = this.#vocabulary
    const texts: string[] = []
    // Its place among those used, plus one.
    last.fill(0)
    for (let at = 0; at < this.#end; at++) {
      const word = this.#word[at] as number
      if (last[word] === 0) last[word] = texts.push(words[word] as string)
      this.#word[at] = (last[word] as number) - 1
    }
    return texts
  }

  /** Postings come by document: laid out word by word they stay in that order. */
  #byWord(size: number): Laid {
    const ends = new Uint32Array(size + 1)
    for (let at = 0; at < this.#end; at++) {
      const word = this.#word[at] as number
      ends[word + 1] = (ends[word + 1] as number) + 1
    }
    for (let i = 0; i < size; i++) ends[i + 1] = (ends[i + 1] as number) + (ends[i] as number)
    const next = ends.slice()
    const docs = new Uint32Array(this.#end)
    const marks = new Uint8Array(this.#end)
    for (let at = 0; at < this.#end; at++) {
      const word = this.#word[at] as number
      const to = next[word] as number
      next[word] = to + 1
      docs[to] = this.#doc[at] as number
      marks[to] = this.#mark[at] as number
    }
    return { ends, docs, marks }
  }
}

/** Postings by word: those of word w are ends[w] .. ends[w + 1]. */
type Laid = { readonly ends: Uint32Array; readonly docs: Uint32Array; readonly marks: Uint8Array }

function addWordsTo(
  maker: WordsMaker,
  texts: readonly string[],
  { ends, docs, marks }: Laid,
  order: Uint32Array,
): void {
  for (let i = 0; i < order.length; i++) {
    const word = order[i] as number
    const [from, to] = [ends[word] as number, ends[word + 1] as number]
    maker.addText(texts[word] as string)
    maker.addPostings(docs, marks, from, to)
  }
}

const WORDS_A_STEP = 2_000

function doubled<T extends Uint8Array | Uint32Array>(from: T): T {
  const to = new (from.constructor as new (size: number) => T)(from.length * 2)
  to.set(from as never)
  return to
}
