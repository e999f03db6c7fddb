/**
 * A node from a program: register, read, search, follow. Runs where fetch does, browsers included.
 *
 *   const client = new Client({ url: 'http://127.0.0.1:7070', key })
 *   await client.register('agents', { name: 'night-shift', description: 'Watches the pager.' })
 *   for await (const record of client.list('agents')) console.log(record.id, record.name)
 *
 * With a `key`, writes are signed on this side and the node only carries them; with a `token`, the node signs with its
 * own key. Records are named by anything reference.ts reads. Every failure is a ClientError with a code.
 */
import {
  type Decide,
  type Decision,
  decideDelete,
  decideMergePatch,
  decideOverlay,
  decideRegister,
  decideReplace,
  type JsonObject,
  type Kind,
  kinds,
  type Merged,
  type Owner,
  ownerOfKey,
  ownerToDid,
  pureSuite,
  type Rules,
  type Suite,
  type Verb,
} from '../crdt/index.ts'
import type * as Answer from './answers.ts'
import { ClientAuthority } from './client-authority.ts'
import { ClientError } from './client-error.ts'
import { ClientPolicy } from './client-policy.ts'
import { linesOf } from './feed.ts'
import { type Fetch, Http, query } from './http.ts'
import { Names, pathOf, pluralOf } from './names.ts'
import { type OpVerdict, requestBodies, type Signer } from './post-ops.ts'
import { Prover } from './proof.ts'
import {
  batches,
  type Entry,
  fieldErrorsOf,
  invalid,
  type Published,
  type PublishOptions,
  published,
  readError,
  saysAlready,
} from './publishing.ts'
import { type CallOptions, Reader, searchPath, signalOf } from './reader.ts'
import { kindNamed, parseReference } from './reference.ts'
import { type SignedOutcome, type SignedWrite, SignedWriter } from './signed-write.ts'

export type ClientOptions = {
  readonly url: string
  /** For writes that the node signs. */
  readonly token?: string
  /** Signs writes on this side. */
  readonly key?: Signer
  readonly fetch?: Fetch
  /** Faster primitives than the pure ones, where there are any. */
  readonly suite?: Suite
  /** Milliseconds since 1970, for the ops signed here. */
  readonly now?: () => number
}
export type ConditionOptions = CallOptions & {
  /** Only when the record still has this entity tag; a node-signed write only. */
  readonly ifMatch?: string
}
export { batches, type Entry, type Published, type PublishOptions } from './publishing.ts'
export type { CallOptions } from './reader.ts'
export type Written = {
  readonly outcome: 'created' | 'changed' | 'removed' | 'unchanged'
  readonly id: string
  readonly record?: Answer.RecordJson
}

export class Client extends Reader {
  readonly url: string
  /** Whose records the key on this side writes: the did:key of it, or of its identity. */
  readonly did: string | undefined
  readonly #http: Http
  readonly #prover: Prover
  readonly #writer: SignedWriter | undefined
  readonly #names: Names
  readonly #owner: Owner | undefined
  #authority: ClientAuthority | undefined
  #policy: ClientPolicy | undefined

  constructor(options: ClientOptions) {
    if (!URL.canParse(options.url))
      throw new TypeError(`expected the URL of a node, got ${JSON.stringify(options.url)}`)
    const { key: signer, suite = pureSuite, now = Date.now } = options
    const http = new Http(options.url, options.token, options.fetch ?? globalThis.fetch.bind(globalThis))
    const owner = signer && (signer.owner ?? ownerOfKey(signer.key))
    const names = new Names(http, owner)
    const net = async () => (await names.about()).network_id
    const prover = new Prover(http, net, suite)
    super(http, names, prover)
    this.url = http.url
    this.#http = http
    this.#owner = owner
    this.#names = names
    this.#prover = prover
    if (signer !== undefined) {
      this.did = ownerToDid(owner as Owner)
      this.#writer = new SignedWriter({ http, prover, net, signer, suite, now })
    }
  }

  /** What the node blocks and bounds. */
  get policy(): ClientPolicy {
    this.#policy ??= new ClientPolicy(this.#http)
    return this.#policy
  }

  /** Whether it has what a write needs: a key on this side, or a token. */
  get canWrite(): boolean {
    return this.#writer !== undefined || this.#http.hasToken
  }

  // ---- writing

