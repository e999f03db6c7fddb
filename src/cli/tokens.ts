/**
 * tokens: what others show to the HTTP face of this node. They lie in the data folder, where a running node sees each
 * change at the next request; so these commands work on the machine of the node only, running or not.
 */
import { existsSync } from 'node:fs'
import { kindOf, kinds } from '../../crdt/index.ts'
import { isTokenName, listTokens, newToken, revokeToken } from '../../node/index.ts'
import type { Context } from './context.ts'
import { readExpiry } from './expiry.ts'
import { EXIT, Failure } from './output.ts'

export async function make({ resolved, out, options }: Context, name: string): Promise<void> {
  if (!isTokenName(name)) throw new Failure(EXIT.usage, 'a token is called by letters, digits, . _ or -, at most 64')
  if (options['read'] && options['write']) throw new Failure(EXIT.usage, 'one of --read and --write: who writes reads')
  const kindNames = readKinds(options['kind'] as readonly string[] | undefined)
  const now = Date.now()
  const expires = readExpiry(options['expires'] as string | undefined, now)
  const token = {
    name,
    may: options['write'] ? ('write' as const) : ('read' as const),
    created: now,
    ...(kindNames && { kinds: kindNames }),
    ...(expires !== undefined && { expires }),
  }
  const { data } = resolved.settings
  if (!existsSync(data))
    throw new Failure(EXIT.error, `there is no data folder ${data}; start the node once, or name it`)
  const secret = await newToken(data, token)
  if (secret === undefined) throw new Failure(EXIT.conflict, `there is a token ${name}; revoke it first`)
  if (out.json) return out.value({ ...token, token: secret })
  if (!out.quiet) out.talk('this is the only time it is shown:')
  await out.data(secret)
}

export async function list({ resolved, out }: Context): Promise<void> {
  const { data } = resolved.settings
  const tokens = await listTokens(data)
  for (const token of tokens) {
    if (out.json) await out.value(token)
    else if (out.quiet) await out.data(token.name)
    else await out.data(`${token.name.padEnd(24)}  ${'problem' in token ? token.problem : factsOf(token)}`)
  }
  if (tokens.length === 0 && !out.json && !out.quiet) out.talk(`none in ${data}; the main token is always there`)
}

export async function revoke({ resolved, out }: Context, names: readonly string[]): Promise<number> {
  let code: number = EXIT.ok
  for (const name of names) {
    if (await revokeToken(resolved.settings.data, name)) {
      if (!out.quiet) out.talk(`${name} revoked`)
    } else {
      out.talk(`there is no token ${name}`)
      code = EXIT.notFound
    }
  }
  return code
}

type Facts = {
  readonly may: string
  readonly kinds?: readonly string[]
  readonly created: number
  readonly expires?: number
}

function factsOf({ may, kinds: only, created, expires }: Facts): string {
  const until =
    expires === undefined ? '' : expires <= Date.now() ? `, expired ${dayOf(expires)}` : `, until ${dayOf(expires)}`
  return `${may}, ${only?.join(' ') ?? 'all kinds'}, since ${dayOf(created)}${until}`
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
}

function readKinds(given: readonly string[] | undefined): string[] | undefined {
  return given?.map((name) => {
    const kind = kindOf(name) ?? Object.values(kinds).find(({ plural }) => plural === name)
    if (kind === undefined)
      throw new Failure(EXIT.usage, `unknown kind ${name}; one of ${Object.keys(kinds).join(', ')}`)
    return kind.name
  })
}
