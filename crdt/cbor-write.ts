/**
 * A value becomes canonical bytes, in one pass: into a scratch buffer that all encodings share, then copied out at
 * their length. Values are our own, so that what has no encoding is a bug of the caller's and throws.
 */
import { compareText } from './bytes.ts'
import type { ValueLimits } from './scan.ts'
import { isPlain, type Value, type ValueMap } from './value.ts'

export class Writer {
  readonly #limits: ValueLimits
  #at = 0

  constructor(limits: ValueLimits) {
    this.#limits = limits
  }

  /** Bytes of their own. TypeError or RangeError for what has no encoding. */
  bytes(value: Value): Uint8Array {
    this.#value(value, 0)
    return scratch.slice(0, this.#at)
  }

  #value(value: unknown, depth: number): void {
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'boolean') this.#byte(value ? 0xf5 : 0xf4)
    else if (value === null) this.#byte(0xf6)
    else if (value instanceof Uint8Array) this.#bytes(value)
    else if (typeof value === 'object') this.#container(value, depth)
    else throw new TypeError(`expected a value with an encoding, got ${typeof value}`)
  }

  #container(value: object, depth: number): void {
    const { depth: deepest, items } = this.#limits
    if (depth === deepest) throw new RangeError(`expected at most ${deepest} containers within one another`)
    const keys = Array.isArray(value) ? undefined : keysOf(value)
    const length = keys === undefined ? (value as readonly unknown[]).length : keys.length
    if (length > items) throw new RangeError(`expected at most ${items} items, got ${length}`)
    this.#head(keys === undefined ? ARRAY : MAP, length)
    if (keys === undefined) {
      for (let i = 0; i < length; i++) this.#value((value as readonly unknown[])[i], depth + 1)
      return
    }
    for (const key of keys) {
      this.#text(key)
      this.#value((value as ValueMap)[key], depth + 1)
    }
  }

  #bytes(bytes: Uint8Array): void {
    this.#head(BYTES, bytes.length)
    reserve(this.#at + bytes.length)
    scratch.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #text(text: string): void {
    const { length } = text
    // A UTF-16 unit is at most three bytes.
    reserve(this.#at + HEAD_MAX + 3 * length)
    if (length <= SHORT) {
      const start = this.#at + (length < 24 ? 1 : 2)
      let i = 0
      for (; i < length; i++) {
        const unit = text.charCodeAt(i)
        if (unit >= 0x80) break
        scratch[start + i] = unit
      }
      if (i === length) {
        this.#head(TEXT, length)
        this.#at += length
        return
      }
    }
    if (!text.isWellFormed()) throw new RangeError('expected well-formed text, got a lone surrogate')
    // As if each unit were one byte; where that gives too short a head, the text moves on.
    const guess = this.#at + headLength(length)
    const { written } = encoder.encodeInto(text, scratch.subarray(guess))
    const start = this.#at + headLength(written)
    if (start !== guess) scratch.copyWithin(start, guess, guess + written)
    this.#head(TEXT, written)
    this.#at += written
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#head(value < 0 ? NEGATIVE : 0, value < 0 ? -1 - value : value)
      return
    }
    if (!Number.isFinite(value) || value === 0) {
      throw new RangeError(`expected a finite number other than -0, got ${Object.is(value, -0) ? '-0' : value}`)
    }
    this.#byte(FLOAT64)
    reserve(this.#at + 8)
    view.setFloat64(this.#at, value)
    this.#at += 8
  }

  #byte(byte: number): void {
    reserve(this.#at + 1)
    scratch[this.#at++] = byte
  }

  #head(major: number, argument: number): void {
    reserve(this.#at + HEAD_MAX)
    const type = major << 5
    const size = headLength(argument) - 1
    if (size === 0) {
      scratch[this.#at++] = type | argument
      return
    }
    scratch[this.#at] = type | (24 + Math.log2(size))
    let rest = argument
    for (let i = this.#at + size; i > this.#at; i--) {
      scratch[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.#at += 1 + size
  }
}

function keysOf(value: object): readonly string[] {
  if (!isPlain(value)) throw new TypeError(`expected a plain map, got ${Object.prototype.toString.call(value)}`)
  const keys = Object.keys(value)
  // Maps that were read have their keys in order already.
  for (let i = 1; i < keys.length; i++) {
    if (compareText(keys[i - 1] as string, keys[i] as string) > 0) return keys.sort(compareText)
  }
  return keys
}

function headLength(argument: number): number {
  if (argument < 24) return 1
  if (argument < 0x100) return 2
  if (argument < 0x10000) return 3
  return argument < 0x100000000 ? 5 : 9
}

/** Makes the scratch buffer at least this long, and keeps what is in it. It grows to three times the largest value. */
function reserve(length: number): void {
  if (length <= scratch.length) return
  const larger = new Uint8Array(Math.max(length, 2 * scratch.length))
  larger.set(scratch)
  scratch = larger
  view = new DataView(scratch.buffer)
}

let scratch = new Uint8Array(64 * 1024)
let view = new DataView(scratch.buffer)

const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const FLOAT64 = 0xfb
const HEAD_MAX = 9
/** Up to this many letters a loop is faster than the encoder's call. */
const SHORT = 48
const encoder = new TextEncoder()
