/** What changed between two documents, by place: maps are gone into, everything else is compared whole. */
import { equalValues, isMap, type Path, type Value, type ValueMap } from '../../crdt/index.ts'

/** `before` missing: it was set; `after` missing: it was removed. */
export type Change = { readonly path: Path; readonly before?: Value; readonly after?: Value }

/** In the order of the later document, what is gone last. */
export function diffDocs(before: ValueMap, after: ValueMap, path: Path = []): Change[] {
  const changes: Change[] = []
  for (const [key, now] of Object.entries(after)) {
    const was = Object.hasOwn(before, key) ? before[key] : undefined
    const here = [...path, key]
    if (was === undefined) changes.push({ path: here, after: now })
    else if (isMap(was) && isMap(now)) changes.push(...diffDocs(was, now, here))
    else if (!equalValues(was, now)) changes.push({ path: here, before: was, after: now })
  }
  for (const [key, was] of Object.entries(before)) {
    if (!Object.hasOwn(after, key)) changes.push({ path: [...path, key], before: was })
  }
  return changes
}
