/**
 * Every page. Where a page has the path of a JSON route, browsers get the page and programs the JSON; the others are
 * pages alone, and no part of the HTTP interface that OpenAPI describes (`PAGE_PATHS`).
 */
import type { Context } from 'hono'
import { type Kind, kinds, type Merged } from '../../crdt/index.ts'
import type { NodeFace } from '../../node/index.ts'
import { isProblem, problemOf } from '../problem.ts'
import { namesOwner, placeOf } from '../records.ts'
import type { Answer, Visit } from '../route.ts'
import { Activity } from './activity.ts'
import { serveAsset } from './assets.ts'
import { cataloguePage } from './catalogue.ts'
import { historyPage } from './history-page.ts'
import { nodePage } from './node-page.ts'
import { publisherPage } from './publisher-page.ts'
import { recordPage } from './record-page.ts'

export type PageRoute = {
  /** As routes write it: `/{kinds}/{id}`. */
  readonly path: string
  readonly page: (c: Context, visit: Visit) => Answer | Promise<Answer>
  /** Holds nothing of the catalogue. */
  readonly open?: true
}

/** Paths that answer with pages and files for browsers, and with nothing else. */
export const PAGE_PATHS = ['/', '/node', '/publishers/{did}', '/assets/{name}'] as const

/** When `closing` fires, nothing is counted any more. */
export function pageRoutes(node: NodeFace, closing: AbortSignal): readonly PageRoute[] {
  const activity = new Activity(node, closing)
  const alone: Readonly<Record<(typeof PAGE_PATHS)[number], Omit<PageRoute, 'path'>>> = {
    '/': { page: (c) => cataloguePage(node, c) },
    '/node': { page: (c) => nodePage(node, c, activity) },
    '/publishers/{did}': { page: (c) => publisherPage(node, c) },
    '/assets/{name}': { page: serveAsset, open: true },
  }
  return [
    ...PAGE_PATHS.map((path) => ({ path, ...alone[path] })),
    ...Object.values(kinds).flatMap((kind) => kindRoutes(node, kind)),
  ]
}

function kindRoutes(node: NodeFace, kind: Kind): PageRoute[] {
  const record: PageRoute['page'] = (c, visit) =>
    withRecord(node, c, kind, (found) => recordPage(node, found, kind, visit.origin()))
  const history = (c: Context) => withRecord(node, c, kind, (found) => historyPage(node, c, found))
  const at = `/${kind.plural}`
  return [
    { path: at, page: (c) => cataloguePage(node, c, kind) },
    { path: `${at}/{id}`, page: record },
    // As for the JSON: it may be the record of the owner {id} whose slug is "history".
    { path: `${at}/{id}/history`, page: (c, visit) => (namesOwner(c) ? record(c, visit) : history(c)) },
    { path: `${at}/{owner}/{slug}`, page: record },
    { path: `${at}/{owner}/{slug}/history`, page: history },
  ]
}

/** Live or deleted. */
async function withRecord(
  node: NodeFace,
  c: Context,
  kind: Kind,
  page: (record: Merged) => Promise<Answer>,
): Promise<Answer> {
  const place = placeOf(c, kind)
  if (isProblem(place)) return place
  const record = await node.catalogue.readAny(place)
  return record === undefined ? problemOf(await node.catalogue.absent(place)) : page(record)
}
