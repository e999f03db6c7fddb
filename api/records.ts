/**
 * Records over HTTP: register, list, read, replace, patch, delete, history, heads. The same routes for each kind.
 *
 * A second path segment that starts with `did:` is an owner, and the third its slug, percent-encoded; 64 hex digits
 * are a record id; anything else is not found.
 */
import type { Context } from 'hono'
import { cidToOpId, didToOwner, isHex, isSlug, type Kind, type Merged, opIdToCid, toJson } from '../crdt/index.ts'
import { httpBodyBytesMax, type NodeFace, type Place, type Written } from '../node/index.ts'
import { countsFor, eraseOps, readAuthority, remarksJson } from './authority.ts'
import { JSON_TYPES, MERGE_PATCH_TYPES, readJsonBody } from './body.ts'
import { badCursor, nextLink, readCursor, readLimit } from './cursor.ts'
import { etagOf, tagged, taggedAs, writeCondition } from './etag.ts'
import { opToJson } from './history.ts'
import {
  created,
  describe,
  noContent,
  notModified,
  ok,
  parameters,
  problems,
  requestBody,
  schema,
} from './openapi-parts.ts'
import { isProblem, type Problem, problemOf } from './problem.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf } from './route.ts'
import { listRecords } from './search.ts'

export function recordRoutes(node: NodeFace, kind: Kind): Route[] {
  const at = `/v1/${kind.plural}`
  const { name, plural } = kind
  const record = schema(name)
  const about = describe(plural)
  const byId = [parameters.id]
  const bySlug = [parameters.owner, parameters.slug]

  const get = (c: Context) => atPlace(c, kind, (place) => read(node, kind, c, place))
  const put = (c: Context) => atPlace(c, kind, (place) => replace(node, kind, c, place))
  const patch = (c: Context) => atPlace(c, kind, (place) => mergePatch(node, kind, c, place))
  const remove = (c: Context) => atPlace(c, kind, (place) => removeRecord(node, kind, c, place))
  const history = (c: Context) => atPlace(c, kind, (place) => readHistory(node, c, place))
  const heads = (c: Context) => atPlace(c, kind, (place) => readHeads(node, kind, c, place))
  const authority = (c: Context) => atPlace(c, kind, (place) => readAuthority(node, place))
  const erase = (c: Context) => atPlace(c, kind, (place) => eraseOps(node, c, place))
  // `/{id}/history` is also how the record of the owner {id} with the slug "history" is written.
  const orSlug =
    (sub: Route['handle']): Route['handle'] =>
    (c, visit) =>
      namesOwner(c) ? get(c) : sub(c, visit)

  const both = (
    id: string,
    place: string,
    where: readonly unknown[],
    sub: (handle: Route['handle']) => Route['handle'],
  ): Route[] => [
    {
      method: 'GET',
      path: place,
      handle: get,
      operation: about(`get${id}`, `Reads a ${name}`, [...where, parameters.ifNoneMatch], {
        ...ok(`The ${name} as merged`, record),
        ...notModified,
        ...problems('not-found'),
      }),
    },
    {
      method: 'PUT',
      path: place,
      token: true,
      handle: put,
      operation: about(
        `replace${id}`,
        `Makes a document what the ${name} says`,
        [...where, parameters.ifMatch, parameters.ifNoneMatchAny],
        {
          ...ok('As it is now; the same ETag when nothing changed', record),
          ...created(record),
          ...problems(
            'unauthorised',
            'not-owner',
            'not-found',
            'precondition',
            'too-large',
            'unsupported-type',
            'invalid',
          ),
        },
        requestBody(record, JSON_TYPES),
      ),
    },
    {
      method: 'PATCH',
      path: place,
      token: true,
      handle: patch,
      operation: about(
        `patch${id}`,
        `Changes a ${name} by a JSON merge patch (RFC 7396); naming a path in conflict settles it`,
        [...where, parameters.ifMatch],
        {
          ...ok('As it is now; the same ETag when nothing changed', record),
          ...problems(
            'unauthorised',
            'not-owner',
            'not-found',
            'precondition',
            'too-large',
            'unsupported-type',
            'invalid',
          ),
        },
        requestBody({ type: 'object' }, MERGE_PATCH_TYPES),
      ),
    },
    {
      method: 'DELETE',
      path: place,
      token: true,
      handle: remove,
      operation: about(
        `delete${id}`,
        `Writes a tombstone; the history of the ${name} stays`,
        [...where, parameters.ifMatch],
        {
          ...noContent,
          ...problems('unauthorised', 'not-owner', 'not-found', 'precondition'),
        },
      ),
    },
    {
      method: 'GET',
      path: `${place}/history`,
      handle: sub(history),
      operation: about(
        `history${id}`,
        `Lists the ops of a ${name}, newest first; also of a deleted one`,
        [...where, parameters.limit, parameters.cursor, parameters.ifNoneMatch],
        {
          ...ok('A page of ops', schema('History')),
          ...notModified,
          ...problems('not-found', 'bad-cursor'),
        },
      ),
    },
    {
      method: 'GET',
      path: `${place}/heads`,
      handle: sub(heads),
      operation: about(
        `heads${id}`,
        `Reads the heads of a ${name} and its conflicts; also of a deleted one`,
        [...where, parameters.ifNoneMatch],
        {
          ...ok('Heads and conflicts', schema('Heads')),
          ...notModified,
          ...problems('not-found'),
        },
      ),
    },
    {
      method: 'GET',
      path: `${place}/authority`,
      handle: sub(authority),
      operation: about(
        `authority${id}`,
        `Tells who may write a ${name}, and how each of its ops counts; also of a deleted one`,
        where,
        { ...ok('Grants and ops', schema('RecordAuthority')), ...problems('not-found') },
      ),
    },
    {
      method: 'POST',
      path: `${place}/erase`,
      token: true,
      handle: erase,
      operation: about(
        `erase${id}`,
        `Takes ops of a ${name} out for good: those named, or all that say anything`,
        where,
        {
          ...ok('What was erased', schema('Erased')),
          ...problems(
            'unauthorised',
            'not-owner',
            'not-found',
            'read-only',
            'bad-request',
            'unsupported-type',
            'invalid',
          ),
        },
        requestBody(schema('EraseWish'), JSON_TYPES),
      ),
    },
  ]

  const routes: Route[] = [
    {
      method: 'POST',
      path: at,
      token: true,
      handle: (c) => registerRecord(node, kind, c),
      operation: about(
        `register_${name}`,
        `Registers a ${name}: one op, signed by this node; restores a deleted one`,
        [parameters.ifNoneMatchAny],
        {
          ...created(record),
          ...problems('unauthorised', 'exists', 'precondition', 'too-large', 'unsupported-type', 'invalid'),
        },
        requestBody(record, JSON_TYPES),
      ),
    },
    {
      method: 'GET',
      path: at,
      handle: (c) => listRecords(node, kind, c),
      operation: about(
        `list_${plural}`,
        `Lists ${plural}; every further query parameter is a filter on a field`,
        [
          parameters.limit,
          parameters.cursor,
          parameters.sort,
          parameters.query,
          parameters.facets,
          parameters.filter,
          parameters.filters,
          parameters.ifNoneMatch,
        ],
        {
          ...notModified,
          ...ok(`A page of ${plural}`, schema(`${name}_list`)),
          ...problems('bad-query', 'bad-cursor', 'unavailable'),
        },
      ),
    },
    ...both(`_${name}`, `${at}/{id}`, byId, orSlug),
    ...both(`_${name}_by_slug`, `${at}/{owner}/{slug}`, bySlug, (handle) => handle),
  ]
  return routes.map((route) => ({ ...route, kind: name }))
}

