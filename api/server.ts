/**
 * Listening: the bounds of a connection before any route sees it, problems for what never becomes a request, and a
 * stop that lets the requests under way finish.
 */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import {
  httpConnectionsMax,
  httpDrainMs,
  httpHeaderBytesMax,
  httpHeaderTimeoutMs,
  httpKeepAliveMs,
  httpRequestTimeoutMs,
  httpTimeoutCheckMs,
  NodeError,
  type NodeFace,
} from '../node/index.ts'
import { type AppOptions, createApp } from './app.ts'
import { PROBLEMS, type ProblemCode, problemBody, problemResponse } from './problem.ts'

export type ListenOptions = Omit<AppOptions, 'closing' | 'anyAddress'> & {
  /** Name or address to bind. Whoever binds more than loopback should have a reverse proxy or a firewall. */
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
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
  const { host, port, hosts = [] } = options
  const closing = new AbortController()
  const anyAddress = host === '0.0.0.0' || host === '::'
  const app = createApp(node, { ...options, hosts: [...hosts, host], anyAddress, closing: closing.signal })
  const listener = getRequestListener(app.fetch, {
    errorHandler: () =>
      problemResponse({ problem: 'bad-request', detail: 'the request line or the Host header is malformed' }, 'none'),
  })
  const server = createServer(
    {
      maxHeaderSize: httpHeaderBytesMax,
      headersTimeout: httpHeaderTimeoutMs,
      requestTimeout: httpRequestTimeoutMs,
      connectionsCheckingInterval: httpTimeoutCheckMs,
      keepAliveTimeout: httpKeepAliveMs,
      noDelay: true,
    },
    (incoming, outgoing) => {
      if (closing.signal.aborted) outgoing.setHeader('connection', 'close')
      void listener(incoming, outgoing as ServerResponse)
    },
  )
  server.maxConnections = httpConnectionsMax
  server.on('clientError', refuseClient)
  await listening(server, host, port)
  const { port: bound } = server.address() as AddressInfo
  const close = () => drain(server, closing)
  return { url: urlOf(host, bound), port: bound, close, [Symbol.asyncDispose]: close }
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
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

async function drain(server: Server, closing: AbortController): Promise<void> {
  if (!server.listening) return
  closing.abort()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  // Keep-alive connections become idle one by one as their last answer leaves.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const late = setTimeout(() => server.closeAllConnections(), httpDrainMs)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}

/** What Node's parser refuses: answered once, and the connection is over. */
function refuseClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const problem =
    PARSER_PROBLEMS[error.code ?? ''] ?? (['bad-request', 'this is not HTTP/1.1 as it is written'] as const)
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
