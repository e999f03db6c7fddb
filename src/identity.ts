/**
 * Identities: owners whose keys can be replaced. One seed, kept offline, stands for all the keys there will ever be;
 * each is committed to by the one before, so that who steals a key cannot name its successor (crdt/SPEC.md, "Authority").
 *
 * The seed file is written once and needed only to rotate. The key file holds the key of today alone.
 */
import { createHash, randomBytes } from 'node:crypto'
import {
  type ActorKey,
  commitment,
  draftOp,
  encodeIdentity,
  type NetworkId,
  type Op,
  type Owner,
  ownerOfIdentity,
  signOps,
} from '../crdt/index.ts'
import { KeyError, type PublisherKey, readSecretFile, signerFromSeed, writeSecretFile } from './keys.ts'

/** Keys of one seed, as many as an identity may have. */
export const IDENTITY_KEYS = 32

export type Identity = {
  readonly op: Op
  readonly owner: Owner
  /** For nodes that have not seen it. */
  readonly founding: Uint8Array
}

/** Key `step` (from 1) of a seed. */
export function identityKey(seed: Uint8Array, step: number): PublisherKey & { readonly seed: Uint8Array } {
  if (step < 1 || step > IDENTITY_KEYS) throw new RangeError(`expected a step of 1 to ${IDENTITY_KEYS}, got ${step}`)
  const bytes = derive('key', seed, step)
  return { ...signerFromSeed(bytes), seed: bytes }
}

/** What step `step` says in advance of the one after it. */
export function commitmentAt(seed: Uint8Array, step: number): string {
  // Of the last nobody knows what it is the hash of.
  let next = Buffer.from(derive('end', seed, 0)).toString('hex')
  for (let at = IDENTITY_KEYS; at > step; at--) next = commitment(identityKey(seed, at).key, next)
  return next
}

/** Begins an identity in one network: its owner id follows from the first key, what it commits to, and the time. */
export function foundIdentity(seed: Uint8Array, net: NetworkId, now: number): Identity {
  const key = identityKey(seed, 1)
  const options = { net, key: key.key }
  const op = draftOp({ type: 'identity', w: now, body: encodeIdentity({ commitment: commitmentAt(seed, 1) }) }, options)
  const sign = (message: Uint8Array) => key.sign(message) as Uint8Array
  const [signed] = signOps([op], { ...options, sign })
  return {
    op,
    owner: ownerOfIdentity(op.header.record),
    founding: (signed as { frame: { bytes: Uint8Array } }).frame.bytes,
  }
}

/** The step whose key this is; undefined when the seed is of another identity. */
export function stepOf(seed: Uint8Array, key: ActorKey): number | undefined {
  for (let step = 1; step <= IDENTITY_KEYS; step++) if (identityKey(seed, step).key === key) return step
  return undefined
}

/** A new seed in a file of its own, never over another. */
export async function newSeedFile(path: string): Promise<Uint8Array> {
  const seed = new Uint8Array(randomBytes(32))
  await writeSecretFile(path, { peerage_seed: 1, seed: Buffer.from(seed).toString('base64url') })
  return seed
}

export async function readSeedFile(path: string): Promise<Uint8Array> {
  let content: unknown
  try {
    content = JSON.parse((await readSecretFile(path)).toString('utf8'))
  } catch (error) {
    if (error instanceof KeyError) throw error
    throw new KeyError('malformed', `${path} is not a seed file`)
  }
  const { peerage_seed: version, seed } = (content ?? {}) as Record<string, unknown>
  const bytes = typeof seed === 'string' ? Buffer.from(seed, 'base64url') : Buffer.alloc(0)
  if (version !== 1 || bytes.length !== 32) throw new KeyError('malformed', `${path} is not a seed file`)
  return new Uint8Array(bytes)
}

function derive(what: string, seed: Uint8Array, step: number): Uint8Array {
  const at = Buffer.alloc(4)
  at.writeUInt32BE(step)
  return new Uint8Array(createHash('sha256').update(`peerage/1/${what}\0`).update(seed).update(at).digest())
}
