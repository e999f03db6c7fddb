/**
 * A record as a Y.Doc that any Yjs binding can edit: one map for its fields and one text for each text field.
 *
 *   const record = await openRecord(client, 'agents/night-shift')
 *   record.map.set('version', '1.1.0')
 *   record.text('description').insert(0, 'New: ')
 *   await record.commit()                       // one signed patch of what changed
 *
 * Changes from elsewhere appear in the document as they reach the node; edits that are not committed yet stay. Yjs is
 * the editing surface alone: its bytes never leave this process, a commit is made of the register's own verbs.
 *
 * Where somebody else changed the very place that was edited here and not yet committed, the document goes on showing
 * the edit. With a key on this side the commit then says so honestly, by a patch above what its author had seen, and
 * both values stand as a conflict. Without a key the node signs what the document says, and that covers the other.
 */
import * as Y from 'yjs'
import {
  cidToOpId,
  type Doc,
  decideChange,
  diff,
  type Field,
  fieldAt,
  fieldsOf,
  fromJson,
  type Kind,
  type Merged,
  opIdToCid,
  PARENTS_MAX,
  type Path,
  pointerOf,
  type Value,
  type Verb,
  valueToJson,
} from '../crdt/index.ts'
import type { Client } from './client.ts'
import { ClientError } from './client-error.ts'
import { mergePatchBetween, spliceBetween } from './edits.ts'
import { raceTriesMax } from './limits.ts'
import { valueAt, withValue } from './places.ts'
import type { FieldError } from './signed-write.ts'
import { threeWay } from './three-way.ts'

export type OpenOptions = {
  /** Ends the feed of changes, like disposing. */
  readonly signal?: AbortSignal
  /** False: changes from elsewhere come with `refresh` and `commit` alone. */
  readonly follow?: boolean
  /** Told when the feed ends for good; `refresh` and `commit` go on working. */
  readonly onFeedError?: (error: unknown) => void
}
export type Committed = {
  readonly outcome: 'changed' | 'unchanged'
  /** The record's heads as this side knows them now. */
  readonly heads: readonly string[]
}

/** The origin of transactions that bring changes from elsewhere, to tell them from edits. */
export const REMOTE = Symbol('peerage: from elsewhere')

/** Opens a live record. Its state is proven on this side, not taken from the node. */
export async function openRecord(client: Client, reference: string, options: OpenOptions = {}): Promise<OpenRecord> {
  const callOptions = options.signal ? { signal: options.signal } : {}
  const { seq } = await client.status(callOptions)
  const { kind, id } = await client.resolve(reference, callOptions)
  const proven = await client.proven(id, callOptions)
  if (!proven?.merged.live) throw new ClientError('not-found', `there is no record ${reference}`, { status: 404 })
  return new OpenRecord(client, kind, proven.merged, seq, options)
}

export class OpenRecord {
  readonly id: string
  readonly doc: Y.Doc
  /** Every field that is no text, by its name; a nested value is plain and set whole. */
  readonly map: Y.Map<unknown>
  readonly #client: Client
  readonly #kind: Kind
  readonly #texts: readonly Path[]
  readonly #stop = new AbortController()
  readonly #following: Promise<void>
  /** What the document shows, less the edits made here since. */
  #base: Merged
  /** The texts as in `#base`, with a Yjs history of their own, so that changes from elsewhere merge with edits here. */
  readonly #shadow = new Y.Doc()
  /** Places edited here and elsewhere, with the record as it was when nobody had touched them there. */
  #unseen = new Map<string, { readonly path: Path; readonly before: Merged }>()
  /** Refreshes and commits, one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(client: Client, kind: Kind, merged: Merged, seq: number, options: OpenOptions) {
    this.id = merged.record
    this.doc = new Y.Doc()
    this.map = this.doc.getMap('record')
    this.#client = client
    this.#kind = kind
    this.#texts = fieldsOf(kind)
      .filter(({ field }) => field.merge === 'text')
      .map(({ path }) => path)
    this.#base = merged
    this.doc.transact(() => {
      for (const path of this.#texts) {
        const value = valueAt(merged.doc, path)
        if (typeof value === 'string' && value !== '') this.#textAt(this.doc, path).insert(0, value)
      }
      this.#show(merged.doc)
    }, REMOTE)
    Y.applyUpdate(this.#shadow, Y.encodeStateAsUpdate(this.doc))
    options.signal?.addEventListener('abort', () => this.#stop.abort(), { once: true })
    if (options.signal?.aborted) this.#stop.abort()
    this.#following = options.follow === false ? Promise.resolve() : this.#follow(seq, options)
  }

  /** The shared text of a text field, by its name or, inside a map, its JSON Pointer. */
  text(field: string): Y.Text {
    const pointer = field.startsWith('/') ? field : pointerOf([field])
    const path = this.#texts.find((text) => pointerOf(text) === pointer)
    if (path === undefined) {
      const names = this.#texts.map((text) => text.join('/')).join(', ')
      throw new RangeError(`expected a text field of a ${this.#kind.name} (${names}), got ${field}`)
    }
    return this.#textAt(this.doc, path)
  }

