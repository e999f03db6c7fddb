/** Lies that are told in ops and frames: by gossip to all, or in a session to one. */
import {
  decode,
  encode,
  encodeVerbs,
  fromHex,
  type Header,
  measureHeader,
  type Op,
  type Value,
  type Verb,
} from '../../../crdt/index.ts'
import { gossipMessageBytesMax, mergeFreeOps } from '../../../node/limits.ts'
import { nativeSuite } from '../../../node/native.ts'
import { draft, KIND, ownerOf } from '../library.ts'
import { NET } from '../sim-node.ts'
import type { Behaviour, Liar } from './liar.ts'

const { sha256 } = nativeSuite

/** A frame as a list: key, ops in the batch, signature, positions, hashes, entries. */
type Parts = [key: Uint8Array, n: number, signature: Uint8Array, positions: Value, hashes: Value, entries: Value[][]]

/** Spreads an honest frame after a change; nothing when there is none yet. */
const changed =
  (change: (parts: Parts, liar: Liar) => void): Behaviour['act'] =>
  async (liar, chance) => {
    const honest = liar.honest(chance)
    if (honest === undefined) return
    const parts = (decode(honest.frame) as { value: Value }).value as unknown as Parts
    const copy = structuredClone(parts)
    change(copy, liar)
    await liar.spread([encode(copy as unknown as Value)], chance)
  }

/** Spreads ops of its own, made on a record of its own. */
const own =
  (make: (liar: Liar, record: string, genesis: Op) => readonly Op[]): Behaviour['act'] =>
  async (liar, chance) => {
    const { record, genesis } = liar.begin()
    await liar.spread(liar.seal([genesis]), chance)
    await liar.spread(liar.seal(make(liar, record, genesis)), chance)
  }

const patch = (liar: Liar, record: string, parents: readonly string[], verbs: readonly Verb[], ahead = 0): Op =>
  draft(liar.signer, {
    type: 'patch',
    record,
    parents,
    w: Math.floor(liar.clock.now() + ahead),
    body: encodeVerbs(verbs),
  })

/** An op that `draftOp` would not make. */
function rawOp(liar: Liar, over: Partial<Header>, body = encodeVerbs([])): Op {
  const header: Header = {
    net: NET,
    type: 3,
    record: '0'.repeat(64),
    actor: liar.signer.key,
    parents: [],
    w: Math.floor(liar.clock.now()),
    bodyLength: body.length,
    bodyHash: Buffer.from(sha256(body)).toString('hex'),
    ...over,
  }
  return { id: measureHeader(header, sha256).id, header, body }
}

/** The order of the curve's group, little end first. */
const GROUP_ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')

