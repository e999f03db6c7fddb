/**
 * What a mistyped word may have meant: words of the catalogue that share trigrams with it and lie within one edit
 * (two from eight letters on), a swap of neighbours counting as one.
 *
 * Words are only ever added: one that no record has any more is found to have no records when it is looked up.
 */
import { corrections } from './limits.ts'

/** Shared trigrams are counted for these many candidates at most; the best are then measured letter by letter. */
const MEASURED_MAX = 2_000

const CORRECTABLE_CHARS_MAX = 32

export class Spelling {
  readonly #words: string[] = []
  readonly #known = new Set<string>()
  readonly #byTrigram = new Map<string, number[]>()

  get size(): number {
    return this.#words.length
  }

  add(word: string): void {
    if (this.#known.has(word)) return
    this.#known.add(word)
    if (!isCorrectable(word)) return
    const at = this.#words.push(word) - 1
    for (const trigram of trigramsOf(word)) {
      const list = this.#byTrigram.get(trigram)
      if (list) list.push(at)
      else this.#byTrigram.set(trigram, [at])
    }
  }

  has(word: string): boolean {
    return this.#known.has(word)
  }

  /** The nearest words, ties by the alphabet, at most `corrections`. */
  near(word: string): string[] {
    if (!isCorrectable(word)) return []
    const shared = new Map<number, number>()
    for (const trigram of trigramsOf(word)) {
      for (const at of this.#byTrigram.get(trigram) ?? []) shared.set(at, (shared.get(at) ?? 0) + 1)
    }
    const candidates = [...shared]
      .filter(([at]) => Math.abs((this.#words[at] as string).length - word.length) <= editsAllowed(word))
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, MEASURED_MAX)
      .map(([at]) => this.#words[at] as string)
    return nearest(word, candidates)
  }
}

/** The rule of `near` over any words: what the trigrams only make fast. */
export function nearest(word: string, candidates: Iterable<string>): string[] {
  const allowed = editsAllowed(word)
  const found: { candidate: string; edits: number }[] = []
  for (const candidate of candidates) {
    const edits = editDistance(word, candidate, allowed)
    if (edits > 0 && edits <= allowed) found.push({ candidate, edits })
  }
  found.sort((a, b) => a.edits - b.edits || (a.candidate < b.candidate ? -1 : 1))
  const best = found[0]?.edits
  return found
    .filter(({ edits }) => edits === best)
    .slice(0, corrections)
    .map(({ candidate }) => candidate)
}

/** Short words are a letter away from everything, and a number is never a slip for another. */
export function isCorrectable(word: string): boolean {
  return word.length >= 4 && word.length <= CORRECTABLE_CHARS_MAX && /^\p{L}+$/u.test(word)
}

export function editsAllowed(word: string): number {
  return word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0
}

/**
 * Insertions, deletions, replacements and swaps of neighbours between two words; any number above `most` stands for
 * "more". The work is bounded by the product of the lengths, which are those of words.
 */
export function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let twoBack: number[] = []
  let back = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(
        (back[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (back[j - 1] as number) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (twoBack[j - 2] as number) + 1)
      }
      row.push(edits)
      if (edits < least) least = edits
    }
    if (least > most) return most + 1
    twoBack = back
    back = row
  }
  return back[b.length] as number
}

function trigramsOf(word: string): string[] {
  const padded = `^${word}$`
  const found: string[] = []
  for (let i = 0; i + 3 <= padded.length; i++) found.push(padded.slice(i, i + 3))
  return found
}
