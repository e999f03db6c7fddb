/**
 * Searches that are kept by name, and what the log means to them: records that come to meet one, that change and still
 * do, and that do no longer. As JSON Lines a page at a time, or as Server-Sent Events that resume with Last-Event-ID.
 *
 * A search need not be kept to be followed: /v1/search/changes takes the words and the filter in its query.
 */
import type { Context } from 'hono'
import { kindOf, kinds, type Value, valueToJson } from '../crdt/index.ts'
import {
  changeToJson,
  httpBodyBytesMax,
  isSearchName,
  type ListQuery,
  type MatchChange,
  type Matcher,
  matchFollowersMax,
  type NodeFace,
  pageItemsMax,
  type SavedSearch,
} from '../node/index.ts'
import { JSON_TYPES, readJsonBody } from './body.ts'
import { nextLink, readLimit } from './cursor.ts'
import {
  EVENTS_TYPE,
  eventText,
  Feed,
  type FeedSource,
  LINES_TYPE,
  placeText,
  readSince,
  VARIES,
  wantsEvents,
} from './feed.ts'
import {
  created,
  describe,
  noContent,
  ok,
  okTyped,
  parameters,
  problems,
  requestBody,
  schema,
} from './openapi-parts.ts'
import { isProblem } from './problem.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf, typedAnswer, type Visit } from './route.ts'
import { badQuery, find, queryProblem, readQuery } from './search.ts'

/** Changes looked at for one page of events, each with what it meant to its record. */
const FOLLOWER_PAGE = 256

export function savedSearchRoutes(node: NodeFace, closing: AbortSignal): Route[] {
  const about = describe('search')
  const at = '/v1/searches/{search}'
  const search = schema('SavedSearch')
  const feed = new Feed(node.replica, closing, matchFollowersMax)
  const follow = [parameters.since, parameters.limit, parameters.lastEventId]
  const told = {
    ...okTyped('One MatchChange a line, or one an event whose id is the seq', {
      [LINES_TYPE]: schema('MatchChange'),
      [EVENTS_TYPE]: { type: 'string' },
    }),
    ...problems('bad-query', 'busy'),
  }
  return [
    {
      method: 'POST',
      path: '/v1/searches',
      token: true,
      handle: (c) => save(node, c),
      operation: about(
        'save_search',
        'Keeps a search under a name, to be followed from now on',
        [],
        {
          ...ok('It is kept already', search),
          ...created(search),
          ...problems('unauthorised', 'bad-request', 'bad-query', 'exists', 'too-large', 'unsupported-type', 'busy'),
        },
        requestBody(schema('SearchToSave'), JSON_TYPES),
      ),
    },
    {
      method: 'GET',
      path: '/v1/searches',
      handle: async () => jsonAnswer(JSON.stringify({ items: (await node.catalogue.saved.list()).map(toJson) })),
      operation: about('list_searches', 'Lists the searches that are kept', [], {
        ...ok('All of them', schema('SavedSearches')),
      }),
    },
    {
      method: 'GET',
      path: at,
      handle: (c) => withSearch(node, c, (saved) => jsonAnswer(JSON.stringify(toJson(saved)))),
      operation: about('get_search', 'Reads a search that is kept', [parameters.search], {
        ...ok('As it was saved', search),
        ...problems('not-found'),
      }),
    },
    {
      method: 'DELETE',
      path: at,
      token: true,
      handle: (c) => withSearch(node, c, (saved) => remove(node, saved)),
      operation: about('delete_search', 'Forgets a search', [parameters.search], {
        ...noContent,
        ...problems('unauthorised', 'not-found'),
      }),
    },
    {
      method: 'GET',
      path: `${at}/changes`,
      handle: (c, visit) => withSearch(node, c, (saved) => changes(node, feed, c, visit, saved, saved.since)),
      operation: about(
        'search_changes',
        'What came to meet a search, changed or met it no longer, in order of arrival; from when it was saved unless told where',
        [parameters.search, ...follow],
        { ...told, ...problems('bad-query', 'busy', 'not-found') },
      ),
    },
    {
      method: 'GET',
      path: '/v1/search/changes',
      handle: (c, visit) => followQuery(node, feed, c, visit),
      operation: about(
        'query_changes',
        'The same for a search that is not kept; from the beginning unless told where',
        [parameters.query, parameters.filter, parameters.onlyKinds, ...follow],
        told,
      ),
    },
  ]
}

type Wanted = Omit<SavedSearch, 'name' | 'since'>

