/**
 * The messages of a sync stream and their bytes (PROTOCOLS.md, "Sync"): canonical CBOR maps whose `m` names them.
 *
 * `readMessage` takes a stranger's bytes and answers with a message whose every field has its type and range, or with
 * a reason; it never throws. Whether a message is in place at this moment is for sync-session.ts to say.
 */
import {
  decode,
  encode,
  fromHex,
  isMap,
  type NetworkId,
  type OpId,
  toHex,
  type Value,
  type ValueMap,
} from '../crdt/index.ts'
import { syncIdsPerMessageMax, syncReasonBytesMax, syncWindowMax } from './limits.ts'

export type SinceMode = 'frames' | 'ids'

/** Where a log was left: good only while the epoch is the same. */
export type Cursor = { readonly epoch: string; readonly seq: number }

export type Hello = {
  readonly m: 'hello'
  readonly v: number
  readonly net: NetworkId
  readonly sem: number
  /** Of the sender's log. */
  readonly epoch: string
  readonly seq: number
  readonly ops: number
  readonly root: string
  /** How far the sender has read the receiver's log. */
  readonly cursor?: Cursor
  /** The sender only fetches: it answers nothing and wants no comparison. */
  readonly only: boolean
}
/** The log from after `from`. `all`: also what came from the asker, which may have lost it. */
export type Since = {
  readonly m: 'since'
  readonly q: number
  readonly from: number
  readonly mode: SinceMode
  readonly all: boolean
  readonly window: number
}
export type Get = { readonly m: 'get'; readonly q: number; readonly ids: readonly OpId[]; readonly window: number }
/** Lets the other side send `n` more answers to request q. */
export type More = { readonly m: 'more'; readonly q: number; readonly n: number }
/** Frames in answer to q; in answer to `since` they cover the log up to seq. */
export type Packet = { readonly m: 'packet'; readonly q: number; readonly seq: number; readonly z: Uint8Array }
export type Ids = { readonly m: 'ids'; readonly q: number; readonly seq: number; readonly ids: readonly OpId[] }
/** No more in answer to q; after `since`, everything up to seq was covered. */
export type End = { readonly m: 'end'; readonly q: number; readonly seq: number }
/** The sender asks no more; what it holds now. */
export type Done = {
  readonly m: 'done'
  readonly epoch: string
  readonly seq: number
  readonly ops: number
  readonly root: string
}
export type Bye = { readonly m: 'bye'; readonly reason: string }

export type Answer = Packet | Ids | End
export type Message = Hello | Since | Get | More | Answer | Done | Bye
export type MessageRead =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly reason: string }

/** Messages of our own to bytes. */
export function writeMessage(message: Message): Uint8Array {
  switch (message.m) {
    case 'hello': {
      const { net, epoch, root, cursor, ...plain } = message
      const written = { ...plain, net: fromHex(net), epoch: fromHex(epoch), root: fromHex(root) }
      return encode(cursor ? { ...written, cursor: { epoch: fromHex(cursor.epoch), seq: cursor.seq } } : written)
    }
    case 'done':
      return encode({ ...message, epoch: fromHex(message.epoch), root: fromHex(message.root) })
    case 'get':
    case 'ids':
      return encode({ ...message, ids: joinIds(message.ids) })
    default:
      return encode(message as ValueMap)
  }
}

export function readMessage(bytes: Uint8Array): MessageRead {
  const read = decode(bytes)
  if (!read.ok) return read
  const fields = read.value
  if (!isMap(fields)) return { ok: false, reason: 'not a map' }
  const name = fields['m']
  const reader = typeof name === 'string' && Object.hasOwn(MESSAGES, name) ? MESSAGES[name] : undefined
  const message = reader?.(fields)
  return message ? { ok: true, message } : { ok: false, reason: reader ? `not a ${name}` : 'not a message' }
}

/** 32 bytes each, as they are sent: an id has one form only. */
export function joinIds(ids: readonly OpId[]): Uint8Array {
  const bytes = new Uint8Array(32 * ids.length)
  ids.forEach((id, i) => {
    bytes.set(fromHex(id), 32 * i)
  })
  return bytes
}

export function splitIds(bytes: Value | undefined, max = syncIdsPerMessageMax): OpId[] | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.length % 32 !== 0 || bytes.length > 32 * max) return undefined
  const ids: OpId[] = []
  for (let at = 0; at < bytes.length; at += 32) ids.push(toHex(bytes.subarray(at, at + 32)))
  return ids
}

const MESSAGES: { readonly [m: string]: (fields: ValueMap) => Message | undefined } = {
  hello: (f) => {
    const net = hex(f['net'], 16)
    const cursor = f['cursor'] === undefined ? undefined : readCursor(f['cursor'])
    const state = readState(f)
    const { v, sem, only } = f
    if (!net || !state || !count(v) || !count(sem) || typeof only !== 'boolean') return undefined
    if (f['cursor'] !== undefined && !cursor) return undefined
    return { m: 'hello', v, net, sem, only, ...state, ...(cursor ? { cursor } : {}) }
  },
  since: ({ q, from, mode, all, window }) => {
    if (!count(q) || !count(from) || !grant(window) || typeof all !== 'boolean') return undefined
    if (mode !== 'frames' && mode !== 'ids') return undefined
    return { m: 'since', q, from, mode, all, window }
  },
  get: ({ q, ids: bytes, window }) => {
    const ids = splitIds(bytes)
    return count(q) && grant(window) && ids?.length ? { m: 'get', q, ids, window } : undefined
  },
  more: ({ q, n }) => (count(q) && grant(n) ? { m: 'more', q, n } : undefined),
  packet: ({ q, seq, z }) =>
    count(q) && count(seq) && z instanceof Uint8Array ? { m: 'packet', q, seq, z } : undefined,
  ids: ({ q, seq, ids: bytes }) => {
    const ids = splitIds(bytes)
    return count(q) && count(seq) && ids ? { m: 'ids', q, seq, ids } : undefined
  },
  end: ({ q, seq }) => (count(q) && count(seq) ? { m: 'end', q, seq } : undefined),
  done: (f) => {
    const state = readState(f)
    return state ? { m: 'done', ...state } : undefined
  },
  bye: ({ reason }) => {
    return typeof reason === 'string' && reason.length <= syncReasonBytesMax ? { m: 'bye', reason } : undefined
  },
}

function readState({ epoch, seq, ops, root }: ValueMap): Omit<Done, 'm'> | undefined {
  const [epochHex, rootHex] = [hex(epoch, 16), hex(root, 16)]
  return epochHex && rootHex && count(seq) && count(ops) ? { epoch: epochHex, seq, ops, root: rootHex } : undefined
}

function readCursor(value: Value): Cursor | undefined {
  if (!isMap(value)) return undefined
  const epoch = hex(value['epoch'], 16)
  return epoch && count(value['seq']) ? { epoch, seq: value['seq'] } : undefined
}

function hex(value: Value | undefined, length: number): string | undefined {
  return value instanceof Uint8Array && value.length === length ? toHex(value) : undefined
}

/** Whole, from zero: the codec has refused everything past 2^53. */
function count(value: Value | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function grant(value: Value | undefined): value is number {
  return count(value) && value >= 1 && value <= syncWindowMax
}
