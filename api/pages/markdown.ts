/**
 * Strangers' Markdown as HTML: the one place where a record's text becomes markup. It is rendered, then everything that
 * is not on a short list is taken out; pictures become links, for a page loads nothing from elsewhere; links lead to
 * http(s) only, and tell the other side nothing.
 */
import { raw } from 'hono/html'
import markdownIt from 'markdown-it'
import sanitizeHtml from 'sanitize-html'
import { pageTextCharsMax } from '../../node/index.ts'
import { clip, count, type Html, webAddress } from './text.ts'

const renderer = markdownIt('default', { html: true, linkify: true, typographer: false, maxNesting: 20 })

/** Under a page's own headings: h1 and h2 are never a stranger's. */
const HEADINGS = { h1: 'h3', h2: 'h4', h3: 'h5', h4: 'h6', h5: 'h6', h6: 'h6' } as const

const OPTIONS: sanitizeHtml.IOptions = {
  allowedTags: [
    ...['p', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'blockquote', 'pre', 'code', 'hr', 'br', 'dl', 'dt', 'dd'],
    ...['a', 'em', 'strong', 'b', 'i', 's', 'del', 'ins', 'sub', 'sup', 'kbd', 'bdi'],
    ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ],
  allowedAttributes: { a: ['href', 'rel'], ol: ['start'], pre: ['tabindex'], table: ['tabindex'] },
  disallowedTagsMode: 'discard',
  nonTextTags: ['script', 'style', 'textarea', 'option', 'noscript', 'title', 'svg', 'math', 'iframe', 'object'],
  allowedSchemes: ['http', 'https'],
  allowProtocolRelative: false,
  nestingLimit: 50,
  transformTags: {
    ...Object.fromEntries(Object.entries(HEADINGS).map(([from, to]) => [from, to])),
    a: (_tag, { href = '' }) => link(href),
    img: (_tag, { src = '', alt = '' }) => ({ ...link(src), text: `picture: ${alt.slice(0, 200) || 'without words'}` }),
    // What may be wider than the page scrolls by itself, and by the keyboard.
    pre: () => ({ tagName: 'pre', attribs: { tabindex: '0' } }),
    table: () => ({ tagName: 'table', attribs: { tabindex: '0' } }),
  },
}

/** An address that leads nowhere a person wants to be sent is only text. */
function link(address: string): sanitizeHtml.Tag {
  const href = webAddress(address)
  if (href === undefined) return { tagName: 'bdi', attribs: {} }
  return { tagName: 'a', attribs: { href, rel: 'nofollow noopener noreferrer ugc' } }
}

/** Bounded by what a page shows of one text; the rest is said to be left out. */
export function markdown(text: string, charsMax = pageTextCharsMax): Html {
  const { shown, left } = clip(text, charsMax)
  const safe = sanitizeHtml(renderer.render(shown), OPTIONS)
  const rest = left > 0 ? `<p class="left-out">… ${count(left)} more characters in the JSON</p>` : ''
  return raw(`<div class="markdown" dir="auto" hx-disable>${safe}${rest}</div>`)
}