async function save(node: NodeFace, c: Context): Promise<Answer> {
  const body = await readJsonBody(c, { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: true })
  if (isProblem(body)) return body
  const { name, ...rest } = (typeof body.value === 'object' && body.value !== null ? body.value : {}) as {
    name?: unknown
  }
  const other = Object.keys(rest).find((key) => !['query', 'filters', 'kinds'].includes(key))
  if (other !== undefined) return badQuery(`there is no such member: ${other.slice(0, 100)}`, `/${other.slice(0, 100)}`)
  if (typeof name !== 'string' || !isSearchName(name)) {
    return badQuery('expected 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first', '/name')
  }
  const query = readQuery(rest, undefined)
  if (isProblem(query)) return query
  // Also whether its fields exist, which only the index knows.
  const found = await find(node, { ...query, limit: 1 }, '/filters')
  if (isProblem(found)) return found
  const { limit: _limit, ...wanted } = query
  const { outcome, search } = await node.catalogue.saved.save({ name, ...(wanted as Wanted) })
  if (outcome === 'exists') return { problem: 'exists', detail: `another search is kept as ${name}: delete it first` }
  const text = JSON.stringify(toJson(search))
  return outcome === 'created' ? jsonAnswer(text, 201, { location: `/v1/searches/${name}` }) : jsonAnswer(text)
}

async function remove(node: NodeFace, { name }: SavedSearch): Promise<Answer> {
  await node.catalogue.saved.remove(name)
  return new Response(null, { status: 204 })
}

async function withSearch(
  node: NodeFace,
  c: Context,
  answer: (saved: SavedSearch) => Answer | Promise<Answer>,
): Promise<Answer> {
  const name = segmentsOf(c)?.[2] ?? ''
  const saved = await node.catalogue.saved.get(name)
  return saved === undefined ? { problem: 'not-found', detail: 'no search is kept under this name' } : answer(saved)
}

function followQuery(node: NodeFace, feed: Feed, c: Context, visit: Visit): Answer | Promise<Answer> {
  const parameters = new URL(c.req.url).searchParams
  const [query, filter] = [parameters.get('query'), parameters.get('filter')]
  const only = parameters.get('kinds')?.split(',')
  if (only !== undefined && !only.every((name) => kindOf(name) !== undefined)) {
    return badQuery(`expected some of ${Object.keys(kinds).join(', ')}, comma between them`, '/kinds')
  }
  const wanted: Wanted = {
    ...(query !== null && { query }),
    ...(filter !== null && { filter }),
    ...(only !== undefined && { kinds: only }),
  }
  return changes(node, feed, c, visit, wanted, 0)
}

async function changes(
  node: NodeFace,
  feed: Feed,
  c: Context,
  visit: Visit,
  { query, filter, filters, kinds: only }: Wanted,
  from: number,
): Promise<Answer> {
  const asked = {
    ...(query !== undefined && { query }),
    ...(filter !== undefined && { filter }),
    ...(filters !== undefined && { filters }),
    ...(only !== undefined && { kinds: only }),
  } satisfies Omit<ListQuery, 'limit'>
  const matcher = node.catalogue.matcher(asked)
  if ('problem' in matcher) return queryProblem(matcher)
  const parameters = new URL(c.req.url).searchParams
  const since = readSince(c, parameters, from)
  if (isProblem(since)) return since
  const limit = readLimit(parameters.get('limit'), pageItemsMax)
  if (isProblem(limit)) return limit
  if (wantsEvents(c)) return feed.answer(c, visit, sourceOf(node, matcher, JSON.stringify(asked)), since)
  const { matches, last, more } = await node.catalogue.matches(matcher, since, limit)
  return typedAnswer(matches.map((match) => `${textOf(match)}\n`).join(''), LINES_TYPE, {
    ...VARIES,
    ...(more && { link: nextLink(c.req.path, parameters, { since: String(last) }) }),
  })
}

function sourceOf(node: NodeFace, matcher: Matcher, name: string): FeedSource {
  return {
    name,
    read: async (since) => {
      const { matches, last } = await node.catalogue.matches(matcher, since, FOLLOWER_PAGE)
      if (last === since) return undefined
      const text = matches.map((match) => eventText(match.change.seq, textOf(match))).join('')
      return { text: matches.at(-1)?.change.seq === last ? text : text + placeText(last), last }
    },
  }
}

function textOf({ change, match, slug, name }: MatchChange): string {
  return JSON.stringify({
    ...changeToJson(change),
    match,
    ...(slug !== undefined && { slug }),
    ...(name !== undefined && { name: valueToJson(name) }),
  })
}

function toJson({ name, query, kinds: only, filter, filters, since }: SavedSearch) {
  const object =
    filters && Object.fromEntries(Object.entries(filters).map(([key, value]) => [key, valueToJson(value as Value)]))
  return {
    name,
    ...(query !== undefined && { query }),
    ...(only !== undefined && { kinds: only }),
    ...((filter ?? object) !== undefined && { filters: filter ?? object }),
    since,
    changes: `/v1/searches/${name}/changes`,
  }
}
