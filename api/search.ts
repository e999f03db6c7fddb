/**
 * Finding records over HTTP: lists with filters in the query, searches with a body. Both ask the same index and wait
 * up to a second for it to know what was just written.
 */
import type { Context } from 'hono'
import { findField, type Kind, kindOf, kinds, toJson, type Value, valueFromJson, valueToJson } from '../crdt/index.ts'
import {
  filtersMax,
  httpBodyBytesMax,
  type Listed,
  type ListQuery,
  type NodeFace,
  type QueryProblem,
} from '../node/index.ts'
import { JSON_TYPES, readJsonBody } from './body.ts'
import { badCursor, nextLink, readCursor, readLimit } from './cursor.ts'
import { tagged } from './etag.ts'
import { describe, ok, problems, requestBody, schema } from './openapi-parts.ts'
import { isProblem, type Problem } from './problem.ts'
import { type Answer, jsonAnswer, type Route } from './route.ts'

export function searchRoutes(node: NodeFace): Route[] {
  const answers = {
    ...problems('bad-request', 'bad-query', 'bad-cursor', 'too-large', 'unsupported-type', 'unavailable'),
  }
  const perKind = Object.values(kinds).map(
    (kind): Route => ({
      method: 'POST',
      path: `/v1/${kind.plural}/search`,
      kind: kind.name,
      handle: (c) => search(node, [kind.name], c),
      operation: describe(kind.plural)(
        `search_${kind.plural}`,
        `Searches ${kind.plural}`,
        [],
        {
          ...ok('The best first', schema('SearchResult')),
          ...answers,
        },
        requestBody(schema('SearchQuery'), JSON_TYPES),
      ),
    }),
  )
  return [
    ...perKind,
    {
      method: 'POST',
      path: '/v1/search',
      handle: (c) => search(node, undefined, c),
      operation: describe('search')(
        'search',
        'Searches all kinds',
        [],
        {
          ...ok('The best first', schema('SearchResult')),
          ...answers,
        },
        requestBody(schema('SearchQuery'), JSON_TYPES),
      ),
    },
  ]
}

/** GET /v1/{kinds}: every parameter that is none of a search's own is a field with the value it must have. */
export async function listRecords(node: NodeFace, kind: Kind, c: Context): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const limit = readLimit(query.get('limit'))
  const cursor = readCursor(query.get('cursor'))
  const filters = filtersOf(kind, query)
  const twice = OWN_PARAMETERS.find((name) => query.getAll(name).length > 1)
  if (twice !== undefined)
    return badQuery(`give one ${twice}${twice === 'filter' ? ', with and between its parts' : ''}`, `/${twice}`)
  const facets = query.get('facets')?.split(',')
  if (isProblem(limit)) return limit
  if (isProblem(cursor)) return cursor
  if (isProblem(filters)) return filters
  const found = await find(node, {
    kinds: [kind.name],
    limit,
    filters,
    ...(cursor !== undefined && { cursor }),
    ...(query.has('query') && { query: query.get('query') as string }),
    ...(query.has('filter') && { filter: query.get('filter') as string }),
    ...(query.has('sort') && { sort: query.get('sort') as string }),
    ...(facets !== undefined && { facets }),
  })
  if (isProblem(found)) return found
  const items = found.items.map(({ record }) => toJson(record, kind))
  const text = JSON.stringify({ items, ...(facets !== undefined && { facets: facetsToJson(found) }), ...tail(found) })
  const next = found.nextCursor
  if (next === undefined) return tagged(c, text)
  return tagged(c, text, 'application/json', { link: nextLink(c.req.path, query, { cursor: next }) })
}

const OWN_PARAMETERS = ['limit', 'cursor', 'sort', 'filter', 'query', 'facets']

/** A field named twice asks for both values. The table says whether `8192` is a number or a text. */
function filtersOf(kind: Kind, query: URLSearchParams): Readonly<Record<string, Value>> | Problem {
  const filters: Record<string, Value> = Object.create(null)
  const names = new Set([...query.keys()].filter((name) => !OWN_PARAMETERS.includes(name)))
  if (names.size > filtersMax) return badQuery(`at most ${filtersMax} filters`, '/filters')
  for (const name of names) {
    const values = query.getAll(name).map((text) => filterValue(kind, name, text))
    const wrong = values.find(isProblem)
    if (wrong !== undefined) return wrong
    filters[name] = values.length === 1 ? (values[0] as Value) : (values as Value[])
  }
  return filters
}

function filterValue(kind: Kind, name: string, text: string): Value | Problem {
  const range = /_[gl]te$/.test(name)
  const field = findField(kind, name)?.field ?? (range ? findField(kind, name.slice(0, -4))?.field : undefined)
  if (field?.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  const numeric = field?.type === 'integer' || field?.type === 'number' || field?.type === 'decimal'
  if (!numeric && !range) return text
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value)) return value
  return range ? badQuery(`${name} asks for a number`, `/filters/${name}`) : text
}

async function search(node: NodeFace, only: readonly string[] | undefined, c: Context): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: false })
  if (isProblem(body)) return body
  const query = readQuery(body.value, only)
  if (isProblem(query)) return query
  const found = await find(node, query, '/filters')
  if (isProblem(found)) return found
  const items = found.items.map(({ record, ...hit }) => ({ record: toJson(record, kindOf(record.kind)), ...hit }))
  return jsonAnswer(JSON.stringify({ items, facets: facetsToJson(found), ...tail(found) }))
}

