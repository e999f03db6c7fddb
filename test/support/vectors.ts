/**
 * Test vectors: our own, under test/vectors, and those of others, in the folder that VECTORS names. Without VECTORS
 * the tests over those of others are left out, and their names say so.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const folder = process.env['VECTORS']

export const vectorsLeftOut = folder === undefined
/** To be put behind a test's name. */
export const leftOutNote = vectorsLeftOut ? ' (left out: VECTORS is not set)' : ''

// biome-ignore lint/suspicious/noExplicitAny: the tests say what each file holds.
export type Json = any

/** test/vectors/<name>.json */
export function ownVectors(name: string): Json {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
}

/** A file of others' vectors; only where they are not left out. */
export function othersVectors(path: string): string {
  return readFileSync(join(resolve(folder as string), path), 'utf8')
}

/** Paths of all files below a folder of others' vectors; none where they are left out. */
export function othersFiles(path: string): string[] {
  if (folder === undefined) return []
  const top = join(resolve(folder), path)
  if (!existsSync(top)) throw new Error(`expected vectors in ${top}`)
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
