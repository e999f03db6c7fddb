/**
 * The two primitives everything in this folder rests on, as an argument: a browser and the oracle use the pure
 * ones, a node passes the machine's own, which are 4 and 15 times faster. Both give the same answers (SPEC.md,
 * "Signatures"; test/crdt/verify.test.ts).
 */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { verifySignature } from './verify.ts'

export type Sha256 = (bytes: Uint8Array) => Uint8Array
/** Answers true or false for any bytes, by rule SIG-1; never throws. */
export type Verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

export type Suite = { readonly sha256: Sha256; readonly verify: Verify }

export const pureSha256: Sha256 = (bytes) => nobleSha256(bytes)

/** No native code: runs wherever JavaScript does. */
export const pureSuite: Suite = { sha256: pureSha256, verify: verifySignature }
