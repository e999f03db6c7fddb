/** Where an import may go, what it takes from there, and what it does not hand on. */

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { AddressGuard, isPublic } from '../../../src/import/address-guard.ts'
import { converters } from '../../../src/import/converters.ts'
import { fetchDocument } from '../../../src/import/fetch-document.ts'
import { secretErrors, secretsIn } from '../../../src/import/secrets.ts'
import { documentBytesMax } from '../../../src/limits.ts'
import { type SourceServer, sourceServer } from '../../support/source-server.ts'

const elsewhere = new AddressGuard(new URL('https://registry.example/'), false)

describe('addresses', () => {
  test.each([
    'http://127.0.0.1/',
    'http://localhost:8080/',
    'http://a.localhost/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:7f00:1]/',
    'http://[::1]/',
    'http://0/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://10.1.2.3/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'file:///etc/passwd',
    'gopher://example.org/',
    'ftp://example.org/',
    'http://user:word@example.org/',
  ])('%s is refused when a source leads there', (address) => {
    expect(() => elsewhere.check(new URL(address))).toThrowError(expect.objectContaining({ code: 'refused' }))
  })

  test('public addresses are taken', () => {
    for (const address of ['http://example.org/', 'https://93.184.216.34/', 'https://[2606:2800:220:1::1]/'])
      expect(() => elsewhere.check(new URL(address))).not.toThrow()
    expect(isPublic('93.184.216.34')).toBe(true)
    expect(isPublic('::ffff:10.0.0.1')).toBe(false)
  })

  test('a name that resolves to this machine is refused at the moment of connecting', async () => {
    await using source = await sourceServer((_path, _request, response) => response.end('{}'))
    const address = new URL(source.url.replace('127.0.0.1', 'ip6-localhost'))
    const named = await fetchDocument(address, elsewhere).catch((error: unknown) => error)
    expect(named).toMatchObject({ code: expect.stringMatching(/refused|failed/) })
    const lookup = elsewhere.lookup(new URL('http://anything.example/'))
    const answered = await new Promise((done) => lookup('localhost', {}, (error) => done(error)))
    expect(answered).toMatchObject({ code: 'refused' })
    expect(source.asked).toEqual([])
  })

  test('what the operator typed may be asked, and no other port or address beside it', async () => {
    const typed = new AddressGuard(new URL('http://127.0.0.1:8001/'), false)
    expect(() => typed.check(new URL('http://127.0.0.1:8001/next'))).not.toThrow()
    expect(() => typed.check(new URL('http://127.0.0.1:8002/'))).toThrow(/no public address/)
    expect(() => typed.check(new URL('http://169.254.169.254/'))).toThrow(/no public address/)
    const open = new AddressGuard(new URL('http://registry.example/'), true)
    expect(() => open.check(new URL('http://10.0.0.1/'))).not.toThrow()
    expect(() => open.check(new URL('file:///etc/passwd'))).toThrow()
  })
})

describe('documents', () => {
  let source: SourceServer
  afterEach(() => source[Symbol.asyncDispose]())
  const fetchAt = (path: string, more = {}) => {
    const url = new URL(path, source.url)
    return fetchDocument(url, new AddressGuard(url, false), more)
  }

  test('a redirect is followed a few times, never to a private address and never around in a circle', async () => {
    await using other = await sourceServer((_path, _request, response) => response.end('secret'))
    source = await sourceServer((path, _request, response) => {
      const to = {
        '/a': '/b',
        '/b': '/c',
        '/round': '/round',
        '/away': `${other.url}/x`,
        '/file': 'file:///etc/passwd',
      }[path]
      if (to === undefined) response.end('here')
      else response.writeHead(302, { location: to }).end()
    })
    expect(await fetchAt('/a')).toMatchObject({ text: 'here', url: new URL('/c', source.url) })
    await expect(fetchAt('/round')).rejects.toThrow(/redirects more than/)
    await expect(fetchAt('/away')).rejects.toMatchObject({ code: 'refused' })
    await expect(fetchAt('/file')).rejects.toMatchObject({ code: 'refused' })
    expect(other.asked).toEqual([])
  })

  test('tags are sent, and 304 is no document', async () => {
    source = await sourceServer((_path, request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end()
      else response.writeHead(200, { etag: '"1"', link: '<?page=2>; rel="next"' }).end('text')
    })
    expect(await fetchAt('/')).toMatchObject({ etag: '"1"', next: '?page=2' })
    expect(await fetchAt('/', { etag: '"1"' })).toBeUndefined()
  })

  test('a server that is busy is asked again; one that is broken is told', async () => {
    let asked = 0
    source = await sourceServer((path, _request, response) => {
      if (path === '/busy' && ++asked < 3) response.writeHead(503, { 'retry-after': '0' }).end()
      else if (path === '/busy') response.end('there')
      else response.writeHead(path === '/gone' ? 404 : 500).end()
    })
    expect(await fetchAt('/busy')).toMatchObject({ text: 'there' })
    await expect(fetchAt('/gone')).rejects.toMatchObject({ code: 'not-found' })
    await expect(fetchAt('/broken')).rejects.toMatchObject({ code: 'failed' })
  })

  test('what is too large, compressed or not UTF-8 is refused', async () => {
    source = await sourceServer((path, _request, response) => {
      if (path === '/zip') return response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')
      if (path === '/bytes') return response.end(Buffer.from([0xff, 0xfe]))
      const block = Buffer.alloc(8 * 1024 * 1024)
      const write = () => {
        while (!response.destroyed && response.write(block));
        if (!response.destroyed) response.once('drain', write)
      }
      return write()
    })
    await expect(fetchAt('/zip')).rejects.toThrow(/gzip/)
    await expect(fetchAt('/bytes')).rejects.toThrow(/UTF-8/)
    await expect(fetchAt('/endless')).rejects.toThrow(String(documentBytesMax))
  })

  test('an answer that breaks off is a failure, not a short document', async () => {
    const broken = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"servers":['))
    })
    await new Promise<void>((listening) => broken.listen(0, '127.0.0.1', listening))
    source = await sourceServer(() => {})
    const url = new URL(`http://127.0.0.1:${(broken.address() as AddressInfo).port}/`)
    await expect(fetchDocument(url, new AddressGuard(url, false))).rejects.toMatchObject({ code: 'failed' })
    broken.close()
  })
})

