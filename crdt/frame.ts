import type { ActorKey, FrameReason, Op, OpReason } from './op.ts'

/** A frame whose shape, hashes and proof positions hold; its signature is still to be checked. */
export type ParsedFrame = {
  readonly actor: ActorKey
  /** Ops in the signed batch, carried or not. */
  readonly n: number
  readonly signature: Uint8Array
  /** What the signature is over. */
  readonly signedMessage: Uint8Array
  /** Well-formed carried ops, in batch order. */
  readonly entries: readonly { readonly index: number; readonly op: Op }[]
  /** Carried ops that are refused by themselves, while their neighbours stand. */
  readonly refused: readonly { readonly index: number; readonly op: string; readonly reason: OpReason }[]
  /** The frame as received. */
  readonly bytes: Uint8Array
}

export type FrameParsed = { readonly ok: true; readonly frame: ParsedFrame } | { readonly ok: false; readonly reason: FrameReason }
