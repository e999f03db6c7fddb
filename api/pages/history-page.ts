/** The ops of a record, newest first, each with who signed it, when, and what it changed. */
import type { Context } from 'hono'
import { html } from 'hono/html'
import {
  cidToOpId,
  DELETE,
  ERASE,
  keyToDid,
  kindOf,
  type Merged,
  OP_TYPES,
  type Op,
  opIdToCid,
  ownerToDid,
  readBody,
} from '../../crdt/index.ts'
import { diffsShownMax, type NodeFace, pageOpsMax } from '../../node/index.ts'
import { readCursor } from '../cursor.ts'
import { opToJson } from '../history.ts'
import { isProblem } from '../problem.ts'
import type { Answer } from '../route.ts'
import { type Budget, pageBudget } from './budget.ts'
import { kindBadge, publisherPath, recordPath } from './card.ts'
import { changesHtml } from './diff-html.ts'
import { titleOf } from './doc.ts'
import { diffDocs } from './doc-diff.ts'
import { type Step, stepsOf } from './history-diff.ts'
import { pageAnswer } from './layout.ts'
import { type Html, isolated, label, named, plural, shortDid, shortId, time } from './text.ts'

export async function historyPage(node: NodeFace, c: Context, record: Merged): Promise<Answer> {
  const cursor = readCursor(new URL(c.req.url).searchParams.get('cursor'))
  if (isProblem(cursor)) return cursor
  const after = cursor === undefined ? undefined : cidToOpId(cursor)
  if (cursor !== undefined && after === undefined) {
    return { problem: 'bad-cursor', detail: 'the address names an op that is none of this record' }
  }
  const page = await node.replica.history(record.record, { limit: pageOpsMax, ...(after !== undefined && { after }) })
  const here = recordPath(record)
  const title = titleOf(record)
  const kind = kindOf(record.kind)
  const main = html`<div class="wide narrow-ish stack">
<nav class="crumbs" aria-label="Where this is"><a href="/">Catalogue</a> <span aria-hidden="true">/</span> ${kind !== undefined && html`<a href="/?kind=${kind.name}">${label(kind.plural)}</a> <span aria-hidden="true">/</span> `}<a href="${here}">${isolated(title, 80)}</a></nav>
<h1>History of ${named(title)} ${kindBadge(record.kind)}</h1>
<p class="quiet">${plural(record.opCount, 'signed op')}, newest first. None can be changed afterwards: each op names the ones before it by their hash.</p>
${opsHtml(record, await stepsOf(node, record, page.items), Date.now(), pageBudget())}
<nav class="pager" aria-label="Pages">
${cursor !== undefined && html`<a class="button" href="${here}/history">Newest</a>`}
${page.next !== undefined && html`<a class="button next" rel="next" href="${here}/history?cursor=${opIdToCid(page.next)}">Older</a>`}
</nav>
</div>`
  return pageAnswer(node, { title: `History of ${title.slice(0, 80)} · Peerage`, main, json: `/v1${here}/history` })
}

/** The newest ops of a record, for its own page. */
export async function latestOps(node: NodeFace, record: Merged, limit: number): Promise<readonly Step[]> {
  const { items } = await node.replica.history(record.record, { limit })
  return stepsOf(node, record, items)
}

export function opsHtml(record: Merged, steps: readonly Step[], now: number, budget: Budget): Html {
  const owner = ownerToDid(record.owner)
  return html`<ol class="ops">${steps.map((step) => opHtml(record, step, owner, now, budget))}</ol>`
}

function opHtml(record: Merged, step: Step, owner: string, now: number, budget: Budget): Html {
  const { op } = step
  const { header } = op
  const by = keyToDid(header.actor)
  const cid = opIdToCid(op.id)
  const word = WORDS[OP_TYPES[header.type - 1] ?? ''] ?? `op of type ${header.type}`
  const isHead = record.heads.includes(op.id)
  return html`<li class="op"><div class="op-head">
<strong>${word}</strong>
<span>by <a class="mono" href="${publisherPath(by)}" title="${by}">${shortDid(by)}</a>${by === owner ? ', the owner' : header.via === undefined ? '' : ', by a grant of the owner'}</span>
<span>${time(header.w, now)}</span>
${isHead && html`<span class="badge">${record.heads.length > 1 ? 'a head' : 'head'}</span>`}
${header.parents.length > 1 && html`<span class="badge">joins ${plural(header.parents.length, 'branch', 'branches')}</span>`}
${marksOf(record, op).map((mark) => html`<span class="badge warn">${mark}</span>`)}
</div>
<p class="mono quiet op-id"><a href="/v1/ops/${cid}" title="${cid}" download>${shortId(cid, 12, 8)}</a></p>
<details${step.before === undefined ? '' : html` open`}><summary>What it changed</summary>${changedHtml(record, step, budget)}</details></li>`
}

/** Why an op does not count, or counts for less than it says. */
function marksOf(record: Merged, op: Op): string[] {
  const marks: string[] = []
  if (record.voided?.some((each) => each.op === op.id)) marks.push('lost its right, does not count')
  if (record.erased?.includes(op.id)) marks.push('erased')
  else if (op.freed) marks.push('what it says is not held here')
  else if (!readBody(op).effective && op.header.type <= DELETE) marks.push('without effect')
  if (record.equivocations?.some((pair) => pair.includes(op.id))) marks.push('signed beside another by the same key')
  return marks
}

const WORDS: Readonly<Record<string, string>> = {
  genesis: 'Registered',
  put: 'Replaced',
  patch: 'Changed',
  delete: 'Deleted',
  erase: 'Erased',
}

function changedHtml(record: Merged, { op, known, before, after }: Step, budget: Budget): Html {
  if (!known || after === undefined) return wroteHtml(op)
  const kind = kindOf(record.kind)
  const places = (of: Merged | undefined) => new Set(of?.conflicts.map(({ path }) => path.join(' › ')))
  const had = places(before)
  const has = places(after)
  const opened = [...has].filter((place) => !had.has(place))
  const settled = [...had].filter((place) => !has.has(place))
  const gone = op.header.type === ERASE ? 'It took out what the record said.' : 'The record. Its history stays.'
  return html`${after.live || before?.live === false ? changesHtml(diffDocs(before?.doc ?? {}, after.doc), kind, budget) : html`<p>${gone}</p>`}
${opened.length > 0 && html`<p class="note">Opened a conflict at ${isolated(opened.join(', '))}.</p>`}
${settled.length > 0 && html`<p class="note">Settled the conflict at ${isolated(settled.join(', '))}.</p>`}`
}

/** What the op itself says, where what was there before it is not known. */
function wroteHtml(op: Op): Html {
  const { patch } = opToJson(op)
  return html`<ul class="verbs">${patch.slice(0, diffsShownMax).map((verb) => html`<li><code>${isolated(JSON.stringify(verb), 500)}</code></li>`)}</ul>`
}
