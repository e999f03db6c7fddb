/**
 * What the machine does faster than JavaScript: hashing, signatures, compression; and its clock and chance.
 *
 * The answers are those of the pure code (SPEC.md, "Signatures"): `crypto.verify` alone accepts other signatures than
 * the rule does, so the rule's byte checks stand in front of it, and `checkRuntime` refuses a runtime on which the two
 * together still answer wrongly.
 */
import { createPrivateKey, createPublicKey, hash, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { concat, fromHex, prefilter, type Suite, selfTest, toHex } from '../crdt/index.ts'
import { PUBLIC_KEY_DER, verifyPrefiltered } from './ed25519.ts'
import type { Clock, Environment, Random } from './environment.ts'
import { NodeError } from './errors.ts'
import { codecInlineBytesMax } from './limits.ts'
import type { Codec, Signer } from './replica-types.ts'

export const nativeSuite: Suite = { sha256: nativeSha256, verify: nativeVerify }

/** NodeError('bad-runtime') when this runtime would accept or refuse other signatures than all others do. */
export function checkRuntime(): void {
  const wrong = selfTest(nativeVerify)
  if (wrong === undefined) return
  throw new NodeError(
    'bad-runtime',
    `Node ${process.version} answers a signature test wrongly (${wrong}); use another Node`,
  )
}

/** The signer that a 32-byte seed makes (RFC 8032). RangeError for any other length. */
export function signerFromSeed(seed: Uint8Array): Signer {
  if (seed.length !== 32) throw new RangeError(`expected a seed of 32 bytes, got ${seed.length}`)
  const key = createPrivateKey({ key: Buffer.from(concat(PRIVATE_KEY_DER, seed)), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return {
    key: toHex(spki.subarray(PUBLIC_KEY_DER.length)),
    sign: (message) => plain(sign(null, message, key)),
  }
}

/**
 * Level 3: what a higher level saves on frames of records costs more than the disk it saves. Small frames on this thread:
 * handing one to another costs 18 times its compression. Those of a bulk leave this thread to the next ones.
 */
export const zstdCodec: Codec = {
  compress: (bytes) =>
    bytes.length <= codecInlineBytesMax
      ? plain(zstdCompressSync(bytes, LEVEL))
      : compressAside(bytes, LEVEL).then(plain),
  decompress: (bytes, maxBytes) => plain(zstdDecompressSync(bytes, { maxOutputLength: maxBytes })),
}

const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }
const compressAside = promisify(zstdCompress)

export const machineClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export const machineRandom: Random = { bytes: (length) => plain(randomBytes(length)), float: () => Math.random() }

export const machineEnvironment: Environment = { clock: machineClock, random: machineRandom }

/** What stands before the 32 bytes in the DER form of a private key (RFC 8410). */
const PRIVATE_KEY_DER = fromHex('302e020100300506032b657004220420')

function nativeSha256(bytes: Uint8Array): Uint8Array {
  // As text of single bytes: making a Buffer for the answer would cost more than the hash itself.
  const text = hash('sha256', bytes, 'binary')
  const digest = new Uint8Array(32)
  for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i)
  return digest
}

function nativeVerify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return prefilter(key, signature) && verifyPrefiltered(key, message, signature)
}

/** A Buffer's bytes as a plain array: `slice` of a Buffer is a view, of a Uint8Array a copy. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
