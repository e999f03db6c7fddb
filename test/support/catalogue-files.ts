/**
 * The catalogue files of the folder that CATALOG_DATA names, one for each kind, and why they are not read when it is
 * not set.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { kinds } from '../../crdt/index.ts'
import { type Catalogue, groupEntries, readEntries } from '../../src/import/catalogue.ts'
import { linesOfFile } from '../../src/import/lines.ts'

const folder = process.env['CATALOG_DATA']

/** Undefined without CATALOG_DATA; then a test is left out, and says so. */
export const catalogueFiles: readonly string[] | undefined =
  folder === undefined
    ? undefined
    : Object.values(kinds)
        .map(({ plural }) => join(resolve(folder), `${plural}.jsonl.gz`))
        .filter((path) => existsSync(path))

export const leftOut = catalogueFiles === undefined ? ' (left out: CATALOG_DATA is not set)' : ''

/** All files as one catalogue. */
export async function readCatalogue(files: readonly string[]): Promise<Catalogue> {
  return groupEntries(entriesOf(files))
}

async function* entriesOf(files: readonly string[]) {
  for (const file of files) yield* readEntries(linesOfFile(file), file)
}
