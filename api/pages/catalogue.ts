/**
 * The catalogue page: one search box, kinds, facets with counts, cards. Every link and form leads to an address that
 * shows the same again; with a script, only the part under the search box is replaced.
 */
import type { Context } from 'hono'
import { html, raw } from 'hono/html'
import type { Kind } from '../../crdt/index.ts'
import { type NodeFace, pageFacetValuesMax } from '../../node/index.ts'
import { isProblem } from '../problem.ts'
import type { Answer } from '../route.ts'
import { card, hueOf } from './card.ts'
import { type Facet, type Found, findPage } from './catalogue-find.ts'
import { type CatalogueState, hrefOf, isTogether, readState } from './catalogue-query.ts'
import { pageAnswer } from './layout.ts'
import { attribute, compact, count, type Html, isolated, label, plural, shortDid } from './text.ts'

/** `fixed` is the kind that the path names. */
export async function cataloguePage(node: NodeFace, c: Context, fixed?: Kind): Promise<Answer> {
  const state = readState(new URL(c.req.url).searchParams, fixed)
  if (isProblem(state)) return state
  const found = await findPage(node, { ...state, sort: orderOf(state) })
  if (isProblem(found)) return found
  const name = state.kind === undefined ? 'Catalogue' : label(state.kind.plural)
  const title = state.text === '' ? name : `${state.text.slice(0, 60)} · ${name}`
  return pageAnswer(node, {
    title: `${title} · Peerage`,
    description: 'A peer-to-peer register of AI models, agents and what they need.',
    at: 'catalogue',
    search: false,
    canonical: hrefOf(state),
    ...(state.kind !== undefined && { json: `/v1/${state.kind.plural}` }),
    main: catalogue(state, found, Date.now()),
  })
}

/** Links and forms below this replace the part under the search box, and put where they lead into the address bar. */
const REPLACES = raw(' hx-boost="true" hx-target="#catalogue" hx-select="#catalogue" hx-swap="outerHTML show:none"')

/** Nothing asked for yet. */
function isFront({ kind, text, chosen }: CatalogueState): boolean {
  return kind === undefined && text === '' && chosen.length === 0
}

/** Who asks for nothing sees first what most people use; a list that was narrowed begins with what is new in it. */
function orderOf(state: CatalogueState): string | undefined {
  return state.sort ?? (isFront(state) ? '-downloads' : undefined)
}

function catalogue(state: CatalogueState, found: Found, now: number): Html {
  return html`<div class="hero"><div class="wide">
<h1>${isFront(state) ? 'Models, agents and tools, signed by whoever registers them' : 'Catalogue'}</h1>
${searchForm(state)}
</div></div>
<div id="catalogue" class="wide catalogue">
${hidden(state)}
${kindTabs(state, found)}
<div class="columns">
<aside class="facets" aria-label="Filters"${REPLACES}>${facetsPart(state, found)}</aside>
<section class="results" aria-labelledby="found">
${resultsHead(state, found)}
${results(state, found, now)}
</section>
</div>
</div>`
}

/** The box stays as it is while the part below is replaced: typing is not disturbed. */
function searchForm(state: CatalogueState): Html {
  return html`<form id="search" class="search large" action="/" role="search"
 hx-get="/" hx-trigger="input delay:120ms, submit" hx-sync="this:replace" hx-push-url="true"
 hx-target="#catalogue" hx-select="#catalogue" hx-swap="outerHTML show:none">
<label class="unseen" for="q">Search the catalogue</label>
<input id="q" name="q" type="search" maxlength="200" value="${state.text}" autocomplete="off" spellcheck="false"
 placeholder="Try “vision 8b”, “postgres” or “translate”" aria-controls="catalogue">
<button type="submit">Search</button>
</form>`
}

/** What else the form sends; in the replaced part, so that it is what is chosen now. */
function hidden(state: CatalogueState): Html {
  const field = (name: string, value: string) =>
    html`<input type="hidden" form="search" name="${name}" value="${value}">`
  return html`${state.kind !== undefined && field('kind', state.kind.name)}
${state.chosen.map(({ name, text }) => field(name, text))}
${state.sort !== undefined && field('sort', state.sort)}
${state.copies !== undefined && field('copies', state.copies)}`
}

