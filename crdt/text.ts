/**
 * Collaborative text: one epoch's text and the splices that were made on it, by whoever saw what, become one string
 * (SPEC.md, "Text").
 *
 * Splices that were made one after the other are plain edits of a string. Only where branches meet does Yjs decide
 * how they interleave, and Yjs never leaves this file: no bytes of it are stored or sent, each merge starts from a
 * fresh document, and the clients are numbered by op id, so that the answer is a function of the set of ops.
 */
import * as Y from 'yjs'
import type { OpId } from './op.ts'

/** Positions as its author gave them: beyond the end, or inside a surrogate pair, is for `applySplice` to settle. */
export type TextSplice = { readonly at: number; readonly del: number; readonly ins: string }

/** The splices that one op makes on one epoch, in order. */
export type TextEdit = {
  readonly op: OpId
  readonly splices: readonly TextSplice[]
  /** Its op lost its authority: others' positions count with it, and in the end it is undone. */
  readonly voided?: boolean
}

/** One splice, deleting first and then inserting. Never tears a surrogate pair, so that text stays well-formed. */
export function applySplice(text: string, splice: TextSplice): string {
  const start = textPosition(text, splice.at)
  return text.slice(0, start) + splice.ins + text.slice(textPosition(text, splice.at + splice.del))
}

/**
 * The text of an epoch after all edits.
 *
 * `edits` lists ops with parents first; `isPast(x, y)` says whether the edit at index x is in the past of the one at
 * index y. Costs a few edits' work each, and at a fork a copy of the document.
 */
export function mergeText(
  start: string,
  edits: readonly TextEdit[],
  isPast: (x: number, y: number) => boolean,
): string {
  if (isLine(edits.length, isPast) && !edits.some((edit) => edit.voided)) {
    let text = start
    for (const edit of edits) for (const splice of edit.splices) text = applySplice(text, splice)
    return text
  }
  return mergeByYjs(start, edits, isPast)
}

/** The position in UTF-16 units that is meant: at most the end, and before a surrogate pair rather than inside it. */
function textPosition(text: string, wanted: number): number {
  if (wanted >= text.length) return text.length
  return wanted > 0 && isLow(text.charCodeAt(wanted)) && isHigh(text.charCodeAt(wanted - 1)) ? wanted - 1 : wanted
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}

/** Enough to ask neighbours: in an order with parents first, "in the past of" is transitive. */
function isLine(count: number, isPast: (x: number, y: number) => boolean): boolean {
  for (let i = 1; i < count; i++) if (!isPast(i - 1, i)) return false
  return true
}

/** A document while it is built, and the edits that it holds. */
type Held = { readonly doc: Y.Doc; readonly holds: Set<number> }

/** One edit made: its change, and for those who start from it the document itself (one user) or a copy (several). */
type Made = {
  readonly change: Uint8Array | undefined
  readonly copy: Uint8Array | undefined
  readonly deleted: readonly Span[]
  held: Held | undefined
}

/** Characters by who typed them and when: `length` of them from `clock` on. */
type Span = { readonly client: number; readonly clock: number; readonly length: number }

const TEXT = 'text'
/** No edit's. Yjs would draw a number, and warn when an edit of that number arrives. */
const NO_CLIENT = 0
/** Client 1 holds the epoch's text; those that splice follow. */
const EPOCH_CLIENT = 1

