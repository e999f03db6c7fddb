/**
 * One record, all of it: what its owner says, who signed that, what is in conflict, how it came about, who holds it, and
 * how to get it from a program.
 */
import { html } from 'hono/html'
import { fieldsOf, type Kind, type Merged, ownerToDid, type Value, validate } from '../../crdt/index.ts'
import { type NodeFace, pageLatestOpsMax, pageTextCharsMax } from '../../node/index.ts'
import type { Answer } from '../route.ts'
import { type Budget, pageBudget } from './budget.ts'
import { kindBadge, publisherPath, recordPath, sizesOf, taskOf } from './card.ts'
import { conflictsHtml } from './conflicts.ts'
import { titleOf, valueAt } from './doc.ts'
import { fieldsHtml } from './fields.ts'
import { latestOps, opsHtml } from './history-page.ts'
import { holdersHtml } from './holders.ts'
import { pageAnswer } from './layout.ts'
import { markdown } from './markdown.ts'
import { namesakes } from './namesakes.ts'
import { proofHtml, proveHeads } from './proof.ts'
import { snippetsHtml } from './snippets.ts'
import { type Html, isolated, label, named, plural, shortDid, time } from './text.ts'
import { blockHtml, valueHtml } from './value.ts'

/** `origin`: the address by which this node is asked, for the snippets. */
export async function recordPage(node: NodeFace, record: Merged, kind: Kind, origin: string): Promise<Answer> {
  const [proofs, steps, status, others] = await Promise.all([
    proveHeads(node, record),
    latestOps(node, record, pageLatestOpsMax),
    node.status(),
    namesakes(node, record),
  ])
  const now = Date.now()
  const title = titleOf(record)
  const here = recordPath(record)
  const invalid = validate(kind, record.doc)
  const texts = textsOf(record, kind)
  const budget = pageBudget()
  const elsewhere = new Map(texts.map(({ id }) => [id.slice('text-'.length), id] as const))
  const provenance = valueAt(record.doc, 'provenance')
  if (provenance !== undefined) elsewhere.set('provenance', 'provenance')
  const parts: readonly (Part | false)[] = [
    ...texts,
    record.conflicts.length > 0 && { id: 'conflicts', title: 'Conflicts', body: conflictsHtml(record, now, budget) },
    record.live && { id: 'fields', title: 'All fields', body: fieldsHtml(record, kind, budget, elsewhere) },
    { id: 'use', title: 'Get it from a program', body: snippetsHtml(record, kind, origin) },
    {
      id: 'history',
      title: 'History',
      body: html`${opsHtml(record, steps, now, budget)}
<p><a class="button" href="${here}/history">${record.opCount > steps.length ? `All ${plural(record.opCount, 'op')}` : 'History on its own page'}</a></p>`,
    },
    provenance !== undefined && {
      id: 'provenance',
      title: 'Provenance',
      body: html`<p class="quiet">Where the publisher says it was taken from, and what each source says differently.</p>${valueHtml(provenance, kind.fields['provenance'], budget)}`,
    },
  ]
  const shown = parts.filter((part) => part !== false)
  const main = html`<div class="wide record" id="record" data-follow="/v1/changes" data-since="${status.seq}" data-record="${record.record}">
<nav class="crumbs" aria-label="Where this is"><a href="/">Catalogue</a> <span aria-hidden="true">/</span> <a href="/?kind=${kind.name}">${label(kind.plural)}</a></nav>
<header class="record-head">
<h1>${named(title)} ${kindBadge(record.kind)}</h1>
${record.slug !== undefined && html`<p class="slug">${isolated(record.slug)}</p>`}
${badgesHtml(record, invalid.length, others)}
<p class="note changed" hidden><a href="${here}">This record has changed: show it as it is now</a></p>
</header>
<div class="record-columns">
<div class="stack">
<nav class="parts" aria-label="On this page"><ul>${shown.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}<li><a href="#signature">Signature</a></li><li><a href="#holders">Held by</a></li></ul></nav>
${!record.live && goneHtml(record)}
${record.live && html`<p class="origin">Written by its publisher. Peerage checks who signed it, not whether it is true or safe: do not run what it says unread.</p>`}
${shown.map(partHtml)}
</div>
<aside class="panel stack" aria-label="About this record">
<section id="facts"><h2>At a glance</h2>${glanceHtml(record, kind, now, budget)}</section>
<section id="signature"><h2>Signature</h2>${proofHtml(record, proofs, now)}</section>
<section id="holders"><h2>Held by</h2>${holdersHtml(node, status)}</section>
</aside>
</div>
</div>`
  return pageAnswer(node, {
    title: `${title.slice(0, 100)} · Peerage`,
    canonical: here,
    json: `/v1${here}`,
    main,
    // What the JSON answers for a deleted record; a person is shown its history all the same.
    status: record.live ? 200 : 404,
  })
}

