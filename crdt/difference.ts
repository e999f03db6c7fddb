/**
 * The writes between a record as merged and a document it should be.
 *
 * What makes this more than comparing two trees are the writes that are alive and not shown (the other sides of a
 * conflict): removing what blocks one of them would bring it to light. A present write covers everything that contains
 * its place; an absent one does not (SPEC.md, "Merge"). So wherever only absent writes would go below a place that
 * hides something, the whole place is written anew.
 */
import type { Verb } from './body.ts'
import { utf8Length } from './bytes.ts'
import { equalValues, scalarKey } from './equal.ts'
import { fieldBelow, formOf } from './form.ts'
import type { Field, Kind } from './kind.ts'
import { SPLICES_AUTHORED_MAX } from './limits.ts'
import type { Merged, ShownText } from './merge.ts'
import { pointerOf } from './pointer.ts'
import { type Doc, isMap, type Path, type Scalar, type Value, type ValueMap } from './value.ts'

/** A path, or a member of the set there. `member` is undefined for a path itself, for null is a member. */
export type Place = { readonly path: Path; readonly member?: Scalar }

/** The least verbs that turn `before` into `after` and leave one value alone at each of the places in `settle`. */
export function verbsBetween(kind: Kind | undefined, before: Merged, after: Doc, settle: readonly Place[]): Verb[] {
  const hidden = before.conflicts.flatMap(({ path, alternatives }) =>
    alternatives.slice(1).map((side) => ({ path: side.path ?? path, member: side.member })),
  )
  const record: Shown = {
    texts: new Map(before.texts.map((text) => [pointerOf(text.path), text])),
    sets: new Set(before.sets.map(pointerOf)),
    registers: new Set(before.registers.map(pointerOf)),
  }
  return between(record, kind?.fields, { path: [], hidden, settle }, before.doc, after)
}

type Shown = {
  readonly texts: ReadonlyMap<string, ShownText>
  readonly sets: ReadonlySet<string>
  readonly registers: ReadonlySet<string>
}

/** Where we are, with the hidden writes and the places to settle at this path or below it. */
type Here = { readonly path: Path; readonly hidden: readonly Place[]; readonly settle: readonly Place[] }

/** Two maps that are made of separate writes. */
function between(record: Shown, fields: Kind['fields'] | undefined, here: Here, b: ValueMap, a: ValueMap): Verb[] {
  const depth = here.path.length
  const keys = new Set([...Object.keys(b), ...Object.keys(a)])
  for (const { path } of here.settle) if (path.length > depth) keys.add(path[depth] as string)
  const verbs: Verb[] = []
  for (const key of [...keys].sort(byCodeUnit)) {
    const below: Here = {
      path: [...here.path, key],
      hidden: here.hidden.filter(({ path }) => path[depth] === key),
      settle: here.settle.filter(({ path }) => path[depth] === key),
    }
    // One call with many values: spreading them as arguments would overflow the stack.
    for (const verb of at(record, fieldBelow(fields, key), below, own(b, key), own(a, key))) verbs.push(verb)
  }
  return verbs
}

function at(record: Shown, field: Field | undefined, here: Here, b: Value | undefined, a: Value | undefined): Verb[] {
  const pointer = pointerOf(here.path)
  const forced = here.settle.length > 0
  if (a === undefined) return b === undefined && !forced ? [] : [['del', here.path]]
  const text = record.texts.get(pointer)
  const isSet = record.sets.has(pointer)
  switch (formOf(here.path, field, a, { set: isSet, text: text !== undefined })) {
    case 'map': {
      const isMade = isMap(b) && Object.keys(b).length > 0 && !record.registers.has(pointer)
      if (!isMade) return equalValues(a, b) && !forced ? [] : anew(field, here, b, a)
      if (here.settle.some((place) => isHere(place, here))) return anew(field, here, b, a)
      const verbs = between(record, field?.fields, here, b, a as ValueMap)
      const uncovers =
        verbs.some(isAbsent) && !verbs.some(isPresent) && here.hidden.some((place) => isHere(place, here))
      return uncovers ? anew(field, here, b, a) : verbs
    }
    case 'set':
      if (isSet) return members(field, here, b as readonly Scalar[], a as readonly Scalar[])
      return equalValues(a, b) && !forced ? [] : anew(field, here, b, a)
    case 'text':
      if (a === b && !forced) return []
      if (text === undefined || forced) return [['text', here.path, a as string]]
      return [textVerb(text, b as string, a as string)]
    case 'register':
      return equalValues(a, b) && !forced ? [] : [setVerb(here.path, a)]
  }
}

