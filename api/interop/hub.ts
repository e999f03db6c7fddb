/** The model reads of the Hugging Face hub's API, so that its clients can be pointed at a node. */
import type { Context } from 'hono'
import { kindServing, type Merged, type Value } from '../../crdt/index.ts'
import { modelIdSlashesMax, type NodeFace, pageItemsDefault } from '../../node/index.ts'
import { badCursor, readCursor, readLimit } from '../cursor.ts'
import { tagged } from '../etag.ts'
import { describe, parameters, problems } from '../openapi-parts.ts'
import { isProblem, type Problem } from '../problem.ts'
import { type Answer, jsonAnswer, type Route } from '../route.ts'
import { ALL_KEYS, hubModel, modelIdOf, shaOf, taskOf, typeOfTask } from './hub-model.ts'
import { asked, notTheirs, theirs } from './openapi.ts'

const KIND = kindServing('hub')

export function hubRoutes(node: NodeFace): Route[] {
  const about = describe('interop')
  const entry = theirs('The model as the hub describes it')
  return [
    {
      method: 'GET',
      kind: KIND.name,
      path: '/api/models',
      handle: (c, visit) => listModels(node, c, visit.origin()),
      operation: about(
        'hub_models',
        'Lists models as the Hugging Face hub does',
        [
          parameters.limit,
          parameters.cursor,
          asked.author,
          asked.modelSearch,
          asked.modelFilter,
          asked.pipelineTag,
          asked.modelSort,
          asked.expand,
          asked.numParameters,
        ],
        {
          ...theirs('Models; the next page is in Link', 'application/json', {
            type: 'array',
            items: { type: 'object' },
          }),
          ...problems('bad-query', 'bad-cursor', 'unavailable'),
        },
      ),
    },
    {
      method: 'GET',
      kind: KIND.name,
      path: '/api/models/{modelId}/revision/{revision}',
      manySegments: 'modelId',
      handle: (c) => readModel(node, c),
      operation: about(
        'hub_model_revision',
        'Reads a model at a revision',
        [asked.modelId, asked.revision, asked.expand],
        {
          ...entry,
          ...notTheirs('There is no such model, or no such revision'),
          ...problems('unavailable'),
        },
      ),
    },
    {
      method: 'GET',
      kind: KIND.name,
      path: '/api/models/{modelId}',
      manySegments: 'modelId',
      handle: (c) => readModel(node, c),
      operation: about('hub_model', 'Reads a model', [asked.modelId, asked.expand], {
        ...entry,
        ...notTheirs('There is no such model'),
        ...problems('unavailable'),
      }),
    },
  ]
}

/** The hub counts down unless told otherwise. */
const SORTS: Readonly<Record<string, string>> = {
  downloads: 'downloads',
  likes: 'likes',
  likes30d: 'likes',
  trendingScore: 'likes',
  lastModified: 'updated_at',
  last_modified: 'updated_at',
  createdAt: 'created_at',
  created_at: 'created_at',
  num_parameters: 'parameters',
  mainSize: 'parameters',
  id: 'name',
}

async function listModels(node: NodeFace, c: Context, origin: string): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const limit = readLimit(query.get('limit'), pageItemsDefault)
  const cursor = readCursor(query.get('cursor'))
  const filters = filtersOf(query)
  if (isProblem(limit)) return limit
  if (isProblem(cursor)) return cursor
  if (isProblem(filters)) return filters
  const sort = sortOf(query)
  if (isProblem(sort)) return sort
  const found = await node.catalogue.find({
    kinds: [KIND.name],
    limit,
    filters,
    ...(query.get('search') && { query: query.get('search') as string }),
    ...(cursor !== undefined && { cursor }),
    ...(sort !== undefined && { sort }),
  })
  if ('problem' in found) {
    return found.pointer === '/cursor' ? badCursor : { problem: 'bad-query', detail: found.problem }
  }
  const task = query.get('pipeline_tag')
  const expand = query.getAll('expand').length > 0 || query.get('full') !== 'true' ? query.getAll('expand') : ALL_KEYS
  // A type of model stands for several tasks, so that a page may hold fewer than were asked for.
  const models = found.items
    .filter(({ record }) => task === null || taskOf(record.doc) === task)
    .map(({ record }) => hubModel(record, expand))
  const headers: Record<string, string> = { vary: 'host' }
  if (found.nextCursor !== undefined) {
    query.set('cursor', found.nextCursor)
    headers['link'] = `<${origin}/api/models?${query}>; rel="next"`
  }
  return jsonAnswer(JSON.stringify(models), 200, headers)
}