function kindTabs(state: CatalogueState, { kinds }: Found): Html {
  const all = kinds.reduce((sum, each) => sum + each.count, 0)
  const tab = (kind: Kind | undefined, n: number) => {
    const here = state.kind?.name === kind?.name
    // Filters that belong to one kind's table mean nothing in another.
    const href = hrefOf(state, { kind, sort: undefined })
    return html`<li><a id="kind-${kind?.name ?? 'all'}" href="${href}"${here ? html` aria-current="true"` : ''}>${
      kind !== undefined && html`<span class="dot hue-${hueOf(kind.name)}" aria-hidden="true"></span>`
    }${kind === undefined ? 'All' : label(kind.plural)} <span class="n">${compact(n)}</span></a></li>`
  }
  return html`<nav class="kinds" aria-label="Kinds"${REPLACES}><ul>${tab(undefined, all)}${kinds.map(({ kind, count: n }) => tab(kind, n))}</ul></nav>`
}

function facetsPart(state: CatalogueState, { facets }: Found): Html {
  const shown = facets
    .filter(({ name, values }) => values.length > (isChosen(state, name) ? 0 : 1))
    .sort((a, b) => Number(isChosen(state, b.name)) - Number(isChosen(state, a.name)))
  if (shown.length === 0) return html``
  return html`<details class="filters"><summary>Filters</summary>
${shown.map((facet) => facetGroup(state, facet))}
</details>`
}

function isChosen(state: CatalogueState, name: string): boolean {
  return state.chosen.some((each) => each.name === name)
}

const VALUES_AT_ONCE = 6

function facetGroup(state: CatalogueState, facet: Facet): Html {
  const { name, values } = facet
  const links = values.slice(0, pageFacetValuesMax).map(({ value, count: n }) => facetLink(state, facet, value, n))
  const first = links.slice(0, VALUES_AT_ONCE)
  const more = links.slice(VALUES_AT_ONCE)
  return html`<section class="facet"><h2>${label(name)}</h2>
<ul>${first}</ul>
${
  more.length > 0 &&
  html`<details><summary>${count(more.length)} more<span class="unseen"> values of ${label(name)}</span></summary><ul>${more}</ul></details>`
}
</section>`
}

function facetLink(state: CatalogueState, { name, many }: Facet, value: unknown, n: number): Html {
  const text = String(value)
  const here = state.chosen.some((each) => each.name === name && each.text === text)
  const others = state.chosen.filter((each) => each.name !== name || (many && each.text !== text))
  const href = hrefOf(state, { chosen: here ? others : [...others, { name, text }] })
  const word = value === true ? 'yes' : value === false ? 'no' : value === null ? 'nothing' : text
  return html`<li><a href="${href}"${here ? html` aria-current="true"` : ''} rel="nofollow"><span class="value">${isolated(word, 60)}</span> <span class="n">${compact(n)}</span></a></li>`
}

function resultsHead(state: CatalogueState, { listed }: Found): Html {
  const { items, total, totalCapped, indexBehind, damaged } = listed
  const removable = state.chosen.map((each) => {
    const href = hrefOf(state, { chosen: state.chosen.filter((other) => other !== each) })
    const shown = each.text.startsWith('did:') ? shortDid(each.text) : each.text
    return html`<li><a href="${href}" title="Remove this filter: ${attribute(each.text)}"><span class="quiet">${isolated(label(each.name), 40)}</span> ${isolated(shown, 40)} <span aria-hidden="true">×</span><span class="unseen"> remove</span></a></li>`
  })
  return html`<div class="results-head">
<h2 id="found">${totalCapped && 'At least '}${plural(total, 'record')}${state.text !== '' && html` for ${isolated(state.text, 60)}`}</h2>
${
  items.length > 0 &&
  html`<div class="orders">
<a href="${hrefOf(state, { copies: isTogether(state) ? 'apart' : 'together' })}"${REPLACES} rel="nofollow">${isTogether(state) ? 'Show copies apart' : 'Show copies together'}</a>
${sortForm(state)}
</div>`
}
</div>
${
  removable.length > 0 &&
  html`<ul class="chosen" aria-label="Chosen filters"${REPLACES}>${removable}
<li><a class="clear" href="${hrefOf(state, { chosen: [] })}">Clear all</a></li></ul>`
}
${indexBehind > 0 && html`<p class="note">${plural(indexBehind, 'newer change is', 'newer changes are')} still being indexed.</p>`}
${damaged > 0 && html`<p class="note">${plural(damaged, 'record is', 'records are')} damaged on the disk of this node and left out until peers have sent them again.</p>`}`
}