/** From one set of members to another. */
function members(field: Field | undefined, here: Here, b: readonly Scalar[], a: readonly Scalar[]): Verb[] {
  const isOther = ({ path, member }: Place): boolean => member === undefined || path.length > here.path.length
  if (here.settle.some(isOther)) return anew(field, here, b, a)
  const disputed = here.settle.map(({ member }) => member as Scalar)
  const settled = new Set(disputed.map(scalarKey))
  const had = new Set(b.map(scalarKey))
  const has = new Set(a.map(scalarKey))
  const gone = distinct([...b, ...disputed]).filter((member) => {
    const key = scalarKey(member)
    return !has.has(key) && (had.has(key) || settled.has(key))
  })
  const come = a.filter((member) => !had.has(scalarKey(member)) || settled.has(scalarKey(member)))
  const verbs: Verb[] = []
  if (gone.length > 0) verbs.push(['rem', here.path, gone])
  if (come.length > 0) verbs.push(['add', here.path, come])
  // Members never hide one another, but a value at this path, or one below it, may be hidden by those that go.
  const uncovers = gone.length > 0 && come.length === 0 && here.hidden.some(isOther)
  return uncovers ? anew(field, here, b, a) : verbs
}

/** Writes the whole place, whatever is there, shown or hidden, at it or below. */
function anew(field: Field | undefined, here: Here, b: Value | undefined, a: Value): Verb[] {
  if (isMap(a) && formOf(here.path, field, a) === 'map' && isPlain(here.path, field, a)) return [['set', here.path, a]]
  // Where nothing is shown, what is hidden stays so: it lost to an absent write at its own place.
  const clear: Verb[] = b === undefined && here.settle.length === 0 ? [] : [['del', here.path]]
  return [...clear, ...fresh(here.path, field, a)]
}

/** The verbs for a place at which nothing is. */
function fresh(path: Path, field: Field | undefined, value: Value): Verb[] {
  switch (formOf(path, field, value)) {
    case 'map':
      if (isPlain(path, field, value as ValueMap)) return [['set', path, value]]
      return Object.entries(value as ValueMap).flatMap(([key, inner]) =>
        fresh([...path, key], fieldBelow(field?.fields, key), inner),
      )
    case 'set':
      return [['add', path, value as readonly Scalar[]]]
    case 'text':
      return [['text', path, value as string]]
    case 'register':
      return [setVerb(path, value)]
  }
}

/** Whether every leaf is a register that `set` takes a map apart into: no set, no text, no map within kept whole. */
function isPlain(path: Path, field: Field | undefined, map: ValueMap): boolean {
  return Object.entries(map).every(([key, value]) => {
    const below = fieldBelow(field?.fields, key)
    const at = [...path, key]
    const form = formOf(at, below, value)
    if (form === 'map') return isPlain(at, below, value as ValueMap)
    return form === 'register' && !(isMap(value) && Object.keys(value).length > 0)
  })
}

function setVerb(path: Path, value: Value): Verb {
  return isMap(value) && Object.keys(value).length > 0 ? ['set', path, value, 'reg'] : ['set', path, value]
}

/** A splice's own bytes beside what it inserts: verb, path's share, epoch and positions, roughly. */
const SPLICE_BYTES = 48

/** One splice when that is smaller than the text anew, and the text is not too full of them and has no twin. */
function textVerb(text: ShownText, b: string, a: string): Verb {
  const { at, del, ins } = spliceBetween(b, a)
  if (text.twin || text.splices >= SPLICES_AUTHORED_MAX || utf8Length(ins) + SPLICE_BYTES >= utf8Length(a)) {
    return ['text', text.path, a]
  }
  return ['splice', text.path, text.epoch, at, del, ins]
}

/** The one splice between two well-formed texts, in UTF-16 units. Never begins or ends inside a surrogate pair. */
export function spliceBetween(b: string, a: string): { at: number; del: number; ins: string } {
  const shorter = Math.min(b.length, a.length)
  let head = 0
  while (head < shorter && b.charCodeAt(head) === a.charCodeAt(head)) head++
  if (head > 0 && isHigh(b.charCodeAt(head - 1))) head--
  let tail = 0
  while (tail < shorter - head && b.charCodeAt(b.length - 1 - tail) === a.charCodeAt(a.length - 1 - tail)) tail++
  if (tail > 0 && isLow(b.charCodeAt(b.length - tail))) tail--
  return { at: head, del: b.length - tail - head, ins: a.slice(head, a.length - tail) }
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}

/** Whether a verb writes something present, and so covers what contains its place. A splice writes no value. */
function isPresent(verb: Verb): boolean {
  return verb[0] === 'set' || verb[0] === 'add' || verb[0] === 'text'
}

function isAbsent(verb: Verb): boolean {
  return verb[0] === 'del' || verb[0] === 'rem'
}

function isHere(place: Place, here: Here): boolean {
  return place.path.length === here.path.length
}

function own(map: ValueMap, key: string): Value | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}

function distinct(members: readonly Scalar[]): Scalar[] {
  return [...new Map(members.map((member) => [scalarKey(member), member])).values()]
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
