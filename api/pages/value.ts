/**
 * One value of a document, whatever it is, as a page shows it: texts isolated, addresses as links, numbers grouped,
 * lists and maps opened a few levels deep. What a bound leaves out is said.
 */
import { html } from 'hono/html'
import { type Field, type Items, isMap, type Value, valueToJson } from '../../crdt/index.ts'
import { pageItemsShownMax, pageTextCharsMax, pageValueCharsMax } from '../../node/index.ts'
import type { Budget } from './budget.ts'
import { plain } from './doc.ts'
import { count, type Html, isolated, label, webAddress } from './text.ts'

const DEPTH_SHOWN = 4
const LINE_CHARS = 400

/** What a table says of a value, where it says anything. */
type About = Field | Items | undefined

export function valueHtml(value: Value, about: About, budget: Budget, depth = 0): Html {
  if (budget.values-- <= 0) return html`<span class="left-out">… more in the JSON</span>`
  const known = plain(value)
  if (known === null || known === undefined) return html`<span class="quiet">nothing</span>`
  if (typeof known === 'boolean') return html`${known ? 'yes' : 'no'}`
  if (typeof known === 'number') return numberHtml(known, about)
  if (typeof known === 'string') return textHtml(known, about)
  if (known instanceof Uint8Array) {
    return html`<code>${isolated(Buffer.from(known.subarray(0, LINE_CHARS)).toString('base64'))}</code> <span class="quiet">${count(known.length)} bytes</span>`
  }
  if (depth >= DEPTH_SHOWN) return deepHtml(known)
  return isMap(known) ? mapHtml(known, about, budget, depth) : listHtml(known as readonly Value[], about, budget, depth)
}

function numberHtml(n: number, about: About): Html {
  if (about !== undefined && 'unit' in about && about.unit === 's' && n > 0 && n < 1e11) {
    return html`<time datetime="${new Date(n * 1000).toISOString()}">${new Date(n * 1000).toISOString().slice(0, 10)}</time>`
  }
  const unit = about !== undefined && 'unit' in about && about.unit !== undefined ? ` ${about.unit}` : ''
  return html`<span class="number">${count(n)}</span>${unit}`
}

function textHtml(text: string, about: About): Html {
  const address = webAddress(text)
  if (address !== undefined) {
    return html`<a href="${address}" rel="nofollow noopener noreferrer ugc">${isolated(text)}</a>`
  }
  if (text === '') return html`<span class="quiet">empty text</span>`
  if (text.includes('\n') || text.length > LINE_CHARS) return blockHtml(text, pageValueCharsMax)
  const unit = about !== undefined && 'unit' in about && about.type === 'decimal' ? ` ${about.unit ?? ''}` : ''
  return html`${isolated(text, LINE_CHARS)}${unit}`
}

/** A text as it stands, line by line. */
export function blockHtml(text: string, charsMax = pageTextCharsMax): Html {
  return html`<pre class="text" dir="auto" tabindex="0">${isolated(text, charsMax)}</pre>`
}

function listHtml(list: readonly Value[], about: About, budget: Budget, depth: number): Html {
  if (list.length === 0) return html`<span class="quiet">empty list</span>`
  const items = about !== undefined && 'items' in about ? about.items : undefined
  const each: About = typeof items === 'string' ? undefined : items
  const shown = list.slice(0, pageItemsShownMax)
  const rest = list.length - shown.length
  const more = rest > 0 && html`<li class="left-out">… ${count(rest)} more in the JSON</li>`
  if (shown.every(isShort)) {
    return html`<ul class="chips">${shown.map((item) => html`<li>${valueHtml(item, each, budget, depth + 1)}</li>`)}${more}</ul>`
  }
  return html`<ol class="items">${shown.map((item) => html`<li>${itemHtml(item, each, budget, depth, shown.length)}</li>`)}${more}</ol>`
}

function isShort(item: Value): boolean {
  const known = plain(item)
  return typeof known !== 'object' && String(known).length <= 80
}

const OPEN_ITEMS = 2

/** Maps in a long list are closed under their names, so that a page of calls can be looked over. */
function itemHtml(item: Value, about: About, budget: Budget, depth: number, siblings: number): Html {
  if (!isMap(item) || siblings <= OPEN_ITEMS) return valueHtml(item, about, budget, depth + 1)
  const names = ['name', 'label', 'title', 'id', 'type', 'url', 'source', 'key']
  const name = names.map((key) => item[key]).find((each) => typeof each === 'string' && each !== '')
  const said = item['description']
  return html`<details><summary>${typeof name === 'string' ? isolated(name, 120) : 'Entry'}${
    typeof said === 'string' && html` <span class="quiet">${isolated(said, 160)}</span>`
  }</summary>${valueHtml(item, about, budget, depth + 1)}</details>`
}

function mapHtml(map: Readonly<Record<string, Value>>, about: About, budget: Budget, depth: number): Html {
  const entries = Object.entries(map)
  if (entries.length === 0) return html`<span class="quiet">empty map</span>`
  const shown = entries.slice(0, pageItemsShownMax)
  const rest = entries.length - shown.length
  const fields = about !== undefined && 'fields' in about ? about.fields : undefined
  return html`<dl class="map${depth > 0 ? ' inner' : ''}">${shown.map(([key, value]) => {
    const field = fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined
    return html`<div><dt>${field === undefined ? isolated(key, 80) : label(key)}</dt><dd>${valueHtml(value, field, budget, depth + 1)}</dd></div>`
  })}${rest > 0 && html`<div class="left-out">… ${count(rest)} more in the JSON</div>`}</dl>`
}

function deepHtml(value: Value): Html {
  const text = JSON.stringify(valueToJson(value), null, 2)
  return html`<details><summary>deeper</summary>${blockHtml(text, pageValueCharsMax)}</details>`
}
