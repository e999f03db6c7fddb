/**
 * Publisher keys as files: who holds the file can publish as its did:key, so it is made with mode 0600, never over
 * an existing file, and refused when others can read it.
 *
 * The seed stays inside the returned signer; nothing here prints it or puts it into an error.
 */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ActorKey, didToOwner, keyToDid, type Owner, ownerToDid } from '../crdt/index.ts'
import { KeyError } from './key-error.ts'
import type { Signer } from './post-ops.ts'

export { KeyError } from './key-error.ts'

export type PublisherKey = Signer & { readonly did: string }

const SEED_BYTES = 32
/** Seeds of identities lie beside their keys until their owner takes them away. */
export const SEED_SUFFIX = '.seed.json'
/** A key file is a few hundred bytes; a device or a log file given by mistake is not read whole. */
const FILE_BYTES_MAX = 4096

/**
 * Makes a key and writes it. The name must be new: a key is never replaced, for what it signed stays signed by it.
 */
export async function newKeyFile(path: string): Promise<PublisherKey> {
  const seed = randomBytes(SEED_BYTES)
  const key = signerFromSeed(seed)
  await writeSecretFile(path, { peerage_key: 1, did: key.did, seed: seed.toString('base64url') })
  return key
}

/** The key of today of an identity, with what a node must know of it. `replace`: over the key of yesterday. */
export async function writeIdentityKey(
  path: string,
  { seed, owner, founding }: { seed: Uint8Array; owner: Owner; founding: Uint8Array },
  replace = false,
): Promise<PublisherKey> {
  const { did } = signerFromSeed(seed)
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  const content = {
    peerage_key: 1,
    did,
    seed: base64(seed),
    identity: ownerToDid(owner),
    founding: base64(founding),
  }
  if (!replace) await writeSecretFile(path, content)
  else {
    // Old or new, never none: the new file is whole before it takes the name.
    const next = `${path}.next`
    await rm(next, { force: true })
    await writeSecretFile(next, content)
    await rename(next, path)
  }
  return readKeyFile(path)
}

/** Writes a secret as JSON, mode 0600, into a new file. */
export async function writeSecretFile(path: string, content: object): Promise<void> {
  const text = `${JSON.stringify(content, null, 2)}\n`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause
    throw new KeyError('exists', `${path} exists already; a key is never overwritten`, { cause })
  })
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Reads a file that `newKeyFile` wrote, or a bare seed: 32 bytes, or 64 hex digits. */
export async function readKeyFile(path: string): Promise<PublisherKey> {
  const bytes = await readSecretFile(path)
  if (bytes.length === SEED_BYTES) return signerFromSeed(bytes)
  const text = bytes.toString('utf8').trim()
  if (/^[0-9a-f]{64}$/i.test(text)) return signerFromSeed(Buffer.from(text, 'hex'))
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    // The parser's message would quote the file.
    throw new KeyError('malformed', `${path} is not a key file: expected JSON with a seed, 32 bytes or 64 hex digits`)
  }
  const { peerage_key: version, did, seed, identity, founding } = (content ?? {}) as Record<string, unknown>
  if (version !== 1) throw new KeyError('malformed', `${path}: expected peerage_key 1, got ${JSON.stringify(version)}`)
  const decoded = typeof seed === 'string' ? Buffer.from(seed, 'base64url') : Buffer.alloc(0)
  if (decoded.length !== SEED_BYTES) throw new KeyError('malformed', `${path}: the seed is not 32 bytes in base64url`)
  const key = signerFromSeed(decoded)
  if (did !== key.did)
    throw new KeyError('malformed', `${path}: the seed belongs to ${key.did}, the file says ${String(did)}`)
  if (identity === undefined) return key
  const owner = typeof identity === 'string' ? didToOwner(identity) : undefined
  if (owner === undefined || typeof founding !== 'string')
    throw new KeyError('malformed', `${path}: expected the DID of an identity, and what began it`)
  return { ...key, owner, founding: new Uint8Array(Buffer.from(founding, 'base64url')) }
}

/** The bytes of a file that only its owner may read. */
export async function readSecretFile(path: string): Promise<Buffer> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path, 'r')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new KeyError('missing', code === 'ENOENT' ? `no file ${path}` : `couldn't read ${path}: ${message}`, {
      cause,
    })
  }
  try {
    // The open file is asked, not the path: nobody can swap it in between.
    const facts = await file.stat()
    // Windows reports modes that say nothing about who may read.
    if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0) {
      const mode = (facts.mode & 0o777).toString(8).padStart(4, '0')
      throw new KeyError('unsafe', `others can read ${path} (mode ${mode}); make it yours alone: chmod 600 ${path}`)
    }
    if (!facts.isFile() || facts.size > FILE_BYTES_MAX) {
      throw new KeyError('malformed', `${path} is not a key or token file`)
    }
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/** `--key alice` names a key made by `keys new alice`; anything with a separator or an ending is a path. */
export function keyPath(nameOrPath: string, folder: string): string {
  return /^[\w-]+$/.test(nameOrPath) ? join(folder, `${nameOrPath}.json`) : nameOrPath
}

export type ListedKey = {
  readonly name: string
  readonly path: string
  readonly did?: string
  readonly problem?: string
}

/** The keys in a folder, by name; a file that cannot be used is listed with the reason. */
export async function listKeys(folder: string): Promise<ListedKey[]> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const listed: ListedKey[] = []
  for (const file of files.filter((name) => name.endsWith('.json') && !name.endsWith(SEED_SUFFIX)).sort()) {
    const path = join(folder, file)
    const name = basename(file, '.json')
    try {
      const { did, owner } = await readKeyFile(path)
      listed.push({ name, path, did: owner === undefined ? did : ownerToDid(owner) })
    } catch (error) {
      listed.push({ name, path, problem: (error as Error).message })
    }
  }
  return listed
}

/** The fixed start of an Ed25519 private key in PKCS #8; the seed follows it. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

export function signerFromSeed(seed: Uint8Array): PublisherKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const key = publicKeyOf(privateKey)
  return { key, did: keyToDid(key), sign: (message) => new Uint8Array(sign(null, message, privateKey)) }
}

function publicKeyOf(privateKey: KeyObject): ActorKey {
  // The last 32 bytes of the SPKI form are the key itself.
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
}
