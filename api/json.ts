/**
 * JSON as strictly as signed data needs it: duplicate keys (of which JSON.parse keeps the last), invalid UTF-8 and a
 * byte-order mark are refused. Nesting is bounded before anything recurses.
 *
 * Lone surrogates and numbers that lost digits pass here; whoever turns the value into a document refuses them with
 * their place.
 */
import { DEPTH_MAX } from '../crdt/index.ts'

export type JsonRead = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string }

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function readJson(bytes: Uint8Array): JsonRead {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    return { ok: false, message: 'the body is not UTF-8' }
  }
  return readJsonText(text)
}

export function readJsonText(text: string): JsonRead {
  const message = scan(text)
  if (message !== undefined) return { ok: false, message }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (error) {
    return { ok: false, message: `not JSON: ${(error as Error).message.slice(0, 200)}` }
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** One pass, constant stack, linear time, over any text. Answers what is wrong, if that is one of the things above. */
function scan(text: string): string | undefined {
  // Per open container: the keys seen, or nothing for an array.
  const open: (Set<string> | undefined)[] = []
  let expectKey = false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) {
      const end = endOfString(text, at)
      if (end < 0) return undefined // JSON.parse says it better
      if (expectKey) {
        const key = unescaped(text.slice(at + 1, end))
        const keys = open.at(-1) as Set<string>
        if (keys.has(key))
          return `the key ${JSON.stringify(key.slice(0, 100))} appears twice in one object (at character ${at})`
        keys.add(key)
        expectKey = false
      }
      at = end
    } else if (unit === 0x7b || unit === 0x5b) {
      if (open.length >= DEPTH_MAX) return `more than ${DEPTH_MAX} levels deep (at character ${at})`
      open.push(unit === 0x7b ? new Set() : undefined)
      expectKey = unit === 0x7b
    } else if (unit === 0x7d || unit === 0x5d) {
      open.pop()
      expectKey = false
    } else if (unit === 0x2c) {
      expectKey = open.at(-1) !== undefined
    }
  }
  return undefined
}

function endOfString(text: string, start: number): number {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end < 0) return -1
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
}

function unescaped(raw: string): string {
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return raw
  }
}
