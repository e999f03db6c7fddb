/**
 * Drafts become signed ops on a node: signed on this side, one proof for a batch, posted in bodies that the node takes.
 * Verdicts are believed only as far as they name our own ops.
 */
import {
  type ActorKey,
  type Draft,
  draftOp,
  encode,
  type Op,
  type Owner,
  opIdToCid,
  prepareBatches,
  type Suite,
} from '../crdt/index.ts'
import { ClientError } from './client-error.ts'
import type { Http } from './http.ts'
import { opsRequestBytesMax } from './limits.ts'
import type { Prover } from './proof.ts'

/** Anything that holds an Ed25519 key; keys.ts reads one from a file. */
export type Signer = {
  readonly key: ActorKey
  /** Whose records it writes unless told otherwise: an identity; the key's own when left out. */
  readonly owner?: Owner
  /** The frame that began the identity, for a node that has not seen it yet. */
  readonly founding?: Uint8Array
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>
}

export type OpVerdict = {
  /** Missing for a frame that was refused as a whole. */
  readonly op?: string
  readonly verdict: 'applied' | 'duplicate' | 'pending' | 'refused'
  readonly reason?: string
}

export type Posted = { readonly op: Op; readonly verdict: OpVerdict }

export type PosterParts = {
  readonly http: Http
  readonly prover: Prover
  readonly net: () => Promise<string>
  readonly signer: Signer
  readonly suite: Suite
}

export class Poster {
  readonly #parts: PosterParts

  constructor(parts: PosterParts) {
    this.#parts = parts
  }

  /** The op that a draft makes, before it is signed: its id is known already. */
  async draft(draft: Draft): Promise<Op> {
    return draftOp(draft, await this.#options())
  }

  /** Signs drafts whose parents are known, posts them, and answers with a verdict for each, in order. */
  async post(drafts: readonly Draft[], signal?: AbortSignal): Promise<readonly Posted[]> {
    const { http, prover, signer } = this.#parts
    const options = await this.#options()
    const ops = drafts.map((draft) => draftOp(draft, options))
    const frames: Uint8Array[] = []
    for (const { message, seal } of prepareBatches(ops, options)) {
      frames.push(seal(await signer.sign(message)).bytes)
    }
    const verdicts = new Map<string, OpVerdict>()
    let refused = 'no verdict came back'
    for (const body of requestBodies(frames)) {
      const request = { method: 'POST', body, type: 'application/cbor', ...(signal && { signal }) }
      const { results } = await http.json<{ results: OpVerdict[] }>('/v1/ops', request)
      for (const result of results) {
        // A frame refused as a whole has no op to name.
        if (result.op === undefined) refused = result.reason ?? refused
        else verdicts.set(result.op, result)
      }
    }
    return ops.map((op) => {
      const verdict = verdicts.get(opIdToCid(op.id)) ?? { verdict: 'refused', reason: refused }
      // Ours, signed a moment ago: proven without fetching it back.
      if (verdict.verdict !== 'refused') prover.note(op)
      return { op, verdict }
    })
  }

  async #options() {
    const { net, signer, suite } = this.#parts
    return { net: await net(), key: signer.key, sha256: suite.sha256 }
  }
}

/** An error unless the node took them all. */
export function accepted(posted: readonly Posted[]): void {
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
