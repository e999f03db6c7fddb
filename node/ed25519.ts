/**
 * The last step of a signature check, by OpenSSL: only for keys and signatures that passed the rule's byte checks
 * (crdt `prefilter`), without which it accepts what others refuse.
 *
 * Stands apart from native.ts so that a verifying thread loads this and nothing else.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { keyObjectsMax } from './limits.ts'
import { Lru } from './lru.ts'

/** For a key of 32 bytes and a signature of 64; never throws. */
export function verifyPrefiltered(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(null, message, keyObject(key), signature)
  } catch {
    // A key that OpenSSL will not take; the rule's last step could not hold for it either.
    return false
  }
}

/** A public key in the DER form that OpenSSL reads (RFC 8410). */
export function publicKeyDer(key: Uint8Array): Buffer {
  return Buffer.concat([PUBLIC_KEY_DER, key])
}

export const PUBLIC_KEY_DER = Buffer.from('302a300506032b6570032100', 'hex')

// Importing a key costs a third as much as a verification, and catalogues come from few keys.
const keyObjects = new Lru<string, KeyObject>(keyObjectsMax)

function keyObject(key: Uint8Array): KeyObject {
  const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
  const known = keyObjects.get(name)
  if (known !== undefined) return known
  const made = createPublicKey({ key: publicKeyDer(key), format: 'der', type: 'spki' })
  keyObjects.set(name, made)
  return made
}
