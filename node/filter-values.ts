/**
 * Values of a filter, read as the field that they are compared with says: `8k` is a text in a field of texts and 8,000
 * in a field of numbers.
 *
 *   numbers    5  -0.5  3e-8; with k, M, B or G, T behind them thousands, millions, billions, 10^12; Ki, Mi, Gi, Ti count
 *              by 1,024. In a field with a unit of bytes (MB, GB) the same letters, also as KB, MB, GB, KiB ..., are bytes
 *              and are converted: 24GB is 24 in a field of GB and 24,000 in one of MB
 *   dates      2026, 2026-01, 2026-01-31: all of the year, month or day (UTC); 2026-01-31T10:00:00Z: a moment. In a
 *              field of numbers that counts time since 1970 the year alone is a number
 *   true, false, null
 *
 * In a field that no table knows, a bare word that reads as a number, true or false is that, and in quotes it is a text.
 */
import type { Field } from '../crdt/index.ts'

export type Scalar = string | number | boolean | null
/** Quotes around it say that it is a text where the field leaves that open. */
export type Literal = { readonly text: string; readonly quoted: boolean }
/** One value, or all from `value` up to and without `before`: a day, a month, a year. */
export type Read =
  | { readonly value: Scalar; readonly before?: Scalar }
  | { readonly problem: string; readonly hint?: string }

export type Reading =
  | { readonly as: 'number'; readonly unit?: string; readonly time?: true }
  | { readonly as: 'date' | 'text' | 'boolean' | 'open' }

/** How values are read for a field of these definitions, one for each kind that has it. */
export function readingOf(fields: readonly Field[]): Reading {
  const telling = fields.filter(({ type }) => type !== 'any').map(readingOfField)
  const [first = { as: 'open' } as const] = telling
  const same = telling.every((each) => JSON.stringify(each) === JSON.stringify(first))
  return same ? first : { as: 'open' }
}

function readingOfField({ type, items, format, unit }: Field): Reading {
  switch (type) {
    case 'integer':
    case 'number':
    case 'decimal':
      return { as: 'number', ...(unit !== undefined && { unit }), ...(format === 'time' && { time: true }) }
    case 'boolean':
      return { as: 'boolean' }
    case 'string':
      return { as: format === 'date' ? 'date' : 'text' }
    case 'enum':
      return { as: 'text' }
    case 'list': {
      const of = typeof items === 'string' ? items : items?.type
      return { as: of === 'string' || of === 'enum' ? 'text' : 'open' }
    }
    case 'map':
    case 'any':
      return { as: 'open' }
  }
}

/** `ordered`: it is compared by size or age. */
export function readLiteral(literal: Literal, reading: Reading, ordered: boolean): Read {
  if (literal.text === 'null' && !literal.quoted && !ordered) return { value: null }
  switch (reading.as) {
    case 'text':
      return { value: literal.text }
    case 'boolean':
      if (literal.text === 'true' || literal.text === 'false') return { value: literal.text === 'true' }
      return { problem: 'expected true or false' }
    case 'date':
      return readDate(literal.text, ordered)
    case 'number':
      return readNumber(literal.text, reading)
    case 'open':
      return readOpen(literal, ordered)
  }
}

function readOpen({ text, quoted }: Literal, ordered: boolean): Read {
  if (quoted) return { value: text }
  if (text === 'true' || text === 'false') return { value: text === 'true' }
  const size = sizeOf(text)
  if (size !== undefined && !size.bytes && (ordered || size.suffix === '')) return { value: size.number }
  return { value: text }
}

function readNumber(text: string, { unit, time }: { readonly unit?: string; readonly time?: true }): Read {
  const byteExponent = BYTE_UNITS[unit ?? '']
  const size = sizeOf(text, byteExponent)
  if (size !== undefined) {
    if (!size.bytes || byteExponent !== undefined) return { value: size.number }
    return { problem: 'this field does not count bytes', ...(unit !== undefined && { hint: `it counts ${unit}` }) }
  }
  const period = time && periodOf(text)
  if (period) {
    const ms = unit === 's' ? 1_000 : 1
    const { from, to } = period
    return { value: from / ms, ...(to !== undefined && { before: to / ms }) }
  }
  const examples = time ? '2026-01-31' : byteExponent === undefined ? '5 or 128k' : '16 or 24GB'
  return { problem: 'expected a number', hint: `such as ${examples}` }
}

