/** Values and paths of vectors as JSON: bytes as {"/": {"bytes": base64}}, ids that say their one letter. */
import { toHex, utf8, type Value } from '../../crdt/index.ts'

export function toJson(value: Value): unknown {
  if (value instanceof Uint8Array) return { '/': { bytes: Buffer.from(value).toString('base64').replace(/=+$/, '') } }
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
}

/** 32 bytes, each the letter: made-up ids sort as their letters do. */
export function letterId(letter: string): string {
  return toHex(utf8(letter)).repeat(32)
}
