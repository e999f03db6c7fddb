/**
 * Which addresses may be dialled. Peers tell us addresses, and a liar could tell us those of machines in our own
 * network, so loopback and private ranges are dialled only when this node itself works in one: when an own listen
 * address or a --join address is in it. Names are dialled only when the operator gave them.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'

export type Range = 'public' | 'private' | 'loopback' | 'name' | 'never'

/** Where the first part of an address leads. 'never': link-local (cloud metadata lives there), multicast, unspecified. */
export function rangeOf(address: Multiaddr): Range {
  const first = address.getComponents()[0]
  if (first === undefined) return 'never'
  if (/^dns(4|6|addr)?$/.test(first.name)) return 'name'
  const host = first.value ?? ''
  if (first.name === 'ip4' && isIPv4(host)) return rangeOf4(host)
  // A zone component stands before the address of a link-local one.
  if (first.name === 'ip6' && isIPv6(host)) return rangeOf6(host)
  return 'never'
}

/** The addresses this node may dial, from where it listens and whom it was told to join. */
export class DialRule {
  readonly #ranges = new Set<Range>(['public'])
  readonly #joins: Set<string>

  constructor(join: readonly Multiaddr[]) {
    this.#joins = new Set(join.map(transportPart))
    for (const address of join) this.allowRangeOf(address)
  }

  /** An own listen address, as it is once the wildcard is resolved. */
  allowRangeOf(address: Multiaddr): void {
    const range = rangeOf(address)
    if (range === 'loopback' || range === 'private') this.#ranges.add(range)
  }

  mayDial(address: Multiaddr): boolean {
    return this.#ranges.has(rangeOf(address)) || this.#joins.has(transportPart(address))
  }
}

/** Whether nobody outside can be meant: loopback and private ranges are exempt from caps per subnet. */
export function subnetOf(address: Multiaddr): string | undefined {
  if (rangeOf(address) !== 'public') return undefined
  const { name, value = '' } = address.getComponents()[0] ?? {}
  return name === 'ip4'
    ? value.split('.').slice(0, 3).join('.')
    : groupsOf(value)
        .slice(0, 4)
        .map((g, i) => (i === 3 ? g >> 8 : g))
        .join(':')
}

/** Reads an address of the operator's. TypeError when it is none that a TCP node can use. */
export function readAddress(text: string): Multiaddr {
  try {
    const address = multiaddr(text)
    if (address.getComponents().some(({ name }) => name === 'tcp')) return address
  } catch {}
  throw new TypeError(`expected a multiaddr with /tcp/, such as /ip4/127.0.0.1/tcp/4001, got ${JSON.stringify(text)}`)
}

/** The peer id an address ends in. */
export function peerOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}

function transportPart(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/.*$/, '')
}

function rangeOf4(host: string): Range {
  const [a = 0, b = 0] = host.split('.').map(Number)
  if (a === 127) return 'loopback'
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 100 && b >= 64 && b < 128)) {
    return 'private'
  }
  return a === 0 || a >= 224 || (a === 169 && b === 254) ? 'never' : 'public'
}

function rangeOf6(host: string): Range {
  const groups = groupsOf(host)
  const [first = 0] = groups
  const zeros = groups.findIndex((group) => group !== 0)
  if (zeros === -1) return 'never'
  if (zeros === 7 && groups[7] === 1) return 'loopback'
  // ::ffff:a.b.c.d and 64:ff9b::a.b.c.d are IPv4 in other clothes.
  if ((zeros === 5 && groups[5] === 0xffff) || (first === 0x64 && groups[1] === 0xff9b)) {
    const [high = 0, low = 0] = groups.slice(6)
    return rangeOf4([high >> 8, high & 255, low >> 8, low & 255].join('.'))
  }
  if (first >> 9 === 0xfc >> 1) return 'private'
  return first >> 6 === 0xfe80 >> 6 || first >> 8 === 0xff || zeros >= 6 ? 'never' : 'public'
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(host: string): number[] {
  const text = host.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    return `${((+a << 8) | +b).toString(16)}:${((+c << 8) | +d).toString(16)}`
  })
  const [head = '', tail] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...middle, ...right].map((group) => Number.parseInt(group, 16))
}
