/** A trace of real edits, one JSON object a line: who changed what, and when. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import type { Value } from '../../crdt/index.ts'

export type Edit = {
  readonly seq: number
  /** Seconds since 1970, by the clock of who wrote; not always ascending. */
  readonly t: number
  readonly commit: string
  readonly writer: string
  readonly op: 'create' | 'update' | 'delete' | 'rename' | 'touch'
  readonly key: string
  /** Fields flattened: `cost.input`. */
  readonly set?: Readonly<Record<string, Value>>
  readonly unset?: readonly string[]
  /** Of a rename: the key before. */
  readonly from?: string
}

export async function readTrace(path: string): Promise<Edit[]> {
  const file = createReadStream(path)
  const edits: Edit[] = []
  for await (const line of createInterface({ input: path.endsWith('.gz') ? file.pipe(createGunzip()) : file })) {
    if (line.trim() !== '') edits.push(JSON.parse(line) as Edit)
  }
  return edits
}
