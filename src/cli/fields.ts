/**
 * `field=value` on the command line: a value is JSON where it reads as JSON, else it is text; a field is a name, a
 * dotted path, or a JSON Pointer where names hold dots.
 */
import { EXIT, Failure } from './output.ts'

export function readValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** `resource_requirements.min_vram_gb`, `/a.b/c`. */
export function readPath(field: string): string[] {
  if (!field.startsWith('/')) return field.split('.')
  return field
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

export function splitAssignment(text: string): { field: string; value: string } {
  const cut = text.indexOf('=')
  if (cut <= 0) throw new Failure(EXIT.usage, `expected field=value, got ${text}`)
  return { field: text.slice(0, cut), value: text.slice(cut + 1) }
}

/** A JSON merge patch from assignments and fields to remove. */
export function mergePatch(assignments: readonly string[], unset: readonly string[]): Record<string, unknown> {
  const patch: Record<string, unknown> = Object.create(null)
  for (const text of assignments) {
    const { field, value } = splitAssignment(text)
    place(patch, readPath(field), readValue(value), text)
  }
  for (const field of unset) place(patch, readPath(field), null, field)
  if (Object.keys(patch).length === 0)
    throw new Failure(EXIT.usage, 'nothing to change: give field=value or --unset field')
  return patch
}

function place(patch: Record<string, unknown>, path: readonly string[], value: unknown, text: string): void {
  let map = patch
  for (const key of path.slice(0, -1)) {
    map[key] ??= Object.create(null)
    const inner = map[key]
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) {
      throw new Failure(EXIT.usage, `${text}: ${key} is given a value of its own too`)
    }
    map = inner as Record<string, unknown>
  }
  const last = path.at(-1) as string
  if (Object.hasOwn(map, last)) throw new Failure(EXIT.usage, `${text}: the field is given twice`)
  map[last] = value
}

/** Filters from `--where` of search and list. A field given twice asks for both values. */
export function readFilters(where: readonly string[]): Record<string, unknown> {
  const filters: Record<string, unknown> = Object.create(null)
  for (const text of where) {
    const { field, value } = splitAssignment(text)
    const read = readValue(value)
    if (!Object.hasOwn(filters, field)) filters[field] = read
    else filters[field] = [filters[field], read].flat()
  }
  return filters
}
