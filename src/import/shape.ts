/** What a document of a known format must look like: every misfit is noted with its JSON Pointer, none is thrown. */
import { pointerOf } from '../../crdt/index.ts'
import type { FieldError } from '../signed-write.ts'

export type Json = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export class Shape {
  readonly errors: FieldError[] = []

  wrong(path: readonly (string | number)[], message: string): undefined {
    this.errors.push({ pointer: pointerOf(path.map(String)), message })
    return undefined
  }

  /** A text that must be there. */
  text(at: Json, key: string, path: readonly (string | number)[] = []): string | undefined {
    const value = at[key]
    if (typeof value === 'string' && value.trim() !== '') return value
    return this.wrong([...path, key], value === undefined ? 'is missing' : `expected a text, got ${nameOf(value)}`)
  }

  /** A text that may be left out, or empty. */
  maybeText(at: Json, key: string, path: readonly (string | number)[] = []): string | undefined {
    const value = at[key]
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value === 'string') return value
    return this.wrong([...path, key], `expected a text, got ${nameOf(value)}`)
  }

  maybeObject(at: Json, key: string, path: readonly (string | number)[] = []): Json | undefined {
    const value = at[key]
    if (value === undefined || value === null) return undefined
    if (isObject(value)) return value
    return this.wrong([...path, key], `expected an object, got ${nameOf(value)}`)
  }

  object(at: Json, key: string, path: readonly (string | number)[] = []): Json | undefined {
    return at[key] === undefined ? this.wrong([...path, key], 'is missing') : this.maybeObject(at, key, path)
  }

  maybeNumber(at: Json, key: string, path: readonly (string | number)[] = []): number | undefined {
    const value = at[key]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number' && Number.isFinite(value)) return value
    return this.wrong([...path, key], `expected a number, got ${nameOf(value)}`)
  }

  /** The items of a list of objects; what is none is noted and left out. */
  objects(at: Json, key: string, path: readonly (string | number)[] = []): readonly Json[] {
    return this.#list(at, key, path, isObject, 'an object')
  }

  texts(at: Json, key: string, path: readonly (string | number)[] = []): readonly string[] {
    return this.#list(at, key, path, (item) => typeof item === 'string', 'a text')
  }

  /** Notes when it is not there. */
  needed(at: Json, key: string, path: readonly (string | number)[] = []): void {
    if (at[key] === undefined || at[key] === null) this.wrong([...path, key], 'is missing')
  }

  #list<T>(
    at: Json,
    key: string,
    path: readonly (string | number)[],
    is: (item: unknown) => item is T,
    wanted: string,
  ): readonly T[] {
    const value = at[key]
    if (value === undefined || value === null) return []
    if (!Array.isArray(value)) {
      this.wrong([...path, key], `expected a list, got ${nameOf(value)}`)
      return []
    }
    return value.filter((item, n): item is T => {
      if (is(item)) return true
      this.wrong([...path, key, n], `expected ${wanted}, got ${nameOf(item)}`)
      return false
    })
  }
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return value.trim() === '' ? 'an empty text' : 'a text'
  return typeof value === 'boolean' ? 'true or false' : `a ${typeof value}`
}

/** A map without what is undefined, and without empty lists: a record says only what its source says. */
export function said(fields: Json): Json {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  )
}

/** Seconds since 1970 of a time or day in text. */
export function secondsOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isFinite(ms) ? Math.floor(ms / 1000) : undefined
}
