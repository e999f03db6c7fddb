/**
 * What a segment keeps of each document's texts, for highlights and phrases: in memory while the segment is new, then
 * in its file, of which only what is asked for is read.
 */
import { closeSync, readSync } from 'node:fs'
import type { Segment, Texts } from './search-segment.ts'

/** Texts by field as they are shown, and the words of tags. */
export type Stored = readonly [shown: readonly (readonly [string, string])[], tags: readonly string[]]

/** The texts that lie in a place. */
export function textsIn(place: Texts['place']): Texts {
  return typeof place === 'number' ? fileTexts(place) : memoryTexts(place)
}

export function memoryTexts(bytes: Uint8Array): Texts {
  return { place: bytes, read: (from, to) => bytes.subarray(from, to), close: () => {} }
}

/** The file stays open, also when its name is gone. Texts begin at its first byte. */
export function fileTexts(file: number): Texts {
  let isOpen = true
  return {
    place: file,
    read: (from, to) => {
      const bytes = Buffer.allocUnsafe(to - from)
      if (readSync(file, bytes, 0, to - from, from) < to - from) throw new IndexDamage('a text is cut short')
      return bytes
    },
    close: () => {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  }
}

/** What is read is not what was written. */
export class IndexDamage extends Error {}

export function textStart({ arrays }: Segment, doc: number): number {
  return doc === 0 ? 0 : (arrays.textEnds[doc - 1] as number)
}

export function storedTexts(segment: Segment, doc: number): Stored {
  const bytes = segment.texts.read(textStart(segment, doc), segment.arrays.textEnds[doc] as number)
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  } catch {
    throw new IndexDamage('a text is not what was written')
  }
}
