/**
 * What explains the node to those who call it: a page for every problem, the interface as a page and as Markdown, and
 * llms.txt for agents. All of it is made from the routes and the problem table, needs no script to be read, and is
 * served by this node alone.
 */
import type { Context } from 'hono'
import { html, raw } from 'hono/html'
import markdownIt from 'markdown-it'
import sanitizeHtml from 'sanitize-html'
import type { NodeFace } from '../node/index.ts'
import { noneMatch, tagged, textTag } from './etag.ts'
import { describe, notModified, okTyped, parameters, problems } from './openapi-parts.ts'
import { llmsText, openApiMarkdown } from './openapi-text.ts'
import { pageAnswer } from './pages/layout.ts'
import type { Html } from './pages/text.ts'
import { PROBLEMS, type ProblemCode } from './problem.ts'
import { type Answer, type Route, segmentsOf } from './route.ts'

/** `document` is asked for when it is needed: it describes these routes too. */
export function docRoutes(node: NodeFace, document: () => Record<string, unknown>): Route[] {
  const about = describe('node')
  const markdown = once(() => openApiMarkdown(document()))
  const docs = once(() => raw(htmlOf(markdown())))
  const llms = once(() => llmsText(document()))
  const show = (c: Context, title: string, main: Html) => docPage(node, c, title, main)
  const text = (description: string, type: string) => ({
    ...okTyped(description, { [type]: { type: 'string' } }),
    ...notModified,
  })
  const route = (path: string, handle: Route['handle'], operation: Route['operation']): Route => ({
    method: 'GET',
    path,
    open: true,
    handle,
    operation,
  })
  const problem = (c: Context): Answer | Promise<Answer> => {
    const code = segmentsOf(c)?.[1] ?? ''
    if (!Object.hasOwn(PROBLEMS, code)) return { problem: 'not-found', detail: 'there is no such problem' }
    return show(c, PROBLEMS[code as ProblemCode][1], aboutProblem(code as ProblemCode))
  }
  return [
    route(
      '/docs',
      (c) => show(c, 'The HTTP interface', docs()),
      about('docs', 'The interface as a page', [parameters.ifNoneMatch], text('A page', 'text/html')),
    ),
    route(
      '/openapi.md',
      (c) => tagged(c, markdown(), 'text/markdown; charset=utf-8'),
      about('openapi_md', 'The interface as Markdown', [parameters.ifNoneMatch], text('Markdown', 'text/markdown')),
    ),
    route(
      '/llms.txt',
      (c) => tagged(c, llms(), 'text/plain; charset=utf-8'),
      about('llms', 'Where an agent begins to read', [parameters.ifNoneMatch], text('As llmstxt.org', 'text/plain')),
    ),
    route(
      '/problems',
      (c) => show(c, 'Problems', listOfProblems()),
      about(
        'problems',
        'All problems that a request can be answered with',
        [parameters.ifNoneMatch],
        text('A page', 'text/html'),
      ),
    ),
    {
      ...route(
        '/problems/{code}',
        problem,
        about('problem', 'What one problem means and what to do', [parameters.code, parameters.ifNoneMatch], {
          ...text('A page', 'text/html'),
          ...problems('not-found'),
        }),
      ),
      page: problem,
    },
  ]
}

async function docPage(node: NodeFace, c: Context, title: string, content: Html): Promise<Answer> {
  const main = html`<div class="wide narrow-ish stack"><div class="markdown">${content}</div></div>`
  const etag = textTag(`${node.version}\n${node.networkName}\n${await main}`)
  if (noneMatch(c.req.header('if-none-match'), etag)) {
    return pageAnswer(node, { title: `${title} · Peerage`, main, headers: { etag } })
  }
  return new Response(null, { status: 304, headers: { etag, 'cache-control': 'no-cache' } })
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Descriptions are ours today; a table of fields may one day come from elsewhere, so nothing is trusted here. */
function htmlOf(markdown: string): string {
  return sanitizeHtml(markdownIt({ html: false, linkify: false }).render(markdown), {
    allowedTags: sanitizeHtml.defaults.allowedTags.filter((tag) => tag !== 'img'),
    allowedAttributes: { a: ['href'], table: ['tabindex'] },
    allowedSchemes: ['http', 'https'],
    allowProtocolRelative: false,
    // What may be wider than the page scrolls by itself, and by the keyboard.
    transformTags: { table: () => ({ tagName: 'table', attribs: { tabindex: '0' } }) },
  })
}

function aboutProblem(code: ProblemCode): Html {
  const [status, title, help] = PROBLEMS[code]
  return html`<h1>${title}</h1>
<p><code>${code}</code>, HTTP status ${status}</p>
<p>${help.split('`').map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part))}</p>
<p><a href="/problems">All problems</a> · <a href="/docs">The interface</a></p>`
}

function listOfProblems(): Html {
  const rows = Object.entries(PROBLEMS).map(
    ([code, [status, title]]) =>
      html`<tr><td>${status}</td><td><a href="/problems/${code}"><code>${code}</code></a></td><td>${title}</td></tr>`,
  )
  return html`<h1>Problems</h1>
<p>Errors are RFC 9457 problem documents: <code>type</code> leads to one of these pages, and <code>code</code> is its name.</p>
<table tabindex="0"><thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead><tbody>${rows}</tbody></table>`
}