export const OP_LIES: readonly Behaviour[] = [
  {
    name: 'changes a signature',
    act: changed(([, , signature], { chance }) => {
      signature[chance.int(0, 63)]! ^= 1
    }),
  },
  {
    name: 'adds the order of the group to a signature',
    act: changed(([, , signature]) => {
      let carry = 0
      for (let i = 0; i < 32; i++) {
        carry += signature[32 + i]! + GROUP_ORDER[i]!
        signature[32 + i] = carry & 255
        carry >>= 8
      }
    }),
  },
  {
    name: 'signs with a key of small order',
    act: changed((parts) => {
      parts[0] = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))
      parts[2].fill(0).set([1])
    }),
  },
  {
    name: 'says that it wrote what another wrote',
    act: changed((parts, { signer }) => {
      parts[0] = fromHex(signer.key)
    }),
  },
  {
    name: 'changes what another wrote',
    act: changed(([, , , , , entries]) => {
      const body = entries[0]![2] as Uint8Array
      entries[0]![2] = Uint8Array.of(...body, 0)
    }),
  },
  {
    name: 'changes the date of what another wrote',
    act: changed(([, , , , , [entry]]) => {
      entry![1] = 7
    }),
  },
  {
    name: 'moves an op to another record',
    act: changed(([, , , , , [entry]], { chance }) => {
      if (entry![3] instanceof Uint8Array) entry![3] = chance.bytes(32)
    }),
  },
  {
    name: 'lies about the size of a batch',
    act: changed((parts) => {
      parts[1] += 1
    }),
  },
  {
    name: 'spells a frame in another way',
    act: async (liar, chance) => {
      const honest = liar.honest(chance)
      if (honest === undefined) return
      const { frame } = honest
      // A byte too many; the list's length in two bytes.
      const other = chance.yes(0.5) ? Uint8Array.of(...frame, 0) : Uint8Array.of(0x98, 6, ...frame.subarray(1))
      await liar.spread([other], chance)
    },
  },
  {
    name: 'nests without end',
    act: (liar, chance) => liar.spread([new Uint8Array(chance.int(40, 20_000)).fill(0x81)], chance),
  },
  {
    name: 'promises four thousand million items',
    act: (liar, chance) => liar.spread([Uint8Array.of(chance.pick([0x9a, 0xba, 0x5a]), 255, 255, 255, 255)], chance),
  },
  {
    name: 'names what every object has',
    act: own((liar, record, { id }) => [
      patch(liar, record, [id], [['set', ['__proto__', 'x'], 1]]),
      patch(liar, record, [id], [['set', [], { constructor: { prototype: 1 }, toString: 'x' }]]),
    ]),
  },
  {
    name: 'says what nobody understands',
    act: own((liar, record, { id }) => [
      rawOp(liar, { record, parents: [id] }, Uint8Array.of(0xff, 1, 2)),
      rawOp(liar, { record, parents: [id] }, encode([['fly', ['a'], 1], ['set', 'a', 1], 7])),
      rawOp(liar, { record, parents: [id], type: 200 }),
    ]),
  },
  {
    name: 'builds on another record',
    act: own((liar, record) => {
      const other = liar.begin('another')
      return [other.genesis, patch(liar, record, [other.genesis.id], [])]
    }),
  },
  {
    name: 'builds on what nobody has',
    act: own((liar, record) =>
      Array.from({ length: liar.chance.int(1, 60) }, () =>
        patch(liar, record, [Buffer.from(liar.chance.bytes(32)).toString('hex')], []),
      ),
    ),
  },
  {
    name: 'tells children before their parents, far apart',
    act: async (liar, chance) => {
      const { record, genesis } = liar.begin()
      const ops = [genesis]
      for (let i = 0; i < chance.int(5, 30); i++) ops.push(patch(liar, record, [ops.at(-1)!.id], [['set', ['i'], i]]))
      for (const op of ops.toReversed()) await liar.gossip(liar.seal([op]))
    },
  },
  {
    name: 'branches without end',
    act: async (liar, chance) => {
      const { record, genesis } = liar.begin()
      const branch = (_: unknown, i: number) => patch(liar, record, [genesis.id], [['set', ['n'], i]])
      const [count, more] = [chance.yes(0.5) ? mergeFreeOps + 6 : chance.int(20, 40), chance.int(1, 8)]
      await liar.spread(liar.seal([genesis, ...Array.from({ length: count }, branch)]), chance)
      // One at a time, so that each would have all merged again.
      for (let i = 0; i < more; i++) await liar.gossip(liar.seal([branch(0, count + i)]))
    },
  },
  {
    name: 'names too many parents',
    act: own((liar, record, { id }) => {
      const many = Array.from({ length: 17 }, (_, i) => patch(liar, record, [id], [['set', ['n'], i]]))
      return [...many, rawOp(liar, { record, parents: many.map((op) => op.id).sort() })]
    }),
  },
  {
    name: 'names parents out of order, and one twice',
    act: own((liar, record, { id }) => {
      const two = [0, 1].map((i) => patch(liar, record, [id], [['set', ['n'], i]]))
      const ids = two.map((op) => op.id).sort()
      return [...two, rawOp(liar, { record, parents: ids.toReversed() }), rawOp(liar, { record, parents: [id, id] })]
    }),
  },
  {
    name: 'names a parent and its parent',
    act: own((liar, record, { id }) => {
      const child = patch(liar, record, [id], [['set', ['n'], 1]])
      return [child, patch(liar, record, [id, child.id], [['set', ['n'], 2]])]
    }),
  },
  {
    name: 'tells each another story',
    act: async (liar, chance) => {
      const { record, genesis } = liar.begin()
      const [one, two] = [1, 2].map((n) => patch(liar, record, [genesis.id], [['set', ['n'], n]]))
      for (const peer of liar.transport.peers()) {
        await liar.gossip(liar.seal([genesis, chance.yes(0.5) ? one! : two!]), [peer])
      }
    },
  },
  {
    name: 'writes in the record of another',
    act: async (liar, chance) => {
      const honest = liar.honest(chance)
      if (honest === undefined) return
      const { id, header } = honest.op
      await liar.spread(liar.seal([patch(liar, header.record, [id], [['set', ['name'], 'mine']])]), chance)
    },
  },
  {
    name: 'registers in the name of another',
    act: async (liar, chance) => {
      const honest = liar.honest(chance)
      if (honest === undefined) return
      const genesis = { owner: `01${honest.op.header.actor}`, kind: KIND, slugHash: 'ab'.repeat(32) }
      await liar.spread(liar.seal([rawOp(liar, { type: 1, record: 'cd'.repeat(32), genesis })]), chance)
    },
  },
  {
    name: 'deletes, restores and changes at once',
    act: own((liar, record, { id }) => {
      const w = Math.floor(liar.clock.now())
      const gone = draft(liar.signer, { type: 'delete', record, parents: [id], w, body: new Uint8Array(0) })
      return [gone, patch(liar, record, [id], [['set', ['n'], 1]]), patch(liar, record, [gone.id], [['set', ['n'], 2]])]
    }),
  },
  {
    name: 'dates ops ten years ahead, and to 1970',
    act: own((liar, record, { id }) => [
      patch(liar, record, [id], [['set', ['n'], 1]], 10 * 365 * 86_400_000),
      patch(liar, record, [id], [['set', ['n'], 2]], -liar.clock.now()),
    ]),
  },
  {
    name: 'registers one name twice',
    act: own((liar, _, { header, body }) =>
      [1, 2].map((n) =>
        draft(liar.signer, {
          type: 'genesis',
          owner: ownerOf(liar.signer),
          kind: KIND,
          slug: slugOf(body),
          w: header.w + n,
          body,
        }),
      ),
    ),
  },
  {
    name: 'edits a text a hundred times at once',
    act: own((liar, record, { id }) => {
      const text = patch(liar, record, [id], [['text', ['text'], 'abc']])
      const edits = Array.from({ length: 25 }, (_, i) =>
        patch(
          liar,
          record,
          [text.id],
          [0, 1, 2, 3].map((n): Verb => ['splice', ['text'], text.id, i % 4, n % 2, `${i}`]),
        ),
      )
      return [text, ...edits]
    }),
  },
  {
    name: 'repeats what others said',
    act: async (liar, chance) => {
      const honest = liar.honest(chance)
      if (honest === undefined) return
      for (let i = 0; i < 25; i++) await liar.gossip([honest.frame])
    },
  },
  {
    name: 'says more than a message holds',
    act: (liar, chance) => liar.whisper(new Uint8Array(gossipMessageBytesMax + chance.int(1, 100_000))),
  },
  { name: 'gossips noise', act: (liar, chance) => liar.whisper(chance.bytes(chance.int(0, 300))) },
  {
    name: 'announces ops that it never gives',
    act: (liar, chance) => liar.whisper(Uint8Array.of(2, ...chance.bytes(32 * chance.int(1, 40)))),
  },
  {
    name: 'slips a bad op among good ones',
    act: async (liar, chance) => {
      const { genesis } = liar.begin()
      const honest = liar.honest(chance)
      const [good] = liar.seal([genesis])
      const bad = good!.slice()
      bad[bad.length - 1]! ^= 1
      await liar.spread([...(honest ? [honest.frame] : []), bad, good!], chance)
    },
  },
]

function slugOf(body: Uint8Array): string {
  return ((decode(body) as { value: Value }).value as { slug: string }).slug
}