/** Without a slug its genesis is among what was erased, and nobody can tell any more what it was. */
function goneHtml({ erased, slug }: Merged): Html {
  if (erased === undefined || slug !== undefined) {
    return html`<p class="verdict bad"><strong>Deleted.</strong> Its history is kept; registering it again restores it.</p>`
  }
  return html`<p class="verdict bad"><strong>Erased.</strong> What it said was taken out for good; who signed, and when, is kept.</p>`
}

type Part = { readonly id: string; readonly title: string; readonly body: Html }

function partHtml({ id, title, body }: Part): Html {
  return html`<section class="part" id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${body}</section>`
}

/** The long texts of a record, by its table: Markdown where the table says so, else as they stand. */
function textsOf({ doc, live }: Merged, kind: Kind): Part[] {
  if (!live) return []
  return fieldsOf(kind).flatMap(({ path: [name = '', ...deeper], field }): Part[] => {
    if (deeper.length > 0 || (field.merge !== 'text' && field.format !== 'markdown')) return []
    const value = doc[name]
    const texts = typeof value === 'string' ? [value] : Array.isArray(value) ? value.filter(isText) : []
    if (!texts.some((text) => text.trim() !== '')) return []
    const shown = texts.slice(0, TEXTS_SHOWN)
    const charsMax = Math.ceil(pageTextCharsMax / shown.length)
    const show = field.format === 'markdown' ? markdown : blockHtml
    const rest = texts.length - shown.length
    const body = html`${shown.map((text) => show(text, charsMax))}${rest > 0 && html`<p class="left-out">… ${plural(rest, 'more text')} in the JSON</p>`}`
    return [{ id: `text-${name}`, title: label(name), body }]
  })
}

/** Of a field that is a list of texts. They share the room of one. */
const TEXTS_SHOWN = 50

function isText(value: Value): value is string {
  return typeof value === 'string'
}

function badgesHtml(record: Merged, invalid: number, others: number): Html | undefined {
  const badges = [
    record.conflicts.length > 0 &&
      html`<a class="badge warn" href="#conflicts">${plural(record.conflicts.length, 'conflict')}</a>`,
    record.heads.length > 1 && html`<a class="badge" href="#signature">${plural(record.heads.length, 'head')}</a>`,
    invalid > 0 && html`<a class="badge warn" href="#fields">${plural(invalid, 'invalid field')}</a>`,
    record.equivocations !== undefined &&
      html`<a class="badge warn" href="${recordPath(record)}/history">one key signed ops beside each other</a>`,
    record.erased !== undefined && html`<span class="badge">${plural(record.erased.length, 'op')} erased</span>`,
    record.incomplete !== undefined &&
      html`<span class="badge warn">${plural(record.incomplete.length, 'op')} without its text on this node</span>`,
    others > 0 &&
      html`<span class="badge warn">${others === 1 ? 'another key has' : `${others} other keys have`} a record of this name: look at who signed</span>`,
  ].filter((badge) => badge !== false)
  return badges.length === 0 ? undefined : html`<p class="badges">${badges}</p>`
}

const GLANCE = [
  'provider',
  'version',
  'license',
  'licenses',
  'status',
  'release_date',
  'homepage',
  'repository',
  'downloads',
  'likes',
  'tags',
]

function glanceHtml(record: Merged, kind: Kind, now: number, budget: Budget): Html {
  const { doc } = record
  const owner = ownerToDid(record.owner)
  const task = taskOf(record)
  const sizes = sizesOf(record)
  const row = (name: string, value: Html) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`
  const known = GLANCE.filter((name) => {
    const value = doc[name]
    return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)
  })
  return html`<dl class="rows">
${task !== undefined && row('Task', task)}
${sizes.length > 0 && row('Size', html`${sizes.map((size, at) => html`${at > 0 ? ', ' : ''}${size}`)}`)}
${known.map((name) => row(label(name), valueHtml(doc[name] as Value, kind.fields[name], budget)))}
${row('Signed by', html`<a class="mono" href="${publisherPath(owner)}" title="${owner}">${shortDid(owner)}</a>`)}
${row('Registered', time(record.registeredAt, now))}
${row('Changed', time(record.changedAt, now))}
${row('Ops', html`<a href="${recordPath(record)}/history">${plural(record.opCount, 'op')}</a>`)}
${row('As data', html`<a href="/v1${recordPath(record)}">JSON</a>`)}
</dl>`
}
