/** What a node is asked for: records, searches, histories, changes. Nothing here writes. */
import type { Kind } from '../crdt/index.ts'
import type * as Answer from './answers.ts'
import { type Change, type FollowOptions, followLog, type MatchChange } from './feed.ts'
import { type Http, query } from './http.ts'
import { pageItems } from './limits.ts'
import { type Names, pathOf, pluralOf } from './names.ts'
import type { Place, Proven, Prover } from './proof.ts'

export type CallOptions = { readonly signal?: AbortSignal }

export class Reader {
  readonly #http: Http
  readonly #names: Names
  readonly #prover: Prover

  constructor(http: Http, names: Names, prover: Prover) {
    this.#http = http
    this.#names = names
    this.#prover = prover
  }

  /** Where a record is: what was meant, as a kind and an id. Asks the node only for what the text leaves open. */
  resolve(reference: string, options: CallOptions = {}): Promise<Place & { readonly kind: Kind }> {
    return this.#names.resolve(reference, options)
  }

  status(options: CallOptions & { readonly stateHash?: boolean } = {}): Promise<Answer.Status> {
    return this.#http.json(`/v1/status${query({ state_hash: options.stateHash ? 1 : undefined })}`, signalOf(options))
  }

  async get(reference: string, options: CallOptions = {}): Promise<Answer.RecordJson> {
    return (await this.read(reference, options)).record
  }

  /** A record and the entity tag that a conditional write names. */
  async read(
    reference: string,
    options: CallOptions = {},
  ): Promise<{ record: Answer.RecordJson; etag: string | undefined }> {
    const place = await this.resolve(reference, options)
    const response = await this.#http.send(pathOf(place), signalOf(options))
    return { record: (await response.json()) as Answer.RecordJson, etag: response.headers.get('etag') ?? undefined }
  }

  /** All records of a kind, in the node's order, page by page. */
  async *list(
    kind: string,
    options: CallOptions & Answer.ListQuery = {},
  ): AsyncGenerator<Answer.RecordJson, void, undefined> {
    let left = options.limit ?? Number.POSITIVE_INFINITY
    let cursor = options.cursor
    do {
      const page = await this.page(kind, {
        ...options,
        limit: Math.min(left, pageItems),
        ...(cursor !== undefined && { cursor }),
      })
      for (const record of page.items.slice(0, left)) yield record
      left -= page.items.length
      cursor = page.next_cursor
    } while (cursor !== undefined && left > 0)
  }

  async page(kind: string, options: CallOptions & Answer.ListQuery = {}): Promise<Answer.Page<Answer.RecordJson>> {
    const { filters, filter, sort, limit, cursor } = options
    const parameters = query({ ...filters, filter, sort, limit, cursor })
    return this.#http.json(`/v1/${pluralOf(kind)}${parameters}`, signalOf(options))
  }

  /** Full text, filters, facets. Over all kinds unless one is named. */
  async search(
    question: Answer.SearchQuery & { readonly kind?: string },
    options: CallOptions = {},
  ): Promise<Answer.SearchAnswer> {
    const { kind, ...body } = question
    const path = kind === undefined ? '/v1/search' : `/v1/${pluralOf(kind)}/search`
    return this.#http.json(path, { method: 'POST', body, ...signalOf(options) })
  }

  /** All records that a search finds, page by page. */
  async *find(
    question: Omit<Answer.SearchQuery, 'limit' | 'facets'> & { readonly kind?: string },
    options: CallOptions = {},
  ): AsyncGenerator<Answer.RecordJson, void, undefined> {
    let { cursor } = question
    do {
      const page = await this.search(
        { ...question, limit: pageItems, ...(cursor !== undefined && { cursor }) },
        options,
      )
      for (const { record } of page.items) yield record
      cursor = page.next_cursor
    } while (cursor !== undefined)
  }

  /** What there is to filter, sort and count by; of all kinds unless one is named. */
  async fields(kind?: string, options: CallOptions = {}): Promise<Answer.Fields> {
    return this.#http.json(kind === undefined ? '/v1/fields' : `/v1/${pluralOf(kind)}/fields`, signalOf(options))
  }

  /** The rows of the node's store, for a backup; needs its main token. */
  async backup(options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#http.send('/v1/backup', { accept: '*/*', token: true, ...signalOf(options) })
    return response.body as ReadableStream<Uint8Array>
  }

  /** The signed ops of records as one file (node/PROTOCOLS.md, "Bundles"): of all, or of those that meet all named. */
  async bundle(
    of: {
      readonly kinds?: readonly string[]
      readonly owners?: readonly string[]
      readonly records?: readonly string[]
    },
    options: CallOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#http.send('/v1/bundle', {
      method: 'POST',
      body: of,
      accept: '*/*',
      ...signalOf(options),
    })
    return response.body as ReadableStream<Uint8Array>
  }

  /** Every op of a record, newest first; also of a deleted one. */
  async *history(reference: string, options: CallOptions = {}): AsyncGenerator<Answer.HistoryItem, void, undefined> {
    const place = await this.resolve(reference, options)
    let cursor: string | undefined
    do {
      const path = `${pathOf(place)}/history${query({ limit: pageItems, cursor })}`
      const page = await this.#http.json<Answer.Page<Answer.HistoryItem>>(path, signalOf(options))
      yield* page.items
      cursor = page.next_cursor
    } while (cursor !== undefined)
  }

  async heads(reference: string, options: CallOptions = {}): Promise<Answer.Heads> {
    return this.#http.json(`${pathOf(await this.resolve(reference, options))}/heads`, signalOf(options))
  }

  /** The record as merged on this side from ops checked on this side; undefined when the node holds none. */
  async proven(reference: string, options: CallOptions = {}): Promise<Proven | undefined> {
    return this.#prover.record(await this.resolve(reference, options), options.signal)
  }

  changes(options: FollowOptions = {}): AsyncGenerator<Change, void, undefined> {
    return followLog(this.#http, { path: '/v1/changes' }, options)
  }

  /** What comes to meet a search, changes or meets it no longer; a kept search by its name is told from when it was kept. */
  async *matches(
    what: string | { readonly query?: string; readonly filter?: string; readonly kinds?: readonly string[] },
    options: FollowOptions = {},
  ): AsyncGenerator<MatchChange, void, undefined> {
    if (typeof what !== 'string') {
      const parameters = { ...what, kinds: what.kinds?.join(',') }
      yield* followLog<MatchChange>(this.#http, { path: '/v1/search/changes', parameters }, options)
      return
    }
    const saved = await this.#http.json<Answer.SavedSearch>(searchPath(what), signalOf(options))
    yield* followLog<MatchChange>(
      this.#http,
      { path: saved.changes },
      { ...options, since: options.since ?? saved.since },
    )
  }

  async savedSearches(options: CallOptions = {}): Promise<readonly Answer.SavedSearch[]> {
    return (await this.#http.json<{ items: Answer.SavedSearch[] }>('/v1/searches', signalOf(options))).items
  }
}

export function searchPath(name: string): string {
  return `/v1/searches/${encodeURIComponent(name)}`
}

export function signalOf(options: CallOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {}
}
