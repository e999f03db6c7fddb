/**
 * What a mistyped word may have meant: words of the catalogue within one edit of it (two from eight letters on), a
 * swap of neighbours counting as one.
 */
import { corrections } from './limits.ts'

const CORRECTABLE_CHARS_MAX = 32

/** The nearest of these that are `used`, ties by the alphabet, at most `corrections`. */
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