type Handler = (place: Place) => Promise<Answer>

async function atPlace(c: Context, kind: Kind, handle: Handler): Promise<Answer> {
  const place = placeOf(c, kind)
  return isProblem(place) ? place : handle(place)
}

const notFound: Problem = { problem: 'not-found', detail: 'there is no such record' }

/** The record that a path names. */
export function placeOf(c: Context, kind: Kind): Place | Problem {
  const segments = segmentsOf(c)
  if (segments === undefined) return { problem: 'bad-request', detail: 'the path is not UTF-8 when percent-decoded' }
  const [first = '', slug = ''] = segments.slice(segments[0] === 'v1' ? 2 : 1)
  if (!first.startsWith('did:')) return isHex(first, 64) ? { kind: kind.name, id: first } : notFound
  const owner = didToOwner(first)
  return owner !== undefined && isSlug(slug) ? { kind: kind.name, owner, slug } : notFound
}

/** Whether the segment behind the kind is an owner. */
export function namesOwner(c: Context): boolean {
  return /^(\/v1)?\/[a-z]+\/did(:|%3a)/i.test(c.req.path)
}

/** The answer's text of a record, made once for as long as the replica keeps the same merged record in memory. */
const texts = new WeakMap<Merged, string>()

export function recordText(record: Merged, kind: Kind): string {
  let text = texts.get(record)
  if (text === undefined) {
    text = JSON.stringify(toJson(record, kind))
    texts.set(record, text)
  }
  return text
}

