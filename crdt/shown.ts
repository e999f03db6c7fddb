/**
 * What a record shows: of the writes that are alive, the first in sort order that do not block one another become
 * the document; the others become alternatives (SPEC.md, "Merge": "Alive" and "Conflicts").
 */
import { compareStamps, type Entry, isPresent, type Stamp } from './alive.ts'
import { equalValues, scalarKey } from './equal.ts'
import type { Alternative, Conflict, Merged, ShownText } from './merge.ts'
import { compareMembers, comparePaths, pathKey } from './place.ts'
import { type Doc, isMap, newMap, type Path, type Scalar, type Value } from './value.ts'

export type Shown = Pick<Merged, 'doc' | 'conflicts' | 'texts' | 'sets' | 'registers'>

/** A write that is alive. */
export type Standing = {
  readonly entry: Entry
  /** What it says is there, of a text with its splices; undefined: nothing. */
  readonly value: Value | undefined
}

/** A covered text with splices that were lost. */
export type LostText = {
  readonly path: Path
  readonly text: string
  /** Its first lost splice in sort order. */
  readonly stamp: Stamp
  /** The first write in sort order that covers it. */
  readonly coveredBy: () => Stamp
}

/** What is shown at one place and below it. */
type Place = {
  value: Placed | undefined
  members: Map<string, Placed> | undefined
  /** The first member that is present. */
  member: Placed | undefined
  /** The first write strictly below that is present. */
  inside: Placed | undefined
  below: Map<string, Place> | undefined
}
/** A shown write; `order` is its place in sort order. */
type Placed = Standing & {
  readonly order: number
  readonly behind: Sorted[]
  /** Something it blocks says the same. */
  hasTwin: boolean
}
type Sorted = { readonly stamp: Stamp; readonly alternative: Alternative }

/** Both in any order. */
export function show(alive: readonly Standing[], lost: readonly LostText[]): Shown {
  const root = newPlace()
  const shown: Placed[] = []
  for (const { entry, value } of [...alive].sort((a, b) => compareStamps(a.entry, b.entry))) {
    const blocker = firstBlocker(root, entry.write)
    if (blocker === undefined) {
      const placed = { entry, value, order: shown.length, behind: [], hasTwin: false }
      shown.push(placed)
      place(root, placed)
    } else if (isSame(entry.write, value, blocker)) {
      blocker.hasTwin = true
    } else {
      blocker.behind.push({ stamp: entry, alternative: alternativeOf(entry, value, blocker.entry.write.path) })
    }
  }
  const orphans = placeLost(root, lost)
  return { ...documentOf(shown), conflicts: conflictsOf(shown, orphans) }
}

/** The shown write that keeps this one from being shown; the first in sort order where there are several. */
function firstBlocker(root: Place, write: Entry['write']): Placed | undefined {
  const present = isPresent(write)
  let first: Placed | undefined
  const consider = (placed: Placed | undefined) => {
    if (placed !== undefined && (first === undefined || placed.order < first.order)) first = placed
  }
  let at: Place | undefined = root
  for (const segment of write.path) {
    if (present) {
      if (at.value !== undefined && isPresent(at.value.entry.write)) consider(at.value)
      consider(at.member)
    }
    at = at.below?.get(segment)
    if (at === undefined) return first
  }
  if (write.says === 'member' || write.says === 'no-member') {
    if (present && at.value !== undefined && isPresent(at.value.entry.write)) consider(at.value)
    consider(at.members?.get(scalarKey(write.member)))
  } else {
    consider(at.value)
    if (present) consider(at.member)
  }
  if (present) consider(at.inside)
  return first
}

function place(root: Place, placed: Placed): void {
  const { write } = placed.entry
  const present = isPresent(write)
  let at = root
  for (const segment of write.path) {
    if (present) at.inside ??= placed
    at.below ??= new Map()
    let child = at.below.get(segment)
    if (child === undefined) {
      child = newPlace()
      at.below.set(segment, child)
    }
    at = child
  }
  if (write.says === 'member' || write.says === 'no-member') {
    at.members ??= new Map()
    at.members.set(scalarKey(write.member), placed)
    if (present) at.member ??= placed
  } else at.value = placed
}

function newPlace(): Place {
  return { value: undefined, members: undefined, member: undefined, inside: undefined, below: undefined }
}

