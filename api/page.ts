/**
 * Pages to read: plain HTML that needs no script, nothing from elsewhere and no style but its own. Whatever ends up in
 * one has been escaped or sanitised by who made it.
 */
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { tagged } from './etag.ts'

/** `html` goes in as it is. */
export function page(c: Context, title: string, html: string): Response {
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${html}
</main>
</body>
</html>
`
  return tagged(c, text, 'text/html; charset=utf-8', PAGE_HEADERS)
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ESCAPES[sign] as string)
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const STYLE = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0}
main{max-width:56rem;margin:0 auto;padding:1rem}
code,pre{font:.875rem/1.4 ui-monospace,monospace}
pre{overflow-x:auto;padding:.75rem;border:1px solid}
table{border-collapse:collapse;display:block;overflow-x:auto}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid}
h2{margin-top:2.5rem}`

/** The one style of these pages is allowed by its hash, so that no other can get in. */
const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}
