/**
 * The files that pages need: a style sheet, two scripts and an icon, read once and served from memory. Their addresses
 * hold a hash of what they contain, so that a browser may keep them for good and a new version has a new address.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Context } from 'hono'
import { noneMatch } from '../etag.ts'
import type { Answer } from '../route.ts'

type Asset = { readonly bytes: Uint8Array; readonly gzip: Uint8Array; readonly type: string; readonly etag: string }

const own = (name: string) => fileURLToPath(new URL(`./assets/${name}`, import.meta.url))

const SOURCES = {
  'style.css': { path: () => own('style.css'), type: 'text/css; charset=utf-8' },
  'page.js': { path: () => own('page.js'), type: 'text/javascript; charset=utf-8' },
  'htmx.js': {
    path: () => fileURLToPath(import.meta.resolve('htmx.org/dist/htmx.min.js')),
    type: 'text/javascript; charset=utf-8',
  },
  'icon.svg': { path: () => own('icon.svg'), type: 'image/svg+xml' },
} as const

export type AssetName = keyof typeof SOURCES

/** By address. Read when the first page is made: commands that serve none do not wait for it. */
let loaded:
  | { readonly byPath: ReadonlyMap<string, Asset>; readonly paths: Readonly<Record<AssetName, string>> }
  | undefined

function load() {
  if (loaded !== undefined) return loaded
  const byPath = new Map<string, Asset>()
  const paths = {} as Record<AssetName, string>
  for (const [name, { path, type }] of Object.entries(SOURCES)) {
    const bytes = new Uint8Array(readFileSync(path()))
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    const dot = name.lastIndexOf('.')
    const address = `/assets/${name.slice(0, dot)}.${hash}${name.slice(dot)}`
    byPath.set(address, { bytes, gzip: new Uint8Array(gzipSync(bytes, { level: 9 })), type, etag: `"${hash}"` })
    paths[name as AssetName] = address
  }
  loaded = { byPath, paths }
  return loaded
}

export function assetPath(name: AssetName): string {
  return load().paths[name]
}

export function serveAsset(c: Context): Answer {
  const asset = load().byPath.get(c.req.path)
  if (asset === undefined) return { problem: 'not-found', detail: 'there is no such file; pages name those there are' }
  const headers = {
    // Weak: plain and compressed are the same file in other bytes.
    etag: `W/${asset.etag}`,
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
    vary: 'accept-encoding',
  }
  if (!noneMatch(c.req.header('if-none-match'), asset.etag)) return new Response(null, { status: 304, headers })
  const zipped = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(c.req.header('accept-encoding') ?? '')
  return new Response((zipped ? asset.gzip : asset.bytes) as BodyInit, {
    headers: { ...headers, 'content-type': asset.type, ...(zipped && { 'content-encoding': 'gzip' }) },
  })
}
