/**
 * Agentic Resource Discovery 0.9: search and facets over everything in the register, in the words of the AI catalogue.
 * POST /search, POST /explore; GET /ard/agents lists, for /agents lists the records of a kind.
 */
import type { Context } from 'hono'
import { findField, kindOf, kinds, type Merged, type Value, valueFromJson, valueToJson } from '../../crdt/index.ts'
import {
  facetValuesMax,
  filtersMax,
  httpBodyBytesMax,
  type Listed,
  type NodeFace,
  type SearchQuery,
} from '../../node/index.ts'
import { JSON_TYPES, readJsonBody } from '../body.ts'
import { readCursor } from '../cursor.ts'
import { describe, problems, requestBody } from '../openapi-parts.ts'
import { isProblem, type Problem } from '../problem.ts'
import { type Answer, jsonAnswer, type Route } from '../route.ts'
import { catalogEntry, kindOfType, recordType } from './catalog-entry.ts'
import { asked, theirs } from './openapi.ts'

export function ardRoutes(node: NodeFace): Route[] {
  const about = describe('interop')
  const wrong = problems('bad-request', 'bad-query', 'bad-cursor', 'too-large', 'unsupported-type', 'unavailable')
  const body = requestBody({ type: 'object' }, JSON_TYPES)
  const search: Route = {
    method: 'POST',
    path: '/search',
    handle: (c, visit) => searchEntries(node, c, visit.origin()),
    operation: about(
      'ard_search',
      'Searches as Agentic Resource Discovery does',
      [],
      { ...theirs('Results'), ...wrong },
      body,
    ),
  }
  const explore: Route = {
    method: 'POST',
    path: '/explore',
    handle: (c) => exploreFacets(node, c),
    operation: about(
      'ard_explore',
      'Counts values as Agentic Resource Discovery does',
      [],
      { ...theirs('Facets'), ...wrong },
      body,
    ),
  }
  const list: Route = {
    method: 'GET',
    path: '/ard/agents',
    handle: (c, visit) => listEntries(node, c, visit.origin()),
    operation: about(
      'ard_agents',
      'Lists catalogue entries',
      [asked.entryFilter, asked.orderBy, asked.pageSize, asked.pageToken],
      { ...theirs('Entries'), ...problems('bad-query', 'bad-cursor', 'unavailable') },
    ),
  }
  const underArd = [search, explore].map((route) => ({ ...route, path: `/ard${route.path}`, sameAs: route.path }))
  return [search, explore, ...underArd, list]
}

const PAGE_SIZE_MAX = 100
const PAGE_SIZE = 10
const BUCKETS = 20
type Json = Readonly<Record<string, unknown>>

const HEADERS = { vary: 'host' } as const

function badQuery(detail: string, pointer: string): Problem {
  return { problem: 'bad-query', detail: `${pointer}: ${detail}`, errors: [{ pointer, message: detail }] }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function readObject(c: Context): Promise<Json | Problem> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: false })
  if (isProblem(body)) return body
  return isObject(body.value) ? body.value : badQuery('expected a JSON object', '')
}

async function searchEntries(node: NodeFace, c: Context, origin: string): Promise<Answer> {
  const body = await readObject(c)
  if (isProblem(body)) return body
  const query = questionOf(body['query'], true)
  if (isProblem(query)) return query
  const size = pageSizeOf(body['pageSize'] === undefined ? undefined : String(body['pageSize']))
  if (isProblem(size)) return size
  const token = body['pageToken']
  const cursor = readCursor(token === undefined || token === null ? undefined : typeof token === 'string' ? token : '')
  if (isProblem(cursor)) return cursor
  const found = await find(node, { ...query, limit: size, ...(cursor !== undefined && { cursor }) })
  if (isProblem(found)) return found
  const best = Math.max(...found.items.map(({ score }) => score), 0)
  const results = found.items.map(({ record, score }) => ({
    ...catalogEntry(record, origin),
    score: best > 0 ? Math.round((100 * score) / best) : 100,
    source: origin,
  }))
  return jsonAnswer(JSON.stringify({ results, ...pageTokenOf(found) }), 200, HEADERS)
}

async function exploreFacets(node: NodeFace, c: Context): Promise<Answer> {
  const body = await readObject(c)
  if (isProblem(body)) return body
  const query = questionOf(body['query'], false)
  if (isProblem(query)) return query
  const wanted = facetsOf(body['resultType'])
  if (isProblem(wanted)) return wanted
  const names = [...new Set(wanted.map(({ field }) => fieldOf(field)))]
  const found = await find(node, { ...query, facets: names, limit: 1 })
  if (isProblem(found)) return found
  const facets: Record<string, unknown> = Object.create(null)
  for (const { field, limit, minCount } of wanted) {
    const counted = (found.facets[fieldOf(field)] ?? []).filter(({ count }) => count >= minCount)
    const buckets = counted
      .slice(0, limit)
      .map(({ value, count }) => ({ value: field === 'type' ? recordType(String(value)) : valueToJson(value), count }))
    const other = counted.slice(limit).reduce((sum, { count }) => sum + count, 0)
    facets[field] = { buckets, ...(other > 0 && { otherCount: other }) }
  }
  return jsonAnswer(JSON.stringify({ resultType: 'facets', facets }), 200, HEADERS)
}

