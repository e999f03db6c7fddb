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
  type IdWidth,
  isMap,
  type NetworkId,
  type OpId,
  readPrefixes,
  SKETCH_SYMBOLS_MAX,
  toHex,
  type Value,
  type ValueMap,
  writePrefixes,
} from '../crdt/index.ts'
import {
  syncCapabilitiesMax,
  syncIdsPerMessageMax,
  syncReasonBytesMax,
  syncSetNameBytesMax,
  syncSetsMax,
  syncWindowMax,
} from './limits.ts'

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
  /** Which set the session is about (sets.ts); left out, all ops. */
  readonly set?: string
  /** What the sender knows beyond the first version: 'compare' (sketch, trie, pick, offer), 'sets', 'root'. */
  readonly can?: readonly string[]
}
/** Instead of a hello, to a peer that has said hello since it connected: what the sender holds of a set. */
export type Root = {
  readonly m: 'root'
  readonly seq: number
  readonly ops: number
  readonly root: string
  readonly set?: string
}
/** The answer to a root that is the answerer's too: its seq; the session is over. */
export type Same = { readonly m: 'same'; readonly seq: number }
/** Asks for the coded symbols of the set from `from` until before `to`. */
export type SketchAsk = { readonly m: 'sketch'; readonly q: number; readonly from: number; readonly to: number }
/** Symbols of a set of `ops` ids; fewer than were asked for when the answerer keeps no more. */
export type SymbolsAnswer = { readonly m: 'symbols'; readonly q: number; readonly ops: number; readonly z: Uint8Array }
/** Asks what is at these nodes of the trie, with so many bytes of each id. */
export type TrieAsk = { readonly m: 'trie'; readonly q: number; readonly w: IdWidth; readonly at: readonly string[] }
export type NodesAnswer = { readonly m: 'nodes'; readonly q: number; readonly z: Uint8Array }
/** Asks for the ops whose ids begin so: as many hex digits of each as w bytes have. Answered like get. */
export type Pick = {
  readonly m: 'pick'
  readonly q: number
  readonly w: IdWidth
  readonly ids: readonly string[]
  readonly window: number
}
/** Ids that the sender has and the receiver seems to lack. */
export type Offer = { readonly m: 'offer'; readonly w: IdWidth; readonly ids: readonly string[] }
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
/**
 * No more in answer to q; after `since`, everything up to seq was covered. `not`: of what was picked, what the answerer
 * knows and does not serve, as it was asked for.
 */
export type End = { readonly m: 'end'; readonly q: number; readonly seq: number; readonly not?: Uint8Array }
/** The sender asks no more; what it holds now. */
export type Done = {
  readonly m: 'done'
  readonly epoch: string
  readonly seq: number
  readonly ops: number
  readonly root: string
}
/** `sets`: with the reason 'set', those that the sender holds. */
export type Bye = { readonly m: 'bye'; readonly reason: string; readonly sets?: readonly string[] }

export type Answer = Packet | Ids | End
/** What is asked and answered to find the difference of two sets. */
export type Comparison = SymbolsAnswer | NodesAnswer
export type Message =
  | (Hello | Root | Same | Done | Bye)
  | (Since | Get | More | SketchAsk | TrieAsk | Pick | Offer)
  | (Answer | Comparison)
export type MessageRead =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly reason: string }

/** Messages of our own to bytes. */
export function writeMessage(message: Message): Uint8Array {
  switch (message.m) {
    case 'hello': {
      const { net, epoch, root, cursor, can, ...plain } = message
      const written = { ...plain, net: fromHex(net), epoch: fromHex(epoch), root: fromHex(root) }
      return encode({
        ...written,
        ...(cursor && { cursor: { epoch: fromHex(cursor.epoch), seq: cursor.seq } }),
        ...(can && { can: [...can] }),
      })
    }
    case 'root':
      return encode({ ...message, root: fromHex(message.root) })
    case 'trie':
      return encode({ ...message, at: writePrefixes(message.at) })
    case 'pick':
    case 'offer':
      return encode({ ...message, ids: joinIds(message.ids, message.w) })
    case 'bye':
      return encode({ ...message, ...(message.sets && { sets: [...message.sets] }) } as ValueMap)
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

/** `width` bytes each, as they are sent: an id has one form only. */
export function joinIds(ids: readonly OpId[], width = 32): Uint8Array {
  const bytes = new Uint8Array(width * ids.length)
  ids.forEach((id, i) => {
    bytes.set(fromHex(id), width * i)
  })
  return bytes
}

export function splitIds(bytes: Value | undefined, max = syncIdsPerMessageMax, width = 32): OpId[] | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.length % width !== 0 || bytes.length > width * max) return undefined
  const ids: OpId[] = []
  for (let at = 0; at < bytes.length; at += width) ids.push(toHex(bytes.subarray(at, at + width)))
  return ids
}

