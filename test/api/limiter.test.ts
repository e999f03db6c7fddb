import { expect, test } from 'vitest'
import { clientAddress, readBlocks, subnetOf } from '../../api/client-address.ts'
import { Limiter } from '../../api/limiter.ts'

const quota = { name: 'subnet', perMinute: 60 }

test('lets in what is granted, then tells when to come again, and fills steadily', () => {
  let now = 0
  const limiter = new Limiter(() => now)
  for (let n = 0; n < 60; n++) expect(limiter.take('a', quota), String(n)).toBeUndefined()
  expect(limiter.take('a', quota)).toBe(1)
  expect(limiter.take('b', quota)).toBeUndefined()
  now = 999
  expect(limiter.take('a', quota)).toBe(1)
  now = 1_000
  expect(limiter.take('a', quota)).toBeUndefined()
  expect(limiter.take('a', quota)).toBe(1)
  now = 1_000_000
  expect(limiter.headers('a', quota)).toEqual({
    ratelimit: '"subnet";r=60;t=0',
    'ratelimit-policy': '"subnet";q=60;w=60',
  })
})

test('a batch larger than the quota goes in, and what follows waits for all of it', () => {
  let now = 0
  const limiter = new Limiter(() => now)
  expect(limiter.take('a', quota, 160)).toBeUndefined()
  expect(limiter.headers('a', quota)['ratelimit']).toBe('"subnet";r=0;t=160')
  expect(limiter.take('a', quota)).toBe(101)
  expect(limiter.take('a', quota, 1_000), 'nothing is taken by who is refused').toBe(101)
  now = 101_000
  expect(limiter.take('a', quota)).toBeUndefined()
})

const addressOf = (socket: string, forwarded: string | undefined, trusted: readonly string[]) =>
  clientAddress(socket, forwarded, readBlocks(trusted))?.toString()

test('X-Forwarded-For is believed from trusted proxies only, and of it only what they wrote', () => {
  expect(addressOf('198.51.100.1', '203.0.113.9', [])).toBe('198.51.100.1')
  expect(addressOf('198.51.100.1', '203.0.113.9', ['10.0.0.0/8'])).toBe('198.51.100.1')
  expect(addressOf('10.1.1.1', '203.0.113.9', ['10.0.0.0/8'])).toBe('203.0.113.9')
  expect(addressOf('10.1.1.1', '1.1.1.1, 203.0.113.9, 10.2.2.2', ['10.0.0.0/8'])).toBe('203.0.113.9')
  expect(addressOf('::ffff:10.1.1.1', '203.0.113.9', ['10.0.0.0/8'])).toBe('203.0.113.9')
  expect(addressOf('fd00::1', '2001:db8::5', ['fd00::/8'])).toBe('2001:db8::5')
  for (const nonsense of ['', 'unknown', '127.1', '0x7f000001', '203.0.113.9:80', '203.0.113.9,', 'a'.repeat(9_000)]) {
    expect(addressOf('10.1.1.1', nonsense, ['10.0.0.0/8']), nonsense).toBe('10.1.1.1')
  }
  expect(() => readBlocks(['10.0.0.0/33'])).toThrow(RangeError)
  expect(() => readBlocks(['example.org'])).toThrow(RangeError)
})

test('a quota is shared by a /24 or a /56, and this machine is not counted', () => {
  const subnet = (text: string, local?: boolean) => subnetOf(clientAddress(text, undefined, []), local)
  expect(subnet('203.0.113.9')).toBe(subnet('203.0.113.200'))
  expect(subnet('203.0.113.9')).toBe(subnet('::ffff:203.0.113.77'))
  expect(subnet('203.0.113.9')).not.toBe(subnet('203.0.114.9'))
  expect(subnet('2600:1:2:ab01::1')).toBe(subnet('2600:1:2:abff::2'))
  expect(subnet('2600:1:2:ab01::1')).not.toBe(subnet('2600:1:2:ac01::1'))
  for (const local of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '192.168.1.2', '10.0.0.1', 'fd00::1', 'fe80::1']) {
    expect(subnet(local), local).toBeUndefined()
    expect(subnet(local, true), local).toBeDefined()
  }
})
