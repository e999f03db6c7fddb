/**
 * Listening: the bounds of a connection before any route sees it, problems for what never becomes a request, and a
 * stop that lets the requests under way finish.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import {
  httpBacklog,
  httpConnectionsMax,
  httpConnectionsPerSubnetMax,
  httpDrainMs,
  httpHeaderBytesMax,
  httpHeaderTimeoutMs,
  httpKeepAliveMs,
  httpRequestTimeoutMs,
  httpStallMs,
  httpTimeoutCheckMs,
  NodeError,
  type NodeFace,
} from '../node/index.ts'
import { type AppOptions, createFace } from './app.ts'
import { clientAddress, subnetOf } from './client-address.ts'
import { PROBLEMS, type ProblemCode, problemBody, problemResponse } from './problem.ts'
import { quickReads } from './quick-read.ts'

export type ListenOptions = Omit<AppOptions, 'closing' | 'anyAddress'> & {
  /** Name or address to bind. Whoever binds more than loopback should have a reverse proxy or a firewall. */
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Until the header fields, and until the whole request, must have arrived. */
  readonly headerTimeoutMs?: number
  readonly requestTimeoutMs?: number
  /** How long nothing may move while an answer is on its way. */
  readonly stallMs?: number
}

export type HttpServer = AsyncDisposable & {
  /** `http://host:port` as a client on this machine reaches it. */
  readonly url: string
  readonly port: number
  /** Takes no more connections, lets followers go, waits for the requests under way, up to `httpDrainMs`. */
  close(): Promise<void>
}

/** Resolves when it listens. Rejects with NodeError('address-in-use'), or with the system's own error for a bad host. */
export async function listen(node: NodeFace, options: ListenOptions): Promise<HttpServer> {
  const {
    host,
    port,
    hosts = [],
    headerTimeoutMs = httpHeaderTimeoutMs,
    requestTimeoutMs = httpRequestTimeoutMs,
    stallMs = httpStallMs,
  } = options
  const closing = new AbortController()
  const anyAddress = host === '0.0.0.0' || host === '::'
  const { app, gate } = createFace(node, { ...options, hosts: [...hosts, host], anyAddress, closing: closing.signal })
  const listener = getRequestListener(app.fetch, {
    errorHandler: () =>
      problemResponse({ problem: 'bad-request', detail: 'the request line or the Host header is malformed' }, 'none'),
  })
  const quick = quickReads(node, gate)
  const connections = new Connections()
  const server = createServer(
    {
      maxHeaderSize: httpHeaderBytesMax,
      headersTimeout: headerTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(httpTimeoutCheckMs, headerTimeoutMs, requestTimeoutMs),
      keepAliveTimeout: httpKeepAliveMs,
      noDelay: true,
    },
    (incoming, outgoing) => {
      if (closing.signal.aborted) outgoing.setHeader('connection', 'close')
      else if (quick(incoming, outgoing)) return
      void listener(incoming, outgoing as ServerResponse)
    },
  )
  server.maxConnections = httpConnectionsMax
  server.timeout = stallMs
  const subnetMax = (options.trustedProxies ?? []).length > 0 ? Number.POSITIVE_INFINITY : httpConnectionsPerSubnetMax
  connections.watch(server, { perSubnetMax: subnetMax, local: options.limitLocal ?? false })
  server.on('clientError', refuseClient)
  await listening(server, host, port)
  const { port: bound } = server.address() as AddressInfo
  const close = () => drain(server, connections, closing)
  return { url: urlOf(host, bound), port: bound, close, [Symbol.asyncDispose]: close }
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, httpBacklog, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new NodeError('address-in-use', `couldn't listen on ${host}:${port}: another program does`, { cause })
  }
}

function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/**
 * Who is connected: how many from each subnet, and which connections never sent a request; Node's own list of idle ones
 * leaves those out, and browsers open such in advance.
 */
class Connections {
  readonly #unused = new Set<Socket>()
  readonly #bySubnet = new Map<string, number>()

  watch(server: Server, options: { readonly perSubnetMax: number; readonly local: boolean }): void {
    server.on('connection', (socket: Socket) => {
      const subnet = subnetOf(clientAddress(socket.remoteAddress, undefined, []), options.local)
      if (subnet !== undefined) {
        const count = (this.#bySubnet.get(subnet) ?? 0) + 1
        if (count > options.perSubnetMax) return void socket.destroy()
        this.#bySubnet.set(subnet, count)
      }
      this.#unused.add(socket)
      socket.once('close', () => {
        this.#unused.delete(socket)
        if (subnet !== undefined) this.#leave(subnet)
      })
    })
    server.on('request', (incoming: IncomingMessage) => this.#unused.delete(incoming.socket))
  }

  closeUnused(): void {
    for (const socket of this.#unused) socket.destroySoon()
  }

  #leave(subnet: string): void {
    const count = (this.#bySubnet.get(subnet) ?? 1) - 1
    if (count === 0) this.#bySubnet.delete(subnet)
    else this.#bySubnet.set(subnet, count)
  }
}

async function drain(server: Server, connections: Connections, closing: AbortController): Promise<void> {
  if (!server.listening) return
  closing.abort()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  connections.closeUnused()
  // A connection that is kept after its last answer is idle then, and Node does not look again by itself.
  const idle = setInterval(() => server.closeIdleConnections(), DRAIN_LOOK_MS)
  const late = setTimeout(() => server.closeAllConnections(), httpDrainMs)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}

const DRAIN_LOOK_MS = 20

/** What Node's parser refuses: answered once, and the connection is over. */
function refuseClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const problem = PARSER_PROBLEMS[error.code ?? ''] ?? (['bad-request', 'the request is malformed'] as const)
  const [code, detail] = problem
  const body = problemBody({ problem: code, detail }, 'none')
  const [status, title] = PROBLEMS[code]
  const head = `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`
  socket.end(head + body, () => socket.destroy())
}

const PARSER_PROBLEMS: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers-too-large', `request line and header fields take at most ${httpHeaderBytesMax} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ['timeout', 'the request did not arrive in time'],
}
