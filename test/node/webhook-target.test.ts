import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { mayCall, readTarget, signWebhook, verifyWebhook, webhookNetwork, webhookSecret } from '../../node/index.ts'

const INSIDE = [
  '127.0.0.1',
  '127.255.0.1',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '::1',
  'fd12::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
]
const NEVER = [
  '169.254.169.254',
  'fe80::1',
  '0.0.0.0',
  '255.255.255.255',
  '224.0.0.1',
  '100.64.0.1',
  '192.0.0.8',
  '198.18.0.1',
  '203.0.113.1',
  '240.0.0.1',
  '::',
  'ff02::1',
  'fd00:ec2::254',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  '2001::1',
  '::7f00:1',
  'fec0::1',
  '::ffff:0:127.0.0.1',
  '::ffff:169.254.169.254',
  'localhost',
  '',
]

test('calls public addresses only; this machine and its networks when the operator says so; some never', () => {
  for (const address of ['93.184.215.14', '2606:4700::1111', '::ffff:93.184.215.14']) {
    expect(mayCall(address, false), address).toBe(true)
  }
  for (const address of INSIDE) {
    expect(mayCall(address, false), address).toBe(false)
    expect(mayCall(address, true), address).toBe(true)
  }
  for (const address of NEVER) {
    expect(mayCall(address, false), address).toBe(false)
    expect(mayCall(address, true), address).toBe(false)
  }
})

/** Every way to write an address of this machine, or of the cloud's metadata. */
const DISGUISED = [
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://127.1/',
  'http://0/',
  'http://[::ffff:7f00:1]/',
  'http://[::]/',
  'http://localhost/',
  'http://LOCALHOST./',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/',
  'http://①②⑦.0.0.1/',
]

test.each(DISGUISED)('is not made to call %s, when asked first or when it connects', async (url) => {
  const network = webhookNetwork({ local: false })
  expect(await network.objection(url)).toMatch(/not public|no address/)
  const { signal } = new AbortController()
  await expect(network.post({ url, headers: {}, body: '', signal })).rejects.toThrow(/not public|ENOTFOUND|EAI_AGAIN/)
})

test.each([
  'file:///etc/passwd',
  'gopher://example.org/',
  'ftp://example.org/',
  'example.org',
  '',
  '//example.org',
  'http://user:secret@example.org/',
  `https://example.org/${'x'.repeat(3_000)}`,
])('takes no %s', (url) => {
  expect(readTarget(url)).toBeTypeOf('string')
})

test('a name that is given another address after it was looked at leads nowhere', async () => {
  const answers = [['93.184.215.14'], ['127.0.0.1'], ['93.184.215.14', '10.0.0.1']]
  const network = webhookNetwork({
    local: false,
    lookup: (_host, _options, done) =>
      done(
        null,
        (answers.shift() ?? []).map((address) => ({ address, family: 4 })),
      ),
  })
  const url = 'http://rebinding.example/'
  expect(await network.objection(url)).toBeUndefined()
  const { signal } = new AbortController()
  for (let n = 0; n < 2; n++) {
    await expect(network.post({ url, headers: {}, body: '', signal })).rejects.toThrow('not public')
  }
  await expect(network.post({ url, headers: {}, body: '', signal })).rejects.toThrow('no address')
})

test('follows no redirect, reads no answer, and gives up on one that does not come', async () => {
  let hits = 0
  const server = createServer((request, response) => {
    hits++
    if (request.url === '/redirect') response.writeHead(302, { location: '/elsewhere' }).end()
    else if (request.url === '/endless') {
      response.writeHead(200)
      const more = () => response.write('x'.repeat(65_536)) && setImmediate(more)
      more()
    } else if (request.url === '/later') response.writeHead(503, { 'retry-after': '7' }).end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const at = `http://localhost:${(server.address() as AddressInfo).port}`
  const network = webhookNetwork({ local: true })
  const stop = new AbortController()
  const post = (path: string) => network.post({ url: at + path, headers: {}, body: '{}', signal: stop.signal })
  expect(await post('/redirect')).toEqual({ status: 302 })
  expect(await post('/endless')).toEqual({ status: 200 })
  expect(await post('/later')).toEqual({ status: 503, retryAfterMs: 7_000 })
  expect(hits).toBe(3)
  const silent = post('/silent')
  setImmediate(() => stop.abort())
  await expect(silent).rejects.toThrow()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

const verify = (secret: string, headers: Record<string, string>, body: string, now: number) =>
  verifyWebhook(
    secret,
    {
      id: headers['webhook-id'] as string,
      timestamp: headers['webhook-timestamp'] as string,
      signature: headers['webhook-signature'] as string,
    },
    body,
    now,
  )

test('a receiver can tell our deliveries from others, and old ones from new', () => {
  const secret = webhookSecret('master', 'hook')
  expect(secret).toMatch(/^whsec_/)
  expect(webhookSecret('master', 'other')).not.toBe(secret)
  const headers = signWebhook(secret, 'd1', 1_000, '{"a":1}')
  expect(verify(secret, headers, '{"a":1}', 1_200)).toBe(true)
  expect(verify(secret, headers, '{"a":2}', 1_000)).toBe(false)
  expect(verify(webhookSecret('master', 'other'), headers, '{"a":1}', 1_000)).toBe(false)
  expect(verify(secret, headers, '{"a":1}', 1_301)).toBe(false)
  expect(verify(secret, headers, '{"a":1}', 699)).toBe(false)
  for (const [name, value] of [
    ['webhook-id', 'd2'],
    ['webhook-timestamp', '1001'],
    ['webhook-timestamp', 'soon'],
    ['webhook-signature', ''],
    ['webhook-signature', 'v1,AAAA'],
    ['webhook-signature', headers['webhook-signature']?.replace('v1,', 'v2,') as string],
  ] as const) {
    expect(verify(secret, { ...headers, [name]: value }, '{"a":1}', 1_000), `${name}: ${value}`).toBe(false)
  }
  const rotated = { ...headers, 'webhook-signature': `v1,AAAA ${headers['webhook-signature']}` }
  expect(verify(secret, rotated, '{"a":1}', 1_000)).toBe(true)
})

test('the signature is that of the specification', () => {
  // The example of the Standard Webhooks specification.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const body = '{"test": 2432232314}'
  expect(signWebhook(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, body)['webhook-signature']).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
})