  /** Gives the node signed frames, whoever signed them; a verdict for every op and every frame refused as a whole. */
  async postFrames(frames: readonly Uint8Array[], options: CallOptions = {}): Promise<readonly OpVerdict[]> {
    const results: OpVerdict[] = []
    for (const body of requestBodies(frames)) {
      const request = { method: 'POST', body, type: 'application/cbor', ...signalOf(options) }
      results.push(...(await this.#http.json<{ results: OpVerdict[] }>('/v1/ops', request)).results)
    }
    return results
  }

  /** Keeps a search under a name. A conflict when another one has it. */
  saveSearch(search: Answer.SearchToSave, options: CallOptions = {}): Promise<Answer.SavedSearch> {
    return this.#http.json('/v1/searches', { method: 'POST', body: search, token: true, ...signalOf(options) })
  }

  async removeSearch(name: string, options: CallOptions = {}): Promise<void> {
    await this.#http.send(searchPath(name), { method: 'DELETE', token: true, ...signalOf(options) })
  }

  /** Registers a document under its slug (`slug`, else `name`). A conflict when a live record has it. */
  async register(
    kind: string,
    json: Readonly<Record<string, unknown>>,
    options: PublishOptions = {},
  ): Promise<Written> {
    if (this.#writer === undefined) {
      const request = { method: 'POST', body: json, token: true, ...signalOf(options) }
      const record = await this.#http.json<Answer.RecordJson>(`/v1/${pluralOf(kind)}`, request)
      return { outcome: 'created', id: record.id, record }
    }
    const slug = json['slug']
    const entry = { kind, doc: json, ...(slug !== undefined && { slug: slug as string }) }
    return this.#one(await this.#signedEntry(entry, decideRegister, options), options)
  }

  /** Makes the document what the record says. */
  async replace(
    reference: string,
    json: Readonly<Record<string, unknown>>,
    options: ConditionOptions = {},
  ): Promise<Written> {
    if (this.#writer === undefined) return this.#nodeWrite('PUT', reference, json, options)
    const onlyLive: Decide = (target, body, before, rules) =>
      before?.live ? decideReplace(target, body, before, rules) : { do: 'refuse', why: 'missing' }
    return this.#change(reference, json, onlyLive, options)
  }

  /** A JSON merge patch: fields it names are set, null removes. */
  async patch(
    reference: string,
    json: Readonly<Record<string, unknown>>,
    options: ConditionOptions = {},
  ): Promise<Written> {
    if (this.#writer === undefined) return this.#nodeWrite('PATCH', reference, json, options)
    return this.#change(reference, json, decideMergePatch, options)
  }

  /** Deletes; the history stays, and registering the same slug again restores. */
  async remove(reference: string, options: ConditionOptions = {}): Promise<Written> {
    if (this.#writer === undefined) return this.#nodeWrite('DELETE', reference, undefined, options)
    return this.#change(reference, {}, decideDelete, options)
  }

  /**
   * Publishes documents, an outcome for each: created where the slug is new, else laid over what is there. With a key
   * on this side any number goes; without, the node signs, in batches of what one request holds.
   */
  async publish(entries: readonly Entry[], options: PublishOptions = {}): Promise<Published[]> {
    if (this.#writer === undefined) {
      const answers: Published[] = []
      for (const { lines } of batches(entries)) answers.push(...(await this.batch(lines, options)))
      return answers
    }
    const results = new Array<Published>(entries.length)
    const writes: SignedWrite[] = []
    const places: number[] = []
    const decide = options.replace ? decideReplace : decideOverlay
    for (const [at, entry] of entries.entries()) {
      const write = await this.#signedEntry(entry, decide, options).catch((error: unknown) => {
        if (!(error instanceof ClientError) || error.code !== 'invalid') throw error
        return error
      })
      if (write instanceof ClientError) {
        results[at] = { outcome: 'refused', error: { message: write.message, errors: fieldErrorsOf(write) } }
      } else {
        writes.push(
          options.replace ? write : { ...write, saysAlready: (shown) => saysAlready(write.kind, shown, entry.doc) },
        )
        places.push(at)
      }
    }
    for (const [n, outcome] of (await this.#writer.write(writes, options.signal)).entries()) {
      results[places[n] as number] = published((writes[n] as SignedWrite).place.id, outcome)
    }
    return results
  }

  /** One POST /v1/batch of lines made by `batches`: the node signs. */
  async batch(lines: readonly string[], options: PublishOptions = {}): Promise<Published[]> {
    const path = `/v1/batch${query({ lenient: options.lenient || undefined, mode: options.replace ? 'replace' : undefined })}`
    const request = {
      method: 'POST',
      body: `${lines.join('\n')}\n`,
      type: 'application/jsonl',
      accept: 'application/jsonl',
    }
    const response = await this.#http.send(path, { ...request, token: true, ...signalOf(options) })
    const answers: Published[] = []
    for await (const line of linesOf(response)) {
      if (line === '') continue
      const { i, id, outcome, error } = JSON.parse(line) as Answer.BatchLine
      answers[i] = { outcome, ...(id !== undefined && { id }), ...(error && { error: readError(error) }) }
    }
    for (let i = 0; i < lines.length; i++) {
      if (answers[i] === undefined)
        throw new ClientError('failed', `the node's answer has nothing on line ${i + 1} of the batch`)
    }
    return answers
  }

  // ---- who may write

  /** Grants, revokes, rotations and erases, signed where the client's writes are signed. */
  get authority(): ClientAuthority {
    this.#authority ??= new ClientAuthority({
      http: this.#http,
      prover: this.#prover,
      names: this.#names,
      writer: this.#writer,
    })
    return this.#authority
  }

  // ---- for open-record.ts

  /** Decides on the proven record and signs what comes out. */
  async signOn(
    at: { readonly kind: Kind; readonly id: string },
    decide: (before: Merged | undefined) => Decision,
  ): Promise<SignedOutcome> {
    const place = { plural: at.kind.plural, id: at.id }
    const [outcome] = await this.#signing().write([{ place, kind: at.kind, slug: '', decide }])
    return outcome as SignedOutcome
  }

  /** Signs a patch above ops that need not be heads any more: it then stands beside what came after them. */
  async signPatch(record: string, parents: readonly string[], after: number, verbs: readonly Verb[]): Promise<void> {
    await this.#signing().patch(record, parents, after, verbs)
  }

  #signing(): SignedWriter {
    if (this.#writer === undefined) throw new ClientError('auth', 'signing needs a key on this side')
    return this.#writer
  }

  // ---- helpers of writing

  async #nodeWrite(method: string, reference: string, body: unknown, options: ConditionOptions): Promise<Written> {
    const place = await this.resolve(reference, options)
    const headers: Record<string, string> = options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const request = { method, token: true, headers, ...(body !== undefined && { body, type }), ...signalOf(options) }
    const response = await this.#http.send(pathOf(place), request)
    if (method === 'DELETE') return { outcome: 'removed', id: place.id }
    const record = (await response.json()) as Answer.RecordJson
    // Without a condition the tag of before is not known, and an answer does not say whether it wrote.
    const same = options.ifMatch !== undefined && response.headers.get('etag') === options.ifMatch
    return { outcome: response.status === 201 ? 'created' : same ? 'unchanged' : 'changed', id: place.id, record }
  }

  async #change(
    reference: string,
    json: Readonly<Record<string, unknown>>,
    decide: Decide,
    options: CallOptions,
  ): Promise<Written> {
    const place = await this.resolve(reference, options)
    const { kind, id } = place
    const write: SignedWrite = {
      place,
      kind,
      slug: '',
      decide: (before) => decide({ kind, id, slug: before?.slug ?? '', ownerDid: '' }, json as JsonObject, before, {}),
    }
    return this.#one(write, options)
  }

