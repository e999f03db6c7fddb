/**
 * `field=value` on the command line. A value is JSON where it reads as JSON, else text; where every kind that is meant
 * says the field is text, `version=2` is the text "2". A field is a name, a dotted path, or a JSON Pointer where names
 * hold dots.
 */
import { type FieldType, fieldAt, type Kind } from '../../crdt/index.ts'
import { EXIT, Failure } from './output.ts'

/** Types that a bare number or word is no value of. */
const TEXTS: readonly FieldType[] = ['string', 'enum']

export function readValue(text: string, isText = false): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return isText && (typeof value === 'number' || typeof value === 'boolean') ? text : value
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
export function mergePatch(
  assignments: readonly string[],
  unset: readonly string[],
  kind?: Kind,
): Record<string, unknown> {
  const patch: Record<string, unknown> = Object.create(null)
  for (const text of assignments) {
    const { field, value } = splitAssignment(text)
    const path = readPath(field)
    const type = fieldAt(kind, path)?.type
    place(patch, path, readValue(value, type !== undefined && TEXTS.includes(type)), text)
  }
  for (const field of unset) place(patch, readPath(field), null, field)
  if (Object.keys(patch).length === 0) {
    throw new Failure(EXIT.usage, 'nothing to change: give field=value or --unset field')
  }
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