const MESSAGES: { readonly [m: string]: (fields: ValueMap) => Message | undefined } = {
  hello: (f) => {
    const net = hex(f['net'], 16)
    const cursor = f['cursor'] === undefined ? undefined : readCursor(f['cursor'])
    const state = readState(f)
    const { v, sem, only } = f
    const [set, can] = [readSetName(f['set']), readTexts(f['can'], syncCapabilitiesMax, syncReasonBytesMax)]
    if (!net || !state || !count(v) || !count(sem) || typeof only !== 'boolean') return undefined
    if ((f['cursor'] !== undefined && !cursor) || set === false || can === false) return undefined
    const some = { ...(cursor && { cursor }), ...(set !== undefined && { set }), ...(can && { can }) }
    return { m: 'hello', v, net, sem, only, ...state, ...some }
  },
  root: ({ seq, ops, root, set: name }) => {
    const [rootHex, set] = [hex(root, 16), readSetName(name)]
    if (!rootHex || !count(seq) || !count(ops) || set === false) return undefined
    return { m: 'root', seq, ops, root: rootHex, ...(set !== undefined && { set }) }
  },
  same: ({ seq }) => (count(seq) ? { m: 'same', seq } : undefined),
  sketch: ({ q, from, to }) => {
    const isGood = count(q) && count(from) && count(to) && from < to && to <= SKETCH_SYMBOLS_MAX
    return isGood ? { m: 'sketch', q, from, to } : undefined
  },
  symbols: ({ q, ops, z }) =>
    count(q) && count(ops) && z instanceof Uint8Array ? { m: 'symbols', q, ops, z } : undefined,
  trie: ({ q, w, at }) => {
    const prefixes = at instanceof Uint8Array ? readPrefixes(at) : undefined
    return count(q) && idWidth(w) && prefixes ? { m: 'trie', q, w, at: prefixes } : undefined
  },
  nodes: ({ q, z }) => (count(q) && z instanceof Uint8Array ? { m: 'nodes', q, z } : undefined),
  pick: ({ q, w, ids: bytes, window }) => {
    const ids = idWidth(w) ? splitIds(bytes, syncIdsPerMessageMax, w) : undefined
    return count(q) && idWidth(w) && grant(window) && ids?.length ? { m: 'pick', q, w, ids, window } : undefined
  },
  offer: ({ w, ids: bytes }) => {
    const ids = idWidth(w) ? splitIds(bytes, syncIdsPerMessageMax, w) : undefined
    return idWidth(w) && ids?.length ? { m: 'offer', w, ids } : undefined
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
  end: ({ q, seq, not }) => {
    const isGood = not === undefined || (not instanceof Uint8Array && not.length <= 32 * syncIdsPerMessageMax)
    if (!count(q) || !count(seq) || !isGood) return undefined
    return { m: 'end', q, seq, ...(not !== undefined && { not: not as Uint8Array }) }
  },
  done: (f) => {
    const state = readState(f)
    return state ? { m: 'done', ...state } : undefined
  },
  bye: ({ reason, sets: names }) => {
    const sets = readTexts(names, syncSetsMax, syncSetNameBytesMax)
    if (typeof reason !== 'string' || reason.length > syncReasonBytesMax || sets === false) return undefined
    return { m: 'bye', reason, ...(sets && { sets }) }
  },
}

/** A short list of short texts; undefined when there is none, false when it is something else. */
function readTexts(value: Value | undefined, max: number, lengthMax: number): readonly string[] | undefined | false {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length > max) return false
  return value.every((text) => typeof text === 'string' && text.length <= lengthMax) ? (value as string[]) : false
}

function readSetName(value: Value | undefined): string | undefined | false {
  if (value === undefined) return undefined
  return typeof value === 'string' && value.length <= syncSetNameBytesMax ? value : false
}

function idWidth(value: Value | undefined): value is IdWidth {
  return value === 8 || value === 32
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
