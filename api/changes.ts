/**
 * GET /v1/changes: every op in order of arrival, as JSON Lines a page at a time, or as Server-Sent Events for as long
 * as the reader stays; it resumes with Last-Event-ID.
 */
import type { Context } from 'hono'
import { type Change, changeToJson, followersMax, type NodeFace, pageItemsMax } from '../node/index.ts'
import { nextLink, readLimit } from './cursor.ts'
import { tagged } from './etag.ts'
import {
  EVENTS_TYPE,
  eventText,
  Feed,
  type FeedPage,
  type FeedSource,
  LINES_TYPE,
  readSince,
  VARIES,
  wantsEvents,
} from './feed.ts'
import { describe, notModified, okTyped, parameters, problems, schema } from './openapi-parts.ts'
import { isProblem } from './problem.ts'
import type { Answer, Route, Visit } from './route.ts'

/** Changes read at once for a follower; about 100 KB as text. */
const FOLLOWER_PAGE = 256

export function changeRoutes(node: NodeFace, closing: AbortSignal): Route[] {
  const feed = new Feed(node.replica, closing, followersMax)
  const source: FeedSource = {
    name: '',
    read: async (since) => eventsOf(await node.replica.changes(since, FOLLOWER_PAGE)),
  }
  return [
    {
      method: 'GET',
      path: '/v1/changes',
      handle: (c, visit) => changes(node, feed, source, c, visit),
      operation: describe('changes')(
        'changes',
        'Every op in order of arrival; as Server-Sent Events when asked for',
        [parameters.since, parameters.limit, parameters.lastEventId, parameters.ifNoneMatch],
        {
          ...okTyped('One Change a line, or one an event whose id is the seq', {
            [LINES_TYPE]: schema('Change'),
            [EVENTS_TYPE]: { type: 'string' },
          }),
          ...notModified,
          ...problems('bad-query', 'busy'),
        },
      ),
    },
  ]
}

async function changes(node: NodeFace, feed: Feed, source: FeedSource, c: Context, visit: Visit): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const events = wantsEvents(c)
  const since = readSince(c, query)
  if (isProblem(since)) return since
  const limit = readLimit(query.get('limit'), pageItemsMax)
  if (isProblem(limit)) return limit
  if (events) return feed.answer(c, visit, source, since)
  const page = await node.replica.changes(since, limit)
  const last = page.at(-1)?.seq
  const more = last !== undefined && page.length === limit
  return tagged(c, page.map((change) => `${textOf(change)}\n`).join(''), LINES_TYPE, {
    ...VARIES,
    ...(more && { link: nextLink(c.req.path, query, { since: String(last) }) }),
  })
}

function textOf(change: Change): string {
  return JSON.stringify(changeToJson(change))
}

function eventsOf(page: readonly Change[]): FeedPage | undefined {
  const last = page.at(-1)
  return last && { text: page.map((change) => eventText(change.seq, textOf(change))).join(''), last: last.seq }
}
