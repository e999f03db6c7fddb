/**
 * A format of others, as the importer uses it. A converter is given text and answers entries as the catalogue takes
 * them (kind, name, owner, fields, `_source`); it opens nothing, runs nothing, and never throws for what the text holds.
 */
import type { FieldError } from '../signed-write.ts'
import type { Json } from './shape.ts'

/** One thing that was found in a document, and where. */
export type Found = {
  /** JSON Pointer into the document; '' when it is the document. */
  readonly at: string
  /** What it calls itself. */
  readonly name?: string
} & (
  | {
      readonly entry: Json
      /** Its own text, kept with the record. */
      readonly original?: string
      /** What it is called, when owner/name would not tell it from others. */
      readonly slug?: string
    }
  | { readonly errors: readonly FieldError[] }
  | { /** Left out on purpose. */ readonly skipped: string }
)

export type Converted = {
  readonly found: readonly Found[]
  /** Where the source goes on, relative to the address of this page. */
  readonly next?: string
}

/** Where a document was read. */
export type From = {
  /** The file's name or the page's address, without a query. */
  readonly path: string
  /** The Link header's rel="next". */
  readonly link?: string
  readonly url?: URL
}

export type Converter = {
  /** Where to begin when this address was typed. */
  begin(url: URL): URL
  /** Names of files in a folder that are documents of this format. */
  readonly files: RegExp
  convert(text: string, from: From): Converted
}

export type Part = { readonly at: string; readonly value: unknown; readonly raw: string }

/** What cannot be read at all. */
export function unreadable(error: unknown): Converted {
  const message = `cannot be read: ${(error as Error).message.slice(0, 200)}`
  return { found: [{ at: '', errors: [{ pointer: '', message }] }] }
}
