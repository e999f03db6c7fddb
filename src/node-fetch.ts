/**
 * As much of fetch as the client uses, over node:http: what comes with Node's own takes a third of a short command's
 * time to load. Redirects are not followed, for a node gives none. Rejects as fetch does, the reason being its cause.
 */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Fetch } from './http.ts'

/** For the command line; programs that have a fetch give their own. */
export const nodeFetch = (async (url: string, init: RequestInit = {}): Promise<Answered> => {
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http')
  const { method = 'GET', headers, body, signal } = init
  return new Promise((resolve, reject) => {
    const bytes = body === undefined || body === null ? undefined : Buffer.from(body as string | Uint8Array)
    const sending = request(url, {
      method,
      headers: { ...(headers as Record<string, string>), ...(bytes && { 'content-length': bytes.length }) },
      ...(signal && { signal }),
    })
    sending.once('response', (incoming) => resolve(new Answered(incoming)))
    sending.once('error', (cause) => reject(new TypeError('fetch failed', { cause })))
    sending.end(bytes)
  })
}) as unknown as Fetch

/** A Response, as far as it is read. The body can be had once, whole or as a stream. */
class Answered {
  readonly status: number
  readonly ok: boolean
  readonly statusText: string
  readonly headers: { get(name: string): string | null }
  readonly #incoming: IncomingMessage
  #stream: ReadableStream<Uint8Array> | undefined

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming
    this.status = incoming.statusCode ?? 0
    this.ok = this.status >= 200 && this.status < 300
    this.statusText = incoming.statusMessage ?? ''
    this.headers = {
      get: (name) => {
        const value = incoming.headers[name.toLowerCase()]
        return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value
      },
    }
  }

  get body(): ReadableStream<Uint8Array> {
    this.#stream ??= Readable.toWeb(this.#incoming) as ReadableStream<Uint8Array>
    return this.#stream
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await buffer(this.#incoming)
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  }

  async text(): Promise<string> {
    return (await buffer(this.#incoming)).toString('utf8')
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }
}
