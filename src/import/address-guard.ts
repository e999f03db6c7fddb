/**
 * Which addresses an import may connect to. A source is a stranger's text: a redirect or the link to its next page may
 * name this machine, the network behind it or a cloud's metadata service. So only public addresses are taken, after
 * the name has been resolved and at the moment of connecting, which leaves nothing to rebind.
 *
 * What the operator typed is what he meant: when the typed address itself is `localhost` or a literal private address,
 * that host and port may be asked, and nothing else that is private. `--allow-private` takes the guard away.
 */
import { lookup as resolve } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { ClientError } from '../client-error.ts'

export class AddressGuard {
  readonly #allowPrivate: boolean
  /** host:port that was typed, when it is one of this machine or its network by name. */
  readonly #typed: string | undefined

  constructor(typed: URL, allowPrivate: boolean) {
    this.#allowPrivate = allowPrivate
    this.#typed = isNamedPrivate(typed.hostname) ? typed.host : undefined
  }

  /** Before connecting: the scheme, and a literal address, which is never resolved. Throws ClientError `refused`. */
  check(url: URL): void {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw refused(`${url.protocol} is not an address of the web`)
    if (url.username !== '' || url.password !== '') throw refused('an address with a password in it')
    if (this.#isFree(url)) return
    const literal = literalOf(url.hostname)
    if (isNamedPrivate(url.hostname) || (literal !== undefined && !isPublic(literal)))
      throw refused(notPublic(url.hostname))
  }

  /** In place of the resolver of a connection: answers only public addresses. */
  lookup(url: URL): LookupFunction {
    const free = this.#isFree(url)
    return (hostname, options, done) => {
      resolve(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return done(error, '')
        const good = free ? addresses : addresses.filter(({ address }) => isPublic(address))
        const [first] = good
        if (first === undefined) return done(refused(notPublic(hostname)), '')
        if (options.all) done(null, good)
        else done(null, first.address, first.family)
      })
    }
  }

  #isFree(url: URL): boolean {
    return this.#allowPrivate || (this.#typed !== undefined && url.host === this.#typed)
  }
}

/** Neither this machine nor a network of somebody's own, also not wrapped in an IPv6 address. */
export function isPublic(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast'
}

function isNamedPrivate(hostname: string): boolean {
  const literal = literalOf(hostname)
  return literal === undefined ? /(^|\.)localhost\.?$/i.test(hostname) : !isPublic(literal)
}

/** The URL parser has made every way to write an IPv4 address into the usual one. */
function literalOf(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return ipaddr.isValid(bare) ? bare : undefined
}

function notPublic(hostname: string): string {
  return `${hostname} is no public address; --allow-private takes it all the same`
}

function refused(message: string): ClientError {
  return new ClientError('refused', message)
}
