/** What a record's owner wrote in several places at once and has not settled: the sides next to each other. */
import { html } from 'hono/html'
import {
  type Alternative,
  type Conflict,
  type Kind,
  keyToDid,
  kindOf,
  type Merged,
  opIdToCid,
  pointerOf,
} from '../../crdt/index.ts'
import { conflictsShownMax, pageHeadsMax } from '../../node/index.ts'
import type { Budget } from './budget.ts'
import { publisherPath } from './card.ts'
import { textDiffHtml } from './diff-html.ts'
import { count, type Html, isolated, shortDid, shortId, time } from './text.ts'
import { valueHtml } from './value.ts'

export function conflictsHtml(record: Merged, now: number, budget: Budget): Html {
  const kind = kindOf(record.kind)
  const shown = record.conflicts.slice(0, conflictsShownMax)
  const rest = record.conflicts.length - shown.length
  return html`<p class="quiet">Each side was written without knowing of the others. All are kept, and the first is what the rest of this page shows. Writing the field again settles it.</p>
${shown.map((conflict) => conflictHtml(conflict, kind, now, budget))}
${rest > 0 && html`<p class="left-out">… ${count(rest)} more in the JSON</p>`}`
}

function conflictHtml({ path, alternatives }: Conflict, kind: Kind | undefined, now: number, budget: Budget): Html {
  const [first, ...others] = alternatives
  const shown = others.slice(0, pageHeadsMax)
  return html`<section class="conflict"><h3><code>${isolated(pointerOf(path), 120)}</code></h3>
<div class="sides">${first !== undefined && sideHtml(first, undefined, path, kind, now, budget)}${shown.map((side) => sideHtml(side, first, path, kind, now, budget))}</div>
${others.length > shown.length && html`<p class="left-out">… ${count(others.length - shown.length)} more sides in the JSON</p>`}</section>`
}

function sideHtml(
  side: Alternative,
  against: Alternative | undefined,
  path: readonly string[],
  kind: Kind | undefined,
  now: number,
  budget: Budget,
): Html {
  const did = keyToDid(side.actor)
  const cid = opIdToCid(side.op)
  const field = path.length === 1 ? kind?.fields[path[0] as string] : undefined
  // Two words next to each other need no help.
  const differs =
    typeof side.value === 'string' &&
    typeof against?.value === 'string' &&
    side.value !== against.value &&
    side.value.length + against.value.length > 80
  return html`<figure class="side${against === undefined ? ' first' : ''}">
<figcaption>${against === undefined ? html`<span class="badge good">shown</span>` : html`<span class="badge">also written</span>`}
<span>by <a class="mono" href="${publisherPath(did)}" title="${did}">${shortDid(did)}</a></span> <span>${time(side.w, now)}</span>
<a class="mono quiet" href="/v1/ops/${cid}" title="${cid}" download>${shortId(cid, 10, 6)}</a></figcaption>
${side.path !== undefined && html`<p class="quiet">at <code>${isolated(pointerOf(side.path), 120)}</code></p>`}
<div class="says">${
    side.member !== undefined
      ? html`${side.value === undefined ? 'without' : 'with'} ${valueHtml(side.member, undefined, budget)}`
      : side.value === undefined
        ? html`<span class="quiet">removed</span>`
        : valueHtml(side.value, field, budget)
  }</div>
${differs && html`<details open><summary>Compared with what is shown</summary>${textDiffHtml(against.value as string, side.value as string, budget)}</details>`}
</figure>`
}