function sortOf(query: URLSearchParams): string | undefined | Problem {
  const name = query.get('sort')
  if (name === null) return query.get('search') ? undefined : '-downloads'
  const field = SORTS[name]
  if (field === undefined) return { problem: 'bad-query', detail: `sort is one of ${Object.keys(SORTS).join(', ')}` }
  return name === 'id' || query.get('direction') === '1' ? field : `-${field}`
}

function filtersOf(query: URLSearchParams): Readonly<Record<string, Value>> | Problem {
  const filters: Record<string, Value> = {}
  const author = query.get('author')
  const task = query.get('pipeline_tag')
  if (author) filters['provider'] = author
  if (task) filters['model_type'] = typeOfTask(task)
  const tags = query
    .getAll('filter')
    .flatMap((tag) => tag.split(','))
    .filter((tag) => tag !== '')
  const licence = tags.find((tag) => tag.startsWith('license:'))
  const plain = tags.filter((tag) => !tag.startsWith('license:'))
  if (licence !== undefined) filters['license'] = licence.slice('license:'.length)
  if (plain.length > 0) filters['tags'] = plain
  const size = query.get('num_parameters')
  if (size === null) return filters
  for (const part of size.split(',')) {
    const [, bound, digits, unit = ''] = /^(min|max):(\d+(?:\.\d+)?)([KMBT]?)$/i.exec(part.trim()) ?? []
    if (bound === undefined) return { problem: 'bad-query', detail: 'num_parameters is written min:6B,max:128B' }
    filters[bound.toLowerCase() === 'min' ? 'parameters_gte' : 'parameters_lte'] =
      Number(digits) * (UNITS[unit.toUpperCase()] as number)
  }
  return filters
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, B: 1e9, T: 1e12 }

async function readModel(node: NodeFace, c: Context): Promise<Answer> {
  const path = pathOf(c)
  if (path === undefined) return notFound('RepoNotFound', 'Repository not found')
  const record = await modelCalled(node, path.id)
  if (record === undefined) return notFound('RepoNotFound', 'Repository not found')
  const { revision } = path
  if (revision !== undefined && !['main', 'HEAD', shaOf(record.doc)].includes(revision)) {
    return notFound('RevisionNotFound', `Invalid rev id: ${revision}`)
  }
  const expand = new URL(c.req.url).searchParams.getAll('expand')
  return tagged(c, JSON.stringify(hubModel(record, expand.length > 0 ? expand : ALL_KEYS)))
}

/** The id may hold slashes, written as they are or as %2F; of several `/revision/` the last one counts. */
function pathOf(c: Context): { readonly id: string; readonly revision?: string } | undefined {
  const [, raw = '', revision] = /^\/api\/models\/(.+?)(?:\/revision\/([^/]+))?$/.exec(c.req.path) ?? []
  try {
    const id = decodeURIComponent(raw)
    return { id, ...(revision !== undefined && { revision: decodeURIComponent(revision) }) }
  } catch {
    return undefined
  }
}

/**
 * The record of this provider and name; the oldest registration where there are several. Both may hold slashes, so
 * every one of them may be the one in between.
 */
async function modelCalled(node: NodeFace, id: string): Promise<Merged | undefined> {
  const cuts = [...id.matchAll(/\//g)].map(({ index }) => index)
  if (cuts.length > modelIdSlashesMax) return undefined
  const asks: Record<string, Value>[] = cuts.map((at) => ({ provider: id.slice(0, at), name: id.slice(at + 1) }))
  const found = await Promise.all([...asks, { name: id }].map((filters) => oldestFirst(node, filters)))
  return found.flat().find((record) => modelIdOf(record) === id)
}

async function oldestFirst(node: NodeFace, filters: Record<string, Value>): Promise<readonly Merged[]> {
  const found = await node.catalogue.find({ kinds: [KIND.name], filters, sort: 'registered_at', limit: NAMESAKES_MAX })
  return 'problem' in found ? [] : found.items.map(({ record }) => record)
}

/** Models of one name alone, by different publishers; beyond them one without a publisher is not found. */
const NAMESAKES_MAX = 100

function notFound(code: string, message: string): Response {
  return new Response(JSON.stringify({ error: message }), {
    status: 404,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-error-code': code,
      'x-error-message': encodeURIComponent(message).replaceAll('%20', ' '),
    },
  })
}
