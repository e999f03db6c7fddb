/**
 * Records become a segment: each is read once for its words, values and texts, and the whole is put in order at the
 * end. `make` pauses between its steps, since putting thousands of words in order takes milliseconds.
 */
import { indexColumnsMax, searchShownCharsMax } from './limits.ts'
import type { IndexEntry } from './search.ts'
import { ColumnMaker } from './search-column.ts'
import { copyKey, originality, publisherMark } from './search-copies.ts'
import { addWordsOf, leavesOf, type Table, type Texts, textsOf } from './search-fields.ts'
import { exactHints } from './search-hash.ts'
import { completenessOf, freshnessOf, popularityOf, trustOf } from './search-rank.ts'
import { type Arrays, type Segment, segmentOf } from './search-segment.ts'
import type { Run } from './search-text.ts'
import { memoryTexts } from './search-texts.ts'
import type { Values } from './search-values.ts'
import { IN_NAMES, IN_TAGS, IN_TEXTS, markOf, type Words, WordsMaker, weightIn } from './search-words.ts'

/** Kept in arrays of their own. */
const OWN_ARRAYS = new Set(['id', 'registered_at', 'changed_at'])
const PLACES = [
  ['names', IN_NAMES],
  ['tags', IN_TAGS],
  ['texts', IN_TEXTS],
] as const

type Facts = {
  readonly entry: IndexEntry
  readonly copyKey: number
  readonly publisher: number
  readonly bytes: readonly number[]
  readonly hints: readonly number[]
}

export class SegmentBuilder {
  readonly #values: Values
  readonly #docs: Facts[] = []
  #texts = Buffer.allocUnsafeSlow(64 << 10)
  readonly #textEnds: number[] = []
  readonly #columns = new Map<string, ColumnMaker>()
  readonly #words: Lexicon

  /** One at a time may be built with a vocabulary. */
  constructor(values: Values, vocabulary: Vocabulary) {
    this.#values = values
    this.#words = new Lexicon(vocabulary)
  }

  get size(): number {
    return this.#docs.length
  }

  /** Throws when the record trips over a mistake of ours; nothing of it is kept then. */
  add(entry: IndexEntry, table: Table | undefined): void {
    const texts = textsOf(table, entry)
    const leaves = leavesOf(entry)
    const first = (path: string) => leaves.get(path)?.[0]
    const name = first('name') ?? entry.slug
    const doc = this.#docs.length
    const shown = [...texts.shown].map(([path, text]) => [path, text.slice(0, searchShownCharsMax)] as const)
    const nameWords = this.#words.addDoc(doc, texts)
    const facts: Facts = {
      entry,
      copyKey: copyKey(entry.kind, String(name)),
      publisher: publisherMark(String(name), first('provider')),
      bytes: [
        originality(String(name), first('provider'), entry.slug),
        Math.min(255, nameWords),
        popularityOf(first),
        freshnessOf(first),
        completenessOf(entry.doc, table),
        trustOf(entry, first),
      ],
      hints: exactHints(texts.names, entry.slug, `${first('provider') ?? ''}/${name}`),
    }
    this.#docs.push(facts)
    this.#addText(JSON.stringify([shown, texts.tags]))
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
    const size = this.#docs.length
    const words = yield* this.#words.make()
    const columns = new Map([...this.#columns].map(([path, column]) => [path, column.make(size)] as const))
    const texts = Buffer.from(this.#texts.subarray(0, this.#textEnds.at(-1) ?? 0))
    return yield* segmentOf({ size, arrays: this.#arrays(), words, columns, texts: memoryTexts(texts) })
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

  #arrays(): Arrays {
    const docs = this.#docs
    const size = docs.length
    const bytes = (at: number) => Uint8Array.from(docs, (facts) => facts.bytes[at] as number)
    const ids = new Uint8Array(size * 32)
    for (const [doc, { entry }] of docs.entries()) ids.set(Buffer.from(entry.id, 'hex'), doc * 32)
    const hints = docs.flatMap(({ hints }, doc) => hints.map((hint) => ({ hint, doc })))
    hints.sort((a, b) => a.hint - b.hint || a.doc - b.doc)
    return {
      ids,
      registeredAt: Float64Array.from(docs, ({ entry }) => entry.registeredAt),
      changedAt: Float64Array.from(docs, ({ entry }) => entry.changedAt),
      copyKeys: Float64Array.from(docs, (facts) => facts.copyKey),
      publishers: Uint32Array.from(docs, (facts) => facts.publisher),
      originality: bytes(0),
      nameWords: bytes(1),
      popularity: bytes(2),
      freshness: bytes(3),
      completeness: bytes(4),
      trust: bytes(5),
      hints: Uint32Array.from(hints, ({ hint }) => hint),
      hintDocs: Uint32Array.from(hints, ({ doc }) => doc),
      textEnds: Uint32Array.from(this.#textEnds),
    }
  }
}

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

  *make(): Generator<undefined, Words> {
    const { words, last } = this.#vocabulary
    const used: number[] = []
    // From now on its place among those used, plus one.
    last.fill(0)
    for (let at = 0; at < this.#end; at++) {
      const word = this.#word[at] as number
      if (last[word] === 0) last[word] = used.push(word)
      this.#word[at] = (last[word] as number) - 1
    }
    yield
    const order = used.map((_, at) => at)
    const texts = used.map((word) => words[word] as string)
    order.sort((a, b) => ((texts[a] as string) < (texts[b] as string) ? -1 : 1))
    yield
    // Postings come by document: laid out word by word they stay in that order.
    const ends = new Uint32Array(used.length + 1)
    for (let at = 0; at < this.#end; at++) {
      const word = this.#word[at] as number
      ends[word + 1] = (ends[word + 1] as number) + 1
    }
    for (let i = 0; i < used.length; i++) ends[i + 1] = (ends[i + 1] as number) + (ends[i] as number)
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
    yield
    const maker = new WordsMaker()
    for (const [at, word] of order.entries()) {
      const [from, to] = [ends[word] as number, ends[word + 1] as number]
      maker.addText(texts[word] as string)
      maker.addPostings(docs.subarray(from, to), marks.subarray(from, to), to - from)
      if (at % WORDS_A_STEP === WORDS_A_STEP - 1) yield
    }
    return maker.make()
  }
}

const WORDS_A_STEP = 2_000

function doubled<T extends Uint8Array | Uint32Array>(from: T): T {
  const to = new (from.constructor as new (size: number) => T)(from.length * 2)
  to.set(from as never)
  return to
}
