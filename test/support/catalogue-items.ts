/**
 * The records that tests and figures are made with: those of the folder that CATALOG_DATA names, as the importer sees
 * them; where there is none, made ones, so that the same program runs everywhere and says which it ran on.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Doc, kinds } from '../../crdt/index.ts'
import { groupEntries, readEntries } from '../../src/import/catalogue.ts'
import { linesOfFile } from '../../src/import/lines.ts'

/** One line of POST /v1/batch. */
export type Item = { readonly kind: string; readonly slug: string; readonly doc: Doc }

/** The catalogue files of a folder: one per kind, as the importer takes them. */
export async function catalogueFiles(folder: string): Promise<string[]> {
  const plurals = new Set(Object.values(kinds).map((kind) => `${kind.plural}.jsonl.gz`))
  return (await readdir(folder))
    .filter((name) => plurals.has(name))
    .map((name) => join(folder, name))
    .sort()
}

export async function catalogueItems(folder: string | undefined): Promise<Item[]> {
  if (folder === undefined) return madeItems(5_000)
  const files = await catalogueFiles(folder)
  const { records } = await groupEntries(entriesOf(files))
  return records.map(({ kind, slug, doc }) => ({ kind, slug, doc }))
}

/** Plain records, deterministic in their number. */
export function madeItems(count: number): Item[] {
  const [kind] = Object.keys(kinds)
  return Array.from({ length: count }, (_, i) => ({
    kind: kind as string,
    slug: `maker-${i % 17}/item-${i}`,
    doc: {
      name: `item-${i}`,
      provider: `maker-${i % 17}`,
      description: `Made record number ${i} of ${count}, one of ${Math.ceil(count / 17)} by its maker.`,
      tags: ['made', `group-${i % 7}`],
      downloads: (i * 7919) % 100_000,
    },
  }))
}

async function* entriesOf(files: readonly string[]) {
  for (const file of files) yield* readEntries(linesOfFile(file), file)
}
