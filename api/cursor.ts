/** Pages: limits, opaque cursors and the link to the next one. A cursor is read by whoever made it, and told so here. */
import { cursorBytesMax, pageItemsDefault, pageItemsMax } from '../node/index.ts'
import type { Problem } from './problem.ts'

export function readLimit(text: string | null | undefined, standard = pageItemsDefault): number | Problem {
  if (text === null || text === undefined) return standard
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= pageItemsMax) return limit
  return {
    problem: 'bad-query',
    detail: `limit is a whole number from 1 to ${pageItemsMax}`,
    errors: [{ pointer: '/limit', message: `expected 1 to ${pageItemsMax}` }],
  }
}

export function readCursor(text: string | null | undefined): string | undefined | Problem {
  if (text === null || text === undefined) return undefined
  if (text.length <= cursorBytesMax && /^[\x21-\x7e]+$/.test(text)) return text
  return badCursor
}

export const badCursor: Problem = {
  problem: 'bad-cursor',
  detail: 'the cursor is not one that this node gave for this query',
  errors: [{ pointer: '/cursor', message: 'expected a next_cursor of the page before' }],
}

/** Relative, so that no Host header gets into it. */
export function nextLink(path: string, query: URLSearchParams, changes: Readonly<Record<string, string>>): string {
  const next = new URLSearchParams(query)
  for (const [key, value] of Object.entries(changes)) next.set(key, value)
  return `<${path}?${next}>; rel="next"`
}