/** Puts lost texts behind the shown write that would block them; those that none blocks are left, by path. */
function placeLost(root: Place, lost: readonly LostText[]): Map<string, LostText[]> {
  const orphans = new Map<string, LostText[]>()
  for (const text of lost) {
    const write = { says: 'text', path: text.path, text: text.text } as const
    const blocker = firstBlocker(root, write)
    if (blocker === undefined) {
      const key = pathKey(text.path)
      orphans.set(key, [...(orphans.get(key) ?? []), text])
    } else if (isSame(write, text.text, blocker)) {
      blocker.hasTwin = true
    } else {
      const alternative = alternativeBy(text.stamp, text.text, text.path, blocker.entry.write.path)
      blocker.behind.push({ stamp: text.stamp, alternative })
    }
  }
  return orphans
}

/** Equal in place and value: no conflict. */
function isSame(write: Entry['write'], value: Value | undefined, other: Standing): boolean {
  if (isMember(write) !== isMember(other.entry.write)) return false
  if (comparePaths(write.path, other.entry.write.path) !== 0) return false
  return value === undefined || other.value === undefined ? value === other.value : equalValues(value, other.value)
}

function isMember(write: Entry['write']): boolean {
  return write.says === 'member' || write.says === 'no-member'
}

function alternativeOf(entry: Entry, value: Value | undefined, under: Path): Alternative {
  const { write } = entry
  const alternative = alternativeBy(entry, value, write.path, under)
  return write.says === 'member' || write.says === 'no-member' ? { ...alternative, member: write.member } : alternative
}

function alternativeBy({ op }: Stamp, value: Value | undefined, path: Path, under: Path): Alternative {
  const by = { actor: op.header.actor, w: op.header.w, op: op.id }
  const said = value === undefined ? by : { value, ...by }
  return comparePaths(path, under) === 0 ? said : { ...said, path }
}

function conflictsOf(shown: readonly Placed[], orphans: ReadonlyMap<string, readonly LostText[]>): Conflict[] {
  const conflicts: Conflict[] = []
  for (const { entry, value, behind } of shown) {
    if (behind.length === 0) continue
    const { path } = entry.write
    const first = alternativeOf(entry, value, path)
    const others = behind.sort((a, b) => compareStamps(a.stamp, b.stamp)).map(({ alternative }) => alternative)
    conflicts.push({ path, alternatives: [first, ...others] })
  }
  for (const texts of orphans.values()) {
    const { path } = texts[0] as LostText
    const by = texts.map((text) => text.coveredBy()).sort(compareStamps)[0] as Stamp
    const others = [...texts].sort((a, b) => compareStamps(a.stamp, b.stamp))
    const alternatives = others.map(({ stamp, text }) => alternativeBy(stamp, text, path, path))
    conflicts.push({ path, alternatives: [alternativeBy(by, undefined, path, path), ...alternatives] })
  }
  return conflicts.sort(compareConflicts)
}

/** By canonical bytes of the place: of one path, the path itself before its members. */
function compareConflicts(a: Conflict, b: Conflict): number {
  const difference = comparePaths(a.path, b.path)
  if (difference !== 0) return difference
  const [x, y] = [a.alternatives[0]?.member, b.alternatives[0]?.member]
  if (x === undefined || y === undefined) return x === undefined ? -1 : 1
  return compareMembers(x, y)
}

/** The shown writes that are present, as one map. They do not block one another, so that their order is all one. */
function documentOf(shown: readonly Placed[]): Omit<Shown, 'conflicts'> {
  const doc = newMap<Value>()
  const members = new Map<string, { readonly path: Path; readonly members: Scalar[] }>()
  const registers: Path[] = []
  const texts: ShownText[] = []
  for (const { entry, value, hasTwin } of shown) {
    const { write, epoch } = entry
    if (write.says === 'member') {
      const key = pathKey(write.path)
      const set = members.get(key)
      if (set === undefined) members.set(key, { path: write.path, members: [write.member] })
      else set.members.push(write.member)
    } else if (value !== undefined) {
      put(doc, write.path, value)
      if (epoch !== undefined) {
        const text = { path: write.path, epoch: entry.op.id, splices: epoch.splices.length }
        texts.push(hasTwin ? { ...text, twin: true } : text)
      } else if (isMap(value) && Object.keys(value).length > 0) registers.push(write.path)
    }
  }
  for (const set of members.values()) put(doc, set.path, set.members.sort(compareMembers))
  return {
    doc: doc as Doc,
    texts: texts.sort((a, b) => comparePaths(a.path, b.path)),
    sets: [...members.values()].map((set) => set.path).sort(comparePaths),
    registers: registers.sort(comparePaths),
  }
}

function put(doc: Record<string, Value>, path: Path, value: Value): void {
  let map = doc
  for (const segment of path.slice(0, -1)) {
    map[segment] ??= newMap<Value>()
    map = map[segment] as Record<string, Value>
  }
  map[path.at(-1) as string] = value
}
