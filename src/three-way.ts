/**
 * Two edits of one document put together, where they meet and where they don't: maps key by key, sets member by
 * member, everything else whole. Where both sides changed one place differently, the local side stays and the place is
 * named, for whoever calls to decide what that means.
 */
import {
  equalValues,
  isMap,
  isScalar,
  type Path,
  type Scalar,
  scalarKey,
  type Value,
  type ValueMap,
} from '../crdt/index.ts'

export type ThreeWay = {
  /** Undefined: absent. */
  readonly value: Value | undefined
  /** Where both sides changed the same thing and said different things. */
  readonly overlaps: readonly Path[]
}

/** `isSet` says of a path whether a list there is a set of members. */
export function threeWay(
  base: Value | undefined,
  local: Value | undefined,
  remote: Value | undefined,
  isSet: (path: Path) => boolean,
  path: Path = [],
): ThreeWay {
  if (equalValues(local, remote) || equalValues(base, remote)) return { value: local, overlaps: [] }
  if (equalValues(base, local)) return { value: remote, overlaps: [] }
  if (isMap(local) && isMap(remote) && (isMap(base) || base === undefined)) {
    return threeWayMap(base ?? {}, local, remote, isSet, path)
  }
  if (isSet(path) && isMembers(local) && isMembers(remote) && (base === undefined || isMembers(base))) {
    return { value: threeWaySet(base ?? [], local, remote), overlaps: [] }
  }
  return { value: local, overlaps: [path] }
}

function threeWayMap(
  base: ValueMap,
  local: ValueMap,
  remote: ValueMap,
  isSet: (path: Path) => boolean,
  path: Path,
): ThreeWay {
  const value: Record<string, Value> = Object.create(null)
  const overlaps: Path[] = []
  for (const key of new Set([...Object.keys(local), ...Object.keys(remote)])) {
    const merged = threeWay(at(base, key), at(local, key), at(remote, key), isSet, [...path, key])
    if (merged.value !== undefined) value[key] = merged.value
    overlaps.push(...merged.overlaps)
  }
  return { value, overlaps }
}

/** What the remote side has, with what was added here and without what was removed here. */
function threeWaySet(base: readonly Scalar[], local: readonly Scalar[], remote: readonly Scalar[]): readonly Scalar[] {
  const was = new Set(base.map(scalarKey))
  const here = new Set(local.map(scalarKey))
  const kept = remote.filter((member) => here.has(scalarKey(member)) || !was.has(scalarKey(member)))
  const there = new Set(kept.map(scalarKey))
  return [...kept, ...local.filter((member) => !was.has(scalarKey(member)) && !there.has(scalarKey(member)))]
}

function isMembers(value: Value | undefined): value is readonly Scalar[] {
  return Array.isArray(value) && value.every(isScalar)
}

function at(map: ValueMap, key: string): Value | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}