describe('secrets', () => {
  // Put together here, so that nobody's scanner takes this file for a leak.
  const letters = 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0hL6rXu'
  const found: readonly (readonly [string, string])[] = [
    ['Hugging Face', `hf_${letters.slice(0, 34)}`],
    ['GitHub', `ghp_${letters}`],
    ['GitHub', `github_pat_${letters}${letters.slice(0, 20)}`],
    ['API key', `sk-${letters}`],
    ['API key', `sk-ant-api03-${letters}`],
    ['API key', `sk-proj-${letters}`],
    ['AWS', `AKIA${'ABCDEFGHIJKL2345'}`],
    ['Slack', `xoxb-${letters.slice(0, 24)}`],
    ['Google', `AIza${letters.slice(0, 35)}`],
    ['private key', `-----BEGIN RSA ${'PRIVATE'} KEY-----\n${letters}\n`],
  ]
  test.each(found)('%s: it is found', (kind, secret) => {
    expect(secretsIn(`token = "${secret}"`)).toEqual([expect.stringContaining(kind)])
  })

  test.each([
    'AKIAIOSFODNN7EXAMPLE',
    'sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    'sk-your-api-key-goes-in-here-please',
    'ghp_************************************',
    `hf_${'a'.repeat(34)}`,
    '-----BEGIN PRIVATE KEY-----\n...',
    'task-oriented-dialogue-model-with-a-name',
    'desk-lamp-controller-for-smart-homes-2024',
    'sk-learn-model-of-the-year-2024-and-more',
  ])('%s is none', (text) => {
    expect(secretsIn(text)).toEqual([])
  })

  test('what is told is the place and the kind, never the secret', () => {
    const [, token] = found[1] as [string, string]
    const errors = secretErrors({ packages: [{ environmentVariables: [{ name: 'T', value: token }] }] })
    expect(errors).toEqual([{ pointer: '/packages/0/environmentVariables/0/value', message: 'holds a GitHub token' }])
    expect(secretErrors({}, `name: x\n# ${token}\n`)).toEqual([{ pointer: 'line 2', message: 'holds a GitHub token' }])
    expect(JSON.stringify(errors)).not.toContain(token)
  })
})

describe('YAML', () => {
  const convert = (text: string) => converters['docker-mcp']?.convert(text, { path: 'server.yaml' }).found[0]

  test('tags of its own, aliases without end and duplicate keys are refused', () => {
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1,1]\n${[...'bcdefgh'].map((c, i) => `${c}: &${c} [${`*${'abcdefg'[i]},`.repeat(10)}]`).join('\n')}\nname: x\ntype: server\n`
    for (const text of [
      bomb,
      'name: !!js/function "x"\ntype: server',
      'name: !run x\ntype: server',
      'name: a\nname: b\n',
      '- [',
      '',
    ]) {
      expect(convert(text), text.slice(0, 30)).toHaveProperty('errors')
    }
    expect(convert('name: a\ntype: server\n')).toHaveProperty('entry')
    expect(convert('name: [1]\ntype: remote\nconfig: x\n')).toMatchObject({
      errors: ['/name', '/config', '/remote'].map((pointer) => ({ pointer })),
    })
  })
})
