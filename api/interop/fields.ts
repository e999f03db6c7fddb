/** Fields of a document as the types that other formats need; a value of another type counts as missing. */
import { type Doc, isMap, type Value, type ValueMap } from '../../crdt/index.ts'

export function textOf(value: Value | undefined): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

export function numberOf(value: Value | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function mapsOf(value: Value | undefined): readonly ValueMap[] {
  return Array.isArray(value) ? (value.filter((item) => isMap(item as Value)) as ValueMap[]) : []
}

export function textsOf(value: Value | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** An address that a client can follow. */
export function webAddress(value: Value | undefined): string | undefined {
  const text = textOf(value)
  return text !== undefined && /^https?:\/\//i.test(text) && URL.canParse(text) ? text : undefined
}

/** A document of another format that the record was made from, as it was given. */
export function originalOf(doc: Doc, format: string): string | undefined {
  const originals = doc['originals']
  return originals !== undefined && isMap(originals) ? textOf(originals[format]) : undefined
}

/** The given text as a JSON object; undefined when it is none. */
export function objectOf(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** At most `chars` of a text on one line, whole characters. */
export function cut(text: string, chars: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (line.length <= chars) return line
  return `${line.slice(0, chars - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
