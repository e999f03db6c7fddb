/**
 * Where a webhook may lead. Whoever holds a token names a URL and this machine calls it, so it could be made to speak
 * to its own services or to its neighbours'. It speaks to public addresses only: a name is resolved, every address it
 * has must be public, and the connection is made to an address that was checked, so that the name cannot be given
 * another one in between. Redirects are not followed. An operator may allow this machine and its private networks.
 */
import type { LookupAddress, LookupOptions } from 'node:dns'
import { lookup as machineLookup } from 'node:dns'
import { type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import ipaddr from 'ipaddr.js'
import { webhookAnswerMs, webhookUrlCharsMax } from './limits.ts'

export type PostRequest = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}
export type Posted = { readonly status: number; readonly retryAfterMs?: number }

/** How the world is reached: tests pass their own. */
export type WebhookNetwork = {
  /** Why nothing may be sent there, or undefined. Asks the resolver. */
  objection(url: string): Promise<string | undefined>
  /** Rejects when no answer came: a refused address, no connection, too slow. */
  post(request: PostRequest): Promise<Posted>
}

/** Answers all addresses of a name, as dns.lookup does. */
type Lookup = (
  host: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

export function webhookNetwork(options: { readonly local: boolean; readonly lookup?: Lookup }): WebhookNetwork {
  const { local, lookup = machineLookup } = options
  return {
    objection: async (text) => {
      const url = readTarget(text)
      if (typeof url === 'string') return url
      const found = await resolve(hostOf(url), lookup)
      if (found === undefined) return unknown
      return found.every(({ address }) => mayCall(address, local)) ? undefined : refusal
    },
    post: (request) => post(request, local, checkedLookup(lookup, local)),
  }
}

/** The URL when its form is one that may be called, else what is wrong with it. */
export function readTarget(text: string): URL | string {
  const url = text.length <= webhookUrlCharsMax && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return `expected an absolute URL of at most ${webhookUrlCharsMax} characters`
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'expected an http or https URL'
  if (url.username !== '' || url.password !== '') return 'a URL with a user or a password is not taken'
  return url
}

/**
 * Whether an address is public. `local` allows loopback and private ranges too; link-local ones (where clouds keep
 * their metadata), multicast and what stands for another address (mapped, translated, tunnelled) are never called.
 */
export function mayCall(address: string, local: boolean): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  const range = parsed.range()
  if (local && LOCAL.has(range)) return !METADATA.has(parsed.toNormalizedString())
  if (range !== 'unicast') return false
  // Everything that was ever given out in IPv6 is in 2000::/3; the rest of it is in no table of special ranges.
  return parsed.kind() === 'ipv4' || (parsed.toByteArray()[0] as number) >> 5 === 1
}

const LOCAL = new Set<string>(['loopback', 'private', 'uniqueLocal'])
/** Amazon's, in a private range. */
const METADATA = new Set(['fd00:ec2:0:0:0:0:0:254'])

const unknown = 'the name of the host has no address'
const refusal = 'the host has an address that is not public'

/** Without brackets and the root's dot. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

function resolve(host: string, lookup: Lookup): Promise<readonly LookupAddress[] | undefined> {
  return new Promise((done) => {
    lookup(host, { all: true }, (error, addresses) => done(error || addresses.length === 0 ? undefined : addresses))
  })
}

async function post(
  { url: text, headers, body, signal }: PostRequest,
  local: boolean,
  lookup: RequestOptions['lookup'],
): Promise<Posted> {
  const url = readTarget(text)
  if (typeof url === 'string') throw new Error(url)
  // A literal address is connected to without being looked up.
  const host = hostOf(url)
  if (ipaddr.isValid(host) && !mayCall(host, local)) throw new Error(refusal)
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    // A connection that was kept would not be checked again.
    agent: false,
    lookup,
    signal: AbortSignal.any([signal, AbortSignal.timeout(webhookAnswerMs)]),
  }
  return new Promise((done, fail) => {
    const request = (url.protocol === 'https:' ? requestSecure : requestPlain)(url, options, (response) => {
      const after = response.headers['retry-after'] ?? ''
      done({
        status: response.statusCode ?? 0,
        ...(/^\d{1,6}$/.test(after) && { retryAfterMs: Number(after) * 1000 }),
      })
      // What it says is of no interest, however long it is.
      response.destroy()
    })
    request.on('error', fail)
    request.end(body)
  })
}

type LookupDone = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

/** As dns.lookup, and fails when any address may not be called. The socket connects to what this answers. */
function checkedLookup(lookup: Lookup, local: boolean) {
  return (host: string, options: LookupOptions, done: LookupDone): void => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, [])
      if (!addresses.every(({ address }) => mayCall(address, local))) return done(new Error(refusal), [])
      const [first] = addresses
      if (first === undefined) return done(new Error(unknown), [])
      if (options.all) return done(null, addresses)
      done(null, first.address, first.family)
    })
  }
}
