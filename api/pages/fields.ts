/** All fields of a record: those of its kind's table in the table's order, then those that no table knows. */
import { html } from 'hono/html'
import { isReserved, type Kind, type Merged, pointerOf, type Value, validate } from '../../crdt/index.ts'
import { pageItemsShownMax } from '../../node/index.ts'
import type { Budget } from './budget.ts'
import { count, type Html, isolated, label } from './text.ts'
import { valueHtml } from './value.ts'

/** `elsewhere`: fields that the page shows as parts of their own, with the ids of those. */
export function fieldsHtml(
  record: Merged,
  kind: Kind | undefined,
  budget: Budget,
  elsewhere: ReadonlyMap<string, string> = new Map(),
): Html {
  const { doc } = record
  const known = Object.keys(kind?.fields ?? {}).filter((name) => Object.hasOwn(doc, name))
  const others = Object.keys(doc).filter((name) => !known.includes(name))
  const wrong = validate(kind, doc)
  const disputed = new Set(record.conflicts.map(({ path }) => path[0]))
  const row = (name: string) => {
    const field = kind?.fields[name]
    const part = elsewhere.get(name)
    const misfits = wrong.filter(
      ({ pointer }) => pointer === pointerOf([name]) || pointer.startsWith(`${pointerOf([name])}/`),
    )
    return html`<tr${misfits.length > 0 ? html` class="invalid"` : ''}>
<th scope="row">${field === undefined ? isolated(name, 100) : html`<span title="${field.note}">${label(name)}</span>`}
${field === undefined && html`<span class="tag">not in the table</span>`}
${isReserved(name) && html`<span class="tag">a name of the register: shown here only</span>`}
${disputed.has(name) && html`<a class="tag warn" href="#conflicts">in conflict</a>`}</th>
<td>${part === undefined ? valueHtml(doc[name] as Value, field, budget) : html`<a href="#${part}">see ${label(name)} on this page</a>`}
${misfits.map(({ pointer, message }) => html`<p class="misfit"><strong>Invalid</strong> <code>${isolated(pointer, 100)}</code> ${isolated(message)}: kept, and left out of search</p>`)}</td>
</tr>`
  }
  const rest = others.length - pageItemsShownMax
  return html`<table class="fields"><caption class="unseen">All fields</caption><colgroup><col class="names"><col></colgroup>
<thead class="unseen"><tr><th scope="col">Field</th><th scope="col">Value</th></tr></thead>
<tbody>${known.map(row)}${others.slice(0, pageItemsShownMax).map(row)}
${rest > 0 && html`<tr><td colspan="2" class="left-out">… ${count(rest)} more fields in the JSON</td></tr>`}
</tbody></table>`
}
