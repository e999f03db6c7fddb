/**
 * What stands around every page: head, header, footer, and the headers that keep a page to what this node serves.
 *
 * The policy allows no inline script or style and no other host, not even for pictures: what a record says cannot run,
 * cannot restyle the page, and cannot tell anybody who reads it.
 */
import { html, raw } from 'hono/html'
import type { NodeFace } from '../../node/index.ts'
import { assetPath } from './assets.ts'
import type { Html } from './text.ts'

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-cache',
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** No evaluation, no style of its own, nothing kept in the browser's storage; only this origin is ever asked. */
const HTMX = JSON.stringify({
  allowEval: false,
  allowScriptTags: false,
  historyCacheSize: 0,
  includeIndicatorStyles: false,
  refreshOnHistoryMiss: true,
  scrollIntoViewOnBoost: false,
  selfRequestsOnly: true,
  // The wait between swap and settle is for animations that these pages do not have.
  defaultSettleDelay: 0,
})

export type Page = {
  readonly title: string
  readonly description?: string
  /** Which entry of the navigation this is. */
  readonly at?: 'catalogue' | 'node'
  /** The search box in the header; the catalogue has a larger one of its own. */
  readonly search?: boolean
  /** Where the same is to be had as JSON. */
  readonly json?: string
  readonly canonical?: string
  readonly main: Html
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

export async function pageAnswer(node: NodeFace, page: Page): Promise<Response> {
  const text = String(await document(node, page))
  return new Response(text, { status: page.status ?? 200, headers: { ...HEADERS, ...page.headers } })
}

function document(node: NodeFace, page: Page): Html {
  const { title, description, at, json, canonical, search = true, main } = page
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="htmx-config" content="${HTMX}">
${description !== undefined && html`<meta name="description" content="${description}">`}
${canonical !== undefined && html`<link rel="canonical" href="${canonical}">`}
${json !== undefined && html`<link rel="alternate" type="application/json" href="${json}">`}
<link rel="icon" type="image/svg+xml" href="${assetPath('icon.svg')}">
<link rel="stylesheet" href="${assetPath('style.css')}">
<script src="${assetPath('htmx.js')}" defer></script>
<script src="${assetPath('page.js')}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<div class="wide">
<a class="brand" href="/">${LOGO}<span>Peerage</span></a>
${search && SEARCH}
<nav aria-label="Main"><ul>
<li><a href="/"${at === 'catalogue' ? CURRENT : ''}>Catalogue</a></li>
<li><a href="/node"${at === 'node' ? CURRENT : ''}>Node</a></li>
</ul></nav>
</div>
</header>
<main id="main" tabindex="-1">${main}</main>
<footer class="bottom">
<div class="wide">
<p>What records say is the word of those who signed them: read it as you read a stranger's letter.</p>
<ul>
<li>Peerage ${node.version}</li>
<li>network ${node.networkName}</li>
<li><a href="/docs">HTTP interface</a></li>
<li><a href="/v1/status">Status as JSON</a></li>
</ul>
</div>
</footer>
<p id="announce" class="unseen" role="status"></p>
</body>
</html>
`
}

const CURRENT = raw(' aria-current="page"')

const SEARCH = html`<form class="search" action="/" role="search">
<label class="unseen" for="q">Search the catalogue</label>
<input id="q" name="q" type="search" maxlength="200" placeholder="Search the catalogue" autocomplete="off" spellcheck="false">
<button type="submit">Search</button>
</form>`

const LOGO = raw(
  '<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><rect width="32" height="32" rx="8"/><g fill="none" stroke-width="2.4" stroke-linecap="round"><path d="M10 11.5v9M12 10l8 4.5M12 22l8-4.5"/></g><g class="dots"><circle cx="10" cy="9" r="3.4"/><circle cx="10" cy="23" r="3.4"/><circle cx="22.5" cy="16" r="3.4"/></g></svg>',
)
