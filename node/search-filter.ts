/**
 * What a query says besides its text: wanted values, facets, order. Names of fields become paths here, by the tables
 * of the kinds asked for and, where no table knows a name, by the data; whatever cannot be understood is answered
 * with the place that is wrong.
 */
import type { Value } from '../crdt/index.ts'
import { facetsMax, filtersMax, filterValuesMax, whereDepthMax, whereTestsMax } from './limits.ts'
import type { QueryProblem, SearchQuery } from './search.ts'
import { type Expression, fieldsIn } from './search-expression.ts'
import { isRegisterPath, type Leaf, leafOf, type Table, type Tables } from './search-fields.ts'

/** One condition; a record meets it when any of its leaves at any of the paths does. */
export type Want =
  | { readonly paths: readonly string[]; readonly is: 'equal'; readonly leaf: Leaf }
  | { readonly paths: readonly string[]; readonly is: 'at-least' | 'at-most'; readonly number: number }

export type Sort = { readonly path: string; readonly paths: readonly string[]; readonly descending: boolean }

export type Plan = {
  readonly wants: readonly Want[]
  /** The paths of each field that the query's `where` names. */
  readonly where: ReadonlyMap<string, readonly string[]>
  /** By the name that was asked for. */
  readonly facets: ReadonlyMap<string, readonly string[]>
  readonly sort?: Sort
}

/** What the data adds to the tables: paths that records of the kinds asked for have. */
export interface KnownPaths {
  has(path: string): boolean
  endingWith(segment: string): readonly string[]
}

export function isProblem<T extends object>(answer: T | QueryProblem): answer is QueryProblem {
  return 'problem' in answer
}

/** Reads filters, facets and sort. A field that nobody has is no mistake: nothing equals it. */
export function planOf(query: SearchQuery, tables: Tables, data: KnownPaths): Plan | QueryProblem {
  const scope: Scope = { tables: tablesFor(query.kinds, tables), data }
  const wants = wantsOf(query.filters ?? {}, scope)
  if (isProblem(wants)) return wants
  const where = query.where === undefined ? new Map<string, readonly string[]>() : whereOf(query.where, scope)
  if (isProblem(where)) return where
  const facets = new Map<string, readonly string[]>()
  if ((query.facets?.length ?? 0) > facetsMax) return problem(`at most ${facetsMax} facets`, '/facets')
  for (const [at, name] of (query.facets ?? []).entries()) {
    const paths = pathsOf(name, scope, `/facets/${at}`)
    if (isProblem(paths)) return paths
    facets.set(name, paths)
  }
  if (query.sort === undefined) return { wants, where, facets }
  const descending = query.sort.startsWith('-')
  const name = descending ? query.sort.slice(1) : query.sort
  if (name === '') return problem('expected a field, or - and a field', '/sort')
  const paths = pathsOf(name, scope, '/sort')
  if (isProblem(paths)) return paths
  return { wants, where, facets, sort: { path: name, paths, descending } }
}

type Scope = { readonly tables: readonly Table[]; readonly data: KnownPaths }

function tablesFor(kinds: readonly string[] | undefined, tables: Tables): Table[] {
  if (kinds === undefined) return [...tables.values()]
  return kinds.flatMap((kind) => tables.get(kind) ?? [])
}

function wantsOf(filters: Readonly<Record<string, Value>>, scope: Scope): Want[] | QueryProblem {
  const wants: Want[] = []
  const named = Object.entries(filters)
  if (named.length > filtersMax) return problem(`at most ${filtersMax} filters`, '/filters')
  for (const [name, value] of named) {
    const pointer = `/filters/${escapeSegment(name)}`
    const bound = /^(.+)_(gte|lte)$/s.exec(name)
    if (bound) {
      const paths = pathsOf(bound[1] as string, scope, pointer)
      if (isProblem(paths)) return paths
      if (typeof value !== 'number' || !Number.isFinite(value)) return problem('expected a number', pointer)
      wants.push({ paths, is: bound[2] === 'gte' ? 'at-least' : 'at-most', number: value })
      continue
    }
    const values: readonly Value[] = Array.isArray(value) ? value : [value as Value]
    if (values.length > filterValuesMax) return problem(`at most ${filterValuesMax} values`, pointer)
    for (const [at, each] of values.entries()) {
      const place = Array.isArray(value) ? `${pointer}/${at}` : pointer
      const leaf = leafOf(each)
      if (leaf === undefined) return problem('expected text, a number, true, false, null or {"Other": ...}', place)
      const isDid = name === 'owner' && typeof leaf === 'string' && leaf.startsWith('did:')
      const paths = isDid ? ['owner_id'] : pathsOf(name, scope, pointer)
      if (isProblem(paths)) return paths
      wants.push({ paths, is: 'equal', leaf })
    }
  }
  return wants
}

