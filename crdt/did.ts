/**
 * DIDs: keys and owners as text. Only Ed25519 keys (did:key:z6Mk...) sign here; a DID of another method or curve is
 * undefined, never taken for something else.
 */
import { base58btc } from 'multiformats/bases/base58'
import { concat, fromHex, isHex, toHex } from './bytes.ts'
import { DIDS_KEPT_MAX } from './limits.ts'
import { ownerOfKey } from './names.ts'
import type { ActorKey, Owner } from './op.ts'

/** The multicodec of an Ed25519 public key, 0xed, as a varint. */
const ED25519_PUB = Uint8Array.of(0xed, 0x01)
const KEY_DID_PREFIX = 'did:key:'
const KEY_DID_LENGTH = 56
const IDENTITY_DID_PREFIX = 'did:peerage:'

/** Keys that were asked for lately: base58 is a division of large numbers, and every record shown or indexed has one. */
const known = new Map<ActorKey, string>()

/** RangeError for a key that is not hex. */
export function keyToDid(key: ActorKey): string {
  const did = known.get(key)
  if (did !== undefined) return did
  const made = KEY_DID_PREFIX + base58btc.encode(concat(ED25519_PUB, fromHex(key)))
  // Beginning anew is enough: a catalogue of more owners than this makes some of them twice.
  if (known.size >= DIDS_KEPT_MAX) known.clear()
  known.set(key, made)
  return made
}

/** The key that a did:key names, when it is an Ed25519 key in its one text form. */
export function didToKey(did: string): ActorKey | undefined {
  // The length is settled first: reading base58 takes time that grows with its square.
  if (did.length !== KEY_DID_LENGTH || !did.startsWith(`${KEY_DID_PREFIX}z6Mk`)) return undefined
  try {
    const key = toHex(base58btc.decode(did.slice(KEY_DID_PREFIX.length)).subarray(ED25519_PUB.length))
    return key.length === 64 && keyToDid(key) === did ? key : undefined
  } catch {
    return undefined // The library throws for characters outside its alphabet.
  }
}

export function ownerToDid(owner: Owner): string {
  const id = owner.slice(2)
  return owner.startsWith('01') ? keyToDid(id) : IDENTITY_DID_PREFIX + id
}

/** The owner that a did:key or did:peerage names. */
export function didToOwner(did: string): Owner | undefined {
  if (did.startsWith(IDENTITY_DID_PREFIX)) {
    const id = did.slice(IDENTITY_DID_PREFIX.length)
    return isHex(id, 64) ? `02${id}` : undefined
  }
  const key = didToKey(did)
  return key === undefined ? undefined : ownerOfKey(key)
}
