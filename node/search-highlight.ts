/**
 * The piece of a text that shows why it was found, with the matching words between `**`. Plain text: whoever puts it
 * into a page must escape it like any other text of a stranger.
 */
import { stem } from './search-text.ts'

const WORDS = /[\p{L}\p{N}\p{M}]+/gu
const BEFORE_CHARS = 40
const PIECE_CHARS = 200
const FIELDS_MAX = 4

export type Wanted = {
  /** Lower case, without accents. */
  readonly words: ReadonlySet<string>
  readonly beginning: string | undefined
}

/** By field, only fields in which something matches; undefined when none does. */
export function highlights(
  shown: readonly (readonly [string, string])[],
  wanted: Wanted,
): Readonly<Record<string, string>> | undefined {
  const found: [string, string][] = []
  for (const [field, text] of shown) {
    const piece = pieceOf(text, wanted)
    if (piece !== undefined) found.push([field, piece])
    if (found.length === FIELDS_MAX) break
  }
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

function pieceOf(text: string, wanted: Wanted): string | undefined {
  const hits: { from: number; to: number }[] = []
  for (const match of text.matchAll(WORDS)) {
    const first = hits[0]
    if (first && match.index > first.from + PIECE_CHARS) break
    hits.push(...hitsIn(match[0], match.index, wanted))
  }
  const first = hits[0]
  if (!first) return undefined
  const from = first.from <= BEFORE_CHARS ? 0 : wordStart(text, first.from - BEFORE_CHARS)
  const to = Math.min(text.length, from + PIECE_CHARS)
  let piece = from > 0 ? '… ' : ''
  let at = from
  for (const hit of hits) {
    if (hit.to > to) break
    piece += `${text.slice(at, hit.from)}**${text.slice(hit.from, hit.to)}**`
    at = hit.to
  }
  return piece + wellFormedEnd(text.slice(at, to)) + (to < text.length ? ' …' : '')
}

function hitsIn(run: string, at: number, { words, beginning }: Wanted): { from: number; to: number }[] {
  const word = run
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFKC')
    .toLowerCase()
  if (words.has(word) || words.has(stem(word)) || (beginning !== undefined && word.startsWith(beginning))) {
    return [{ from: at, to: at + run.length }]
  }
  // Scripts without spaces: the pairs that were asked for, wherever they stand in the run.
  const hits: { from: number; to: number }[] = []
  for (let i = 0; i < run.length - 1; i++) {
    if (run.charCodeAt(i) < 0x0e00 || !words.has(run.slice(i, i + 2))) continue
    const last = hits.at(-1)
    if (last && last.to >= at + i) last.to = at + i + 2
    else hits.push({ from: at + i, to: at + i + 2 })
  }
  return hits
}

function wordStart(text: string, from: number): number {
  const space = text.indexOf(' ', from)
  return space >= 0 && space < from + BEFORE_CHARS
    ? space + 1
    : text.isWellFormed() && isLow(text, from)
      ? from + 1
      : from
}

function isLow(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff
}

/** Without half of a pair at its end. */
function wellFormedEnd(text: string): string {
  const code = text.charCodeAt(text.length - 1)
  return code >= 0xd800 && code <= 0xdbff ? text.slice(0, -1) : text
}
