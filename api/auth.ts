/**
 * Who may ask what: a bearer token for what this node signs, and allow lists for Host and Origin, so that a page in
 * the operator's browser cannot reach a node on the loopback by a name of its own (DNS rebinding) or from its own origin.
 *
 * There are no cookies and no other credentials that a browser would send by itself.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { Problem } from './problem.ts'

/** Compares in time that depends on neither the token nor the guess. */
export function tokenCheck(token: string): (authorization: string | undefined) => Problem | undefined {
  const wanted = digest(token)
  return (authorization) => {
    const given = /^bearer +([\x21-\x7e]{1,512}) *$/i.exec(authorization ?? '')?.[1]
    if (given !== undefined && timingSafeEqual(digest(given), wanted)) return undefined
    const error = given === undefined ? '' : ', error="invalid_token"'
    return {
      problem: 'unauthorised',
      detail:
        given === undefined ? 'send the header Authorization: Bearer <token>' : 'the token is not the one of this node',
      headers: { 'www-authenticate': `Bearer realm="peerage"${error}` },
    }
  }
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
