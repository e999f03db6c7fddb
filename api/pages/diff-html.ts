/** Changes as a page shows them: what is gone struck out, what is new marked, and both said in words for the ear. */
import { html } from 'hono/html'
import { type Field, isScalar, type Kind, pointerOf, type Value } from '../../crdt/index.ts'
import { diffsShownMax, pageItemsShownMax } from '../../node/index.ts'
import type { Budget } from './budget.ts'
import type { Change } from './doc-diff.ts'
import { clip, count, type Html, isolated } from './text.ts'
import { diffTexts, type Piece } from './text-diff.ts'
import { valueHtml } from './value.ts'

export function changesHtml(changes: readonly Change[], kind: Kind | undefined, budget: Budget): Html {
  if (changes.length === 0) return html`<p class="quiet">Nothing that is shown.</p>`
  const shown = changes.slice(0, diffsShownMax)
  const rest = changes.length - shown.length
  return html`<dl class="changes">${shown.map((change) => changeHtml(change, kind, budget))}${
    rest > 0 && html`<div class="left-out">… ${count(rest)} more changed fields</div>`
  }</dl>`
}

function changeHtml({ path, before, after }: Change, kind: Kind | undefined, budget: Budget): Html {
  const field = path.length === 1 ? kind?.fields[path[0] as string] : undefined
  return html`<div><dt><code>${isolated(pointerOf(path), 120)}</code></dt><dd>${bothHtml(before, after, field, budget)}</dd></div>`
}

function bothHtml(before: Value | undefined, after: Value | undefined, field: Field | undefined, budget: Budget): Html {
  const shown = (value: Value) => valueHtml(value, field, budget)
  if (before === undefined) return html`<ins>${said('set')}${shown(after as Value)}</ins>`
  if (after === undefined) return html`<del>${said('removed')}${shown(before)}</del>`
  if (typeof before === 'string' && typeof after === 'string' && before.length + after.length > SHORT) {
    return textDiffHtml(before, after, budget)
  }
  if (isMembers(before) && isMembers(after)) return membersHtml(before, after, budget)
  return html`<del>${said('was')}${shown(before)}</del> <ins>${said('is')}${shown(after)}</ins>`
}

const SHORT = 60
const CONTEXT_CHARS = 80

/** Long unchanged runs are cut to what is needed to find the place. */
export function textDiffHtml(before: string, after: string, budget: Budget): Html {
  if (budget.diffs-- <= 0) return html`<p class="left-out">… not compared word by word: there is too much of it</p>`
  const pieces = diffTexts(before, after)
  return html`<div class="text-diff" dir="auto">${pieces.map((piece, at) => pieceHtml(piece, at === 0, at === pieces.length - 1))}</div>`
}

function pieceHtml({ says, text }: Piece, first: boolean, last: boolean): Html {
  if (says === 'gone') return html`<del>${isolated(text, DIFF_CHARS)}</del>`
  if (says === 'new') return html`<ins>${isolated(text, DIFF_CHARS)}</ins>`
  if (text.length <= 2 * CONTEXT_CHARS) return html`<bdi>${clip(text, DIFF_CHARS).shown}</bdi>`
  const start = first ? '' : clip(text.slice(0, CONTEXT_CHARS).toWellFormed(), CONTEXT_CHARS).shown
  const end = last ? '' : clip(text.slice(-CONTEXT_CHARS).toWellFormed(), CONTEXT_CHARS).shown
  return html`<bdi>${start}</bdi><span class="quiet"> … </span><bdi>${end}</bdi>`
}

const DIFF_CHARS = 5_000

function isMembers(value: Value): value is readonly Value[] {
  return Array.isArray(value) && value.every(isScalar)
}

function membersHtml(before: readonly Value[], after: readonly Value[], budget: Budget): Html {
  const had = new Set(before)
  const has = new Set(after)
  const gone = before.filter((member) => !has.has(member)).slice(0, pageItemsShownMax)
  const come = after.filter((member) => !had.has(member)).slice(0, pageItemsShownMax)
  if (gone.length === 0 && come.length === 0) return html`<span class="quiet">in another order</span>`
  return html`<ul class="chips">${gone.map((member) => html`<li><del>${said('removed')}${valueHtml(member, undefined, budget)}</del></li>`)}${come.map(
    (member) => html`<li><ins>${said('added')}${valueHtml(member, undefined, budget)}</ins></li>`,
  )}</ul>`
}

/** Screen readers pass over del and ins. */
function said(word: string): Html {
  return html`<span class="unseen">${word}: </span>`
}
