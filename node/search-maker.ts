/**
 * The index as it is built: takes in changes record by record, joins small segments a piece at a time, and tells what
 * came of it (search-publication.ts). Everything in steps, of which changes and upkeep may take turns. Questions are for
 * search-engine.ts, keeping it all on disk for search-files.ts.
 */
import { vocabularyKept } from './limits.ts'
import type { IndexChange, IndexEntry } from './search.ts'
import { type Bits, dropBits } from './search-bits.ts'
import { SegmentBuilder, Vocabulary } from './search-builder.ts'
import { codeAt, countUses, firstValue } from './search-column.ts'
import type { Tables } from './search-fields.ts'
import { docsIn } from './search-found.ts'
import { shortHash } from './search-hash.ts'
import { merge, nextMerge, type TextSink } from './search-merge.ts'
import { describe, type Publication, type SegmentChange } from './search-publication.ts'
import { fameOf } from './search-rank.ts'
import { docOf, removeDoc, type Segment } from './search-segment.ts'
import type { ValuesView } from './search-values.ts'
import { ValuesMaker } from './search-values-maker.ts'
import { drained } from './search-work.ts'

/** A change whose entries are made one after the other. */
export type Change = Omit<IndexChange, 'entries'> & {
  readonly entries: Iterable<IndexEntry>
  readonly count: number
}

/** `left`: segments that are none of the index's any more; their texts are closed by whoever hears of it. */
export type Publish = (publication: Publication, left: readonly Segment[]) => void

export class IndexMaker {
  readonly #tables: Tables
  readonly #publish: Publish
  readonly values: ValuesMaker
  /** Oldest first. Replaced as a whole and never changed. */
  segments: readonly Segment[] = []
  /** Everything up to and with this arrival is in the segments. */
  seq = 0
  #vocabulary = new Vocabulary()
  /** Records that could not be read, for the owner to take and report. */
  readonly leftOut: { id: string; why: string }[] = []
  /** Documents that came or went since `fame` was last reckoned. */
  #unreckoned = 0
  /** The values as they were last told of. */
  #told: ValuesView | undefined

  constructor(tables: Tables, seed: number, publish: Publish) {
    this.#tables = tables
    this.#publish = publish
    this.values = new ValuesMaker(seed)
  }

  get live(): number {
    return this.segments.reduce((sum, { liveCount }) => sum + liveCount, 0)
  }

  /** Everything, for whoever has heard nothing yet. */
  whole(): Publication {
    const { segments } = this
    const { view, size } = this.values.values
    const numbers = segments.map(({ number }) => number)
    return { segments: numbers, added: segments.map(describe), changed: [], joined: [], values: view, valuesSize: size }
  }

  /**
   * Takes in `count` entries at most and lets records go, in steps of one record; what was before is found until the
   * last. When an id comes twice, the later entry is meant. Each entry is asked for when it is due, and not held.
   * One change at a time.
   */
  *apply(change: Change): Generator<undefined, void> {
    const { entries, count, removed, seq } = change
    yield* this.values.sweep()
    if (this.#vocabulary.words.length > vocabularyKept) this.#vocabulary = new Vocabulary()
    const builder = new SegmentBuilder(this.values, this.#vocabulary, count)
    const gone = [...removed]
    const docs = new Map<string, number>()
    const replaced: number[] = []
    for (const entry of entries) {
      const { id } = entry
      const before = docs.get(id)
      if (before === undefined) gone.push(id)
      else replaced.push(before)
      docs.set(id, builder.size)
      try {
        builder.add(entry, this.#tables.get(entry.kind))
      } catch (error) {
        // A record that trips over a mistake of ours must not stop all the others.
        this.leftOut.push({ id, why: String(error) })
        docs.delete(id)
      }
      yield
    }
    const segment = builder.size > 0 ? yield* builder.make() : undefined
    const left = new Map<Segment, number[]>()
    for (const { segment: old, doc, id } of yield* this.#placesOf(gone)) {
      // Joined meanwhile: it is looked for once more.
      const place = this.segments.includes(old) ? { segment: old, doc } : this.#placeOf(id)
      if (!place) continue
      removeDoc(place.segment, place.doc)
      const others = left.get(place.segment)
      if (others) others.push(place.doc)
      else left.set(place.segment, [place.doc])
    }
    if (segment) {
      for (const doc of replaced) removeDoc(segment, doc)
      // Without a pause since the first was removed: a record is found as it was or as it is. One batch is small.
      for (const column of segment.columns.values()) drained(countUses(column, this.values, 1))
      segment.fame = drained(this.#reckoned(segment))
    }
    this.seq = seq
    this.#unreckoned += gone.length
    this.#tell({
      segments: segment ? [...this.segments, segment] : this.segments,
      changed: [...left].map(([{ number }, docs]) => ({ number, gone: docs })),
    })
  }

  /** Where these are now, in steps. Segments may be joined meanwhile. */
  *#placesOf(ids: readonly string[]): Generator<undefined, { segment: Segment; doc: number; id: string }[]> {
    const places: { segment: Segment; doc: number; id: string }[] = []
    for (const [at, id] of ids.entries()) {
      const place = this.#placeOf(id)
      if (place) places.push({ ...place, id })
      if (at % IDS_A_STEP === IDS_A_STEP - 1) yield
    }
    return places
  }

  #placeOf(id: string): { segment: Segment; doc: number } | undefined {
    const wanted = Buffer.from(id, 'hex')
    for (const segment of this.segments) {
      const doc = docOf(segment, wanted)
      if (doc >= 0) return { segment, doc }
    }
    return undefined
  }

