/**
 * The register as an AI catalogue for crawlers: /.well-known/ai-catalog.json names one catalogue for each kind, and a
 * kind with more records than fit on a page names its pages. Ids are hashes, so that equal slices of the id space are
 * about equally full, and a page's address stays the same while records come and go.
 */
import type { Context } from 'hono'
import { type Kind, kindOfPlural, kinds, type Merged } from '../../crdt/index.ts'
import { catalogPageEntries, type NodeFace, pageItemsMax } from '../../node/index.ts'
import { describe, problems } from '../openapi-parts.ts'
import type { Problem } from '../problem.ts'
import { type Answer, type Route, segmentsOf, typedAnswer } from '../route.ts'
import { CATALOG_TYPE, catalogEntry } from './catalog-entry.ts'
import { asked, theirs } from './openapi.ts'

export function catalogRoutes(node: NodeFace): Route[] {
  const about = describe('interop')
  const page = theirs('AI Catalog 1.0', CATALOG_TYPE)
  return [
    {
      method: 'GET',
      path: '/.well-known/ai-catalog.json',
      handle: (_c, visit) => root(node, visit.origin()),
      operation: about('ai_catalog', 'The AI catalogue of this node: one catalogue for each kind', [], {
        ...page,
        ...problems('bad-request'),
      }),
    },
    {
      method: 'GET',
      path: '/ard/catalog/{kinds}',
      handle: (c, visit) => kindPage(node, c, visit.origin()),
      operation: about(
        'ai_catalog_kind',
        'The AI catalogue of a kind, or one page of it',
        [asked.kinds, asked.from, asked.to],
        {
          ...page,
          ...problems('not-found', 'bad-query'),
        },
      ),
    },
  ]
}

function catalog(
  node: NodeFace,
  origin: string,
  entries: readonly unknown[],
  headers: Record<string, string> = {},
): Response {
  const body = {
    specVersion: '1.0',
    host: { displayName: `Peerage (${node.networkName})`, ...(node.did !== undefined && { identifier: node.did }) },
    entries,
  }
  const link = [`<${origin}/.well-known/ai-catalog.json>; rel="ai-catalog"`, headers['link']].filter(Boolean).join(', ')
  return typedAnswer(JSON.stringify(body), CATALOG_TYPE, {
    vary: 'host',
    ...headers,
    link,
  })
}

function root(node: NodeFace, origin: string): Answer {
  const entries = Object.values(kinds).map((kind) => ({
    identifier: `${node.did ?? origin}/${kind.plural}`,
    displayName: kind.plural,
    description: kind.note,
    type: CATALOG_TYPE,
    url: `${origin}/ard/catalog/${kind.plural}`,
  }))
  return catalog(node, origin, entries)
}

async function kindPage(node: NodeFace, c: Context, origin: string): Promise<Answer> {
  const kind = kindOfPlural(segmentsOf(c)?.[2] ?? '')
  if (kind === undefined) return { problem: 'not-found', detail: 'there is no such kind' }
  const query = new URL(c.req.url).searchParams
  const from = query.get('from')
  const to = query.get('to')
  const count = node.replica.counts().records[kind.name] ?? 0
  if (from === null && to === null && count > pageItemsMax)
    return catalog(node, origin, pagesOf(node, origin, kind, count))
  if (![from, to].every((edge) => edge === null || /^[0-9a-f]{1,64}$/.test(edge))) return badEdge
  return records(node, origin, kind, from ?? '', to ?? '')
}

const badEdge: Problem = { problem: 'bad-query', detail: 'from and to are beginnings of record ids' }

const EDGE_DIGITS = 8

/** Slices that are expected to hold fewer records than a page may, by far. */
function pagesOf(node: NodeFace, origin: string, kind: Kind, count: number): readonly unknown[] {
  const pages = Math.ceil(count / catalogPageEntries)
  const edge = (page: number) => Math.floor((page * 2 ** 32) / pages)
  const digits = (number: number) => number.toString(16).padStart(EDGE_DIGITS, '0')
  return Array.from({ length: pages }, (_, page) => {
    const query = `from=${digits(edge(page))}&to=${digits(edge(page + 1) - 1)}`
    return {
      identifier: `${node.did ?? origin}/${kind.plural}?${query}`,
      displayName: `${kind.plural}, page ${page + 1} of ${pages}`,
      type: CATALOG_TYPE,
      url: `${origin}/ard/catalog/${kind.plural}?${query}`,
    }
  })
}

/** A slice that somebody has filled on purpose goes on where Link says. */
async function records(node: NodeFace, origin: string, kind: Kind, from: string, to: string): Promise<Answer> {
  const first = from.padEnd(64, '0')
  const last = to.padEnd(64, 'f')
  const found: readonly Merged[] = [
    ...(await firstOf(node, kind, first)),
    ...(await node.replica.list({ kind: kind.name, after: first, limit: pageItemsMax + 1, live: true })),
  ]
  const inside = found.filter(({ record }) => record >= first && record <= last)
  const page = inside.slice(0, pageItemsMax)
  const next = inside[pageItemsMax]?.record
  const more =
    next === undefined ? undefined : `<${origin}/ard/catalog/${kind.plural}?from=${next}&to=${last}>; rel="next"`
  return catalog(
    node,
    origin,
    page.map((record) => catalogEntry(record, origin)),
    more === undefined ? {} : { link: more },
  )
}

/** The record exactly at the edge: a list begins behind an id. */
async function firstOf(node: NodeFace, kind: Kind, id: string): Promise<readonly Merged[]> {
  const record = await node.replica.record(id)
  return record?.live === true && record.kind === kind.name ? [record] : []
}
