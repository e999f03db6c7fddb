/**
 * Where a request comes from: the address of its connection, or behind proxies that the operator trusts, the one they
 * name in X-Forwarded-For. Anybody can write that header, so it counts only on a connection from such a proxy, and of
 * its addresses only the last that is not itself a trusted proxy.
 */
import ipaddr from 'ipaddr.js'
import { forwardedMax } from '../node/index.ts'

type Address = ReturnType<typeof ipaddr.process>
type Block = ReturnType<typeof ipaddr.parseCIDR>

/** `10.0.0.0/8`, `fd00::/8`, or one address. RangeError names what is neither. */
export function readBlocks(texts: readonly string[]): readonly Block[] {
  return texts.map((text) => {
    if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
    if (!isPlain(text)) throw new RangeError(`expected an address or a block such as 10.0.0.0/8, got ${text}`)
    const address = ipaddr.process(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  })
}

/** The client's address; undefined when it cannot be told. `socket` is the other end of the connection. */
export function clientAddress(
  socket: string | undefined,
  forwardedFor: string | undefined,
  trusted: readonly Block[],
): Address | undefined {
  let address = parse(socket)
  if (forwardedFor === undefined || trusted.length === 0) return address
  // Nearest first. What stands behind a name that is no proxy of ours was written by a stranger.
  const named = forwardedFor.split(',').slice(-forwardedMax).reverse()
  for (const text of named) {
    if (address === undefined || !isIn(address, trusted)) return address
    const next = parse(text.trim())
    if (next === undefined) return address
    address = next
  }
  return address
}

/** Whether the other end of a connection is one of these. */
export function isTrusted(socket: string | undefined, trusted: readonly Block[]): boolean {
  const address = trusted.length > 0 ? parse(socket) : undefined
  return address !== undefined && isIn(address, trusted)
}

/** The /24 or /56 that shares a quota. Undefined for loopback and private addresses, where nobody outside can be meant. */
export function subnetOf(address: Address | undefined, local = false): string | undefined {
  if (address === undefined) return undefined
  if (!local && isLocal(address)) return undefined
  const bytes = address.toByteArray()
  return bytes.length === 4 ? bytes.slice(0, 3).join('.') : Buffer.from(bytes.slice(0, 7)).toString('hex')
}

export function isIn(address: Address, blocks: readonly Block[]): boolean {
  return blocks.some((block) => address.kind() === block[0].kind() && address.match(block))
}

function isLocal(address: Address): boolean {
  const range = address.range()
  return range === 'loopback' || range === 'private' || range === 'uniqueLocal' || range === 'linkLocal'
}

/** ::ffff:192.0.2.1 is 192.0.2.1. */
function parse(text: string | undefined): Address | undefined {
  return text !== undefined && isPlain(text) ? ipaddr.process(text) : undefined
}

/** The usual ways to write an address; ipaddr.js also reads octal, hexadecimal and shortened ones. */
function isPlain(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(':') && ipaddr.IPv6.isValid(text))
}
