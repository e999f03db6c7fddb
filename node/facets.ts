/**
 * Facets beside filters: the values of a field are counted over the records that meet every condition but those on
 * that field itself, so that who has chosen one licence still sees what the others would give. A field that holds a
 * list is counted under its own conditions too, since all the values that are asked for must be there.
 */
import { findField, type Kind, type Value } from '../crdt/index.ts'
import { fieldsNamed } from './filter-fields.ts'
import { facetSearchesMax } from './limits.ts'
import type { QueryProblem, SearchQuery } from './search.ts'
import { type Expression, fieldsIn } from './search-expression.ts'

/** The searches that count the facets: the query itself, and one for each set of conditions that is left out. */
export function facetSearches(
  query: SearchQuery,
  meant: readonly Kind[],
): { readonly query: SearchQuery; readonly others: readonly SearchQuery[] } | QueryProblem {
  const own: string[] = []
  const others = new Map<string, { query: SearchQuery; facets: string[] }>()
  for (const name of query.facets ?? []) {
    const without = isList(meant, name) ? undefined : withoutConditions(query, meant, name)
    if (without === undefined) {
      own.push(name)
      continue
    }
    const key = JSON.stringify([without.filters, without.where])
    const known = others.get(key)
    if (known) known.facets.push(name)
    else others.set(key, { query: without, facets: [name] })
  }
  if (others.size > facetSearchesMax) {
    return { problem: `at most ${facetSearchesMax} facets of fields that are filtered by`, pointer: '/facets' }
  }
  return {
    query: query.facets === undefined ? query : { ...query, facets: own },
    others: [...others.values()].map((each) => ({ ...each.query, facets: each.facets, limit: 1 })),
  }
}

/** The query without its conditions on the field; undefined when it has none. */
function withoutConditions(query: SearchQuery, meant: readonly Kind[], name: string): SearchQuery | undefined {
  const { sort: _sort, cursor: _cursor, where, ...rest } = query
  const filters = ownersApart(query.filters ?? {})
  const path = pathOf(meant, name)
  const isOther = (field: string) => pathOf(meant, field) !== path
  const kept = Object.entries(filters).filter(([field]) => isOther(field.replace(/_[gl]te$/, '')))
  const parts: readonly Expression[] = where === undefined ? [] : conjuncts(where)
  const keptParts = parts.filter((part) => fieldsIn(part).some(isOther) || fieldsIn(part).length === 0)
  if (kept.length === Object.keys(filters).length && keptParts.length === parts.length) return undefined
  return { ...rest, filters: Object.fromEntries(kept), where: { all: keptParts } }
}

/** `owner` means the key where it is given a DID, and the provider where it is given a name: each under its own name. */
function ownersApart(filters: NonNullable<SearchQuery['filters']>): NonNullable<SearchQuery['filters']> {
  const { owner, owner_id: keys = [], ...others } = filters
  if (owner === undefined) return filters
  const given = listOf(owner)
  const names = given.filter((value) => !isDid(value))
  const dids = [...listOf(keys), ...given.filter(isDid)]
  return { ...others, ...(names.length > 0 && { owner: names }), ...(dids.length > 0 && { owner_id: dids }) }
}

function listOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? value : [value]
}

function isDid(value: Value): boolean {
  return typeof value === 'string' && value.startsWith('did:')
}

function conjuncts(where: Expression): Expression[] {
  return 'all' in where ? where.all.flatMap(conjuncts) : [where]
}

function isList(meant: readonly Kind[], name: string): boolean {
  return fieldsNamed(meant, name).some(({ type }) => type === 'list')
}

/** One name for a field, however it was written. */
function pathOf(meant: readonly Kind[], name: string): string {
  if (name === 'owner') return 'provider'
  for (const kind of meant) {
    const found = findField(kind, name)
    if (found) return found.path.join('.')
  }
  return name.startsWith('/') ? name.slice(1).replaceAll('/', '.') : name
}
