/**
 * Who may write, from a program: grants given and taken, keys of an identity rotated, ops erased. With a key on this side
 * the ops are signed here, in the order in which they must be known; with a token the node signs with its own.
 */
import {
  cidToOpId,
  encodeErase,
  encodeGrant,
  encodeKeep,
  encodeRevoke,
  encodeRotate,
  type Grant,
  grantsFor,
  idLists,
  keyToDid,
  type OpId,
  type Owner,
  type OwnerAuthority,
  opIdToCid,
  ownerToDid,
  pointerOf,
} from '../crdt/index.ts'
import type * as Answer from './answers.ts'
import { ClientError } from './client-error.ts'
import { type Http, query } from './http.ts'
import { type Names, pathOf } from './names.ts'
import type { Prover } from './proof.ts'
import type { AuthorityDraft, SignedWriter } from './signed-write.ts'

type CallOptions = { readonly signal?: AbortSignal }
/** What outlives a grant or a key: all that the node has seen, what it had seen before an op (a CID) came, nothing. */
export type KeepWish = 'seen' | { readonly since: string } | 'nothing'
export type GrantWish = Grant & { readonly owner?: Owner }

type Parts = {
  readonly http: Http
  readonly prover: Prover
  readonly names: Names
  /** When there is a key on this side. */
  readonly writer: SignedWriter | undefined
}

export class ClientAuthority {
  readonly #http: Http
  readonly #prover: Prover
  readonly #names: Names
  readonly #writer: SignedWriter | undefined

  constructor(parts: Parts) {
    this.#http = parts.http
    this.#prover = parts.prover
    this.#names = parts.names
    this.#writer = parts.writer
  }

  /** An owner's authority, every op of it checked on this side. */
  proven(owner: Owner, options: CallOptions = {}): Promise<OwnerAuthority> {
    return this.#prover.authority(owner, options.signal)
  }

  /** The same of the identity on this side; a node that has never heard of it is told. */
  async own(options: CallOptions = {}): Promise<OwnerAuthority> {
    if (this.#writer === undefined) throw new ClientError('auth', 'this needs a key on this side')
    await this.#writer.authorise(this.#writer.owner, () => [])
    return this.#prover.authority(this.#writer.owner, options.signal)
  }

  /** Who may write a record, as the node says. */
  async of(reference: string, options: CallOptions = {}): Promise<Answer.RecordAuthority> {
    return this.#http.json(`${pathOf(await this.#names.resolve(reference, options))}/authority`, signalOf(options))
  }

  /** All grants of an owner, as the node says. */
  async ofOwner(did: string, options: CallOptions = {}): Promise<Answer.OwnerAuthority> {
    return this.#http.json(`/v1/authority/${encodeURIComponent(did)}`, signalOf(options))
  }

  /** CIDs of the grants made: two when places and the right to delete are given, for a delete takes all. */
  async grant({ owner, ...wish }: GrantWish, options: CallOptions = {}): Promise<readonly string[]> {
    if (this.#writer === undefined) {
      const { to, rights, kinds, records, paths, expiry } = wish
      const body = {
        to: keyToDid(to),
        rights,
        ...(kinds && { kinds }),
        ...(records && { records }),
        ...(paths && { fields: paths.map(pointerOf) }),
        ...(expiry !== undefined && { expires_at: expiry }),
        ...(owner !== undefined && { owner: ownerToDid(owner) }),
      }
      const request = { method: 'POST', body, token: true, ...signalOf(options) }
      return (await this.#http.json<{ grants: string[] }>('/v1/grants', request)).grants
    }
    const drafts = grantsFor(wish).map((part): AuthorityDraft => ({ type: 'grant', body: encodeGrant(part) }))
    const ids = await this.#writer.authorise(owner ?? this.#writer.owner, () => drafts)
    return ids.map(opIdToCid)
  }

  /** Ends a grant. Answers the revoke and how many ops it names as kept. */
  async revoke(grant: string, keep: KeepWish = 'seen', options: CallOptions = {}): Promise<Answer.Revoked> {
    if (this.#writer === undefined) {
      const body = typeof keep === 'string' ? { keep } : keep
      const request = { method: 'POST', body, token: true, ...signalOf(options) }
      return this.#http.json(`/v1/grants/${grant}/revoke`, request)
    }
    const id = opIdOf(grant)
    const { owner } = this.#writer
    const authority = await this.#prover.authority(owner, options.signal)
    if (authority.grant(id) === undefined)
      throw new ClientError('not-found', `${ownerToDid(owner)} gave no grant ${grant}`)
    const ids = await this.#doneUnder(owner, id, keep, options)
    const [first = [], ...more] = idLists(ids)
    const [revoke, ...keeps] = await this.#writer.authorise(owner, () => [
      { type: 'revoke', body: encodeRevoke({ grant: id, keep: first }), ...(keep === 'seen' ? {} : { parents: [id] }) },
      ...more.map(keepDraft),
    ])
    return { revoke: opIdToCid(revoke as OpId), keeps: keeps.map(opIdToCid), kept: ids.length }
  }

