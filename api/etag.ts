/**
 * Entity tags. A record's is made of its heads: they name the whole set of its ops, so equal heads are equal answers.
 */
import { createHash } from 'node:crypto'
import type { Merged } from '../crdt/index.ts'

const DIGITS = 32

export function etagOf(record: Merged): string {
  const [only, ...others] = record.heads
  if (only !== undefined && others.length === 0) return `"${only.slice(0, DIGITS)}"`
  return `"${createHash('sha256').update(record.heads.join()).digest('hex').slice(0, DIGITS)}"`
}

/** If-None-Match on a read: weak comparison. */
export function noneMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true
  if (header.trim() === '*') return false
  return !tags(header).some((tag) => tag.replace(/^W\//, '') === etag)
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