/** Each edit is made on a document that holds just its past; their changes together give the text. */
function mergeByYjs(start: string, edits: readonly TextEdit[], isPast: (x: number, y: number) => boolean): string {
  const order = edits.map((edit) => edit.op).sort()
  const clients = new Map(order.map((op, i) => [op, EPOCH_CLIENT + 1 + i]))
  const pasts = edits.map((_, y) => edits.map((_, x) => x).filter((x) => x < y && isPast(x, y)))
  const bases = pasts.map((past) => largest(past, pasts))
  const users = edits.map((_, x) => bases.filter((base) => base === x).length)

  const whole = newDocument()
  whole.clientID = EPOCH_CLIENT
  whole.getText(TEXT).insert(0, start)
  const first = Y.encodeStateAsUpdate(whole)

  const made: Made[] = []
  const shared = new Map<string, Uint8Array>()
  for (const [y, edit] of edits.entries()) {
    const past = pasts[y] as number[]
    const base = bases[y] as number
    const same = shared.get(past.join())
    const held =
      same === undefined ? open(made[base], pasts[base], base, first) : { doc: load(same), holds: new Set(past) }
    for (const x of past) {
      if (held.holds.has(x)) continue
      applyChange(held.doc, made[x]?.change)
      held.holds.add(x)
    }
    if (same === undefined && pasts.some((other, z) => z > y && isSame(other, past))) {
      shared.set(past.join(), Y.encodeStateAsUpdate(held.doc))
    }
    const { change, deleted } = edited(held.doc, clients.get(edit.op) as number, edit.splices)
    held.holds.add(y)
    const count = users[y] as number
    made.push({
      change,
      deleted,
      copy: count > 1 ? Y.encodeStateAsUpdate(held.doc) : undefined,
      held: count === 1 ? held : undefined,
    })
  }
  for (const { change } of made) applyChange(whole, change)
  if (!edits.some((edit) => edit.voided)) return whole.getText(TEXT).toString()
  const stand = made.filter((_, i) => !edits[i]?.voided)
  const undone = new Set(edits.filter((edit) => edit.voided).map((edit) => clients.get(edit.op) as number))
  return textOf(
    whole,
    undone,
    stand.flatMap(({ deleted }) => deleted),
  )
}

/** What the document says when these clients have typed nothing, and only this is deleted. */
function textOf(doc: Y.Doc, undone: ReadonlySet<number>, deleted: readonly Span[]): string {
  const gone = new Map<number, Set<number>>()
  for (const { client, clock, length } of deleted) {
    const clocks = gone.get(client) ?? new Set()
    gone.set(client, clocks)
    for (let i = 0; i < length; i++) clocks.add(clock + i)
  }
  let text = ''
  for (let item = doc.getText(TEXT)._start; item !== null; item = item.right) {
    const { client, clock } = item.id
    if (undone.has(client) || !(item.content instanceof Y.ContentString)) continue
    const clocks = gone.get(client)
    const { str } = item.content
    for (let i = 0; i < str.length; i++) if (!clocks?.has(clock + i)) text += str[i]
  }
  return text
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i])
}

/** Of an edit's past, the edit that itself has the largest past: whose document is most of the way. -1: none. */
function largest(past: readonly number[], pasts: readonly (readonly number[])[]): number {
  let best = -1
  let size = -1
  for (const x of past) {
    const { length } = pasts[x] as readonly number[]
    if (length < size) continue
    best = x
    size = length
  }
  return best
}

function open(base: Made | undefined, past: readonly number[] | undefined, at: number, first: Uint8Array): Held {
  if (base?.held !== undefined) {
    const { held } = base
    base.held = undefined
    return held
  }
  return {
    doc: load(base?.copy ?? first),
    holds: new Set(base === undefined || past === undefined ? [] : [...past, at]),
  }
}

function load(state: Uint8Array): Y.Doc {
  const doc = newDocument()
  Y.applyUpdate(doc, state)
  return doc
}

function newDocument(): Y.Doc {
  const doc = new Y.Doc({ guid: TEXT, gc: false })
  doc.clientID = NO_CLIENT
  return doc
}

/** Makes one op's splices as one transaction and gives its change, undefined when nothing changes, and what it deleted. */
function edited(
  doc: Y.Doc,
  client: number,
  splices: readonly TextSplice[],
): { change: Uint8Array | undefined; deleted: Span[] } {
  let change: Uint8Array | undefined
  const deleted: Span[] = []
  const keep = (update: Uint8Array) => {
    change = update
  }
  const text = doc.getText(TEXT)
  let now = text.toString()
  doc.clientID = client
  doc.on('update', keep)
  const transact = (transaction: Y.Transaction) => {
    for (const splice of splices) {
      const from = textPosition(now, splice.at)
      const to = textPosition(now, splice.at + splice.del)
      text.delete(from, to - from)
      // Behind the tombstones at this place, as Yjs does by itself.
      text.insert(from, splice.ins)
      now = now.slice(0, from) + splice.ins + now.slice(to)
    }
    for (const [by, items] of transaction.deleteSet.clients) {
      for (const { clock, len } of items) deleted.push({ client: by, clock, length: len })
    }
  }
  doc.transact(transact)
  doc.off('update', keep)
  doc.clientID = NO_CLIENT
  return { change, deleted }
}

function applyChange(doc: Y.Doc, change: Uint8Array | undefined): void {
  if (change !== undefined) Y.applyUpdate(doc, change)
}
