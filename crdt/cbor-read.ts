/**
 * Canonical bytes become a value. Only bytes that scan.ts has passed may come here: nothing is checked again, and what
 * is built is bounded by what was scanned.
 */
import { newMap, type Value } from './value.ts'

/** Reads bytes that were scanned, so that nothing has to be checked again. */
export class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    // A Node Buffer's slice is a view of it where a Uint8Array's is a copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  value(): Value {
    const bytes = this.#bytes
    const head = bytes[this.#at++] as number
    if (head >= SIMPLE) {
      if (head !== FLOAT64) return head === 0xf6 ? null : head === 0xf5
      this.#at += 8
      return new DataView(bytes.buffer, bytes.byteOffset + this.#at - 8, 8).getFloat64(0)
    }
    const argument = this.#argument(head & 31)
    switch (head >> 5) {
      case 0:
        return argument
      case NEGATIVE:
        return -1 - argument
      case BYTES:
        this.#at += argument
        return bytes.slice(this.#at - argument, this.#at)
      case TEXT:
        return this.#text(argument)
      case ARRAY: {
        const items: Value[] = []
        for (let i = 0; i < argument; i++) items.push(this.value())
        return items
      }
      default: {
        const map = newMap<Value>()
        for (let i = 0; i < argument; i++) {
          const key = this.value() as string
          map[key] = this.value()
        }
        return map
      }
    }
  }

  #argument(minor: number): number {
    if (minor < 24) return minor
    let argument = 0
    for (let size = 1 << (minor - 24); size > 0; size--) argument = argument * 256 + (this.#bytes[this.#at++] as number)
    return argument
  }

  #text(length: number): string {
    const start = this.#at
    this.#at += length
    return length <= SHORT
      ? shortText(this.#bytes, start, length)
      : decoder.decode(this.#bytes.subarray(start, this.#at))
  }
}

/**
 * Names of fields and their usual values come again in every record: each is made once, and found by its bytes. A text
 * is kept where its hash points, and the next with that hash takes its place.
 */
const known: { readonly bytes: Uint8Array; readonly text: string }[] = []
const KNOWN_TEXTS = 4096

function shortText(bytes: Uint8Array, start: number, length: number): string {
  let hash = length
  for (let i = start; i < start + length; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
  const slot = hash & (KNOWN_TEXTS - 1)
  const found = known[slot]
  if (found !== undefined && found.bytes.length === length) {
    let i = 0
    while (i < length && found.bytes[i] === bytes[start + i]) i++
    if (i === length) return found.text
  }
  const own = bytes.slice(start, start + length)
  const text = decoder.decode(own)
  known[slot] = { bytes: own, text }
  return text
}

const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
/** Heads from here on are false, true, null and the float. */
const SIMPLE = 0xf4
const FLOAT64 = 0xfb
/** Texts up to this many bytes are looked up before they are made. */
const SHORT = 24
/** A leading byte order mark is part of the text. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
