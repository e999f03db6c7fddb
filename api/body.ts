/**
 * Request bodies, bounded: their type, their size while they arrive, and how much of them is held at once. Nothing is
 * decompressed. What a client sends is answered with a problem, never thrown.
 */
import type { Context } from 'hono'
import { httpOpenBodiesBytesMax, httpSmallBodyBytesMax } from '../node/index.ts'
import { readJson } from './json.ts'
import type { Problem } from './problem.ts'

export const JSON_TYPES = ['application/json'] as const
export const MERGE_PATCH_TYPES = ['application/merge-patch+json', 'application/json'] as const
export const JSON_LINES_TYPES = ['application/x-ndjson', 'application/jsonl', 'application/json-lines'] as const
export const CBOR_TYPES = ['application/cbor', 'application/vnd.ipld.dag-cbor', 'application/octet-stream'] as const

export type BodyOptions = {
  readonly bytesMax: number
  readonly types: readonly string[]
  /** The caller holds the token, so nobody needs protection from what it sends at once. */
  readonly trusted: boolean
}

/** Bytes of large bodies from strangers that are being read now, in this process. */
let openBytes = 0

/** Bodies that were read before their handler asked for them. */
const ahead = new WeakMap<Context, Uint8Array>()

/** Reads the body of a caller with a token before its route does, whatever its type; `readBody` then finds it. */
export async function readAhead(c: Context, bytesMax: number): Promise<Uint8Array | Problem> {
  const body = await readBytes(c, { bytesMax, trusted: true })
  if (body instanceof Uint8Array) ahead.set(c, body)
  return body
}

export async function readBody(c: Context, options: BodyOptions): Promise<Uint8Array | Problem> {
  const wrongType = typeProblem(c, options.types)
  if (wrongType !== undefined) return wrongType
  const read = ahead.get(c)
  if (read === undefined) return readBytes(c, options)
  return read.length > options.bytesMax ? tooLarge(options.bytesMax) : read
}

async function readBytes(c: Context, options: Omit<BodyOptions, 'types'>): Promise<Uint8Array | Problem> {
  const length = c.req.header('content-length')
  if (length !== undefined && Number(length) > options.bytesMax) return tooLarge(options.bytesMax)
  try {
    // The parser ends a body at its Content-Length, so a small one is small.
    if (length !== undefined && Number(length) <= httpSmallBodyBytesMax)
      return new Uint8Array(await c.req.arrayBuffer())
    return await readStream(c.req.raw.body, options)
  } catch {
    return { problem: 'bad-request', detail: 'the body ended early' }
  }
}

export async function readJsonBody(c: Context, options: BodyOptions): Promise<{ readonly value: unknown } | Problem> {
  const bytes = await readBody(c, options)
  if (!(bytes instanceof Uint8Array)) return bytes
  const read = readJson(bytes)
  return read.ok ? { value: read.value } : { problem: 'bad-request', detail: read.message }
}

async function readStream(
  body: ReadableStream<Uint8Array> | null,
  options: Omit<BodyOptions, 'types'>,
): Promise<Uint8Array | Problem> {
  if (body === null) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  const reader = body.getReader()
  let size = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return Buffer.concat(chunks, size)
      size += value.length
      if (!options.trusted) openBytes += value.length
      const problem =
        size > options.bytesMax
          ? tooLarge(options.bytesMax)
          : openBytes > httpOpenBodiesBytesMax && !options.trusted
            ? busy
            : undefined
      if (problem !== undefined) {
        await reader.cancel().catch(() => {}) // it is refused either way
        return problem
      }
      chunks.push(value)
    }
  } finally {
    if (!options.trusted) openBytes -= size
  }
}

function typeProblem(c: Context, types: readonly string[]): Problem | undefined {
  const encoding = c.req.header('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return { problem: 'unsupported-type', detail: 'send the body without Content-Encoding' }
  }
  const [type = '', ...parameters] = (c.req.header('content-type') ?? '').toLowerCase().split(';')
  const utf8 = parameters.every(
    (parameter) => !/^\s*charset=/.test(parameter) || /^\s*charset="?utf-?8"?\s*$/.test(parameter),
  )
  if (utf8 && types.includes(type.trim())) return undefined
  return {
    problem: 'unsupported-type',
    detail: `send Content-Type: ${types[0]}${utf8 ? '' : ' in UTF-8'}`,
    headers: { 'accept-post': types.join(', ') },
  }
}

function tooLarge(bytesMax: number): Problem {
  return { problem: 'too-large', detail: `a body here is at most ${bytesMax} bytes`, headers: { connection: 'close' } }
}

const busy: Problem = {
  problem: 'busy',
  detail: 'too many large bodies at once; try again',
  headers: { 'retry-after': '1', connection: 'close' },
}
