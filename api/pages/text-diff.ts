/**
 * What changed between two texts, word by word where they are short and line by line where they are long: the least
 * edits (Myers), up to a bound; beyond it, what lies between the common beginning and end is shown as replaced.
 */
import { diffEditsMax, diffWordsMax } from '../../node/index.ts'

export type Piece = { readonly says: 'same' | 'gone' | 'new'; readonly text: string }

export function diffTexts(before: string, after: string): Piece[] {
  let a = wordsOf(before)
  let b = wordsOf(after)
  if (a.length + b.length > diffWordsMax) {
    a = linesOf(before)
    b = linesOf(after)
  }
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  const pieces: Piece[] = []
  push(pieces, 'same', a.slice(0, head))
  for (const { says, text } of between(a.slice(head, a.length - tail), b.slice(head, b.length - tail))) {
    push(pieces, says, [text])
  }
  push(pieces, 'same', a.slice(a.length - tail))
  return pieces
}

function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{M}\p{N}_]+|\s+|[^\p{L}\p{M}\p{N}_\s]/gu) ?? []
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

function push(pieces: Piece[], says: Piece['says'], tokens: readonly string[]): void {
  if (tokens.length === 0) return
  const last = pieces.at(-1)
  const text = tokens.join('')
  if (last?.says === says) pieces[pieces.length - 1] = { says, text: last.text + text }
  else pieces.push({ says, text })
}

/** Myers' greedy walk, with the reach of each round kept to find the way back. */
function between(a: readonly string[], b: readonly string[]): Piece[] {
  const rounds: Int32Array[] = []
  const middle = diffEditsMax + 1
  const reach = new Int32Array(2 * middle + 1)
  for (let edits = 0; edits <= Math.min(diffEditsMax, a.length + b.length); edits++) {
    rounds.push(reach.slice())
    for (let k = -edits; k <= edits; k += 2) {
      let x = isDown(reach, middle, k, edits) ? at(reach, middle + k + 1) : at(reach, middle + k - 1) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      reach[middle + k] = x
      if (x >= a.length && x - k >= b.length) return wayBack(a, b, rounds, middle)
    }
  }
  return [...a.map((text) => ({ says: 'gone', text }) as const), ...b.map((text) => ({ says: 'new', text }) as const)]
}

function wayBack(a: readonly string[], b: readonly string[], rounds: readonly Int32Array[], middle: number): Piece[] {
  const pieces: Piece[] = []
  let x = a.length
  let y = b.length
  for (let edits = rounds.length - 1; edits > 0; edits--) {
    const reach = rounds[edits] as Int32Array
    const k = x - y
    const down = isDown(reach, middle, k, edits)
    const fromX = at(reach, middle + (down ? k + 1 : k - 1))
    const fromY = fromX - (down ? k + 1 : k - 1)
    for (; x > fromX && y > fromY; y--) pieces.push({ says: 'same', text: a[--x] as string })
    if (down) pieces.push({ says: 'new', text: b[--y] as string })
    else pieces.push({ says: 'gone', text: a[--x] as string })
  }
  while (x > 0) pieces.push({ says: 'same', text: a[--x] as string })
  return pieces.reverse()
}

/** Whether the furthest way to diagonal `k` comes from above, by a new token. */
function isDown(reach: Int32Array, middle: number, k: number, edits: number): boolean {
  return k === -edits || (k !== edits && at(reach, middle + k - 1) < at(reach, middle + k + 1))
}

function at(reach: Int32Array, index: number): number {
  return reach[index] as number
}
