/**
 * Writes that are signed on this side: read the record's proven state, decide, sign, post, and believe the verdicts
 * only as far as they name our own ops.
 *
 * The current heads become the parents, so a write says exactly what its signer has seen. Nobody can lose a race:
 * what others wrote meanwhile is merged, or stands beside it as a conflict.
 */
import {
  type ActorKey,
  BODY_BYTES_MAX,
  type Decision,
  type Draft,
  draftOp,
  encode,
  encodeVerbs,
  type Invalid,
  type Kind,
  type Merged,
  type Objection,
  OP_TYPES,
  type Op,
  type OpId,
  type Owner,
  type OwnerAuthority,
  opIdToCid,
  ownerOfKey,
  PARENTS_MAX,
  prepareBatches,
  readWrites,
  type Suite,
  type ToWrite,
  type Verb,
} from '../crdt/index.ts'
import type { RecordJson } from './answers.ts'
import { ClientError } from './client-error.ts'
import type { Http } from './http.ts'
import { clockAheadMsMax, opsRequestBytesMax, requestsInFlightMax, signedEntriesMax } from './limits.ts'
import { inParallel, type Place, type Prover } from './proof.ts'

/** Anything that holds an Ed25519 key; keys.ts reads one from a file. */
export type Signer = {
  readonly key: ActorKey
  /** Whose records it writes unless told otherwise: an identity; the key's own when left out. */
  readonly owner?: Owner
  /** The frame that began the identity, for a node that has not seen it yet. */
  readonly founding?: Uint8Array
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>
}

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

export type OpVerdict = {
  /** Missing for a frame that was refused as a whole. */
  readonly op?: string
  readonly verdict: 'applied' | 'duplicate' | 'pending' | 'refused'
  readonly reason?: string
}

/** What a write finds; `same`: what it wants is there. */
type State = { readonly before: Merged | undefined; readonly same: boolean }
type Signing = { readonly at: number; readonly draft: Draft }

export class SignedWriter {
  readonly #http: Http
  readonly #prover: Prover
  readonly #net: () => Promise<string>
  readonly #signer: Signer
  readonly #suite: Suite
  readonly #now: () => number

