/**
 * Phrases: what stands between double quotes in a query must stand so in one text of the record, word after word,
 * whatever is between the words. Looked for in what the index keeps of names, tags and texts, which is the beginning
 * of long ones.
 */

import { tokensOf } from './search-text.ts'
import type { Stored } from './search-texts.ts'

/** The words of each phrase, in order; a quote without its other is no phrase. */
export function phrasesOf(query: string): string[][] {
  return [...query.matchAll(/"([^"]*)"/g)]
    .map((match) => tokensOf(match[1] as string))
    .filter((tokens) => tokens.length > 0)
}

/** Has the record all phrases? */
export function hasPhrases([shown, tags]: Stored, phrases: readonly (readonly string[])[]): boolean {
  const texts = [...shown.map(([, text]) => text), ...tags].map((text) => ` ${tokensOf(text).join(' ')} `)
  return phrases.every((phrase) => texts.some((text) => text.includes(` ${phrase.join(' ')} `)))
}
