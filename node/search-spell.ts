/**
 * What a mistyped word may have meant: words of the catalogue within one edit of it (two from eight letters on), a
 * swap of neighbours counting as one.
 *
 * Words are found by the letter pairs they share, since a swap in a word of four letters leaves none of its trigrams.
 * Words are only ever added: whether a record still has one is for the caller to say.
 */
import { corrections } from './limits.ts'

/** Candidates measured letter by letter, the likeliest first. */
const MEASURED_MAX = 4_000
const CORRECTABLE_CHARS_MAX = 32

export class Spelling {
  readonly #words: string[] = []
  readonly #known = new Set<string>()
  readonly #byPair = new Map<string, number[]>()

  add(word: string): void {
    if (this.#known.has(word)) return
    this.#known.add(word)
    if (!isCorrectable(word)) return
    const at = this.#words.push(word) - 1
    for (const pair of new Set(pairsOf(word))) {
      const list = this.#byPair.get(pair)
      if (list) list.push(at)
      else this.#byPair.set(pair, [at])
    }
  }

  has(word: string): boolean {
    return this.#known.has(word)
  }

  /** The nearest words that are `used`, ties by the alphabet, at most `corrections`. */
  near(word: string, used: (word: string) => boolean): string[] {
    if (!isCorrectable(word)) return []
    const shared = new Uint8Array(this.#words.length)
    const pairs = pairsOf(word)
    for (const pair of pairs) {
      for (const at of this.#byPair.get(pair) ?? []) shared[at] = (shared[at] as number) + 1
    }
    const allowed = editsAllowed(word)
    // An edit touches three pairs at most (a swap does): a word within reach shares all the others.
    const least = Math.max(1, pairs.length - 3 * allowed)
    const candidates: number[] = []
    for (let at = 0; at < shared.length; at++) {
      const length = (this.#words[at] as string).length
      if ((shared[at] as number) >= least && Math.abs(length - word.length) <= allowed) candidates.push(at)
    }
    candidates.sort((a, b) => (shared[b] as number) - (shared[a] as number) || a - b)
    return nearest(
      word,
      candidates.slice(0, MEASURED_MAX).map((at) => this.#words[at] as string),
      used,
    )
  }
}

/** The rule of `near` over any words: what the pairs only make fast. */
export function nearest(word: string, candidates: Iterable<string>, used: (word: string) => boolean): string[] {
  const allowed = editsAllowed(word)
  const byEdits: string[][] = Array.from({ length: allowed + 1 }, () => [])
  for (const candidate of candidates) {
    const edits = editDistance(word, candidate, allowed)
    if (edits > 0 && edits <= allowed) byEdits[edits]?.push(candidate)
  }
  for (const found of byEdits) {
    const meant = found.sort().filter(used).slice(0, corrections)
    if (meant.length > 0) return meant
  }
  return []
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

function pairsOf(word: string): string[] {
  const padded = `^${word}$`
  const found: string[] = []
  for (let i = 0; i + 2 <= padded.length; i++) found.push(padded.slice(i, i + 2))
  return found
}
