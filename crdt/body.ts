/**
 * What an op says: the body of a genesis or put, and the verbs of a patch (SPEC.md, "Bodies").
 */
import type { OpId } from './op.ts'
import type { Path, Scalar, Value } from './value.ts'

export type Body = {
  readonly slug?: string
  /** Registers: a map here is one atomic value. */
  readonly f: readonly (readonly [Path, Value])[]
  /** Sets of scalars. */
  readonly s: readonly (readonly [Path, readonly Scalar[]])[]
  /** Texts. */
  readonly t: readonly (readonly [Path, string])[]
}

export type Verb =
  | readonly ['set', Path, Value]
  | readonly ['set', Path, Value, 'reg']
  | readonly ['del', Path]
  | readonly ['add' | 'rem', Path, readonly Scalar[]]
  | readonly ['text', Path, string]
  | readonly ['splice', Path, OpId, number, number, string]
