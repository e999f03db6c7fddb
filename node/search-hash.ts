/** Short names for long values. */
import { hash } from 'node:crypto'

/** 32 hex digits. Two values with one of these would be one to a filter; nobody has found two. */
export function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32)
}

/** FNV-1a, 32 bits: for hints such as "is this the whole name?", where a chance collision only moves a rank. */
export function hint(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
