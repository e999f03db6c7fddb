/**
 * Authoring: from what a document should say to the writes that make it so. A kind's table decides only how a change
 * is written here (form.ts); what a write means is the merge's to say, without a table.
 *
 * The promise: the verbs of a diff, as a patch above all heads, make the record say exactly what was asked for (but
 * for the order of set members), and touch nothing that stays as it is, so that two people's edits of different
 * places merge. Values come from json.ts and are within its bounds.
 */
import type { Body, Verb } from './body.ts'
import { type Place, verbsBetween } from './difference.ts'
import { fieldBelow, formOf } from './form.ts'
import type { Field, Kind } from './kind.ts'
import type { Conflict, Merged } from './merge.ts'
import { applyMergePatch, namedBy } from './merge-patch.ts'
import type { Doc, Path, Scalar, Value, ValueMap } from './value.ts'

/** A whole document as the body of a genesis or put. */
export function bodyOf(kind: Kind | undefined, slug: string | undefined, doc: Doc): Body {
  const f: [Path, Value][] = []
  const s: [Path, readonly Scalar[]][] = []
  const t: [Path, string][] = []
  const enter = (path: Path, map: ValueMap, fields: Kind['fields'] | undefined): void => {
    for (const [key, value] of Object.entries(map)) {
      const field: Field | undefined = fieldBelow(fields, key)
      const at = [...path, key]
      const form = formOf(at, field, value)
      if (form === 'map') enter(at, value as ValueMap, field?.fields)
      else if (form === 'set') s.push([at, value as readonly Scalar[]])
      else if (form === 'text') t.push([at, value as string])
      else f.push([at, value])
    }
  }
  enter([], doc, kind?.fields)
  return slug === undefined ? { f, s, t } : { slug, f, s, t }
}

export type DiffOptions = {
  /** Also write every place in conflict as `after` has it, so that one value is left: for who replaces the whole. */
  readonly settle?: boolean
}

/**
 * The verbs that turn the record as it is into `after`; [] when it says that already, whatever is in conflict.
 *
 * Conflicts stay unless what is written covers them, or `settle` is asked for.
 */
export function diff(kind: Kind | undefined, before: Merged, after: Doc, options: DiffOptions = {}): Verb[] {
  const verbs = verbsBetween(kind, before, after, [])
  if (options.settle !== true || verbs.length === 0) return verbs
  return verbsBetween(kind, before, after, before.conflicts.flatMap(placesOf))
}

/**
 * The verbs of a JSON merge patch. A place in conflict that the patch names is always written, even when the value
 * equals the one shown, or when null names what is not shown: that is how a conflict is settled.
 */
export function diffMergePatch(kind: Kind | undefined, before: Merged, patch: Doc): Verb[] {
  const named = namedBy(patch)
  const settle = before.conflicts
    .map(placesOf)
    .filter((places) => places.some((place) => named.some((path) => related(path, place.path))))
  return verbsBetween(kind, before, applyMergePatch(before.doc, patch), settle.flat())
}

/** Where the sides of a conflict stand. */
function placesOf(conflict: Conflict): Place[] {
  return conflict.alternatives.map(({ path, member }) => ({ path: path ?? conflict.path, member }))
}

/** Whether one path is the other or contains it. */
function related(a: Path, b: Path): boolean {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false
  return true
}
