/**
 * How far the import of one source is, in a small file of the data folder: where an import that was killed goes on, and
 * by which tags a finished one asks for what has changed since. Losing it costs only the repetition.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pagesKeptMax } from '../limits.ts'
import type { Validators } from './fetch-document.ts'

export type PageNote = Validators & {
  /** Where the source went on from there. */
  readonly next?: string
}

type Notes = {
  readonly version: 1
  readonly source: string
  /** The document that is being stored; missing when the last import came to its end. */
  at?: string
  /** Of that document: which text it was, and how many of its records are stored. */
  digest?: string
  stored?: number
  readonly pages: Record<string, PageNote>
}

export class Progress {
  readonly path: string
  readonly #notes: Notes

  /** `source` tells imports apart: the format, what was typed, and the node it goes to. */
  static async open(folder: string, source: string, restart: boolean): Promise<Progress> {
    const path = join(folder, 'imports', `${createHash('sha256').update(source).digest('hex').slice(0, 16)}.json`)
    const empty: Notes = { version: 1, source, pages: Object.create(null) }
    if (restart) return new Progress(path, empty)
    return new Progress(path, (await readNotes(path, source)) ?? empty)
  }

  private constructor(path: string, notes: Notes) {
    this.path = path
    this.#notes = notes
  }

  /** The document in whose middle, or before which, the last import ended. */
  get at(): string | undefined {
    return this.#notes.at
  }

  page(place: string): PageNote | undefined {
    return this.#notes.pages[place]
  }

  /** How many records of this document are stored already: none when it is not the one that was under way. */
  storedOf(place: string, text: string): number {
    const { at, digest, stored = 0 } = this.#notes
    return at === place && digest === digestOf(text) ? stored : 0
  }

  async note(place: string, text: string, stored: number): Promise<void> {
    Object.assign(this.#notes, { at: place, digest: digestOf(text), stored })
    await this.#save()
  }

  /** A document is stored whole; `next` is the one after it. */
  async finish(place: string, note: PageNote | undefined, next: string | undefined): Promise<void> {
    const { pages } = this.#notes
    if (note !== undefined && (pages[place] !== undefined || Object.keys(pages).length < pagesKeptMax))
      pages[place] = note
    delete this.#notes.digest
    delete this.#notes.stored
    if (next === undefined) delete this.#notes.at
    else this.#notes.at = next
    await this.#save()
  }

  /** Whole or not at all. */
  async #save(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
    const partial = `${this.path}.${process.pid}`
    await writeFile(partial, JSON.stringify(this.#notes), { mode: 0o600 })
    await rename(partial, this.path).catch(async (error: unknown) => {
      await rm(partial, { force: true })
      throw error
    })
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Notes that cannot be read are as good as none. */
async function readNotes(path: string, source: string): Promise<Notes | undefined> {
  try {
    const notes = JSON.parse(await readFile(path, 'utf8')) as Notes
    if (notes.version !== 1 || notes.source !== source || typeof notes.pages !== 'object') return undefined
    return { ...notes, pages: Object.assign(Object.create(null), notes.pages) }
  } catch {
    return undefined
  }
}
