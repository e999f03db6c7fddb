/**
 * What strangers' bytes reach first, each with what must hold for any bytes at all.
 */
import {
  compareNodes,
  concat,
  decode,
  describeNodes,
  draftOp,
  encode,
  encodeBody,
  encodeErase,
  encodeGrant,
  encodeIdentity,
  encodeKeep,
  encodeMerged,
  encodeRevoke,
  encodeRotate,
  encodeVerbs,
  equalBytes,
  type Header,
  IdSet,
  merge,
  networkId,
  type Op,
  parseFrame,
  readErase,
  readGrant,
  readIdentity,
  readKeep,
  readPrefixes,
  readRevoke,
  readRotate,
  readSymbols,
  Sketch,
  SketchSolver,
  selectFromFrame,
  signOps,
  sketchSymbolsFor,
  stateBytes,
  toHex,
  u32be,
  utf8,
  type Verb,
  writePrefixes,
  writeSymbols,
} from '../../crdt/index.ts'
import { bundleHeadBytes, readBundle } from '../../node/bundle.ts'
import { nativeSuite, signerFromSeed } from '../../node/native.ts'
import { pack, plainPackets, unpack, zstdPackets } from '../../node/packet.ts'
import { type Message, readMessage, writeMessage } from '../../node/sync-messages.ts'
import { hello } from '../support/raw-peer.ts'
import type { Target } from './fuzz.ts'

const { sha256 } = nativeSuite
const NET = networkId('test', sha256)
const signer = signerFromSeed(new Uint8Array(32).fill(7))
const owner = `01${signer.key}`
const ID = 'ab'.repeat(32)

function ensure(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

const record = { owner, kind: 'model', slug: 'a/b' } as const
const genesis = draftOp(
  {
    type: 'genesis',
    ...record,
    w: 1_700_000_000_000,
    body: encodeBody({
      slug: 'a/b',
      f: [
        [['name'], 'b'],
        [['n', 'x'], 1.5],
      ],
      s: [[['tags'], ['t', 1]]],
      t: [[['text'], 'one two']],
    }),
  },
  { net: NET, key: signer.key, sha256 },
)
const verbs: Verb[] = [
  ['set', ['name'], { a: { b: 1 }, c: [] }],
  ['set', ['n'], { x: 1 }, 'reg'],
  ['del', ['n', 'x']],
  ['add', ['tags'], ['u']],
  ['rem', ['tags'], ['t']],
  ['text', ['note'], 'hello'],
  ['splice', ['text'], genesis.id, 1, 2, '😀'],
]
const patch = draftOp(
  {
    type: 'patch',
    record: genesis.header.record,
    parents: [genesis.id],
    w: 1_700_000_000_001,
    body: encodeVerbs(verbs),
  },
  { net: NET, key: signer.key, sha256 },
)

function frames(ops: readonly Op[]): Uint8Array[] {
  return signOps(ops, { net: NET, key: signer.key, sha256, sign: signer.sign }).map(({ frame }) => frame.bytes)
}

/** An op with this body, as it comes out of a frame. */
function opOf(type: number, body: Uint8Array, over: Partial<Header> = {}): Op {
  return { id: toHex(sha256(body)), header: { ...patch.header, type, bodyLength: body.length, ...over }, body }
}

function mergesAlike(body: Uint8Array): void {
  const ops = [genesis, patch, opOf(body.length % 3 === 0 ? 2 : 3, body, { parents: [genesis.id] })]
  const merged = merge(ops, sha256)
  stateBytes(merged)
  // Every eighth, in another order.
  if (body.length % 8 > 0) return
  ensure(
    equalBytes(encodeMerged(merged), encodeMerged(merge(ops.toReversed(), sha256))),
    'another order, another record',
  )
}

const ids = new IdSet(sha256)
for (let i = 0; i < 60; i++) ids.add(toHex(sha256(u32be(i))))
const sketch = new Sketch(sketchSymbolsFor(60))
ids.each((id) => sketch.add(id))

const MESSAGES: readonly Message[] = [
  hello({ cursor: { epoch: '0'.repeat(32), seq: 3 } }),
  { m: 'since', q: 1, from: 0, mode: 'frames', all: true, window: 4 },
  { m: 'get', q: 2, ids: [ID, ID], window: 4 },
  { m: 'more', q: 1, n: 2 },
  { m: 'packet', q: 1, seq: 4, z: Uint8Array.of(0, 1, 2) },
  { m: 'ids', q: 1, seq: 4, ids: [ID] },
  { m: 'end', q: 1, seq: 4 },
  { m: 'done', epoch: '0'.repeat(32), seq: 1, ops: 1, root: '1'.repeat(32) },
  { m: 'bye', reason: 'busy' },
  { m: 'same', seq: 3 },
  { m: 'sketch', q: 1, from: 0, to: 64 },
  { m: 'symbols', q: 1, ops: 60, z: writeSymbols(sketch, 0, 8, 60) },
  { m: 'trie', q: 1, w: 8, at: ['', 'a', 'ab'] },
  { m: 'nodes', q: 1, z: describeNodes(ids, ['', 'a'], 8) },
  { m: 'pick', q: 1, w: 8, ids: [ID.slice(0, 16)], window: 4 },
  { m: 'offer', w: 32, ids: [ID] },
]

/** The sizes of the chunks in which a bundle is read do not matter; small ones cross every boundary. */
async function* chunksOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 97) yield bytes.subarray(at, at + 97)
}

