/**
 * Writes that are signed on this side: read the record's proven state, decide, find what the key may rely on
 * (reliance.ts), sign and post (post-ops.ts).
 *
 * The current heads become the parents, so a write says exactly what its signer has seen. Nobody can lose a race:
 * what others wrote meanwhile is merged, or stands beside it as a conflict.
 */
import {
  BODY_BYTES_MAX,
  type Decision,
  type Draft,
  encodeVerbs,
  type Invalid,
  type Kind,
  type Merged,
  type Objection,
  OP_TYPES,
  type OpId,
  type Owner,
  type OwnerAuthority,
  opIdToCid,
  PARENTS_MAX,
  type ToWrite,
  type Verb,
} from '../crdt/index.ts'
import type { RecordJson } from './answers.ts'
import { ClientError } from './client-error.ts'
import type { Http } from './http.ts'
import { clockAheadMsMax, requestsInFlightMax, signedEntriesMax } from './limits.ts'
import { accepted, type OpVerdict, Poster, type PosterParts, type Signer } from './post-ops.ts'
import { inParallel, type Place, type Prover } from './proof.ts'
import { NO_GRANT, Reliance, relied } from './reliance.ts'

/** What is wrong with one place of a document. */
export type FieldError = Invalid

export type SignedWrite = {
  readonly place: Place
  readonly kind: Kind
  /** Of a record that is to be created. */
  readonly slug: string
  /** Whose it is to be; the signer's own when left out. */
  readonly owner?: Owner
  readonly decide: (before: Merged | undefined) => Decision
  /**
   * Whether a record as the node shows it says all that is to be written. Then nothing is proven or signed: a node
   * that lies about it gains no more than by refusing the op.
   */
  readonly saysAlready?: (shown: RecordJson) => boolean
}
export type SignedOutcome =
  | { readonly outcome: 'created' | 'changed' | 'removed'; readonly op: OpId; readonly after: Merged }
  | { readonly outcome: 'unchanged'; readonly after: Merged | undefined }
  | Refused
type Refused = {
  readonly outcome: 'refused'
  readonly code: 'invalid' | 'exists' | 'not-found' | 'refused'
  readonly errors: readonly FieldError[]
}

/** What a write finds; `same`: what it wants is there. */
type State = { readonly before: Merged | undefined; readonly same: boolean }
type Signing = { readonly at: number; readonly draft: Draft }

export class SignedWriter {
  readonly #http: Http
  readonly #prover: Prover
  readonly #signer: Signer
  readonly #poster: Poster
  readonly #reliance: Reliance
  readonly #now: () => number

  constructor(parts: PosterParts & { readonly now: () => number }) {
    const { http, prover, signer, now } = parts
    this.#http = http
    this.#prover = prover
    this.#signer = signer
    this.#poster = new Poster(parts)
    this.#reliance = new Reliance({ http, prover, poster: this.#poster, signer, now })
    this.#now = now
  }

  /** Outcomes in order. Writes of one record are done one after the other, all others in batches of one proof. */
  async write(writes: readonly SignedWrite[], signal?: AbortSignal): Promise<SignedOutcome[]> {
    const outcomes = new Array<SignedOutcome>(writes.length)
    let group: number[] = []
    const inGroup = new Set<string>()
    for (const [at, { place }] of writes.entries()) {
      if (inGroup.has(place.id) || group.length === signedEntriesMax) {
        await this.#writeGroup(writes, group, outcomes, signal)
        group = []
        inGroup.clear()
      }
      group.push(at)
      inGroup.add(place.id)
    }
    await this.#writeGroup(writes, group, outcomes, signal)
    return outcomes
  }

  /** One patch above given parents; an error unless the node takes it. */
  async patch(record: string, parents: readonly OpId[], after: number, verbs: readonly Verb[]): Promise<void> {
    const known = this.#prover.known(record)
    const via = known && (await this.#reliance.via(known.owner, 'patch', record, known.kind))
    if (known !== undefined && via === undefined) throw new ClientError('refused', NO_GRANT)
    accepted(
      await this.#poster.post([
        { type: 'patch', record, parents, w: this.#time(after), body: encodeVerbs(verbs), ...relied(via) },
      ]),
    )
  }

