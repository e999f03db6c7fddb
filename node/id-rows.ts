/**
 * What makes the op set quick to load again, as rows: ids in the order of their arrival, a sketch, and the ids that are
 * known but not held. All of it follows from the ops; a row that is damaged or missing costs a slower start.
 *
 *   key                value (sealed, rows.ts)
 *   i <number 4>       some thousand ids, one row after the other in order of arrival, and what they belong to
 *   s                  the sketch over the ids of the first so many of these rows
 *   u <op id 32>       an op that this node refuses by its policy or does not serve: why, and what it belongs to
 */
import {
  type ActorKey,
  concat,
  decode,
  encode,
  fromHex,
  isMap,
  type OpId,
  type RecordId,
  type Sha256,
  toHex,
  utf8,
} from '../crdt/index.ts'
import { sealed, unsealed } from './rows.ts'
import type { Belonging } from './sets.ts'

/** An op that arrived: its number, and where it belongs. */
export type Arrival = { readonly id: OpId; readonly seq: number; readonly of: Belonging }
/** `upto`: every op that arrived up to that number is in this row or an earlier one. */
export type IdChunk = {
  readonly upto: number
  readonly ids: Uint8Array
  readonly belongings: readonly Belonging[]
  readonly tags: Uint16Array
}
/** `record` and `actor`: of one that this node's lists refuse, so that it can be judged again when they change. */
export type Withheld = {
  readonly reason: string
  readonly of?: Belonging
  readonly record?: RecordId
  readonly actor?: ActorKey
}

const I = utf8('i')
const U = utf8('u')
export const sketchKey = utf8('s')
export const chunkKey = (number: number) => concat(I, Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number))
export const chunkRows = { gte: utf8('i'), lt: utf8('j') }
export const withheldKey = (id: OpId) => concat(U, fromHex(id))
export const withheldRows = { gte: utf8('u'), lt: utf8('v') }

export function numberOfChunk(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(1)
}

export function chunkRow(arrivals: readonly Arrival[], sha256: Sha256): Uint8Array {
  const numbers = new Map<string, number>()
  const belongings: Belonging[] = []
  const tags = new Uint8Array(2 * arrivals.length)
  const ids = new Uint8Array(32 * arrivals.length)
  for (const [i, { id, of }] of arrivals.entries()) {
    const name = `${of.owner} ${of.kind}`
    let number = numbers.get(name)
    if (number === undefined) {
      number = belongings.push(of) - 1
      numbers.set(name, number)
    }
    tags[2 * i] = number >> 8
    tags[2 * i + 1] = number
    ids.set(fromHex(id), 32 * i)
  }
  const of = belongings.map(({ kind, owner }) => [kind, fromHex(owner)])
  return sealed(encode({ upto: arrivals.at(-1)!.seq, of, tags, ids }), sha256)
}

export function readChunk(row: Uint8Array, sha256: Sha256): IdChunk | undefined {
  const { upto, of, tags, ids } = readMap(row, sha256) ?? {}
  if (typeof upto !== 'number' || !Array.isArray(of) || !(tags instanceof Uint8Array) || !(ids instanceof Uint8Array))
    return undefined
  const belongings = of.map((pair) => {
    const [kind, owner] = Array.isArray(pair) ? pair : []
    return { kind: String(kind), owner: owner instanceof Uint8Array ? toHex(owner) : '' }
  })
  const numbers = new Uint16Array(tags.length >> 1)
  for (let i = 0; i < numbers.length; i++) numbers[i] = (tags[2 * i]! << 8) | tags[2 * i + 1]!
  return { upto, ids, belongings, tags: numbers }
}

export function sketchRow(sketch: { readonly chunks: number; readonly bytes: Uint8Array }, sha256: Sha256): Uint8Array {
  return sealed(concat(chunkKey(sketch.chunks).subarray(1), sketch.bytes), sha256)
}

export function readSketchRow(row: Uint8Array, sha256: Sha256): { chunks: number; bytes: Uint8Array } | undefined {
  const value = unsealed(row, sha256)
  if (value === undefined || value.length < 4) return undefined
  return { chunks: new DataView(value.buffer, value.byteOffset).getUint32(0), bytes: value.subarray(4) }
}

export function withheldRow({ reason, of, record, actor }: Withheld, sha256: Sha256): Uint8Array {
  const known = { ...(record !== undefined && { record }), ...(actor !== undefined && { actor }) }
  return sealed(encode({ reason, ...(of && { kind: of.kind, owner: of.owner }), ...known }), sha256)
}

export function readWithheld(row: Uint8Array, sha256: Sha256): Withheld | undefined {
  const { reason, kind, owner, record, actor } = readMap(row, sha256) ?? {}
  if (typeof reason !== 'string') return undefined
  return {
    reason,
    ...(typeof kind === 'string' && typeof owner === 'string' && { of: { kind, owner } }),
    ...(typeof record === 'string' && { record }),
    ...(typeof actor === 'string' && { actor }),
  }
}

function readMap(row: Uint8Array, sha256: Sha256) {
  const value = unsealed(row, sha256)
  const read = value && decode(value)
  return read?.ok && isMap(read.value) ? read.value : undefined
}
