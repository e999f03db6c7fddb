/**
 * One node's HTTP face as plain calls: the URL, the token, JSON in and out, and every failure as a ClientError. Which
 * routes there are and what they mean is client.ts's.
 */
import { ClientError, errorOf } from './client-error.ts'

export type Fetch = typeof globalThis.fetch
export type Request = {
  readonly method?: string
  /** Sent as JSON unless it is bytes or text, which need a `type`. */
  readonly body?: unknown
  readonly type?: string
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Send the token. Nothing else carries it, except at a node that has said that its reads need one. */
  readonly token?: boolean
  readonly signal?: AbortSignal
}

export class Http {
  readonly url: string
  readonly #token: string | undefined
  readonly #fetch: Fetch
  /** The node answered a read with 401. */
  #readsNeedToken = false

  constructor(url: string, token: string | undefined, fetch: Fetch) {
    this.url = url.replace(/\/+$/, '')
    this.#token = token
    this.#fetch = fetch
  }

  get hasToken(): boolean {
    return this.#token !== undefined
  }

  /** Any answer that is a success; everything else is thrown. */
  async send(path: string, request: Request = {}): Promise<Response> {
    const headers: Record<string, string> = { accept: request.accept ?? 'application/json', ...request.headers }
    let body: string | Uint8Array<ArrayBuffer> | undefined
    if (request.body !== undefined) {
      const plain = typeof request.body === 'string' || request.body instanceof Uint8Array
      body = plain ? (request.body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(request.body)
      headers['content-type'] = request.type ?? 'application/json'
    }
    const sendsToken = this.#token !== undefined && (request.token === true || this.#readsNeedToken)
    if (sendsToken) headers['authorization'] = `Bearer ${this.#token}`
    let response: Response
    try {
      response = await this.#fetch(this.url + path, {
        method: request.method ?? 'GET',
        headers,
        ...(body !== undefined && { body }),
        ...(request.signal && { signal: request.signal }),
      })
    } catch (cause) {
      if (request.signal?.aborted) throw request.signal.reason
      throw new ClientError('unreachable', `no node answers at ${this.url} (${reasonOf(cause)})`, { cause })
    }
    if (response.status === 401 && this.#token !== undefined && !sendsToken) {
      this.#readsNeedToken = true
      await response.body?.cancel()
      return this.send(path, request)
    }
    if (!response.ok) throw await errorOf(response)
    return response
  }

  async json<T>(path: string, request: Request = {}): Promise<T> {
    const response = await this.send(path, request)
    try {
      return (await response.json()) as T
    } catch (cause) {
      if (request.signal?.aborted) throw request.signal.reason
      throw new ClientError('failed', `${this.url} did not answer in JSON; is it a peerage node?`, { cause })
    }
  }
}

/** fetch says "fetch failed" and hides the reason one or two causes down. */
function reasonOf(error: unknown): string {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  const { code, message } = innermost as NodeJS.ErrnoException
  return code ?? message ?? String(innermost)
}

/** A query string from what is defined; a list repeats its name. */
export function query(values: Readonly<Record<string, unknown>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    for (const item of Array.isArray(value) ? value : [value]) search.append(name, String(item))
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}
