/**
 * A set of op ids as it is compared with a peer's: its size and root, its trie, and its sketch (SPEC.md sections 8, 10).
 *
 * The sketch is made when it is first asked for and kept from then on, with as many symbols as the set's size deserves:
 * a node that never compares does not pay for it. What holds the ops behind the ids is not known here.
 */
import { fromHex, type IdSet, type OpId, Sketch, sketchSymbolsFor } from '../crdt/index.ts'

/** A sketch of fewer ids is made soon enough when it is asked for. */
const LARGE_IDS = 32_768
/** Ids taken into a sketch before others have a turn: a few milliseconds. */
const IDS_A_STRETCH = 1_024

export class ReconciledSet {
  /** sets.ts */
  readonly name: string
  readonly ids: IdSet
  #sketch: Sketch | undefined
  /** A sketch being made, of the ids whose first byte is below `done`. */
  #making: Making | undefined

  /** `sketch`: of these very ids. */
  constructor(name: string, ids: IdSet, sketch?: Sketch) {
    this.name = name
    this.ids = ids
    this.#sketch = sketch
  }

  get size(): number {
    return this.ids.size
  }

  root(): string {
    return this.ids.root()
  }

  has(id: OpId): boolean {
    return this.ids.has(id)
  }

  add(id: OpId | Uint8Array): boolean {
    const bytes = typeof id === 'string' ? fromHex(id) : id
    if (!this.ids.add(bytes)) return false
    this.#sketch?.add(bytes)
    if (this.#making !== undefined && bytes[0]! < this.#making.done) this.#making.sketch.add(bytes)
    return true
  }

  delete(id: OpId): boolean {
    const bytes = fromHex(id)
    if (!this.ids.delete(bytes)) return false
    this.#sketch?.delete(bytes)
    if (this.#making !== undefined && bytes[0]! < this.#making.done) this.#making.sketch.delete(bytes)
    return true
  }

  /** What begins with this short, or is this id. */
  startingWith(text: string): OpId[] {
    return this.ids.startingWith(fromHex(text))
  }

  /**
   * To be read at once, or copied: it changes with the set. The first call, and one after much growth, reads all ids, in
   * short stretches with a `turn` for others after each.
   */
  async sketch(turn: () => Promise<void>): Promise<Sketch> {
    for (;;) {
      const kept = this.#sketch
      if (kept !== undefined && kept.symbols >= sketchSymbolsFor(this.size)) return kept
      await this.#made(turn)
    }
  }

  /** Makes the sketch of a large set ahead of its first use. */
  async prepare(turn: () => Promise<void>): Promise<void> {
    if (this.#sketch === undefined && this.size >= LARGE_IDS) await this.#made(turn)
  }

  #made(turn: () => Promise<void>): Promise<void> {
    if (this.#making !== undefined) return this.#making.made
    const making = { sketch: new Sketch(sketchSymbolsFor(this.size)), done: 0, made: Promise.resolve() }
    this.#making = making
    making.made = this.#fill(making, turn)
    return making.made
  }

  /** In vain when the sketch is forgotten meanwhile. */
  async #fill(making: Making, turn: () => Promise<void>): Promise<void> {
    const { sketch } = making
    let most = IDS_A_STRETCH
    while (making.done < 256 && this.#making === making) {
      this.ids.each((id) => sketch.add(id), making.done.toString(16).padStart(2, '0'))
      making.done++
      if (sketch.size < most) continue
      most = sketch.size + IDS_A_STRETCH
      await turn()
    }
    if (this.#making !== making) return
    this.#making = undefined
    this.#sketch = sketch
  }

  /** It is made anew when it is next asked for. */
  forgetSketch(): void {
    this.#sketch = undefined
    this.#making = undefined
  }

  /** The sketch as far as it is kept. */
  get kept(): Sketch | undefined {
    return this.#sketch
  }
}

/** `made` resolves when there is nothing more to do for it. */
type Making = { readonly sketch: Sketch; done: number; made: Promise<void> }