function facetsToJson({ facets }: Listed) {
  return Object.fromEntries(
    Object.entries(facets).map(([field, values]) => [
      field,
      values.map(({ value, count }) => ({ value: valueToJson(value), count })),
    ]),
  )
}

function tail(found: Listed) {
  return {
    total: found.total,
    ...(found.totalCapped && { total_capped: true }),
    ...(found.partial && { partial: true }),
    ...(found.damaged > 0 && { damaged: found.damaged }),
    ...(found.nextCursor !== undefined && { next_cursor: found.nextCursor }),
    ...(found.indexBehind > 0 && { index_behind: found.indexBehind }),
  }
}

/** `filterAt`: where the filter's text stands in the request. */
export async function find(node: NodeFace, query: ListQuery, filterAt = '/filter'): Promise<Listed | Problem> {
  const found = await node.catalogue.find({ ...query, countDamaged: true })
  if (!('problem' in found)) return found
  return queryProblem(found.pointer === '/filter' ? { ...found, pointer: filterAt } : found)
}

/** What the index or the reader of filters says, with the place in a filter's text and what may have been meant. */
export function queryProblem({ problem, pointer = '', position, hint }: QueryProblem): Problem {
  if (pointer === '/cursor') return badCursor
  const place = position === undefined ? '' : ` (at character ${position})`
  const meant = hint === undefined ? '' : `; ${hint}`
  return {
    ...badQuery(problem + place + meant, pointer),
    more: { ...(position !== undefined && { position }), ...(hint !== undefined && { hint }) },
  }
}

const MEMBERS = new Set(['query', 'filters', 'facets', 'sort', 'limit', 'cursor', 'kinds', 'collapse', 'explain'])

/** A search as JSON: what a body says. `only`: the kinds, where the path says them. */
export function readQuery(body: unknown, only: readonly string[] | undefined): ListQuery | Problem {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return badQuery('expected a JSON object', '')
  const given = body as Record<string, unknown>
  const unknown = Object.keys(given).find((key) => !MEMBERS.has(key))
  if (unknown !== undefined)
    return badQuery(`there is no such member: ${unknown.slice(0, 100)}`, `/${unknown.slice(0, 100)}`)
  const { query, facets, sort, filters: asked } = given
  if (query !== undefined && query !== null && typeof query !== 'string') return badQuery('expected text', '/query')
  if (typeof query === 'string' && !query.isWellFormed())
    return badQuery('the text holds half a surrogate pair', '/query')
  if (sort !== undefined && typeof sort !== 'string') return badQuery('expected field or -field', '/sort')
  if (facets !== undefined && !isTexts(facets)) return badQuery('expected a list of field names', '/facets')
  const notSwitch = ['collapse', 'explain'].find(
    (name) => given[name] !== undefined && typeof given[name] !== 'boolean',
  )
  if (notSwitch !== undefined) return badQuery('expected true or false', `/${notSwitch}`)
  const limit = readLimit(
    given['limit'] === undefined ? undefined : typeof given['limit'] === 'number' ? String(given['limit']) : 'no',
  )
  if (isProblem(limit)) return limit
  const cursor = readCursor(
    given['cursor'] === undefined ? undefined : typeof given['cursor'] === 'string' ? given['cursor'] : '',
  )
  if (isProblem(cursor)) return cursor
  const filters = typeof asked === 'string' ? undefined : readFilters(asked)
  if (isProblem(filters)) return filters
  const chosen = only ?? given['kinds']
  if (chosen !== undefined && !(isTexts(chosen) && chosen.every((name) => kindOf(name) !== undefined))) {
    return badQuery(`expected a list of ${Object.keys(kinds).join(', ')}`, '/kinds')
  }
  return {
    limit,
    ...(chosen !== undefined && { kinds: chosen }),
    ...(typeof query === 'string' && query !== '' && { query }),
    ...(typeof asked === 'string' && { filter: asked }),
    ...(filters !== undefined && { filters }),
    ...(facets !== undefined && { facets }),
    ...(typeof sort === 'string' && { sort }),
    ...(cursor !== undefined && { cursor }),
    ...(given['collapse'] === true && { collapse: true }),
    ...(given['explain'] === true && { explain: true }),
  }
}

function readFilters(filters: unknown): Readonly<Record<string, Value>> | undefined | Problem {
  if (filters === undefined) return undefined
  if (typeof filters !== 'object' || filters === null || Array.isArray(filters))
    return badQuery('expected a text in the filter language, or an object', '/filters')
  const names = Object.keys(filters)
  if (names.length > filtersMax) return badQuery(`at most ${filtersMax} filters`, '/filters')
  const read: Record<string, Value> = Object.create(null)
  for (const name of names) {
    const value = valueFromJson((filters as Record<string, unknown>)[name])
    if (!value.ok) return badQuery('not a value that a record can hold', `/filters/${name}`)
    read[name] = value.value
  }
  return read
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= filtersMax && value.every((item) => typeof item === 'string')
}

export function badQuery(detail: string, pointer: string): Problem {
  return {
    problem: 'bad-query',
    detail: pointer === '' ? detail : `${pointer}: ${detail}`,
    errors: [{ pointer, message: detail }],
  }
}
