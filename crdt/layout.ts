/**
 * A body whose entries do not touch one another, laid out as a document in one go: what folding its writes one by one
 * comes to, at a third of the cost. Nearly every body is such a one; of the others nothing is said, and folding decides.
 */
import { areMembers, type Entries, isField, isText } from './body.ts'
import { scalarKey } from './equal.ts'
import { compareMembers, comparePaths } from './place.ts'
import { type Doc, isMap, newMap, type Path, type Scalar, type Value } from './value.ts'

export type Layout = {
  readonly doc: Doc
  readonly texts: readonly Path[]
  readonly sets: readonly Path[]
  readonly registers: readonly Path[]
}

/** Undefined when a place is named twice, lies in another, or is the root. */
export function layout({ f, s, t }: Entries): Layout | undefined {
  const doc = newMap<Value>()
  const branches = new Set<Value | undefined>()
  const put = (path: Path, value: Value): boolean => {
    let map = doc
    const last = path.length - 1
    for (let i = 0; i < last; i++) {
      const below = map[path[i] as string]
      if (below === undefined) {
        const fresh = newMap<Value>()
        branches.add(fresh)
        map[path[i] as string] = fresh
        map = fresh
      } else if (branches.has(below)) map = below as Record<string, Value>
      else return false
    }
    if (last < 0 || map[path[last] as string] !== undefined) return false
    map[path[last] as string] = value
    return true
  }
  const texts: Path[] = []
  const sets: Path[] = []
  const registers: Path[] = []
  for (const entry of f) {
    if (!isField(entry)) continue
    const [path, value] = entry
    if (!put(path, value)) return undefined
    if (isMap(value) && Object.keys(value).length > 0) registers.push(path)
  }
  for (const entry of s) {
    if (!areMembers(entry) || entry[1].length === 0) continue
    const [path, members] = entry
    if (!put(path, distinct(members).sort(compareMembers))) return undefined
    sets.push(path)
  }
  for (const entry of t) {
    if (!isText(entry)) continue
    const [path, text] = entry
    if (!put(path, text)) return undefined
    texts.push(path)
  }
  return {
    doc,
    texts: texts.sort(comparePaths),
    sets: sets.sort(comparePaths),
    registers: registers.sort(comparePaths),
  }
}

function distinct(members: readonly Scalar[]): Scalar[] {
  return [...new Map(members.map((member) => [scalarKey(member), member])).values()]
}