async function read(node: NodeFace, kind: Kind, c: Context, place: Place): Promise<Answer> {
  const found = await node.catalogue.read(place)
  if (found.outcome === 'refused') return problemOf(found)
  const etag = etagOf(found.record)
  return taggedAs(c, etag, () => recordText(found.record, kind))
}

async function registerRecord(node: NodeFace, kind: Kind, c: Context): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: true })
  if (isProblem(body)) return body
  return written(kind, await node.catalogue.register(kind, body.value, conditionOf(c)))
}

async function replace(node: NodeFace, kind: Kind, c: Context, place: Place): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: true })
  if (isProblem(body)) return body
  return written(kind, await node.catalogue.replace(place, body.value, conditionOf(c)))
}

async function mergePatch(node: NodeFace, kind: Kind, c: Context, place: Place): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: MERGE_PATCH_TYPES, trusted: true })
  if (isProblem(body)) return body
  return written(kind, await node.catalogue.mergePatch(place, body.value, conditionOf(c)))
}

async function removeRecord(node: NodeFace, kind: Kind, c: Context, place: Place): Promise<Answer> {
  return written(kind, await node.catalogue.remove(place, conditionOf(c)))
}

function conditionOf(c: Context) {
  const when = writeCondition(c.req.header('if-match'), c.req.header('if-none-match'))
  return when === undefined ? {} : { when }
}

function written(kind: Kind, result: Written): Answer {
  if (result.outcome === 'refused') return problemOf(result)
  const { record } = result
  const etag = etagOf(record)
  if (result.outcome === 'removed') return new Response(null, { status: 204, headers: { etag } })
  if (result.outcome !== 'created') return jsonAnswer(recordText(record, kind), 200, { etag })
  return jsonAnswer(recordText(record, kind), 201, { etag, location: `/v1/${kind.plural}/${record.record}` })
}

async function readHistory(node: NodeFace, c: Context, place: Place): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const limit = readLimit(query.get('limit'))
  const cursor = readCursor(query.get('cursor'))
  if (isProblem(limit)) return limit
  if (isProblem(cursor)) return cursor
  const after = cursor === undefined ? undefined : cidToOpId(cursor)
  if (cursor !== undefined && after === undefined) return badCursor
  const page = await node.catalogue.history(place, { limit, ...(after !== undefined && { after }) })
  if (page.outcome === 'refused') return problemOf(page)
  const next = page.next === undefined ? undefined : opIdToCid(page.next)
  const record = await node.catalogue.readAny(place)
  const items = page.items.map((op) => ({ ...opToJson(op), ...countsFor(op.id, record) }))
  const text = JSON.stringify({ items, ...(next !== undefined && { next_cursor: next }) })
  if (next === undefined) return tagged(c, text)
  return tagged(c, text, 'application/json', { link: nextLink(c.req.path, query, { cursor: next }) })
}

async function readHeads(node: NodeFace, kind: Kind, c: Context, place: Place): Promise<Answer> {
  const record = await node.catalogue.readAny(place)
  if (record === undefined) return problemOf(await node.catalogue.absent(place))
  const text = () =>
    JSON.stringify({
      heads: record.heads.map(opIdToCid),
      conflicts: toJson(record, kind).conflicts ?? {},
      ...remarksJson(record),
    })
  return taggedAs(c, etagOf(record), text)
}
