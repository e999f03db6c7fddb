/**
 * The configuration for nginx, with Debian's nginx in front of a node as a process of its own: TLS, changes as they
 * happen, whole batches, and the client's address taken from the proxy and from nobody else.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../../support/free-ports.ts'
import { type Running, startNode } from '../../support/start-node.ts'

const nginx = '/usr/sbin/nginx'
const openssl = '/usr/bin/openssl'
// Missing: the tests are skipped, and said to be. CI installs it and counts a skip as a failure.
const has = existsSync(nginx) && existsSync(openssl)
const conf = resolve(import.meta.dirname, '../../../scripts/deploy/nginx.conf')
const NAME = 'peerage.example'

let folder: string
let ports: { http: number; https: number; node: number }
let proxy: ChildProcess
let certificate: Buffer

beforeAll(async () => {
  if (!has) return
  folder = await mkdtemp(join(tmpdir(), 'peerage-nginx-'))
  const [key, cert] = [join(folder, 'privkey.pem'), join(folder, 'fullchain.pem')]
  const subject = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`]
  const how = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync(openssl, [...how, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  certificate = readFileSync(cert)
  const [http, https, node] = await freePorts(3)
  ports = { http: http!, https: https!, node: node! }
  // Ports, the upstream and the certificate are what an operator changes; everything else is the file as it is.
  const site = (await readFile(conf, 'utf8'))
    .replace('listen 80;', `listen 127.0.0.1:${ports.http};`)
    .replace('listen 443 ', `listen 127.0.0.1:${ports.https} `)
    .replace('127.0.0.1:7070', `127.0.0.1:${ports.node}`)
    .replaceAll('/etc/ssl/peerage', folder)
  await writeFile(join(folder, 'site.conf'), site)
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
events { worker_connections 256; }
http { access_log off; ${paths.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')} include ${folder}/site.conf; }`,
  )
  proxy = spawn(nginx, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  proxy.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  for (let tries = 0; ; tries++) {
    const redirect = await fetch(`http://127.0.0.1:${ports.http}/x`, { redirect: 'manual' }).catch(() => undefined)
    if (redirect !== undefined) break
    if (proxy.exitCode !== null || tries > 400) throw new Error(`nginx did not start:\n${said}`)
    await new Promise((done) => setTimeout(done, 25))
  }
})

afterAll(async () => {
  if (!has) return
  const gone = new Promise((done) => proxy.once('exit', done))
  proxy.kill('SIGQUIT')
  await gone
  await rm(folder, { recursive: true, force: true })
})

function start(...more: string[]): Promise<Running> {
  return startNode({
    data: join(folder, `data-${more.length}-${more.join('').length}`),
    offline: true,
    http: `127.0.0.1:${ports.node}`,
    more: ['--http-host', NAME, ...more],
  })
}

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string }

/** Through nginx, from any address of the loopback. */
function ask(path: string, options: RequestOptions & { body?: string | Buffer } = {}): Promise<Answer> {
  const { body, ...rest } = options
  return new Promise((done, fail) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: ports.https,
        servername: NAME,
        ca: certificate,
        agent: false,
        path,
        ...rest,
        headers: { host: NAME, ...rest.headers },
      },
      async (answer) => {
        let text = ''
        for await (const chunk of answer.setEncoding('utf8')) text += chunk
        done({ status: answer.statusCode!, headers: answer.headers, body: text })
      },
    )
    asked.once('error', fail)
    asked.end(body)
  })
}

test.skipIf(!has)('requests over TLS reach the node, which knows by which address it was asked', async () => {
  await using node = await start('--trusted-proxies', '127.0.0.1', '--sample')
  const plain = await fetch(`http://127.0.0.1:${ports.http}/models?q=1`, {
    redirect: 'manual',
    headers: { host: NAME },
  })
  expect([plain.status, plain.headers.get('location')?.replace(/\/\/[^/]+/, '')]).toEqual([301, 'https:/models?q=1'])
  const status = await ask('/v1/status')
  expect([status.status, JSON.parse(status.body).peer_id]).toEqual([200, node.peerId])
  expect(status.headers['strict-transport-security']).toMatch(/max-age/)
  expect(status.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
  const catalogue = await ask('/.well-known/ai-catalog.json')
  expect(catalogue.body).toContain(`https://${NAME}/`)
  expect(catalogue.body).not.toContain('http://')
  // The names that the node does not have it does not answer to, whoever passes them on.
  expect((await ask('/v1/status', { headers: { host: 'other.example' } })).status).toBe(403)
  for (const path of ['/metrics', '/v1/backup']) expect((await ask(path)).status, path).toBe(404)
})

test.skipIf(!has)(
  'a change reaches a follower while its answer is still open, and a batch of nearly 8 MiB goes in',
  async () => {
    await using node = await start('--trusted-proxies', '127.0.0.1')
    const authorization = `Bearer ${node.token}`
    const stop = new AbortController()
    let seen = ''
    const following = new Promise<void>((done, fail) => {
      const path = '/v1/changes?since=0'
      const asked = request(
        {
          host: '127.0.0.1',
          port: ports.https,
          servername: NAME,
          ca: certificate,
          agent: false,
          path,
          signal: stop.signal,
          headers: { host: NAME, accept: 'text/event-stream' },
        },
        (answer) => {
          answer.setEncoding('utf8').on('data', (text: string) => {
            seen += text
            if (seen.includes('"type":"genesis"')) done()
          })
          // Only now is there something to tell, so it cannot have come with the head of the answer.
          void ask('/v1/models', {
            method: 'POST',
            headers: { authorization, 'content-type': 'application/json' },
            body: '{"name":"streamed"}',
          })
          answer.once('error', () => {})
        },
      )
      asked.once('error', fail)
      asked.end()
    })
    await following
    stop.abort()
    const line = (n: number) =>
      JSON.stringify({ kind: 'model', slug: `m/${n}`, doc: { name: `m ${n}`, note: 'x'.repeat(10_000) } })
    const lines = Array.from({ length: 800 }, (_, n) => line(n)).join('\n')
    expect(lines.length).toBeGreaterThan(7.5 * 2 ** 20)
    const headers = { authorization, 'content-type': 'application/jsonl' }
    const batch = await ask('/v1/batch', { method: 'POST', headers, body: lines })
    expect(batch.status).toBe(200)
    expect(
      batch.body
        .trim()
        .split('\n')
        .filter((each) => JSON.parse(each).outcome === 'created'),
    ).toHaveLength(800)
  },
)

test.skipIf(!has)('the address that nginx names counts where nginx is trusted, and nowhere else', async () => {
  const limits = ['--limit-local', '--rate-limit', '4']
  const from = (localAddress: string, headers = {}) => ask('/v1/fields', { localAddress, headers })
  {
    await using _node = await start('--trusted-proxies', '127.0.0.1', ...limits)
    const first = []
    // Whatever a client writes there is overwritten, so it cannot pretend to be many.
    for (let n = 0; n < 6; n++) first.push((await from('127.1.0.1', { 'x-forwarded-for': `198.51.${n}.1` })).status)
    expect(first).toEqual([200, 200, 200, 200, 429, 429])
    expect((await from('127.2.0.1')).status).toBe(200)
  }
  {
    await using _node = await start(...limits)
    const all = []
    for (const address of ['127.1.0.1', '127.2.0.1', '127.3.0.1', '127.4.0.1', '127.5.0.1']) {
      all.push((await from(address)).status)
    }
    // Untrusted, nginx is one client.
    expect(all).toEqual([200, 200, 200, 200, 429])
  }
})