  /** Whose records it writes unless told otherwise. */
  get owner(): Owner {
    return this.#reliance.owner
  }

  async #writeGroup(
    writes: readonly SignedWrite[],
    group: readonly number[],
    outcomes: SignedOutcome[],
    signal: AbortSignal | undefined,
  ) {
    const states = await inParallel(group, requestsInFlightMax, (at) => this.#before(writes[at] as SignedWrite, signal))
    const signing: Signing[] = []
    for (const [n, at] of group.entries()) {
      const write = writes[at] as SignedWrite
      const state = states[n] as State
      const before = state.before
      const decision: Decision = state.same ? { do: 'nothing' } : write.decide(before)
      if (decision.do === 'nothing') outcomes[at] = { outcome: 'unchanged', after: before }
      else if (decision.do === 'refuse') outcomes[at] = refusedFrom(decision, write, before)
      else {
        const owner = before?.owner ?? write.owner ?? this.owner
        const via = await this.#reliance.via(owner, decision.do, write.place.id, write.kind.name)
        const draft = via !== undefined && this.#draft(write, decision, before, owner, via)
        if (!draft || !(await this.#reliance.saysSomething(owner, draft))) outcomes[at] = refused('refused', NO_GRANT)
        else signing.push({ at, draft })
      }
    }
    if (signing.length === 0) return
    const drafts = signing.map(({ draft }) => draft)
    for (const [n, { op, verdict }] of (await this.#poster.post(drafts, signal)).entries()) {
      const { at, draft } = signing[n] as Signing
      outcomes[at] = await this.#outcome((writes[at] as SignedWrite).place, draft, op.id, verdict, signal)
    }
  }

  async #before({ place, saysAlready }: SignedWrite, signal: AbortSignal | undefined): Promise<State> {
    if (saysAlready !== undefined && this.#prover.known(place.id) === undefined) {
      const shown = await this.#shown(place, signal)
      if (shown === 'new') return { before: undefined, same: false }
      if (shown !== 'deleted' && saysAlready(shown)) return { before: undefined, same: true }
    }
    const before = (await this.#prover.record(place, signal))?.merged
    return { before: await this.#withFewHeads(place, before, signal), same: false }
  }

  async #shown(place: Place, signal: AbortSignal | undefined): Promise<RecordJson | 'new' | 'deleted'> {
    try {
      return await this.#http.json<RecordJson>(`/v1/${place.plural}/${place.id}`, signal ? { signal } : {})
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'not-found') throw error
      return error.problem?.['deleted'] === true ? 'deleted' : 'new'
    }
  }

  async #outcome(
    place: Place,
    draft: Draft,
    op: OpId,
    { verdict, reason }: OpVerdict,
    signal: AbortSignal | undefined,
  ): Promise<SignedOutcome> {
    if (verdict === 'refused') return refused('refused', `the node refused the op: ${reason ?? 'no reason given'}`)
    const after = this.#prover.known(place.id) ?? (await this.#prover.record(place, signal))?.merged
    if (after === undefined) throw new ClientError('failed', `the node took ${opIdToCid(op)} and does not show it`)
    const changes = draft.type === 'patch' || draft.type === 'erase'
    const outcome = draft.type === 'delete' ? 'removed' : changes ? 'changed' : 'created'
    return { outcome, op, after }
  }

  #draft(
    { place, kind, slug }: SignedWrite,
    { do: type, body }: ToWrite,
    before: Merged | undefined,
    owner: Owner,
    via: OpId | null,
  ): Draft {
    const w = this.#time(before?.changedAt)
    if (type === 'genesis') return { type, owner, kind: kind.name, slug, w, body, ...relied(via) }
    return { type, record: place.id, parents: [...(before as Merged).heads], w, body, ...relied(via) }
  }

  /** Signs authority ops of an owner, each on top of the ones before, and posts them; their ids in order. */
  async authorise(
    owner: Owner,
    make: (authority: OwnerAuthority) => readonly AuthorityDraft[],
  ): Promise<readonly OpId[]> {
    await this.#reliance.via(owner, 'grant', '')
    const authority = (await this.#prover.authority(owner)).clone()
    const ids: OpId[] = []
    for (const { type, body, parents, via } of make(authority)) {
      const w = this.#time()
      const header = { type: OP_TYPES.indexOf(type) + 1, record: authority.record, w }
      const relies = via ?? authority.viaFor(this.#signer.key, header)
      if (relies === undefined) throw new ClientError('refused', NO_GRANT)
      const draft: Draft = {
        type,
        record: authority.record,
        parents: parents ?? authority.heads().slice(0, PARENTS_MAX),
        w,
        body: typeof body === 'function' ? body(ids) : body,
        ...relied(relies),
      }
      const op = await this.#poster.draft(draft)
      authority.add(op)
      accepted(await this.#poster.post([draft]))
      ids.push(op.id)
    }
    return ids
  }

  /** Erases ops of a record; the erase's id. */
  async erase(place: Place, kind: Kind, body: Uint8Array): Promise<OpId> {
    const decide = (before: Merged | undefined): Decision =>
      before === undefined ? { do: 'refuse', why: 'missing' } : { do: 'erase', body }
    const [outcome] = (await this.write([{ place, kind, slug: '', decide }])) as [SignedOutcome]
    if (outcome.outcome === 'refused') throw new ClientError('refused', outcome.errors[0]?.message ?? NO_GRANT)
    if (outcome.outcome === 'unchanged') throw new ClientError('failed', 'nothing was erased')
    return outcome.op
  }

  /**
   * The time an op carries decides only which of two concurrent values is shown. Behind one that it builds on it would
   * mislead, so a clock that is a little slow is helped along; a time far ahead is somebody's mistake and not followed.
   */
  #time(after = 0): number {
    const now = this.#now()
    return after >= now && after < now + clockAheadMsMax ? after + 1 : now
  }

  /** An op names at most 16 parents: where more heads stand, empty patches join them first. */
  async #withFewHeads(
    place: Place,
    before: Merged | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Merged | undefined> {
    let now = before
    const many = now !== undefined && now.heads.length > PARENTS_MAX
    const via = many ? await this.#reliance.via((now as Merged).owner, 'patch', place.id, (now as Merged).kind) : null
    if (via === undefined) throw new ClientError('refused', NO_GRANT)
    while (now !== undefined && now.heads.length > PARENTS_MAX) {
      const drafts: Draft[] = []
      for (let from = 0; from < now.heads.length; from += PARENTS_MAX) {
        const parents = now.heads.slice(from, from + PARENTS_MAX)
        if (parents.length > 1)
          drafts.push({
            type: 'patch',
            record: place.id,
            parents,
            w: this.#time(now.changedAt),
            body: encodeVerbs([]),
            ...relied(via),
          })
      }
      accepted(await this.#poster.post(drafts, signal))
      now = this.#prover.known(place.id)
    }
    return now
  }
}

/** An authority op to be signed; `via` where the writer is not to look for it. */
export type AuthorityDraft = {
  readonly type: 'grant' | 'revoke' | 'keep' | 'rotate'
  /** Or what makes it from the ids of the ops before it in the same list. */
  readonly body: Uint8Array | ((before: readonly OpId[]) => Uint8Array)
  readonly parents?: readonly OpId[]
  readonly via?: OpId
}

function refusedFrom(objection: Objection, { kind, slug }: SignedWrite, before: Merged | undefined): Refused {
  switch (objection.why) {
    case 'invalid':
      return refused('invalid', objection.errors)
    case 'exists':
      return refused('exists', `${kind.name}/${slug} exists`)
    case 'missing':
      return refused('not-found', before === undefined ? 'there is no such record' : 'the record was deleted')
    case 'too-large':
      return refused('invalid', `more than ${BODY_BYTES_MAX} bytes, which one op can carry`)
  }
}

function refused(code: Refused['code'], errors: string | readonly FieldError[]): Refused {
  return {
    outcome: 'refused',
    code,
    errors: typeof errors === 'string' ? [{ pointer: '', message: errors }] : errors,
  }
}
