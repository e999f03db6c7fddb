/**
 * Every page. Where a page has the path of a JSON route, browsers get the page and programs the JSON; the others are
 * pages alone, and no part of the HTTP interface that OpenAPI describes (`PAGE_PATHS`).
 */
import type { Context } from 'hono'
import { kinds } from '../../crdt/index.ts'
import type { NodeFace } from '../../node/index.ts'
import type { Answer } from '../route.ts'
import { serveAsset } from './assets.ts'
import { cataloguePage } from './catalogue.ts'

export type PageRoute = {
  /** As routes write it: `/{kinds}/{id}`. */
  readonly path: string
  readonly page: (c: Context) => Answer | Promise<Answer>
  /** Holds nothing of the catalogue. */
  readonly open?: true
}

/** Paths that answer with pages and files for browsers, and with nothing else. */
export const PAGE_PATHS = ['/', '/assets/{name}'] as const

export function pageRoutes(node: NodeFace): readonly PageRoute[] {
  const alone: Readonly<Record<(typeof PAGE_PATHS)[number], Omit<PageRoute, 'path'>>> = {
    '/': { page: (c) => cataloguePage(node, c) },
    '/assets/{name}': { page: serveAsset, open: true },
  }
  const shared = Object.values(kinds).flatMap((kind): PageRoute[] => [
    { path: `/${kind.plural}`, page: (c) => cataloguePage(node, c, kind) },
  ])
  return [...PAGE_PATHS.map((path) => ({ path, ...alone[path] })), ...shared]
}
