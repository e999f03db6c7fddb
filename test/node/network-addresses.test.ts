import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { DialRule, peerOf, type Range, rangeOf, readAddress, subnetOf } from '../../node/network-addresses.ts'

test.each<[Range, string]>([
  ['loopback', '/ip4/127.0.0.1/tcp/1'],
  ['loopback', '/ip4/127.8.9.1/tcp/1'],
  ['loopback', '/ip6/::1/tcp/1'],
  ['loopback', '/ip6/::ffff:127.0.0.1/tcp/1'],
  ['private', '/ip4/10.1.2.3/tcp/1'],
  ['private', '/ip4/172.16.0.1/tcp/1'],
  ['private', '/ip4/192.168.1.1/tcp/1'],
  ['private', '/ip4/100.64.0.1/tcp/1'],
  ['private', '/ip6/fd00::1/tcp/1'],
  ['private', '/ip6/::ffff:10.0.0.1/tcp/1'],
  ['private', '/ip6/64:ff9b::10.0.0.1/tcp/1'],
  ['public', '/ip4/8.8.8.8/tcp/1'],
  ['public', '/ip4/172.32.0.1/tcp/1'],
  ['public', '/ip6/2001:db8::1/tcp/1'],
  ['name', '/dns4/example.org/tcp/1'],
  ['name', '/dnsaddr/example.org'],
  ['never', '/ip4/169.254.169.254/tcp/80'],
  ['never', '/ip6/::ffff:169.254.169.254/tcp/80'],
  ['never', '/ip6/fe80::1/tcp/1'],
  ['never', '/ip4/0.0.0.0/tcp/1'],
  ['never', '/ip6/::/tcp/1'],
  ['never', '/ip4/224.0.0.1/tcp/1'],
  ['never', '/ip4/255.255.255.255/tcp/1'],
  ['never', '/ip6/ff02::1/tcp/1'],
  ['never', '/unix/tmp%2fsocket'],
])('%s: %s', (range, text) => {
  expect(rangeOf(multiaddr(text))).toBe(range)
})

const rule = (join: string[], listen: string[] = []) => {
  const made = new DialRule(join.map((text) => multiaddr(text)))
  for (const text of listen) made.allowRangeOf(multiaddr(text))
  return (text: string) => made.mayDial(multiaddr(text))
}

test('a public node dials public addresses only, whatever peers say', () => {
  const may = rule(['/ip4/8.8.8.8/tcp/1'], ['/ip4/9.9.9.9/tcp/1'])
  expect(may('/ip4/1.2.3.4/tcp/1')).toBe(true)
  for (const text of [
    '/ip4/127.0.0.1/tcp/1',
    '/ip4/10.0.0.1/tcp/1',
    '/ip4/169.254.169.254/tcp/80',
    '/dns4/localhost/tcp/1',
  ]) {
    expect(may(text)).toBe(false)
  }
})

test('a private range is dialled when an own listen or --join address is in it, each range for itself', () => {
  expect(rule([], ['/ip4/127.0.0.1/tcp/1'])('/ip4/127.0.0.1/tcp/9')).toBe(true)
  expect(rule([], ['/ip4/127.0.0.1/tcp/1'])('/ip4/10.0.0.1/tcp/9')).toBe(false)
  expect(rule(['/ip4/10.0.0.1/tcp/1'])('/ip4/192.168.0.1/tcp/9')).toBe(true)
  expect(rule(['/ip4/10.0.0.1/tcp/1'])('/ip4/127.0.0.1/tcp/9')).toBe(false)
})

test('what the operator named is dialled, with or without its peer id', () => {
  const may = rule(['/dns4/example.org/tcp/4001'])
  expect(may('/dns4/example.org/tcp/4001')).toBe(true)
  expect(may('/dns4/example.org/tcp/4001/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5')).toBe(true)
  expect(may('/dns4/example.org/tcp/22')).toBe(false)
})

test('subnets are /24 and /56, and only of public addresses', () => {
  const subnet = (text: string) => subnetOf(multiaddr(text))
  expect(subnet('/ip4/8.8.8.8/tcp/1')).toBe(subnet('/ip4/8.8.8.200/tcp/2'))
  expect(subnet('/ip4/8.8.8.8/tcp/1')).not.toBe(subnet('/ip4/8.8.9.8/tcp/1'))
  expect(subnet('/ip6/2001:db8:1:12ff::1/tcp/1')).toBe(subnet('/ip6/2001:db8:1:1200:5::/tcp/1'))
  expect(subnet('/ip6/2001:db8:1:1200::1/tcp/1')).not.toBe(subnet('/ip6/2001:db8:1:1300::1/tcp/1'))
  for (const text of ['/ip4/127.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1', '/ip6/::1/tcp/1'])
    expect(subnet(text)).toBeUndefined()
})

test('an address of the operator is TCP or named as wrong', () => {
  const text = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5'
  expect(peerOf(readAddress(text))).toBe('12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5')
  for (const wrong of ['', 'localhost:4001', '/ip4/127.0.0.1', '/ip4/127.0.0.1/udp/1', '/ip4/300.0.0.1/tcp/1']) {
    expect(() => readAddress(wrong)).toThrow(TypeError)
  }
})
