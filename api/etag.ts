/**
 * Entity tags. A record's is made of its heads: they name the whole set of its ops, so equal heads are equal answers;
 * where ops rely on a grant, also of what has become of that.
 */
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import type { Merged } from '../crdt/index.ts'
import { typedAnswer } from './route.ts'

const DIGITS = 32

export function etagOf(record: Merged): string {
  const [only, ...others] = record.heads
  const stamp = record.judged?.stamp ?? ''
  if (stamp !== '') others.push(stamp)
  if (only !== undefined && others.length === 0) return `"${only.slice(0, DIGITS)}"`
  return `"${createHash('sha256')
    .update([only, ...others].join())
    .digest('hex')
    .slice(0, DIGITS)}"`
}

/** The tag of a text that is not one record: a page of a list, a document. Weak: what a proxy recodes means the same. */
export function textTag(text: string | Uint8Array): string {
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, DIGITS)}"`
}

/** An answer with the tag of its text; 304 for who has it. */
export function tagged(
  c: Context,
  text: string,
  type = 'application/json',
  headers: Readonly<Record<string, string>> = {},
): Response {
  return taggedAs(c, textTag(text), () => text, type, headers)
}

/** The same with a tag that is known without the text, which is made only when it is needed. */
export function taggedAs(
  c: Context,
  etag: string,
  text: () => string,
  type = 'application/json',
  headers: Readonly<Record<string, string>> = {},
): Response {
  if (noneMatch(c.req.header('if-none-match'), etag)) return typedAnswer(text(), type, { etag, ...headers })
  return new Response(null, { status: 304, headers: { etag, 'cache-control': 'no-cache', ...headers } })
}

/** If-None-Match on a read: weak comparison. */
export function noneMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true
  if (header.trim() === '*') return false
  const wanted = etag.replace(/^W\//, '')
  return !tags(header).some((tag) => tag.replace(/^W\//, '') === wanted)
}

/**
 * The condition of a write, from If-Match and If-None-Match, to be asked inside the writer. Undefined when there is
 * none. A record that does not exist (or was deleted) matches no tag.
 */
export function writeCondition(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
): ((now: Merged | undefined) => boolean) | undefined {
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined
  return (now) => {
    const etag = now?.live ? etagOf(now) : undefined
    if (ifMatch !== undefined) {
      if (etag === undefined) return false
      // Strong comparison: a weak tag matches nothing.
      if (ifMatch.trim() !== '*' && !tags(ifMatch).includes(etag)) return false
    }
    return ifNoneMatch === undefined || etag === undefined || noneMatch(ifNoneMatch, etag)
  }
}

/** A header is at most 16 KiB, so is this list. */
function tags(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? []
}
