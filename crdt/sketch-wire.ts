/** The symbols of a sketch as they travel. What comes is a stranger's: it is symbols, or it is refused. */
import type { Sketch } from './sketch.ts'
import { COUNT, WORDS } from './sketch-walk.ts'

/** The words of a symbol or an item: of an item its count is left alone. */
export type Symbols = { readonly words: Int32Array; readonly count: number }

/**
 * Symbols from `from` until before `to` as they travel: item 8, checksum 8, and the count as its distance from what a
 * set of `ids` ids makes expected, zigzag and in 7 bits a byte, the lowest first.
 */
export function writeSymbols(sketch: Sketch, from: number, to: number, ids: number): Uint8Array {
  const end = Math.min(to, sketch.symbols)
  const bytes = new Uint8Array(Math.max(0, end - from) * SYMBOL_BYTES_MAX)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let symbol = from; symbol < end; symbol++) {
    const word = symbol * WORDS
    for (let part = 0; part < COUNT; part++) view.setInt32(at + 4 * part, sketch.words[word + part] as number, true)
    at += 16
    const distance = (sketch.words[word + COUNT] as number) - expected(symbol, ids)
    let rest = distance < 0 ? -2 * distance - 1 : 2 * distance
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
    bytes[at++] = rest
  }
  return bytes.subarray(0, at)
}

/** A stranger's symbols from `from` on; undefined when they are none. */
export function readSymbols(bytes: Uint8Array, from: number, ids: number): Symbols | undefined {
  if (ids > SKETCH_IDS_MAX) return undefined
  const words = new Int32Array(Math.floor(bytes.length / SYMBOL_BYTES_MIN) * WORDS)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < SYMBOL_BYTES_MIN) return undefined
    const word = count * WORDS
    for (let part = 0; part < COUNT; part++) words[word + part] = view.getInt32(at + 4 * part, true)
    at += 16
    let rest = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]
      if (byte === undefined || scale > COUNT_SCALE_MAX || (byte === 0 && scale > 1)) return undefined
      rest += (byte & 127) * scale
      if (byte < 128) break
    }
    const distance = rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2
    const value = distance + expected(from + count, ids)
    if (Math.abs(value) > SKETCH_IDS_MAX) return undefined
    words[word + COUNT] = value
    count++
  }
  return { words, count }
}

/** What travels of one symbol: at most, at least. */
const SYMBOL_BYTES_MAX = 21
const SYMBOL_BYTES_MIN = 17
/** Counts are signed words. */
const SKETCH_IDS_MAX = 2 ** 31 - 1
/** A count has five bytes of seven bits at most. */
const COUNT_SCALE_MAX = 128 ** 4

function expected(symbol: number, ids: number): number {
  return Math.floor((2 * ids) / (symbol + 2))
}
