/**
 * What explains the node to those who call it: a page for every problem, the interface as a page and as Markdown, and
 * llms.txt for agents. All of it is made from the routes and the problem table, and served by this node alone.
 */
import markdownIt from 'markdown-it'
import sanitizeHtml from 'sanitize-html'
import { tagged } from './etag.ts'
import { describe, okTyped, parameters, problems } from './openapi-parts.ts'
import { llmsText, openApiMarkdown } from './openapi-text.ts'
import { escapeHtml, page } from './page.ts'
import { PROBLEMS, type ProblemCode } from './problem.ts'
import { type Route, segmentsOf } from './route.ts'

/** `document` is asked for when it is needed: it describes these routes too. */
export function docRoutes(document: () => Record<string, unknown>): Route[] {
  const about = describe('node')
  const html = (description: string) => okTyped(description, { 'text/html': { type: 'string' } })
  const markdown = once(() => openApiMarkdown(document()))
  const docs = once(() => htmlOf(markdown()))
  const llms = once(() => llmsText(document()))
  return [
    {
      method: 'GET',
      path: '/docs',
      open: true,
      handle: (c) => page(c, 'Peerage: the HTTP interface', docs()),
      operation: about('docs', 'The interface as a page', [], html('A page')),
    },
    {
      method: 'GET',
      path: '/openapi.md',
      open: true,
      handle: (c) => tagged(c, markdown(), MARKDOWN),
      operation: about('openapi_md', 'The interface as Markdown', [], {
        ...okTyped('Markdown', { 'text/markdown': { type: 'string' } }),
      }),
    },
    {
      method: 'GET',
      path: '/llms.txt',
      open: true,
      handle: (c) => tagged(c, llms(), 'text/plain; charset=utf-8'),
      operation: about('llms', 'Where an agent begins to read', [], {
        ...okTyped('Markdown as llms.txt has it', { 'text/plain': { type: 'string' } }),
      }),
    },
    {
      method: 'GET',
      path: '/problems',
      open: true,
      handle: (c) => page(c, 'Problems', listOfProblems()),
      operation: about('problems', 'All problems that a request can be answered with', [], html('A page')),
    },
    {
      method: 'GET',
      path: '/problems/{code}',
      open: true,
      handle: (c) => {
        const code = segmentsOf(c)?.[1] ?? ''
        if (!Object.hasOwn(PROBLEMS, code)) return { problem: 'not-found', detail: 'there is no such problem' }
        return page(c, PROBLEMS[code as ProblemCode][1], pageOf(code as ProblemCode))
      },
      operation: about('problem', 'What one problem means and what to do', [parameters.code], {
        ...html('A page'),
        ...problems('not-found'),
      }),
    },
  ]
}

const MARKDOWN = 'text/markdown; charset=utf-8'

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Descriptions are ours today; a table of fields may one day come from elsewhere, so nothing is trusted here. */
function htmlOf(markdown: string): string {
  const html = markdownIt({ html: false, linkify: false }).render(markdown)
  return sanitizeHtml(html, {
    allowedTags: [...sanitizeHtml.defaults.allowedTags.filter((tag) => tag !== 'img')],
    allowedAttributes: { a: ['href'] },
    allowedSchemes: ['http', 'https'],
    allowProtocolRelative: false,
  })
}

function pageOf(code: ProblemCode): string {
  const [status, title, help] = PROBLEMS[code]
  return `<h1>${escapeHtml(title)}</h1>
<p><code>${code}</code>, HTTP status ${status}</p>
<p>${escapeHtml(help).replace(/`([^`]*)`/g, '<code>$1</code>')}</p>
<p><a href="/problems">All problems</a> · <a href="/docs">The interface</a></p>`
}

function listOfProblems(): string {
  const rows = Object.entries(PROBLEMS).map(
    ([code, [status, title]]) =>
      `<tr><td>${status}</td><td><a href="/problems/${code}"><code>${code}</code></a></td><td>${escapeHtml(title)}</td></tr>`,
  )
  return `<h1>Problems</h1>
<p>Errors are RFC 9457 problem documents: <code>type</code> leads to one of these pages, and <code>code</code> is its name.</p>
<table><thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table>`
}
