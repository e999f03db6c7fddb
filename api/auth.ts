/**
 * Who may ask what: bearer tokens, and allow lists for Host and Origin, so that a page in the operator's browser cannot
 * reach a node on the loopback by a name of its own (DNS rebinding) or write from its own origin.
 *
 * There are no cookies and no other credentials that a browser would send by itself.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { type AccessToken, MAIN_TOKEN } from '../node/index.ts'
import type { Problem } from './problem.ts'

/** What a good token allows. */
export type Access = Pick<AccessToken, 'name' | 'may' | 'kinds'>

/** The access that goes with a secret; undefined when it is none of this node's. */
export type TokenLookup = (secret: string) => Promise<Access | undefined>

const main: Access = { name: MAIN_TOKEN, may: 'write' }

/** From an Authorization header to an access. The main token is compared in time that depends on neither it nor the guess. */
export function tokenCheck(token: string, further: TokenLookup = async () => undefined) {
  const wanted = digest(token)
  return (authorization: string): Access | undefined | Promise<Access | undefined> => {
    const given = BEARER.exec(authorization)?.[1]
    if (given === undefined) return undefined
    return timingSafeEqual(digest(given), wanted) ? main : further(given)
  }
}

const BEARER = /^bearer +([\x21-\x7e]{1,512}) *$/i

/** 401: no token was shown, or not a good one. */
export function unauthorised(authorization: string | undefined): Problem {
  const shown = BEARER.test(authorization ?? '')
  return {
    problem: 'unauthorised',
    detail: shown
      ? 'the token is none of this node: wrong, revoked or expired'
      : 'send the header Authorization: Bearer <token>',
    headers: { 'www-authenticate': `Bearer realm="peerage"${shown ? ', error="invalid_token"' : ''}` },
  }
}

/** 403 when a good token does not reach that far. `kinds`: those that are asked about; undefined for all. */
export function scopeProblem(
  access: Access,
  wants: 'read' | 'write',
  kinds: readonly string[] | undefined,
): Problem | undefined {
  if (wants === 'write' && access.may === 'read') return forbidden('the token may only read')
  if (access.kinds === undefined || kinds?.every((kind) => access.kinds?.includes(kind))) return undefined
  return forbidden(`the token is for ${access.kinds.join(', ')} only`)
}

function forbidden(detail: string): Problem {
  const headers = { 'www-authenticate': 'Bearer realm="peerage", error="insufficient_scope"' }
  return { problem: 'forbidden', detail, headers }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

export type HostCheck = {
  /** Of a Host header. A request without one comes from no browser. */
  host(header: string | undefined): Problem | undefined
  /** Of an Origin header on a request that is no plain read. */
  origin(header: string | undefined): Problem | undefined
}

/**
 * `names` are host names or addresses without a port. Loopback is always allowed. With `anyAddress` (the node listens
 * on all of the machine's) so is every literal address: rebinding needs a name.
 */
export function hostCheck(names: readonly string[], anyAddress: boolean): HostCheck {
  const allowed = new Set(['localhost', '127.0.0.1', '::1', ...names.map((name) => name.toLowerCase())])
  const knows = (authority: string | undefined) => {
    const host = hostOf(authority)
    return host !== undefined && (allowed.has(host) || (anyAddress && isIP(host) !== 0))
  }
  return {
    host: (header) =>
      header === undefined || knows(header)
        ? undefined
        : {
            problem: 'host-not-allowed',
            detail: "the Host header is none of this node's names; the option --http-host adds one",
          },
    origin: (header) =>
      header === undefined || knows(/^https?:\/\/(.*)$/i.exec(header)?.[1])
        ? undefined
        : { problem: 'origin-not-allowed', detail: "the Origin header is none of this node's names" },
  }
}

/** The name in `name[:port]`, lower case, without brackets and the root's dot. */
function hostOf(authority: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}?)\.?)(?::\d{1,5})?$/i.exec(authority ?? '')
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}