function readDate(text: string, ordered: boolean): Read {
  const period = periodOf(text)
  if (period) {
    const { from, to, digits } = period
    if (to === undefined) return { value: isoText(from) }
    return { value: isoText(from).slice(0, digits), before: isoText(to).slice(0, digits) }
  }
  // Sources write other things there too, and those can be asked for as they stand.
  return ordered
    ? { problem: 'expected a date', hint: 'such as 2026, 2026-01-31 or 2026-01-31T10:00:00Z' }
    : { value: text }
}

const NUMBER = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:e([+-]?\d{1,4}))?([kmbgt]?i?b?)$/i
/** Powers of ten of the units of bytes that tables use. */
const BYTE_UNITS: Readonly<Record<string, number | undefined>> = { B: 0, KB: 3, MB: 6, GB: 9, TB: 12 }
const POWERS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4 }

export function isNumber(text: string): boolean {
  return sizeOf(text)?.suffix === ''
}

/** What may stand behind a number, after a blank. */
export function isSuffix(text: string): boolean {
  return /^[kmgt]i?b?$|^b$/i.test(text)
}

type Size = {
  readonly number: number
  readonly suffix: string
  /** It says bytes, which only a field of bytes can be compared with. */
  readonly bytes: boolean
}

/** A number with its suffix; in a field of bytes, converted to the power of ten that the field counts in. */
function sizeOf(text: string, byteExponent?: number): Size | undefined {
  const [, digits = '', exponent = '0', suffix = ''] = NUMBER.exec(text) ?? []
  if (digits === '') return undefined
  const letters = suffix.toLowerCase()
  const plain = Number(`${digits}e${exponent}`)
  if (!Number.isFinite(plain)) return undefined
  if (letters === '') return { number: plain, suffix, bytes: false }
  const inBytes = byteExponent !== undefined
  // A billion, unless bytes are counted.
  const isBillion = letters === 'b' && !inBytes
  const power = isBillion ? 3 : POWERS[letters.replace(/i?b?$/, '')]
  if (power === undefined || letters === 'i' || letters === 'ib') return undefined
  const bytes = letters.endsWith('b') && !isBillion
  const down = inBytes ? byteExponent : 0
  // Decimal steps by moving the point, so that 1.1M is 1,100,000 to the last bit.
  const number = letters.includes('i')
    ? (plain * 1_024 ** power) / 10 ** down
    : Number(`${digits}e${Number(exponent) + 3 * power - down}`)
  return Number.isFinite(number) ? { number, suffix, bytes } : undefined
}

const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d))?)?)?$/

type Period = {
  /** ms since 1970. */
  readonly from: number
  /** Missing for a moment. */
  readonly to?: number
  /** Of the text that was written. */
  readonly digits: number
}

/** A year, month, day or moment; undefined for what is none, such as the 30th of February. */
function periodOf(text: string): Period | undefined {
  const match = DATE.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second = '0', fraction = '0', zone] = match
  const [y, m, d] = [Number(year), Number(month ?? 1), Number(day ?? 1)]
  const from = Date.UTC(y, m - 1, d)
  const isDay = m >= 1 && m <= 12 && d >= 1 && d <= new Date(Date.UTC(y, m, 0)).getUTCDate()
  // Beyond these, years are written with more digits, and the order of texts is no longer that of time.
  if (!isDay || y < 100 || y > 9_998) return undefined
  if (month === undefined) return { from, to: Date.UTC(y + 1, 0), digits: 4 }
  if (day === undefined) return { from, to: Date.UTC(y, m), digits: 7 }
  if (hour === undefined) return { from, to: Date.UTC(y, m - 1, d + 1), digits: 10 }
  const [h, min, s] = [Number(hour), Number(minute), Number(second)]
  const offset = offsetOf(zone as string)
  if (h > 23 || min > 59 || s > 59 || offset === undefined) return undefined
  return { from: from + ((h * 60 + min - offset) * 60 + s + Number(fraction)) * 1_000, digits: text.length }
}

/** Minutes east of Greenwich. */
function offsetOf(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4))]
  if (hours > 23 || minutes > 59) return undefined
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes)
}

/** A moment as dates are written in records, without a fraction of nothing. */
function isoText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.000Z$/, 'Z')
}