async function listEntries(node: NodeFace, c: Context, origin: string): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const size = pageSizeOf(query.get('pageSize'))
  if (isProblem(size)) return size
  const cursor = readCursor(query.get('pageToken') || undefined)
  if (isProblem(cursor)) return cursor
  const filter: Record<string, unknown> = Object.create(null)
  for (const part of (query.get('filter') ?? '').split(',').filter((text) => text.trim() !== '')) {
    const [, field, value] = /^\s*([\w./]+)\s*=\s*"?([^"]*?)"?\s*$/.exec(part) ?? []
    if (field === undefined) return badQuery('is written field=value', '/filter')
    filter[field] = value
  }
  const wanted = questionOf({ filter }, false)
  if (isProblem(wanted)) return wanted
  const [, field, direction] = /^\s*([\w./]+)(?:\s+(asc|desc))?\s*$/i.exec(query.get('orderBy') ?? '') ?? []
  if (query.get('orderBy') && field === undefined) return badQuery('is a field, or a field and desc', '/orderBy')
  const found = await find(node, {
    ...wanted,
    limit: size,
    ...(field !== undefined && { sort: `${direction?.toLowerCase() === 'desc' ? '-' : ''}${fieldOf(field)}` }),
    ...(cursor !== undefined && { cursor }),
  })
  if (isProblem(found)) return found
  const items = found.items.map(({ record }: { readonly record: Merged }) => catalogEntry(record, origin))
  return jsonAnswer(JSON.stringify({ items, total: found.total, ...pageTokenOf(found) }), 200, HEADERS)
}

async function find(node: NodeFace, query: SearchQuery): Promise<Listed | Problem> {
  const found = await node.catalogue.find(query)
  if (!('problem' in found)) return found
  if (found.pointer === '/cursor') return { problem: 'bad-cursor', detail: 'the pageToken is not one of this query' }
  return badQuery(found.problem, found.pointer ?? '')
}

function pageTokenOf({ nextCursor }: Listed) {
  return nextCursor === undefined ? {} : { pageToken: nextCursor }
}

function pageSizeOf(text: string | null | undefined): number | Problem {
  if (text === null || text === undefined) return PAGE_SIZE
  const size = /^\d{1,4}$/.test(text) ? Number(text) : 0
  return size >= 1 && size <= PAGE_SIZE_MAX ? size : badQuery(`expected 1 to ${PAGE_SIZE_MAX}`, '/pageSize')
}

type Question = Pick<SearchQuery, 'query' | 'filters' | 'kinds'>

/** `{text, filter}`. Several values of one field are all asked for, but an entry has one type, so any of those will do. */
function questionOf(query: unknown, needed: boolean): Question | Problem {
  if (query === undefined && !needed) return {}
  if (!isObject(query)) return badQuery('expected an object', '/query')
  const { text, filter } = query
  if (text !== undefined && (typeof text !== 'string' || !text.isWellFormed()))
    return badQuery('expected text', '/query/text')
  if (filter !== undefined && !isObject(filter)) return badQuery('expected an object', '/query/filter')
  const filters: Record<string, Value> = Object.create(null)
  let only: readonly string[] | undefined
  const named = Object.entries(filter ?? {})
  if (named.length > filtersMax) return badQuery(`at most ${filtersMax} filters`, '/query/filter')
  for (const [name, value] of named) {
    const texts = Array.isArray(value) ? value : [value]
    if (name === 'type' || name === 'kind') {
      only = texts.flatMap((type) => kindOfType(String(type)) ?? kindOf(String(type))?.name ?? [])
      if (only.length === 0) return badQuery('there is no such type', `/query/filter/${name}`)
      continue
    }
    const read = valueFromJson(value)
    if (!read.ok) return badQuery('not a value that a record can hold', `/query/filter/${name.slice(0, 100)}`)
    filters[fieldOf(name)] = typeof value === 'string' ? typed(fieldOf(name), value) : read.value
  }
  return {
    ...(typeof text === 'string' && text.trim() !== '' && { query: text }),
    ...(Object.keys(filters).length > 0 && { filters }),
    ...(only !== undefined && { kinds: only }),
  }
}

/** What an entry calls a field, as records call it. */
const FIELDS: Readonly<Record<string, string>> = {
  type: 'kind',
  publisher: 'provider',
  'publisher.displayName': 'provider',
  displayName: 'display_name',
  updatedAt: 'changed_at',
}

function fieldOf(name: string): string {
  return Object.hasOwn(FIELDS, name) ? (FIELDS[name] as string) : name
}

/** A filter in a URL is text; whether it means a number the tables know. */
function typed(name: string, value: string): Value {
  const fields = Object.values(kinds).map((kind) => findField(kind, name.replace(/_[gl]te$/, ''))?.field)
  const numeric = fields.some((field) => field?.type === 'integer' || field?.type === 'number')
  const number = Number(value)
  return (numeric || /_[gl]te$/.test(name)) && value.trim() !== '' && Number.isFinite(number) ? number : value
}

type Facet = { readonly field: string; readonly limit: number; readonly minCount: number }

function facetsOf(resultType: unknown): readonly Facet[] | Problem {
  const facets = isObject(resultType) ? resultType['facets'] : undefined
  if (!Array.isArray(facets) || facets.length === 0)
    return badQuery('expected {"facets":[{"field":...}]}', '/resultType')
  const read: Facet[] = []
  for (const [at, facet] of facets.entries()) {
    const pointer = `/resultType/facets/${at}`
    if (!isObject(facet) || typeof facet['field'] !== 'string') return badQuery('expected a field', `${pointer}/field`)
    const { field, limit = BUCKETS, minCount = 1 } = facet
    if (!isCount(limit) || limit > facetValuesMax)
      return badQuery(`expected 1 to ${facetValuesMax}`, `${pointer}/limit`)
    if (!isCount(minCount)) return badQuery('expected a whole number', `${pointer}/minCount`)
    read.push({ field, limit, minCount })
  }
  return read
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}