  /** False once somebody deleted the record. */
  get live(): boolean {
    return this.#base.live
  }

  get conflicts(): Merged['conflicts'] {
    return this.#base.conflicts
  }

  /** Whether there is anything to commit. */
  get dirty(): boolean {
    const read = this.#read()
    return !read.ok || diff(this.#kind, this.#base, read.value).length > 0
  }

  /** Pointers of places edited here that somebody else has changed meanwhile; a commit makes them conflicts. */
  get overlaps(): readonly string[] {
    return [...this.#unseen.keys()]
  }

  /** Brings in what the node has now. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#bringIn())
  }

  /** Publishes what was edited. Edits made while it runs wait for the next commit. */
  commit(): Promise<Committed> {
    return this.#inTurn(async () => (this.#client.did === undefined ? this.#commitByNode() : this.#commitSigned()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#following
    await this.#turn.catch(() => undefined)
    this.doc.destroy()
    this.#shadow.destroy()
  }

  // ---- committing

  async #commitSigned(): Promise<Committed> {
    for (let tries = 1; ; tries++) {
      await this.#bringIn()
      await this.#commitUnseen()
      let edited: Doc = this.#base.doc
      let snapshot: Uint8Array = new Uint8Array()
      let raced = false
      const outcome = await this.#client.signOn({ kind: this.#kind, id: this.id }, (before) => {
        if (!before?.live) throw gone()
        // Whatever came in since is beneath the edits before they are measured against it.
        this.#integrate(before)
        raced = this.#unseen.size > 0
        edited = this.#readOrThrow()
        snapshot = Y.encodeStateAsUpdate(this.doc)
        return raced ? { do: 'nothing' } : decideChange(this.#kind, before, edited)
      })
      if (raced && tries < raceTriesMax) continue
      if (outcome.outcome === 'refused') throw refusal(outcome.errors)
      if (outcome.outcome === 'unchanged') return { outcome: 'unchanged', heads: this.#base.heads.map(opIdToCid) }
      this.#settle(snapshot, edited, outcome.after)
      return { outcome: 'changed', heads: outcome.after.heads.map(opIdToCid) }
    }
  }

  /** Says of places that others changed meanwhile what was said here before that was seen: above the older heads. */
  async #commitUnseen(): Promise<void> {
    const edited = this.#readOrThrow()
    const byBefore = new Map<Merged, Path[]>()
    for (const { path, before } of this.#unseen.values()) {
      byBefore.set(before, [...(byBefore.get(before) ?? []), path])
    }
    for (const [before, paths] of byBefore) {
      let after: Doc = before.doc
      for (const path of paths) after = withValue(after, path, valueAt(edited, path))
      const verbs: Verb[] = diff(this.#kind, before, after)
      // With more heads than an op can name, some stand beside this write: more is in conflict, nothing is lost.
      if (verbs.length > 0)
        await this.#client.signPatch(this.id, before.heads.slice(0, PARENTS_MAX), before.changedAt, verbs)
      else this.doc.transact(() => this.#show(this.#takeBack(edited, paths)), REMOTE)
    }
    if (byBefore.size === 0) return
    this.#unseen = new Map()
    await this.#bringIn()
    // Both values stand now; which one is shown is the register's to say, and no edit of ours.
    this.#unseen = new Map()
  }

  /** An edit that was taken back is none: what others wrote there is shown. */
  #takeBack(edited: Doc, paths: readonly Path[]): Doc {
    let doc = edited
    for (const path of paths) doc = withValue(doc, path, valueAt(this.#base.doc, path))
    return doc
  }

  async #commitByNode(): Promise<Committed> {
    for (let tries = 1; ; tries++) {
      await this.#bringIn()
      if (!this.#base.live) throw gone()
      const base = this.#base
      const edited = this.#readOrThrow()
      const snapshot = Y.encodeStateAsUpdate(this.doc)
      if (diff(this.#kind, base, edited).length === 0) return { outcome: 'unchanged', heads: base.heads.map(opIdToCid) }
      const { record, etag } = await this.#client.read(this.id, this.#call)
      const same =
        record.heads.length === base.heads.length &&
        record.heads.every((cid) => base.heads.includes(cidToOpId(cid) ?? ''))
      if (!same && tries < raceTriesMax) continue
      try {
        const options = { ...this.#call, ...(etag !== undefined && { ifMatch: etag }) }
        const patch = mergePatchBetween(base.doc, edited)
        if (patch === undefined) await this.#client.replace(this.id, jsonOf(edited), options)
        else await this.#client.patch(this.id, jsonOf(patch), options)
      } catch (error) {
        // Somebody was faster: take in what they wrote and try again.
        if (error instanceof ClientError && error.status === 412 && tries < raceTriesMax) continue
        throw error
      }
      const after = (await this.#client.proven(this.id, this.#call))?.merged ?? base
      this.#unseen = new Map()
      this.#settle(snapshot, edited, after)
      return { outcome: 'changed', heads: after.heads.map(opIdToCid) }
    }
  }

  /** Takes a commit's result as the new base: what was edited is no edit any more. */
  #settle(snapshot: Uint8Array, edited: Doc, after: Merged): void {
    Y.applyUpdate(this.#shadow, snapshot)
    this.#integrate(after, edited)
  }

  // ---- changes from elsewhere

  get #call() {
    return { signal: this.#stop.signal }
  }

  async #bringIn(): Promise<void> {
    const proven = await this.#client.proven(this.id, this.#call)
    if (proven !== undefined) this.#integrate(proven.merged)
  }

  async #follow(since: number, options: OpenOptions): Promise<void> {
    try {
      for await (const change of this.#client.changes({ since, signal: this.#stop.signal })) {
        if (change.id === this.id) await this.refresh()
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) options.onFeedError?.(error)
    }
  }

  /** Shows a newer state of the record beneath the edits made here. `from` is the document both sides started from. */
  #integrate(next: Merged, from: Doc = this.#base.doc): void {
    const base = this.#base
    if (sameHeads(base, next) && from === base.doc) return
    for (const path of this.#texts) this.#integrateText(path, valueAt(from, path), valueAt(next.doc, path))
    const read = this.#read()
    if (read.ok) {
      const sides = [from, read.value, next.doc].map((doc) => this.#withoutTexts(doc)) as [Doc, Doc, Doc]
      const merged = threeWay(...sides, (path) => this.#isSet(path, next))
      for (const path of merged.overlaps) {
        const pointer = pointerOf(path)
        if (!this.#unseen.has(pointer)) this.#unseen.set(pointer, { path, before: base })
      }
      this.doc.transact(() => this.#show((merged.value ?? {}) as Doc), REMOTE)
    }
    this.#base = next
  }

  #integrateText(path: Path, from: Value | undefined, to: Value | undefined): void {
    const [was, is] = [typeof from === 'string' ? from : '', typeof to === 'string' ? to : '']
    if (was === is) return
    const text = this.#textAt(this.#shadow, path)
    const { at, del, ins } = spliceBetween(text.toString(), is)
    if (del > 0) text.delete(at, del)
    if (ins !== '') text.insert(at, ins)
    const update = Y.encodeStateAsUpdate(this.#shadow, Y.encodeStateVector(this.doc))
    Y.applyUpdate(this.doc, update, REMOTE)
  }

  // ---- between the document and the Y.Doc

  #show(doc: Doc): void {
    const wanted = this.#withoutTexts(doc)
    for (const key of [...this.map.keys()]) if (!Object.hasOwn(wanted, key)) this.map.delete(key)
    for (const [key, value] of Object.entries(wanted)) {
      const json = jsonOf(value)
      if (!this.map.has(key) || JSON.stringify(plainOf(this.map.get(key))) !== JSON.stringify(json))
        this.map.set(key, json)
    }
  }

  #withoutTexts(doc: Doc): Doc {
    let rest = doc
    for (const path of this.#texts) if (typeof valueAt(rest, path) === 'string') rest = withValue(rest, path, undefined)
    return rest
  }

  #read(): ReturnType<typeof fromJson> {
    const json: Record<string, unknown> = Object.create(null)
    for (const key of this.map.keys()) json[key] = plainOf(this.map.get(key))
    const read = fromJson(json)
    if (!read.ok) return read
    let doc = read.value
    for (const path of this.#texts) {
      const text = this.#textAt(this.doc, path).toString()
      // An empty text that was not there before stays absent.
      if (text !== '' || typeof valueAt(this.#base.doc, path) === 'string') doc = withValue(doc, path, text)
    }
    return { ok: true, value: doc }
  }

  #readOrThrow(): Doc {
    const read = this.#read()
    if (!read.ok) throw refusal(read.errors)
    return read.value
  }

  #textAt(doc: Y.Doc, path: Path): Y.Text {
    return doc.getText(pointerOf(path))
  }

  #isSet(path: Path, next: Merged): boolean {
    const field: Field | undefined = fieldAt(this.#kind, path)
    const pointer = pointerOf(path)
    return field?.merge === 'set' || [...this.#base.sets, ...next.sets].some((set) => pointerOf(set) === pointer)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work)
    this.#turn = done.catch(() => undefined)
    return done
  }
}

function sameHeads(a: Merged, b: Merged): boolean {
  return a.heads.length === b.heads.length && a.heads.every((head, at) => head === b.heads[at])
}

/** Plain objects, for Yjs knows no others. */
function jsonOf(value: Value): Record<string, unknown> {
  return JSON.parse(JSON.stringify(valueToJson(value))) as Record<string, unknown>
}

/** What a binding may have put into the map: plain values, or types of Yjs, read as plain values. */
function plainOf(value: unknown): unknown {
  return value instanceof Y.AbstractType ? value.toJSON() : value
}

function refusal(errors: readonly FieldError[]): ClientError {
  const message = errors.map((error) => `${error.pointer} ${error.message}`.trim()).join('\n  ')
  return new ClientError('invalid', message, { problem: { errors } })
}

function gone(): ClientError {
  return new ClientError('not-found', 'the record was deleted; register it again to restore it')
}