  constructor(parts: {
    http: Http
    prover: Prover
    net: () => Promise<string>
    signer: Signer
    suite: Suite
    now: () => number
  }) {
    this.#http = parts.http
    this.#prover = parts.prover
    this.#net = parts.net
    this.#signer = parts.signer
    this.#suite = parts.suite
    this.#now = parts.now
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
    const via = known && (await this.#via(known.owner, 'patch', record, known.kind))
    if (known !== undefined && via === undefined) throw new ClientError('refused', NO_GRANT)
    const [posted] = await this.signAndPost([
      { type: 'patch', record, parents, w: this.#time(after), body: encodeVerbs(verbs), ...relied(via) },
    ])
    accepted(posted ? [posted] : [])
  }

  /** Whose records it writes unless told otherwise. */
  get owner(): Owner {
    return this.#signer.owner ?? ownerOfKey(this.#signer.key)
  }

  /** Signs drafts whose parents are known, posts them, and answers with a verdict for each, in order. */
  async signAndPost(
    drafts: readonly Draft[],
    signal?: AbortSignal,
  ): Promise<readonly { readonly op: Op; readonly verdict: OpVerdict }[]> {
    const options = { net: await this.#net(), key: this.#signer.key, sha256: this.#suite.sha256 }
    const ops = drafts.map((draft) => draftOp(draft, options))
    const frames: Uint8Array[] = []
    for (const { message, seal } of prepareBatches(ops, options)) {
      frames.push(seal(await this.#signer.sign(message)).bytes)
    }
    const verdicts = new Map<string, OpVerdict>()
    let refused = 'no verdict came back'
    for (const body of requestBodies(frames)) {
      const request = { method: 'POST', body, type: 'application/cbor', ...(signal && { signal }) }
      const { results } = await this.#http.json<{ results: OpVerdict[] }>('/v1/ops', request)
      for (const result of results) {
        // A frame refused as a whole has no op to name.
        if (result.op === undefined) refused = result.reason ?? refused
        else verdicts.set(result.op, result)
      }
    }
    return ops.map((op) => {
      const verdict = verdicts.get(opIdToCid(op.id)) ?? { verdict: 'refused', reason: refused }
      // Ours, signed a moment ago: proven without fetching it back.
      if (verdict.verdict !== 'refused') this.#prover.note(op)
      return { op, verdict }
    })
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
        const via = await this.#via(owner, decision.do, write.place.id, write.kind.name)
        const draft = via !== undefined && this.#draft(write, decision, before, owner, via)
        if (!draft || !(await this.#saysSomething(owner, draft))) outcomes[at] = refused('refused', NO_GRANT)
        else signing.push({ at, draft })
      }
    }
    if (signing.length === 0) return
    const drafts = signing.map(({ draft }) => draft)
    for (const [n, { op, verdict }] of (await this.signAndPost(drafts, signal)).entries()) {
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

  /**
   * What the key relies on for an op of this type; null: nothing is needed; undefined: it may not. A node that has never
   * heard of our identity is told.
   */
  async #via(owner: Owner, type: Draft['type'], record: string, kind?: string): Promise<OpId | null | undefined> {
    const { key, founding } = this.#signer
    if (owner === ownerOfKey(key)) return null
    let authority = await this.#prover.authority(owner)
    if (authority.size === 0 && owner === this.owner && founding !== undefined) {
      await this.#http.send('/v1/ops', { method: 'POST', body: founding, type: 'application/cbor' })
      authority = await this.#prover.authority(owner)
    }
    return authority.viaFor(key, { type: OP_TYPES.indexOf(type) + 1, record, w: this.#now() }, kind)
  }

  /** Whether a grant that names places lets the draft say what it says; what it does not let would be inert. */
  async #saysSomething(owner: Owner, draft: Draft): Promise<boolean> {
    if (!('via' in draft) || draft.via === undefined) return true
    const { via } = draft
    const authority = await this.#prover.authority(owner)
    const options = { net: await this.#net(), key: this.#signer.key, sha256: this.#suite.sha256 }
    // A put is absent at the root first, which says nothing where places are named.
    const writes = readWrites(draftOp(draft, options)).filter(({ path }) => draft.type !== 'put' || path.length > 0)
    return writes.every(({ path }) => authority.mayWrite(via, path))
  }

  /** Signs authority ops of an owner, each on top of the ones before, and posts them; their ids in order. */
  async authorise(
    owner: Owner,
    make: (authority: OwnerAuthority) => readonly AuthorityDraft[],
  ): Promise<readonly OpId[]> {
    await this.#via(owner, 'grant', '')
    const authority = (await this.#prover.authority(owner)).clone()
    const ids: OpId[] = []
    const options = { net: await this.#net(), key: this.#signer.key, sha256: this.#suite.sha256 }
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
      authority.add(draftOp(draft, options))
      const [posted] = await this.signAndPost([draft])
      accepted(posted ? [posted] : [])
      ids.push((posted as { op: Op }).op.id)
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
    const via = many ? await this.#via((now as Merged).owner, 'patch', place.id, (now as Merged).kind) : null
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
      accepted(await this.signAndPost(drafts, signal))
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

const NO_GRANT = 'this key may not write there: the record belongs to another, who gave it no grant for it'

function relied(via: OpId | null | undefined): { via?: OpId } {
  return via === null || via === undefined ? {} : { via }
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

function accepted(posted: readonly { readonly verdict: OpVerdict }[]): void {
  const refused = posted.find(({ verdict }) => verdict.verdict === 'refused')
  if (refused)
    throw new ClientError('refused', `the node refused an op: ${refused.verdict.reason ?? 'no reason given'}`)
}

/** POST /v1/ops takes the canonical bytes of an array of frames; several requests where one would be too large. */
export function* requestBodies(frames: readonly Uint8Array[]): Generator<Uint8Array> {
  let group: Uint8Array[] = []
  let bytes = 0
  for (const frame of frames) {
    if (group.length > 0 && bytes + frame.length > opsRequestBytesMax) {
      yield encode(group)
      group = []
      bytes = 0
    }
    group.push(frame)
    bytes += frame.length + 5
  }
  if (group.length > 0) yield encode(group)
}
