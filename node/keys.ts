/**
 * The secrets in a data folder: the custodial signing key, the peer key, the API token.
 *
 * Each is a file that only its owner can read, made whole or not at all: a crash at the first start never leaves half
 * a key. A file that others can read is refused, since what it holds must be taken as known to them. No secret is ever
 * part of a message.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NodeError } from './errors.ts'
import { signerFromSeed } from './native.ts'
import type { Signer } from './replica-types.ts'

/** Makes the folder (mode 0700) if it is not there. Answers a warning when others can look into it. */
export async function openFolder(folder: string): Promise<string | undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { mode } = await stat(folder)
  if (!checksModes || (mode & 0o077) === 0) return undefined
  return `others can look into ${folder} (mode ${octal(mode)}); chmod 700 keeps them out`
}

/** The node's signing key, from the file `key`; made at the first call. NodeError('key-unsafe'). */
export async function openSigner(folder: string): Promise<Signer> {
  return signerFromSeed(await openSeed(join(folder, 'key')))
}

/** The 32-byte seed of the libp2p peer key, from the file `peer-key`: another key than the one that signs ops. */
export async function openPeerSeed(folder: string): Promise<Uint8Array> {
  return openSeed(join(folder, 'peer-key'))
}

/** The bearer token of the HTTP face, from the file `token`: 43 characters, 32 random bytes. */
export async function openToken(folder: string): Promise<string> {
  const path = tokenFile(folder)
  const text = await openSecret(path, () => randomBytes(32).toString('base64url'))
  if (!/^[\w-]{43}$/.test(text)) throw unreadable(path, 'a token (43 letters, digits, _ or -)')
  return text
}

/** What the secrets of webhooks are made from, in the file `webhook-secret`. */
export async function openWebhookSecret(folder: string): Promise<string> {
  return openSecret(join(folder, 'webhook-secret'), () => randomBytes(32).toString('base64url'))
}

export function tokenFile(folder: string): string {
  return join(folder, 'token')
}

/** NodeError('key-unsafe') when anyone but the owner may read or write this file. */
export async function checkSecretMode(path: string): Promise<void> {
  const { mode } = await stat(path)
  if (!checksModes || (mode & 0o077) === 0) return
  throw new NodeError(
    'key-unsafe',
    `others can read ${path} (mode ${octal(mode)}); if nobody has, chmod 600 it, else replace it`,
  )
}

/** Windows has no such modes; its folders are per user. */
const checksModes = process.platform !== 'win32'

async function openSeed(path: string): Promise<Uint8Array> {
  const text = await openSecret(path, () => randomBytes(32).toString('hex'))
  if (!/^[0-9a-f]{64}$/.test(text)) throw unreadable(path, 'a key (64 hex digits)')
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

async function openSecret(path: string, make: () => string): Promise<string> {
  try {
    return await readSecret(path)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
  await createSecret(path, make())
  // Read back rather than remembered: another process may have been first.
  return readSecret(path)
}

async function readSecret(path: string): Promise<string> {
  await checkSecretMode(path)
  return (await readFile(path, 'utf8')).trimEnd()
}

/** Written aside, then linked to its name: it is there whole or not at all, and an existing file is never replaced. */
async function createSecret(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(aside, 'wx', 0o600)
  try {
    await file.writeFile(`${text}\n`)
    await file.sync()
    await link(aside, path).catch((error) => {
      if (!isCode(error, 'EEXIST')) throw error
    })
  } finally {
    await file.close()
    await unlink(aside)
  }
  await syncName(path)
}

/** The name of a new file is only durable with its folder; where folders cannot be synced, the system does it in time. */
export async function syncName(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  await folder.sync().catch(() => {})
  await folder.close()
}

function unreadable(path: string, wanted: string): NodeError {
  return new NodeError(
    'key-unsafe',
    `${path} does not hold ${wanted}; restore it, or move it away and a new one is made`,
  )
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0')
}
