/**
 * The lines of a file, gzipped or not, one at a time. A line ends at a line feed and nowhere else: node:readline also
 * ends one at U+2028, which JSON allows inside a text.
 */
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ClientError } from '../client-error.ts'
import { importBytesMax, lineBytesMax } from '../limits.ts'

/**
 * Lines of the file at `path`; `-` is standard input, a name that ends in .gz is unpacked. Throws what opening and
 * reading throw, and ClientError `failed` when more comes out than an import may hold.
 */
export async function* linesOfFile(path: string): AsyncGenerator<string> {
  const raw: Readable = path === '-' ? process.stdin : createReadStream(path)
  if (!path.endsWith('.gz')) {
    yield* linesOf(raw)
    return
  }
  const gunzip = createGunzip()
  raw.on('error', (error: Error) => gunzip.destroy(error))
  try {
    yield* linesOf(raw.pipe(gunzip))
  } finally {
    raw.destroy()
  }
}

/**
 * Splits chunks of bytes into lines, without their ends (a carriage return before the feed belongs to the end). A line
 * that is too long to be a record comes as a text that says so and is no JSON.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<string> {
  let parts: Uint8Array[] = []
  let length = 0
  let total = 0
  for await (const chunk of chunks) {
    total += chunk.length
    if (total > importBytesMax) throw new ClientError('failed', `expected at most ${importBytesMax} bytes in a file`)
    let from = 0
    for (let end = chunk.indexOf(FEED); end >= 0; end = chunk.indexOf(FEED, from)) {
      yield textOf([...parts, chunk.subarray(from, end)], length + end - from)
      parts = []
      length = 0
      from = end + 1
    }
    length += chunk.length - from
    // What is beyond the bound is counted and not kept.
    if (from < chunk.length && length <= lineBytesMax) parts.push(chunk.subarray(from))
  }
  if (length > 0) yield textOf(parts, length)
}

const FEED = 0x0a

function textOf(parts: readonly Uint8Array[], length: number): string {
  if (length > lineBytesMax) return `(a line of ${length} bytes; at most ${lineBytesMax} are read)`
  const text = Buffer.concat(parts).toString('utf8')
  return text.endsWith('\r') ? text.slice(0, -1) : text
}
