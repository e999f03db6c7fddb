/**
 * The documents of a source, one after the other: the pages behind an address, a file, or the files of a folder in
 * the order of their names. Where an import was interrupted it goes on, and what has not changed is passed over.
 */
import { lstat, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ClientError } from '../client-error.ts'
import { documentBytesMax, folderDepthMax, folderFilesMax, sourcePagesMax } from '../limits.ts'
import { AddressGuard } from './address-guard.ts'
import { type Converted, type Converter, type From, unreadable } from './converter.ts'
import { decode, fetchDocument, type Validators } from './fetch-document.ts'
import type { Progress } from './progress.ts'

export type SourceDocument = {
  /** What it is called in the notes on progress, and to the person who reads about it. */
  readonly place: string
  readonly text: string
  readonly converted: Converted
  /** More may take a while, and its address may not be there for ever. */
  readonly isPage?: true
  /** To be called when all of it, and all before it, is stored. */
  done(): Promise<void>
}
export type Options = { readonly allowPrivate?: boolean; readonly signal?: AbortSignal }
export type Passed = { pages_unchanged: number }

export function isAddress(source: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(source)
}

/** Throws ClientError. Documents that were as before are counted in `unchanged`. */
export async function* documentsOf(
  converter: Converter,
  source: string,
  progress: Progress,
  unchanged: Passed,
  options: Options = {},
): AsyncGenerator<SourceDocument> {
  if (isAddress(source)) yield* pagesOf(converter, source, progress, unchanged, options)
  else yield* filesOf(converter, source, progress)
}

async function* pagesOf(
  converter: Converter,
  source: string,
  progress: Progress,
  unchanged: Passed,
  { allowPrivate = false, signal }: Options,
): AsyncGenerator<SourceDocument> {
  if (!URL.canParse(source)) throw new ClientError('failed', `${source} is no address`)
  const typed = new URL(source)
  const guard = new AddressGuard(typed, allowPrivate)
  guard.check(typed)
  const first = converter.begin(typed)
  let at = progress.at === undefined || !URL.canParse(progress.at) ? first : new URL(progress.at)
  for (let pages = 0; pages < sourcePagesMax; pages++) {
    const place = at.href
    const known = progress.page(place)
    const page = await fetchDocument(at, guard, known, signal)
    let next: string | undefined
    if (page === undefined) {
      unchanged.pages_unchanged++
      next = known?.next
      await progress.finish(place, known ?? {}, next)
    } else {
      const { text, url, next: link } = page
      const from: From = { path: url.origin + url.pathname, url, ...(link !== undefined && { link }) }
      const converted = converter.convert(text, from)
      next = nextOf(converted, url)
      const note = { ...validatorsOf(page), ...(next !== undefined && { next }) }
      yield { place, text, converted, isPage: true, done: () => progress.finish(place, note, next) }
    }
    if (next === undefined) return
    if (next === place) throw new ClientError('failed', `${at.host} says that a page comes after itself`)
    at = new URL(next)
  }
  throw new ClientError('failed', `${source} has more than ${sourcePagesMax} pages`)
}

function validatorsOf({ etag, modified }: Validators): Validators {
  return { ...(etag !== undefined && { etag }), ...(modified !== undefined && { modified }) }
}

/** A source goes on at its own origin, or not at all. */
function nextOf({ next }: Converted, url: URL): string | undefined {
  if (next === undefined || !URL.canParse(next, url)) return undefined
  const to = new URL(next, url)
  if (to.origin !== url.origin)
    throw new ClientError('refused', `${url.host} goes on at ${to.host}, which is another source`)
  return to.href
}

async function* filesOf(converter: Converter, source: string, progress: Progress): AsyncGenerator<SourceDocument> {
  const paths = await pathsOf(converter, source)
  const begin = progress.at === undefined ? 0 : Math.max(paths.indexOf(progress.at), 0)
  for (const [n, path] of paths.entries()) {
    if (n < begin) continue
    const { size } = await stat(path)
    const place = path
    const done = () => progress.finish(place, undefined, paths[n + 1])
    try {
      if (size > documentBytesMax) throw new ClientError('failed', `${path} is larger than ${documentBytesMax} bytes`)
      const text = decode(await readFile(path), path)
      yield { place, text, converted: converter.convert(text, { path }), done }
    } catch (error) {
      // One bad file of a folder does not stop the others.
      if (!(error instanceof ClientError) || error.code !== 'failed') throw error
      yield { place, text: '', converted: unreadable(error), done }
    }
  }
}

async function pathsOf(converter: Converter, source: string): Promise<readonly string[]> {
  const facts = await stat(source).catch((cause: NodeJS.ErrnoException) => {
    throw new ClientError('not-found', cause.code === 'ENOENT' ? `no file ${source}` : cause.message, { cause })
  })
  if (!facts.isDirectory()) return [source]
  const found: string[] = []
  await walk(source, 0, converter.files, found)
  if (found.length === 0) throw new ClientError('not-found', `no file of this format in ${source}`)
  return found
}

/** Links are not followed: a folder from elsewhere could lead anywhere. */
async function walk(folder: string, depth: number, names: RegExp, found: string[]): Promise<void> {
  if (depth > folderDepthMax) throw new ClientError('failed', `${folder} is more than ${folderDepthMax} folders deep`)
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name)
    const facts = await lstat(path)
    if (facts.isDirectory()) await walk(path, depth + 1, names, found)
    else if (facts.isFile() && names.test(name)) found.push(path)
    if (found.length > folderFilesMax) throw new ClientError('failed', `more than ${folderFilesMax} files in ${folder}`)
  }
}