function whereOf(where: Expression, scope: Scope): ReadonlyMap<string, readonly string[]> | QueryProblem {
  if (!isBounded(where)) {
    return problem(`expected at most ${whereTestsMax} tests, ${whereDepthMax} levels deep`, '/where')
  }
  const fields = new Map<string, readonly string[]>()
  for (const name of fieldsIn(where)) {
    const paths = pathsOf(name, scope, '/where')
    if (isProblem(paths)) return { ...paths, field: name }
    if (!paths.some((path) => isKnown(path, scope))) {
      return { ...problem(`there is no field ${JSON.stringify(name)}`, '/where'), field: name }
    }
    fields.set(
      name,
      paths.flatMap((path) => [path, ...fieldsWithin(path, scope)]),
    )
  }
  return fields
}

/** By a table, or because a record has it. */
function isKnown(path: string, { tables, data }: Scope): boolean {
  return isRegisterPath(path) || tables.some((table) => table.has(path)) || data.has(path)
}

/** The fields that a table puts into a map: the map is there when one of them is. */
function fieldsWithin(path: string, { tables }: Scope): string[] {
  const prefix = `${path}.`
  const inner = tables.flatMap((table) => (table.get(path)?.fields ? [...table.keys()] : []))
  return [...new Set(inner.filter((each) => each.startsWith(prefix)))]
}

/** An empty `all` or `any` counts as a test, so that none is free. */
function isBounded(where: Expression): boolean {
  let tests = 0
  const fits = (each: Expression, depth: number): boolean => {
    if (depth > whereDepthMax) return false
    const inner = 'all' in each ? each.all : 'any' in each ? each.any : 'not' in each ? [each.not] : []
    if (inner.length === 0) tests++
    if ('value' in each && Array.isArray(each.value) && each.value.length > filterValuesMax) return false
    return tests <= whereTestsMax && inner.every((one) => fits(one, depth + 1))
  }
  return fits(where, 1)
}

/**
 * The paths that a name stands for: `/a/b` and `a.b` exactly that, a last segment where only one path has it, first
 * by the tables and then by the data, so that a stranger's field cannot make a known name ambiguous.
 */
function pathsOf(name: string, scope: Scope, pointer: string): readonly string[] | QueryProblem {
  if (typeof name !== 'string' || name === '') return problem('expected the name of a field', pointer)
  if (name.startsWith('/')) return [name.slice(1).split('/').map(unescapeSegment).join('.')]
  if (name === 'owner') return ['provider', 'owner']
  if (isRegisterPath(name)) return [name]
  if (scope.tables.some((table) => table.has(name))) return withAlso(name, scope)
  const byTable = new Set(
    scope.tables.flatMap((table) => [...table.keys()].filter((path) => lastSegment(path) === name)),
  )
  if (byTable.size === 1) return withAlso([...byTable][0] as string, scope)
  if (byTable.size > 1) return ambiguous(name, [...byTable], pointer)
  if (scope.data.has(name)) return [name]
  const byData = scope.data.endingWith(name)
  if (byData.length > 1) return ambiguous(name, byData, pointer)
  return [byData[0] ?? name]
}

function withAlso(path: string, scope: Scope): string[] {
  return [...new Set([path, ...scope.tables.flatMap((table) => table.get(path)?.also ?? [])])]
}

const NAMED_MAX = 5

function ambiguous(name: string, paths: readonly string[], pointer: string): QueryProblem {
  const some = [...paths].sort().slice(0, NAMED_MAX).join(', ')
  return problem(`${JSON.stringify(name)} is the last part of several fields: ${some}`, pointer)
}

export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}

function problem(text: string, pointer: string): QueryProblem {
  return { problem: text, pointer }
}

function escapeSegment(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1')
}

function unescapeSegment(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~')
}
