/**
 * Bytes, hex and UTF-8: the few conversions that every other file here needs.
 *
 * Hex is lower case wherever it is written and the only form in which it is read, so that each id has one text form.
 */
const CODES = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
const NO_DIGIT = 0x100
const DIGITS = Uint16Array.from({ length: 128 }, (_, code) => {
  const value = digit(code)
  return value < 0 ? NO_DIGIT : value
})

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const SHORT = 32
/** The digits of a hash, or of less, on their way to text. */
const digits = new Uint8Array(2 * SHORT)

/** Two lower-case digits a byte. */
export function toHex(bytes: Uint8Array): string {
  const { length } = bytes
  // Adding up letters makes a text of a hundred parts, which costs four times as much to make and again to read.
  const into = length === SHORT ? digits : length < SHORT ? digits.subarray(0, 2 * length) : new Uint8Array(2 * length)
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number
    into[2 * i] = CODES[byte >> 4] as number
    into[2 * i + 1] = CODES[byte & 15] as number
  }
  return decoder.decode(into)
}

/** The bytes of lower-case hex text. For text of our own: RangeError when it is anything else. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1)
  hexInto(text, bytes, 0)
  return bytes
}

/** Puts there what `fromHex` gives. */
export function hexInto(text: string, into: Uint8Array, at: number): void {
  const length = text.length >> 1
  if (text.length & 1) throw new RangeError(`expected an even number of hex digits, got ${text.length}`)
  // Of a digit the table has its value, of anything else a bit that no digit has.
  let wrong = 0
  for (let i = 0; i < length; i++) {
    const high = text.charCodeAt(2 * i)
    const low = text.charCodeAt(2 * i + 1)
    const byte = ((DIGITS[high & 0x7f] as number) << 4) | (DIGITS[low & 0x7f] as number)
    wrong |= byte | ((high | low) > 0x7f ? NO_DIGIT : 0)
    into[at + i] = byte
  }
  if (wrong > 0xff) throw new RangeError(`expected lower-case hex, got ${JSON.stringify(text.slice(0, 80))}`)
}

/** Whether text is `digits` lower-case hex digits: how a stranger's id is checked before it is used. */
export function isHex(text: string, digits: number): boolean {
  if (text.length !== digits) return false
  for (let i = 0; i < digits; i++) if (digit(text.charCodeAt(i)) < 0) return false
  return true
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Negative, zero or positive, byte by byte; of two that agree as far as the shorter goes, the shorter comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareParts(a, 0, b, 0, Math.min(a.length, b.length)) || a.length - b.length
}

/** The same of `length` bytes of each, from `from` and `other` on: without a view of either. */
export function compareParts(a: Uint8Array, from: number, b: Uint8Array, other: number, length: number): number {
  for (let i = 0; i < length; i++) {
    const difference = (a[from + i] as number) - (b[other + i] as number)
    if (difference !== 0) return difference
  }
  return 0
}

/** Not constant in time: nothing here is secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}

/** UTF-8 of well-formed text. RangeError for a lone surrogate, which would silently become another character. */
export function utf8(text: string): Uint8Array {
  // Most texts here are a few letters, for which the encoder's call costs more than its work.
  if (text.length <= SHORT) {
    const bytes = new Uint8Array(text.length)
    let i = 0
    for (; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) break
      bytes[i] = unit
    }
    if (i === text.length) return bytes
  }
  if (!text.isWellFormed()) throw new RangeError('expected well-formed text, got a lone surrogate')
  return encoder.encode(text)
}

/** Bytes of well-formed text in UTF-8, counted without making them. */
export function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    // A surrogate pair is two units and four bytes, so each half adds one.
    length += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return length
}

/** By canonical bytes: shorter in UTF-8 first, then by bytes. The order of the keys of a map. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const longer = utf8Length(a) - utf8Length(b)
  if (longer !== 0) return longer
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return unitRank(x) - unitRank(y)
  }
  return a.length - b.length
}

/** Four bytes, big-endian. */
export function u32be(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  return code >= 97 && code <= 102 ? code - 87 : -1
}

/** UTF-8 sorts as code points do, in which what surrogates stand for comes after U+FFFF. */
function unitRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
