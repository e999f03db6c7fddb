/**
 * One document of a source over HTTP: bounded in size, time and redirects, asked for only when it has changed, and
 * through a guard that looks at every address, those of redirects too. Nothing is sent but the question.
 */
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { ClientError } from '../client-error.ts'
import { documentBytesMax, redirectsMax, sourceSilenceMsMax, sourceTriesMax, sourceWaitMsMax } from '../limits.ts'
import type { AddressGuard } from './address-guard.ts'

/** What a server said of a document, to ask by the next time. */
export type Validators = { readonly etag?: string; readonly modified?: string }
export type Document = Validators & {
  readonly text: string
  /** Where it was in the end. */
  readonly url: URL
  /** Of the Link header. */
  readonly next?: string
}

/**
 * The document, or undefined when it is as it was. A server that is busy is asked again, a few times. Throws ClientError:
 * `refused` for an address that may not be asked, `not-found`, `auth`, `failed` for all else.
 */
export async function fetchDocument(
  url: URL,
  guard: AddressGuard,
  { etag, modified }: Validators = {},
  signal?: AbortSignal,
): Promise<Document | undefined> {
  const headers: Record<string, string> = {
    accept: 'application/json, application/yaml;q=0.9, */*;q=0.1',
    'accept-encoding': 'identity',
    'user-agent': 'peerage-import',
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(modified !== undefined && { 'if-modified-since': modified }),
  }
  let at = url
  let tries = 1
  for (let redirects = 0; redirects <= redirectsMax; ) {
    guard.check(at)
    const answer = await ask(at, guard, headers, signal)
    const { statusCode: status = 0 } = answer
    const { location } = answer.headers
    if (status === 304) {
      answer.resume()
      return undefined
    }
    if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location, at)) {
      answer.destroy()
      const to = new URL(location, at)
      if (at.protocol === 'https:' && to.protocol === 'http:') throw failed(at, 'leads from https to http')
      at = to
      redirects++
    } else if ((status === 429 || status === 503) && tries < sourceTriesMax) {
      answer.destroy()
      await delay(waitOf(answer, tries++), undefined, { signal })
    } else if (status === 200) {
      return { ...said(answer), text: await textOf(answer, at), url: at }
    } else {
      answer.destroy()
      const code = status === 404 || status === 410 ? 'not-found' : status === 401 || status === 403 ? 'auth' : 'failed'
      throw new ClientError(code, `${at.host} answers ${status} for ${at.pathname}`, { status })
    }
  }
  throw failed(url, `redirects more than ${redirectsMax} times`)
}

function ask(
  url: URL,
  guard: AddressGuard,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestSecure : requestPlain
    const asked = request(url, { headers, lookup: guard.lookup(url), agent: false, ...(signal && { signal }) }, resolve)
    asked.setTimeout(sourceSilenceMsMax, () => asked.destroy(failed(url, 'does not answer')))
    asked.on('error', (cause) => {
      if (signal?.aborted) return reject(signal.reason)
      reject(cause instanceof ClientError ? cause : failed(url, cause.message, cause))
    })
    asked.end()
  })
}

function said({ headers }: IncomingMessage): Omit<Document, 'text' | 'url'> {
  const { etag, 'last-modified': modified, link } = headers
  const next = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(Array.isArray(link) ? link.join() : (link ?? ''))?.[1]
  return { ...(etag && { etag }), ...(modified && { modified }), ...(next && { next }) }
}

async function textOf(answer: IncomingMessage, url: URL): Promise<string> {
  const encoding = answer.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    answer.destroy()
    throw failed(url, `sends ${encoding}, which it was not asked for`)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > documentBytesMax) throw failed(url, `sends more than ${documentBytesMax} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw cause instanceof ClientError ? cause : failed(url, (cause as Error).message, cause)
  }
  return decode(Buffer.concat(chunks, size), url.href)
}

/** Text that is kept character for character must not be mended on the way. */
export function decode(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new ClientError('failed', `${place} is not UTF-8`, { cause })
  }
}

function waitOf({ headers }: IncomingMessage, tries: number): number {
  const seconds = Number(headers['retry-after'])
  const wanted =
    Number.isFinite(seconds) && seconds >= 0 && headers['retry-after'] !== undefined ? seconds * 1000 : 500 * 2 ** tries
  return Math.min(wanted, sourceWaitMsMax)
}

function failed(url: URL, what: string, cause?: unknown): ClientError {
  return new ClientError('failed', `${url.host} ${what}`, cause === undefined ? {} : { cause })
}
