import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode, type Value } from '../../crdt/index.ts'
import { syncIdsPerMessageMax, syncWindowMax } from '../../node/limits.ts'
import { type Message, readMessage, writeMessage } from '../../node/sync-messages.ts'
import { hello } from '../support/raw-peer.ts'
import { seeded } from '../support/seed.ts'

const id = (digit: string) => digit.repeat(64)
const epoch = '0123456789abcdef'.repeat(2)

const bytes = (length: number) => new Uint8Array(length)
const MESSAGES: readonly Message[] = [
  hello(),
  hello({ cursor: { epoch, seq: 7 }, seq: 9, ops: 8, only: true }),
  { m: 'since', q: 1, from: 0, mode: 'frames', all: false, window: 8 },
  { m: 'since', q: 2, from: 12, mode: 'ids', all: true, window: syncWindowMax },
  { m: 'get', q: 3, ids: [id('a'), id('b')], window: 4 },
  { m: 'more', q: 3, n: 4 },
  { m: 'packet', q: 1, seq: 5, z: Uint8Array.of(0) },
  { m: 'ids', q: 2, seq: 5, ids: [id('0')] },
  { m: 'ids', q: 2, seq: 5, ids: [] },
  { m: 'end', q: 1, seq: 2 ** 53 - 1 },
  { m: 'done', epoch, seq: 5, ops: 5, root: epoch },
  { m: 'bye', reason: 'busy' },
  { m: 'bye', reason: 'set', sets: ['kind:model'] },
  hello({ set: 'kind:model', can: ['compare', 'sets'] }),
  { m: 'root', seq: 3, ops: 2, root: epoch },
  { m: 'root', seq: 3, ops: 2, root: epoch, set: 'kind:model' },
  { m: 'same', seq: 4 },
  { m: 'sketch', q: 1, from: 0, to: 32 },
  { m: 'symbols', q: 1, ops: 7, z: Uint8Array.of(1) },
  { m: 'trie', q: 2, w: 8, at: ['', 'abc'] },
  { m: 'nodes', q: 2, z: Uint8Array.of(0) },
  { m: 'pick', q: 3, w: 8, ids: ['0123456789abcdef'], window: 4 },
  { m: 'pick', q: 3, w: 32, ids: [id('a')], window: 4 },
  { m: 'offer', w: 8, ids: ['0123456789abcdef', 'f'.repeat(16)] },
  { m: 'end', q: 3, seq: 0, not: bytes(8) },
]

test.each(MESSAGES.map((message) => [message.m, message] as const))('reads the %s it wrote', (_, message) => {
  expect(readMessage(writeMessage(message))).toEqual({ ok: true, message })
})

const good = { v: 1, net: bytes(16), sem: 1, epoch: bytes(16), seq: 0, ops: 0, root: bytes(16), only: false }

test('ignores fields it does not know, so that newer nodes may add some', () => {
  const read = readMessage(encode({ m: 'hello', ...good, more: 1 }))
  expect(read).toMatchObject({ ok: true, message: { m: 'hello', v: 1 } })
})

test.each<[string, Value]>([
  ['no map', [1]],
  ['no name', { q: 1 }],
  ['a name that is no text', { m: 5 }],
  ['an unknown name', { m: 'sketched', q: 1 }],
  ['a name that objects inherit', { m: 'constructor' }],
  ['a network of 15 bytes', { m: 'hello', ...good, net: bytes(15) }],
  ['a root as text', { m: 'hello', ...good, root: 'ab' }],
  ['a negative count', { m: 'hello', ...good, ops: -1 }],
  ['a fraction', { m: 'hello', ...good, seq: 1.5 }],
  ['a cursor without an epoch', { m: 'hello', ...good, cursor: { seq: 1 } }],
  ['a cursor that is none', { m: 'hello', ...good, cursor: null }],
  ['an unknown mode', { m: 'since', q: 1, from: 0, mode: 'all', all: false, window: 1 }],
  ['a window of nothing', { m: 'since', q: 1, from: 0, mode: 'ids', all: false, window: 0 }],
  ['a window beyond the bound', { m: 'since', q: 1, from: 0, mode: 'ids', all: false, window: syncWindowMax + 1 }],
  ['no ids to get', { m: 'get', q: 1, ids: bytes(0), window: 1 }],
  ['an id of 33 bytes', { m: 'get', q: 1, ids: bytes(33), window: 1 }],
  ['too many ids', { m: 'ids', q: 1, seq: 1, ids: bytes(32 * (syncIdsPerMessageMax + 1)) }],
  ['a packet that is text', { m: 'packet', q: 1, seq: 1, z: 'abc' }],
  ['symbols that run back', { m: 'sketch', q: 1, from: 8, to: 8 }],
  ['more symbols than there are', { m: 'sketch', q: 1, from: 0, to: 65_537 }],
  ['no node', { m: 'trie', q: 1, w: 8, at: bytes(0) }],
  ['ids of another width', { m: 'pick', q: 1, w: 16, ids: bytes(16), window: 1 }],
  ['shorts of nine bytes', { m: 'offer', w: 8, ids: bytes(9) }],
  ['a set that is no text', { m: 'hello', ...good, set: 7 }],
  ['a name as long as a page', { m: 'root', seq: 0, ops: 0, root: bytes(16), set: 'x'.repeat(129) }],
  ['capabilities without end', { m: 'hello', ...good, can: Array(17).fill('x') }],
  ['more ids withheld than were asked for', { m: 'end', q: 1, seq: 0, not: bytes(32 * syncIdsPerMessageMax + 1) }],
  ['a reason as long as a page', { m: 'bye', reason: 'x'.repeat(65) }],
])('refuses %s', (_, value) => {
  expect(readMessage(encode(value)).ok).toBe(false)
})

test('refuses a map nested past the bound, and never throws for any bytes', async () => {
  const deep = new Uint8Array(100_000).fill(0x81)
  expect(readMessage(deep).ok).toBe(false)
  const real = MESSAGES.map(writeMessage)
  await seeded((parameters) =>
    fc.assert(
      fc.property(
        fc.constantFrom(...real),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.uint8Array(),
        (message, at, flip, any) => {
          const changed = message.slice()
          changed[at % changed.length]! ^= flip
          readMessage(any)
          const read = readMessage(changed)
          // What is still a message after the change is one that can be said: it reads back as itself.
          if (read.ok) expect(readMessage(writeMessage(read.message))).toEqual(read)
        },
      ),
      { ...parameters, numRuns: 2_000 },
    ),
  )
})
