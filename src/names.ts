/**
 * Where records are on a node: what a person's text means, as a kind and an id. Only what the text leaves open is
 * asked: the network and the node's own key once, the kind of a bare id once for each.
 */
import { didToOwner, type Kind, kinds, type Owner, recordId } from '../crdt/index.ts'
import type { Status } from './answers.ts'
import { ClientError } from './client-error.ts'
import { closest } from './closest.ts'
import type { Http } from './http.ts'
import { namesMax } from './limits.ts'
import type { Place } from './proof.ts'
import { kindNamed, parseReference } from './reference.ts'

type CallOptions = { readonly signal?: AbortSignal }

export class Names {
  readonly #http: Http
  /** Of the key on this side. */
  readonly #owner: Owner | undefined
  #facts: Promise<Status> | undefined
  readonly #kinds = new Map<string, Kind>()

  constructor(http: Http, owner: Owner | undefined) {
    this.#http = http
    this.#owner = owner
  }

  /** Where a record is: what was meant, as a kind and an id. Asks the node only for what the text leaves open. */
  async resolve(reference: string, options: CallOptions = {}): Promise<Place & { readonly kind: Kind }> {
    const named = parseReference(reference)
    if (named === undefined) {
      throw new ClientError(
        'bad-reference',
        `${JSON.stringify(reference)} names no record: expected 64 hex digits, kind/slug, kind/did/slug or a URL`,
      )
    }
    if (named.form === 'id') {
      const kind = named.kind ?? (await this.#kindOf(named.id, options))
      return { kind, plural: kind.plural, id: named.id }
    }
    const owner = named.owner ?? (await this.#ownOwner())
    const id = await this.idOf(owner, named.kind, named.slug)
    return { kind: named.kind, plural: named.kind.plural, id }
  }

  /** The record that an owner calls so. */
  async idOf(owner: Owner, kind: Kind, slug: string): Promise<string> {
    return recordId({ net: (await this.about()).network_id, owner, kind: kind.name, slug })
  }

  /** The owner that a name without one means: the key on this side, else the node's. */
  async #ownOwner(): Promise<string> {
    if (this.#owner !== undefined) return this.#owner
    const { did } = await this.about()
    const owner = did === null ? undefined : didToOwner(did)
    if (owner === undefined)
      throw new ClientError('bad-reference', 'this node has no key of its own: name the owner too, as kind/did/slug')
    return owner
  }

  /** An id alone does not say its kind: every kind is asked. */
  async #kindOf(id: string, options: CallOptions): Promise<Kind> {
    const known = this.#kinds.get(id)
    if (known !== undefined) return known
    const asked = Object.values(kinds).map(async (kind) => {
      await this.#http.json(`/v1/${kind.plural}/${id}/heads`, signalOf(options))
      return kind
    })
    const answers = await Promise.allSettled(asked)
    for (const answer of answers) {
      if (answer.status === 'fulfilled') {
        if (this.#kinds.size >= namesMax) this.#kinds.clear()
        this.#kinds.set(id, answer.value)
        return answer.value
      }
      const error: unknown = answer.reason
      if (!(error instanceof ClientError) || error.code !== 'not-found') throw error
    }
    throw new ClientError('not-found', `there is no record ${id}`, { status: 404 })
  }

  /** Asked once: a node does not change its network or key while it runs. */
  about(): Promise<Status> {
    this.#facts ??= this.#http.json<Status>('/v1/status').catch((error: unknown) => {
      this.#facts = undefined
      throw error
    })
    return this.#facts
  }
}

export function pathOf(place: Place): string {
  return `/v1/${place.plural}/${place.id}`
}

/** A kind's part of a path, by either of its names. */
export function pluralOf(kind: string): string {
  const found = kindNamed(kind)
  if (found !== undefined) return found.plural
  const plurals = Object.values(kinds).map(({ plural }) => plural)
  const near = closest(kind, plurals)
  const hint = near === undefined ? `expected one of ${plurals.join(', ')}` : `did you mean ${near}?`
  throw new ClientError('bad-reference', `unknown kind ${JSON.stringify(kind)}; ${hint}`)
}

function signalOf(options: CallOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {}
}
