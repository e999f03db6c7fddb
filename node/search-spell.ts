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

/** False when the letters alone (`maskOf` of both) say that more edits lie between: each brings one and takes one at most. */
export function mayBeNear(one: number, other: number, edits: number): boolean {
  let brought = one & ~other
  let taken = other & ~one
  for (let edit = 0; edit < edits; edit++) {
    brought &= brought - 1
    taken &= taken - 1
  }
  return (brought | taken) === 0
}

export function editsAllowed(word: string): number {
  return word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0
}

/** Three rows of the table of edits, used again and again. */
let rows = [new Uint16Array(64), new Uint16Array(64), new Uint16Array(64)] as const

/**
 * Insertions, deletions, replacements and swaps of neighbours between two words; any number above `most` stands for
 * "more". Only what is at most so far from the diagonal is looked at, so the work grows with the length alone.
 */
export function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  const size = b.length + 2
  if (size > rows[0].length) rows = [new Uint16Array(size), new Uint16Array(size), new Uint16Array(size)]
  let [twoBack, back, row] = rows
  for (let j = 0; j <= b.length; j++) back[j] = Math.min(j, most + 1)
  for (let i = 1; i <= a.length; i++) {
    const from = Math.max(1, i - most)
    const to = Math.min(b.length, i + most)
    row[from - 1] = from === 1 ? i : most + 1
    let least = from === 1 ? i : most + 1
    const letter = a.charCodeAt(i - 1)
    for (let j = from; j <= to; j++) {
      const other = b.charCodeAt(j - 1)
      let edits = (back[j - 1] as number) + (letter === other ? 0 : 1)
      // Above the band nothing was reckoned.
      const above = j === i + most ? most + 1 : (back[j] as number)
      edits = Math.min(edits, above + 1, (row[j - 1] as number) + 1)
      if (i > 1 && j > 1 && letter === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === other) {
        edits = Math.min(edits, (twoBack[j - 2] as number) + 1)
      }
      row[j] = edits
      if (edits < least) least = edits
    }
    if (least > most) return most + 1
    const spare = twoBack
    twoBack = back
    back = row
    row = spare
  }
  return back[b.length] as number
}