  async #signedEntry(entry: Entry, decide: Decide, options: PublishOptions): Promise<SignedWrite> {
    const kind = kindNamed(entry.kind)
    if (kind === undefined)
      throw invalid(entry.kind, [
        { pointer: '/kind', message: `unknown kind; expected one of ${Object.keys(kinds).join(', ')}` },
      ])
    const slug = entry.slug ?? entry.doc['name']
    const named = typeof slug === 'string' ? parseReference(`${kind.plural}/slug:${slug}`) : undefined
    if (named?.form !== 'name') {
      throw invalid(kind.name, [
        {
          pointer: entry.slug === undefined ? '/name' : '/slug',
          message: 'expected 1 to 256 bytes of text that is not blank',
        },
      ])
    }
    const id = await this.#names.idOf(this.#owner as Owner, kind, named.slug)
    const target = { kind, id, slug: named.slug, ownerDid: this.did as string }
    const json = entry.doc as JsonObject
    const rules: Rules = options.lenient ? { lenient: true } : {}
    const place = { plural: kind.plural, id }
    return { place, kind, slug: named.slug, decide: (before) => decide(target, json, before, rules) }
  }

  async #one(write: SignedWrite, options: CallOptions): Promise<Written> {
    const [outcome] = (await this.#signing().write([write], options.signal)) as [SignedOutcome]
    const { id } = write.place
    if (outcome.outcome !== 'refused') return { outcome: outcome.outcome, id }
    const message = outcome.errors.map((error) => `${error.pointer} ${error.message}`.trim()).join('\n  ')
    const code = outcome.code === 'exists' ? 'conflict' : outcome.code
    throw new ClientError(code, message, { problem: { errors: outcome.errors } })
  }
}
