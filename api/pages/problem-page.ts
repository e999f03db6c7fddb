/**
 * A problem as a person in front of a browser sees it: the same facts as the document that programs get. What there is
 * to know of deleted records is left out, for those have pages.
 */
import { html } from 'hono/html'
import type { NodeFace } from '../../node/index.ts'
import { PROBLEMS, type Problem } from '../problem.ts'
import { pageAnswer } from './layout.ts'
import { isolated } from './text.ts'

export function problemPage(problem: Problem, requestId: string, node: NodeFace): Promise<Response> {
  const [status, title, help] = PROBLEMS[problem.problem]
  const main = html`<div class="wide narrow problem">
<p class="status">${status}</p>
<h1>${title}</h1>
<p>${isolated(sentence(problem.detail), 500)}</p>
${
  problem.errors !== undefined &&
  html`<ul>${problem.errors.map(({ pointer, message }) => html`<li><code>${isolated(pointer)}</code> ${isolated(message)}</li>`)}</ul>`
}
${problem.problem !== 'not-found' && html`<p class="quiet">${help.replaceAll('`', '')}</p>`}
<p><a class="button" href="/">To the catalogue</a></p>
<p class="quiet">Code <a href="/problems/${problem.problem}"><code>${problem.problem}</code></a>, request <code>${requestId}</code></p>
</div>`
  return pageAnswer(node, {
    title: `${title} · Peerage`,
    main,
    status,
    headers: { ...problem.headers, 'cache-control': 'no-store' },
  })
}

/** A detail is written to follow the title of a document. */
function sentence(detail: string): string {
  return detail.charAt(0).toUpperCase() + detail.slice(1) + (/[.!?]$/.test(detail) ? '' : '.')
}