/** A list that works without a script needs a button; with one, choosing is enough. */
function sortForm(state: CatalogueState): Html {
  const sizes = state.kind?.card?.size ?? []
  const orders: readonly (readonly [string, string])[] = [
    state.text === '' ? ['-registered_at', 'Newest'] : ['', 'Best match'],
    ['-changed_at', 'Last changed'],
    ['-downloads', 'Most downloads'],
    ['-likes', 'Most likes'],
    ['name', 'Name'],
    ...sizes
      .filter((path) => state.kind?.fields[path]?.search === 'range')
      .flatMap((path) => [
        [`-${path}`, `${label(path)}, largest first`] as const,
        [path, `${label(path)}, smallest first`] as const,
      ]),
  ]
  const order = orderOf(state) ?? (state.text === '' ? '-registered_at' : '')
  const known = orders.some(([value]) => value === order)
  return html`<form class="sort" action="/" hx-get="/" hx-trigger="change, submit" hx-push-url="true"${REPLACES}>
${state.kind !== undefined && html`<input type="hidden" name="kind" value="${state.kind.name}">`}
${state.text !== '' && html`<input type="hidden" name="q" value="${state.text}">`}
${state.chosen.map(({ name, text }) => html`<input type="hidden" name="${name}" value="${text}">`)}
${state.copies !== undefined && html`<input type="hidden" name="copies" value="${state.copies}">`}
<label for="sort">Sort</label>
<select id="sort" name="sort">${orders.map(
    ([value, word]) => html`<option value="${value}"${value === order ? html` selected` : ''}>${word}</option>`,
  )}${!known && html`<option value="${order}" selected>${order}</option>`}</select>
<button class="plain" type="submit">Apply</button>
</form>`
}

function results(state: CatalogueState, { listed, kinds }: Found, now: number): Html {
  const { items, nextCursor } = listed
  if (items.length === 0)
    return nothing(
      state,
      kinds.reduce((sum, each) => sum + each.count, 0),
    )
  return html`<ol class="cards">${items.map(({ record, highlights, copies }) =>
    card(record, { now, ...(highlights !== undefined && { highlights }), ...(copies !== undefined && { copies }) }),
  )}</ol>
<nav class="pager" aria-label="Pages"${REPLACES}>
${state.cursor !== undefined && html`<a class="button" href="${hrefOf(state)}" hx-swap="outerHTML show:window:top">First page</a>`}
${nextCursor !== undefined && html`<a class="button next" rel="next" href="${hrefOf(state, { cursor: nextCursor })}" hx-swap="outerHTML show:window:top">Next page</a>`}
</nav>`
}

/** `ofAnyKind`: how many there are when the kind is left out. */
function nothing(state: CatalogueState, ofAnyKind: number): Html {
  const isEmpty = state.text === '' && state.chosen.length === 0
  if (isEmpty) {
    return html`<div class="nothing"><p>There is nothing here yet. Fill this node with one of</p>
<pre tabindex="0"><code>npm run -s peerage -- import FILE.jsonl.gz
npm start -- --sample
npm start -- --join ADDRESS</code></pre></div>`
  }
  const what = (ofAnyKind > 0 && state.kind?.name) || 'record'
  const meets = state.chosen.length > 0 ? 'meets the chosen filters' : undefined
  const matches = state.text === '' ? undefined : 'matches these words'
  return html`<div class="nothing"><p>No ${what} ${[matches, meets].filter((each) => each !== undefined).join(' and ')}.</p>
${state.chosen.length > 0 && html`<p><a class="button" href="${hrefOf(state, { chosen: [] })}">Search without the filters</a></p>`}
${ofAnyKind > 0 && html`<p><a class="button" href="${hrefOf(state, { kind: undefined, sort: undefined })}">Show ${plural(ofAnyKind, 'record')} of other kinds</a></p>`}</div>`
}
