/**
 * Names: what networks, records, owners, kinds, slugs and ops are called, as ids and as text (SPEC.md, "Names").
 *
 * Ids are hashes of what they name, so anyone can check them and nobody can take another's. Each has one text form;
 * what is read from strangers and is not in that form is undefined.
 */
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { concat, fromHex, isHex, toHex, utf8, utf8Length } from './bytes.ts'
import { textAt } from './cbor.ts'
import { KIND_BYTES_MAX, SLUG_BYTES_MAX } from './limits.ts'
import type { ActorKey, NetworkId, OpId, Owner, RecordId } from './op.ts'
import { pureSha256, type Sha256 } from './suite.ts'

/** How much of a hash names a network. */
const NET_BYTES = 16
const SALT_HEX_DIGITS = 32
const NET_PREFIX = utf8('peerage/1/net\0')
const RECORD_PREFIX = utf8('peerage/1/rec\0')
const AUTHORITY_PREFIX = utf8('peerage/1/auth\0')
const IDENTITY_PREFIX = utf8('peerage/1/idn\0')
const NUL = Uint8Array.of(0)
const SLUG_KEY = utf8('slug')
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const DAG_CBOR = 0x71
const SHA2_256 = 0x12
const CID_TEXT_LENGTH = 59

/**
 * The id of a network written `name` or `name#<32 hex digits of salt>`.
 *
 * RangeError when the text is neither; a name is 1 to 64 characters of a-z, 0-9, `-` and `.`.
 */
export function networkId(text: string, sha256: Sha256 = pureSha256): NetworkId {
  const [name = '', salt = '0'.repeat(SALT_HEX_DIGITS), ...rest] = text.split('#')
  if (!/^[a-z0-9.-]{1,64}$/.test(name) || !isHex(salt, SALT_HEX_DIGITS) || rest.length > 0) {
    throw new RangeError(
      `expected a network as name or name#<32 hex digits>, got ${JSON.stringify(text.slice(0, 200))}`,
    )
  }
  return toHex(sha256(concat(NET_PREFIX, utf8(name), fromHex(salt))).subarray(0, NET_BYTES))
}

export type RecordName = { readonly net: NetworkId; readonly owner: Owner; readonly kind: string } & (
  | { readonly slug: string; readonly slugHash?: undefined }
  | { readonly slugHash: string }
)

/** The id of the record that an owner calls so. */
export function recordId(name: RecordName, sha256: Sha256 = pureSha256): RecordId {
  const slugHash = name.slugHash === undefined ? sha256(utf8(name.slug)) : fromHex(name.slugHash)
  return toHex(hashRecord(fromHex(name.net), fromHex(name.owner), name.kind, slugHash, sha256))
}

/** The same over bytes. */
export function hashRecord(
  net: Uint8Array,
  owner: Uint8Array,
  kind: string,
  slugHash: Uint8Array,
  sha256: Sha256,
): Uint8Array {
  return sha256(concat(RECORD_PREFIX, net, owner, utf8(kind), NUL, slugHash))
}

export function ownerOfKey(key: ActorKey): Owner {
  return `01${key}`
}

/** The owner that an identity record stands for. */
export function ownerOfIdentity(record: RecordId): Owner {
  return `02${record}`
}

/** The record in which an owner says who may write. */
export function authorityRecord(net: NetworkId, owner: Owner, sha256: Sha256 = pureSha256): RecordId {
  if (owner.startsWith('02')) return owner.slice(2)
  return toHex(sha256(concat(AUTHORITY_PREFIX, fromHex(net), fromHex(owner))))
}

/** The record that an identity op begins: its id follows from the op's signer, body and time. */
export function hashIdentity(
  net: Uint8Array,
  actor: Uint8Array,
  bodyHash: Uint8Array,
  w: number,
  sha256: Sha256,
): Uint8Array {
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(w))
  return sha256(concat(IDENTITY_PREFIX, net, actor, bodyHash, time))
}

/** What an identity says in advance of its next key, and of the commitment that will come with it. */
export function commitment(key: ActorKey, next: string, sha256: Sha256 = pureSha256): string {
  return toHex(sha256(concat(fromHex(key), fromHex(next))))
}

/** A kind's name may be one that this program has no table for. */
export function isKind(text: string): boolean {
  return text.length <= KIND_BYTES_MAX && /^[a-z0-9-]+$/.test(text)
}

/** The slug that a genesis body tells, as UTF-8; undefined when the body is not canonical or tells none. */
export function slugOf(body: Uint8Array): Uint8Array | undefined {
  const slug = textAt(body, SLUG_KEY)
  if (slug === undefined || slug.length > SLUG_BYTES_MAX) return undefined
  // Most slugs show by one plain letter that they are not blank, without becoming a string.
  return slug.some((byte) => byte > 0x20 && byte < 0x7f) || /\S/.test(decoder.decode(slug)) ? slug : undefined
}

/** Well-formed, 1 to 256 bytes of UTF-8, not only white space. */
export function isSlug(text: string): boolean {
  return text.length <= SLUG_BYTES_MAX && text.isWellFormed() && /\S/.test(text) && utf8Length(text) <= SLUG_BYTES_MAX
}

/** An op id as people and other programs see it: CIDv1, base32. */
export function opIdToCid(id: OpId): string {
  return CID.createV1(DAG_CBOR, createDigest(SHA2_256, fromHex(id))).toString(base32)
}

export function cidToOpId(text: string): OpId | undefined {
  if (text.length !== CID_TEXT_LENGTH) return undefined
  try {
    const cid = CID.parse(text, base32)
    if (cid.version !== 1 || cid.code !== DAG_CBOR || cid.multihash.code !== SHA2_256) return undefined
    const id = toHex(cid.multihash.digest)
    // Base32 readers forgive upper case and stray bits at the end.
    return id.length === 64 && opIdToCid(id) === text ? id : undefined
  } catch {
    return undefined // The library throws for what is no CID at all.
  }
}
