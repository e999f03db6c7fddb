/**
 * Further tokens for the HTTP face, besides the main one: each has a name, may read or also write, perhaps only some
 * kinds, perhaps until a day. The main token is the file `token` and may do everything.
 *
 * One file a token, `tokens/<name>.json` in the data folder, mode 0600, written once and removed when it is revoked: so
 * the command line and a running node need no lock, and a token is there whole or not at all. The file holds the
 * SHA-256 of the secret, never the secret: that is 256 random bits, so its hash needs no salt and no stretching.
 */
import { createHash, randomBytes } from 'node:crypto'
import { open, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeError } from './errors.ts'
import { checkSecretMode, openFolder } from './keys.ts'
import { tokenFileBytesMax, tokensMax, tokensRacyMs } from './limits.ts'
import type { Log } from './replica-types.ts'

export type TokenRight = 'read' | 'write'

export type AccessToken = {
  readonly name: string
  /** Who may write may read. */
  readonly may: TokenRight
  /** Singular names; left out, all kinds. */
  readonly kinds?: readonly string[]
  /** ms since 1970. */
  readonly created: number
  readonly expires?: number
}

export type ListedToken = AccessToken | { readonly name: string; readonly problem: string }

/** The main token's; no other can be called so. */
export const MAIN_TOKEN = '(main)'

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i
const HASH = /^[0-9a-f]{64}$/

export function isTokenName(name: string): boolean {
  return NAME.test(name)
}

/** Makes a token and answers its secret, which is shown once and kept nowhere; undefined when the name is taken. */
export async function newToken(data: string, token: AccessToken): Promise<string | undefined> {
  if (!isTokenName(token.name)) throw new RangeError(`expected a name of letters, digits, . _ -, got ${token.name}`)
  const folder = tokensFolder(data)
  await openFolder(folder)
  const secret = `peerage_${randomBytes(32).toString('base64url')}`
  const facts = { ...token, sha256: hashOf(secret) }
  const text = `${JSON.stringify({ ...facts, check: checkOf(facts) })}\n`
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(pathOf(folder, token.name), 'wx', 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw cause
  }
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  return secret
}

/** By name; a file that cannot be used is listed with the reason. */
export async function listTokens(data: string): Promise<readonly ListedToken[]> {
  const folder = tokensFolder(data)
  const listed: ListedToken[] = []
  for (const name of await namesIn(folder)) {
    try {
      listed.push((await readToken(folder, name)).token)
    } catch (error) {
      listed.push({ name, problem: (error as Error).message })
    }
  }
  return listed
}

/** False when there is no such token. It opens nothing from the next request on. */
export async function revokeToken(data: string, name: string): Promise<boolean> {
  if (!isTokenName(name)) return false
  try {
    await unlink(pathOf(tokensFolder(data), name))
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw cause
  }
}

/** The tokens of one data folder as a running node sees them: read again whenever the folder has changed. */
export class TokenStore {
  readonly #folder: string
  readonly #log: Log
  readonly #now: () => number
  #byHash: ReadonlyMap<string, AccessToken> = new Map()
  #stamp = ''
  #reading: Promise<void> | undefined

  constructor(data: string, options: { readonly log?: Log; readonly now?: () => number } = {}) {
    this.#folder = tokensFolder(data)
    this.#log = options.log ?? (() => {})
    this.#now = options.now ?? Date.now
  }

  /** Whose secret this is; undefined when it is nobody's, revoked or expired. */
  async find(secret: string): Promise<AccessToken | undefined> {
    await this.#refresh()
    return this.#valid(this.#byHash.get(hashOf(secret)))
  }

  /** Whether what was set up with the token of this name may go on: it is still good, may write, and for these kinds. */
  async allows(name: string, kinds: readonly string[] | undefined): Promise<boolean> {
    if (name === MAIN_TOKEN) return true
    await this.#refresh()
    const token = this.#valid([...this.#byHash.values()].find((each) => each.name === name))
    if (token?.may !== 'write') return false
    return token.kinds === undefined || kinds?.every((kind) => token.kinds?.includes(kind)) === true
  }

  #valid(token: AccessToken | undefined): AccessToken | undefined {
    return token?.expires !== undefined && token.expires <= this.#now() ? undefined : token
  }

  async #refresh(): Promise<void> {
    const stamp = await stampOf(this.#folder)
    if (stamp === this.#stamp) return
    this.#reading ??= this.#read(stamp).finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  async #read(stamp: string): Promise<void> {
    const byHash = new Map<string, AccessToken>()
    for (const name of await namesIn(this.#folder)) {
      try {
        const { token, hash } = await readToken(this.#folder, name)
        byHash.set(hash, token)
      } catch (error) {
        this.#log('warn', 'a token is not used', { token: name, why: (error as Error).message })
      }
    }
    this.#byHash = byHash
    // Clocks of file systems tick slowly: a change right after this read could leave the same time on the folder.
    const changedAt = Number(stamp.split('-')[0]) / 1e6
    this.#stamp = this.#now() - changedAt < tokensRacyMs ? '' : stamp
  }
}

function tokensFolder(data: string): string {
  return join(data, 'tokens')
}

function pathOf(folder: string, name: string): string {
  return join(folder, `${name}.json`)
}

async function stampOf(folder: string): Promise<string> {
  try {
    const { mtimeNs, ino } = await stat(folder, { bigint: true })
    return `${mtimeNs}-${ino}`
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '0-none'
    throw new NodeError('store-failed', "couldn't look for tokens", { cause })
  }
}

async function namesIn(folder: string): Promise<string[]> {
  let files: string[]
  try {
    files = await readdir(folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new NodeError('store-failed', "couldn't read the tokens", { cause })
  }
  const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length))
  return names.filter(isTokenName).sort().slice(0, tokensMax)
}

async function readToken(folder: string, name: string): Promise<{ token: AccessToken; hash: string }> {
  const path = pathOf(folder, name)
  await checkSecretMode(path)
  if ((await stat(path)).size > tokenFileBytesMax) throw new NodeError('key-unsafe', `${path} is not a token file`)
  let content: unknown
  try {
    content = JSON.parse(await readFile(path, 'utf8'))
  } catch {
    // The parser's message would quote the file.
    throw new NodeError('key-unsafe', `${path} is not a token file: expected JSON`)
  }
  const { check, ...facts } = (content ?? {}) as Record<string, unknown>
  const { may, kinds, created, expires, sha256 } = facts
  const good =
    // Files of versions before have none.
    (check === undefined || check === checkOf(facts)) &&
    (may === 'read' || may === 'write') &&
    (kinds === undefined || (Array.isArray(kinds) && kinds.every((kind) => typeof kind === 'string'))) &&
    typeof created === 'number' &&
    (expires === undefined || typeof expires === 'number') &&
    typeof sha256 === 'string' &&
    HASH.test(sha256)
  if (!good) throw new NodeError('key-unsafe', `${path} is not a token file: make the token again`)
  const token = {
    name,
    may,
    created,
    ...(kinds && { kinds }),
    ...(expires !== undefined && { expires }),
  } as AccessToken
  return { token, hash: sha256 as string }
}

/** A bit that flips in the hash or the kinds leaves a file that reads well, of another token. */
function checkOf(facts: object): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
