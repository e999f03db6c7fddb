/**
 * Strangers' frames become verdicts: may this actor make this change?
 *
 * In two steps. `authenticate` reads frames and checks signatures, outside the writer and for many callers at once; it
 * drops what is held first, since a signature is by far the dearest thing here. `settle` runs inside the writer and
 * decides op by op against the set as it then is: in, refused, or pending. What waits for an op goes in with it.
 *
 * An op's validity never changes with what arrives later (SPEC.md, "Op"), so a refusal is final and remembered. What this
 * node's policy refuses (policy.ts, quota.ts) is another thing: valid, and taken once the policy lets it in.
 */
import { fromHex, type NetworkId, type OpId, type ParsedFrame, parseFrame, type Sha256 } from '../crdt/index.ts'
import type { Group } from './append.ts'
import type { Clock } from './environment.ts'
import { refusedIdsMax, verifiedBatchesMax } from './limits.ts'
import { Lru } from './lru.ts'
import { MergeBudget } from './merge-budget.ts'
import { type Parking, Pending } from './pending.ts'
import type { Policy } from './policy.ts'
import type { SignatureChecker, Source } from './replica-types.ts'
import type { Scope } from './scope.ts'
import { type Refused, type Settled, Settling, type WithheldLookup } from './settle.ts'

export type AdmissionOptions = {
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly clock: Clock
  readonly checker: SignatureChecker
  /** Which of these ops are held in a good copy, or known and refused by policy. */
  readonly held: (ids: readonly OpId[]) => Promise<readonly boolean[]>
  readonly parking?: Parking
  readonly scope: Scope
  readonly policy: Policy
  readonly withheld: WithheldLookup
}

/** Frames that could be read. Those with nothing new were not verified, and nothing is taken from them. */
export type Arrived = {
  readonly frames: readonly { readonly frame: ParsedFrame; readonly authentic: boolean }[]
  readonly refusedFrames: readonly { readonly at: number; readonly reason: string }[]
  readonly source: Source
}

export class Admission {
  readonly pending: Pending
  readonly #options: AdmissionOptions
  readonly #refused: Refused = new Lru(refusedIdsMax)
  readonly #merging: MergeBudget
  /** Signed messages whose signature was found good. */
  readonly #verified = new Lru<string, true>(verifiedBatchesMax)

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.pending = new Pending(options.clock, options.parking)
    this.#merging = new MergeBudget(options.clock)
  }

  async authenticate(bytes: readonly Uint8Array[], source: Source): Promise<Arrived> {
    const { net, sha256, held } = this.#options
    const refusedFrames: { at: number; reason: string }[] = []
    const parsed: { at: number; frame: ParsedFrame }[] = []
    for (const [at, frame] of bytes.entries()) {
      const read = parseFrame(frame, net, sha256)
      if (read.ok) parsed.push({ at, frame: read.frame })
      else refusedFrames.push({ at, reason: read.reason })
    }
    const ids = parsed.flatMap(({ frame }) => frame.entries.map(({ op }) => op.id))
    const isHeld = await held(ids)
    const good = new Set(ids.filter((_, i) => isHeld[i]))
    const fresh = parsed.map(
      ({ frame }) => frame.refused.length > 0 || frame.entries.some(({ op }) => !good.has(op.id)),
    )
    const authentic = await this.#verify(parsed.filter((_, i) => fresh[i]).map(({ frame }) => frame))
    const frames: { frame: ParsedFrame; authentic: boolean }[] = []
    for (const [i, { at, frame }] of parsed.entries()) {
      if (fresh[i] && !authentic.has(frame)) refusedFrames.push({ at, reason: 'bad-signature' })
      else frames.push({ frame, authentic: fresh[i]! })
    }
    return { frames, refusedFrames: refusedFrames.sort((a, b) => a.at - b.at), source }
  }

  /** Takes into the group what may go in. Its verdicts hold when the group is on disk; then call `done`. */
  settle(group: Group, arrived: Arrived): Promise<Settled> {
    return this.#settling(group).settle(arrived)
  }

  /** The same for parked ops whose time has come. */
  settleDue(group: Group): Promise<Settled> {
    return this.#settling(group).settleDue()
  }

  /** These ops are on disk, or refused for ever: they wait no more. */
  done(ids: Iterable<OpId>): void {
    for (const id of ids) this.pending.remove(id)
  }

  #settling(group: Group): Settling {
    const { pending } = this
    return new Settling({ ...this.#options, group, pending, refused: this.#refused, merging: this.#merging })
  }

  async #verify(frames: readonly ParsedFrame[]): Promise<Set<ParsedFrame>> {
    const authentic = new Set<ParsedFrame>()
    const asked = new Map<string, ParsedFrame[]>()
    for (const frame of frames) {
      const name = batchName(frame)
      if (this.#verified.get(name)) authentic.add(frame)
      else asked.set(name, [...(asked.get(name) ?? []), frame])
    }
    if (asked.size === 0) return authentic
    const items = Array.from(asked.values(), ([frame]) => ({
      key: fromHex(frame!.actor),
      message: frame!.signedMessage,
      signature: frame!.signature,
    }))
    const verdicts = await this.#options.checker.verify(items)
    for (const [i, [name, same]] of [...asked].entries()) {
      if (verdicts[i] !== true) continue
      this.#verified.set(name, true)
      for (const frame of same) authentic.add(frame)
    }
    return authentic
  }
}

function batchName({ actor, signature, signedMessage }: ParsedFrame): string {
  let name = actor
  for (const bytes of [signature, signedMessage]) for (const byte of bytes) name += String.fromCharCode(byte)
  return name
}