  /**
   * The op that hands an identity on: signed by the key on this side, which is the next one. `on`: what the last key
   * relies on. What that key did stays as far as the node has seen it, unless told otherwise.
   */
  async rotate(
    on: OpId,
    commitment: string,
    keep: KeepWish = 'seen',
    options: CallOptions = {},
  ): Promise<Answer.Rotated> {
    const writer = this.#writer
    if (writer === undefined) throw new ClientError('auth', 'rotating needs the next key on this side')
    const ids = await this.#doneUnder(writer.owner, on, keep, options)
    const [first = [], ...more] = idLists(ids)
    const [rotate, ...keeps] = await writer.authorise(writer.owner, () => [
      {
        type: 'rotate',
        body: encodeRotate({ commitment, keep: first }),
        via: on,
        // Naming as a parent what a thief wrote in the authority record would keep it.
        ...(keep === 'seen' ? {} : { parents: [on] }),
      },
      ...more.map(keepDraft),
    ])
    return { rotate: opIdToCid(rotate as OpId), keeps: keeps.map(opIdToCid), kept: ids.length }
  }

  /** Takes ops of a record out for good: those named, or all that say anything. */
  async erase(
    reference: string,
    wish: { readonly ops?: readonly string[]; readonly reason?: string } = {},
    options: CallOptions = {},
  ): Promise<readonly string[]> {
    const place = await this.#names.resolve(reference, options)
    if (this.#writer === undefined) {
      const request = { method: 'POST', body: wish, token: true, ...signalOf(options) }
      return (await this.#http.json<{ erases: string[] }>(`${pathOf(place)}/erase`, request)).erases
    }
    const proven = await this.#prover.record(place, options.signal)
    if (proven === undefined) throw new ClientError('not-found', `there is no record ${reference}`)
    const wanted = wish.ops === undefined ? undefined : new Set(wish.ops.map(opIdOf))
    const ids = [...proven.ops.values()].flatMap(({ id, header }) =>
      header.type <= PATCH && wanted?.has(id) !== false ? [id] : [],
    )
    if (ids.length === 0) throw new ClientError('not-found', 'the record has no such op')
    const erases: string[] = []
    for (const some of idLists(ids)) {
      const body = encodeErase({ ids: some, ...(wish.reason === undefined ? {} : { reason: wish.reason }) })
      erases.push(opIdToCid(await this.#writer.erase(place, place.kind, body)))
    }
    return erases
  }

  /** What relies on an op, as far as the node has seen it: of each record the ops that no other of them builds on. */
  async #doneUnder(owner: Owner, under: OpId, keep: KeepWish, options: CallOptions): Promise<OpId[]> {
    if (keep === 'nothing') return []
    const since = typeof keep === 'string' ? undefined : keep.since
    const path = `/v1/authority/${encodeURIComponent(ownerToDid(owner))}/done${query({ under: opIdToCid(under), since })}`
    return (await this.#http.json<{ ops: string[] }>(path, signalOf(options))).ops.map(opIdOf)
  }
}

const PATCH = 3

function keepDraft(ids: readonly OpId[]): AuthorityDraft {
  return { type: 'keep', body: ([of]) => encodeKeep({ of: of as OpId, ids }) }
}

function opIdOf(cid: string): OpId {
  const id = cidToOpId(cid)
  if (id === undefined) throw new ClientError('bad-reference', `${JSON.stringify(cid)} is no op id`)
  return id
}

function signalOf(options: CallOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {}
}