async function bundleOf(packets: readonly Uint8Array[]): Promise<Uint8Array> {
  const part = (packet: Uint8Array) => concat(utf8('part'), u32be(packet.length), sha256(packet).subarray(0, 8), packet)
  return concat(...packets.map(part), utf8('last'), u32be(packets.length), new Uint8Array(8))
}

const plainPacket = await pack(frames([genesis, patch]), plainPackets)
const smallPacket = await pack(
  Array.from({ length: 8 }, () => frames([genesis, patch])[0]!),
  zstdPackets,
)
const bundle = await bundleOf([plainPacket, smallPacket])

export const TARGETS: readonly Target[] = [
  {
    name: 'cbor',
    bytesMax: 4_096,
    seeds: () => [genesis.body, patch.body, ...frames([genesis, patch]), ...MESSAGES.map(writeMessage)],
    run: (bytes) => {
      const read = decode(bytes)
      if (read.ok) ensure(equalBytes(encode(read.value), bytes), 'what was read is written in another way')
    },
  },
  {
    name: 'frame',
    bytesMax: 8_192,
    seeds: () => [...frames([genesis]), ...frames([patch]), ...frames([genesis, patch]), narrowed()],
    run: (bytes) => {
      const parsed = parseFrame(bytes, NET, sha256)
      const first = parsed.ok ? parsed.frame.entries[0] : undefined
      if (!parsed.ok || first === undefined) return
      const part = parseFrame(selectFromFrame(parsed.frame, new Set([first.op.id]), sha256), NET, sha256)
      ensure(part.ok && part.frame.entries[0]?.op.id === first.op.id, 'a part of a frame is no frame')
      ensure(part.ok && equalBytes(part.frame.signedMessage, parsed.frame.signedMessage), 'a part is signed otherwise')
    },
  },
  { name: 'body', bytesMax: 4_096, seeds: () => [genesis.body, patch.body], run: mergesAlike },
  {
    name: 'authority',
    bytesMax: 4_096,
    seeds: () => [
      encodeGrant({ to: signer.key, rights: ['create', 'write'], kinds: ['model'] }),
      encodeRevoke({ grant: ID, keep: [ID] }),
      encodeKeep({ of: ID, ids: [ID] }),
      encodeIdentity({ commitment: ID }),
      encodeRotate({ commitment: ID, keep: [ID] }),
      encodeErase({ ids: [ID], reason: 'law' }),
    ],
    run: (bytes) => {
      const readers = [readGrant, readRevoke, readKeep, readIdentity, readRotate, readErase]
      for (const [i, read] of readers.entries()) read(opOf([6, 7, 8, 9, 10, 5][i]!, bytes))
    },
  },
  {
    name: 'packet',
    bytesMax: 8_192,
    seeds: () => [plainPacket, smallPacket],
    run: async (bytes) => {
      const read = await unpack(bytes, zstdPackets)
      if (read.ok) for (const frame of read.frames) ensure(frame.byteOffset === 0, 'a frame keeps the packet in memory')
    },
  },
  {
    name: 'message',
    bytesMax: 4_096,
    seeds: () => MESSAGES.map(writeMessage),
    run: (bytes) => {
      const read = readMessage(bytes)
      if (!read.ok) return
      const again = readMessage(writeMessage(read.message))
      ensure(again.ok && again.message.m === read.message.m, 'what was read cannot be sent')
    },
  },
  {
    name: 'sketch',
    bytesMax: 2_048,
    seeds: () => [writeSymbols(sketch, 0, 64, 60), writeSymbols(sketch, 0, 8, 55)],
    run: (bytes) => {
      const symbols = readSymbols(bytes, 0, 60)
      if (symbols === undefined || symbols.count === 0) return
      const solver = new SketchSolver(sketch.copy())
      solver.take(symbols)
      void solver.difference
      void solver.estimate
    },
  },
  {
    name: 'trie',
    bytesMax: 4_096,
    seeds: () => [writePrefixes(['', 'a', 'ab']), describeNodes(ids, ['', 'a'], 8), describeNodes(ids, ['', 'a'], 32)],
    run: (bytes) => {
      const prefixes = readPrefixes(bytes)
      if (prefixes !== undefined && prefixes.length < 64) describeNodes(ids, prefixes, 8)
      for (const width of [8, 32] as const) compareNodes(ids, ['', 'a'], bytes, width)
    },
  },
  {
    name: 'bundle',
    bytesMax: 8_192,
    seeds: () => [bundle],
    run: async (bytes) => {
      let end = 0
      for await (const item of readBundle(NET, chunksOf(bytes), { codec: zstdPackets, sha256 }))
        if (item.is === 'end') end++
      ensure(end === 1 && bundleHeadBytes > 0, 'a bundle has one end')
    },
  },
]

/** A frame that carries one op of two. */
function narrowed(): Uint8Array {
  const parsed = parseFrame(frames([genesis, patch])[0]!, NET, sha256)
  if (!parsed.ok) throw new Error('expected a frame of ours to read back')
  return selectFromFrame(parsed.frame, new Set([patch.id]), sha256)
}
