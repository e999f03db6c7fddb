/** Short names for long values. */
import { hash } from 'node:crypto'
import { joined } from './search-text.ts'

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

/** 53 bits of it, for keys of which millions should differ. */
export function wideHint(text: string): number {
  let low = 0x811c9dc5
  let high = 0x9747b28c
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    low = Math.imul(low ^ char, 0x01000193)
    high = Math.imul(high ^ char, 0x5bd1e995)
    high ^= high >>> 15
  }
  return ((high >>> 0) & 0x1fffff) * 0x100000000 + (low >>> 0)
}

/** `seed` is by chance: nobody can prepare numbers that all begin at one place of a table. */
export function mixed(key: number, seed: number): number {
  const low = Math.imul((key >>> 0) ^ seed, 0x85ebca6b)
  const high = Math.imul(Math.floor(key / 0x100000000) ^ seed, 0xc2b2ae35)
  const both = low ^ (low >>> 15) ^ high
  return Math.imul(both ^ (both >>> 13), 0x27d4eb2f)
}

const NAMES_MAX = 4

/** Marks of the names a record is exactly known by; the last bit says whether with its owner. */
export function exactHints(names: readonly string[], ...wholes: readonly string[]): number[] {
  return [
    ...new Set([
      ...names.slice(0, NAMES_MAX).map((name) => nameHint(joined(name))),
      ...wholes.map((whole) => wholeHint(joined(whole))),
    ]),
  ]
}

export function nameHint(letters: string): number {
  return (hint(letters) & ~1) >>> 0
}

export function wholeHint(letters: string): number {
  return (hint(letters) | 1) >>> 0
}