  /**
   * One piece of upkeep, in steps: joins segments that are ready for it, or reckons anew how known records are. Yields
   * nothing when there is nothing to do. `sinkFor` says where the texts of so many documents go. One at a time.
   */
  *upkeep(sinkFor: (documents: number) => TextSink): Generator<undefined, boolean> {
    const joining = nextMerge(this.segments)
    if (joining) {
      yield* this.#join(joining, sinkFor)
      return true
    }
    if (this.#unreckoned * RECKONED_SHARE > this.live) {
      this.#unreckoned = 0
      const { segments } = this
      for (const segment of segments) segment.fame = yield* this.#reckoned(segment)
      this.#tell({ changed: segments.map(({ number, fame }) => ({ number, fame })) })
      return true
    }
    return false
  }

  *#join(joining: readonly Segment[], sinkFor: (documents: number) => TextSink): Generator<undefined, void> {
    const documents = joining.reduce((sum, { liveCount }) => sum + liveCount, 0)
    const sink = sinkFor(documents)
    const { segment, moved, lived } = yield* merge(joining, this.values.values, sink)
    yield* sink.finish(segment, this.values.values)
    for (const column of segment.columns.values()) yield* countUses(column, this.values, 1)
    segment.fame = yield* this.#reckoned(segment)
    // Without a pause from here on: what left meanwhile leaves the new segment too.
    for (const [at, old] of joining.entries()) {
      const left = lived[at] as Bits
      dropBits(left, old.live)
      for (const doc of docsIn(old, left)) removeDoc(segment, (moved[at] as Int32Array)[doc] as number)
    }
    const others = this.segments.filter((each) => !joining.includes(each))
    this.#tell({
      segments: segment.liveCount === 0 ? others : [segment, ...others],
      joined: joining.map(({ number }, at) => ({ number, moved: moved[at] as Int32Array })),
    })
    if (segment.liveCount === 0) segment.texts.close()
    for (const old of joining) for (const column of old.columns.values()) yield* countUses(column, this.values, -1)
  }

  /** Makes these, which came from a file, the index's segments, in steps. */
  *take(segments: readonly Segment[]): Generator<undefined, void> {
    for (const segment of segments) {
      for (const column of segment.columns.values()) yield* countUses(column, this.values, 1)
    }
    for (const segment of segments) segment.fame = yield* this.#reckoned(segment)
    this.#tell({ segments })
  }

  /** Texts of these segments are in another place. */
  relocated(segments: readonly Segment[]): void {
    if (segments.length === 0) return
    this.#tell({ changed: segments.map(({ number, texts }) => ({ number, texts: texts.place })) })
  }

  #tell(news: {
    readonly segments?: readonly Segment[]
    readonly changed?: readonly SegmentChange[]
    readonly joined?: Publication['joined']
  }): void {
    const before = this.segments
    const { segments = before, changed = [], joined = [] } = news
    this.segments = segments
    const { view, size } = this.values.values
    const numbers = segments.map(({ number }) => number)
    const isNew = (segment: Segment) => !before.includes(segment)
    const publication = {
      segments: numbers,
      added: segments.filter(isNew).map(describe),
      // Segments may have been joined since.
      changed: changed.filter(({ number }) => numbers.includes(number)),
      joined,
      values: view === this.#told ? undefined : view,
      valuesSize: size,
    }
    this.#told = view
    this.#publish(
      publication,
      before.filter((segment) => !segments.includes(segment)),
    )
  }

  /** How known the documents are by now, in steps. */
  *#reckoned(segment: Segment): Generator<undefined, Uint8Array> {
    const fame = new Uint8Array(segment.size)
    for (let from = 0; from < segment.size; from += DOCS_A_STEP) {
      this.#reckonSome(segment, fame, from, Math.min(from + DOCS_A_STEP, segment.size))
      yield
    }
    return fame
  }

  #reckonSome({ arrays, columns }: Segment, fame: Uint8Array, from: number, to: number): void {
    const slugs = columns.get('slug')
    for (let doc = from; doc < to; doc++) {
      const code = slugs ? codeAt(slugs, doc) : 0
      const references = slugs && code !== 0 ? (this.values.uses[firstValue(slugs, code)] as number) - 1 : 0
      const popularity = arrays.popularity[doc] as number
      fame[doc] = references > 0 ? fameOf(popularity, references) : popularity
    }
  }
}

const IDS_A_STEP = 64
const DOCS_A_STEP = 16_384
/** Fame is reckoned anew once one in this many records came or went. */
const RECKONED_SHARE = 16

/** Changes when the tables give other words or fields, so that an index made by older tables is built anew. */
export function madeBy(tables: Tables): string {
  const read = [...tables].map(([kind, table]) => [
    kind,
    [...table].map(([path, { search, words }]) => [path, search, words]),
  ])
  return shortHash(JSON.stringify(read))
}
